package store

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportsKnowTheSchema: every table of tenants and every column of it is in a file of an
// export, or is left out on purpose.
func TestExportsKnowTheSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Migrate(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "carillon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c "+
		"WHERE m.type = 'table' ORDER BY m.name")
	type column struct{ table, name string }
	all, err := collect(rows, err, func(c *column) []any { return []any{&c.table, &c.name} })
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	for _, c := range all {
		columns[c.table] = append(columns[c.table], c.name)
	}
	exported := map[string]bool{}
	for _, e := range exportTables {
		table, _, joined := strings.Cut(e.from, " ")
		exported[table] = true
		var known []string
		for _, c := range e.fields() {
			known = append(known, c.name)
		}
		for _, k := range strings.Split(e.keys, ", ") {
			if !slices.ContainsFunc(e.fields(), func(c exportColumn) bool { return c.expr == k }) {
				t.Errorf("%s: the key %s is no field", e.file, k)
			}
		}
		for _, c := range columns[table] {
			left := slices.Contains(strings.Fields(e.left), c) || c == "tenant_id"
			if slices.Contains(known, c) == left {
				t.Errorf("%s: column %s of %s must be in columns or in left, and not in both", e.file, c, table)
			}
		}
		if !joined {
			for _, c := range known {
				if !slices.Contains(columns[table], c) {
					t.Errorf("%s: %s has no column %s", e.file, table, c)
				}
			}
		}
	}
	for table, list := range columns {
		_, other := exportOthers[table]
		_, left := exportLeft[table]
		belongs := slices.Contains(list, "tenant_id") || table == "tenants"
		if n := count(exported[table], other, left); belongs && n != 1 || !belongs && n != 0 {
			t.Errorf("table %s is in %d of the lists of exports", table, n)
		}
	}
}

func count(all ...bool) (n int) {
	for _, yes := range all {
		if yes {
			n++
		}
	}
	return n
}
