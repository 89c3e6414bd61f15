package storetest

import (
	"context"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testSentFirst: what was sent before it was written is written as far as it came, in one commit
// with the cursor: once, in its place among those of its ring, and never twice.
func testSentFirst(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.connected(s)
	one, two := tenants.NewID[tenants.RingID](b.clock.Now()), tenants.NewID[tenants.RingID](b.clock.Now())
	made := map[string]store.NewDelivery{}
	for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "b3", "n1"} {
		made[name] = store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: tenants.NewRandomID(), Kind: tenants.EventRingPlaced,
			Ring: map[byte]tenants.RingID{'a': one, 'b': two}[name[0]], At: b.clock.Now(), Body: []byte(`"` + name + `"`)}
	}
	fresh := func(names ...string) (yes string) {
		b.Helper()
		var all []store.NewDelivery
		for _, name := range names {
			all = append(all, made[name])
		}
		found, err := b.s.Feeds().Fresh(ctx, all, false)
		b.must(err)
		for _, name := range names {
			if found[made[name].Event] {
				yes += name + " "
			}
		}
		return yes
	}
	good := &tenants.DeliveryAttempt{At: b.clock.Now(), Took: time.Second, Status: 204, Good: true, Sent: map[string]string{"A": "b"}}
	until := b.clock.Now().Add(time.Minute)
	cursor := b.s.Cursor("connections")
	feed := func(batch store.Batch, all ...store.Sent) (bool, map[string]int64) {
		b.Helper()
		moved, seqs, err := b.s.Feeds().FeedSent(ctx, cursor, batch, all)
		b.must(err)
		return moved, seqs
	}
	equal(b, fresh("a1", "a2", "b1"), "a1 a2 b1 ", "fresh before anything")
	b.happen()
	batch := b.newFacts(cursor)
	all := []store.Sent{{NewDelivery: made["a1"], Until: until, Good: good}, {NewDelivery: made["a2"], Until: until},
		{NewDelivery: made["a3"]}, {NewDelivery: made["b1"]}, {NewDelivery: made["b2"]}}
	moved, seqs := feed(batch, all...)
	equal(b, moved, true, "moved")
	equal(b, len(seqs), 5, "written")
	equal(b, fresh("a1", "a2", "a3", "b3"), "", "fresh of what is there, and behind it")
	unwritten, err := b.s.Feeds().Fresh(ctx, []store.NewDelivery{made["a3"], made["b3"], {Connection: c.ID, Tenant: c.Tenant, Event: "x"}},
		true)
	b.must(err)
	if unwritten[made["a3"].Event] || unwritten[made["b3"].Event] || !unwritten["x"] {
		b.Errorf("fresh of what was never written: %v", unwritten)
	}
	moved, _ = feed(batch, all...)
	equal(b, moved, false, "a batch that was fed moves the cursor")
	equal(b, bodies(b.toSend(c, 10)), "b1", "claimed of what nobody sends, of each ring the first")

	attempts := func() []tenants.DeliveryAttempt {
		b.Helper()
		all, _, err := s.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: c.ID})
		b.must(err)
		return all
	}
	if all := attempts(); len(all) != 1 || !all[0].Good || all[0].Status != 204 || all[0].Event != made["a1"].Event ||
		all[0].Took != time.Second || all[0].Sent["A"] != "b" {
		b.Errorf("attempts: %+v", all)
	}
	list, _, err := s.Deliveries().List(ctx, store.DeliveryQuery{Connection: c.ID, State: tenants.DeliveryDelivered})
	b.must(err)
	if len(list) != 1 || list[0].Tries != 1 || list[0].Status != 204 || list[0].EndedAt.IsZero() || !list[0].DueAt.IsZero() {
		b.Errorf("delivered: %+v", list)
	}
	got, err := s.Connections().Get(ctx, c.ID)
	b.must(err)
	equal(b, got.LastDelivered.IsZero(), false, "delivered never")

	// One that is answered after it was written is settled by its seq, and lets the next one go.
	b.must(s.Deliveries().Settle(ctx, c.ID, []store.Outcome{{Delivery: tenants.Delivery{Seq: seqs[made["a2"].Event],
		Event: made["a2"].Event, Connection: c.ID, Ring: one}, Attempt: *good}}, false))
	equal(b, bodies(b.toSend(c, 10)), "a3", "the next of the ring")

	// What is there already stays as it is.
	b.happen()
	_, seqs = feed(b.newFacts(cursor), store.Sent{NewDelivery: made["a1"], Until: until, Good: good})
	equal(b, len(seqs), 0, "written twice")
	equal(b, len(attempts()), 2, "attempts")
	b.happen()
	_, seqs = feed(b.newFacts(cursor), store.Sent{NewDelivery: made["a1"], Until: until, Good: good}, store.Sent{NewDelivery: made["b3"]},
		store.Sent{NewDelivery: made["a2"], Until: until}, store.Sent{NewDelivery: made["n1"], Until: until, Good: good})
	list, _, err = s.Deliveries().List(ctx, store.DeliveryQuery{Connection: c.ID})
	b.must(err)
	for _, d := range list {
		if want, new := seqs[d.Event]; new && want != d.Seq || new != (d.Event == made["b3"].Event || d.Event == made["n1"].Event) {
			b.Errorf("the seq of %+v is said to be %d (new %v)", d, want, new)
		}
	}
	equal(b, len(seqs), 2, "new beside what is there")
	testFeedsAlone(b)
}

// testFeedsAlone: on SQLite one caller feeds at a time.
func testFeedsAlone(b *bench) {
	over, cancel := context.WithCancel(b.Context())
	cancel()
	alone, leave := b.s.Feeds().Alone(b.Context())
	again, none := b.s.Feeds().Alone(over)
	equal(b, again, false, "two feed alone")
	none()
	leave()
	later, leave := b.s.Feeds().Alone(b.Context())
	equal(b, later, alone, "after the first has left")
	leave()
}
