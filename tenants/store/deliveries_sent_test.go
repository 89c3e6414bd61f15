package store_test

import (
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestSentEventsLetRingsPass: on SQLite events that were sent are written in one commit, unless a
// ring is on its way: then a few at a time, and some more beside urgent writes.
func TestSentEventsLetRingsPass(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	now := time.Now()
	tenant := tenants.NewID[tenants.TenantID](now)
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: tenant, Slug: "t", Name: "T", Industry: tenants.RealEstate,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	var to []tenants.ConnectionID
	for _, name := range []string{"a", "b", "c"} {
		c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](now), Name: name, URL: "https://example.com/", CreatedAt: now}.Clean()
		if _, err := s.For(tenant).Connections().Add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		to = append(to, c.ID)
	}
	const events = 3*store.SentStep + 1
	calm := func() func() { return func() {} }
	cursor := s.Cursor("connections")
	for _, test := range []struct {
		name    string
		begin   func() (over func())
		commits int
	}{{"calm", calm, 1}, {"a ring on its way", s.Expect, 4}, {"urgent writes", s.Hurry, 1 + (events-1)/store.SentShared}} {
		r := ring(time.Now(), 1)
		if _, err := s.For(tenant).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
		batch, err := cursor.Next(t.Context(), 10)
		if err != nil || len(batch.Facts) == 0 {
			t.Fatalf("%d facts: %v", len(batch.Facts), err)
		}
		var all []store.Sent
		for i := range events {
			d := store.NewDelivery{Tenant: tenant, Connection: to[i%len(to)], Event: tenants.NewRandomID(), Kind: tenants.EventRingPlaced,
				Ring: r.ID, At: now, Body: []byte("{}")}
			all = append(all, store.Sent{NewDelivery: d, Until: now.Add(time.Minute),
				Good: &tenants.DeliveryAttempt{At: now, Status: 204, Good: true}})
		}
		over := test.begin()
		moved, seqs, err := s.Feeds().FeedSent(t.Context(), cursor, batch, all)
		over()
		if n := commitsOf(t, s.For(tenant), to, r.ID); err != nil || !moved || n != test.commits {
			t.Errorf("%s: moved %v in %d commits, want %d: %v", test.name, moved, n, test.commits, err)
		}
		last := map[tenants.ConnectionID]int64{}
		for _, d := range all { // the order of those of a connection is that in which they go out
			if seq := seqs[d.Event]; seq <= last[d.Connection] {
				t.Errorf("an event has the seq %d behind %d", seq, last[d.Connection])
			}
			last[d.Connection] = seqs[d.Event]
		}
		if rest, err := cursor.Next(t.Context(), 10); err != nil || len(rest.Facts) > 0 {
			t.Errorf("%d facts are left: %v", len(rest.Facts), err)
		}
	}
}

// commitsOf counts the commits that wrote the deliveries of a ring: each has a moment of its own.
func commitsOf(t *testing.T, s *store.Scope, to []tenants.ConnectionID, ring tenants.RingID) int {
	t.Helper()
	moments := map[time.Time]bool{}
	for _, id := range to {
		all, _, err := s.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if d.Ring == ring {
				moments[d.BegunAt] = true
			}
		}
	}
	return len(moments)
}
