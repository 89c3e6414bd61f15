package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"

	"carillon/migrations"
	"carillon/tenants/seal"
)

// DatabaseFile is the name of SQLite's database in the data folder.
const DatabaseFile = "carillon.db"

// Copied says what a copy of a database is.
type Copied struct {
	Schema int64    // the last step that was applied
	Keys   []string // ids of the master keys that its secrets are sealed under
	Bytes  int64
}

// CopyFile writes a consistent copy of an SQLite database to a new file, while a server uses it,
// and checks the copy. It holds nobody up: readers and the writer continue, and SQLite's log grows
// until it is done. The file is synced.
func CopyFile(ctx context.Context, dir, to string) (c Copied, err error) {
	if err := copyFile(ctx, dir, to); err != nil {
		return c, err
	}
	return lookInto(ctx, to)
}

func copyFile(ctx context.Context, dir, to string) (err error) {
	d, err := open(ctx, Config{Dir: dir}, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := migrations.Known(ctx, d.writes, string(d.dialect)); err != nil {
		return err
	}
	if _, err := d.writes.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("store: the copy: %w", err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("store: the copy: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// lookInto checks a copy and reads what it is.
func lookInto(ctx context.Context, file string) (c Copied, err error) {
	db, err := sql.Open("sqlite", readOnly(file))
	if err != nil {
		return c, fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&said); err != nil {
		return c, fmt.Errorf("store: the copy cannot be read: %w", err)
	}
	if said != "ok" {
		return c, fmt.Errorf("store: the copy is damaged: %s", said)
	}
	if c.Schema, err = migrations.Version(ctx, db, migrations.SQLite); err != nil {
		return c, err
	}
	for _, column := range sealedColumns {
		if err := column.keysIn(ctx, db, &c.Keys); err != nil {
			return c, fmt.Errorf("store: the copy: %w", err)
		}
	}
	slices.Sort(c.Keys)
	info, err := os.Stat(file)
	if err == nil {
		c.Bytes = info.Size()
	}
	return c, err
}

// keysIn adds the ids of the master keys that a column is sealed under.
func (c sealedColumn) keysIn(ctx context.Context, db *sql.DB, keys *[]string) error {
	var there int
	err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = ?", c.table).Scan(&there)
	if err != nil || there == 0 { // a schema before this table
		return err
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT SUBSTR(%s, 1, %d) FROM %s WHERE LENGTH(%s) > 0", c.column, seal.MostHeader,
		c.table, c.column))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var head []byte
		if err := rows.Scan(&head); err != nil {
			return err
		}
		if id := seal.KeyOfHeader(head); id != "" && !slices.Contains(*keys, id) {
			*keys = append(*keys, id)
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
