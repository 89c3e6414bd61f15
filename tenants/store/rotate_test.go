package store

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// sealedElsewhere are columns with the name of a sealed one that no master key seals, with why.
var sealedElsewhere = map[string]string{
	"recording_chunks.sealed": "under the tenant's recording key",
}

// TestSealedColumnsAreListed: a column with the name of a sealed one is rotated, or says why not.
// testRotation looks at what is in the others.
func TestSealedColumnsAreListed(t *testing.T) {
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
	rows, err := db.QueryContext(t.Context(), "SELECT m.name || '.' || p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p "+
		"WHERE m.type = 'table' AND p.type = 'BLOB' AND (p.name LIKE '%sealed%' OR p.name LIKE '%secret%' OR p.name LIKE '%seed%')")
	found, err := collect(rows, err, func(s *string) []any { return []any{s} })
	if err != nil || len(found) < len(sealedColumns) {
		t.Fatal(found, err)
	}
	listed := map[string]bool{}
	for _, c := range sealedColumns {
		listed[c.table+"."+c.column] = true
	}
	for _, name := range found {
		if _, elsewhere := sealedElsewhere[name]; listed[name] == elsewhere {
			t.Errorf("%s must be in sealedColumns, or in sealedElsewhere with a reason, and not in both", name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("%s is listed, and the schema has no such column", name)
	}
}
