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

// The second wall. On PostgreSQL every table with tenant_id has a policy, forced on the table's
// owner too, that shows and takes only the rows of the tenant in app.tenant
// (migrations/postgres/00009_wall.sql). A statement goes through a door, which sets that for its
// own transaction and no longer; without a door there are no rows. A condition that somebody
// forgets then finds nothing, rather than everybody's.

// door is what a statement may reach: a tenant's rows, by the tenant's id, or one of these.
type door string

const (
	noDoor     door = ""  // what belongs to no tenant
	wholeHouse door = "*" // every tenant's; for the few that look across tenants, and for rows of many tenants written at once
)

// door is the tenant's own. An id that is no tenant's opens nothing.
func (s *scope) door() door {
	if _, ok := uuid(s.id).bytes(); ok {
		return door(s.id)
	}
	return noDoor
}

// reader reads through a door.
type reader struct {
	d    *database
	door door
}

// through is what reads through a door; SQLite has none.
func (d *database) through(at door) reader { return reader{d, at} }

// reads is what reads the tenant's rows.
func (s *scope) reads() reader { return s.s.db.through(s.door()) }

func (r reader) on(ctx context.Context) context.Context {
	if !r.d.dialect.guarded() {
		return ctx
	}
	return r.door.on(ctx)
}

// gorm is for queries that gorm puts together.
func (r reader) gorm(ctx context.Context) *gorm.DB { return r.d.orm.WithContext(r.on(ctx)) }

type doorKey struct{}

// on marks a statement's ctx.
func (d door) on(ctx context.Context) context.Context { return context.WithValue(ctx, doorKey{}, d) }

const openDoor = "SELECT set_config('app.tenant', $1, true)"

// guard is a connection to PostgreSQL that opens each statement's door in the same round trip: both
// travel in one batch, which is one transaction unless one is open already. A statement whose ctx
// names no door is for controlling the transaction or the schema.
type guard struct {
	*stdlib.Conn
	open door // in the transaction at hand
}

// unknown: nobody knows which door is open.
const unknown door = "?"

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

// opens says whether the statement has a door to open first. Only inside of a transaction can it be
// open already.
func (g *guard) opens(ctx context.Context) (door, bool) {
	want, named := ctx.Value(doorKey{}).(door)
	if !named {
		g.open = unknown // it may begin or end a transaction, or go back to a savepoint
		return want, false
	}
	if g.Conn.Conn().PgConn().TxStatus() == 'I' {
		return want, want != noDoor
	}
	was := g.open
	g.open = want
	return want, was != want
}

// ExecContext runs a statement through its door.
func (g *guard) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	want, first := g.opens(ctx)
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

// QueryContext runs a statement through its door and reads rows.
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

// batch sends the door and the statement, and takes the door's answer.
func (g *guard) batch(ctx context.Context, want door, query string, args []driver.NamedValue) (pgx.BatchResults, error) {
	conn := g.Conn.Conn()
	if conn.IsClosed() {
		return nil, driver.ErrBadConn
	}
	values := make([]any, len(args))
	for i := range args {
		values[i] = args[i].Value
	}
	b := &pgx.Batch{}
	b.Queue(openDoor, string(want))
	b.Queue(query, values...)
	results := conn.SendBatch(ctx, b)
	if _, err := results.Exec(); err != nil {
		_ = results.Close() // it says the same again
		if pgconn.SafeToRetry(err) {
			return nil, driver.ErrBadConn
		}
		return nil, err
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
