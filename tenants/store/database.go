package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // registers sqlite, in pure Go
)

// database holds the two pools of one database: one that only reads, and one from which the writer
// takes its one connection.
type database struct {
	dialect dialect
	observe func(string)
	reads   *sql.DB
	writes  *sql.DB
	pool    *pool    // reads, with statements kept prepared
	orm     *gorm.DB // over pool
}

const (
	readers    = 4               // SQLite's readers; more only wait for the processor
	readerIdle = 5 * time.Minute // how long a connection to PostgreSQL that nobody reads with is kept
	pagesMost  = 80 << 20        // bytes of SQLite's pages that are kept in memory, of the writer and all readers
	kept       = 512             // statements kept prepared; what is built again for every length of a list must not fill memory
	// logPages of 4 KiB may stand in SQLite's log before the writer itself copies them to the
	// database file. Checkpoint has then copied most of them already, and the writer's part, at the
	// end of which the log starts again, is short.
	logPages = 16000
)

// open opens the database. Only with create is a missing SQLite folder or file made.
func open(ctx context.Context, c Config, create bool) (*database, error) {
	d := &database{dialect: pg, observe: c.Observe}
	if d.observe == nil {
		d.observe = func(string) {}
	}
	var err error
	if c.URL == "" {
		d.dialect = lite
		err = d.openSQLite(c, create)
	} else {
		err = d.openPostgres(c.URL, c.ReadOnly, create)
	}
	if err != nil {
		return nil, err
	}
	if err := d.writes.PingContext(ctx); err != nil { // first, because it is what turns SQLite's journal to WAL
		return nil, errors.Join(fmt.Errorf("store: the database does not open: %w", err), d.close())
	}
	d.pool = &pool{database: d, kept: map[string]*sql.Stmt{}}
	if d.orm, err = d.session(d.pool); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openSQLite: WAL, so that readers never wait for the writer; FULL, so that an answered request
// survives a power cut. What nobody was answered about may be written without; see writer.lazily.
func (d *database) openSQLite(c Config, create bool) (err error) {
	dir, pages := c.Dir, cmp.Or(c.Pages, pagesMost)
	path, err := filepath.Abs(filepath.Join(dir, DatabaseFile))
	if err != nil {
		return fmt.Errorf("store: data folder: %w", err)
	}
	mode := "rw"
	if create {
		mode = "rwc"
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("store: data folder: %w", err)
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database in %s; run `carillon migrate up` to make one, or name the right folder with "+
			"--data or CARILLON_DATA", dir)
	}
	q := url.Values{"_txlock": {"immediate"}, "mode": {mode}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", pages/(readers+1)>>10),
		"wal_autocheckpoint(" + strconv.Itoa(logPages) + ")",
	}}
	if c.ReadOnly {
		q.Add("_pragma", "query_only(1)")
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	if d.writes, err = sql.Open("sqlite", dsn.String()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	d.writes.SetMaxOpenConns(1)
	q.Add("_pragma", "query_only(1)")
	dsn.RawQuery = q.Encode()
	if d.reads, err = sql.Open("sqlite", dsn.String()); err != nil {
		return errors.Join(fmt.Errorf("store: %w", err), d.writes.Close())
	}
	d.reads.SetMaxOpenConns(readers)
	d.reads.SetMaxIdleConns(readers)
	return nil
}

// readOnly is the address of an SQLite file that nobody writes.
func readOnly(file string) string {
	q := url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "temp_store(MEMORY)"}}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: q.Encode()}
	return dsn.String()
}

// Checkpoint copies what SQLite's log holds to the database file, beside the writer, who is held up
// for long otherwise: an fsync more for every thousand pages, and pages that were written several
// times copied as often. PostgreSQL does so by itself.
func (s *Store) Checkpoint(ctx context.Context) error {
	if !s.db.dialect.isFile() {
		return nil
	}
	_, err := s.db.reads.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return translate(err)
}

// CheckURL says what is wrong with a database's address, without opening it and without repeating
// its password.
func CheckURL(address string) error {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return errors.New("must be a postgres:// address, or empty for SQLite in the data folder")
	}
	if _, err := pgx.ParseConfig(address); err != nil {
		return errors.New("cannot be read; give postgres://user:password@host:5432/name, with special characters of the password " +
			"percent-encoded")
	}
	return nil
}

// openPostgres: each connection is a guard, which sets a statement's access (rls.go).
func (d *database) openPostgres(address string, readOnly, migrates bool) error {
	config, err := postgresConfig(address)
	if err != nil {
		return err
	}
	if migrates {
		unlimited(config)
	}
	if readOnly && !pooled(config) {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	d.writes = sql.OpenDB(guarded{stdlib.GetConnector(*config)})
	d.writes.SetMaxOpenConns(3) // the writer's, that of heartbeats, and one for a provider token
	d.writes.SetMaxIdleConns(0) // the writer keeps its own; a new one must not be one that broke while idle
	d.reads = sql.OpenDB(guarded{stdlib.GetConnector(*config)})
	// All are kept for a while: a new one has to read what the tables of each month are before its
	// first statements, which takes longer than they do.
	d.reads.SetMaxOpenConns(2 * readers)
	d.reads.SetMaxIdleConns(2 * readers)
	d.reads.SetConnMaxIdleTime(readerIdle)
	return nil
}

// redact keeps a password out of an error that repeats the address.
func redact(err error, address string) error {
	if strings.Contains(err.Error(), address) {
		return errors.New("it cannot be read; want postgres://user:password@host:port/name")
	}
	return err
}

// session is gorm over conn: no transactions of its own, no log of its own, no ping.
func (d *database) session(conn gorm.ConnPool) (*gorm.DB, error) {
	db, err := gorm.Open(d.dialect.gorm(conn), &gorm.Config{
		SkipDefaultTransaction: true, DisableAutomaticPing: true, Logger: logger.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return db, nil
}

func (d *database) close() error {
	var errs []error
	if d.pool != nil {
		errs = append(errs, d.pool.close())
	}
	return errors.Join(append(errs, d.reads.Close(), d.writes.Close())...)
}

// pool is a gorm.ConnPool that reads. On SQLite it keeps statements prepared, which saves more than
// half of a small read; pgx does so by itself.
type pool struct {
	*database
	mu   sync.Mutex // guards kept
	kept map[string]*sql.Stmt
}

func (p *pool) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if !p.dialect.prepares() {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.kept[query]; s != nil {
		return s, nil
	}
	if len(p.kept) >= kept {
		return nil, nil
	}
	s, err := p.reads.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	p.kept[query] = s
	return s, nil
}

// query runs a statement written by hand that reads a few rows by their keys. It runs to its end
// even when ctx ends meanwhile: watching ctx starts two goroutines, which cost a third of such a
// read.
func (r reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return r.d.pool.QueryContext(context.WithoutCancel(r.on(ctx)), r.d.dialect.bind(query), args...)
}

// scan runs a statement written by hand that may read many rows; it stops when ctx ends.
func (r reader) scan(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.d.pool.QueryContext(r.on(ctx), r.d.dialect.bind(query), args...)
}

// PrepareContext is for gorm's prepared mode, which is off.
func (p *pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	p.observe(query)
	return p.reads.PrepareContext(ctx, query)
}

// ExecContext refuses: the pool only reads.
func (p *pool) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errors.New("store: a write outside of the writer")
}

// QueryContext reads rows.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.observe(query)
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.reads.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext reads one row.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	p.observe(query)
	if s, err := p.stmt(ctx, query); err == nil && s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.reads.QueryRowContext(ctx, query, args...)
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.kept {
		errs = append(errs, s.Close())
	}
	clear(p.kept)
	return errors.Join(errs...)
}
