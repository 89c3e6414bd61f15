package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// claim takes rings with a lease of ten seconds and gives their ids.
func (b *bench) claim(w store.Work, now time.Time, limit int) (ids []tenants.RingID) {
	b.Helper()
	list, err := b.s.Jobs().Claim(b.Context(), w, now, 10*time.Second, limit)
	b.must(err)
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	return ids
}

// works checks what kinds of work are due.
func (b *bench) works(now time.Time, want ...store.Work) {
	b.Helper()
	got, err := b.s.Jobs().Due(b.Context(), now)
	b.must(err)
	if !slices.Equal(got, want) {
		b.Errorf("due: %v, want %v", got, want)
	}
}

// testInherit: what the server before did not push is due at once where only one runs, and nothing
// else is.
func testInherit(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	left, foreign := b.ring(s, b.device(s, "")), b.ring(other, b.device(other, ""), b.device(other, ""))
	pushed, over := b.ring(s, b.device(s, "")), b.ring(s, b.device(s, ""))
	now := b.clock.Now()
	for _, r := range []*tenants.Ring{left, pushed, over} {
		b.must(s.Rings().SetDue(ctx, r.ID, r.ExpiresAt))
	}
	b.must(other.Rings().SetDue(ctx, foreign.ID, foreign.ExpiresAt))
	_, _, err := s.Rings().Change(ctx, pushed.ID, pushed, pushed.ExpiresAt, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Attempts[0].Push.Status = 200
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactAccepted, At: now, Received: now}), nil
	})
	b.must(err)
	b.record(s, over, 0, tenants.FactDeclined, now)
	n, err := b.s.Nodes().Inherit(ctx)
	b.must(err)
	now = b.clock.Now()
	if b.s.Shared() {
		equal(b, n, 0, "rings that may be another server's")
		b.works(now)
		return
	}
	equal(b, n, 2, "rings that nobody pushes")
	b.works(now, store.LiveRings)
	got := b.claim(store.LiveRings, now, 10)
	equal(b, len(got), 2, "claimed")
	for _, r := range []*tenants.Ring{left, foreign} {
		if !slices.Contains(got, r.ID) {
			b.Errorf("%s is not due", r.ID)
		}
	}
}

func testWork(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	r, foreign := b.ring(s, b.device(s, "")), b.ring(other, b.device(other, ""), b.device(other, ""))
	at := foreign.ExpiresAt // the later one
	b.works(r.ExpiresAt.Add(-time.Microsecond))
	equal(b, len(b.claim(store.ExpiredRings, r.ExpiresAt.Add(-time.Microsecond), 10)), 0, "due before the time")
	b.works(at, store.ExpiredRings)
	equal(b, len(b.claim(store.ExpiredRings, at, 1)), 1, "due, one at a time")
	equal(b, len(b.claim(store.ExpiredRings, at, 10)), 1, "due, the other")
	equal(b, len(b.claim(store.ExpiredRings, at.Add(9*time.Second), 10)), 0, "claimed")
	list, err := b.s.Jobs().Claim(ctx, store.ExpiredRings, at.Add(10*time.Second), 10*time.Second, 10)
	b.must(err)
	equal(b, len(list), 2, "after the lease")
	for _, c := range list {
		got, err := b.s.For(c.Tenant).Rings().Get(ctx, c.ID)
		b.must(err)
		same(b, c, got, "a claimed ring")
	}
	b.must(s.Rings().SetDue(ctx, r.ID, at.Add(time.Hour)))
	equal(b, fmt.Sprint(b.claim(store.ExpiredRings, at.Add(30*time.Second), 10)), fmt.Sprint([]tenants.RingID{foreign.ID}), "due")
	b.record(other, foreign, 0, tenants.FactDeclined, at)
	b.must(other.Rings().SetDue(ctx, foreign.ID, at))
	b.works(at.Add(time.Minute))
	b.refused(other.Rings().SetDue(ctx, r.ID, at), tenants.Unknown, "another tenant's ring")
	after, _, err := s.Rings().Change(ctx, r.ID, r, at.Add(2*time.Hour), fold(r.Attempts[0].ID, tenants.FactWoke, at))
	b.must(err)
	b.works(at.Add(time.Hour)) // moved by a change
	after = b.record(s, after, 0, tenants.FactShown, at)
	b.works(at.Add(2*time.Hour), store.ExpiredRings) // left by a change without a moment
	b.record(s, after, 0, tenants.FactAnswered, at)
	b.works(at.Add(2*time.Hour), store.Calls)
	equal(b, fmt.Sprint(b.claim(store.Calls, at.Add(2*time.Hour), 10)), fmt.Sprint([]tenants.RingID{r.ID}), "calls")
	b.works(at.Add(2*time.Hour + 9*time.Second))

	testLive(b, s)
}

// testLive: a ring whose lease is over is live work until its expiry, and comes back then at the
// latest.
func testLive(b *bench, s *store.Scope) {
	ctx := b.Context()
	r := b.newRing(b.device(s, ""))
	now := r.CreatedAt.Add(3 * time.Second)
	_, err := s.Rings().Add(ctx, r, noKey, now)
	b.must(err)
	equal(b, len(b.claim(store.ExpiredRings, now, 10)), 0, "expired")
	b.works(now, store.LiveRings)
	equal(b, len(b.claim(store.LiveRings, now, 10)), 1, "live")
	b.works(now.Add(9 * time.Second))
	near := r.ExpiresAt.Add(-5 * time.Second)
	equal(b, len(b.claim(store.LiveRings, near, 10)), 1, "live again")
	b.works(r.ExpiresAt, store.ExpiredRings)

	late := b.newRing(b.device(s, ""))
	now = late.CreatedAt.Add(3 * time.Second)
	_, err = s.Rings().Add(ctx, late, noKey, now)
	b.must(err)
	b.must(b.s.Jobs().AwaitExpiry(ctx, []*tenants.Ring{late}))
	equal(b, len(b.claim(store.LiveRings, now, 10)), 0, "a ring that only waits for its expiry")
	equal(b, len(b.claim(store.ExpiredRings, late.ExpiresAt, 10)), 2, "and has it")
	again, err := b.s.Jobs().Again(ctx, []*tenants.Ring{late, r, {ID: tenants.NewID[tenants.RingID](now), Tenant: late.Tenant}})
	b.must(err)
	equal(b, len(again), 2, "rings read again")
}

// timeUp folds the expiry of every attempt into a ring.
func timeUp(r *tenants.Ring) (facts []tenants.Fact) {
	for i := range r.Attempts {
		facts = append(facts, r.Fold(tenants.Fact{Attempt: r.Attempts[i].ID, Kind: tenants.FactExpired, At: r.ExpiresAt,
			Received: r.ExpiresAt.Add(time.Second)})...)
	}
	return facts
}

// testExpire ends many rings of several tenants in one commit, each with its own outcome.
func testExpire(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	for i := range 40 {
		of := []*store.Scope{s, other}[i%2]
		devices := []tenants.Device{b.device(of, "anna")}
		if i%5 == 0 {
			devices = append(devices, b.device(of, "anna"))
		}
		r := b.ring(of, devices...)
		if i%3 == 0 {
			b.record(of, r, 0, tenants.FactAccepted, r.CreatedAt)
		}
	}
	answered := b.ring(s, b.device(s, ""))
	b.record(s, answered, 0, tenants.FactAnswered, answered.CreatedAt)
	now := b.clock.Now().Add(time.Minute)
	before := b.committed()
	done, err := b.s.Jobs().Expire(ctx, now, time.Second, 30, timeUp)
	b.must(err)
	equal(b, len(done), 30, "ended at first")
	equal(b, b.committed(), before+1, "commits")
	rest, err := b.s.Jobs().Expire(ctx, now, time.Second, 30, timeUp)
	b.must(err)
	equal(b, len(rest), 10, "ended then")
	for _, c := range append(done, rest...) {
		got, err := b.s.For(c.Ring.Tenant).Rings().Get(ctx, c.Ring.ID)
		b.must(err)
		same(b, c.Ring, got, "an expired ring")
		equal(b, got.State, tenants.Missed, "its state")
		equal(b, len(c.Facts), len(got.Attempts), "its facts")
		for _, f := range c.Facts {
			if f.Seq == 0 {
				b.Error("a fact without its seq")
			}
		}
	}
	again, err := b.s.Jobs().Expire(ctx, now.Add(time.Hour), time.Second, 30, timeUp)
	b.must(err)
	equal(b, len(again), 0, "ended twice")

	// What does not end is left for later, and does not keep the others.
	stuck := b.ring(s, b.device(s, ""))
	nothing := func(*tenants.Ring) []tenants.Fact { return nil }
	now = stuck.ExpiresAt
	for range 2 {
		_, err = b.s.Jobs().Expire(ctx, now, time.Second, 30, nothing)
		b.must(err)
	}
	got, err := s.Rings().Get(ctx, stuck.ID)
	b.must(err)
	equal(b, got.State, tenants.Placed, "a ring that nothing ended")
	done, err = b.s.Jobs().Expire(ctx, now.Add(time.Second), time.Second, 30, timeUp)
	b.must(err)
	equal(b, len(done), 1, "ended after the lease")
}

// testExpireAtOnce: of many sweeps at once each ring is ended by one.
func testExpireAtOnce(b *bench) {
	s := b.tenant()
	for range 40 {
		b.ring(s, b.device(s, ""))
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	ended, claimed := map[tenants.RingID]int{}, map[tenants.RingID]int{}
	now := b.clock.Now().Add(time.Minute)
	for range 8 {
		wait.Go(func() {
			list, err := b.s.Jobs().Claim(b.Context(), store.ExpiredRings, now, time.Second, 10)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range list {
				claimed[r.ID]++
			}
		})
	}
	wait.Wait()
	now = now.Add(time.Second)
	for range 8 {
		wait.Go(func() {
			done, err := b.s.Jobs().Expire(b.Context(), now, time.Hour, 10, timeUp)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range done {
				ended[c.Ring.ID]++
			}
		})
	}
	wait.Wait()
	for what, by := range map[string]map[tenants.RingID]int{"claimed": claimed, "ended": ended} {
		equal(b, len(by), 40, what)
		for id, n := range by {
			equal(b, n, 1, what+" "+string(id))
		}
	}
}
