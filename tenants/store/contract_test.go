package store_test

import (
	"strings"
	"testing"
	"time"

	"carillon/migrations"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// contracts: a step that breaks servers of the earlier program waits until none lives; another one
// does not. A program works with a database to which a newer one has added only such steps.
func contracts(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address})
	ctx := t.Context()
	steps := func(expands bool) []migrations.Step {
		return []migrations.Step{{Version: 39, Applied: true, Expands: true}, {Version: 99998, Expands: expands}}
	}
	if err := s.MayContract(ctx, steps(false)); err != nil {
		t.Errorf("without a server: %v", err)
	}
	n := store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: "elm-1", Shared: true}
	if _, err := s.Nodes().Start(ctx, n); err != nil {
		t.Fatal(err)
	}
	if err := s.MayContract(ctx, steps(true)); err != nil {
		t.Errorf("a step that expands, beside a server: %v", err)
	}
	err := s.MayContract(ctx, steps(false))
	if tenants.KindOf(err) != tenants.Conflict || !strings.Contains(err.Error(), "Step 99998") || !strings.Contains(err.Error(), "elm-1") {
		t.Errorf("a step that contracts, beside a server: %v", err)
	}
	if err := s.Nodes().Stop(ctx, n.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.MayContract(ctx, steps(false)); err != nil {
		t.Errorf("after the server: %v", err)
	}

	run(t, "pgx", address, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	run(t, "pgx", address, "INSERT INTO schema_sums (version, sum, expands) VALUES (99999, 'x', true)")
	c := config(t)
	c.URL = address
	older, err := store.Open(ctx, c)
	if err != nil {
		t.Fatalf("beside a newer program's step that expands: %v", err)
	}
	if err := older.Close(); err != nil {
		t.Error(err)
	}
	if n, err := store.Migrate(ctx, c); n != 0 || err != nil {
		t.Errorf("migrate beside it: %d steps, %v", n, err)
	}
}
