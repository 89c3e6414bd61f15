package store_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// moved: a sample of everything arrives in PostgreSQL as it was, its audit chains go on there, and
// numbers are not given twice. An interruption leaves an empty target, and a full one is refused.
func moved(t *testing.T, server *storetest.Server) {
	c := config(t)
	scopes := storetest.Sample(t, c)
	address := server.Database(t)
	broken, cancel := context.WithCancel(t.Context())
	err := store.Move(broken, c.Dir, address, func(m store.Moved) {
		if m.Table == "rings" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Nothing was copied") {
		t.Fatalf("interrupted: %v", err)
	}
	copied := map[string]int64{}
	if err := store.Move(t.Context(), c.Dir, address, func(m store.Moved) {
		if m.Sum != "" {
			copied[m.Table] = m.Rows
		}
	}); err != nil {
		t.Fatal(err)
	}
	if copied["rings"] < 3 || copied["audits"] == 0 || copied["recording_chunks"] == 0 || len(copied) < 60 {
		t.Errorf("copied %v", copied)
	}
	err = store.Move(t.Context(), c.Dir, address, func(store.Moved) {})
	if err == nil || !strings.Contains(err.Error(), "the target is not empty: it has rows already, in ") {
		t.Errorf("a second copy: %v", err)
	}
	c.URL = address
	s := storetest.OpenConfig(t, c)
	if err := errors.Join(s.Ready(t.Context()), s.CheckIsolation(t.Context())); err != nil {
		t.Error(err)
	}
	key, err := s.AuditKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, was := range scopes {
		tenant, err := was.Tenant(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		here := s.For(tenant.ID)
		before, err := here.Audits().Verify(t.Context(), key, nil)
		if err != nil || before.Fault != nil || before.Rows == 0 {
			t.Errorf("the audit chain: %+v %v", before, err)
		}
		if err := here.Audits().Add(t.Context(), "test.note", "", ""); err != nil {
			t.Fatal(err)
		}
		after, err := here.Audits().Verify(t.Context(), key, nil)
		if err != nil || after.Fault != nil || after.Last != before.Last+1 {
			t.Errorf("the audit chain goes on: %+v, then %+v %v", before, after, err)
		}
		r := ring(time.Now(), 0)
		if _, err := here.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Errorf("a new ring: %v", err)
		}
	}
	if err := s.Operators().Record(t.Context(), store.Who{Actor: tenants.System}, "test.note", "", "", "", false); err != nil {
		t.Error(err)
	}
	if _, fault, err := s.Operators().VerifyAudits(t.Context()); fault != nil || err != nil {
		t.Errorf("the operators' chain: %v %v", fault, err)
	}
	if _, err := s.Jobs().Roll(t.Context(), 1000); err != nil {
		t.Error(err)
	}
}

// movedBadly: what PostgreSQL does not take is named, and a database of something else is refused.
func movedBadly(t *testing.T, server *storetest.Server) {
	c := config(t)
	storetest.Sample(t, c)
	other := server.Database(t)
	run(t, "pgx", other, "CREATE TABLE theirs (n INT)")
	if err := store.Move(t.Context(), c.Dir, other, func(store.Moved) {}); err == nil || !strings.Contains(err.Error(), "not Carillon's") {
		t.Errorf("a database of something else: %v", err)
	}
	address := "file:" + filepath.Join(c.Dir, "carillon.db") + "?_pragma=busy_timeout(5000)"
	run(t, "sqlite", address, "UPDATE devices SET name = CAST(x'ff41' AS TEXT)")
	target := server.Database(t)
	err := store.Move(t.Context(), c.Dir, target, func(store.Moved) {})
	if err == nil || !strings.Contains(err.Error(), "devices: row ") || !strings.Contains(err.Error(), "column name") {
		t.Errorf("a text that is not UTF-8: %v", err)
	}
	db, err := sql.Open("pgx", target)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM users").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("what is left of it: %d %v", rows, err)
	}
}
