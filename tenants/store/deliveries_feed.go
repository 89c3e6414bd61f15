package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"carillon/tenants"
)

// NewDelivery is an event that a connection will be sent.
type NewDelivery struct {
	Tenant     tenants.TenantID
	Connection tenants.ConnectionID
	Event      string
	Kind       tenants.EventKind
	Ring       tenants.RingID
	At         time.Time
	Body       []byte
}

// deliveriesTx is the writer's transaction as it writes deliveries and their tries.
type deliveriesTx struct{ *tx }

func (t *tx) deliveries() deliveriesTx { return deliveriesTx{t} }

// deliver writes a delivery. One that waits behind another of its ring is due with that one. An
// event that the connection has already is left as it is. due_at + 0 keeps PostgreSQL from
// looking for the greatest in the index of all that waits.
func (t deliveriesTx) deliver(d NewDelivery, now int64) error {
	_, err := t.exec("INSERT INTO deliveries (tenant_id, connection_id, event_id, ring_id, kind, body, state, error, at, begun_at, "+
		"due_at, tries, status, ended_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', '', ?, ?, COALESCE((SELECT MAX(e.due_at + 0) FROM "+
		"deliveries e"+t.d.dialect.by("deliveries_ring")+" WHERE e.tenant_id = ? AND e.connection_id = ? AND e.ring_id = ? AND "+
		"e.ring_id <> "+t.d.dialect.noID()+" AND e.due_at > 0), ?), 0, 0, 0) "+
		"ON CONFLICT (tenant_id, connection_id, event_id) DO NOTHING",
		uuid(d.Tenant), uuid(d.Connection), uuid(d.Event), uuid(d.Ring), string(d.Kind), string(d.Body), micros(d.At), now,
		uuid(d.Tenant), uuid(d.Connection), uuid(d.Ring), now)
	return err
}

// Feed moves a cursor behind a batch and writes the deliveries that the batch means, in one
// commit. It is false, and nothing was written, when another node was faster.
func (s Jobs) Feed(ctx context.Context, c Cursor, b Batch, all []NewDelivery) (moved bool, err error) {
	moved, _, err = s.FeedAndClaim(ctx, c, b, all, Take{})
	return moved, err
}

// Take says which new deliveries the caller of FeedAndClaim sends itself: up to Rooms of each
// connection, within Lease.
type Take struct {
	Rooms map[tenants.ConnectionID]int
	Lease time.Duration
}

// FeedAndClaim is Feed, and claims what the caller takes as Claim does, but of one ring all that
// nothing older waits before. The caller sends those of one ring one after the other.
func (s Jobs) FeedAndClaim(ctx context.Context, c Cursor, b Batch, all []NewDelivery,
	take Take) (moved bool, claimed []tenants.Delivery, err error) {
	if b.from == b.to && len(all) == 0 {
		return true, nil, nil
	}
	err = s.w.lazily(ctx, allTenants, func(t *tx) error {
		claimed = nil
		if moved, err = c.move(t, b.from, b.to); err != nil || !moved {
			return err
		}
		f := feeding{tx: t, now: s.now(), take: take, due: map[queueOf]int64{}, taken: map[tenants.ConnectionID]int{}}
		claimed, err = f.write(all)
		return err
	})
	if err != nil || !moved {
		return false, nil, err
	}
	return true, claimed, nil
}

// queueOf is the deliveries of one ring to one connection, which go one after the other.
type queueOf struct {
	connection tenants.ConnectionID
	ring       tenants.RingID
}

// feeding is the work of one FeedAndClaim.
type feeding struct {
	*tx
	now   time.Time
	take  Take
	due   map[queueOf]int64 // what waits already, and what was added
	taken map[tenants.ConnectionID]int
}

func (f feeding) write(all []NewDelivery) (claimed []tenants.Delivery, err error) {
	if err := f.waiting(all); err != nil {
		return nil, err
	}
	now, lease := micros(f.now), micros(f.now.Add(f.take.Lease))
	ours := map[queueOf]bool{}
	wanted := map[string]int{} // by event: a place in claimed
	for _, d := range all {
		q := queueOf{d.Connection, d.Ring}
		due, waits := f.due[q]
		room := f.take.Rooms[d.Connection] - f.taken[d.Connection]
		if !waits || d.Ring == "" {
			due, waits = now, false
			if room > 0 {
				due = lease
			}
		}
		if room > 0 && (!waits || ours[q]) {
			ours[q], wanted[d.Event] = true, len(claimed)
			f.taken[d.Connection]++
			claimed = append(claimed, tenants.Delivery{Event: d.Event, Connection: d.Connection, Kind: d.Kind, Ring: d.Ring, Body: d.Body,
				At: moment(micros(d.At)), BegunAt: moment(now), DueAt: moment(due), State: tenants.DeliveryWaiting})
		} else {
			ours[q] = false // what comes behind it waits for it
		}
		f.due[q] = due
		f.rows.deliveries.add(uuid(d.Tenant), uuid(d.Connection), uuid(d.Event), uuid(d.Ring), string(d.Kind), string(d.Body),
			string(tenants.DeliveryWaiting), "", micros(d.At), now, due, 0, 0, 0)
	}
	err = f.insert(len(wanted) > 0, func(event string, seq int64) {
		if i, ok := wanted[event]; ok {
			claimed[i].Seq = seq
		}
	})
	return slices.DeleteFunc(claimed, func(d tenants.Delivery) bool { return d.Seq == 0 }), err
}

// insert writes the rows that were collected, and says their seqs if they are wanted. An event that
// the connection has already is left as it is, and has none.
func (f feeding) insert(wanted bool, each func(event string, seq int64)) error {
	f.wrote = true
	return f.rows.deliveries.flush(f.d.dialect, func(text string, args []any, rows int) error {
		text += " ON CONFLICT (tenant_id, connection_id, event_id) DO NOTHING"
		switch {
		case !wanted:
			_, err := f.run(text, args)
			return err
		case f.d.dialect.isFile():
			return f.count(text, args, rows, each)
		}
		return f.seqs(text+" RETURNING seq, event_id", args, each)
	})
}

// count is insert on SQLite, which gives the new rows of a statement consecutive seqs and tells the
// last: that costs less than a statement that gives rows. A row begins with its tenant, connection
// and event.
func (f feeding) count(text string, args []any, rows int, each func(event string, seq int64)) error {
	r, err := f.run(text, args)
	if err != nil {
		return err
	}
	made, err := r.RowsAffected()
	if err != nil || made == 0 {
		return err
	}
	last, err := r.LastInsertId()
	if err != nil {
		return err
	}
	width := len(args) / rows
	for i := range rows {
		row, seq := args[i*width:], last-int64(rows-1-i)
		event, _ := row[2].(uuid)
		if made < int64(rows) { // which of them are new, the numbers do not say
			err := f.row("SELECT seq FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND event_id = ? AND seq > ?",
				append(slices.Clone(row[:3]), last-made), &seq)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
		}
		each(string(event), seq)
	}
	return nil
}

// seqs is insert where a statement gives the seqs of its new rows.
func (f feeding) seqs(query string, args []any, each func(event string, seq int64)) error {
	type row struct {
		seq   int64
		event uuid
	}
	f.d.observe(query)
	rows, err := f.open(query, args)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.seq, &r.event} })
	for _, r := range found {
		each(string(r.event), r.seq)
	}
	return f.fail(err)
}

// waiting reads until when what waits of the same rings does.
func (f feeding) waiting(all []NewDelivery) error {
	return f.fail(waitingOf(context.Background(), f.d.dialect, f.tx, all, f.due))
}

// byConnection are the new deliveries of each connection.
func byConnection(all []NewDelivery) map[DueConnection][]NewDelivery {
	by := map[DueConnection][]NewDelivery{}
	for _, d := range all {
		to := DueConnection{d.Tenant, d.Connection}
		by[to] = append(by[to], d)
	}
	return by
}

// waitingOf reads until when what waits of the rings of new deliveries does.
func waitingOf(ctx context.Context, d dialect, q querier, all []NewDelivery, due map[queueOf]int64) error {
	type row struct {
		ring uuid
		due  int64
	}
	for to, those := range byConnection(all) {
		var rings []tenants.RingID
		for _, n := range those {
			if n.Ring != "" && !slices.Contains(rings, n.Ring) {
				rings = append(rings, n.Ring)
			}
		}
		if len(rings) == 0 {
			continue
		}
		rows, err := q.query(ctx, "SELECT e.ring_id, MAX(e.due_at + 0) FROM deliveries e"+d.by("deliveries_ring")+
			" WHERE e.tenant_id = ? AND e.connection_id = ? AND e.ring_id IN ("+marks(len(rings))+") AND e.due_at > 0 GROUP BY e.ring_id",
			slices.Insert(some(to.Tenant, rings), 1, any(uuid(to.Connection)))...)
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.ring, &r.due} })
		if err != nil {
			return err
		}
		for _, r := range found {
			due[queueOf{to.Connection, tenants.RingID(r.ring)}] = r.due
		}
	}
	return nil
}
