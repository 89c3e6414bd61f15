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

// TestFactsBecomeMonths: the facts of an installation are there after they were split by month,
// with their seqs, and after the step was undone; and the next ones get later seqs.
func TestFactsBecomeMonths(t *testing.T) {
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
	to := func(version int64, move func() error) {
		t.Helper()
		if err := move(); err != nil {
			t.Fatalf("step %d: %v", version, err)
		}
		if _, err := db.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', false)"); err != nil {
			t.Fatal(err)
		}
	}
	to(50, func() error { _, err := p.UpTo(t.Context(), 50); return err })
	now := time.Now()
	add := func(at time.Time, n int) {
		t.Helper()
		for range n {
			_, err := db.ExecContext(t.Context(), "INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, "+
				"raw_sent_at, detail) VALUES ($1, $2, $3, 'shown', 0, 0, 0, 0, '')", tenants.NewID[tenants.TenantID](at),
				tenants.NewID[tenants.RingID](at), tenants.NewID[tenants.AttemptID](at))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	has := func(where, want string) {
		t.Helper()
		var got string
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) || ' to ' || COALESCE(MAX(seq), 0) FROM "+where).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
	add(now.AddDate(-1, 0, 0), 5)
	add(now.AddDate(0, 3, 0), 1) // by a clock that was wrong
	to(52, func() error { _, err := p.UpTo(t.Context(), 52); return err })
	has("facts", "6 to 6")
	has("facts_first", "6 to 6")
	add(now, 2)
	has("facts_first", "8 to 8")
	far := now.AddDate(0, 7, 0)
	add(far, 1)
	has("facts_others", "1 to 9")
	var bound, made int
	if err := db.QueryRowContext(t.Context(), "SELECT carillon_fact_months($1)", far.AddDate(0, 1, 0)).Scan(&made); err != nil {
		t.Fatal(err)
	}
	err = db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM carillon_fact_bounds()").Scan(&bound)
	if err != nil || made == 0 || bound < 4 {
		t.Errorf("%d tables more, %d in all, %v", made, bound, err)
	}
	_, err = db.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', false)")
	if err != nil {
		t.Fatal(err)
	}
	has("facts_others", "0 to 0")
	has(fmt.Sprintf("facts_%s", far.UTC().Format("2006_01")), "1 to 9")
	to(50, func() error { _, err := p.DownTo(t.Context(), 50); return err })
	add(now, 1)
	has("facts", "10 to 10")
}

// TestFactTransactionsUndone: the step is undone where it was followed by tables of later months,
// and facts are written as before.
func TestFactTransactionsUndone(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", storetest.StartPostgres(t).Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // the setting of the tenant is the connection's
	p, err := migrations.Provider(db, migrations.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().AddDate(0, 7, 0)
	var made int
	if err := db.QueryRowContext(t.Context(), "SELECT carillon_fact_months($1)", at.AddDate(0, 1, 0)).Scan(&made); err != nil || made == 0 {
		t.Fatal(made, err)
	}
	if _, err := p.DownTo(t.Context(), 74); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', false)"); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, "+
		"detail) VALUES ($1, $1, $1, 'shown', 0, 0, 0, 0, '')", tenants.NewID[tenants.RingID](at))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 75); err != nil {
		t.Fatal(err)
	}
}
