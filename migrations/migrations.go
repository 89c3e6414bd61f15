// Package migrations holds the schema: numbered SQL files, one set per dialect, and the way to
// apply them. It knows no row and no rule. Each set ends with the same tables and columns; a test
// in tenants/store compares them.
//
// Start reading at sqlite/00001_schema.sql; check.go says which databases are refused.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// The dialects.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Apply brings the schema up to date and says how many steps that took. On PostgreSQL an advisory
// lock keeps two processes from doing it at once; on SQLite the transaction of each step does.
// It refuses what Check refuses, except missing steps. A step that does not get a lock on a table
// is tried again for some minutes, and say gets a sentence each time.
func Apply(ctx context.Context, db *sql.DB, dialect string, say func(string)) (applied int, err error) {
	p, err := provider(db, dialect)
	if err != nil {
		return 0, err
	}
	if _, err := mendable(ctx, db, dialect); err != nil {
		return 0, err
	}
	applied, err = patient(ctx, say, func() (int, error) { return up(ctx, p) })
	if err != nil && dialect == Postgres {
		err = unfinished(ctx, db, err)
	}
	if err != nil {
		return applied, fmt.Errorf("migrations: %w", err)
	}
	return applied, record(ctx, db, dialect)
}

func provider(db *sql.DB, dialect string) (*goose.Provider, error) {
	names := map[string]goose.Dialect{SQLite: goose.DialectSQLite3, Postgres: goose.DialectPostgres}
	named, ok := names[dialect]
	if !ok {
		return nil, fmt.Errorf("migrations: no dialect %q", dialect)
	}
	set, err := fs.Sub(files, dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if dialect == Postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(named, db, set, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}
