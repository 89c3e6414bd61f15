package storetest

import (
	"fmt"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// connected is a connection of the tenant for these events; none = all.
func (b *bench) connected(s *store.Scope, events ...tenants.EventKind) tenants.Connection {
	b.Helper()
	c := b.newConnection()
	c.Events = events
	_, err := s.Connections().Add(b.Context(), c)
	b.must(err)
	t, err := s.Tenant(b.Context())
	b.must(err)
	c.Tenant = t.ID
	return c
}

// feed writes events of a ring, or of none, as the engine does.
func (b *bench) feed(c tenants.Connection, ring tenants.RingID, names ...string) {
	b.Helper()
	b.happen()
	cursor := b.s.Cursor("connections")
	batch := b.newFacts(cursor)
	var all []store.NewDelivery
	for _, name := range names {
		all = append(all, store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: tenants.NewRandomID(),
			Kind: tenants.EventRingPlaced,
			Ring: ring, At: b.clock.Now(), Body: []byte(`"` + name + `"`)})
	}
	moved, err := b.s.Jobs().Feed(b.Context(), cursor, batch, all)
	b.must(err)
	equal(b, moved, true, "the cursor moved")
}

// newFacts are the facts behind a cursor. On PostgreSQL a fact can be read once every older
// transaction of the server has ended, those of other tests too.
func (b *bench) newFacts(c store.Cursor) store.Batch {
	b.Helper()
	for {
		batch, err := c.Next(b.Context(), 1000)
		b.must(err)
		if len(batch.Facts) > 0 {
			return batch
		}
	}
}

// happen records a fact of another tenant, so that the cursor can move.
func (b *bench) happen() {
	b.Helper()
	s := b.tenant()
	b.ring(s, b.device(s, ""))
}

func (b *bench) toSend(c tenants.Connection, limit int) []tenants.Delivery {
	b.Helper()
	all, err := b.s.For(c.Tenant).Deliveries().Claim(b.Context(), c.ID, b.clock.Now(), time.Minute, limit)
	b.must(err)
	return all
}

func bodies(all []tenants.Delivery) string {
	var names []string
	for _, d := range all {
		names = append(names, strings.Trim(string(d.Body), `"`))
	}
	return strings.Join(names, " ")
}

// went settles claimed deliveries: good, or failed and tried again after a pause.
func (b *bench) went(c tenants.Connection, all []tenants.Delivery, good bool, pause time.Duration) {
	b.Helper()
	var outcomes []store.Outcome
	for _, d := range all {
		o := store.Outcome{Delivery: d, Attempt: tenants.DeliveryAttempt{At: b.clock.Now(), Took: time.Millisecond, Status: 200,
			Good: good,
			Sent: map[string]string{"Webhook-Id": d.Event}, Answer: "ok\x00\xff"}}
		if !good {
			o.Attempt.Status, o.Attempt.Error = 500, "the receiver answered 500"
			if pause > 0 {
				o.Retry = b.clock.Now().Add(pause)
			}
		}
		outcomes = append(outcomes, o)
	}
	b.must(b.s.For(c.Tenant).Deliveries().Settle(b.Context(), c.ID, outcomes, false))
}

// testDeliveries: deliveries of one ring go one after the other, whatever happens to the first;
// those of others go meanwhile. A claim that nobody settles comes back.
func testDeliveries(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	one, two := tenants.NewID[tenants.RingID](b.clock.Now()), tenants.NewID[tenants.RingID](b.clock.Now())
	b.feed(c, one, "a1", "a2")
	b.feed(c, two, "b1")
	b.feed(c, "", "x", "y")
	due, err := b.s.Jobs().DueConnections(ctx, b.clock.Now())
	b.must(err)
	if len(due) != 1 || due[0].Connection != c.ID || due[0].Tenant != c.Tenant {
		b.Errorf("due: %+v", due)
	}
	oldest, err := b.s.Jobs().OldestDue(ctx, b.clock.Now())
	b.must(err)
	if at := oldest[tenants.RoleWebhook]; len(oldest) != 1 || at.IsZero() || at.After(b.clock.Now()) {
		b.Errorf("the oldest are due at %v", oldest)
	}
	first := b.toSend(c, 10)
	equal(b, bodies(first), "a1 b1 x y", "the first claim")
	equal(b, bodies(b.toSend(c, 10)), "", "claimed twice")
	b.feed(c, one, "a3")
	equal(b, bodies(b.toSend(c, 10)), "", "behind one that is under way")

	b.clock.add(time.Minute + time.Second) // nobody settled: the process died
	again := b.toSend(c, 10)
	equal(b, bodies(again), "a1 b1 x y", "what comes back")
	equal(b, again[0].Event, first[0].Event, "the id of what comes back")
	b.went(c, again[1:], true, 0)
	b.went(c, again[:1], false, time.Hour)
	b.clock.add(time.Minute)
	equal(b, bodies(b.toSend(c, 10)), "", "behind one that failed")
	b.feed(c, one, "a4")
	equal(b, bodies(b.toSend(c, 10)), "", "new behind one that failed")
	b.clock.add(time.Hour)
	for _, want := range []string{"a1", "a2", "a3", "a4", ""} {
		next := b.toSend(c, 10)
		equal(b, bodies(next), want, "in order after the failure")
		b.went(c, next, true, 0)
	}
	list, _, err := s.Deliveries().List(ctx, store.DeliveryQuery{Connection: c.ID, State: tenants.DeliveryDelivered})
	b.must(err)
	equal(b, bodies(list), "a4 a3 y x b1 a2 a1", "delivered")
	attempts, _, err := s.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: c.ID, Event: again[0].Event})
	b.must(err)
	if len(attempts) != 2 || !attempts[0].Good || attempts[1].Good || attempts[1].Error == "" || attempts[0].Answer != "ok\uFFFD" ||
		attempts[0].Sent["Webhook-Id"] != again[0].Event || string(attempts[0].Body) != `"a1"` {
		b.Errorf("attempts: %+v", attempts)
	}
	f, err := s.Deliveries().Figures(ctx, c.ID, b.clock.Now().Add(-24*time.Hour))
	b.must(err)
	if f.Attempts != 8 || f.Failed != 1 || f.P95 != time.Millisecond || f.Waiting != 0 {
		b.Errorf("figures: %+v", f)
	}
	got, err := s.Connections().Get(ctx, c.ID)
	b.must(err)
	if !got.FailingSince.IsZero() || got.LastDelivered.IsZero() {
		b.Errorf("after deliveries: %+v", got)
	}

	// What is given back is due at once.
	b.feed(c, "", "back")
	back := b.toSend(c, 1)
	b.must(s.Deliveries().Release(ctx, c.ID, back))
	equal(b, bodies(b.toSend(c, 1)), "back", "after a release")

	// A cursor that skips finds nothing behind it.
	b.happen()
	b.newFacts(b.s.Cursor("connections"))
	skip, err := b.s.Cursor("skips").Skip(ctx)
	b.must(err)
	moved, err := b.s.Jobs().Feed(ctx, b.s.Cursor("skips"), skip, nil)
	b.must(err)
	behind, err := b.s.Cursor("skips").Next(ctx, 10)
	b.must(err)
	if !moved || len(behind.Facts) != 0 {
		b.Errorf("after a skip, moved %v: %d facts", moved, len(behind.Facts))
	}

	// The same event is one delivery.
	d := store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: again[0].Event, Kind: tenants.EventRingPlaced, Ring: one,
		At: b.clock.Now(), Body: []byte(`"twice"`)}
	b.happen()
	batch := b.newFacts(b.s.Cursor("connections"))
	moved, err = b.s.Jobs().Feed(ctx, b.s.Cursor("connections"), batch, []store.NewDelivery{d})
	b.must(err)
	equal(b, moved, true, "moved")
	moved, err = b.s.Jobs().Feed(ctx, b.s.Cursor("connections"), batch, []store.NewDelivery{d})
	b.must(err)
	equal(b, moved, false, "a batch that was read already moves the cursor")
	equal(b, bodies(b.toSend(c, 10)), "", "an event that was delivered")
}

// testFedAndClaimed: a node claims what it sends at once while it feeds: of one ring all that
// nothing older waits before, as far as it has room. What it holds stays its own until it has
// settled it.
func testFedAndClaimed(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	one, two := tenants.NewID[tenants.RingID](b.clock.Now()), tenants.NewID[tenants.RingID](b.clock.Now())
	event := map[string]string{}
	feed := func(room int, names ...string) []tenants.Delivery {
		b.Helper()
		b.happen()
		cursor := b.s.Cursor("connections")
		batch := b.newFacts(cursor)
		var all []store.NewDelivery
		for _, name := range names {
			if event[name] == "" {
				event[name] = tenants.NewRandomID()
			}
			all = append(all, store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: event[name], Kind: tenants.EventRingPlaced,
				Ring: map[byte]tenants.RingID{'a': one, 'b': two}[name[0]], At: b.clock.Now(), Body: []byte(`"` + name + `"`)})
		}
		moved, claimed, err := b.s.Jobs().FeedAndClaim(ctx, cursor, batch, all,
			store.Take{Rooms: map[tenants.ConnectionID]int{c.ID: room}, Lease: time.Minute})
		b.must(err)
		equal(b, moved, true, "the cursor moved")
		return claimed
	}
	held := feed(3, "a1", "b1", "a2", "b2")
	equal(b, bodies(held), "a1 b1 a2", "claimed while there was room")
	equal(b, bodies(b.toSend(c, 10)), "", "claimed twice")
	equal(b, bodies(feed(3, "a3", "a1")), "", "behind what is under way, and an event that is there already")
	settle := func(d tenants.Delivery, good, next bool) int {
		b.Helper()
		o := store.Outcome{Delivery: d, Attempt: tenants.DeliveryAttempt{At: b.clock.Now(), Status: 200, Good: good}, Held: next}
		if !good {
			o.Retry = b.clock.Now().Add(time.Hour)
		}
		freed, err := b.s.Jobs().Settle(ctx, []store.Attempted{{DueConnection: store.DueConnection{Tenant: c.Tenant,
			Connection: c.ID}, Outcomes: []store.Outcome{o}}})
		b.must(err)
		return len(freed)
	}
	equal(b, settle(held[0], true, true), 0, "freed, while the next one is held")
	equal(b, bodies(b.toSend(c, 10)), "", "what is held is nobody else's")
	equal(b, settle(held[1], true, false), 1, "freed, once none is held")
	equal(b, bodies(b.toSend(c, 10)), "b2", "the next of the other ring")
	equal(b, settle(held[2], false, false), 0, "freed by one that will be tried again")
	equal(b, bodies(b.toSend(c, 10)), "", "behind one that failed")
	b.clock.add(2 * time.Hour)
	equal(b, bodies(b.toSend(c, 10)), "a2 b2", "what comes back")
}

// testReplay: one delivery, a span and what failed are sent again under their ids, in order.
func testReplay(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	ring := tenants.NewID[tenants.RingID](b.clock.Now())
	b.feed(c, ring, "a", "b", "c")
	begin := b.clock.Now()
	var all []tenants.Delivery
	for i := range 3 {
		next := b.toSend(c, 10)
		b.went(c, next, i != 1, 0) // b failed for good
		all = append(all, next...)
	}
	for i, q := range []store.Replay{{Event: all[0].Event}, {Failed: true, From: begin.Add(-time.Second)},
		{From: begin.Add(-time.Second)},
		{From: begin.Add(time.Second)}} {
		b.clock.add(time.Minute)
		n, err := s.Deliveries().Replay(ctx, c.ID, q)
		b.must(err)
		var sent []tenants.Delivery
		for next := b.toSend(c, 10); len(next) > 0; next = b.toSend(c, 10) {
			b.went(c, next, true, 0)
			sent = append(sent, next...)
		}
		equal(b, bodies(sent), []string{"a", "b", "a b c", ""}[i], fmt.Sprint("replay ", i))
		equal(b, int(n), len(sent), "counted")
		if len(sent) > 0 && sent[0].Event != all[map[int]int{1: 1}[i]].Event {
			b.Error("a replayed delivery has another id")
		}
	}
	_, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Event: tenants.NewRandomID()})
	b.refused(err, tenants.Unknown, "an event that is not there")

	b.clock.add(tenants.DeliveriesKept + time.Second)
	n, err := s.Deliveries().Trim(ctx, c.ID, b.clock.Now())
	b.must(err)
	equal(b, n, 3, "trimmed")
	attempts, _, err := s.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: c.ID})
	b.must(err)
	equal(b, len(attempts), 0, "attempts of trimmed deliveries")
}

// testFailingConnection: people are warned after a day, and the connection is disabled after five;
// 410 ends it at once; one delivery makes it good again. What happens while it is disabled is kept
// for a replay, each event for a week.
func testFailingConnection(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	b.feed(c, "", "a", "b")
	open := func() (kinds []tenants.AlertKind) {
		b.must(b.s.Jobs().ReviewConnections(ctx, b.clock.Now()))
		alerts, err := s.Alerts().List(ctx, false)
		b.must(err)
		for _, a := range alerts {
			kinds = append(kinds, a.Kind)
		}
		return kinds
	}
	state := func() tenants.ConnectionState {
		got, err := s.Connections().Get(ctx, c.ID)
		b.must(err)
		return got.State
	}
	fail := func() { b.went(c, b.toSend(c, 1), false, 6*time.Hour) }
	fail()
	b.clock.add(23 * time.Hour)
	equal(b, fmt.Sprint(open()), "[]", "alerts before a day")
	b.clock.add(2 * time.Hour)
	equal(b, fmt.Sprint(open()), "[connection_failing]", "alerts after a day")
	equal(b, fmt.Sprint(open()), "[connection_failing]", "alerts, looked at twice")
	b.went(c, b.toSend(c, 1), true, 0)
	equal(b, fmt.Sprint(open()), "[]", "alerts after a delivery")
	fail()
	b.clock.add(5*24*time.Hour + time.Hour)
	equal(b, fmt.Sprint(open()), "[connection_disabled]", "alerts after five days")
	equal(b, state(), tenants.ConnectionDisabled, "state")
	equal(b, bodies(b.toSend(c, 10)), "", "claimed of a disabled connection")
	_, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Failed: true})
	b.refused(err, tenants.Conflict, "a replay to a disabled connection")
	kept := func() (n int64) {
		open()
		total, err := s.Deliveries().Total(ctx, store.DeliveryQuery{Connection: c.ID, State: tenants.DeliveryFailed,
			Kind: tenants.EventDeviceRegistered})
		b.must(err)
		return total.N
	}
	b.device(s, "ana")
	equal(b, kept(), 1, "kept of what happened while it was disabled")
	b.clock.add(tenants.DeliveriesKept + time.Second)
	b.device(s, "ben")
	equal(b, kept(), 2, "kept after a week")
	_, err = s.Deliveries().Trim(ctx, c.ID, b.clock.Now())
	b.must(err)
	equal(b, kept(), 1, "kept after a week, once what is older is trimmed")
	b.clock.add(tenants.ConnectionHears)
	b.device(s, "cleo")
	equal(b, kept(), 1, "kept of what happened long after it was disabled")

	active, err := s.Connections().Get(ctx, c.ID)
	b.must(err)
	active.State = tenants.ConnectionActive
	b.must(s.Connections().Change(ctx, active))
	equal(b, fmt.Sprint(open()), "[]", "alerts once it is active")
	n, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Failed: true})
	b.must(err)
	if n == 0 {
		b.Error("nothing to recover")
	}
	claimed := b.toSend(c, 1)
	b.must(s.Deliveries().Settle(ctx, c.ID, []store.Outcome{{Delivery: claimed[0], Attempt: tenants.DeliveryAttempt{At: b.clock.Now(),
		Status: 410}}}, true))
	equal(b, state(), tenants.ConnectionEnded, "state after 410")
	equal(b, fmt.Sprint(open()), "[connection_disabled]", "alerts after 410")
	b.must(s.Connections().Remove(ctx, c.ID))
	equal(b, fmt.Sprint(open()), "[]", "alerts of a connection that was removed")
}
