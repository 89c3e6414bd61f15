package language

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/views"
)

// rendered adds the blocks of the sample pages that the sources did not give.
func rendered(t testing.TB, f *found) {
	t.Helper()
	entries := map[string]string{}
	for k := range f.keys {
		if p, err := compile(k); err == nil && agree(p, p) == nil {
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
	for _, s := range views.Samples(time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)) {
		var page bytes.Buffer
		if err := s.Page.Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		for _, k := range c.Untranslated(page.Bytes()) {
			if !own[k] {
				f.add(k, "sample "+s.Name)
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
