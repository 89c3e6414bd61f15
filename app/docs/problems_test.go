package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// made are codes that the source puts together from parts, so that no literal has them.
var made = []string{"too_many_answers", "too_many_restarts", "too_many_fragments", "connections_full", "memory_full", "disk_full",
	"too_many_connections"}

// without are folders whose code answers nobody.
var without = []string{"bench", "docs", "node_modules", "testdata"}

// TestEveryCodeHasItsSection compares the table with the codes in the source, both ways.
func TestEveryCodeHasItsSection(t *testing.T) {
	t.Parallel()
	used := codes(t)
	for _, code := range made {
		used[code] = "made of parts"
	}
	if len(used) < 120 {
		t.Fatalf("found %d codes: the search is wrong", len(used))
	}
	for code, at := range used {
		if !Known(code) {
			t.Errorf("%s: the code %q has no section; add it to problems", at, code)
		}
	}
	seen := map[string]bool{}
	for _, code := range Codes() {
		if used[code] == "" {
			t.Errorf("the section %q is about a code that nothing answers", code)
		}
		if seen[code] {
			t.Errorf("the section %q is there twice", code)
		}
		seen[code] = true
	}
}

// TestSectionsSayCauseAndCure checks the form of the table.
func TestSectionsSayCauseAndCure(t *testing.T) {
	t.Parallel()
	for _, g := range problems {
		for _, p := range g.list {
			for _, status := range strings.FieldsFunc(p.status, func(r rune) bool { return r < '0' || r > '9' }) {
				if n, err := strconv.Atoi(status); err != nil || n < 400 || n > 599 {
					t.Errorf("%s: the status %q", p.code, p.status)
				}
			}
			if !strings.HasSuffix(p.cause, ".") || !strings.HasSuffix(p.cure, ".") || p.status == "" {
				t.Errorf("%s: cause and cure are sentences", p.code)
			}
		}
	}
}

// codes finds the codes in the source: arguments of Refuse, Admit and the like, and the field Code
// of errors and bounds.
func codes(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || strings.HasSuffix(base, "test") || slices.Contains(without, base)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || strings.HasSuffix(base, "_templ.go") ||
			strings.HasPrefix(base, "samples") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, code := range codesOf(file.Name.Name, n) {
				found[code] = strings.TrimPrefix(name, root+"/")
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// takesCode says which argument of a function is a code.
var takesCode = map[string]int{"Refuse": 1, "Admit": 1, "refuseHead": 0, "grow": 0, "over": 0}

// codesOf lists the codes that a node of a package names by itself.
func codesOf(pkg string, n ast.Node) (list []string) {
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if code, err := strconv.Unquote(lit.Value); err == nil && code != "" {
				list = append(list, code)
			}
		}
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if i, ok := takesCode[name]; ok && len(n.Args) > i {
			add(n.Args[i])
		}
	case *ast.CompositeLit:
		switch kind := typeName(n.Type); kind {
		case "Error", "Cap", "SlotBounds":
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
						add(kv.Value)
					}
				}
			}
		case "verdict":
			if len(n.Elts) == 3 {
				add(n.Elts[1])
			}
		}
		if m, ok := n.Type.(*ast.MapType); ok && typeName(m.Value) == "verdict" {
			for _, e := range n.Elts {
				if row, ok := e.(*ast.KeyValueExpr).Value.(*ast.CompositeLit); ok && len(row.Elts) == 3 {
					add(row.Elts[1])
				}
			}
		}
	case *ast.ValueSpec: // the gateway's refusals, and codes with a name
		if pkg == "gateway" && typeName(n.Type) == "Refusal" || len(n.Names) == 1 && strings.HasPrefix(n.Names[0].Name, "code") {
			for _, v := range n.Values {
				add(v)
			}
		}
	}
	return list
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
