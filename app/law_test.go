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
	"testing"
)

const module = "carillon"

// level is the house: a package imports only from a lower level. A …test child stands where its parent does.
var level = map[string]int{
	"": 7, "app": 6,
	"app/dev": 5, "app/bench": 5,
	"app/api": 4, "app/console": 4,
	"app/switchboard": 3,
	"app/agents":      2, "app/billing": 2,
	"tenants/store": 1, "app/push": 1, "app/notify": 1, "app/bus": 1, "app/web": 1, "views": 1,
	"tenants": 0, "tenants/seal": 0, "gateway": 0, "migrations": 0, "static": 0, "app/trace": 0,
}

// beside lists the imports allowed within one level, and why.
var beside = map[[2]string]string{
	{"tenants/seal", "tenants"}: "refusals are tenants.Error everywhere",
}

// doors: each big dependency enters by one place, so that it can be changed, or its traps guarded against, in that place alone.
var doors = map[string]struct {
	in  []string
	why string
}{
	"gorm.io/":                   {[]string{"tenants/store"}, "tenancy: no row is reached but through Scope"},
	"modernc.org/sqlite":         {[]string{"tenants/store", "migrations"}, "the database belongs to the store"},
	"github.com/jackc/":          {[]string{"tenants/store", "migrations"}, "the database belongs to the store"},
	"github.com/pressly/":        {[]string{"migrations"}, "the schema has one author"},
	"github.com/sideshow/apns2":  {[]string{"app/push"}, "one place speaks to Apple"},
	"github.com/pion/":           {[]string{"gateway"}, "one place carries voice"},
	"github.com/wneessen/":       {[]string{"app/notify"}, "one place sends mail"},
	"github.com/stripe/":         {[]string{"app/billing"}, "one place speaks to Stripe"},
	"github.com/gofiber/":        {[]string{"app/web", "app/api", "app/console"}, "a fiber.Ctx reuses its strings; it stays at the edge"},
	"github.com/valyala/":        {[]string{"app/web", "app/api", "app/console"}, "as Fiber"},
	"github.com/a-h/templ":       {[]string{"views", "app/web"}, "pages are drawn in views and buffered in web"},
	"github.com/alecthomas/kong": {[]string{"app"}, "the command line is read once"},
	"github.com/getkin/":         {[]string{"app/api"}, "the contract is checked where it is served"},
	"github.com/chromedp/":       {[]string{"app"}, "browsers are driven by end-to-end tests only"},
	"software.sslmate.com/":      {[]string{"app/push"}, "credentials are opened in one place"},
	"github.com/golang-jwt/":     {[]string{"app/push"}, "provider tokens are made in one place"},
	"github.com/alexedwards/":    {[]string{"app/console", "app/dev"}, "passwords are hashed where people sign in and where dev mode seeds them"},
	"go.opentelemetry.io/":       {[]string{"app/trace"}, "one place says what may leave in a trace"},
	"github.com/prometheus/":     {[]string{"app"}, "metrics are gathered in one place"},
	"github.com/skip2/go-qrcode": {[]string{"app/web"}, "one way to draw a code"},
	"github.com/andybalholm/":    {[]string{"static"}, "assets are compressed once"},
	"golang.org/x/net/http2":     {[]string{"app/push"}, "one place speaks HTTP/2"},
}

// mayGo lists the packages that may write a go statement (and their …test children); elsewhere a goroutine would have no owner.
var mayGo = []string{"app", "app/agents", "gateway", "tenants/store", "app/push", "app/bus", "app/notify", "app/switchboard", "app/web", "app/dev", "app/bench"}

// file is one parsed Go file of ours.
type file struct {
	name string // slash-separated, from the root
	pkg  string // its folder
	test bool
	ast  *ast.File
}

// parent is the room a package belongs to: a …test child or a data folder stands with its parent.
func parent(pkg string) string {
	if base := path.Base(pkg); strings.HasSuffix(base, "test") && base != "test" {
		return path.Dir(pkg)
	}
	return pkg
}

func house(t *testing.T) (files []file, fset *token.FileSet) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	fset = token.NewFileSet()
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
		tree, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
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
		if !tool(tree) {
			files = append(files, file{name: rel, pkg: pkg, test: strings.HasSuffix(rel, "_test.go"), ast: tree})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d files: this is not the house", len(files))
	}
	return files, fset
}

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
	files, _ := house(t)
	for _, f := range files {
		from := parent(f.pkg)
		high, ok := level[from]
		if !ok {
			t.Errorf("%s: package %q has no level; the house is in level above", f.name, f.pkg)
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
	return fmt.Errorf("level %d imports %s of level %d; a package imports only from a lower level, so that each can be read and tested without what stands on it", high, to, low)
}

func TestBigDependenciesEnterByOneDoor(t *testing.T) {
	t.Parallel()
	files, _ := house(t)
	for _, f := range files {
		for _, p := range imports(f) {
			for prefix, d := range doors {
				if strings.HasPrefix(p, prefix) && !slices.Contains(d.in, parent(f.pkg)) && !f.test {
					t.Errorf("%s imports %s, which enters by %s only: %s", f.name, p, strings.Join(d.in, ", "), d.why)
				}
			}
		}
	}
}

func TestTheDomainStandsOnTheStandardLibrary(t *testing.T) {
	t.Parallel()
	files, _ := house(t)
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
	files, fset := house(t)
	for _, f := range files {
		if f.test || slices.Contains(mayGo, parent(f.pkg)) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a go statement outside %s; each goroutine needs an owner whose Close waits for it", fset.Position(g.Pos()), strings.Join(mayGo, ", "))
			}
			return true
		})
	}
}

func TestNoInitAndOnePackageComment(t *testing.T) {
	t.Parallel()
	files, fset := house(t)
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
			t.Errorf("package %q has %d package comments (%s), want one that says what it does and where to start", pkg, len(names), strings.Join(names, ", "))
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
