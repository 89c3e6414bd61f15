package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// equalAudit compares two rows of the record of changes.
func equalAudit(b *bench, got, want tenants.Audit, what string) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func testAudits(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	start := b.clock.Now()
	who := s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: "0190aaaa-0000-7000-8000-00000000000e", Name: "Yves"},
		IP:        "192.0.2.7",
		RequestID: "r-9"})
	var wait sync.WaitGroup
	for i := range 50 {
		wait.Go(func() {
			scope := who
			if i%2 == 1 {
				scope = other
			}
			if i%10 == 0 {
				// A refusal in between must not leave a gap.
				if err := scope.Agents().Remove(ctx, "nobody"); tenants.KindOf(err) != tenants.Unknown {
					b.Error(err)
				}
			}
			if err := scope.Audits().Add(ctx, "console.sign_in", fmt.Sprint(i), "note"); err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	for _, scope := range []*store.Scope{s, other} {
		list, next, err := scope.Audits().List(ctx, store.AuditQuery{})
		b.must(err)
		equal(b, next, "", "next")
		equal(b, len(list), 26, "rows") // the tenant's own, and 25 notes
		for i, a := range list {
			equal(b, a.Seq, int64(26-i), "seq without a gap, newest first")
		}
	}
	agent, phone, key := b.newAgent(), b.device(other, "maya"), b.credential(other)
	b.must(other.Agents().Add(ctx, agent))
	b.must(other.Agents().Remove(ctx, agent.ID))
	b.must(other.Devices().Remove(ctx, phone.ID))
	b.must(other.Credentials().Remove(ctx, key.ID))
	names, err := other.Audits().Removed(ctx, []string{string(agent.ID), string(phone.ID), string(key.ID), "nobody"})
	b.must(err)
	if want := map[string]string{string(agent.ID): agent.Name, string(phone.ID): phone.Title(),
		string(key.ID): key.Title()}; !maps.Equal(names, want) {
		b.Errorf("names of what was removed: %v, want %v", names, want)
	}
	b.clock.add(time.Hour)
	b.must(who.Audits().Add(ctx, "key.use", "k9", "later"))
	for name, c := range map[string]struct {
		q    store.AuditQuery
		want int
	}{
		"actor":        {store.AuditQuery{Search: "yves"}, 26},
		"actor's id":   {store.AuditQuery{Search: "0190aaaa-0000-7000-8000-00000000000e"}, 26},
		"target":       {store.AuditQuery{Search: "K9"}, 1},
		"action":       {store.AuditQuery{Action: "key.use"}, 1},
		"noun":         {store.AuditQuery{Action: "console."}, 25},
		"half a noun":  {store.AuditQuery{Action: "con"}, 0},
		"from":         {store.AuditQuery{From: start.Add(time.Minute)}, 1},
		"to":           {store.AuditQuery{To: start.Add(time.Minute)}, 26},
		"a page":       {store.AuditQuery{Limit: 10}, 10},
		"sign of LIKE": {store.AuditQuery{Search: "%"}, 0},
	} {
		list, _, err := s.Audits().List(ctx, c.q)
		b.must(err)
		equal(b, len(list), c.want, "audits by "+name)
	}
	list, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 1})
	b.must(err)
	want := tenants.Audit{Seq: 27, At: b.clock.Now(), Actor: tenants.Actor{Kind: tenants.ActorUser,
		ID:   "0190aaaa-0000-7000-8000-00000000000e",
		Name: "Yves"}, Action: "key.use", Target: "k9",
		Detail: "later", IP: "192.0.2.7", RequestID: "r-9", Times: 1, Salts: list[0].Salts, Hash: list[0].Hash}
	equalAudit(b, list[0], want, "audit row")

	// The same again becomes one row with a count, when ten minutes are over; something else about
	// the same target in between is not.
	first := list[0]
	for range 5 {
		b.clock.add(time.Minute)
		b.must(who.Audits().Add(ctx, "key.use", "k9", "later"))
	}
	last := b.clock.Now()
	list, _, err = s.Audits().List(ctx, store.AuditQuery{Limit: 1})
	b.must(err)
	equalAudit(b, list[0], first, "audit row that is repeated")
	b.clock.add(5 * time.Minute)
	n, err := b.s.Jobs().CloseRepeats(ctx)
	b.must(err)
	equal(b, n, 1, "rows of repeats")
	n, err = b.s.Jobs().CloseRepeats(ctx)
	b.must(err)
	equal(b, n, 0, "rows of repeats that are written already")
	list, _, err = s.Audits().List(ctx, store.AuditQuery{Limit: 1})
	b.must(err)
	want.Seq, want.At, want.Times, want.LastAt = 28, b.clock.Now(), 5, last
	want.Salts, want.Hash = list[0].Salts, list[0].Hash
	equalAudit(b, list[0], want, "audit row of five repeats")
	for _, detail := range []string{"whole", "whole", "broken"} {
		b.must(who.Audits().Add(ctx, "audit.verify", "", detail))
	}
	b.clock.add(20 * time.Minute)
	n, err = b.s.Jobs().CloseRepeats(ctx)
	b.must(err)
	equal(b, n, 0, "rows of repeats that were written before another row about their target")
	list, _, err = s.Audits().List(ctx, store.AuditQuery{Action: "audit.verify"})
	b.must(err)
	if len(list) != 3 || list[0].Detail != "broken" || list[1].Detail != "whole" || list[1].LastAt.IsZero() {
		b.Errorf("the newest verdict is not the last one: %+v", list)
	}
	b.clock.add(time.Hour)
	for _, detail := range []string{"sooner", "later"} {
		b.must(who.Audits().Add(ctx, "key.use", "k9", detail))
	}
	b.clock.add(time.Hour)
	b.must(who.Audits().Add(ctx, "key.use", "k9", "later"))
	list, _, err = s.Audits().List(ctx, store.AuditQuery{Action: "key.use"})
	b.must(err)
	equal(b, len(list), 5, "audit rows that are not joined")
}

// testCaps: a list that is full refuses one more and says what to do; a removed one makes room.
func testCaps(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	var last tenants.AgentID
	for range tenants.CapAgents.Most {
		a := b.newAgent()
		b.must(s.Agents().Add(ctx, a))
		last = a.ID
	}
	err := s.Agents().Add(ctx, b.newAgent())
	b.refused(err, tenants.Unprocessable, "one agent too many")
	if err == nil || !strings.Contains(err.Error(), "200 agents, which is the most. Remove one") {
		b.Errorf("one agent too many: %v", err)
	}
	b.must(s.Agents().Remove(ctx, last))
	b.must(s.Agents().Add(ctx, b.newAgent()))
	pair := func() error {
		now := b.clock.Now()
		p := tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), CreatedAt: now, ExpiresAt: now.Add(tenants.PairingTTL)}
		return s.Pairings().Add(ctx, p, hashOf("pairing", b.next()))
	}
	for range tenants.CapPairings.Most {
		b.must(pair())
	}
	b.refused(pair(), tenants.TooMany, "one pairing code too many")
	b.clock.add(tenants.PairingTTL)
	b.must(pair())
	d := b.newDevice("") // registers again and again, and keeps the newest credentials
	var hashes []tenants.Hash
	for range 30 {
		hashes = append(hashes, hashOf("credential", b.next()))
		b.clock.add(time.Second)
		_, _, err := s.Devices().Add(ctx, d, hashes[len(hashes)-1])
		b.must(err)
	}
	_, _, err = b.s.Tenants().OfDevice(ctx, hashes[0])
	b.refused(err, tenants.Unauthorized, "the oldest of thirty unused credentials")
	_, _, err = b.s.Tenants().OfDevice(ctx, hashes[15])
	b.must(err)
}

// program is an API key, whose rings are in the audit log.
func program() store.Who {
	return store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000b", Name: "bot"}}
}

// testGroups: many callers share commits.
func testGroups(b *bench) {
	ctx := b.Context()
	s := b.tenant().By(program())
	d := b.device(s, "")
	before := b.committed()
	const callers, each = 200, 2
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for range each {
				r := b.newRing(d)
				if _, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt); err != nil {
					b.Error(err)
				} else if _, err := s.Rings().Get(ctx, r.ID); err != nil {
					b.Error("an answered ring is not there:", err)
				}
			}
		})
	}
	wait.Wait()
	if n := b.committed() - before; n > callers*each/2 {
		b.Errorf("%d commits for %d rings", n, callers*each)
	}
	list, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "ring.place", Limit: 1})
	b.must(err)
	equal(b, list[0].Seq, 2+callers*each, "audit seq")
}

// testGuilty: what fails after it wrote fails alone, and the others' work is done once.
func testGuilty(b *bench) {
	ctx := b.Context()
	s := b.tenant().By(program())
	d := b.device(s, "")
	first := b.ring(s, d)
	target := b.ring(s, d)
	const callers = 60
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			switch i % 4 {
			case 0: // fails when its rows are written
				r := b.newRing(d)
				r.ID = first.ID
				_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
				b.refused(err, tenants.Conflict, "a ring twice")
			case 1: // refused before it wrote
				b.refused(s.Agents().Remove(ctx, "nobody"), tenants.Unknown, "an unknown agent")
			case 2:
				r := b.newRing(d)
				_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
				if err != nil {
					b.Error(err)
				} else if got, err := s.Rings().Get(ctx, r.ID); err != nil || len(got.Attempts) != 1 || len(got.Attempts[0].Facts) != 1 {
					b.Errorf("a ring beside a guilty one: %+v %v", got, err)
				}
			case 3: // panics
				_, _, err := s.Rings().Change(ctx, target.ID, target, time.Time{},
					func(*tenants.Ring) ([]tenants.Fact, error) { panic("no") })
				b.refused(err, tenants.Internal, "a panic")
			}
		})
	}
	wait.Wait()
	list, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 200})
	b.must(err)
	equal(b, len(list), 4+callers/4, "audit rows: of what was done")
	for i, a := range list {
		equal(b, a.Seq, int64(len(list)-i), "seq without a gap")
	}
	facts, err := s.Rings().Facts(ctx, first.ID, 0)
	b.must(err)
	equal(b, len(facts), 1, "facts of the ring that others tried to place again")
}

// testGivenUp: who leaves while waiting leaves nothing behind.
func testGivenUp(b *bench) {
	s := b.tenant()
	d := b.device(s, "")
	gone, cancel := context.WithCancel(b.Context())
	cancel()
	r := b.newRing(d)
	_, err := s.Rings().Add(gone, r, noKey, r.ExpiresAt)
	b.refused(err, tenants.Unavailable, "a caller who is gone")

	// One write holds the writer; who leaves behind it is taken out of the queue.
	held, release := make(chan struct{}), make(chan struct{})
	target := b.ring(s, d)
	var wait sync.WaitGroup
	wait.Go(func() {
		var once sync.Once
		_, _, err := s.Rings().Change(b.Context(), target.ID, target, time.Time{}, func(*tenants.Ring) ([]tenants.Fact, error) {
			once.Do(func() { close(held); <-release })
			return nil, nil
		})
		if err != nil {
			b.Error(err)
		}
	})
	<-held
	waiting, leave := context.WithTimeout(b.Context(), 20*time.Millisecond)
	defer leave()
	_, err = s.Rings().Add(waiting, r, noKey, r.ExpiresAt)
	b.refused(err, tenants.Unavailable, "a caller who leaves")
	if !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("cause: %v", err)
	}
	close(release)
	wait.Wait()
	b.must(b.s.Ready(b.Context()))
	_, err = s.Rings().Get(b.Context(), r.ID)
	b.refused(err, tenants.Unknown, "the ring of a caller who left")
}

// testClose: what was accepted is written, what comes after is refused, and nobody hangs.
func testClose(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			r := b.newRing(d)
			if _, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt); err != nil && tenants.KindOf(err) != tenants.Unavailable {
				b.Error(err)
			}
		})
	}
	b.must(b.s.Close())
	wait.Wait()
	_, err := s.Rings().Add(ctx, b.newRing(d), noKey, time.Time{})
	b.refused(err, tenants.Unavailable, "a write after Close")
	b.must(b.s.Close())
}
