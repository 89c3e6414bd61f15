package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func same(b *bench, got, want *tenants.Ring, what string) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		is, _ := json.Marshal(got)
		was, _ := json.Marshal(want)
		b.Errorf("%s:\n got %s\nwant %s", what, is, was)
	}
}

func testAddRing(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d, second := b.device(s, "anna"), b.device(s, "anna")
	b.clock.add(123456789 * time.Nanosecond) // the database keeps microseconds
	r := b.ring(s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000b", Name: "bot"},
		IP:        "192.0.2.1",
		RequestID: "req"}), d, second)
	got, err := s.Rings().Get(ctx, r.ID)
	b.must(err)
	same(b, got, r, "what the caller holds and what is recorded")
	if len(r.Attempts) != 2 || !r.Attempts[1].Has(tenants.FactPlaced) || r.Attempts[1].Facts[0].Seq <= r.Attempts[0].Facts[0].Seq {
		b.Errorf("attempts: %+v", r.Attempts)
	}
	b.ring(s.By(store.Who{Actor: tenants.System}), d) // of the server itself: no change by anybody
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "ring.place"})
	b.must(err)
	if len(audits) != 1 || audits[0].Actor.ID != "0190aaaa-0000-7000-8000-00000000000b" || audits[0].Target != string(r.ID) ||
		audits[0].RequestID != "req" {
		b.Errorf("audit: %+v", audits)
	}
	facts, err := s.Rings().Facts(ctx, r.ID, r.Attempts[0].Facts[0].Seq)
	b.must(err)
	equal(b, len(facts), 1, "facts past the first")
	facts, err = s.Rings().Facts(ctx, r.ID, facts[0].Seq)
	b.must(err)
	equal(b, len(facts), 0, "facts past the last")
	_, err = s.Rings().Facts(ctx, "nothing", 0)
	b.refused(err, tenants.Unknown, "facts of an unknown ring")
	_, err = s.Rings().Add(ctx, r, store.Idempotency{}, time.Time{})
	b.refused(err, tenants.Conflict, "a ring twice")
}

func testIdempotency(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	d := b.device(s, "")
	key := store.Idempotency{Key: "order-1", Body: hashOf("body")}
	r := b.newRing(d)
	start := b.clock.Now()
	earlier, err := s.Rings().Add(ctx, r, key, r.ExpiresAt)
	b.must(err)
	if earlier != nil {
		b.Fatal("the first has an earlier one")
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)

	again := b.newRing(d)
	earlier, err = s.Rings().Add(ctx, again, key, r.ExpiresAt)
	b.must(err)
	same(b, earlier, r, "the earlier ring")
	_, err = s.Rings().Get(ctx, again.ID)
	b.refused(err, tenants.Unknown, "the repeat")
	mismatch := key
	mismatch.Body = hashOf("another")
	found, err := s.Rings().Earlier(ctx, key)
	b.must(err)
	same(b, found, r, "the earlier ring, asked for")
	found, err = s.Rings().Earlier(ctx, mismatch)
	if err != nil || found != nil {
		b.Errorf("the earlier ring of another body: %v %v", found, err)
	}
	_, err = s.Rings().Add(ctx, again, mismatch, r.ExpiresAt)
	b.refused(err, tenants.Unprocessable, "another body")
	var refusal *tenants.Error
	if !errors.As(err, &refusal) || refusal.Code != "idempotency_mismatch" {
		b.Errorf("code of another body: %v", err)
	}
	after, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	equal(b, len(after), len(audits), "audit rows after repeats")

	foreign := b.newRing(b.device(other, ""))
	earlier, err = other.Rings().Add(ctx, foreign, key, r.ExpiresAt)
	b.must(err)
	if earlier != nil {
		b.Error("another tenant's key")
	}
	b.clock.set(start.Add(24*time.Hour - time.Microsecond))
	earlier, err = s.Rings().Add(ctx, b.newRing(d), key, time.Time{})
	b.must(err)
	if earlier == nil {
		b.Error("forgotten before 24 hours")
	}
	b.clock.set(start.Add(24 * time.Hour))
	if found, err = s.Rings().Earlier(ctx, key); err != nil || found != nil {
		b.Errorf("the earlier ring after 24 hours: %v %v", found, err)
	}
	earlier, err = s.Rings().Add(ctx, again, mismatch, again.ExpiresAt)
	b.must(err)
	if earlier != nil {
		b.Error("remembered after 24 hours")
	}

	// Many at once with one key: one ring.
	race := store.Idempotency{Key: "race", Body: hashOf("race")}
	var wait sync.WaitGroup
	placed := make(chan tenants.RingID, 20)
	for range cap(placed) {
		wait.Go(func() {
			r := b.newRing(d)
			earlier, err := s.Rings().Add(ctx, r, race, r.ExpiresAt)
			if err != nil {
				b.Error(err)
			} else if earlier != nil {
				r = earlier
			}
			placed <- r.ID
		})
	}
	wait.Wait()
	first := <-placed
	for range cap(placed) - 1 {
		equal(b, <-placed, first, "ring of one key")
	}
}

func testChangeRing(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d, second := b.device(s, "anna"), b.device(s, "anna")
	r := b.ring(s, d, second)
	now := b.clock.add(time.Second + 789*time.Nanosecond)

	// With a hint that is up to date: two facts, the push, and the ring, in one write.
	after, facts, err := s.Rings().Change(ctx, r.ID, r, now.Add(time.Minute), func(r *tenants.Ring) ([]tenants.Fact, error) {
		a := &r.Attempts[0]
		a.Push.Tries, a.Push.Status, a.Push.SentAt, a.Push.AnsweredAt = 1, 200, now, now.Add(time.Millisecond)
		facts := r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactSent, At: now, Received: now})
		return append(facts, r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactAccepted, At: now, Received: now, Detail: "ok"})...), nil
	})
	b.must(err)
	if after.Version != 2 || after.State != tenants.Pushed || len(facts) != 2 || facts[0].Seq == 0 || facts[1].Seq <= facts[0].Seq {
		b.Errorf("after the push: %+v %+v", after, facts)
	}
	equal(b, r.Version, 1, "the hint's own version")
	equal(b, len(r.Attempts[0].Facts), 1, "the hint's own facts")
	got, err := s.Rings().Get(ctx, r.ID)
	b.must(err)
	same(b, got, after, "what came back and what is recorded")

	// With one that does not: what is recorded is loaded.
	after = b.record(s, r, 0, tenants.FactWoke, now)
	equal(b, after.Version, 3, "version after a stale hint")
	equal(b, after.Attempts[0].Has(tenants.FactAccepted), true, "facts of a stale hint")
	// A refusal decided on a stale hint does not count.
	seen := []int{}
	_, _, err = s.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		if seen = append(seen, r.Version); r.Version < 3 {
			return nil, tenants.Refuse(tenants.Conflict, "stale", "stale")
		}
		return nil, nil
	})
	b.must(err)
	equal(b, seen[len(seen)-1], 3, "the version that decides")

	// Nothing to say writes nothing; an error writes nothing.
	_, facts, err = s.Rings().Change(ctx, r.ID, nil, time.Time{}, fold(r.Attempts[0].ID, tenants.FactWoke, now))
	b.must(err)
	equal(b, len(facts), 0, "facts of a repeat")
	_, _, err = s.Rings().Change(ctx, r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactShown, At: now, Received: now}),
			tenants.Refuse(tenants.Gone,
				"", "no")
	})
	b.refused(err, tenants.Gone, "an error of the change")
	got, err = s.Rings().Get(ctx, r.ID)
	b.must(err)
	same(b, got, after, "after a repeat and an error")

	// Answered: the call, and the other phone gets the end.
	after, facts, err = s.Rings().Change(ctx, r.ID, after, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call = &tenants.Call{Device: d.ID, AnsweredAt: now}
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactAnswered, At: now, Received: now}), nil
	})
	b.must(err)
	equal(b, len(facts), 2, "facts of the answer")
	equal(b, after.Attempts[1].State, tenants.Elsewhere, "the other phone")
	// An edit alone is a change too.
	after, _, err = s.Rings().Change(ctx, r.ID, after, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call.Loss, r.Call.Jitter, r.Call.EndedBy, r.Call.RoundTrip = 0.25, 3*time.Millisecond, "phone", time.Second
		r.Call.LastSoundAt = now.Add(time.Second)
		return nil, nil
	})
	b.must(err)
	after, _, err = s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser,
		ID: "0190aaaa-0000-7000-8000-00000000000e"}}).Rings().Change(ctx,
		r.ID, after, now, fold(r.Attempts[0].ID, tenants.FactHungUp, now))
	b.must(err)
	got, err = s.Rings().Get(ctx, r.ID)
	b.must(err)
	same(b, got, after, "after the call")
	equal(b, got.State, tenants.Ended, "state")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "ring.hang_up"})
	b.must(err)
	equal(b, len(audits), 1, "audit row of a person's change")

	_, _, err = s.Rings().Change(ctx, "nothing", nil, time.Time{}, fold("", tenants.FactWoke, now))
	b.refused(err, tenants.Unknown, "an unknown ring")
	_, _, err = b.tenant().Rings().Change(ctx, r.ID, after, time.Time{}, fold(r.Attempts[0].ID, tenants.FactBroken, now))
	b.refused(err, tenants.Unknown, "another tenant's ring, with a hint")
}

// testChangeAtOnce: every fact of every writer is recorded once, whichever order they come in.
func testChangeAtOnce(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	devices := []tenants.Device{}
	for range 4 {
		devices = append(devices, b.device(s, "anna"))
	}
	r := b.ring(s, devices...)
	reports := []tenants.FactKind{tenants.FactSent, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown}
	var wait sync.WaitGroup
	for _, a := range r.Attempts {
		for _, k := range reports {
			for range 2 { // phones repeat themselves
				wait.Go(func() {
					if _, _, err := s.Rings().Change(ctx, r.ID, r, time.Time{}, fold(a.ID, k, b.clock.Now())); err != nil {
						b.Error(err)
					}
				})
			}
		}
	}
	wait.Wait()
	got, err := s.Rings().Get(ctx, r.ID)
	b.must(err)
	equal(b, got.Version, 1+len(reports)*len(devices), "version: one for each new fact")
	for _, a := range got.Attempts {
		equal(b, len(a.Facts), 1+len(reports), "facts of an attempt")
	}
	equal(b, got.State, tenants.Ringing, "state")
}

func testRings(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d, other := b.device(s, "anna"), b.device(s, "bob")
	first := b.ring(s, d)
	start := b.clock.Now()
	b.clock.add(time.Minute)
	person := b.newRing(d, other)
	person.To, person.Agent, person.Caller, person.Reference = tenants.To{Person: "team"}, "0190aaaa-0000-7000-8000-0000000000a1", "Dr. "+
		"Ödön", "lead_1"
	person.Attempts[0].Push.APNsID = tenants.NewRandomID() // as earlier programs made them
	_, err := s.Rings().Add(ctx, person, store.Idempotency{}, time.Time{})
	b.must(err)
	b.clock.add(time.Minute)
	last := b.ring(s, other)
	last = b.record(s, last, 0, tenants.FactDeclined, b.clock.Now())

	live, err := s.Rings().Live(ctx, other.ID)
	b.must(err)
	if len(live) != 1 || live[0] != person.ID {
		b.Errorf("live rings of a device: %v", live)
	}

	for name, c := range map[string]struct {
		q    store.RingQuery
		want []*tenants.Ring
	}{
		"all":                  {store.RingQuery{}, []*tenants.Ring{last, person, first}},
		"state":                {store.RingQuery{State: tenants.Declined}, []*tenants.Ring{last}},
		"device":               {store.RingQuery{Device: d.ID}, []*tenants.Ring{person, first}},
		"person":               {store.RingQuery{Person: "team"}, []*tenants.Ring{person}},
		"agent":                {store.RingQuery{Agent: "0190aaaa-0000-7000-8000-0000000000a1"}, []*tenants.Ring{person}},
		"from":                 {store.RingQuery{From: start.Add(time.Second)}, []*tenants.Ring{last, person}},
		"to":                   {store.RingQuery{To: start.Add(time.Second)}, []*tenants.Ring{first}},
		"id":                   {store.RingQuery{Search: string(last.ID[:30])}, []*tenants.Ring{last}},
		"a push":               {store.RingQuery{Search: strings.ToUpper(last.Attempts[0].Push.APNsID)}, []*tenants.Ring{last}},
		"a push with no time":  {store.RingQuery{Search: person.Attempts[0].Push.APNsID}, []*tenants.Ring{person}},
		"no push":              {store.RingQuery{Search: tenants.NewRandomID()}, nil},
		"a caller":             {store.RingQuery{Search: "SALON a"}, []*tenants.Ring{last, first}},
		"device and search":    {store.RingQuery{Device: d.ID, Search: "lead_"}, []*tenants.Ring{person}},
		"not a caller":         {store.RingQuery{Search: "anna"}, nil}, // the beginning counts
		"letters beyond ASCII": {store.RingQuery{Search: "DR. ÖDÖ"}, []*tenants.Ring{person}},
		"other letters":        {store.RingQuery{Search: "dr. odo"}, nil},
		"oldest first":         {store.RingQuery{Device: d.ID, Sort: "created"}, []*tenants.Ring{first, person}},
		"reference":            {store.RingQuery{Search: "LEAD_"}, []*tenants.Ring{person}},
		"device's name":        {store.RingQuery{Search: d.Name}, []*tenants.Ring{person, first}},
		"a sign of LIKE":       {store.RingQuery{Search: "lead%"}, nil},
		"two at once":          {store.RingQuery{Search: d.Name, State: tenants.Declined}, nil},
	} {
		got, next, err := s.Rings().List(ctx, c.q)
		b.must(err)
		equal(b, next, "", name+": next")
		total, err := s.Rings().Total(ctx, c.q)
		b.must(err)
		equal(b, total, store.Total{N: int64(len(c.want))}, name+": total")
		if len(got) != len(c.want) {
			b.Errorf("%s: %d rings, want %d", name, len(got), len(c.want))
			continue
		}
		for i := range got {
			same(b, got[i], c.want[i], name)
		}
	}
}

func testForget(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	u := b.member(s, tenants.Owner)
	in := b.signIn(u, s)
	now := b.clock.Now()
	p := tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), CreatedAt: now, ExpiresAt: now.Add(tenants.PairingTTL)}
	b.must(s.Pairings().Add(ctx, p, hashOf("p")))
	b.must(s.Invitations().Add(ctx, store.Invitation{Hash: hashOf("i"), Email: "x@example.com", Role: tenants.Viewer, CreatedAt: now,
		ExpiresAt: now.Add(tenants.PairingTTL)}, nil))
	r := b.newRing(d)
	key := store.Idempotency{Key: "k", Body: hashOf(1)}
	_, err := s.Rings().Add(ctx, r, key, r.ExpiresAt)
	b.must(err)

	b.must(b.s.Jobs().Forget(ctx, now.Add(tenants.PairingTTL-time.Microsecond)))
	_, err = s.Pairings().Get(ctx, p.ID)
	b.must(err)
	b.must(b.s.Jobs().Forget(ctx, now.Add(tenants.PairingTTL)))
	_, err = s.Pairings().Get(ctx, p.ID)
	b.refused(err, tenants.Unknown, "an expired pairing")
	list, err := s.Invitations().List(ctx)
	b.must(err)
	equal(b, len(list), 0, "expired invitations")
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, now)
	b.must(err)
	earlier, err := s.Rings().Add(ctx, b.newRing(d), key, time.Time{})
	b.must(err)
	if earlier == nil {
		b.Error("the key was forgotten too early")
	}
	b.must(b.s.Jobs().Forget(ctx, now.Add(24*time.Hour)))
	ins, err := b.s.SignIns().List(ctx, u.ID)
	b.must(err)
	equal(b, len(ins), 0, "expired sign-ins")
	earlier, err = s.Rings().Add(ctx, b.newRing(d), key, time.Time{})
	b.must(err)
	if earlier != nil {
		b.Error("the key was not forgotten")
	}
}
