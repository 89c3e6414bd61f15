package store

import (
	"context"

	"carillon/tenants"
)

// Cursor reads the committed facts of every tenant in the order of their commits, and keeps its
// place in the database under its name: what follows the facts across restarts and over several
// nodes (the tallies, mail, connections) has one each. A name that is new begins at the oldest
// fact.
//
// It reads facts in an order that nobody can insert into any more. On SQLite that is seq, because
// one writer commits in that order. On PostgreSQL a transaction may commit after one that took a
// later seq; there the order is (transaction, seq), and only facts of transactions older than every
// open one are read.
type Cursor struct {
	s    *core
	name string
}

// place is a place in the order of facts: behind the fact with these numbers.
type place struct{ xact, seq int64 }

func (p place) before(xact, seq int64) bool { return p.xact < xact || p.xact == xact && p.seq < seq }

// Committed is a fact with the ring it belongs to.
type Committed struct {
	Tenant tenants.TenantID
	Ring   tenants.RingID
	Fact   tenants.Fact
}

// Batch is what a Cursor read: Facts in order, and where they end.
type Batch struct {
	Facts    []Committed
	from, to place
}

// Behind reports whether all facts of the batch are behind the end of the other one.
func (b Batch) Behind(other Batch) bool { return !b.from.before(other.to.xact, other.to.seq) }

// continueFacts sees to it that new facts follow those that are there, before one is written; see
// dialect.continueFacts.
func (s *core) continueFacts(ctx context.Context) error {
	query := s.db.dialect.continueFacts()
	if query == "" {
		return nil
	}
	rows, err := s.db.through(noTenant).query(ctx, query)
	_, err = collect(rows, err, func(is *bool) []any { return []any{is} })
	return translate(err)
}

// Cursor is the one with this name.
func (s *Store) Cursor(name string) Cursor { return s.cursor(name) }

func (s *core) cursor(name string) Cursor { return Cursor{s, name} }

// Next reads up to limit facts behind the cursor and does not move it: what is not Done is read
// again, so that each fact is seen at least once.
func (c Cursor) Next(ctx context.Context, limit int) (Batch, error) {
	from, more, err := c.at(ctx)
	b := Batch{from: from, to: from}
	if err != nil || !more {
		return b, err
	}
	past, order, args := c.s.db.dialect.behind(from)
	rows, err := c.s.db.through(allTenants).scan(ctx, "SELECT xact, seq, tenant_id, ring_id, attempt_id, kind, at, "+
		"received_at, raw_at, raw_sent_at, detail FROM facts WHERE "+past+" ORDER BY "+order+" LIMIT ?", append(args, limit)...)
	found, err := collect(rows, err, (*committedRow).fields)
	if err != nil {
		return b, translate(err)
	}
	for i := range found {
		b.Facts = append(b.Facts, found[i].noun())
		b.to = found[i].place
	}
	return b, nil
}

// Done moves the cursor behind a batch. It is false, and nothing moved, when another node has moved
// it since the batch was read.
func (c Cursor) Done(ctx context.Context, b Batch) (moved bool, err error) {
	if b.from == b.to {
		return true, nil
	}
	err = c.s.w.do(ctx, noTenant, func(t *tx) (err error) {
		moved, err = c.move(t, b.from, b.to)
		return err
	})
	return moved, err
}

// Skip is a batch without facts that ends at the newest one. A cursor whose reader needs none of
// them is moved there at once.
func (c Cursor) Skip(ctx context.Context) (Batch, error) {
	from, more, err := c.at(ctx)
	b := Batch{from: from, to: from}
	if err != nil || !more {
		return b, err
	}
	rows, err := c.s.db.through(allTenants).query(ctx, c.s.db.dialect.lastFact())
	found, err := collect(rows, err, func(p *place) []any { return []any{&p.xact, &p.seq} })
	if err == nil && len(found) > 0 && from.before(found[0].xact, found[0].seq) {
		b.to = found[0]
	}
	return b, translate(err)
}

// at is the cursor's place, and whether there are facts behind it: one cheap read.
func (c Cursor) at(ctx context.Context) (at place, more bool, err error) {
	type row struct {
		place
		more bool
	}
	rows, err := c.s.db.through(allTenants).query(ctx, "SELECT w.xact, w.seq, EXISTS "+
		"(SELECT 1 FROM facts WHERE "+c.s.db.dialect.behindMark()+") FROM watermarks w WHERE w.name = ?", c.name)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.xact, &r.seq, &r.more} })
	if err != nil || len(found) == 0 {
		return place{}, err == nil, translate(err)
	}
	return found[0].place, found[0].more, nil
}

// move takes the cursor from one place to another in the caller's transaction; false means that it
// is no longer at from.
func (c Cursor) move(t *tx, from, to place) (bool, error) {
	n, err := t.change("UPDATE watermarks SET xact = ?, seq = ? WHERE name = ? AND xact = ? AND seq = ?",
		to.xact, to.seq, c.name, from.xact, from.seq)
	if err != nil || n > 0 || from != (place{}) {
		return n > 0, err
	}
	n, err = t.change("INSERT INTO watermarks (name, xact, seq) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", c.name, to.xact, to.seq)
	return n > 0, err
}

type committedRow struct {
	place
	tenant, ring, attempt        uuid
	kind, detail                 string
	at, received, rawAt, rawSent int64
}

func (r *committedRow) fields() []any {
	return []any{&r.xact, &r.seq, &r.tenant, &r.ring, &r.attempt, &r.kind, &r.at, &r.received, &r.rawAt, &r.rawSent, &r.detail}
}

func (r *committedRow) noun() Committed {
	return Committed{tenants.TenantID(r.tenant), tenants.RingID(r.ring), tenants.Fact{
		Seq: r.seq, Attempt: tenants.AttemptID(r.attempt), Kind: tenants.FactKind(r.kind), At: moment(r.at), Received: moment(r.received),
		RawAt: moment(r.rawAt), RawSent: moment(r.rawSent), Detail: r.detail,
	}}
}
