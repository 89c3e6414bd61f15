package storetest

import (
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testDeviceRings: a phone's rings are found at every moment, whether they were filed, are new or
// are gone.
func testDeviceRings(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d, other := b.device(s, "anna"), b.device(s, "bob")
	var rings []tenants.RingID // newest first
	place := func(all ...tenants.Device) {
		b.clock.add(time.Millisecond)
		rings = slices.Insert(rings, 0, b.ring(s, all...).ID)
	}
	file := func(want int) {
		b.Helper()
		n, err := b.s.DeviceRings().File(ctx)
		b.must(err)
		if b.config.URL != "" {
			want = 0
		}
		equal(b, n, want, "filed")
	}
	found := func(what string) {
		b.Helper()
		total, err := s.Rings().Total(ctx, store.RingQuery{Device: d.ID})
		b.must(err)
		equal(b, total, store.Total{N: int64(len(rings))}, what+": total")
		live, err := s.Rings().Live(ctx, d.ID)
		b.must(err)
		slices.Sort(live)
		slices.Reverse(live)
		equal(b, slices.Equal(slices.Compact(live), rings), true, what+": live")
		outcomes, err := s.Outcomes().OfDevice(ctx, d.ID, 100)
		b.must(err)
		of := map[tenants.RingID]bool{}
		for _, o := range outcomes {
			of[o.Ring] = o.Device == d.ID
		}
		equal(b, len(of), len(rings), what+": outcomes")
		b.pagesOfDevice(s, d.ID, rings, what)
	}
	for range 4 {
		place(d, other)
	}
	place(other)
	rings = rings[1:]
	found("new")
	file(0) // they are few, and came just now
	b.clock.add(time.Minute)
	file(9)
	found("filed")
	place(other, d)
	place(d, d) // twice, as a group does in two steps
	place(d)
	found("filed and new")
	b.clock.add(time.Minute)
	file(5)
	file(0)
	found("filed again")
	place(d)
	found("one new")

	for i, id := range rings {
		if i%3 != 0 {
			continue
		}
		r, err := s.Rings().Get(ctx, id)
		b.must(err)
		for i := range r.Attempts {
			r = b.record(s, r, i, tenants.FactSilenced, b.clock.Now())
		}
	}
	kept := rings[:0:0]
	for i, id := range rings {
		if i%3 != 0 {
			kept = append(kept, id)
		}
	}
	b.clock.add(401 * 24 * time.Hour)
	_, err := b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	rings = kept
	found("some are gone")
	_, err = b.s.DeviceRings().File(ctx)
	b.must(err)
	found("filed when some are gone")
}

// pagesOfDevice walks through a phone's rings in both orders, and back.
func (b *bench) pagesOfDevice(s *store.Scope, d tenants.DeviceID, want []tenants.RingID, what string) {
	b.Helper()
	for _, limit := range []int{2, 50} {
		for _, order := range []store.Sort{"-created", "created"} {
			var got []tenants.RingID
			q := store.RingQuery{Device: d, Sort: order, Limit: limit}
			for again := true; again; again = q.After != "" {
				page, next, err := s.Rings().List(b.Context(), q)
				b.must(err)
				for _, r := range page {
					got = append(got, r.ID)
				}
				q.After = next
			}
			if order == "created" {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				b.Errorf("%s: by %s, %d a page: %v, want %v", what, order, limit, got, want)
			}
		}
	}
}
