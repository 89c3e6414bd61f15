package connections

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// dispatch claims what is due and begins attempts, until nothing new may begin. It begins what is
// claimed as soon as there is a slot.
func (e *Engine) dispatch() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	e.look()
	for paced := true; e.claims.Err() == nil; {
		select {
		case <-e.claims.Done():
			return
		case <-look.C:
			e.look()
		case <-e.wakes:
			e.begin()
			if !paced {
				pace.Reset(turnEvery)
			}
			paced = true
		case <-pace.C:
			paced = false
			e.turn()
		}
	}
}

// look finds the connections with deliveries that are due.
func (e *Engine) look() {
	due, err := e.Store.Jobs().DueConnections(e.claims, e.Now())
	if err != nil && e.claims.Err() == nil {
		e.Log.Error("find due deliveries", "err", err)
	}
	e.hint(due...)
}

// turn claims for the connections that have room, then begins what there are slots for.
func (e *Engine) turn() {
	var rooms []store.Room
	for _, l := range e.hungry() {
		room, err := e.open(l)
		if err != nil && e.claims.Err() == nil {
			e.Log.Error("open a connection", "tenant", l.Tenant, "connection", l.Connection, "err", err)
		}
		if room > 0 {
			rooms = append(rooms, store.Room{DueConnection: l.DueConnection, N: room})
		}
	}
	if err := e.claim(rooms); err != nil && e.claims.Err() == nil {
		e.Log.Error("claim deliveries", "connections", len(rooms), "err", err)
	}
	e.begin()
}

// hungry are the connections to claim for. Lines without work are forgotten.
func (e *Engine) hungry() (lines []*line) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, l := range e.lines {
		switch held := len(l.queue) + l.busy; {
		case l.gone:
		case l.look && held < claimedMost/2:
			lines = append(lines, l)
		case !l.look && held == 0:
			delete(e.lines, id)
		}
	}
	return lines
}

// open reads a connection as it is now, and says how many deliveries to claim for it.
func (e *Engine) open(l *line) (room int, err error) {
	c, _, err := e.Store.For(l.Tenant).Connections().ToSend(e.claims, l.Connection)
	e.mu.Lock()
	defer e.mu.Unlock()
	l.look = false // what adds work from now on says so
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return 0, nil // nothing must be sent to it any more
	}
	if err != nil {
		return 0, err
	}
	l.failing = !c.FailingSince.IsZero()
	return claimedMost - len(l.queue) - l.busy, nil
}

// claim claims deliveries of several connections in one commit.
func (e *Engine) claim(rooms []store.Room) error {
	if len(rooms) == 0 {
		return nil
	}
	e.writes.Lock()
	found, err := e.Store.Jobs().ClaimDeliveries(e.claims, rooms, e.Now(), lease)
	e.writes.Unlock()
	got := map[tenants.ConnectionID]int{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range found {
		got[d.Connection]++
		if l := e.lines[d.Connection]; !l.gone {
			l.queue = append(l.queue, d)
		}
	}
	for _, r := range rooms {
		l := e.lines[r.Connection]
		l.look = l.look || got[r.Connection] == r.N || err != nil
	}
	return err
}

// feed writes new deliveries. It claims those that this process sends at once, as far as nothing
// that is due already waits for the same connection.
func (e *Engine) feed(c store.Cursor, b store.Batch, all []store.NewDelivery) (moved bool, err error) {
	if e.alone && !e.careful {
		moved, err = e.sendFirst(c, b, all)
		e.careful = !moved // with an error too
		return moved, err
	}
	e.writes.Lock()
	defer e.writes.Unlock()
	lines, rooms := e.roomsFor(all)
	moved, claimed, err := e.Store.Jobs().FeedAndClaim(e.claims, c, b, all, store.Take{Rooms: rooms, Lease: lease})
	if err != nil || !moved {
		return false, err
	}
	e.careful = false
	e.mu.Lock()
	defer e.mu.Unlock()
	left := map[tenants.ConnectionID]int{}
	for _, d := range all {
		left[d.Connection]++
	}
	for _, d := range claimed {
		left[d.Connection]--
		if l := e.line(lines[d.Connection]); !l.gone {
			l.queue = append(l.queue, d)
		}
	}
	for id, n := range left {
		l := e.line(lines[id])
		l.look = l.look || n > 0
	}
	e.wake()
	return true, nil
}

// roomsFor is roomFor of all connections that get new deliveries.
func (e *Engine) roomsFor(all []store.NewDelivery) (map[tenants.ConnectionID]store.DueConnection, map[tenants.ConnectionID]int) {
	lines, rooms := map[tenants.ConnectionID]store.DueConnection{}, map[tenants.ConnectionID]int{}
	for _, d := range all {
		if _, ok := lines[d.Connection]; !ok {
			lines[d.Connection] = store.DueConnection{Tenant: d.Tenant, Connection: d.Connection}
			rooms[d.Connection] = e.roomFor(lines[d.Connection])
		}
	}
	return lines, rooms
}

// roomFor is how many new deliveries of a connection this process may send at once. There is none
// for a connection that fails, or for which older deliveries wait.
func (e *Engine) roomFor(d store.DueConnection) int {
	c, _, err := e.Store.For(d.Tenant).Connections().ToSend(e.claims, d.Connection)
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.line(d)
	if err != nil {
		e.trims[d] = true // it may be disabled: nothing is sent, so nothing else trims it
	}
	if l.failing = !c.FailingSince.IsZero(); err != nil || l.look || l.gone || e.fails(l) {
		return 0
	}
	return claimedMost - len(l.queue) - l.busy
}

// begin starts attempts, one of each connection in turn, while there are slots.
func (e *Engine) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := slices.Collect(maps.Keys(e.lines)) // in no order: no connection is always first
	for began := true; began; {
		began = false
		for _, id := range ids {
			l := e.lines[id]
			if !e.room(l) {
				continue
			}
			d, ok := l.next()
			if !ok {
				continue
			}
			began = true
			if d.DueAt.Sub(e.Now()) < answerWithin {
				delete(l.rings, d.Ring)
				l.look = true // too late for this claim: it comes back
				e.first.leave(d)
				continue
			}
			e.first.begin(d)
			l.busy++
			e.tenants[l.Tenant]++
			e.busy++
			fails := e.fails(l)
			if fails {
				e.failing++
				e.fail[l.Tenant]++
			}
			e.workers.Go(func() {
				defer e.free(l, fails)
				e.attempt(l, d)
			})
		}
	}
}

// fails is called with mu held.
func (e *Engine) fails(l *line) bool { return l.failing || !e.slow[l.Connection].IsZero() }

// room reports whether an attempt of the line may begin. Called with mu held.
func (e *Engine) room(l *line) bool {
	if e.fails(l) && (l.busy > 0 || e.failing >= atOnceFailing || e.fail[l.Tenant] >= atOnceTenantFailing) {
		return false
	}
	return l.busy < atOnceConnection && e.tenants[l.Tenant] < atOnceTenant && e.busy < atOnce
}

// attempt makes one attempt and hands on how it went. The connection is read again first: between
// the claim and the attempt it may have been paused, removed or given another address or secret.
func (e *Engine) attempt(l *line, d tenants.Delivery) {
	c, s, err := e.Store.For(l.Tenant).Connections().ToSend(e.attempts, l.Connection)
	if err != nil {
		if e.attempts.Err() == nil {
			e.giveBack(l, d, err)
		}
		return
	}
	ctx, begun := e.starts.wait(e.attempts, e.Store.Feeds().GiveWay)
	a, after := e.deliver(ctx, c, s, d)
	begun()
	if e.attempts.Err() != nil {
		return // an attempt that we cut off says nothing: it comes back
	}
	o := outcome{line: l.DueConnection, role: c.Role, Outcome: store.Outcome{Delivery: d, Attempt: a}}
	o.gone = a.Status == http.StatusGone && !a.Good
	if !a.Good && !o.gone {
		o.Retry = e.retry(d, after)
	}
	e.mu.Lock()
	o.Held = l.settled(e.first, d, !o.Retry.IsZero())
	l.failing = !a.Good
	if o.gone {
		l.gone = true // what was claimed is given up with all that waits
		l.drop(e.first, func(tenants.Delivery) bool { return true })
	}
	if a.Took > slowFrom {
		e.slow[l.Connection] = e.Now()
	} else {
		delete(e.slow, l.Connection)
	}
	now := e.first.over(l, &o)
	e.mu.Unlock()
	if now {
		e.outcomes <- o
	}
}

// giveBack makes a delivery and what else was claimed for its connection due again, because the
// connection could not be read or must not be sent to.
func (e *Engine) giveBack(l *line, d tenants.Delivery, why error) {
	e.mu.Lock()
	all := e.first.written(append([]tenants.Delivery{d}, l.queue...))
	l.queue = nil
	delete(l.rings, d.Ring)
	e.mu.Unlock()
	if tenants.KindOf(why) != tenants.Unknown {
		e.Log.Error("open a connection", "tenant", l.Tenant, "connection", l.Connection, "err", why)
	}
	e.writes.Lock()
	err := e.Store.For(l.Tenant).Deliveries().Release(e.attempts, l.Connection, all)
	e.writes.Unlock()
	if err != nil && e.attempts.Err() == nil { // they come back when their claim ends
		e.Log.Error("give deliveries back", "tenant", l.Tenant, "connection", l.Connection, "err", err)
	}
}

func (e *Engine) free(l *line, failed bool) {
	e.mu.Lock()
	l.busy--
	e.busy--
	if failed {
		e.failing--
		if e.fail[l.Tenant]--; e.fail[l.Tenant] == 0 {
			delete(e.fail, l.Tenant)
		}
	}
	if e.tenants[l.Tenant]--; e.tenants[l.Tenant] == 0 {
		delete(e.tenants, l.Tenant)
	}
	e.mu.Unlock()
	e.wake()
}
