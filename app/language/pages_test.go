package language

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Samples draws the sample pages. The package that draws them needs this one, so a test from
// outside of it gives them.
var Samples func(testing.TB) map[string][]byte

// rendered adds the blocks of the sample pages that the sources did not give.
func rendered(t testing.TB, f *found) {
	t.Helper()
	entries := map[string]string{}
	for k := range f.keys {
		if p, err := compile(k); err == nil && agree(p, p) == nil && (openings[k] != nil || !p.loose()) {
			entries[k] = k
		} else {
			t.Logf("%q: %v", k, err)
		}
	}
	c, err := New("es", entries)
	if err != nil {
		t.Fatal(err)
	}
	own := sampleTexts(t)
	for name, page := range Samples(t) {
		for _, k := range c.Untranslated(page) {
			if !own[k] {
				f.add(k, "sample "+name)
			}
		}
	}
}

// sampleTexts are the texts of made-up data.
func sampleTexts(t testing.TB) map[string]bool {
	t.Helper()
	own := map[string]bool{}
	names, _ := filepath.Glob("../../views/samples*.go")
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, _ := strconv.Unquote(l.Value)
				own[strings.TrimSpace(s)] = true
			}
			return true
		})
	}
	return own
}
