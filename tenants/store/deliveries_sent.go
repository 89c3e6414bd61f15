package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"carillon/tenants"
)

// Feeds turns facts into deliveries of which the caller sends some before they are written. It
// looks across all tenants.
type Feeds struct{ *core }

// Feeds returns the Feeds of all tenants.
func (s *Store) Feeds() Feeds { return Feeds{&s.core} }

// Alone waits until no other caller in this process turns facts into deliveries, and says
// whether nobody else can until leave is called. So it is on SQLite, whose file one server serves.
// On PostgreSQL, where other nodes feed as well, alone is false at once.
func (s Feeds) Alone(ctx context.Context) (alone bool, leave func()) {
	if !s.db.dialect.isFile() {
		return false, func() {}
	}
	select {
	case s.feeds <- struct{}{}:
		return true, func() { <-s.feeds }
	case <-ctx.Done():
		return false, func() {}
	}
}

// Fresh are those events that their connection has no delivery of, and of whose ring nothing waits
// for it: they may be sent before they are written; see FeedSent.
func (s Feeds) Fresh(ctx context.Context, all []NewDelivery) (events map[string]bool, err error) {
	q, waits, there := s.db.through(allTenants), map[queueOf]int64{}, map[string]bool{}
	if err := waitingOf(ctx, s.db.dialect, q, all, waits); err != nil {
		return nil, translate(err)
	}
	for to, those := range byConnection(all) {
		events := nouns(those, func(d NewDelivery) string { return d.Event })
		rows, err := q.query(ctx, "SELECT event_id FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND event_id IN ("+
			marks(len(events))+")", slices.Insert(some(to.Tenant, events), 1, any(uuid(to.Connection)))...)
		found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
		if err != nil {
			return nil, translate(err)
		}
		for _, id := range found {
			there[string(id)] = true
		}
	}
	events = map[string]bool{}
	for _, d := range all {
		_, behind := waits[queueOf{d.Connection, d.Ring}]
		events[d.Event] = !there[d.Event] && (!behind || d.Ring == "")
	}
	return events, nil
}

// Sent is a new delivery that its caller sends before it is written.
type Sent struct {
	NewDelivery
	Until time.Time                // the caller sends it by then; zero = it does not, and it is due at once
	Good  *tenants.DeliveryAttempt // that delivered it; nil = not yet
}

// sentMost bounds the deliveries of one commit of FeedSent: a ring may have to wait for it.
const sentMost = 8

// FeedSent is Feed of deliveries of which the caller has sent some already. It gives the seqs of
// those that are new, by event: the caller settles what was sent and not delivered yet. They are
// written in several commits, in order, and the cursor moves in the last one: what is behind the
// cursor already stays as it is when it is fed again. Also beside an error there are seqs.
func (s Feeds) FeedSent(ctx context.Context, c Cursor, b Batch, all []Sent) (moved bool, seqs map[string]int64, err error) {
	seqs = map[string]int64{}
	for len(all) > sentMost {
		if _, err := s.feedSent(ctx, nil, all[:sentMost], seqs); err != nil {
			return false, seqs, err
		}
		all = all[sentMost:]
	}
	if b.from == b.to && len(all) == 0 {
		return true, seqs, nil
	}
	moved, err = s.feedSent(ctx, func(t *tx) (bool, error) { return c.move(t, b.from, b.to) }, all, seqs)
	return moved && err == nil, seqs, err
}

// feedSent writes deliveries in one commit, unless move says no.
func (s Feeds) feedSent(ctx context.Context, move func(*tx) (bool, error), all []Sent, seqs map[string]int64) (moved bool, err error) {
	var found map[string]int64
	turned := false
	err = s.w.lazily(ctx, allTenants, func(t *tx) (err error) {
		found, turned = map[string]int64{}, false
		if move != nil {
			if moved, err = move(t); err != nil || !moved {
				return err
			}
		}
		f := feeding{tx: t, now: s.now(), due: map[queueOf]int64{}}
		if err := f.sent(all, found); err != nil {
			return err
		}
		turned, err = s.delivered(t, all, found)
		return err
	})
	if err == nil {
		maps.Copy(seqs, found)
	}
	if turned {
		s.seen.forget()
	}
	return moved, err
}

// sent writes deliveries as far as they have come.
func (f feeding) sent(all []Sent, seqs map[string]int64) error {
	var unsent []NewDelivery
	for _, d := range all {
		if d.Until.IsZero() {
			unsent = append(unsent, d.NewDelivery)
		}
	}
	if err := f.waiting(unsent); err != nil {
		return err
	}
	now := micros(f.now)
	for _, d := range all {
		q := queueOf{d.Connection, d.Ring}
		state, due, tries, status, ended := tenants.DeliveryWaiting, micros(d.Until), 0, 0, int64(0)
		switch behind, waits := f.due[q]; {
		case d.Good != nil:
			state, due, tries, status, ended = tenants.DeliveryDelivered, 0, 1, d.Good.Status, micros(d.Good.At.Add(d.Good.Took))
		case !d.Until.IsZero():
			f.due[q] = due
		case waits && d.Ring != "":
			due = behind
		default:
			due, f.due[q] = now, now
		}
		f.rows.deliveries.add(uuid(d.Tenant), uuid(d.Connection), uuid(d.Event), uuid(d.Ring), string(d.Kind), string(d.Body),
			string(state), "", micros(d.At), now, due, tries, status, ended)
	}
	return f.insert(true, func(event string, seq int64) { seqs[event] = seq })
}

// delivered writes the attempts of what was delivered, and that its connections work. turned says
// that one of them had failed.
func (s Feeds) delivered(t *tx, all []Sent, seqs map[string]int64) (turned bool, err error) {
	last := map[DueConnection]time.Time{}
	of := func(to DueConnection) *settling {
		return &settling{Deliveries: Deliveries{s.of(to.Tenant)}, tx: t, id: to.Connection}
	}
	for _, d := range all {
		seq, written := seqs[d.Event]
		if d.Good == nil || !written {
			continue
		}
		to := DueConnection{d.Tenant, d.Connection}
		if err := of(to).attempt(seq, d.Good); err != nil {
			return false, err
		}
		last[to] = d.Good.At
	}
	for to, at := range last {
		p := of(to)
		if err := p.works(at); err != nil {
			return false, err
		}
		turned = turned || p.turned
	}
	return turned, t.deliveries().flushTries()
}
