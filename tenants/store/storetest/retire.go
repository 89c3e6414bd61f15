package storetest

import (
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testRetire: what was kept long enough goes, a little at a time, with everything that hangs on it;
// what is younger, or still rings, stays, and so do the audits.
func testRetire(b *bench) {
	ctx := b.Context()
	const day, old = 24 * time.Hour, 120
	s, other := b.tenant(), b.tenant()
	d, theirs := b.device(s, ""), b.device(other, "")
	var rings []*tenants.Ring
	for range old {
		r := b.ring(s, d)
		rings = append(rings, b.record(s, r, 0, tenants.FactSilenced, r.CreatedAt.Add(time.Second)))
	}
	left := b.ring(other, theirs) // never ended: its sweep still comes
	gone := b.ring(other, theirs)
	b.record(other, gone, 0, tenants.FactDeclined, gone.CreatedAt.Add(time.Second))
	b.roll(2*old + 3)
	_, err := s.Alerts().Raise(ctx, tenants.AlertTokensRefused, "old", "x")
	b.must(err)
	b.must(s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, "old"))
	_, err = s.Alerts().Raise(ctx, tenants.AlertTokensRefused, "open", "x")
	b.must(err)
	start := b.clock.Now()
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 200})
	b.must(err)

	retire := func(want int) {
		b.Helper()
		n, err := b.s.Jobs().Retire(ctx, b.clock.Now())
		b.must(err)
		equal(b, n, want, "removed")
	}
	retire(0)
	b.clock.set(start.Add(400*day - time.Hour))
	young := b.ring(s, d)
	young = b.record(s, young, 0, tenants.FactSilenced, young.CreatedAt.Add(time.Second))
	b.roll(2)
	retire(2) // the counts by five minutes, of each tenant
	retire(0)
	b.clock.set(start.Add(b.s.RingsMost() + day))
	counts := 0
	if b.s.RingsMost() > store.RingsKept {
		counts = 1 // by five minutes, of the young ring, are old by then too
	}
	retire(100 + 1 + 1 + counts) // rings of the one, the alert, a ring of the other
	retire(20)
	retire(0)
	for _, r := range rings {
		_, err := s.Rings().Get(ctx, r.ID)
		b.refused(err, tenants.Unknown, "an old ring")
		facts, err := s.Rings().Facts(ctx, r.ID, 0)
		if len(facts) > 0 || err != nil && tenants.KindOf(err) != tenants.Unknown {
			b.Errorf("facts of an old ring: %v %v", facts, err)
		}
	}
	outcomes, err := s.Outcomes().OfDevice(ctx, d.ID, 200)
	b.must(err)
	equal(b, len(outcomes), 1, "attempts left")
	_, err = other.Rings().Get(ctx, left.ID)
	b.must(err)
	got, err := s.Rings().Get(ctx, young.ID)
	b.must(err)
	equal(b, len(got.Facts()), 2, "facts of a young ring")
	alerts, err := s.Alerts().List(ctx, true)
	b.must(err)
	equal(b, len(alerts), 1, "alerts left")

	tallies := func() int {
		b.Helper()
		list, err := s.Analytics().Tallies(ctx, time.Time{}, time.Time{})
		b.must(err)
		reasons, _, err := s.Analytics().Reasons(ctx, start.Add(-day), start.Add(day))
		b.must(err)
		return len(list) + len(reasons)
	}
	before := tallies()
	b.clock.set(start.Add(761 * day))
	n := 1
	for total := 0; n > 0; total += n {
		if n, err = b.s.Jobs().Retire(ctx, b.clock.Now()); err != nil || total > 50 {
			b.Fatalf("%d, %v", total, err)
		}
	}
	if after := tallies(); after >= before || after == 0 {
		b.Errorf("counts: %d before, %d after", before, after)
	}
	facts := got.Facts()
	if next := b.ring(s, d).Facts()[0].Seq; next <= facts[len(facts)-1].Seq {
		b.Errorf("after all rings were removed the next fact has seq %d, and the last had %d", next, facts[len(facts)-1].Seq)
	}
	now, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 200})
	b.must(err)
	if len(now) < len(audits) {
		b.Errorf("%d audit rows before, %d after", len(audits), len(now))
	}
}

// testRetireRevoked: revoked keys go after 90 days, or when 500 others were revoked since; disabled
// devices go 400 days after they were last seen, with their last ring. The audit log keeps the
// names. What is in use stays.
func testRetireRevoked(b *bench) {
	ctx := b.Context()
	const day = 24 * time.Hour
	s, other := b.tenant(), b.tenant()
	revoke := func(s *store.Scope, n int) (last tenants.Key) {
		b.Helper()
		for range n {
			last = b.newKey()
			b.must(s.Keys().Add(ctx, last, hashOf(string(last.ID))))
			b.must(s.Keys().Revoke(ctx, last.ID))
			b.clock.add(time.Second)
		}
		return last
	}
	retireAll := func() {
		b.Helper()
		for n := 1; n > 0; {
			var err error
			n, err = b.s.Jobs().Retire(ctx, b.clock.Now())
			b.must(err)
		}
	}
	total := func(s *store.Scope) int64 {
		b.Helper()
		n, err := s.Keys().Total(ctx, store.Page{})
		b.must(err)
		return n.N
	}
	first := revoke(s, 1)
	live := b.newKey()
	b.must(s.Keys().Add(ctx, live, hashOf("live")))
	revoke(s, 500)
	theirs := revoke(other, 1)
	retireAll()
	equal(b, total(s), 501, "keys, one of them live")
	_, err := s.Keys().Get(ctx, first.ID)
	b.refused(err, tenants.Unknown, "the key that was revoked first")
	names, err := s.Audits().Removed(ctx, []string{string(first.ID)})
	b.must(err)
	equal(b, names[string(first.ID)], first.Name, "its name in the audit log")
	_, err = other.Keys().Get(ctx, theirs.ID)
	b.must(err)
	b.clock.add(91 * day)
	retireAll()
	equal(b, total(s), 1, "keys after 91 days")
	equal(b, total(other), 0, "the other's keys")

	silent, rung, works := b.device(s, ""), b.device(s, ""), b.device(s, "")
	for _, d := range []tenants.Device{silent, rung} {
		d.State = tenants.DeviceDisabled
		b.must(s.Devices().Set(ctx, d))
	}
	b.clock.add(300 * day)
	r := b.ring(s, rung)
	b.record(s, r, 0, tenants.FactSilenced, r.CreatedAt.Add(time.Second))
	b.roll(2)
	b.clock.add(101 * day)
	retireAll()
	_, err = s.Devices().Get(ctx, silent.ID)
	b.refused(err, tenants.Unknown, "a device that was disabled 401 days ago")
	for _, d := range []tenants.Device{rung, works} {
		_, err = s.Devices().Get(ctx, d.ID)
		b.must(err)
	}
	b.clock.add(400 * day)
	retireAll()
	_, err = s.Devices().Get(ctx, rung.ID)
	b.refused(err, tenants.Unknown, "a disabled device whose last ring is gone")
	_, err = s.Devices().Get(ctx, works.ID)
	b.must(err)
}
