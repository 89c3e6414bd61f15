package language

import (
	"encoding/json"
	"flag"
	"fmt"
	goparser "go/parser"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	templ "github.com/a-h/templ/parser/v2"
)

// templTexts collects the blocks of the templates: each is drawn as HTML with marks for what
// varies, in each of its variants, and read as a page is.
func templTexts(t testing.TB, f *found) {
	t.Helper()
	names, err := filepath.Glob("../../views/*.templ")
	if err != nil || len(names) == 0 {
		t.Fatal(err, len(names))
	}
	none, err := New("", nil)
	if err != nil {
		t.Fatal(err)
	}
	none.words = dateWords{}
	for _, name := range names {
		if base := filepath.Base(name); strings.HasPrefix(base, "docs") || base == "storybook.templ" {
			continue
		}
		file, err := templ.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		d := drawer{where: strings.TrimPrefix(filepath.ToSlash(name), "../../")}
		for _, n := range file.Nodes {
			if h, ok := n.(*templ.HTMLTemplate); ok {
				d.blocks = append(d.blocks, d.variants(h.Children)...)
			}
		}
		for _, b := range d.blocks {
			for _, key := range none.Untranslated([]byte(b)) {
				key = numbered(key)
				if letter := holeMark.ReplaceAllString(key, ""); words(markNumbers(letter)) {
					f.add(key, d.where)
				}
			}
		}
	}
}

func markNumbers(s string) string {
	return strings.NewReplacer("<", " ", ">", " ", "/", " ").Replace(s)
}

// drawer draws templates.
type drawer struct {
	where  string
	blocks []string
}

// inlineParts are the components that are part of a sentence, as the element that they draw.
var inlineParts = map[string]string{"Sign": "<svg></svg>", "When": "<time></time>", "Exact": "<time></time>", "Badge": "<span></span>",
	"RingBadge": "<span></span>", "EnvBadge": "<span></span>", "Avatar": "<span></span>", "Copy": "<code></code>"}

const most = 48 // variants of one list

// variants draws a list in each way that its conditions allow. A block within it is drawn by
// itself.
func (d *drawer) variants(list []templ.Node) []string {
	out := []string{""}
	for _, n := range list {
		one := d.node(n)
		if t, ok := n.(templ.WhitespaceTrailer); ok && t.Trailing() != templ.SpaceNone {
			for i := range one {
				one[i] += " "
			}
		}
		out = crossMost(out, one)
	}
	return out
}

func crossMost(a, b []string) []string {
	var out []string
	for _, y := range b { // every variant of the last one, even where there are too many
		for _, x := range a {
			if len(out) < most || x == a[0] {
				out = append(out, x+y)
			}
		}
	}
	return out
}

func (d *drawer) node(n templ.Node) []string {
	switch n := n.(type) {
	case *templ.Whitespace:
		return []string{" "}
	case *templ.Text:
		return []string{n.Value}
	case *templ.StringExpression:
		return d.said(n.Expression.Value)
	case *templ.Element:
		return d.element(n)
	case *templ.IfExpression:
		out := d.variants(n.Then)
		for _, e := range n.ElseIfs {
			out = append(out, d.variants(e.Then)...)
		}
		return append(out, d.variants(n.Else)...)
	case *templ.SwitchExpression:
		out := []string{""}
		for _, c := range n.Cases {
			out = append(out, d.variants(c.Children)...)
		}
		return out
	case *templ.ForExpression:
		d.blocks = append(d.blocks, d.variants(n.Children)...)
		return []string{"<div></div>"}
	case *templ.TemplElementExpression:
		d.blocks = append(d.blocks, d.variants(n.Children)...)
		name, _, _ := strings.Cut(n.Expression.Value, "(")
		if drawn, ok := inlineParts[name]; ok {
			return []string{drawn}
		}
		return []string{"<div></div>"}
	case *templ.RawElement, *templ.ScriptElement, *templ.GoComment, *templ.HTMLComment, *templ.GoCode, *templ.DocType:
		return []string{""}
	}
	return []string{"<div></div>"}
}

// said is what an expression in braces says: its text if it is one, else a mark.
func (d *drawer) said(code string) []string {
	e, err := goparser.ParseExpr(code)
	if err != nil {
		return []string{mark("text")}
	}
	r := goReader{pkg: "views"}
	out := r.eval(e)
	for i := range out {
		out[i] = html.EscapeString(out[i])
	}
	return out
}

func (d *drawer) element(n *templ.Element) []string {
	var attrs strings.Builder
	own := false
	for _, a := range n.Attributes {
		d.attribute(&attrs, a, &own)
	}
	if own {
		return []string{fmt.Sprintf(`<%s translate="no"%s></%s>`, n.Name, "", n.Name)}
	}
	inner := d.variants(n.Children)
	out := make([]string, 0, len(inner))
	for _, s := range inner {
		out = append(out, "<"+n.Name+attrs.String()+">"+s+"</"+n.Name+">")
	}
	if void[n.Name] || empty[n.Name] {
		return []string{"<" + n.Name + attrs.String() + ">"}
	}
	if within[n.Name] {
		return out
	}
	if _, whole := kept[n.Name]; whole {
		return out[:1]
	}
	d.blocks = append(d.blocks, out...)
	return []string{"<div></div>"}
}

func (d *drawer) attribute(b *strings.Builder, a templ.Attribute, own *bool) {
	switch a := a.(type) {
	case *templ.ConstantAttribute:
		key, ok := a.Key.(templ.ConstantAttributeKey)
		if !ok {
			return
		}
		if key.Name == "translate" && a.Value == "no" {
			*own = true
		}
		fmt.Fprintf(b, ` %s="%s"`, key.Name, a.Value)
	case *templ.ExpressionAttribute:
		key, ok := a.Key.(templ.ConstantAttributeKey)
		if !ok || !spoken[key.Name] {
			return
		}
		for _, s := range d.said(a.Expression.Value) {
			d.blocks = append(d.blocks, fmt.Sprintf(`<p title="%s">`, s))
		}
	case *templ.ConditionalAttribute:
		for _, list := range [][]templ.Attribute{a.Then, a.Else} {
			for _, one := range list {
				d.attribute(b, one, own)
			}
		}
	}
}

// industryFields are the fields of an industry's file that people read. The others are names of
// made-up people and things, references and words of the program.
var industryFields = map[string]bool{"help": true, "why": true, "title": true, "text": true, "short": true, "description": true,
	"lead": true}

func jsonTexts(t testing.TB, f *found, text []byte, where string) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(v any, key, parent string)
	walk = func(v any, key, parent string) {
		switch v := v.(type) {
		case map[string]any:
			for k, one := range v {
				walk(one, k, key)
			}
		case []any:
			for _, one := range v {
				walk(one, key, key)
			}
		case string:
			name := key == "name" && (parent == "steps" || parent == "asks" || parent == "")
			if industryFields[key] || name {
				f.add(v, where)
			}
		}
	}
	walk(tree, "", "")
}

var keysFile = flag.String("keys", "", "write the keys that have no entry to this file: where, a tab, the key as JSON")

// TestSources reads the sources as -keys lists them: a sentence of each sort must be there.
func TestSources(t *testing.T) {
	t.Parallel()
	f := &found{keys: map[string]string{}}
	templTexts(t, f)
	goTexts(t, f)
	fileTexts(t, f)
	for _, key := range []string{
		"You signed out of {text} or lost access to it, or you changed to another organisation in another tab.", // a template
		"You get the weekly email of {text}, on Mondays at 8:00. <1>Preview</1>",                                // with an element
		"Page, ring, device, person, agent, key or command…",                                                    // an attribute
		"The entry “{text}”, last seen {word}, goes. What rings on it stops.",                                   // a sum
		"{n} device was imported before.", "{n} devices were imported before.",                                  // a plural
		"You are no longer a member of this organisation. Sign in again.", // a refusal
		"A client calls at night", // a file of an industry
	} {
		if f.keys[key] == "" {
			t.Errorf("not found: %s", key)
		}
	}
	rendered(t, f)
	if *keysFile == "" {
		return
	}
	all, err := read(files, "es")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, k := range f.order {
		if _, done := all[k]; done {
			continue
		}
		text, err := jsontext(k)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\t%s\n", f.keys[k], text)
	}
	if err := os.WriteFile(*keysFile, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// jsontext is a string of JSON with angle brackets as they are.
func jsontext(s string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return strings.TrimSpace(b.String()), err
}
