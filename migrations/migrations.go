// Package migrations holds the schema: numbered SQL files, one set per dialect, and the way to
// apply them. It knows no row and no rule. Each set ends with the same tables and columns; a test
// in tenants/store compares them.
//
// Start reading at sqlite/00001_schema.sql.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
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

// Step is one numbered file and whether the database has it.
type Step struct {
	Version int64
	Name    string
	Applied bool
}

// ErrEarlier refuses a database that a development version made before the first release: it has
// another schema under the same numbers, and nothing brings it up to date.
var ErrEarlier = errors.New("this data folder was made by an earlier development version. " +
	"Delete it or choose another with --data (on PostgreSQL: an empty database with --database-url)")

// development finds a table as only a development version had it: with ids as text.
var development = map[string]string{
	SQLite: "SELECT COUNT(*) FROM pragma_table_info('tenants') WHERE name = 'id' AND type = 'TEXT'",
	Postgres: "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = current_schema() " +
		"AND table_name = 'tenants' AND column_name = 'id' AND data_type = 'text'",
}

func check(ctx context.Context, db *sql.DB, dialect string) error {
	var found int
	if err := db.QueryRowContext(ctx, development[dialect]).Scan(&found); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if found > 0 {
		return ErrEarlier
	}
	return nil
}

// Apply brings the schema up to date and says how many steps that took. On PostgreSQL an advisory
// lock keeps two processes from doing it at once; on SQLite the transaction of each step does.
// A database of a development version is refused with ErrEarlier.
func Apply(ctx context.Context, db *sql.DB, dialect string) (applied int, err error) {
	p, err := provider(db, dialect)
	if err != nil {
		return 0, err
	}
	if err := check(ctx, db, dialect); err != nil {
		return 0, err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return len(done), fmt.Errorf("migrations: %w", err)
	}
	return len(done), nil
}

// Status lists every step in order.
func Status(ctx context.Context, db *sql.DB, dialect string) ([]Step, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	found, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	steps := make([]Step, 0, len(found))
	for _, s := range found {
		steps = append(steps, Step{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied})
	}
	return steps, nil
}

// Current is the version the database has and the one this binary wants. A database of a
// development version is refused with ErrEarlier.
func Current(ctx context.Context, db *sql.DB, dialect string) (have, want int64, err error) {
	p, err := provider(db, dialect)
	if err != nil {
		return 0, 0, err
	}
	if err := check(ctx, db, dialect); err != nil {
		return 0, 0, err
	}
	have, want, err = p.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("migrations: %w", err)
	}
	return have, want, nil
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
