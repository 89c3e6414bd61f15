package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// Row-level security, the second guard of tenant isolation. On PostgreSQL every table with
// tenant_id has a policy, forced on the table's owner too, that shows and takes only the rows of
// the tenant in app.tenant (migrations/postgres/00001_schema.sql). Each statement has an access,
// which sets app.tenant for its own transaction only; without it there are no rows. A forgotten
// condition then finds nothing instead of every tenant's rows.

// access is what a statement may reach: a tenant's rows, by the tenant's id, or one of these.
type access string

const (
	noTenant   access = ""  // what belongs to no tenant
	allTenants access = "*" // every tenant's; for the few that look across tenants, and for rows of many tenants written at once
)

// access is that of the tenant's own rows. An id that is not a UUID reaches nothing.
func (s *scope) access() access {
	if _, ok := uuid(s.id).bytes(); ok {
		return access(s.id)
	}
	return noTenant
}

// reader reads with an access.
type reader struct {
	d      *database
	access access
}

// through returns a reader with an access; SQLite ignores it.
func (d *database) through(at access) reader { return reader{d, at} }

// reads returns a reader of the tenant's rows.
func (s *scope) reads() reader { return s.s.db.through(s.access()) }

func (r reader) on(ctx context.Context) context.Context {
	if !r.d.dialect.guarded() {
		return ctx
	}
	return r.access.on(ctx)
}

// gorm is for queries that gorm puts together.
func (r reader) gorm(ctx context.Context) *gorm.DB { return r.d.orm.WithContext(r.on(ctx)) }

type accessKey struct{}

// on marks a statement's ctx.
func (d access) on(ctx context.Context) context.Context {
	return context.WithValue(ctx, accessKey{}, d)
}

const setTenant = "SELECT set_config('app.tenant', $1, true)"

// guard is a connection to PostgreSQL that sets each statement's access in the same round trip:
// both travel in one batch, which is one transaction unless one is open already. A statement whose
// ctx names no access controls the transaction or the schema; a BEGIN among these waits for the
// first statement of its transaction, and travels with it.
type guard struct {
	*stdlib.Conn
	open   access // in the transaction at hand
	begins bool   // a BEGIN is to be sent
}

// unknown: it is not known which access is set.
const unknown access = "?"

// guarded makes guards.
type guarded struct{ driver.Connector }

// Connect opens a connection.
func (g guarded) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: the driver gave a %T", c), c.Close())
	}
	return &guard{Conn: conn, open: unknown}, nil
}

// CheckNamedValue turns ids into their bytes here, so that one that is no UUID is an error of the
// statement before anything is sent, and not of the connection.
func (g *guard) CheckNamedValue(v *driver.NamedValue) error {
	id, ok := v.Value.(uuid)
	if !ok {
		return g.Conn.CheckNamedValue(v)
	}
	var err error
	v.Value, err = id.Value()
	return err
}

// opens says whether an access must be set before the statement. Only inside of a transaction can
// it be open already.
func (g *guard) opens(ctx context.Context) (access, bool) {
	want, named := ctx.Value(accessKey{}).(access)
	if !named {
		g.open = unknown // it may begin or end a transaction, or go back to a savepoint
		return want, false
	}
	if g.begins {
		g.open = want
		return want, true
	}
	if g.Conn.Conn().PgConn().TxStatus() == 'I' {
		return want, want != noTenant
	}
	was := g.open
	g.open = want
	return want, was != want
}

// lead queues what goes before statements of a transaction, and says how much that is: the BEGIN
// that waits, and the access unless it is open.
func (g *guard) lead(b *pgx.Batch, want access) (n int) {
	if g.begins {
		b.Queue(begin)
	}
	if g.begins || g.open != want {
		b.Queue(setTenant, string(want))
	}
	return b.Len()
}

// control answers BEGIN, and the end of a transaction that was never begun, without a round trip.
func (g *guard) control(ctx context.Context, query string) (done bool, err error) {
	switch {
	case query == begin:
		g.begins = true
		return true, nil
	case !g.begins:
		return false, nil
	}
	g.begins = false
	if query == commit || query == rollback {
		return true, nil
	}
	_, err = g.Conn.ExecContext(ctx, begin, nil)
	return false, err
}

// ExecContext runs a statement with its access.
func (g *guard) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	want, first := g.opens(ctx)
	if _, named := ctx.Value(accessKey{}).(access); !named {
		if done, err := g.control(ctx, query); done || err != nil {
			return driver.RowsAffected(0), err
		}
		if query == commit {
			return g.commit(ctx)
		}
	}
	if !first {
		return g.Conn.ExecContext(ctx, query, args)
	}
	results, err := g.batch(ctx, want, query, args)
	if err != nil {
		return nil, err
	}
	tag, err := results.Exec()
	return driver.RowsAffected(tag.RowsAffected()), errors.Join(err, results.Close())
}

// commit commits. Where a statement failed PostgreSQL answers with ROLLBACK, which is no error of
// the driver.
func (g *guard) commit(ctx context.Context) (driver.Result, error) {
	conn := g.Conn.Conn()
	if conn.IsClosed() {
		return nil, driver.ErrBadConn
	}
	tag, err := conn.Exec(ctx, commit)
	switch {
	case err == nil:
		err = committed(tag)
	case pgconn.SafeToRetry(err):
		err = driver.ErrBadConn
	}
	return driver.RowsAffected(0), err
}

// QueryContext runs a statement with its access and reads rows.
func (g *guard) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	want, first := g.opens(ctx)
	if !first {
		return g.Conn.QueryContext(ctx, query, args)
	}
	results, err := g.batch(ctx, want, query, args)
	if err != nil {
		return nil, err
	}
	found, err := results.Query()
	if err != nil {
		return nil, errors.Join(err, results.Close())
	}
	r := &rows{found: found, results: results, more: found.Next()} // what fails says so before its first row
	if err := found.Err(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// batch sends the setting of the access and the statement, and reads the answers before the
// statement's.
func (g *guard) batch(ctx context.Context, want access, query string, args []driver.NamedValue) (pgx.BatchResults, error) {
	conn := g.Conn.Conn()
	if conn.IsClosed() {
		return nil, driver.ErrBadConn
	}
	values := make([]any, len(args))
	for i := range args {
		values[i] = args[i].Value
	}
	b := &pgx.Batch{}
	if g.begins {
		g.begins = false
		b.Queue(begin)
	}
	b.Queue(setTenant, string(want))
	leads := b.Len()
	b.Queue(query, values...)
	results := conn.SendBatch(ctx, b)
	for range leads {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // it says the same again
			if pgconn.SafeToRetry(err) {
				return nil, driver.ErrBadConn
			}
			return nil, err
		}
	}
	return results, nil
}

// rows are the second answer of a batch, as database/sql wants them.
type rows struct {
	found   pgx.Rows
	results pgx.BatchResults
	more    bool
}

// Columns names the columns.
func (r *rows) Columns() []string {
	fields := r.found.FieldDescriptions()
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].Name
	}
	return names
}

// Close ends the batch, and with it its transaction if it has one of its own.
func (r *rows) Close() error {
	r.found.Close()
	return errors.Join(r.found.Err(), r.results.Close())
}

// Next reads a row.
func (r *rows) Next(dest []driver.Value) error {
	if !r.more {
		if err := r.found.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	values, err := r.found.Values()
	if err != nil {
		return err
	}
	for i, v := range values {
		switch n := v.(type) { // driver.Value knows no other numbers
		case int32:
			v = int64(n)
		case int16:
			v = int64(n)
		case float32:
			v = float64(n)
		}
		dest[i] = v
	}
	r.more = r.found.Next()
	return nil
}
