package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func (b *bench) newGroup(persons ...string) tenants.Group {
	g := tenants.Group{ID: tenants.NewID[tenants.GroupID](b.clock.Now()), Name: fmt.Sprintf("Group %d", b.next()), Way: tenants.Sequential,
		StepSeconds: 20, CreatedAt: b.clock.add(time.Millisecond)}
	for _, p := range persons {
		g.Members = append(g.Members, tenants.GroupMember{Person: p})
	}
	return g
}

func (b *bench) newSchedule() tenants.Schedule {
	s := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](b.clock.Now()), Name: fmt.Sprintf("Schedule %d", b.next()),
		Zone: "Europe/Berlin", CreatedAt: b.clock.add(time.Millisecond)}
	s.Weekly[time.Monday] = []tenants.Span{{From: 480, To: 960}}
	s.Exceptions = []tenants.Exception{{Date: "2026-12-24", Note: "closed"}}
	return s
}

func (b *bench) newConsent(person string) tenants.Agreement {
	return tenants.Agreement{ID: tenants.NewID[tenants.ConsentID](b.clock.Now()), Person: person, Kind: tenants.AgreedCalls,
		GivenAt: b.clock.Now(), Evidence: "Form 7", CreatedAt: b.clock.add(time.Millisecond)}
}

func testPersonGroups(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	next := b.newGroup("cem")
	b.must(s.Groups().Add(ctx, next))
	sched := b.newSchedule()
	b.must(s.Schedules().Add(ctx, sched))
	g := b.newGroup("ana", "ben")
	g.Escalate, g.Members[1].Schedule = next.ID, sched.ID
	b.must(s.Groups().Add(ctx, g))
	got, err := s.Groups().Get(ctx, g.ID)
	b.must(err)
	g.Tenant = got.Tenant
	if !reflect.DeepEqual(got, g) {
		b.Errorf("got %+v, want %+v", got, g)
	}
	b.refused(s.Groups().Add(ctx, g), tenants.Conflict, "a group twice")

	loop := next
	loop.Escalate = g.ID
	b.refused(s.Groups().Set(ctx, loop), tenants.Invalid, "a loop")
	unknown := b.newGroup("x")
	unknown.Members[0].Schedule = "0190aaaa-0000-7000-8000-0000000000a1"
	b.refused(s.Groups().Add(ctx, unknown), tenants.Invalid, "a schedule that does not exist")
	b.refused(s.Schedules().Remove(ctx, sched.ID), tenants.Conflict, "a schedule that is used")

	g.Name, g.Members = "Night line", []tenants.GroupMember{{Person: "ben"}, {Person: "dee"}}
	b.must(s.Groups().Set(ctx, g))
	b.must(s.Groups().Set(ctx, g)) // no change
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "group."})
	b.must(err)
	equal(b, len(audits), 3, "audit rows of groups")
	equal(b, audits[0].Detail, "name, members", "what was changed")
	found, _, err := s.Groups().List(ctx, store.Page{Search: "night"})
	b.must(err)
	if len(found) != 1 || len(found[0].Members) != 2 || found[0].Members[1].Person != "dee" {
		b.Errorf("found %+v", found)
	}
	b.must(s.Groups().Remove(ctx, next.ID))
	got, err = s.Groups().Get(ctx, g.ID)
	b.must(err)
	equal(b, got.Escalate, "", "the next group after it was removed")
	b.must(s.Schedules().Remove(ctx, sched.ID))
}

func testSchedules(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	feed, none := b.newConnection(), b.newConnection()
	feed.Role, feed.Calendar = tenants.RoleCalendar, &tenants.CalendarSettings{}
	for _, c := range []tenants.Connection{feed, none} {
		_, err := s.Connections().Add(ctx, c)
		b.must(err)
	}
	made := b.newSchedule()
	made.Calendar = none.ID
	b.refused(s.Schedules().Add(ctx, made), tenants.Invalid, "a connection that is no calendar")
	made.Calendar = feed.ID
	b.must(s.Schedules().Add(ctx, made))
	got, err := s.Schedules().Get(ctx, made.ID)
	b.must(err)
	made.Tenant = got.Tenant
	if !reflect.DeepEqual(got, made) {
		b.Errorf("got %+v, want %+v", got, made)
	}
	made.Zone, made.Calendar, made.Exceptions = "America/New_York", "", nil
	b.must(s.Schedules().Set(ctx, made))
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "schedule."})
	b.must(err)
	equal(b, audits[0].Detail, "time_zone, hours, calendar", "what was changed")
	made.Calendar = feed.ID
	b.must(s.Schedules().Set(ctx, made))
	g, other := b.newGroup("ana"), b.newSchedule()
	g.Members[0].Schedule = made.ID
	b.must(s.Groups().Add(ctx, g))
	b.must(s.Schedules().Add(ctx, other)) // of no person of the group
	d, err := s.Groups().Duties(ctx, g)
	b.must(err)
	if r, ok := d.Rosters[feed.ID]; !ok || !r.GoodAt.IsZero() {
		b.Errorf("a calendar that was not read: %+v", d.Rosters)
	}
	_, err = s.Alerts().Raise(ctx, tenants.AlertDuty, string(g.ID), "a gap")
	b.must(err)
	timed, err := b.s.Jobs().TimedGroups(ctx)
	b.must(err)
	if len(timed) != 1 || timed[0].Group != g.ID || !timed[0].Open || timed[0].Detail != "a gap" {
		b.Errorf("groups with schedules: %+v", timed)
	}
	uses, err := s.Schedules().Uses(ctx, made.ID, other.ID)
	b.must(err)
	if u := uses[made.ID]; len(u) != 1 || u[0].Group != g.ID || len(u[0].Persons) != 1 || len(uses[other.ID]) != 0 {
		b.Errorf("who uses the schedules: %+v", uses)
	}
	b.must(s.Connections().Remove(ctx, feed.ID))
	if d, err = s.Groups().Duties(ctx, g); err != nil || len(d.Schedules) != 1 {
		b.Errorf("after the calendar was removed: %+v, %v", d, err)
	}
}

func testConsents(b *bench) {
	ctx := b.Context()
	s := b.tenant().By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000b", Name: "bot"}})
	ana, ben := b.newConsent("ana"), b.newConsent("ben")
	b.must(s.Consents().Add(ctx, ana))
	b.must(s.Consents().Add(ctx, ben))
	got, err := s.Consents().Get(ctx, ana.ID)
	b.must(err)
	equal(b, got.By.Name, "bot", "who recorded it")
	b.clock.add(time.Hour)
	b.must(s.Consents().Withdraw(ctx, ben.ID))
	withdrawn, err := s.Consents().Get(ctx, ben.ID)
	b.must(err)
	b.clock.add(time.Hour)
	b.must(s.Consents().Withdraw(ctx, ben.ID))
	again, err := s.Consents().Get(ctx, ben.ID)
	b.must(err)
	equal(b, again, withdrawn, "a consent that is withdrawn twice")
	agreed, err := s.Consents().Agreed(ctx, []string{"ana", "ben", "cem"})
	b.must(err)
	if len(agreed) != 1 || !agreed["ana"] {
		b.Errorf("agreed: %v", agreed)
	}
	b.must(s.Consents().Add(ctx, b.newConsent("ben"))) // ben agrees again
	if agreed, err = s.Consents().Agreed(ctx, []string{"ben"}); err != nil || !agreed["ben"] {
		b.Errorf("agreed again: %v %v", agreed, err)
	}
	all, _, err := s.Consents().List(ctx, store.ConsentQuery{Page: store.Page{Search: "ben", Sort: "person"}})
	b.must(err)
	equal(b, len(all), 2, "consents of ben")
	all, err = s.Consents().Of(ctx, "ben")
	b.must(err)
	if len(all) != 2 || !all[0].WithdrawnAt.IsZero() || all[1].WithdrawnAt.IsZero() {
		b.Errorf("the history of ben: %+v", all)
	}
}

// ringTo is a ring to a group as the switchboard plans it.
func (b *bench) ringTo(s *store.Scope, g tenants.Group) *tenants.Ring {
	now := b.clock.Now()
	d, err := s.Groups().Duties(b.Context(), g)
	b.must(err)
	r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, To: tenants.To{Group: g.ID, Name: g.Name},
		By: tenants.System, CreatedAt: now, Steps: tenants.WhoRings(now, g, d)}
	r.ExpiresAt = now.Add(tenants.Lasts(r.Steps))
	return r
}

// testTurns: a hundred rings at once begin with each of four persons as often.
func testTurns(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	g := b.newGroup("ana", "ben", "cem", "dee")
	g.Way, g.StepSeconds = tenants.RoundRobin, 5
	b.must(s.Groups().Add(ctx, g))
	first := map[string]int{}
	rings := make([]*tenants.Ring, 100)
	for i := range rings {
		rings[i] = b.ringTo(s, g) // each planned with the turns as they were before all
	}
	var all sync.WaitGroup
	for _, r := range rings {
		all.Go(func() {
			if _, err := s.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	for _, r := range rings {
		kept, err := s.Rings().Get(ctx, r.ID)
		b.must(err)
		same(b, kept, r, "a ring in turn as it is recorded")
		first[kept.Steps[0].Person]++
	}
	for _, m := range g.Members {
		equal(b, first[m.Person], 25, "rings that began with "+m.Person)
	}
	once := store.Idempotency{Key: "once", Body: hashOf("once")}
	for range 2 { // a repeat takes no turn
		_, err := s.Rings().Add(ctx, b.ringTo(s, g), once, time.Time{})
		b.must(err)
	}
	again := b.ringTo(s, g)
	_, err := s.Rings().Add(ctx, again, store.Idempotency{}, time.Time{})
	b.must(err)
	got, err := s.Groups().Get(ctx, g.ID)
	b.must(err)
	turns := 0
	for _, m := range got.Members {
		if m.Turn > 100 {
			turns++
		}
	}
	equal(b, turns, 2, "turns after a repeat and another ring")
}

func testSteps(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	ana, ben := b.device(s, "ana"), b.device(s, "ben")
	next := b.newGroup("cem", "ben")
	next.Way = tenants.RoundRobin
	b.must(s.Groups().Add(ctx, next))
	g := b.newGroup("ana")
	g.Escalate = next.ID
	b.must(s.Groups().Add(ctx, g))
	r := b.ringTo(s, g)
	_, err := s.Rings().Add(ctx, r, store.Idempotency{}, r.CreatedAt)
	b.must(err)
	begin := func(wave, step int, d tenants.Device) []tenants.Fact {
		made := b.newRing(d).Attempts
		made[0].Step = step
		now := b.clock.add(time.Second)
		changed, facts, err := s.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
			return r.Begin(wave, made, nil, now), nil
		})
		b.must(err)
		kept, err := s.Rings().Get(ctx, r.ID)
		b.must(err)
		same(b, kept, changed, "a ring whose step began")
		r = changed
		return facts
	}
	equal(b, len(begin(1, 1, ana)), 1, "facts of the first step")
	facts := begin(3, 3, ben)
	if len(facts) != 2 || facts[0].Kind != tenants.FactExpired || facts[1].Kind != tenants.FactPlaced || facts[1].Seq <= facts[0].Seq {
		b.Errorf("facts of the next step: %+v", facts)
	}
	got, err := s.Groups().Get(ctx, next.ID)
	b.must(err)
	if got.Members[0].Turn != 0 || got.Members[1].Turn != 1 {
		b.Errorf("turns after an escalation: %+v", got.Members)
	}
	listed, _, err := s.Rings().List(ctx, store.RingQuery{})
	b.must(err)
	same(b, listed[0], r, "a ring with steps in a list")
	b.must(s.Groups().Remove(ctx, g.ID))
	last := b.ringTo(s, g) // planned just before
	_, err = s.Rings().Add(ctx, last, store.Idempotency{}, time.Time{})
	b.must(err)
}

func testExpiredSteps(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	g := b.newGroup("ana", "ben")
	b.must(s.Groups().Add(ctx, g))
	r := b.ringTo(s, g)
	_, err := s.Rings().Add(ctx, r, store.Idempotency{}, r.CreatedAt.Add(time.Second))
	b.must(err)
	// Nobody looked for longer than any other ring lasts, and some of its time is left.
	now := b.clock.add(35 * time.Second)
	rings, err := b.s.Jobs().Claim(ctx, store.LiveRings, now, time.Second, 10)
	b.must(err)
	if len(rings) != 1 || len(rings[0].Steps) != 2 {
		b.Fatalf("claimed %+v", rings)
	}
	now = b.clock.add(time.Minute)
	done, err := b.s.Jobs().Expire(ctx, now, time.Second, 10, func(r *tenants.Ring) []tenants.Fact {
		return r.Finish(tenants.FactExpired, now)
	})
	b.must(err)
	equal(b, len(done), 1, "expired rings")
	kept, err := s.Rings().Get(ctx, r.ID)
	b.must(err)
	same(b, kept, done[0].Ring, "an expired ring with steps")
	equal(b, kept.State, tenants.Missed, "its state")
	equal(b, kept.Steps[0].State, tenants.StepDropped, "its step")
	equal(b, len(kept.Own), 1, "its own facts")

	answered := b.ring(s, b.device(s, "ana"))
	b.record(s, answered, 0, tenants.FactAnswered, now)
	b.must(s.Rings().SetDue(ctx, answered.ID, now.Add(time.Minute)))
	b.must(s.Rings().AwaitStep(ctx, answered.ID, now)) // the moment of a call stays
	equal(b, len(b.claim(store.Calls, now, 10)), 0, "calls due")
}
