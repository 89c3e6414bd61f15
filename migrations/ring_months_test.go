package migrations_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"carillon/migrations"
	"carillon/tenants"
	"carillon/tenants/store/storetest"
)

// TestRingsBecomeMonths: the rings of an installation are there after they were split by month,
// with what belongs to them, and after the step was undone; and what refers to a ring still goes
// with it.
func TestRingsBecomeMonths(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // the setting of the tenant is the connection's
	p, err := migrations.Provider(db, migrations.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	const before, after = 68, 72
	up := func() {
		t.Helper()
		if _, err := p.UpTo(t.Context(), after); err != nil {
			t.Fatal(err)
		}
		run("SELECT set_config('app.tenant', '*', false)")
	}
	if _, err := p.UpTo(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	run("SELECT set_config('app.tenant', '*', false)")
	now, tenant := time.Now(), tenants.NewID[tenants.TenantID](time.Now())
	add := func(at time.Time) tenants.RingID {
		t.Helper()
		id := tenants.NewID[tenants.RingID](at)
		run("INSERT INTO rings (tenant_id, id, version, state, to_device, to_person, agent_id, caller, reference, test, by_kind, by_id, "+
			"by_name, created_at, expires_at, ended_at, end_reason) VALUES ($1, $2, 1, 'missed', $2, '', $2, '', 'R1', false, 'key', $2, "+
			"'', 0, 0, 0, '')", tenant, id)
		run("INSERT INTO attempts (tenant_id, ring_id, id, device_id, credential_id, state, app_version, os_version, apns_id, topic, "+
			"token, environment, tries, status, reason, sent_at, answered_at) VALUES ($1, $2, $2, $2, $2, 'missed', '', '', $2, '', '', "+
			"'', 0, 0, '', 0, 0)", tenant, id)
		run("INSERT INTO recordings (tenant_id, ring_id, person, codec, policy, consent, began_at, length, bytes, chunks, lost) VALUES "+
			"($1, $2, '', '', '', '', 0, 0, 0, 1, 0)", tenant, id)
		run("INSERT INTO recording_chunks (tenant_id, ring_id, n, sealed) VALUES ($1, $2, 1, 'x')", tenant, id)
		return id
	}
	has := func(part string, want int) {
		t.Helper()
		for _, table := range []string{"rings", "attempts", "recordings", "recording_chunks"} {
			var got int
			if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table+part).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%d rows in %s, want %d", got, table+part, want)
			}
		}
	}
	old := add(now.AddDate(-1, 0, 0))
	wrong := now.AddDate(0, 3, 0)
	add(wrong) // by a clock that was wrong
	run("GRANT SELECT ON rings TO pg_monitor")
	granted := func(tables ...string) {
		t.Helper()
		for _, table := range tables {
			var may bool
			answer := db.QueryRowContext(t.Context(), "SELECT has_table_privilege('pg_monitor', $1, 'SELECT')", table)
			if err := answer.Scan(&may); err != nil ||
				!may {
				t.Errorf("a role may not read %s any more, %v", table, err)
			}
		}
	}
	ends := func() time.Time {
		t.Helper()
		end, err := migrations.RingsEnd(t.Context(), db)
		if err != nil {
			t.Error(err)
		}
		return end
	}
	if _, err := p.UpTo(t.Context(), before+1); err != nil {
		t.Fatal(err)
	}
	if end := ends(); end.Before(wrong) {
		t.Errorf("between the steps rings are refused from %s on", end)
	}
	up()
	if end := ends(); !end.IsZero() {
		t.Errorf("after the steps rings are refused from %s on", end)
	}
	granted("rings", "rings_others")
	var open int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = "+
		"current_schema()::regnamespace AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%, pg_temp')",
	).Scan(&open); err != nil || open > 0 {
		t.Errorf("%d functions with the rights of their owner look into the caller's temporary schema first, %v", open, err)
	}
	has("", 2)
	has("_first", 2)
	add(now)
	has("_first", 3)

	far := now.AddDate(0, 7, 0)
	late := add(far)
	has("_others", 1)
	var made int
	err = db.QueryRowContext(t.Context(), "SELECT carillon_ring_months($1)", far.AddDate(0, 1, 0)).Scan(&made)
	if err != nil || made == 0 {
		t.Errorf("%d months more, %v", made, err)
	}
	run("SELECT set_config('app.tenant', '*', false)")
	month := fmt.Sprintf("_%s", far.UTC().Format("2006_01"))
	has("_others", 0)
	has(month, 1)
	var low string
	err = db.QueryRowContext(t.Context(), "SELECT reference_low FROM rings WHERE id = $1", late).Scan(&low)
	if err != nil || low != "r1" {
		t.Errorf("a ring that was moved to its month is found by %q, %v", low, err)
	}

	// A month with too many rings to move is left out, and the next one is made.
	full := far.AddDate(0, 2, 0)
	run("INSERT INTO rings (tenant_id, id, version, state, to_device, to_person, agent_id, caller, reference, test, by_kind, by_id, "+
		"by_name, created_at, expires_at, ended_at, end_reason) SELECT $1, (substr(carillon_first_id($2)::text, 1, 24) || "+
		"lpad(to_hex(n), 12, '0'))::uuid, 1, 'missed', $1, '', $1, '', '', false, 'key', $1, '', 0, 0, 0, '' FROM "+
		"generate_series(1, 100001) n", tenant, full)
	row := db.QueryRowContext(t.Context(), "SELECT carillon_ring_months($1)", full.AddDate(0, 1, 0))
	if err := row.Scan(&made); err != nil || made == 0 {
		t.Errorf("%d months beside one with many rings, %v", made, err)
	}
	run("SELECT set_config('app.tenant', '*', false)")
	var others int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM rings_others").Scan(&others); err != nil || others != 100001 {
		t.Errorf("%d rings are in rings_others, %v", others, err)
	}
	run("DELETE FROM rings_others")

	// What refers to a ring goes with it, and nothing refers to a ring that is not there.
	for _, ring := range []tenants.RingID{late, old} {
		run("DELETE FROM rings WHERE id = $1", ring)
	}
	has(month, 0)
	has("", 2)
	refused := func() {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "INSERT INTO recordings SELECT $1, $2, '', '', '', '', 0, 0, 0, 0, 0", tenant,
			tenants.NewID[tenants.RingID](now)); err == nil {
			t.Error("a recording without a ring is taken")
		}
	}
	refused()

	if _, err := p.DownTo(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	run("SELECT set_config('app.tenant', '*', false)")
	refused()
	granted("rings")
	run("DELETE FROM rings WHERE id = $1", add(now))
	has("", 2)
	up()
	has("_first", 2)
}
