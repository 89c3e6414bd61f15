package migrations_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"carillon/migrations"
	"carillon/tenants/store/storetest"
)

// TestUpWaitsForATableInUse: a step that does not get its lock gives up soon, so that nobody waits
// behind it, and is tried again until the table is free. So does one of several locks.
func TestUpWaitsForATableInUse(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := migrations.Provider(db, migrations.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	all := p.ListSources()
	if _, err := p.UpTo(t.Context(), 58); err != nil {
		t.Fatal(err)
	}
	holder, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback()
	last, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer last.Rollback()
	for tx, table := range map[*sql.Tx]string{holder: "users", last: "texts"} {
		if _, err := tx.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ACCESS SHARE MODE"); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	applied, err := migrations.Apply(t.Context(), db, migrations.Postgres, func(what string) {
		said = append(said, what)
		tx := holder
		if strings.HasPrefix(what, "Step 69") {
			tx = last
		}
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Error(err)
		}
	})
	missing := 0
	for _, s := range all {
		if s.Version > 58 {
			missing++
		}
	}
	if err != nil || applied != missing {
		t.Errorf("%d steps applied, want %d: %v", applied, missing, err)
	}
	if len(said) < 2 || !strings.HasPrefix(said[0], "Step 60 waits") || !strings.HasPrefix(said[len(said)-1], "Step 69 waits") {
		t.Errorf("said: %q", said)
	}
}
