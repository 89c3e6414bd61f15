package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carillon/tenants/store"
)

// explained are the rows of the page about indexes: the name of each, and what it is on.
func explained(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "app", "docs", "pages", "indexes.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `([^`]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		if len(row[3]) < 15 || !strings.HasSuffix(row[3], ".") {
			t.Errorf("indexes.md does not say in a sentence what %s is for", row[1])
		}
		if rows[row[1]] != "" {
			t.Errorf("indexes.md has %s twice", row[1])
		}
		rows[row[1]] = row[2]
	}
	return rows
}

// explains compares the page about indexes with what a database has. only is an index that the
// other database does not need.
func explains(t *testing.T, has []string, only ...string) {
	t.Helper()
	page := explained(t)
	for _, name := range has {
		if page[name] == "" {
			t.Errorf("app/docs/pages/indexes.md does not explain the index %s: add a row", name)
		}
	}
	for name := range page {
		if !slices.Contains(has, name) && !slices.Contains(only, name) {
			t.Errorf("app/docs/pages/indexes.md explains %s, which the database does not have", name)
		}
	}
}

// TestEveryIndexIsExplained: an index that nobody can explain is a cost of each write for nothing.
func TestEveryIndexIsExplained(t *testing.T) {
	t.Parallel()
	c := config(t)
	if _, err := store.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	explains(t, columns(t, "sqlite", "file:"+filepath.Join(c.Dir, "carillon.db"), "SELECT name FROM sqlite_master WHERE type = 'index' "+
		"AND sql IS NOT NULL"), "facts_order", "attempts_device")
}

// indexesOf is TestEveryIndexIsExplained for PostgreSQL. It also compares what each is on, and
// looks whether the busy tables are vacuumed early.
func indexesOf(t *testing.T, address string) {
	const named = " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid WHERE " +
		"t.relnamespace = 'public'::regnamespace AND NOT t.relispartition AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE " +
		"k.conindid = x.oid)"
	explains(t, columns(t, "pgx", address, "SELECT x.relname"+named))
	page := explained(t)
	for _, row := range columns(t, "pgx", address, "SELECT x.relname || ' ' || t.relname || ' (' || (SELECT string_agg(a.attname, ', ' "+
		"ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attnum <= i.indnkeyatts)"+named) {
		name, on, _ := strings.Cut(row, " ")
		if !strings.HasPrefix(page[name], on) {
			t.Errorf("indexes.md says that %s is on %s, and it is on %s", name, page[name], on)
		}
	}
	for _, table := range columns(t, "pgx", address, "SELECT relname FROM pg_class WHERE relkind = 'r' AND (relname IN ('audits', "+
		"'idempotency', 'deliveries', 'tallies', 'tenants', 'watermarks') OR relname ~ '^(rings|attempts|facts)_(first|2...)' OR "+
		"relname IN ('rings_others', 'attempts_others'))") {
		set := columns(t, "pgx", address, "SELECT unnest(reloptions) FROM pg_class WHERE relname = '"+table+"'")
		if !slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, "autovacuum_") }) {
			t.Errorf("%s has no setting of autovacuum: %v", table, set)
		}
	}
}
