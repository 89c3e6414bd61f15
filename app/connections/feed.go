package connections

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// feedMost is how many deliveries one commit shall have: rings wait for it. Facts that nobody
	// wants cost next to nothing, so factsMost of them pass in one commit. However many deliveries
	// a fact makes, a commit may have factsLeast facts.
	feedMost              = 30
	factsMost, factsLeast = 500, 4
	// feedPause is how long the feed lets facts come together after it was woken.
	feedPause = 20 * time.Millisecond
	// feedEvery is how often it looks for facts that other processes recorded.
	feedEvery = 250 * time.Millisecond
	// feedIdle is how often it looks while no connection wants anything.
	feedIdle = time.Second
)

// feed turns the facts of rings into deliveries, in the order of their commits.
type feed struct {
	store  *store.Store
	cursor store.Cursor
	write  func(store.Cursor, store.Batch, []store.NewDelivery) (moved bool, err error)
	wakes  chan struct{}
	most   int  // facts of the next commit
	heard  bool // some connection wanted something at the last look
	turn   int  // of store.Jobs, at the last wake
}

func (f *feed) wake() {
	select {
	case f.wakes <- struct{}{}:
	default:
	}
}

// run feeds until ctx is done.
func (f *feed) run(ctx context.Context, log *slog.Logger) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-f.wakes:
			if !f.wants() {
				continue
			}
			pause.Reset(feedPause)
			select {
			case <-ctx.Done():
				return
			case <-pause.C:
			}
		}
		full := true
		for full && ctx.Err() == nil {
			var err error
			if full, err = f.once(ctx); err != nil && ctx.Err() == nil {
				log.Error("turn facts into events", "err", err)
			}
		}
		pause.Reset(f.rest())
	}
}

// wants reports whether to look at new facts at once: somebody wants events, or may want them since
// the last look.
func (f *feed) wants() bool {
	turn := f.store.Jobs().Changes()
	changed := turn != f.turn
	f.turn = turn
	return f.heard || changed
}

func (f *feed) rest() time.Duration {
	if f.heard {
		return feedEvery
	}
	return feedIdle
}

// once feeds one batch. full says that there may be more behind it.
func (f *feed) once(ctx context.Context) (full bool, err error) {
	most := f.most
	b, err := f.cursor.Next(ctx, most)
	if err != nil || len(b.Facts) == 0 {
		return false, err
	}
	skip := store.Batch{}
	if !f.heard { // read before the connections: one that was added later may miss nothing
		if skip, err = f.cursor.Skip(ctx); err != nil {
			return false, err
		}
	}
	// Read behind the facts: a connection that was there when they were committed is in the list.
	listeners, err := f.store.Jobs().ListenersOf(ctx, tenantsOf(b.Facts))
	if err != nil {
		return false, err
	}
	wasHeard := f.heard
	if f.heard = len(listeners) > 0; !f.heard {
		if f.heard, err = f.store.Jobs().Listens(ctx); err != nil {
			return false, err
		}
	}
	if !f.heard {
		if wasHeard { // the next turn skips
			return true, nil
		}
		_, err = f.store.Jobs().Feed(ctx, f.cursor, skip, nil)
		return false, err
	}
	by := map[tenants.TenantID][]store.Listener{}
	for _, l := range listeners {
		by[l.Tenant] = append(by[l.Tenant], l)
	}
	deliveries, err := f.compose(ctx, b.Facts, by)
	if err != nil {
		return false, err
	}
	var fits bool
	if f.most, fits = factsFor(len(b.Facts), len(deliveries)); !fits { // the next turn reads fewer facts
		return true, nil
	}
	moved, err := f.write(f.cursor, b, deliveries)
	if err != nil || !moved {
		return !moved && err == nil, err
	}
	return len(b.Facts) == most, nil
}

// factsFor returns how many facts the next commit may have, if they make as many deliveries as
// these, and whether these may be in one: up to twice feedMost, so that few are read in vain.
func factsFor(facts, deliveries int) (next int, fits bool) {
	next = max(factsLeast, min(factsMost, facts*feedMost/max(1, deliveries)))
	return next, deliveries <= 2*feedMost || facts <= factsLeast
}

func tenantsOf(facts []store.Committed) []tenants.TenantID {
	seen := map[tenants.TenantID]bool{}
	for _, c := range facts {
		seen[c.Tenant] = true
	}
	return slices.Collect(maps.Keys(seen))
}

// compose is what the facts mean to the connections, in order.
func (f *feed) compose(ctx context.Context, facts []store.Committed, by map[tenants.TenantID][]store.Listener) (all []store.NewDelivery,
	err error) {
	rings := map[tenants.RingID]*tenants.Ring{}
	var wanted []*tenants.Ring
	for _, c := range facts {
		if c.Fact.Kind.MakesEvents() && len(by[c.Tenant]) > 0 && rings[c.Ring] == nil {
			ring := &tenants.Ring{ID: c.Ring, Tenant: c.Tenant} // Again reads the rest
			rings[c.Ring], wanted = ring, append(wanted, ring)
		}
	}
	if wanted, err = f.store.Jobs().Again(ctx, wanted); err != nil {
		return nil, err
	}
	for _, r := range wanted {
		rings[r.ID] = r
	}
	for _, c := range facts {
		r := rings[c.Ring]
		if r == nil || r.CreatedAt.IsZero() {
			continue // nobody wants it, or the ring is gone
		}
		events := eventsOf{ring: r, fact: c.Fact}
		for _, l := range by[c.Tenant] {
			if c.Fact.Received.Before(l.CreatedAt) {
				continue
			}
			for _, e := range events.to(l.Opaque) {
				if l.Wants(e.Kind) {
					all = append(all, store.NewDelivery{Tenant: c.Tenant, Connection: l.ID, Event: tenants.EventID(l.ID, r.ID, e.Kind),
						Kind: e.Kind, Ring: r.ID, At: e.At, Body: e.body})
				}
			}
		}
	}
	return all, nil
}

// eventsOf are the events of a fact, made once for all connections that hear of it.
type eventsOf struct {
	ring *tenants.Ring
	fact tenants.Fact
	made [2][]written // with names, and without
	done [2]bool
}

// written is an event with its body.
type written struct {
	tenants.RingEvent
	body []byte
}

func (e *eventsOf) to(opaque bool) []written {
	i := 0
	if opaque {
		i = 1
	}
	if e.done[i] {
		return e.made[i]
	}
	for _, r := range e.ring.Events(e.fact, opaque) {
		body := tenants.EventBody{Type: r.Kind, Timestamp: r.At, Data: r.Data}
		e.made[i] = append(e.made[i], written{r, body.Write()})
	}
	e.done[i] = true
	return e.made[i]
}
