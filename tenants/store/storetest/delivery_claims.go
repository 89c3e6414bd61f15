package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testManyDeliveries: what is done to many deliveries at once is done to all of them, some hundred
// in a commit.
func testManyDeliveries(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s, tenants.EventRingPlaced)
	names := make([]string, 450)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	b.feed(c, "", names...)
	in := func(state tenants.DeliveryState) int64 {
		total, err := s.Deliveries().Total(ctx, store.DeliveryQuery{Connection: c.ID, State: state})
		b.must(err)
		return total.N
	}
	b.must(s.Deliveries().Settle(ctx, c.ID, []store.Outcome{{Delivery: b.toSend(c, 1)[0],
		Attempt: tenants.DeliveryAttempt{At: b.clock.Now(), Status: 410}}}, true))
	b.must(b.s.Jobs().ReviewConnections(ctx, b.clock.Now()))
	equal(b, in(tenants.DeliveryFailed), 450, "given up")
	active, err := s.Connections().Get(ctx, c.ID)
	b.must(err)
	active.State = tenants.ConnectionActive
	b.must(s.Connections().Change(ctx, active))
	n, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Failed: true})
	b.must(err)
	equal(b, n, 450, "sent again")
	equal(b, in(tenants.DeliveryWaiting), 450, "waiting")
	b.went(c, b.toSend(c, 250), true, 0)

	// Old ones go although nothing is sent any more.
	b.clock.add(tenants.DeliveriesKept + time.Second)
	removed := 0
	for gone := 1; gone > 0; removed += gone {
		gone, err = b.s.Jobs().Retire(ctx, b.clock.Now())
		b.must(err)
	}
	equal(b, removed, 250, "retired")
	equal(b, in(""), 200, "left")
	other := b.connected(s)
	b.feed(other, "", "of another")
	b.must(s.Connections().Remove(ctx, c.ID))
	_, err = s.Connections().Get(ctx, c.ID)
	b.refused(err, tenants.Unknown, "a removed connection")
	list, _, err := s.Connections().List(ctx, store.Page{})
	b.must(err)
	equal(b, len(list), 1, "connections")
	b.refused(s.Deliveries().Record(ctx, store.NewDelivery{Tenant: c.Tenant, Connection: c.ID}, tenants.DeliveryAttempt{}), tenants.Unknown,
		"an event of a removed connection")
	equal(b, in(""), 200, "removed by and by, not within the request")
	broken, stop := context.WithCancel(ctx)
	stop()
	if b.s.EmptyConnections(broken) == nil {
		b.Error("no error after it was broken off")
	}
	b.must(b.s.EmptyConnections(ctx))
	equal(b, in(""), 0, "left after the removal")
	total, err := s.Deliveries().Total(ctx, store.DeliveryQuery{Connection: other.ID})
	b.must(err)
	equal(b, total.N, 1, "deliveries of another connection")
	c.Headers = nil
	_, err = s.Connections().Add(ctx, c) // the row is gone too
	b.must(err)
}

// testTold: what is no fact of a ring is written for the connections that want it, in the
// transaction of its change.
func testTold(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	c, foreign := b.connected(s), b.connected(other)
	picky := b.newConnection() // wants rings only
	_, err := s.Connections().Add(ctx, picky)
	b.must(err)
	d := b.device(s, "ana")
	_, err = s.Alerts().Raise(ctx, tenants.AlertExpiry, string(tenants.NewID[tenants.CredentialID](b.clock.Now())), "soon")
	b.must(err)
	r := b.call(s, d)
	_, _, err = s.Notes().Add(ctx, r.ID, b.said("one"))
	b.must(err)
	b.must(s.Devices().Remove(ctx, d.ID))
	file := []tenants.FileDevice{{Line: 2, Device: b.newDevice("ben")}, {Line: 3, Device: b.newDevice("cleo"), Tags: []string{"night"}}}
	for _, want := range []int{2, 0} { // what is known is not told again
		added, err := s.Devices().Import(ctx, file)
		b.must(err)
		equal(b, added, want, "imported")
	}
	list, _, err := s.Deliveries().List(ctx, store.DeliveryQuery{Connection: c.ID, Sort: "created"})
	b.must(err)
	var kinds []string
	for _, d := range list {
		kinds = append(kinds, string(d.Kind))
		if strings.Contains(string(d.Body), "one") {
			b.Errorf("the words of a note are in %s", d.Body)
		}
	}
	equal(b, strings.Join(kinds, " "), "device.registered credential.expiring alert.opened note.added device.removed "+
		"device.registered device.registered", "told")
	for _, id := range []tenants.ConnectionID{picky.ID, foreign.ID} {
		for scope := range map[*store.Scope]bool{s: true, other: true} {
			list, _, err := scope.Deliveries().List(ctx, store.DeliveryQuery{Connection: id})
			b.must(err)
			equal(b, len(list), 0, "told to one that did not ask")
		}
	}
	listeners, err := b.s.Jobs().Listeners(ctx)
	b.must(err)
	equal(b, len(listeners), 3, "listeners")
	listeners, err = b.s.Jobs().ListenersOf(ctx, []tenants.TenantID{foreign.Tenant})
	b.must(err)
	equal(b, len(listeners), 1, "listeners of one tenant")
	for _, c := range []tenants.Connection{c, picky, foreign} {
		listens, err := b.s.Jobs().Listens(ctx)
		b.must(err)
		equal(b, listens, true, "somebody listens")
		b.must(map[bool]*store.Scope{true: other, false: s}[c.ID == foreign.ID].Connections().Remove(ctx, c.ID))
	}
	listens, err := b.s.Jobs().Listens(ctx)
	b.must(err)
	equal(b, listens, false, "somebody listens")
}

// testTurnedOn: what waited as a connection was disabled or ended, and what came while it was
// disabled, does not go out once somebody turns it on, pauses it, or does one after the other. It
// can be replayed.
func testTurnedOn(b *bench) {
	ctx := b.Context()
	for _, test := range []struct {
		was tenants.ConnectionState
		to  []tenants.ConnectionState
	}{
		{tenants.ConnectionDisabled, []tenants.ConnectionState{tenants.ConnectionActive}},
		{tenants.ConnectionDisabled, []tenants.ConnectionState{tenants.ConnectionPaused, tenants.ConnectionActive}},
		{tenants.ConnectionEnded, []tenants.ConnectionState{tenants.ConnectionActive}},
	} {
		s := b.tenant()
		c := b.connected(s, tenants.EventDeviceRegistered, tenants.EventRingPlaced)
		b.feed(c, "", "first", "second")
		if test.was == tenants.ConnectionEnded {
			b.must(s.Deliveries().Settle(ctx, c.ID, []store.Outcome{{Delivery: b.toSend(c, 1)[0],
				Attempt: tenants.DeliveryAttempt{At: b.clock.Now(), Status: 410}}}, true))
		} else {
			b.went(c, b.toSend(c, 1), false, time.Hour)
			b.clock.add(tenants.ConnectionDisableAfter + time.Hour)
			b.must(b.s.Jobs().ReviewConnections(ctx, b.clock.Now()))
			b.device(s, "ana")
		}
		got, err := s.Connections().Get(ctx, c.ID)
		b.must(err)
		equal(b, got.State, test.was, "state")
		for _, got.State = range test.to {
			b.must(s.Connections().Change(ctx, got))
		}
		equal(b, len(b.toSend(c, 10)), 0, fmt.Sprint("sent by itself after ", test.was, test.to))
		n, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Failed: true})
		b.must(err)
		equal(b, n, map[bool]int64{true: 2, false: 3}[test.was == tenants.ConnectionEnded], "replayed")
		equal(b, len(b.toSend(c, 10)), int(n), "sent again")
	}
}

// testAuditTurnedOn: what waits for a connection of the role audit as it is disabled, and the heads
// that are signed meanwhile, go out once somebody turns it on, with all their time.
func testAuditTurnedOn(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.newConnection()
	c.Role, c.Events = tenants.RoleAudit, nil
	c = c.Clean()
	_, err := s.Connections().Add(ctx, c)
	b.must(err)
	c, err = s.Connections().Get(ctx, c.ID)
	b.must(err)
	b.feed(c, "", "entry")
	b.went(c, b.toSend(c, 1), false, 12*24*time.Hour)
	b.clock.add(tenants.ConnectionDisableAfter + time.Hour)
	b.must(b.s.Jobs().ReviewConnections(ctx, b.clock.Now()))
	_, err = b.s.Jobs().SignHeads(ctx)
	b.must(err)
	b.must(b.s.Jobs().ReviewConnections(ctx, b.clock.Now()))
	c, err = s.Connections().Get(ctx, c.ID)
	b.must(err)
	equal(b, c.State, tenants.ConnectionDisabled, "state")
	c.State = tenants.ConnectionActive
	b.must(s.Connections().Change(ctx, c))
	all := b.toSend(c, 10)
	equal(b, len(all), 2, "sent by itself")
	for _, d := range all {
		equal(b, d.BegunAt.Equal(b.clock.Now()), true, "has all its time")
	}
}

// testReplayMeanwhile: what is replayed while an attempt of it is under way goes out again, however
// that attempt went, and each attempt is kept.
func testReplayMeanwhile(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	b.feed(c, "", "a", "b")
	all := b.toSend(c, 2)
	began := b.clock.Now()
	b.clock.add(time.Second)
	n, err := s.Deliveries().Replay(ctx, c.ID, store.Replay{Event: all[0].Event})
	b.must(err)
	equal(b, n, 1, "replayed")
	b.clock.add(time.Second)
	var outcomes []store.Outcome
	for _, d := range all {
		outcomes = append(outcomes, store.Outcome{Delivery: d, Attempt: tenants.DeliveryAttempt{At: began, Status: 200, Good: true}})
	}
	b.must(s.Deliveries().Settle(ctx, c.ID, outcomes, false))
	again := b.toSend(c, 2)
	equal(b, bodies(again), "a", "due again")
	b.went(c, again, true, 0)
	equal(b, bodies(b.toSend(c, 2)), "", "due after the replay was sent")
	attempts, _, err := s.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: c.ID})
	b.must(err)
	equal(b, len(attempts), 3, "attempts")
}

// testSuspended: nothing is sent for a tenant that is suspended, and all of it once it is active.
func testSuspended(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	b.feed(c, "", "a", "b")
	equal(b, bodies(b.toSend(c, 1)), "a", "claimed")
	set := func(to tenants.TenantState) {
		t, err := s.Tenant(ctx)
		b.must(err)
		t.State = to
		b.must(s.SetTenant(ctx, t))
	}
	counts := func() (due, oldest int) {
		all, err := b.s.Jobs().DueConnections(ctx, b.clock.Now())
		b.must(err)
		ages, err := b.s.Jobs().OldestDue(ctx, b.clock.Now())
		b.must(err)
		return len(all), len(ages)
	}
	set(tenants.TenantSuspended)
	equal(b, bodies(b.toSend(c, 10)), "", "claimed of a suspended tenant")
	due, oldest := counts()
	equal(b, due+oldest, 0, "due of a suspended tenant")
	_, _, err := s.Connections().ToSend(ctx, c.ID)
	b.refused(err, tenants.Unknown, "a connection of a suspended tenant")
	set(tenants.TenantActive)
	due, oldest = counts()
	equal(b, due+oldest, 2, "due")
	got, _, err := s.Connections().ToSend(ctx, c.ID)
	b.must(err)
	equal(b, got.ID, c.ID, "connection")
	equal(b, bodies(b.toSend(c, 10)), "b", "claimed once it is active")
	got.State = tenants.ConnectionPaused
	b.must(s.Connections().Change(ctx, got))
	_, _, err = s.Connections().ToSend(ctx, c.ID)
	b.refused(err, tenants.Unknown, "a connection that is paused")
}

// testClaimAtOnce: two processes never claim the same delivery.
func testClaimAtOnce(b *bench) {
	s := b.tenant()
	c := b.connected(s)
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	b.feed(c, "", names...)
	second := b.s
	if b.config.URL != "" {
		second = OpenConfig(b, b.config)
	}
	var mu sync.Mutex // guards seen
	seen := map[int64]int{}
	var wait sync.WaitGroup
	for _, st := range []*store.Store{b.s, second, b.s, second} {
		wait.Go(func() {
			for {
				all, err := st.For(c.Tenant).Deliveries().Claim(b.Context(), c.ID, b.clock.Now(), time.Minute, 3)
				if err != nil || len(all) == 0 {
					if err != nil {
						b.Error(err)
					}
					return
				}
				mu.Lock()
				for _, d := range all {
					seen[d.Seq]++
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for seq, n := range seen {
		if n != 1 {
			b.Errorf("delivery %d was claimed %d times", seq, n)
		}
	}
	equal(b, len(seen), len(names), "claimed")
}
