package store_test

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// failsLate: PostgreSQL gives up on a group when a read in it fails behind its first row. The write
// before it in the group is done all the same, and only the read fails.
func failsLate(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address})
	id := added(t, s, "t")
	for name, scope := range map[string]*store.Scope{"of nobody": nil, "of a tenant": s.For(id)} {
		release := s.Busy()
		var wait sync.WaitGroup
		wait.Go(func() {
			node := store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: name, Shared: true}
			if _, err := s.Nodes().Start(t.Context(), node); err != nil {
				t.Errorf("%s: the write: %v", name, err)
			}
		})
		until(t, "the write does not wait", func() bool { return s.Stats().Queue == 1 })
		wait.Go(func() {
			if _, err := s.Together(t.Context(), "SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n", scope); err == nil {
				t.Errorf("%s: the read that fails says nothing", name)
			}
		})
		until(t, "the read does not wait", func() bool { return s.Stats().Queue == 2 })
		release()
		wait.Wait()
		found, err := counted(s.Read(t.Context(), false, "SELECT COUNT(*) FROM nodes WHERE name = ?", name))
		if err != nil || found != 1 {
			t.Errorf("%s: the write was answered as done, and there are %d rows, %v", name, found, err)
		}
	}
}

// rowHeld: somebody holds the row of a tenant for longer than PostgreSQL waits. The others in the
// group have their writes, and the tenant has its own once the row is free.
func rowHeld(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address + "&lock_timeout=500"})
	ids := []tenants.TenantID{added(t, s, "a"), added(t, s, "b"), added(t, s, "c"), added(t, s, "d"), added(t, s, "e")}
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	const held = 4 // more than are waited for one after the other
	if _, err := other.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', true)"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[:held] {
		if _, err := other.ExecContext(t.Context(), "SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE", string(id)); err != nil {
			t.Fatal(err)
		}
	}
	write := func() (errs [5]error) {
		release := s.Busy()
		var wait sync.WaitGroup
		for i, id := range ids {
			wait.Go(func() { errs[i] = s.For(id).Audits().Add(t.Context(), "test.note", "", "") })
		}
		until(t, "the writes do not wait", func() bool { return s.Stats().Queue == len(ids) })
		release()
		wait.Wait()
		return errs
	}
	for i, err := range write() {
		if want := i < held; (tenants.KindOf(err) == tenants.Unavailable) != want || !want && err != nil {
			t.Errorf("the write of tenant %d: %v", i, err)
		}
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	for i, err := range write() {
		if err != nil {
			t.Errorf("the write of tenant %d after the row is free: %v", i, err)
		}
	}
}

// added is a new tenant.
func added(t *testing.T, s *store.Store, slug string) tenants.TenantID {
	t.Helper()
	id := tenants.NewID[tenants.TenantID](time.Now())
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: slug, Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// counted reads the one number of a statement.
func counted(rows *sql.Rows, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, rows.Err()
}
