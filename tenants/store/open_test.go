package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

func config(t *testing.T) store.Config {
	return store.Config{Dir: t.TempDir(), Seal: storetest.Keys(t), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func TestOpenRefusesASchemaThatIsNotCurrent(t *testing.T) {
	t.Parallel()
	c := config(t)
	_, err := store.Open(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "carillon migrate up") {
		t.Fatalf("an empty database: %v", err)
	}
	if steps, err := store.Status(t.Context(), c); err == nil || !strings.Contains(err.Error(), "carillon migrate up") {
		t.Fatalf("status without a database: %+v %v", steps, err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
		t.Fatalf("looking at an empty folder left %v, %v", left, err)
	}
	n, err := store.Migrate(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := store.Status(t.Context(), c)
	if err != nil || n != len(steps) {
		t.Fatalf("applied %d of %d: %v", n, len(steps), err)
	}
	if n, err = store.Migrate(t.Context(), c); err != nil || n != 0 {
		t.Fatalf("applied again: %d, %v", n, err)
	}
	if !steps[len(steps)-1].Applied {
		t.Fatalf("status after: %+v", steps)
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.Config){
		"folder": func(c *store.Config) { c.Dir = "" }, "clock": func(c *store.Config) { c.Now = nil },
		"log": func(c *store.Config) { c.Log = nil }, "address": func(c *store.Config) { c.URL = "mysql://user:hunter2@host/db" },
		"broken address": func(c *store.Config) { c.URL = "postgres://user:hunter2@host:port/db" },
	} {
		c := config(t)
		change(&c)
		s, err := store.Open(t.Context(), c)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells a password: %v", name, err)
		}
	}
}

// Data folders have every sign that a URL gives a meaning to.
func TestFolderWithSigns(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Dir = filepath.Join(c.Dir, "a b?c#d%41&e=f'ü")
	storetest.OpenConfig(t, c)
	if _, err := os.Stat(filepath.Join(c.Dir, "carillon.db")); err != nil {
		t.Error(err)
	}
}

// A secret is in the database as a sealed blob and nowhere in the clear, and a blob that was moved
// does not open.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := storetest.OpenConfig(t, c)
	now := time.Now()
	scopes := []*store.Scope{}
	credential := tenants.Credential{ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P8, Bundle: "com.example.app",
		Environment: tenants.Auto, CreatedAt: now}
	for i := range 2 {
		id := tenants.NewID[tenants.TenantID](now)
		err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: fmt.Sprint("t", i), Name: "T",
			Industry: tenants.Legal,
			State:    tenants.TenantActive, TimeZone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		scopes = append(scopes, s.For(id))
		if err := scopes[i].Credentials().Add(t.Context(), credential, []byte(fmt.Sprint("canary-", i))); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.Dir, "carillon.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, exchange := range []string{"CREATE TEMP TABLE was AS SELECT tenant_id, secret FROM credentials",
		"UPDATE credentials SET secret = (SELECT secret FROM was WHERE was.tenant_id <> credentials.tenant_id)"} {
		if _, err := db.Exec(exchange); err != nil {
			t.Fatal(err)
		}
	}
	for i, scope := range scopes {
		if _, secret, err := scope.Credentials().Open(t.Context(), credential.ID); err == nil {
			t.Errorf("tenant %d opens another's secret: %q", i, secret)
		}
	}
	for _, name := range []string{"carillon.db", "carillon.db-wal"} {
		file, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file, []byte("canary-")) {
			t.Errorf("%s holds a secret in the clear", name)
		}
	}
}

// agree: both sets of migrations end with the same tables and columns, but for a table that SQLite
// has in the place of an index.
func agree(t *testing.T, postgres string) {
	c := config(t)
	if _, err := store.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	lite := columns(t, "sqlite", "file:"+filepath.Join(c.Dir, "carillon.db"),
		"SELECT m.name || '.' || p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE "+
			"'sqlite_%' AND m.name <> 'device_rings'")
	keys := columns(t, "sqlite", "file:"+filepath.Join(c.Dir, "carillon.db"),
		"SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) p "+
			"WHERE m.type = 'table' AND p.name = 'tenant_id' AND p.pk <> 1 AND m.name NOT IN "+
			"('facts', 'sign_ins', 'deliveries', 'delivery_attempts')")
	if len(keys) > 0 {
		t.Errorf("tenant_id is not first in the key of %v", keys)
	}
	c.URL = postgres
	if _, err := store.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	pg := columns(t, "pgx", c.URL, "SELECT table_name || '.' || column_name FROM information_schema.columns "+
		"WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name NOT IN (SELECT relname FROM pg_class "+
		"WHERE relispartition)")
	if !slices.Equal(lite, pg) || len(lite) < 100 {
		for _, x := range append(lite, pg...) {
			if !slices.Contains(lite, x) || !slices.Contains(pg, x) {
				t.Errorf("%s: sqlite %v, postgres %v", x, slices.Contains(lite, x), slices.Contains(pg, x))
			}
		}
		t.Errorf("sqlite has %d columns, postgres %d", len(lite), len(pg))
	}
}

func columns(t *testing.T, driver, address, query string) (out []string) {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	slices.Sort(out)
	return out
}

// A folder of a development version has ids as text, whatever its number says.
func TestRefusesAFolderOfADevelopmentVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 15} {
		c := config(t)
		db, err := sql.Open("sqlite", "file:"+filepath.Join(c.Dir, "carillon.db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{
			"CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT " +
				"NULL, " +
				"tstamp TIMESTAMP DEFAULT (datetime('now')))",
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (" + fmt.Sprint(version) + ", 1)",
			"CREATE TABLE tenants (id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID",
		} {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		const want = "made by an earlier development version. Delete it or choose another with --data"
		if _, err := store.Migrate(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: migrated: %v", version, err)
		}
		if _, err := store.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: opened: %v", version, err)
		}
	}
}
