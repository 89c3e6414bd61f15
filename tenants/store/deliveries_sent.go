package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
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

// Expect says that a ring is on its way, until over is called: what gives way to rings waits for it
// a moment, also before the ring has come to the writer.
func (s *Store) Expect() (over func()) { return s.w.queue.expect() }

// giveWayFor is how long GiveWay waits at most, and giveWayStep how often it looks meanwhile.
const giveWayFor, giveWayStep = time.Millisecond, 100 * time.Microsecond

// GiveWay waits a moment while a ring is on its way, so that what comes next does not keep the
// processor from it.
func (s Feeds) GiveWay(ctx context.Context) {
	for range giveWayFor / giveWayStep {
		if !s.w.queue.hurries() || ctx.Err() != nil {
			return
		}
		time.Sleep(giveWayStep)
	}
}

// Fresh are those events that their connection has no delivery of, and of whose ring nothing waits
// for it: they may be sent before they are written; see FeedSent. unwritten says that there can be
// no delivery of them, because the caller wrote all that came before them: then only what waits is
// looked for.
func (s Feeds) Fresh(ctx context.Context, all []NewDelivery, unwritten bool) (events map[string]bool, err error) {
	q, waits, there := s.db.through(allTenants), map[queueOf]bool{}, map[string]bool{}
	for tenant, those := range byTenant(all) {
		if err := s.waits(ctx, q, tenant, those, waits); err != nil {
			return nil, translate(err)
		}
	}
	if !unwritten {
		if err := s.written(ctx, q, all, there); err != nil {
			return nil, translate(err)
		}
	}
	events = map[string]bool{}
	for _, d := range all {
		events[d.Event] = !there[d.Event] && !waits[queueOf{d.Connection, d.Ring}]
	}
	return events, nil
}

// waits adds the rings of new deliveries of which something waits already, with the connections
// that it waits for. One statement looks for all connections of a tenant: there is nothing as a
// rule, and then a statement is all that it costs.
func (s Feeds) waits(ctx context.Context, q querier, tenant tenants.TenantID, those []NewDelivery, waits map[queueOf]bool) error {
	to, rings := map[tenants.ConnectionID]bool{}, map[tenants.RingID]bool{}
	for _, d := range those {
		if d.Ring != "" {
			to[d.Connection], rings[d.Ring] = true, true
		}
	}
	if len(rings) == 0 {
		return nil
	}
	connections, ids := slices.Collect(maps.Keys(to)), slices.Collect(maps.Keys(rings))
	type row struct{ connection, ring uuid }
	rows, err := q.query(ctx, "SELECT DISTINCT e.connection_id, e.ring_id FROM deliveries e"+s.db.dialect.by("deliveries_ring")+
		" WHERE e.tenant_id = ? AND e.connection_id IN ("+marks(len(connections))+") AND e.ring_id IN ("+marks(len(ids))+
		") AND e.due_at > 0", append(some(tenant, connections), some(tenant, ids)[1:]...)...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.connection, &r.ring} })
	for _, r := range found {
		waits[queueOf{tenants.ConnectionID(r.connection), tenants.RingID(r.ring)}] = true
	}
	return err
}

// written adds the events of new deliveries that their connection has already.
func (s Feeds) written(ctx context.Context, q querier, all []NewDelivery, there map[string]bool) error {
	for to, those := range byConnection(all) {
		events := nouns(those, func(d NewDelivery) string { return d.Event })
		rows, err := q.query(ctx, "SELECT event_id FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND event_id IN ("+
			marks(len(events))+")", slices.Insert(some(to.Tenant, events), 1, any(uuid(to.Connection)))...)
		found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
		if err != nil {
			return err
		}
		for _, id := range found {
			there[string(id)] = true
		}
	}
	return nil
}

// byTenant are the new deliveries of each tenant.
func byTenant(all []NewDelivery) map[tenants.TenantID][]NewDelivery {
	by := map[tenants.TenantID][]NewDelivery{}
	for _, d := range all {
		by[d.Tenant] = append(by[d.Tenant], d)
	}
	return by
}

// Sent is a new delivery that its caller sends before it is written.
type Sent struct {
	NewDelivery
	Until time.Time                // the caller sends it by then; zero = it does not, and it is due at once
	Good  *tenants.DeliveryAttempt // that delivered it; nil = not yet
	try   []any                    // the row of Good
}

// sentMost bounds the deliveries of one commit of FeedSent. As soon as a ring waits for the writer,
// the commit ends with the sentStep that are being written, and the rest has a commit of its own
// behind that of the ring. A commit that rings share has sentShared: they wait for its fsync
// anyway.
const (
	sentMost   = 32
	sentStep   = 4
	sentShared = 2 * sentStep
)

// errPassed undoes a commit of FeedSent whose cursor somebody else has moved.
var errPassed = errors.New("store: the cursor was moved")

// FeedSent is Feed of deliveries of which the caller has sent some already. It gives the seqs of
// those that are new, by event: the caller settles what was sent and not delivered yet. They are
// written in one commit or in several, each connection's in order, and the cursor moves in the last
// one: what is there already stays as it is when it is fed again. Also beside an error there are
// seqs.
func (s Feeds) FeedSent(ctx context.Context, c Cursor, b Batch, all []Sent) (moved bool, seqs map[string]int64, err error) {
	seqs = map[string]int64{}
	if b.from == b.to && len(all) == 0 {
		return true, seqs, nil
	}
	// Those of one connection are neighbours in all indexes: a commit then writes fewer pages,
	// which the fsync of the next ring waits for.
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Sent) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), strings.Compare(string(a.Connection), string(b.Connection)))
	})
	for i, d := range all {
		if d.Good == nil {
			continue
		}
		if all[i].try, err = tryOf(DueConnection{d.Tenant, d.Connection}, d.Good); err != nil {
			return false, seqs, err
		}
	}
	began := time.Now()
	for over := false; !over; {
		n, err := s.feedSent(ctx, began, c, b, all, seqs)
		if errors.Is(err, errPassed) {
			return false, seqs, nil
		}
		if err != nil {
			return false, seqs, err
		}
		over, all = n == len(all), all[n:]
	}
	return true, seqs, nil
}

// feedSent writes the first of the deliveries in one commit, and says how many. With the last one
// the cursor moves.
func (s Feeds) feedSent(ctx context.Context, began time.Time, c Cursor, b Batch, all []Sent, seqs map[string]int64) (n int, err error) {
	var found map[string]int64
	turned := false
	err = s.w.lazilySince(ctx, allTenants, began, func(t *tx) (err error) {
		n, found, turned = 0, map[string]int64{}, false
		f := feeding{tx: t, now: s.now(), due: map[queueOf]int64{}}
		most, least := all[:min(len(all), sentMost)], sentStep
		if !t.lazy {
			least = sentShared
		}
		if err := f.waitingUnsent(most); err != nil {
			return err
		}
		for n < len(most) && (n < least || !s.w.hurries()) {
			part := most[n:min(n+sentStep, len(most))]
			if err := f.sent(part, found); err != nil {
				return err
			}
			if err := s.tried(t, part, found); err != nil {
				return err
			}
			n += len(part)
		}
		if turned, err = s.worked(t, most[:n], found); err != nil || n < len(all) {
			return err
		}
		moved, err := c.move(t, b.from, b.to)
		if err == nil && !moved {
			err = errPassed
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	maps.Copy(seqs, found)
	if turned {
		s.seen.forget()
	}
	return n, nil
}

// hurries reports whether the job at hand should end its commit soon: it is not alone in it, or
// somebody waits for the next one who does not give way.
func (w *writer) hurries() bool { return !w.tx.lazy || w.queue.hurries() }

// waitingUnsent is waiting for those that nobody sends yet.
func (f feeding) waitingUnsent(all []Sent) error {
	var unsent []NewDelivery
	for _, d := range all {
		if d.Until.IsZero() {
			unsent = append(unsent, d.NewDelivery)
		}
	}
	return f.waiting(unsent)
}

// sent writes deliveries as far as they have come.
func (f feeding) sent(all []Sent, seqs map[string]int64) error {
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

// tried writes the attempts of what was delivered.
func (s Feeds) tried(t *tx, all []Sent, seqs map[string]int64) error {
	for _, d := range all {
		if seq, written := seqs[d.Event]; written && d.try != nil {
			d.try[tryDelivery] = seq
			t.rows.tries.add(d.try...)
		}
	}
	return t.deliveries().flushTries()
}

// worked notes which connections delivered. turned says that one of them had failed.
func (s Feeds) worked(t *tx, all []Sent, seqs map[string]int64) (turned bool, err error) {
	last := map[tenants.TenantID]map[tenants.ConnectionID]time.Time{}
	for _, d := range all {
		if _, written := seqs[d.Event]; d.Good == nil || !written {
			continue
		}
		if last[d.Tenant] == nil {
			last[d.Tenant] = map[tenants.ConnectionID]time.Time{}
		}
		last[d.Tenant][d.Connection] = d.Good.At
	}
	for tenant, times := range last {
		noted, err := s.noted(t, tenant, times)
		if err != nil {
			return false, err
		}
		for id, at := range times {
			if noted[id] {
				continue
			}
			p := &settling{Deliveries: Deliveries{s.of(tenant)}, tx: t, id: id}
			if err := p.works(at); err != nil {
				return false, err
			}
			turned = turned || p.turned
		}
	}
	return turned, nil
}

// noted are the connections of a tenant of which it is known already that they deliver; see works,
// which would look for each one by itself.
func (s Feeds) noted(t *tx, tenant tenants.TenantID, times map[tenants.ConnectionID]time.Time) (map[tenants.ConnectionID]bool, error) {
	type row struct {
		id                 uuid
		failing, delivered int64
	}
	ids := slices.Collect(maps.Keys(times))
	rows, err := t.query(context.Background(), "SELECT id, failing_since, delivered_at FROM connections WHERE tenant_id = ? AND id IN ("+
		marks(len(ids))+")", some(tenant, ids)...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.id, &r.failing, &r.delivered} })
	noted := map[tenants.ConnectionID]bool{}
	for _, r := range found {
		id := tenants.ConnectionID(r.id)
		noted[id] = r.failing == 0 && r.delivered >= micros(times[id].Add(-time.Second))
	}
	return noted, err
}
