package store

import (
	"database/sql"
	"errors"
	"maps"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"carillon/tenants"
)

// A group holds the rows of its tenants on PostgreSQL until its commit. A row that somebody else
// holds for longer than lock_timeout, such as a person with an open transaction in psql, must cost
// only that tenant its writes: the writer then waits for it no more for a while, and goes on with
// the others.

const (
	// heldFor is how long the writer takes a row only if it is free, after it waited in vain.
	heldFor = 15 * time.Second
	// heldMost is how many rows of a group are waited for in vain, one after the other. Then no
	// other row is waited for in that group.
	heldMost = 2
)

// heldRows are the tenants whose rows were waited for in vain. It belongs to the writer's
// goroutine.
type heldRows struct {
	of   map[tenants.TenantID]heldRow
	last error // why the last row was not given; nil = none of the group at hand was waited for in vain
	n    int   // rows of the group at hand that were waited for in vain
}

type heldRow struct {
	until time.Time
	why   error
}

// group begins a group.
func (h *heldRows) group() { h.last, h.n = nil, 0 }

// why is what PostgreSQL said of a tenant's row that is not to be waited for; nil = wait for it.
func (h *heldRows) why(id tenants.TenantID) error {
	if row, ok := h.of[id]; ok && time.Now().Before(row.until) {
		return row.why
	}
	if h.n >= heldMost {
		return h.last
	}
	return nil
}

// met notes that a tenant's row was waited for in vain, if that is what err says.
func (h *heldRows) met(id tenants.TenantID, err error) {
	if _, state := codes(err); state != pgLockTimeout || h.why(id) != nil {
		return // a row that is not waited for can still wait for its table
	}
	now := time.Now()
	maps.DeleteFunc(h.of, func(_ tenants.TenantID, row heldRow) bool { return now.After(row.until) })
	if h.of == nil {
		h.of = map[tenants.TenantID]heldRow{}
	}
	h.of[id] = heldRow{now.Add(heldFor), err}
	h.last = err
	h.n++
}

// free notes that a tenant's row was given.
func (h *heldRows) free(id tenants.TenantID) { delete(h.of, id) }

// tips reads the ends of tenants' chains. On PostgreSQL it holds the tenants' rows.
type tips struct{ *tx }

// last is the seq and hash of the tenant's last audit row. Where the row is held and not waited
// for, that is an error of the job alone: the transaction goes on.
func (t tips) last(id tenants.TenantID) (seq int64, hash []byte, err error) {
	held := t.held.why(id)
	query, args := t.d.dialect.lastAudit(uuid(id), held == nil)
	err = t.row(query, args, &seq, &hash)
	switch {
	case err == nil:
		t.held.free(id)
	case held != nil && errors.Is(err, sql.ErrNoRows):
		err = held
	default:
		t.held.met(id, err)
	}
	return seq, hash, err
}

// errUndone is that PostgreSQL has given up on the transaction although no statement said so when
// it was sent: one failed while its rows were read. Nothing of it is written, and a COMMIT would be
// answered with ROLLBACK and no error.
var errUndone = errors.New("store: the transaction was undone")

// undone is why the job at hand has left the transaction failed although it may not say so; nil =
// it goes on.
func (t trips) undone(cause error) error {
	if t.failed != nil || !t.d.dialect.pipelines() {
		return t.failed
	}
	err := t.conn.Raw(func(conn any) error {
		if g, ok := conn.(*guard); ok && g.failed() {
			return errUndone
		}
		return nil
	})
	if err != nil && cause != nil {
		return cause
	}
	return err
}

// failed reports that the transaction at hand can only be rolled back.
func (g *guard) failed() bool { return !g.begins && g.Conn.Conn().PgConn().TxStatus() != 'T' }

// committed is what a COMMIT did by its tag.
func committed(tag pgconn.CommandTag) error {
	if tag.String() == rollback {
		return errUndone
	}
	return nil
}
