package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completeVerb is what the scripts of completionCmd call, with the words of the line up to the
// cursor. It is no verb for people.
const completeVerb = "__complete"

// completionCmd prints a script that completes command lines in a shell.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// completionScripts ask this program what may come next. Where it knows nothing, files are offered.
var completionScripts = map[string]string{
	"bash": `_carillon() {
  local IFS=$'\n'
  local word=${COMP_WORDS[COMP_CWORD]}
  local next=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(compgen -W "$next" -- "${word#=}"))
}
complete -o default -F _carillon carillon
`,
	"zsh": `#compdef carillon
_carillon() {
  local -a words_next
  words_next=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( ${#words_next[@]} )) && [[ -n ${words_next[1]} ]]; then compadd -a words_next; else _files; fi
}
if [[ ${funcstack[1]} = _carillon ]]; then _carillon "$@"; else compdef _carillon carillon; fi
`,
	"fish": `function __carillon_words
  set -l next (carillon __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
  if set -q next[1]
    printf '%s\n' $next
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c carillon -f -a '(__carillon_words)'
`,
}

// Run prints the script. `source <(carillon completion bash)` uses it at once.
func (c *completionCmd) Run(t terminal) error {
	_, err := io.WriteString(t.out, completionScripts[c.Shell])
	return err
}

// complete prints what may stand in place of the last word, one a line.
func complete(model *kong.Application, words []string, out io.Writer) {
	last := ""
	if len(words) > 0 {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	node, flag := walk(model.Node, words)
	if name, value, ok := strings.Cut(last, "="); ok { // bash has the = as a word of its own
		if long, ok := strings.CutPrefix(name, "--"); ok && flag == nil {
			flag = flagOf(node, long)
		}
		if flag == nil {
			return
		}
		for _, w := range enumOf(flag.Value) {
			if strings.HasPrefix(w, value) {
				fmt.Fprintln(out, strings.TrimPrefix(name+"=", "=")+w)
			}
		}
		return
	}
	for _, w := range next(node, flag, last) {
		if strings.HasPrefix(w, last) {
			fmt.Fprintln(out, w)
		}
	}
}

// walk follows the words of a line. flag is the one whose value comes next.
func walk(node *kong.Node, words []string) (at *kong.Node, flag *kong.Flag) {
	for _, w := range words {
		if w == "=" && flag != nil { // what bash makes of --flag=value
			continue
		}
		if flag != nil {
			flag = nil
			continue
		}
		if name, ok := strings.CutPrefix(w, "--"); ok {
			if f := flagOf(node, name); f != nil && !f.IsBool() {
				flag = f
			}
			continue
		}
		if i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == w }); i >= 0 {
			node = node.Children[i]
		}
	}
	return node, flag
}

func flagOf(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if f.Name == name {
				return f
			}
		}
	}
	return nil
}

// next are the words that may follow: the values of a flag, or verbs and flags.
func next(node *kong.Node, flag *kong.Flag, last string) (list []string) {
	if flag != nil {
		return enumOf(flag.Value)
	}
	if strings.HasPrefix(last, "-") {
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				list = append(list, "--"+f.Name)
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	for _, n := range node.Children {
		if !n.Hidden {
			list = append(list, n.Name)
		}
	}
	for _, p := range node.Positional {
		list = append(list, enumOf(p)...)
	}
	return list
}

func enumOf(v *kong.Value) (list []string) {
	for _, w := range strings.Split(v.Enum, ",") {
		if w = strings.TrimSpace(w); w != "" {
			list = append(list, w)
		}
	}
	return list
}

// helpCmd prints the help of a verb, as --help does.
type helpCmd struct {
	Verb []string `arg:"" optional:"" help:"The verb, such as rings list."`
}

func (h *helpCmd) Run(ctx context.Context, c terminal) error {
	if code := run(ctx, append(slices.Clone(h.Verb), "--help"), c); code != 0 {
		return errHelp
	}
	return nil
}
