package app

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLed: a loop runs each time on the node that leads, and every few seconds on another one,
// which goes on by itself when it leads.
func TestLed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leads, ran := true, 0
		do := led(func() bool { return leads }, standBy, func(context.Context) error {
			ran++
			return nil
		})
		turns := func(n, want int) {
			t.Helper()
			ran = 0
			for range n {
				if err := do(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			if ran != want {
				t.Errorf("leads is %t, and %d of %d turns ran, want %d", leads, ran, n, want)
			}
		}
		turns(10, 10)
		leads = false
		turns(20, 20/int(standBy/time.Second))
		leads = true
		turns(10, 10)
	})
}

// TestLoops: each background loop stands in the table with a guard, and no loop runs beside the
// table.
func TestLoops(t *testing.T) {
	t.Parallel()
	set := token.NewFileSet()
	table, err := parser.ParseFile(set, "loops.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	guards := map[string]string{} // by name
	ast.Inspect(table, func(x ast.Node) bool {
		row, ok := x.(*ast.CompositeLit)
		if !ok || len(row.Elts) != 4 {
			return true
		}
		name, ok := row.Elts[0].(*ast.BasicLit)
		if !ok || name.Kind != token.STRING {
			return true
		}
		guard, ok := row.Elts[2].(*ast.Ident)
		if !ok || !slices.Contains([]string{"byNode", "byRow", "byTurn"}, guard.Name) {
			t.Errorf("%s: the loop %s has no guard", set.Position(row.Pos()), name.Value)
			return true
		}
		if guards[name.Value] != "" {
			t.Errorf("%s stands in the table twice", name.Value)
		}
		guards[name.Value] = guard.Name
		return true
	})
	// What each part of an installation with several nodes relies on.
	for name, want := range map[string]string{"sweep": "byRow", "roll the tally": "byRow", "mail about alerts": "byRow",
		"send alerts to targets": "byRow", "send weekly mails": "byRow", "write exports": "byRow", "hold pushes": "byNode",
		"read the clock": "byNode", "heartbeat": "byNode", "erase people": "byTurn", "delete tenants": "byTurn",
		"retire old rows": "byTurn", "split tables by month": "byTurn", "empty removed connections": "byTurn",
		"reconcile with Stripe": "byTurn", "report rings to Stripe": "byTurn", "sign audit chains": "byTurn", "read calendars": "byTurn"} {
		if guards[`"`+name+`"`] != want {
			t.Errorf("the loop %s has the guard %q, want %q", name, guards[`"`+name+`"`], want)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || path == "loops.go" {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		ast.Inspect(file, func(x ast.Node) bool {
			if call, ok := x.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "every" {
					runs++
				}
			}
			return true
		})
		if want := map[string]int{"node.go": 1}[path]; runs != want {
			t.Errorf("%s runs %d loops by itself; put them into the table of loops.go", path, runs)
		}
	}
}
