package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"carillon/tenants"
)

// tx is the writer's connection and the transaction on it. Statements written by hand go through
// exec and query and stay prepared; db is gorm over the same transaction. Rows of the hot path are
// collected and inserted many at a time (batch.go); whatever reads flushes them first, so that a
// transaction always sees its own rows. It belongs to the writer's goroutine.
//
// What it does to each kind of thing hangs on a type of its own, in that thing's file: rings,
// devices, people, alerts, credentials, tenants, partners, tallies.
type tx struct {
	d      *database
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt // SQLite's that read; pgx keeps its own
	writes statements           // SQLite's that write
	bound  map[string]string    // PostgreSQL's texts, by ours
	gorm   *gorm.DB
	access access // of the job at hand
	lazy   bool   // SQLite's commits are written without an fsync

	wrote  bool  // the job at hand has written, or collected rows
	failed error // a statement of the job at hand failed; PostgreSQL then takes no other one in this transaction

	held   heldRows            // the tenants whose rows others hold
	values []driver.NamedValue // of the statement that runs; see plain
	ids    []byte              // the bytes of its ids

	rows   batches
	notes  []noted                       // facts recorded in this transaction; SQLite's only
	audits map[tenants.TenantID]auditTip // the ends of chains in this transaction; written back by flush
}

func newTx(ctx context.Context, d *database) (*tx, error) {
	t := &tx{d: d, stmts: map[string]*sql.Stmt{}, writes: statements{}, bound: map[string]string{},
		ids: []byte{}, audits: map[tenants.TenantID]auditTip{}, rows: newBatches()}
	if err := t.connect(ctx); err != nil {
		return nil, err
	}
	var err error
	if t.gorm, err = d.session(t); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *tx) connect(ctx context.Context) (err error) {
	if t.conn, err = t.d.writes.Conn(ctx); err != nil {
		return fmt.Errorf("store: the writer's connection: %w", err)
	}
	t.lazy = false
	return nil
}

func (t *tx) close() error {
	errs := []error{t.writes.close()}
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	clear(t.stmts)
	if t.conn != nil {
		errs = append(errs, t.conn.Close())
		t.conn = nil
	}
	return errors.Join(errs...)
}

// begin opens a transaction. A connection that does not take it is dropped, and the next begin has
// a new one. The commit of a lazy one, on SQLite, is durable with the next that is not.
func (t *tx) begin(lazy bool) error {
	if t.conn == nil {
		if err := t.connect(context.Background()); err != nil {
			return err
		}
	}
	t.forget()
	if lazy != t.lazy {
		// SQLite obeys when it prepares the statement, so it is prepared each time.
		level := "PRAGMA synchronous = FULL"
		if lazy {
			level = "PRAGMA synchronous = NORMAL"
		}
		if _, err := t.conn.ExecContext(context.Background(), level); err != nil {
			return err
		}
		t.lazy = lazy
	}
	err := t.control(t.d.dialect.begin())
	if err != nil && !t.d.dialect.isFile() {
		_ = t.close() // it is broken; its own error says nothing new
	}
	return err
}

func (t *tx) commit() error { return t.control("COMMIT") }

func (t *tx) rollback() {
	t.forget()
	if err := t.control("ROLLBACK"); err != nil && !t.d.dialect.isFile() {
		_ = t.close() // the transaction goes with the connection
	}
}

// forget drops what was collected and not written.
func (t *tx) forget() {
	t.rows.forget()
	clear(t.audits)
	clear(t.notes)
	t.notes = t.notes[:0]
}

func (t *tx) control(statement string) error {
	t.d.observe(statement)
	if !t.d.dialect.prepares() {
		_, err := t.conn.ExecContext(context.Background(), statement) // without an access: see guard
		return err
	}
	_, err := t.direct(statement, nil)
	return err
}

// db is gorm over the transaction.
func (t *tx) db() *gorm.DB { return t.gorm.WithContext(context.Background()) }

// postgres is a statement's ctx and text where PostgreSQL runs it: with the job's access.
func (t *tx) postgres(query string) (context.Context, string) {
	text, ok := t.bound[query]
	if !ok {
		if len(t.bound) >= kept {
			clear(t.bound)
		}
		text = t.d.dialect.bind(query)
		t.bound[query] = text
	}
	return t.access.on(context.Background()), text
}

// open runs a statement that gives rows.
func (t *tx) open(query string, args []any) (*sql.Rows, error) {
	if !t.d.dialect.prepares() {
		ctx, text := t.postgres(query)
		return t.conn.QueryContext(ctx, text, args...)
	}
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

func (t *tx) first(query string, args, dest []any) error {
	if !t.d.dialect.prepares() {
		ctx, text := t.postgres(query)
		return t.conn.QueryRowContext(ctx, text, args...).Scan(dest...)
	}
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(context.Background(), args...).Scan(dest...)
}

// stmt is the statement prepared on the connection. Statements are few: they are written by hand or
// made by gorm out of a handful of shapes; lists of many lengths go by run.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	if len(t.stmts) >= kept {
		for _, s := range t.stmts {
			_ = s.Close()
		}
		clear(t.stmts)
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.stmts[query] = s
	return s, nil
}

// exec runs a writing statement.
func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	t.wrote = true
	if err := t.flush(); err != nil {
		return nil, err
	}
	return t.run(query, args)
}

// run runs a statement without flushing.
func (t *tx) run(query string, args []any) (sql.Result, error) {
	t.d.observe(query)
	if !t.d.dialect.prepares() {
		ctx, text := t.postgres(query)
		r, err := t.conn.ExecContext(ctx, text, args...)
		return r, t.fail(err)
	}
	r, err := t.direct(query, args)
	return r, t.fail(err)
}

// change runs a writing statement and says how many rows it touched.
func (t *tx) change(query string, args ...any) (int64, error) {
	r, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row by hand. It does not flush: it is for what collected rows cannot change.
func (t *tx) row(query string, args []any, dest ...any) error {
	t.d.observe(query)
	err := t.first(query, args, dest)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return t.fail(err)
}

// query reads rows, or writes with RETURNING.
func (t *tx) query(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.QueryContext(context.Background(), query, args...)
}

func (t *tx) fail(err error) error {
	if err != nil {
		t.failed = err
	}
	return err
}

// PrepareContext is for gorm's prepared mode, which is off.
func (t *tx) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, errors.New("store: gorm prepares nothing here")
}

// ExecContext is gorm's way in.
func (t *tx) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return t.exec(query, args...)
}

// QueryContext is gorm's way in.
func (t *tx) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	t.wrote = t.wrote || !strings.HasPrefix(query, "SELECT")
	if err := t.flush(); err != nil {
		return nil, err
	}
	t.d.observe(query)
	rows, err := t.open(query, args)
	return rows, t.fail(err)
}

// QueryRowContext is gorm's way in; it asks for the version of SQLite.
func (t *tx) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	t.d.observe(query)
	if !t.d.dialect.prepares() {
		ctx, text := t.postgres(query)
		return t.conn.QueryRowContext(ctx, text, args...)
	}
	return t.conn.QueryRowContext(context.Background(), query, args...)
}
