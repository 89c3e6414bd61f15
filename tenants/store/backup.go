package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

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

// ContinueFacts has the facts of a database file that was restored follow those that the server
// wrote after the backup, which are lost: readers of events may have come as far as these, and
// would never get what lies before. now is later than all of them.
func ContinueFacts(ctx context.Context, file string, now time.Time) (err error) {
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: url.Values{"mode": {"rw"}, "_txlock": {"immediate"}}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: the copy: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // of what was committed it does nothing
	var newest int64
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) FROM facts").Scan(&newest); err != nil {
		return fmt.Errorf("store: the copy: %w", err)
	}
	if newest == 0 { // there is nothing to continue
		return nil
	}
	// The next seq is one more than the newest. A server writes less than one fact in a
	// microsecond, so that another restore of the same backup comes behind this one too.
	to := max(newest+1, micros(now))
	for _, change := range []string{"UPDATE watermarks SET seq = ? WHERE seq >= ?", "UPDATE facts SET seq = ? WHERE seq = ?"} {
		if _, err := tx.ExecContext(ctx, change, to, newest); err != nil {
			return fmt.Errorf("store: the copy: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: the copy: %w", err)
	}
	return nil
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
