package store_test

import (
	"database/sql"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// oldRingMonths makes the tables of two months of 2020 and takes the first ones away, as after some
// years.
const oldRingMonths = `DO $$
DECLARE
	t record;
	m integer;
BEGIN
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n DESC LOOP
		EXECUTE format('DROP TABLE %I', t.name || '_first');
	END LOOP;
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
		FOR m IN 1..2 LOOP
			EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', t.name || '_2020_0' || m, t.name,
				carillon_first_id(make_date(2020, m, 1)), carillon_first_id(make_date(2020, m + 1, 1)));
			EXECUTE format('ALTER TABLE %I OWNER TO %I', t.name || '_2020_0' || m,
				(SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = 'rings'));
			IF t.parent <> '' THEN
				EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, ring_id) REFERENCES %I (tenant_id, %I) ON DELETE CASCADE',
					t.name || '_2020_0' || m, t.parent || '_2020_0' || m, t.parent_key);
			END IF;
		END LOOP;
	END LOOP;
	PERFORM carillon_isolation();
END
$$`

// ringMonths: a server whose role may only change rows makes the tables of the next months, and
// drops those whose last ring was kept long enough, with the rings in them. A ring of a tenant with
// a shorter rule goes row by row, on its day, and one that has not ended keeps its month.
func ringMonths(t *testing.T, server *storetest.Server) {
	address := server.Migrated(t)
	db, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(db.Path, "/")
	if apart := columns(t, "pgx", address, "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND (confrelid = "+
		"'rings'::regclass OR confrelid = 'rings_first'::regclass AND conrelid::regclass::text NOT IN (SELECT name || '_first' FROM "+
		"carillon_ring_tables()))"); len(apart) > 0 {
		t.Errorf("%v refer to rings and are not split by month: see CONTRIBUTING.md", apart)
	}
	server.Super(t, name, "SET timezone = 'UTC'", "CREATE ROLE rings_only LOGIN",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rings_only", oldRingMonths)
	s, ctx := storetest.OpenConfig(t, store.Config{URL: server.URL("rings_only", name)}), t.Context()
	if err := s.CheckIsolation(ctx); err != nil {
		t.Error(err)
	}
	tables := func(want ...string) {
		t.Helper()
		got := columns(t, "pgx", address, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN ('rings'::regclass, "+
			"'attempts'::regclass, 'recording_chunks'::regclass)")
		for _, w := range want {
			for _, table := range []string{"rings_", "attempts_", "recording_chunks_"} {
				if is := slices.Contains(got, table+strings.TrimPrefix(w, "-")); is == strings.HasPrefix(w, "-") {
					t.Errorf("%s: the tables are %v", w, got)
				}
			}
		}
	}
	place := func(scope *store.Scope, at time.Time, ends bool) tenants.RingID {
		t.Helper()
		r := ring(at, 1)
		if _, err := scope.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
		if ends {
			run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); UPDATE rings SET due_at = NULL WHERE id = '"+
				string(r.ID)+"'")
		}
		return r.ID
	}
	gone := func(scope *store.Scope, id tenants.RingID) bool {
		t.Helper()
		r, err := scope.Rings().Get(ctx, id)
		if err != nil && tenants.KindOf(err) != tenants.Unknown || err == nil && len(r.Attempts) != 1 {
			t.Errorf("%v, %v", r, err)
		}
		return err != nil
	}
	retire := func(now time.Time) {
		t.Helper()
		for n := 1; n > 0; {
			if n, err = s.Jobs().Retire(ctx, now); err != nil {
				t.Fatal(err)
			}
		}
	}

	now := time.Now()
	scope, id := oneTenant(t, s), tenants.NewID[tenants.TenantID](now)
	if err := s.Tenants().Add(ctx, store.Who{}, tenants.Tenant{ID: id, Slug: "strict", Name: "S", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	strict := s.For(id)
	if err := strict.SetRules(ctx, func(r *tenants.RuleChanges) { r.Keep(tenants.DataRings, 30) }); err != nil {
		t.Fatal(err)
	}
	january := place(scope, time.Date(2020, 1, 15, 0, 0, 0, 0, time.UTC), true)
	place(scope, time.Date(2020, 1, 20, 0, 0, 0, 0, time.UTC), true)
	february := place(scope, time.Date(2020, 2, 15, 0, 0, 0, 0, time.UTC), false)
	left := place(scope, time.Date(2020, 2, 20, 0, 0, 0, 0, time.UTC), true)
	ruled := place(strict, time.Date(2020, 2, 15, 0, 0, 0, 0, time.UTC), true)
	place(strict, time.Date(2020, 1, 15, 0, 0, 0, 0, time.UTC), true)
	ahead := now.UTC().AddDate(0, 0, 1-now.UTC().Day()).AddDate(0, 3, 0).Format("2006_01")
	keep := func(now time.Time) {
		t.Helper()
		if err := s.Months().Keep(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	removals := func(scope *store.Scope, want ...string) {
		t.Helper()
		audits, _, err := scope.Audits().List(ctx, store.AuditQuery{Action: "retention.remove"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range audits {
			got = append(got, a.Target+": "+a.Detail)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the audit log says %q, want %q", got, want)
		}
	}
	until := time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC).Add(store.RingsKept) // the last ring of January
	keep(until.Add(-time.Hour))
	retire(until.Add(-time.Hour))
	tables("2020_01", "2020_02", ahead)
	if gone(scope, january) || gone(scope, february) || !gone(strict, ruled) {
		t.Error("a ring went before its month, or stayed in spite of its tenant's shorter rule")
	}
	removals(scope)
	removals(strict, ": 2 rings")

	// A drop that cannot have its lock is made good later, and the audit log counts its rings once.
	held := holdTable(t, address, "texts")
	if err := s.Months().Keep(ctx, until); err == nil {
		t.Error("a table was dropped while somebody read it")
	}
	held()
	tables("2020_01")
	removals(scope, "2020-01: 2 rings")
	keep(until)
	tables("-2020_01", "2020_02")
	if !gone(scope, january) || gone(scope, february) || gone(scope, left) {
		t.Error("a ring of January is left, or one of February is gone")
	}
	removals(scope, "2020-01: 2 rings")

	// A ring that has not ended keeps its month. The others there go row by row when the month
	// should be gone.
	keep(now)
	if got := columns(t, "pgx", address, "SELECT carillon_drop_ring_month('2020_02') || carillon_drop_ring_month('first') || "+
		"carillon_drop_ring_month('"+ahead+"')"); got[0] != "" {
		t.Errorf("%s was dropped", got[0])
	}
	retire(time.Date(2020, 2, 20, 0, 0, 0, 0, time.UTC).Add(s.RingsMost() - time.Hour))
	if gone(scope, left) {
		t.Error("a ring went row by row before its month could go")
	}
	retire(now)
	if !gone(scope, left) || gone(scope, february) {
		t.Error("a ring whose month stays is left, or one that has not ended is gone")
	}
	removals(scope, ": 1 ring", "2020-01: 2 rings")
	tables("2020_02")

	// A ring lands in the table of its month.
	next := now.UTC().AddDate(0, 0, 1-now.UTC().Day()).AddDate(0, 2, 0)
	placed := place(scope, next, true)
	if n := len(columns(t, "pgx", address, "SELECT a.id::text FROM (SELECT set_config('app.tenant', '*', false)) x, attempts_"+
		next.Format("2006_01")+" a WHERE a.ring_id = '"+string(placed)+"'")); n != 1 {
		t.Errorf("the table of %s has %d of its attempt", next, n)
	}
	place(scope, now, true) // the table of the present month was taken away
	end, others, err := s.Months().Until(ctx)
	if err != nil || !others || !end.After(now.AddDate(0, 2, 0)) {
		t.Errorf("tables until %s, others %v, %v", end, others, err)
	}

	run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); UPDATE rings SET due_at = NULL WHERE due_at IS NOT NULL")
	// A drop that was broken off goes on, also when a rule became longer meanwhile, but takes no
	// ring.
	server.Super(t, name, "DROP TABLE texts_2020_02")
	keep(until)
	tables("2020_02")
	retire(now)
	keep(until)
	tables("-2020_02", ahead)

	split := columns(t, "pgx", address, "SELECT relname::text FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND relname IN "+
		"('rings', 'facts')")
	for range 10 { // one each time
		keep(now)
	}
	if again := columns(t, "pgx", address, "SELECT relname::text FROM pg_stat_user_tables WHERE last_analyze IS NOT NULL AND relname "+
		"IN ('rings', 'facts')"); len(again) != 2 {
		t.Errorf("PostgreSQL looked at %v, and at first at %v", again, split)
	}

	// A role that may not change rings makes and drops nothing.
	server.Super(t, name, "CREATE ROLE no_rings LOGIN")
	other := columnsError(t, server.URL("no_rings", name), "SELECT carillon_drop_ring_table(carillon_first_id(now()))")
	if other == nil || !strings.Contains(other.Error(), "42501") {
		t.Errorf("a role without rights: %v", other)
	}
}

// holdTable reads a table in a transaction that the caller ends.
func holdTable(t *testing.T, address, table string) (end func()) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	held, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(held.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}
