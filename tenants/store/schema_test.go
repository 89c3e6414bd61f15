package store_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/migrations"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// damages are what a schema can have that applying steps does not mend, with what Open and Migrate
// say of it.
var damages = map[string]struct {
	change string
	err    error
	cure   string
}{
	"a newer step": {"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)", migrations.ErrNewer,
		"has step 99999, which this program does not know; run the program that made it"},
	"a gap": {"DELETE FROM goose_db_version WHERE version_id = 1", migrations.ErrGap,
		"step 1 (00001_schema.sql) was never applied, although step"},
	"an edited step": {"UPDATE schema_sums SET sum = 'x' WHERE version = 1", migrations.ErrEdited,
		"step 1 (00001_schema.sql) was changed after it was applied"},
}

// A schema with a gap, with a step of a newer program or with an edited step is opened by no
// command and changed by none.
func refusesDamage(t *testing.T, driver string, config func(t *testing.T) (c store.Config, address string)) {
	for name, d := range damages {
		t.Run(name, func(t *testing.T) {
			c, address := config(t)
			if _, err := store.Migrate(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			run(t, driver, address, d.change)
			_, opened := store.Open(t.Context(), c)
			_, migrated := store.Migrate(t.Context(), c)
			for what, err := range map[string]error{"open": opened, "migrate": migrated} {
				if !errors.Is(err, d.err) || !strings.Contains(err.Error(), d.cure) {
					t.Errorf("%s: %v, want %q", what, err, d.cure)
				}
			}
			if steps, err := store.Status(t.Context(), c); err != nil || len(steps) < 2 {
				t.Errorf("status: %v %v", steps, err)
			}
		})
	}
}

func TestRefusesADamagedSchema(t *testing.T) {
	t.Parallel()
	refusesDamage(t, "sqlite", func(t *testing.T) (store.Config, string) {
		c := config(t)
		return c, "file:" + filepath.Join(c.Dir, "carillon.db")
	})
}

// refusesDamagePostgres is TestRefusesADamagedSchema for PostgreSQL, each case in a new database.
func refusesDamagePostgres(t *testing.T, server *storetest.Server) {
	refusesDamage(t, "pgx", func(t *testing.T) (store.Config, string) {
		c := config(t)
		c.URL = server.Database(t)
		return c, c.URL
	})
}

func run(t *testing.T, driver, address, statement string) {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestRefusesAKeyThatOpensNoStoredSecret(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := storetest.OpenConfig(t, c)
	now := time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "elm", Name: "Elm", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if err := s.For(id).Credentials().Add(t.Context(), tenants.Credential{ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P8,
		Bundle: "com.example.app", Environment: tenants.Auto, CreatedAt: now}, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	c.Seal = storetest.Keys(t)
	if _, err := store.Open(t.Context(), c); !errors.Is(err, store.ErrMasterKey) {
		t.Errorf("another key before the first start: %v", err)
	}
}

// After the first start only the same master key opens the database, and a running server notices
// that another backup was put in its place.
func TestRefusesAnotherMasterKey(t *testing.T) {
	t.Parallel()
	right := config(t)
	s := storetest.OpenConfig(t, right)
	if err := s.KeepKeyCheck(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrong := right
	wrong.Seal = storetest.Keys(t)
	if _, err := store.Open(t.Context(), wrong); !errors.Is(err, store.ErrMasterKey) {
		t.Errorf("another key: %v", err)
	}
	for range 2 {
		again, err := store.Open(t.Context(), right)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(again.KeepKeyCheck(t.Context()), again.Ready(t.Context()), again.Close()); err != nil {
			t.Errorf("the right key: %v", err)
		}
	}
	wrong.Seal = nil // a command that needs no secret
	none, err := store.Open(t.Context(), wrong)
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Close(); err != nil {
		t.Fatal(err)
	}
	address := "file:" + filepath.Join(right.Dir, "carillon.db") + "?_pragma=busy_timeout(5000)"
	run(t, "sqlite", address, "UPDATE key_checks SET sealed = zeroblob(200)")
	if err := s.Ready(t.Context()); !errors.Is(err, store.ErrMasterKey) {
		t.Errorf("ready with another database: %v", err)
	}
}
