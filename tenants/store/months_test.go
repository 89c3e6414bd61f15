package store_test

import (
	"database/sql"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// months: a server whose role may only change rows makes the tables of the next months, and drops
// those that were kept long enough, once their rings have ended. What was removed before is not
// read any more, and goes with its tenant.
func months(t *testing.T, server *storetest.Server) {
	address := server.Migrated(t)
	db, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(db.Path, "/")
	server.Super(t, name, "CREATE ROLE rows_only LOGIN", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rows_only",
		// As after some years: the first table is gone, and two months are old.
		"DROP TABLE facts_first",
		"CREATE TABLE facts_2020_01 PARTITION OF facts FOR VALUES FROM (carillon_first_id('2020-01-01Z')) TO "+
			"(carillon_first_id('2020-02-01Z'))",
		"CREATE TABLE facts_2020_02 PARTITION OF facts FOR VALUES FROM (carillon_first_id('2020-02-01Z')) TO "+
			"(carillon_first_id('2020-03-01Z'))",
		"SELECT carillon_isolation()")
	has := func(want ...string) {
		t.Helper()
		got := columns(t, "pgx", address, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'facts'::regclass")
		for _, w := range want {
			if !slices.Contains(got, strings.TrimPrefix(w, "-")) == !strings.HasPrefix(w, "-") {
				t.Errorf("the tables are %v, want %v", got, want)
			}
		}
	}
	s := storetest.OpenConfig(t, store.Config{URL: server.URL("rows_only", name)})
	if err := s.CheckIsolation(t.Context()); err != nil {
		t.Error(err)
	}
	scope, ctx := oneTenant(t, s), t.Context()
	place := func(at time.Time, ends bool) *tenants.Ring {
		t.Helper()
		r := ring(at, 0)
		due := r.ExpiresAt
		if _, err := scope.Rings().Add(ctx, r, store.Idempotency{}, due); err != nil {
			t.Fatal(err)
		}
		if ends {
			run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); UPDATE rings SET due_at = NULL WHERE id = '"+
				string(r.ID)+"'")
		}
		return r
	}
	// Facts in the first table go with their ring: the table may stay for a year more.
	stored := func(where string, args ...any) int {
		t.Helper()
		rows, err := s.Read(ctx, true, "SELECT COUNT(*) FROM facts WHERE "+where, args...)
		return count(t, rows, err)
	}
	retire := func(now time.Time) {
		t.Helper()
		for n := 1; n > 0; {
			if n, err = s.Jobs().Retire(ctx, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, "pgx", address, "CREATE TABLE facts_first PARTITION OF facts FOR VALUES FROM (MINVALUE) TO (carillon_first_id('2020-01-01Z'));"+
		"SELECT carillon_isolation()")
	december, first := place(time.Date(2019, 12, 15, 0, 0, 0, 0, time.UTC), true), place(time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), true)
	retire(first.CreatedAt.Add(store.RingsKept + time.Hour))
	if old, new := stored("ring_id = ?", string(december.ID)), stored("ring_id = ?", string(first.ID)); old != 0 || new == 0 {
		t.Errorf("%d facts of a ring in the first table are left, and %d of one in the table of a month", old, new)
	}
	january := place(time.Date(2020, 1, 15, 0, 0, 0, 0, time.UTC), true)
	february := place(time.Date(2020, 2, 15, 0, 0, 0, 0, time.UTC), false)
	now := time.Now()
	next := "facts_" + now.UTC().AddDate(0, 0, 1-now.UTC().Day()).AddDate(0, 3, 0).Format("2006_01")
	if err := s.Months().Keep(ctx, now); err != nil {
		t.Fatal(err)
	}
	has("-facts_2020_01", "facts_2020_02", next)
	if r, err := scope.Rings().Get(ctx, february.ID); err != nil || len(r.Facts()) == 0 {
		t.Errorf("a ring that has not ended lost its facts: %v", err)
	}
	if _, err := scope.Rings().Get(ctx, january.ID); err != nil {
		t.Error(err)
	}

	// The rings of February go by rows, and nobody reads their facts, which still are there.
	run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); UPDATE rings SET due_at = NULL WHERE due_at IS NOT NULL")
	retire(february.CreatedAt.Add(store.RingsKept + time.Hour))
	if _, err := scope.Rings().Facts(ctx, february.ID, 0); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("facts of a ring that was removed: %v", err)
	}
	if stored("ring_id = ?", string(february.ID)) == 0 {
		t.Error("the facts of February were deleted row by row")
	}
	// Where its month should be gone and is not, the facts go with their ring.
	late := place(time.Date(2020, 2, 20, 0, 0, 0, 0, time.UTC), true)
	retire(late.CreatedAt.Add(s.RingsMost() + time.Hour))
	if n := stored("ring_id = ?", string(late.ID)); n != 0 {
		t.Errorf("%d facts of a ring whose month stays are left", n)
	}

	// They go with their tenant, and only those of it.
	run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, "+
		"received_at, raw_at, raw_sent_at, detail) VALUES (gen_random_uuid(), carillon_first_id('2020-02-15 00:00:00Z'), "+
		"gen_random_uuid(), 'shown', 0, 0, 0, 0, ''); UPDATE tenants SET state = 'suspended', delete_at = 1")
	all, err := s.Tenants().List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		for gone := false; !gone; {
			if gone, err = s.Jobs().DeleteTenant(ctx, one.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if own, others := stored("ring_id = ?", string(february.ID)), stored("kind = 'shown'"); own != 0 || others != 1 {
		t.Errorf("%d facts of a tenant that was deleted are left, and %d of another one, which had 1", own, others)
	}
	if err := s.Months().Keep(ctx, now); err != nil {
		t.Fatal(err)
	}
	has("-facts_2020_01", "-facts_2020_02", next)

	// A role that may not change facts makes and drops nothing.
	server.Super(t, name, "CREATE ROLE nobody_here LOGIN")
	other := columnsError(t, server.URL("nobody_here", name), "SELECT carillon_drop_fact_months(carillon_first_id(now()))::text")
	if other == nil || !strings.Contains(other.Error(), "42501") {
		t.Errorf("a role without rights: %v", other)
	}
}

// columnsError is what a statement fails with.
func columnsError(t *testing.T, address, query string) error {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got string
	return db.QueryRowContext(t.Context(), query).Scan(&got)
}
