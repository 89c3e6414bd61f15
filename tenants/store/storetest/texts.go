package storetest

import (
	"reflect"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testTexts: a missed ring gets one text at most, also when it is not known whether it was sent;
// who answers STOP gets none.
func testTexts(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "ana")
	d.PhoneNumber, d.TimeZone = "+4915112345678", "Europe/Berlin"
	b.must(s.Devices().Set(ctx, d))
	for _, to := range []tenants.To{{Person: "ana"}, {Device: d.ID}} {
		a, err := s.Texts().Addressee(ctx, to)
		b.must(err)
		equal(b, a, store.Addressee{Person: "ana", Number: d.PhoneNumber, TimeZone: "Europe/Berlin"}, "who gets the text")
	}
	nobody, err := s.Texts().Addressee(ctx, tenants.To{Person: "ben"})
	b.must(err)
	equal(b, nobody, store.Addressee{}, "the text to nobody")

	c := tenants.NewID[tenants.ConnectionID](b.clock.Now())
	claim := func(r tenants.RingID, want tenants.Untexted) {
		b.Helper()
		why, err := s.Texts().Claim(ctx, r, c, d.PhoneNumber, time.Hour, 2)
		b.must(err)
		equal(b, why, want, "claim")
	}
	first, second, third := b.ring(s, d).ID, b.ring(s, d).ID, b.ring(s, d).ID
	claim(first, "")
	claim(first, tenants.TextUnknown) // as after a crash
	b.must(s.Texts().Settle(ctx, first, "", false))
	claim(first, "")
	b.must(s.Texts().Settle(ctx, first, "SM1", false))
	claim(first, tenants.TextSent)
	claim(second, tenants.TextTooSoon)
	b.clock.add(time.Hour)
	claim(second, "")
	b.must(s.Texts().Settle(ctx, second, "", true))
	claim(second, tenants.TextUnknown)
	b.clock.add(time.Hour)
	claim(third, tenants.TextTooMany)
	b.clock.add(22 * time.Hour)
	b.must(s.Texts().Stop(ctx, d.PhoneNumber, true))
	b.must(s.Texts().Stop(ctx, d.PhoneNumber, true))
	claim(third, tenants.TextStopped)
	_, err = b.s.Jobs().TextConnection(ctx, c)
	b.refused(err, tenants.Unknown, "the tenant of a connection that is not there")
	other := b.tenant()
	_, err = other.Texts().Claim(ctx, third, c, d.PhoneNumber, time.Hour, 2)
	b.refused(err, tenants.Unknown, "a text about another tenant's ring")
	for _, to := range []tenants.To{{Person: "ana"}, {Device: d.ID}} {
		a, err := other.Texts().Addressee(ctx, to)
		b.must(err)
		equal(b, a, store.Addressee{}, "another tenant's person")
	}
	b.must(other.Texts().Settle(ctx, second, "SM2", false))
	stopped, err := other.Texts().Stopped(ctx, d.PhoneNumber)
	b.must(err)
	equal(b, stopped, false, "STOP at another tenant")
	b.must(s.Texts().Stop(ctx, d.PhoneNumber, false))
	claim(third, "")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "text."})
	b.must(err)
	equal(b, len(audits), 2, "audit rows of STOP and START")
	equal(b, audits[0].Detail, "number ending in 5678", "what the row says of the number")
}

// testAuditFeed: a follower gets each entry once, from its own addition on, and no more than there
// is room for.
func testAuditFeed(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	b.must(s.Audits().Add(ctx, "user.sign_in", "before", ""))
	c := b.newConnection()
	c.Role, c.Events = tenants.RoleAudit, nil
	c = c.Clean()
	_, err := s.Connections().Add(ctx, c)
	b.must(err)
	b.must(s.Audits().Add(ctx, "user.sign_in", "after", ""))
	for _, want := range [][]string{{"connection.add", "user.sign_in"}, nil} {
		all, err := b.s.Jobs().AuditFollowers(ctx, 10)
		b.must(err)
		var actions []string
		for _, f := range all {
			for _, a := range f.Entries {
				actions = append(actions, a.Action)
			}
			for _, moved := range []bool{true, false} { // twice, as by two nodes
				got, err := b.s.Jobs().FeedAudits(ctx, f, []store.NewDelivery{{Tenant: f.Tenant, Connection: f.Connection,
					Event: tenants.AuditEventID(c.ID, 1), Kind: tenants.EventAuditRecorded, At: b.clock.Now(), Body: []byte("{}")}})
				b.must(err)
				equal(b, got, moved, "moved")
			}
		}
		equal(b, len(actions), len(want), "entries")
		for i := range min(len(actions), len(want)) {
			equal(b, actions[i], want[i], "entry")
		}
	}
	claimed, err := s.Deliveries().Claim(ctx, c.ID, b.clock.Now(), time.Minute, 10)
	b.must(err)
	equal(b, len(claimed), 1, "deliveries")

	b.must(s.Connections().Remove(ctx, c.ID))
	gone := b.newConnection()
	gone.Role, gone.Events = tenants.RoleAudit, nil
	gone = gone.Clean()
	_, err = s.Connections().Add(ctx, gone)
	b.must(err)
	all, err := b.s.Jobs().AuditFollowers(ctx, 10)
	b.must(err)
	equal(b, len(all), 1, "followers with new entries")
	b.must(s.Connections().Remove(ctx, gone.ID)) // after they were read
	got, err := b.s.Jobs().FeedAudits(ctx, all[0], nil)
	b.must(err)
	equal(b, got, false, "the mark of a connection that was removed")
}

// testRosters: a calendar is due once per turn for one node, and at once when its address
// changes; what was read comes back.
func testRosters(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.newConnection()
	c.Role, c.Events = tenants.RoleCalendar, nil
	c = c.Clean()
	_, err := s.Connections().Add(ctx, c)
	b.must(err)
	due := func(want int) {
		b.Helper()
		all, err := b.s.Jobs().DueRosters(ctx, b.clock.Now(), 10)
		b.must(err)
		equal(b, len(all), want, "due calendars")
	}
	due(1)
	for _, mine := range []bool{true, false} {
		got, err := s.Rosters().Claim(ctx, c.ID, c.URL, b.clock.Now(), b.clock.Now().Add(tenants.RosterEvery))
		b.must(err)
		equal(b, got, mine, "claim")
	}
	due(0)
	now := b.clock.Now()
	kept := store.KeptRoster{Roster: tenants.Roster{Connection: c.ID, ReadAt: now, GoodAt: now, Failed: 2, Cause: "x",
		Duties: []tenants.Duty{{From: now, To: now.Add(time.Hour), Who: "Ana", Person: "ana"}}, Notes: []string{"n"}},
		Address: c.URL, ETag: "e", Modified: "m", FullAt: now}
	b.must(s.Rosters().Keep(ctx, kept))
	got, err := s.Rosters().Get(ctx, c.ID)
	b.must(err)
	if !reflect.DeepEqual(got, kept) || len(got.On(now)) != 1 {
		b.Errorf("schedule: got %+v, want %+v", got, kept)
	}
	b.refused(s.Rosters().Hurry(ctx, c.ID), tenants.TooMany, "a read right after another")
	b.clock.add(time.Minute)
	due(0)
	b.must(s.Rosters().Hurry(ctx, c.ID))
	due(1)
	_, err = b.tenant().Rosters().Get(ctx, c.ID)
	b.refused(err, tenants.Unknown, "another tenant's schedule")
	mine, err := b.tenant().Rosters().Claim(ctx, c.ID, c.URL, now.Add(time.Hour), now.Add(2*time.Hour))
	b.must(err)
	equal(b, mine, false, "another tenant's claim")
	c.URL += "/other"
	b.must(s.Connections().Change(ctx, c))
	due(1)
}
