package language

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// sources are the folders whose Go files say something to people on pages and in mails. What is
// for developers stays in English: the API, the command line, the guides, logs, and the operator's
// pages.
var sources = []string{"views", "app/console", "app/site", "app/page", "app/web", "app/health", "app/billing", "tenants", "tenants/store",
	"app/push", "app/switchboard", "app/connections", "app/agents", "app/notify", "app/factor", "app/oidc", "app/sound", "app/outbound"}

// found are the keys that the sources have, each with where.
type found struct {
	keys  map[string]string
	order []string
}

func (f *found) add(key, where string) {
	if _, known := f.keys[key]; !known {
		f.keys[key] = where
		f.order = append(f.order, key)
	}
}

// goTexts collects the sentences of Go files.
func goTexts(t testing.TB, f *found) {
	t.Helper()
	fset := token.NewFileSet()
	type parsed struct {
		name string
		file *ast.File
	}
	var all []parsed
	consts := map[string]string{} // "console.noOtherPhone"
	for _, dir := range sources {
		names, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") || strings.Contains(filepath.Base(name), "samples") ||
				strings.HasPrefix(filepath.Base(name), "storybook") {
				continue
			}
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, parsed{name, file})
			constants(file, consts)
		}
	}
	for _, one := range all {
		r := goReader{found: f, consts: consts, pkg: one.file.Name.Name, where: strings.TrimPrefix(filepath.ToSlash(one.name), "../../")}
		r.words = strings.Contains(r.where, "_words")
		r.strict = r.pkg == "store" || r.pkg == "web" || r.pkg == "notify" || r.pkg == "outbound"
		ast.Walk(r, one.file)
	}
}

// constants notes the string constants of a file.
func constants(file *ast.File, into map[string]string) {
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST && g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, name := range v.Names {
				if i < len(v.Values) {
					if text, ok := literal(v.Values[i]); ok {
						into[file.Name.Name+"."+name.Name] = text
					}
				}
			}
		}
	}
}

// literal is the value of a string literal, or of a sum of them.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		}
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, also := literal(e.Y)
		return a + b, ok && also && e.Op == token.ADD
	}
	return "", false
}

// goReader walks one file.
type goReader struct {
	*found
	consts map[string]string
	pkg    string
	where  string
	words  bool // a file of words: single words count
	strict bool // a package that has few sentences: only refusals count
}

// silent are calls whose texts nobody reads on a page.
var silent = regexp.MustCompile(`^(templruntime\.WriteString|` +
	`errors\.New|fmt\.Errorf|fmt\.Fprintf|panic|regexp\.MustCompile|template\.Must|slog\..*|` +
	`.*\.(Info|Error|Warn|Debug|Log|LogAttrs|Raw|Exec|Where|Order|Select|Joins|Table|Group|Having|Query|QueryRow|Get|Set|GetHeader|` +
	`FormValue|Param|Cookies|Redirect|HasPrefix|HasSuffix|Contains|Cut|CutPrefix|CutSuffix|Split|Index|TrimPrefix|TrimSuffix|Replace|` +
	`ReplaceAll|NewReplacer|EqualFold|Trim|ContainsAny|Parse|New|Start|Header|Add|Locals|Getenv|Format|MustParse|Asset|Path|KV)|` +
	`web\.(Query|Param|Header|Form).*|Header)$`)

func (r goReader) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.Field:
		return nil
	case *ast.CaseClause:
		for _, s := range n.Body {
			ast.Walk(r, s)
		}
		return nil
	case *ast.KeyValueExpr:
		ast.Walk(r, n.Value)
		return nil
	case *ast.IndexExpr:
		return nil
	case *ast.CallExpr:
		return r.call(n)
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			return nil
		}
		if n.Op == token.ADD {
			r.take(n)
			r.inner(n)
			return nil
		}
	case *ast.BasicLit:
		r.take(n)
	}
	return r
}

func (r goReader) call(n *ast.CallExpr) ast.Visitor {
	name := calleeName(n.Fun)
	switch {
	case name == "fmt.Sprintf" || strings.HasSuffix(name, "Plural"):
		r.take(n)
		for _, a := range n.Args[1:] {
			r.inner(a)
		}
		return nil
	case strings.HasSuffix(name, "Refuse") && len(n.Args) >= 3:
		for _, p := range r.format(n.Args[2], n.Args[3:]) {
			r.say(p, true)
		}
		for _, a := range n.Args[3:] {
			r.inner(a)
		}
		return nil
	case strings.HasSuffix(name, "NoSuch") && len(n.Args) == 1:
		for _, p := range r.eval(n.Args[0]) {
			r.say("There is no such "+p+".", true)
		}
		return nil
	case silent.MatchString(name) && !strings.HasPrefix(name, "f.add") && name != "faults.add":
		return nil
	}
	return r
}

// inner walks what stands in the holes of a sentence.
func (r goReader) inner(e ast.Expr) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		r.inner(e.X)
		r.inner(e.Y)
	case *ast.ParenExpr:
		r.inner(e.X)
	case *ast.BasicLit:
	case *ast.CallExpr:
		if name := calleeName(e.Fun); !strings.HasSuffix(name, "Plural") && name != "fmt.Sprintf" {
			ast.Walk(r, e)
		}
	default:
		ast.Walk(r, e)
	}
}

func calleeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
		return "x." + e.Sel.Name
	}
	return ""
}

func (r goReader) take(e ast.Expr) {
	for _, p := range r.eval(e) {
		r.say(p, false)
	}
}

// The marks of holes while a sentence is put together.
const markOf = "\ue000"

func mark(kind string) string { return markOf + kind + markOf }

// eval gives the texts that an expression may be, with marks for what varies.
func (r goReader) eval(e ast.Expr) []string {
	if s, ok := literal(e); ok {
		return []string{s}
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return r.eval(e.X)
	case *ast.BinaryExpr:
		return cross(r.eval(e.X), r.eval(e.Y))
	case *ast.Ident:
		if s, ok := r.consts[r.pkg+"."+e.Name]; ok {
			return []string{s}
		}
		return []string{mark(kindOf(e.Name))}
	case *ast.SelectorExpr:
		name := calleeName(e)
		if s, ok := r.consts[name]; ok {
			return []string{s}
		}
		return []string{mark(kindOf(name))}
	case *ast.CallExpr:
		return r.called(e)
	case *ast.IndexExpr:
		return []string{mark("word")}
	}
	return []string{mark("text")}
}

func (r goReader) called(e *ast.CallExpr) []string {
	name := calleeName(e.Fun)
	base := name[strings.LastIndexByte(name, '.')+1:]
	switch base {
	case "Sprintf":
		if name == "fmt.Sprintf" {
			return r.format(e.Args[0], e.Args[1:])
		}
	case "Plural":
		if len(e.Args) == 3 {
			return append(cross([]string{mark("n") + " "}, r.eval(e.Args[1])), cross([]string{mark("n") + " "}, r.eval(e.Args[2]))...)
		}
	case "string", "TrimSpace", "Shown", "Or":
		if len(e.Args) > 0 {
			return r.eval(e.Args[0])
		}
	}
	return []string{mark(kindOf(base))}
}

// format puts together what a format of fmt gives.
func (r goReader) format(f ast.Expr, args []ast.Expr) []string {
	out := []string{""}
	for _, text := range r.eval(f) {
		list := []string{""}
		rest, i := text, 0
		for {
			at := strings.IndexByte(rest, '%')
			if at < 0 || at+1 >= len(rest) {
				list = cross(list, []string{rest})
				break
			}
			list = cross(list, []string{rest[:at]})
			end := at + 1
			for end < len(rest)-1 && strings.IndexByte("0123456789.+-# ", rest[end]) >= 0 {
				end++
			}
			verb := rest[end]
			rest = rest[end+1:]
			switch {
			case verb == '%':
				list = cross(list, []string{"%"})
				continue
			case strings.IndexByte("dfgeb", verb) >= 0:
				list = cross(list, []string{mark("n")})
			case verb == 'q':
				list = cross(list, []string{`"` + mark("text") + `"`})
			case i < len(args):
				list = cross(list, r.eval(args[i]))
			default:
				list = cross(list, []string{mark("text")})
			}
			i++
		}
		out = append(out, list...)
	}
	return out[1:]
}

func cross(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if len(out) < 32 {
				out = append(out, x+y)
			}
		}
	}
	return out
}

// kindOf guesses from the name of what fills a hole.
func kindOf(name string) string {
	base := name[strings.LastIndexByte(name, '.')+1:]
	switch base {
	case "Count", "Itoa", "Plain", "FormatCount", "FormatInt", "Percent", "n", "Len", "Least", "Most", "FormatFloat", "FormatUint":
		return "n"
	case "Format", "formatMoment", "formatDay", "At", "OnDay", "AtSecond", "Clock", "Date", "Day", "sayTime":
		return "date"
	case "ToLower", "String", "Word", "word", "Title", "words", "Millis", "Money", "Text":
		return "word"
	}
	return "text"
}

// developers lists files that speak to developers and operators only.
var developers = regexp.MustCompile(`^app/billing/(doctor|replay|sync|prices|check)|^app/web/(json|host|listener|body)|` +
	`^tenants/(industry_check|strictjson)|^tenants/store/(export|contract|operators|migrate|doctor)|^app/health/(probe|doctor)|` +
	`^app/page/(common_passwords|guess)|^views/docs|^views/storybook|^app/console/(storybook|analytics_csv)`)

// leftover are the verbs of a format whose arguments are somewhere else.
var leftover = strings.NewReplacer("%d", mark("n"), "%s", mark("text"), "%v", mark("text"), "%q", `"`+mark("text")+`"`, "%%", "%")

var oneWord = regexp.MustCompile(`^[A-Z][a-z’-]+[.?:…]?$`)

// say adds a sentence, if it is one.
func (r goReader) say(s string, sure bool) {
	if strings.ContainsAny(s, "<{") && !sure || developers.MatchString(r.where) {
		return
	}
	s = leftover.Replace(s)
	for _, line := range strings.Split(s, "\n") {
		line = numbered(line)
		if prose(line, r.words, sure, r.strict) {
			r.add(line, r.where)
		}
	}
}

// numbered writes the marks as holes, a second one of a kind with a 2.
func numbered(s string) string {
	count := map[string]int{}
	s = touching.ReplaceAllString(s, mark("text"))
	parts := strings.Split(s, markOf)
	for i := 1; i < len(parts); i += 2 {
		kind := parts[i]
		count[kind]++
		if n := count[kind]; n > 1 {
			kind += strconv.Itoa(n)
		}
		parts[i] = "{" + kind + "}"
	}
	return strings.Join(strings.Fields(strings.Join(parts, "")), " ")
}

var touching = regexp.MustCompile(markOf + `[a-z]+` + markOf + `(?:` + markOf + `[a-z]+` + markOf + `)+`)

var holeMark = regexp.MustCompile(`\{(n|text|word|date)\d?\}`)

// prose tells whether people may read a text.
func prose(s string, words, sure, strict bool) bool {
	bare := holeMark.ReplaceAllString(s, "")
	letters := strings.IndexFunc(bare, unicode.IsLower)
	if letters < 0 || strings.ContainsAny(bare, "\\{}=_|") || strings.Contains(bare, "://") || strings.HasPrefix(bare, "/") ||
		strings.HasPrefix(bare, ".") || strings.HasPrefix(bare, "#") || strings.HasPrefix(bare, "-") && !strings.Contains(bare, " ") {
		return false
	}
	if sure {
		return true
	}
	spaced := strings.Contains(strings.TrimSpace(s), " ")
	if strict {
		return spaced && oneSentence.MatchString(s)
	}
	switch {
	case statement.MatchString(s) || classes(s):
		return false
	case spaced:
		return true
	case strings.Contains(bare, "/") || strings.Contains(bare, "."):
		return oneWord.MatchString(s)
	}
	return oneWord.MatchString(s) || words && !strings.ContainsAny(s, "{}") && unicode.IsUpper([]rune(s)[0])
}

var statement = regexp.MustCompile(`^(SELECT|UPDATE|INSERT|DELETE|WITH|AND|FROM) |^[a-z_]+ (=|<|>|IN|IS) |\b(ASC|DESC)\b`)

// classes tells of the value of a class attribute.
func classes(s string) bool {
	for word := range strings.FieldsSeq(s) {
		if !strings.Contains(sheet(), "."+word) {
			return false
		}
	}
	return true
}

var sheet = sync.OnceValue(func() string {
	a, _ := os.ReadFile("../../static/app.css")
	b, _ := os.ReadFile("../../static/tabler.css")
	return string(a) + string(b)
})

var oneSentence = regexp.MustCompile(`^[A-Z{“].* .*[.?!]$`)

// fileTexts collects what the files of industries say.
func fileTexts(t testing.TB, f *found) {
	t.Helper()
	names, _ := filepath.Glob("../../tenants/industries/*.json")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		jsonTexts(t, f, text, strings.TrimPrefix(filepath.ToSlash(name), "../../"))
	}
}
