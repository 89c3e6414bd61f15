package postgrestest

import (
	"context"
	"database/sql"
)

// Figures are counts of a database since it was made.
type Figures struct {
	Commits int64 // transactions
	Log     int64 // bytes of write-ahead log, of the whole server
	Bytes   int64 // on disk
}

// Read reads the figures of the database at a URL.
func Read(ctx context.Context, url string) (f Figures, err error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return f, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
		pg_database_size(current_database()) FROM pg_stat_database WHERE datname = current_database()`).Scan(&f.Commits, &f.Log, &f.Bytes)
	return f, err
}

// Sub is what was done since earlier figures.
func (f Figures) Sub(earlier Figures) Figures {
	return Figures{f.Commits - earlier.Commits, f.Log - earlier.Log, f.Bytes - earlier.Bytes}
}
