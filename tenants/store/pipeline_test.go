package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestMayBeCommitted: only where the answer to a COMMIT that was sent did not come is it open
// whether it was done.
func TestMayBeCommitted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		atCommit bool
		want     bool
	}{
		"a statement is refused":       {err: &pgconn.PgError{Code: "23505"}},
		"the server ends before it":    {err: &pgconn.PgError{Severity: "FATAL", Code: "57P01"}},
		"it has waited for too long":   {err: &pgconn.PgError{Severity: "FATAL", Code: "25P03"}},
		"the server ends at it":        {err: &pgconn.PgError{Severity: "FATAL", Code: "57P01"}, atCommit: true, want: true},
		"a pool loses the server":      {err: &pgconn.PgError{Severity: "FATAL", Code: "08P01"}, want: true},
		"a pool loses it, wrapped":     {err: fmt.Errorf("x: %w", &pgconn.PgError{Code: "08006"}), want: true},
		"the COMMIT is refused":        {err: &pgconn.PgError{Code: "40001"}, atCommit: true, want: true},
		"a value cannot be sent":       {err: pgx.ErrPreprocessingBatch{}},
		"the connection breaks":        {err: io.ErrUnexpectedEOF, want: true},
		"it breaks before the COMMIT":  {err: io.ErrUnexpectedEOF, atCommit: true, want: true},
		"a fault of a statement, said": {err: fmt.Errorf("x: %w", &pgconn.PgError{Code: "22021"})},
	} {
		if got := store.MayBeCommitted(c.err, c.atCommit); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// joins: what comes while a group waits for another node shares its commit, and changes that start
// from hints are written together: each as if it were alone.
func joins(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address + "&lock_timeout=60000"}) // also on a busy machine
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	must(s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}))
	scope := s.For(id)
	var rings []*tenants.Ring
	for i := range 4 {
		rings = append(rings, ring(now, i+1))
		_, err := scope.Rings().Add(t.Context(), rings[i], store.Idempotency{}, rings[i].ExpiresAt)
		must(err)
	}
	sent := func(r *tenants.Ring, hint *tenants.Ring) error {
		_, facts, err := scope.Patient().Fenced().Rings().Change(t.Context(), r.ID, hint, r.ExpiresAt,
			func(r *tenants.Ring) ([]tenants.Fact, error) {
				if len(r.Attempts) > 1 {
					return nil, errors.New("a change that fails")
				}
				p := &r.Attempts[0]
				p.Push.Tries++
				return r.Fold(tenants.Fact{Attempt: p.ID, Kind: tenants.FactSent, At: now, Received: now}), nil
			})
		if err == nil && (len(facts) != 1 || facts[0].Seq == 0) {
			err = fmt.Errorf("the facts are %+v", facts)
		}
		return err
	}
	stale := *rings[2] // another node has changed the ring since
	stale.Version = 7
	failing := *rings[3]
	failing.Attempts = append(failing.Attempts, tenants.Attempt{ID: tenants.NewID[tenants.AttemptID](now)})

	db, err := sql.Open("pgx", address)
	must(err)
	defer db.Close()
	other, err := db.BeginTx(t.Context(), nil)
	must(err)
	defer other.Rollback()
	_, err = other.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', true)")
	must(err)
	_, err = other.ExecContext(t.Context(), "SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE", string(id))
	must(err)
	before := s.Stats()
	var wait sync.WaitGroup
	note := func() {
		wait.Go(func() {
			if err := scope.Audits().Add(t.Context(), "ring.note", tenants.NewRandomID(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	note()
	until(t, "the first write does not wait for the other node", func() bool {
		waits := 0
		err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND "+
			"wait_event_type = 'Lock'").Scan(&waits)
		return err == nil && waits > 0
	})
	for range 3 {
		note()
	}
	for i, hint := range []*tenants.Ring{rings[0], rings[1], &stale, &failing} {
		wait.Go(func() {
			if err := sent(rings[i], hint); err != nil {
				t.Errorf("ring %d: %v", i, err)
			}
		})
	}
	until(t, "the others do not come", func() bool { return s.Stats().Queue == 7 })
	must(other.Rollback())
	wait.Wait()
	if after := s.Stats(); after.Commits-before.Commits != 1 || after.Writes-before.Writes != 8 {
		t.Errorf("%d writes in %d commits", after.Writes-before.Writes, after.Commits-before.Commits)
	}
	for i, r := range rings {
		got, err := scope.Rings().Get(t.Context(), r.ID)
		must(err)
		if a := got.Attempts[0]; got.Version != 2 || a.Push.Tries != 1 || len(a.Facts) != 2 || a.Facts[1].Kind != tenants.FactSent {
			t.Errorf("ring %d is %+v", i, got)
		}
	}
	list, _, err := scope.Audits().List(t.Context(), store.AuditQuery{Action: "ring.note"})
	if err != nil || len(list) != 4 || list[0].Seq != list[3].Seq+3 {
		t.Errorf("the audit log has %+v, %v", list, err)
	}
}

// badID: a write for a tenant whose id is no UUID fails alone, also where it shares a commit.
func badID(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address})
	id := tenants.NewID[tenants.TenantID](time.Now())
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	release := s.Busy()
	defer release()
	before := s.Stats()
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := s.For(id).Audits().Add(t.Context(), "test.note", "", ""); err != nil {
			t.Errorf("the good write: %v", err)
		}
	})
	wait.Go(func() {
		if err := s.For("no-uuid").Audits().Add(t.Context(), "test.note", "", ""); tenants.KindOf(err) != tenants.Unknown {
			t.Errorf("the write for no tenant: %v", err)
		}
	})
	until(t, "the writes do not wait", func() bool { return s.Stats().Queue == 2 })
	release()
	wait.Wait()
	if after := s.Stats(); after.Commits-before.Commits != 2 || after.Writes-before.Writes != 3 {
		t.Errorf("%d writes in %d commits", after.Writes-before.Writes, after.Commits-before.Commits)
	}
	list, _, err := s.For(id).Audits().List(t.Context(), store.AuditQuery{Action: "test."})
	if err != nil || len(list) != 1 {
		t.Errorf("the audit log has %+v, %v", list, err)
	}
}

// until waits for something.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(what)
		}
	}
}
