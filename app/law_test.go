package app

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
)

const module = "carillon"

// level holds every package: a package imports only from a lower level. A …test child belongs to
// its parent's level. README and CONTRIBUTING show the same table (TestTheLayerTableIsShown).
var level = map[string]int{
	"": 7, "app": 6,
	"app/dev": 5, "app/bench": 5,
	"app/api": 4, "app/console": 4, "app/site": 4, "app/operator": 4,
	"app/switchboard": 3,
	"app/health":      2, "app/agents": 2, "app/billing": 2, "app/page": 2,
	"app/connections": 2, "app/docs": 2, "views/operator": 2,
	"tenants/store": 1, "app/push": 1, "app/notify": 1, "app/bus": 1, "app/outbound": 1, "app/web": 1, "views": 1, "app/sound": 1,
	"app/oidc": 1, "app/factor": 1,
	"tenants": 0, "tenants/seal": 0, "gateway": 0, "migrations": 0, "static": 0, "app/trace": 0, "app/agents/dialect": 0,
	"app/g722": 0, "app/record": 0, "app/deploy": 0, "app/api/client": 0, "app/language": 0,
}

// beside lists the imports allowed within one level, and why.
var beside = map[[2]string]string{
	{"tenants/seal", "tenants"}: "refusals are tenants.Error everywhere",
}

// dependency is a module outside this one, the packages that own it, and why only they may import
// it.
type dependency struct {
	prefix string
	owners []string
	why    string
}

// dependencies is an allow list: an import that no row covers fails. A package's …test child and
// its tests count as the package; rows with the owner "tests" are for test files only, of any
// package.
var dependencies = []dependency{
	{"gorm.io/", []string{"tenants/store"}, "no row is reached but through a Scope"},
	{"modernc.org/sqlite", []string{"tenants/store", "migrations"}, "the database belongs to the store"},
	{"github.com/jackc/pgx/v5", []string{"tenants/store", "migrations"}, "the database belongs to the store"},
	{"github.com/pressly/goose/v3", []string{"migrations"}, "the schema has one author"},
	{"github.com/sideshow/apns2", []string{"app/push"}, "one package speaks to Apple"},
	{"golang.org/x/net/http2", []string{"app/push"}, "one package speaks HTTP/2"},
	{"software.sslmate.com/src/go-pkcs12", []string{"app/push"}, "credentials are opened in one package"},
	{"github.com/pion/opus", []string{"app/sound"}, "one package decodes what tenants upload"},
	{"github.com/pion/", []string{"gateway"}, "one package carries voice"},
	{"github.com/wneessen/go-mail", []string{"app/notify"}, "one package sends mail"},
	{"golang.org/x/net/idna", []string{"app/notify"}, "mail goes to domains in all languages"},
	{"github.com/stripe/stripe-go/v76", []string{"app/billing"}, "one package speaks to Stripe"},
	{"github.com/gofiber/fiber/v2", []string{"app/web", "app/page", "app/api", "app/console", "app/site", "app/operator"},
		"a fiber.Ctx reuses its strings, so it stays at the edge"},
	{"github.com/valyala/fasthttp", []string{"app/web", "app/api"}, "it is what Fiber is built on"},
	{"github.com/emersion/go-ical", []string{"app/connections"}, "one package reads calendars"},
	{"github.com/teambition/rrule-go", []string{"app/connections"}, "one package reads calendars"},
	{"github.com/a-h/templ", []string{"views", "views/operator", "app/web"}, "pages are drawn in views and buffered in web"},
	{"github.com/alecthomas/kong", []string{"app"}, "the command line is read once"},
	{"github.com/alexedwards/argon2id", []string{"app/page", "app/dev"},
		"passwords are hashed where people sign in and where dev mode makes them"},
	{"github.com/coreos/go-oidc/v3", []string{"app/oidc"}, "one package checks what providers say"},
	{"golang.org/x/oauth2", []string{"app/oidc"}, "one package exchanges codes of providers"},
	{"github.com/go-webauthn/webauthn", []string{"app/factor"}, "passkeys are checked in one package"},
	{"github.com/fxamacker/cbor/v2", []string{"app/factor"}, "factortest answers as an authenticator does"},
	{"github.com/pquerna/otp", []string{"app/factor"}, "second proofs are checked in one package"},
	{"golang.org/x/net/publicsuffix", []string{"app/page"}, "one mail domain has one trial"},
	{"go.opentelemetry.io/", []string{"app/trace"}, "one package decides what leaves in a trace"},
	{"google.golang.org/protobuf", []string{"app/trace"}, "the test collector reads OTLP"},
	{"github.com/prometheus/client_golang", []string{"app"}, "metrics are gathered in one package"},
	{"github.com/nats-io/", []string{"app/bus"}, "one package speaks to other nodes; natstest is a server for tests and dev mode"},
	{"github.com/skip2/go-qrcode", []string{"app/web"}, "one package draws QR codes"},
	{"github.com/andybalholm/brotli", []string{"static"}, "assets are compressed once"},
	{"github.com/coder/websocket", []string{"app/agents"}, "one package speaks WebSocket"},
	{"github.com/standard-webhooks/standard-webhooks", []string{"app/connections"}, "one package signs webhooks"},
	{"github.com/go-json-experiment/json", []string{"app/agents/dialect"}, "fifty frames a second are read without allocating"},
	{"github.com/oapi-codegen/runtime", []string{"app/api/client"}, "the generated calls write parameters with it"},
	{"github.com/modelcontextprotocol/go-sdk", []string{"app/api", "app"}, "/mcp and its bridge for programs that start one"},
	{"github.com/getkin/kin-openapi", []string{"app/docs"}, "one package draws the API file; tests check it against real answers"},
	{"github.com/alecthomas/chroma/v2", []string{"app/docs"}, "one package colours code"},
	{"github.com/yuin/goldmark", []string{"app/docs"}, "one package renders Markdown"},
	{"github.com/chromedp/", []string{"tests"}, "browsers are driven by tests only"},
	{"github.com/prometheus/prometheus", []string{"tests"}, "queries of alerts and dashboards are parsed by tests"},
	{"go.yaml.in/yaml/v3", []string{"tests"}, "the files to deploy are read by tests"},
	{"github.com/zitadel/oidc/v3", []string{"tests"}, "tests sign in through a real provider"},
	{"github.com/go-jose/go-jose/v4", []string{"app/oidc"}, "oidctest signs tokens that lie"},
	{"golang.org/x/text/language", []string{"app/language"}, "what a browser asks for is matched as RFC 4647 says"},
	{"golang.org/x/text/unicode/norm", []string{"app/language"}, "names are composed in one place"},
	{"golang.org/x/net/html", []string{"app/language"}, "one package rewrites pages; tests read them as trees"},
	{"golang.org/x/net/dns/dnsmessage", []string{"tests"}, "tests answer look-ups"},
}

// goroutineOwners lists the packages that may start goroutines (with their …test children).
// Elsewhere a goroutine would have no owner whose Close waits for it.
var goroutineOwners = []string{"", "app", "app/agents", "app/health", "gateway", "tenants/store", "app/push", "app/bus",
	"app/notify", "app/switchboard", "app/web", "app/dev", "app/bench", "app/api/client", "app/connections"}

// file is one parsed Go file of ours.
type file struct {
	name string // slash-separated, from the root
	pkg  string // its folder
	test bool
	ast  *ast.File
}

// parent is the package whose rules hold: a …test child follows its parent's.
func parent(pkg string) string {
	if base := path.Base(pkg); strings.HasSuffix(base, "test") && base != "test" {
		return path.Dir(pkg)
	}
	return pkg
}

// tree parses every Go file of this module. Tests share the answer and may not change it.
func tree(t *testing.T) (files []file, fset *token.FileSet) {
	t.Helper()
	p, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.files) < 20 {
		t.Fatalf("found %d files: this is not the module's root", len(p.files))
	}
	return p.files, p.fset
}

type parsedTree struct {
	files []file
	fset  *token.FileSet
}

// parsed parses the tree once for all tests.
var parsed = sync.OnceValues(func() (parsedTree, error) {
	p := parsedTree{fset: token.NewFileSet()}
	root, err := filepath.Abs("..")
	if err != nil {
		return p, err
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(p.fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		pkg := path.Dir(rel)
		if pkg == "." {
			pkg = ""
		}
		if !tool(f) {
			p.files = append(p.files, file{name: rel, pkg: pkg, test: strings.HasSuffix(rel, "_test.go"), ast: f})
		}
		return nil
	})
	return p, err
})

// tool reports whether the file is a program run by go generate, outside every package.
func tool(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:build ignore") {
				return true
			}
		}
	}
	return false
}

func imports(f file) []string {
	var list []string
	for _, i := range f.ast.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		list = append(list, p)
	}
	return list
}

func TestPackagesImportOnlyFromALowerLevel(t *testing.T) {
	t.Parallel()
	files, _ := tree(t)
	for _, f := range files {
		from := parent(f.pkg)
		high, ok := level[from]
		if !ok {
			t.Errorf("%s: package %q has no level; add it to level above", f.name, f.pkg)
			continue
		}
		for _, p := range imports(f) {
			rel, ours := strings.CutPrefix(p, module+"/")
			if !ours {
				continue
			}
			if err := below(f, high, rel); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		}
	}
}

func below(f file, high int, to string) error {
	from, dest := parent(f.pkg), parent(to)
	low, ok := level[dest]
	switch {
	case !ok:
		return fmt.Errorf("imports %s, which has no level", to)
	case dest == from:
		if strings.HasSuffix(path.Base(to), "test") && !f.test && f.pkg == from {
			return fmt.Errorf("production code imports its own test double %s", to)
		}
		return nil
	case dest != to && !f.test && high < 5 && !strings.HasSuffix(path.Base(f.pkg), "test"):
		return fmt.Errorf("production code below dev and bench imports the test double %s", to)
	case low < high:
		return nil
	case beside[[2]string{from, dest}] != "":
		return nil
	case f.test:
		return nil // a test may reach up; the binary may not
	}
	return fmt.Errorf("level %d imports %s of level %d; a package imports only from a lower level, so that each can "+
		"be read and tested without the ones above it", high, to, low)
}

func TestDependenciesHaveOwners(t *testing.T) {
	t.Parallel()
	files, _ := tree(t)
	for _, f := range files {
		for _, p := range imports(f) {
			if first, _, _ := strings.Cut(p, "/"); !strings.Contains(first, ".") {
				continue // the standard library and this module
			}
			if err := allowed(f, p); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		}
	}
}

func allowed(f file, imported string) error {
	for _, d := range dependencies {
		if !strings.HasPrefix(imported, d.prefix) {
			continue
		}
		if f.test || slices.Contains(d.owners, parent(f.pkg)) {
			return nil
		}
		return fmt.Errorf("imports %s, which only %s may: %s", imported, strings.Join(d.owners, ", "), d.why)
	}
	return fmt.Errorf("imports %s, which is not in dependencies; add a row that says who owns it and why", imported)
}

func TestTheDomainUsesOnlyTheStandardLibrary(t *testing.T) {
	t.Parallel()
	files, _ := tree(t)
	for _, f := range files {
		if f.pkg != "tenants" || f.test {
			continue
		}
		for _, p := range imports(f) {
			first, _, _ := strings.Cut(p, "/")
			if strings.Contains(first, ".") || first == module || p == "net/http" || strings.HasPrefix(p, "database/") {
				t.Errorf("%s imports %s; rules and nouns do no I/O and depend on nothing", f.name, p)
			}
		}
	}
}

func TestOnlyOwnersStartGoroutines(t *testing.T) {
	t.Parallel()
	files, fset := tree(t)
	for _, f := range files {
		if f.test || slices.Contains(goroutineOwners, parent(f.pkg)) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if starts := startsGoroutine(n); starts != "" {
				t.Errorf("%s: %s outside %s; each goroutine needs an owner whose Close waits for it",
					fset.Position(n.Pos()), starts, strings.Join(goroutineOwners[1:], ", "))
			}
			return true
		})
	}
}

// startsGoroutine names what starts a goroutine at n: a go statement, WaitGroup.Go or errgroup's
// Go, time.AfterFunc or context.AfterFunc.
func startsGoroutine(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Go" || f.Sel.Name == "AfterFunc") {
			return "a call of " + f.Sel.Name
		}
	}
	return ""
}

func TestNoInitAndOnePackageComment(t *testing.T) {
	t.Parallel()
	files, fset := tree(t)
	comments := map[string][]string{}
	for _, f := range files {
		if f.test {
			continue
		}
		if _, ok := comments[f.pkg]; !ok {
			comments[f.pkg] = nil
		}
		if f.ast.Doc != nil && !strings.HasSuffix(f.name, "_templ.go") { // the generator's remark is no package comment
			comments[f.pkg] = append(comments[f.pkg], f.name)
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: init() runs before anyone asked; wire it in app", fset.Position(fn.Pos()))
			}
		}
	}
	for pkg, names := range comments {
		if len(names) != 1 {
			t.Errorf("package %q has %d package comments (%s), want one that says what it does and where to start", pkg,
				len(names), strings.Join(names, ", "))
		}
	}
}

func TestMainIsShort(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n >= 30 {
		t.Errorf("main.go has %d lines; under 30, everything else is app.Run's", n)
	}
}

// mostMethods is how many methods one type may have. One with more holds several things.
const mostMethods = 60

func TestNoReceiverHoldsEverything(t *testing.T) {
	t.Parallel()
	files, _ := tree(t)
	count := map[string]int{}
	for _, f := range files {
		if f.test || parent(f.pkg) != f.pkg || ast.IsGenerated(f.ast) { // a stand-in or a client has as many as the service
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				of := fn.Recv.List[0].Type
				if p, ok := of.(*ast.StarExpr); ok {
					of = p.X
				}
				if id, ok := of.(*ast.Ident); ok {
					count[f.pkg+"."+id.Name]++
				}
			}
		}
	}
	for name, n := range count {
		if n > mostMethods {
			t.Errorf("%s has %d methods, the most is %d: give a group of them a type of its own", name, n, mostMethods)
		}
	}
}

// handlersWithSentences are files that still hold some.
var handlersWithSentences = map[string]bool{"console/agents.go": true}

// TestHandlersHoldNoSentence: what people read lives in views or in files of words beside the
// handlers, where someone who does not write Go can review it.
func TestHandlersHoldNoSentence(t *testing.T) {
	for _, dir := range []string{"console", "site", "operator"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, path := range files {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			path = filepath.ToSlash(path)
			if strings.HasSuffix(path, "_test.go") || handlersWithSentences[path] || !strings.Contains(string(source), "*fiber.Ctx") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if text, err := strconv.Unquote(l.Value); err == nil && isSentence(text) {
						t.Errorf("%s: %q belongs into a file of words", set.Position(l.Pos()), text)
					}
				}
				return true
			})
		}
	}
}

// isSentence reports that a text has four words or more, of one line, and begins or ends as a
// sentence does.
func isSentence(s string) bool {
	words := strings.Fields(s)
	return len(words) >= 4 && !strings.Contains(s, "\n") && (unicode.IsUpper([]rune(words[0])[0]) || strings.HasSuffix(s, "."))
}
