package storetest

import (
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testKeyTallies: the funnel by key gives the keys with most rings and adds the others up, and all
// of it is the funnel of the whole.
func testKeyTallies(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	d, foreign := b.device(s, ""), b.device(other, "")
	facts := 0
	place := func(scope *store.Scope, d tenants.Device, by tenants.Actor, kinds ...tenants.FactKind) {
		b.Helper()
		r := b.newRing(d)
		r.By = by
		_, err := scope.Rings().Add(ctx, r, noKey, r.ExpiresAt)
		b.must(err)
		for _, k := range kinds {
			r = b.record(scope, r, 0, k, r.CreatedAt.Add(time.Second))
		}
		facts += 1 + len(kinds)
	}
	id := func(n int) string { return fmt.Sprintf("0190aaaa-0000-7000-8000-%012x", n) }
	key := func(n int) tenants.Actor { return tenants.Actor{Kind: tenants.ActorKey, ID: id(n), Name: "agent"} }
	place(s, d, tenants.System)
	place(other, foreign, key(1))
	const last = store.KeysMost + 2 // two too many; the console counts for none
	for n := range last {
		place(s, d, key(n+1))
	}
	// The last by its id has most rings; it also ends, which is no step of the funnel.
	place(s, d, key(last), tenants.FactSent, tenants.FactRefused)
	b.roll(facts)

	from := b.clock.Now().Add(-time.Hour)
	byKey := func(s *store.Scope) (groups map[string]int64, rows []store.FunnelRow) {
		b.Helper()
		rows, err := s.Analytics().Funnel(ctx, from, time.Time{}, "key")
		b.must(err)
		groups = map[string]int64{}
		for _, r := range rows {
			if r.Fact == tenants.FactPlaced {
				groups[r.Group] += r.Rings
			}
		}
		return groups, rows
	}
	groups, rows := byKey(s)
	want := map[string]int64{"": 1, id(last): 2, store.OtherKeys: 2}
	for n := 1; len(want) < store.KeysMost+2; n++ {
		want[id(n)] = 1
	}
	equal(b, fmt.Sprint(groups), fmt.Sprint(want), "rings by key")
	equal(b, len(rows), store.KeysMost+3, "rows: a step that was taken, of each group")
	for _, r := range rows {
		if r.Fact == tenants.FactSent && (r.Group != id(last) || r.N != 1 || r.Buckets[tenants.Bucket(time.Second)] != 1) {
			b.Errorf("the step that was timed: %+v", r)
		}
	}
	groups, _ = byKey(other)
	equal(b, fmt.Sprint(groups), fmt.Sprint(map[string]int64{id(1): 1}), "rings of another tenant by key")

	b.clock.set(b.clock.Now().Add(store.TalliesKept + 2*time.Hour))
	for n := 1; n > 0; {
		var err error
		n, err = b.s.Jobs().Retire(ctx, b.clock.Now())
		b.must(err)
	}
	_, rows = byKey(s)
	equal(b, len(rows), 0, "kept after two years")
}
