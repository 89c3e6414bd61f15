package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"carillon/tenants"
)

// A round trip to PostgreSQL costs a node more processor time than most statements in it. So the
// writer sends several at once where it needs none of their answers to go on: BEGIN travels with
// the first statement of a transaction, and what was collected travels with its COMMIT.

// sent is a statement of a pipeline.
type sent struct {
	text string
	args []any
	rows func(pgx.Rows) error    // reads what it gives; nil = nothing is read
	done func(pgconn.CommandTag) // gets what it did; nil = nobody asks
}

// What controls a transaction on PostgreSQL.
const (
	begin    = "BEGIN"
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// trips is the writer's transaction as it sends several statements at once.
type trips struct{ *tx }

// run runs statements of many tenants in one round trip, in order. After an error none behind the
// one that failed has run. PostgreSQL only.
func (t trips) run(list []sent) error {
	if len(list) == 0 {
		return nil
	}
	for i := range list {
		t.d.observe(list[i].text)
		_, list[i].text = t.postgres(list[i].text)
	}
	err := t.conn.Raw(func(conn any) error {
		g, ok := conn.(*guard)
		if !ok {
			return fmt.Errorf("store: the driver gave a %T", conn)
		}
		return g.pipeline(context.Background(), allTenants, list)
	})
	return t.fail(err)
}

// finish writes what is collected and commits.
func (t trips) finish() error {
	if t.d.dialect.pipelines() {
		if list := t.collected(); len(list) > 0 {
			return t.run(append(list, sent{text: commit}))
		}
	} else if err := t.flush(); err != nil {
		return err
	}
	if err := t.commit(); errors.Is(err, errUndone) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

// sendCollected is flush on PostgreSQL, in one round trip.
func (t trips) sendCollected() error {
	if err := t.run(t.collected()); err != nil {
		return err
	}
	if len(t.rows.audits.args) > 0 {
		clear(t.audits)
	}
	t.rows.written()
	return nil
}

// open begins a group's transaction. It holds the tenants' rows of the whole group, in the order of
// their ids: two nodes that held them in the order of their jobs would wait for each other. In the
// same round trip go the changes that are written together, unless the jobs run alone.
func (t trips) open(group []*job, alone bool) error {
	ids := map[tenants.TenantID]bool{}
	for _, j := range group {
		if _, ok := uuid(j.tenant).bytes(); ok { // another id is refused where its own job needs the row
			ids[j.tenant] = true
		}
		if j.change != nil {
			j.change.tried, j.change.done = false, false
		}
	}
	type row struct {
		id   tenants.TenantID
		seq  int64
		hash []byte
	}
	var list []sent
	var found []row
	answered, asked := 0, slices.Sorted(maps.Keys(ids))
	for _, id := range asked {
		query, args := t.d.dialect.lastAudit(uuid(id), t.held.why(id) == nil)
		list = append(list, sent{text: query, args: args, rows: func(r pgx.Rows) error {
			for x := (row{id: id}); r.Next(); found = append(found, x) {
				if err := r.Scan(&x.seq, &x.hash); err != nil {
					return err
				}
			}
			if r.Err() == nil {
				answered++
			}
			return r.Err()
		}})
	}
	if !alone {
		list = append(list, t.rings().together(group)...)
	}
	if err := t.run(list); err != nil {
		if answered < len(asked) {
			t.held.met(asked[answered], err)
		}
		return err
	}
	t.access = allTenants
	for _, x := range found { // a tenant that is not there, or whose row is held, is met again by its job
		t.held.free(x.id)
		var rest unchained
		if err := keepTip(t.tx, x.id, x.seq, x.hash); err != nil && tenants.KindOf(err) != tenants.Unknown && !errors.As(err, &rest) {
			return err // the others are of one job, which meets them again
		}
	}
	return nil
}

// collected are the statements of what is collected, parents before children.
func (t trips) collected() (list []sent) {
	if t.rows.empty() {
		return nil
	}
	add := func(text string, args []any, _ int) error {
		list = append(list, sent{text: text, args: args})
		return nil
	}
	d := t.d.dialect
	_ = t.rows.rings.cut(d, add) // it has no errors but those of add
	_ = t.rows.attempts.cut(d, add)
	list = append(list, t.rows.later...)
	seqs := t.rows.seqs
	_ = t.rows.facts.cut(d, func(text string, args []any, rows int) error {
		mine := seqs[:2*rows]
		seqs = seqs[2*rows:]
		list = append(list, sent{text: text + " RETURNING seq", args: args, rows: func(r pgx.Rows) error { return readSeqs(r, mine) }})
		return nil
	})
	if len(t.rows.audits.args) == 0 {
		return list
	}
	_ = t.rows.audits.cut(d, add)
	for id, tip := range t.audits {
		list = append(list, sent{text: setTip, args: []any{tip.seq, tip.hash[:], uuid(id)}})
	}
	return list
}

// readSeqs puts the seqs of a statement's rows where they go.
func readSeqs(r pgx.Rows, seqs []*int64) error {
	for i := 0; r.Next() && i < len(seqs); i += 2 {
		if err := r.Scan(seqs[i]); err != nil {
			return err
		}
		*seqs[i+1] = *seqs[i]
	}
	return r.Err()
}

// pipeline sends statements with an access, and reads their answers. A COMMIT is the last of them,
// and one that was answered is done, whatever becomes of the connection. An error that leaves open
// whether it was done is errCommit.
func (g *guard) pipeline(ctx context.Context, want access, list []sent) error {
	conn := g.Conn.Conn()
	if conn.IsClosed() {
		return driver.ErrBadConn
	}
	b := &pgx.Batch{}
	leads := g.lead(b, want)
	commits := len(list) > 0 && list[len(list)-1].text == commit
	for i := range list {
		args, err := plainArgs(list[i].args)
		if err != nil {
			return err
		}
		b.Queue(list[i].text, args...)
	}
	if g.begins, g.open = false, want; commits {
		g.open = unknown
	}
	results := conn.SendBatch(ctx, b)
	worked, err := read(results, leads, list)
	if e := results.Close(); err == nil && !commits {
		err = e
	}
	if err != nil && commits && mayBeCommitted(err, worked == len(list)-1) {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return err
}

// read reads the answers up to the first error, and says how many statements of the list worked.
func read(results pgx.BatchResults, leads int, list []sent) (worked int, err error) {
	for range leads {
		if _, err := results.Exec(); err != nil {
			return 0, err
		}
	}
	for i := range list {
		if err := list[i].read(results); err != nil {
			return i, err
		}
	}
	return len(list), nil
}

func (s *sent) read(results pgx.BatchResults) error {
	if s.rows == nil {
		tag, err := results.Exec()
		switch {
		case err != nil:
			return err
		case s.text == commit:
			return committed(tag)
		case s.done != nil:
			s.done(tag)
		}
		return nil
	}
	found, err := results.Query()
	if err != nil {
		return err
	}
	defer found.Close()
	if err := s.rows(found); err != nil {
		return err
	}
	found.Close()
	return found.Err()
}

// mayBeCommitted reports that a pipeline that ends with COMMIT may have been committed although it
// failed. Where PostgreSQL refused a statement before it, or nothing was sent, it was not.
// PgBouncer says by an error of the class 08 that it has lost PostgreSQL: as the answer to
// whichever statement had none yet, although all may be done.
func mayBeCommitted(err error, atCommit bool) bool {
	var refused *pgconn.PgError
	var unsent pgx.ErrPreprocessingBatch
	switch {
	case errors.As(err, &unsent), errors.Is(err, errUndone):
		return false
	case errors.As(err, &refused):
		return atCommit || strings.HasPrefix(refused.Code, pgConnection)
	}
	return !pgconn.SafeToRetry(err)
}

// plainArgs turns ids into their bytes, so that one that is no UUID is an error before anything is
// sent.
func plainArgs(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
		if id, ok := a.(uuid); ok {
			v, err := id.Value()
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
	}
	return out, nil
}
