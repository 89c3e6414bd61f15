package migrations_test

import (
	"database/sql"
	"strings"
	"testing"

	"carillon/migrations"
	"carillon/tenants/store/storetest"
)

// TestUpWaitsForATableInUse: a step that does not get its lock gives up soon, so that nobody waits
// behind it, and is tried again until the table is free.
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
	if _, err := holder.ExecContext(t.Context(), "LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	var said []string
	applied, err := migrations.Apply(t.Context(), db, migrations.Postgres, func(what string) {
		if said = append(said, what); len(said) == 1 {
			if err := holder.Rollback(); err != nil {
				t.Error(err)
			}
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
	if len(said) == 0 || !strings.HasPrefix(said[0], "Step 60 waits") {
		t.Errorf("said: %q", said)
	}
}
