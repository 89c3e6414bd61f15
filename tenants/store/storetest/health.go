package storetest

import (
	"fmt"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func testAlerts(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	raise := func(target, detail string, want bool) {
		b.Helper()
		b.clock.add(time.Second)
		news, err := s.Alerts().Raise(ctx, tenants.AlertTokensRefused, target, detail)
		b.must(err)
		equal(b, news, want, "news of "+target)
	}
	first := b.clock.Now().Add(time.Second)
	raise("c1", "one", true)
	raise("c1", "two", false)
	raise("c2", "one", true)
	list, err := s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(list), 2, "open alerts")
	want := tenants.Alert{Kind: tenants.AlertTokensRefused, Target: "c1", Detail: "two", FirstAt: first, LastAt: first.Add(time.Second),
		Count: 2, Tenant: list[1].Tenant}
	equal(b, list[1], want, "the older one")
	b.must(s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, "c1"))
	b.refused(s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, "c1"), tenants.Unknown, "resolving twice")
	list, err = s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(list), 1, "still open")
	list, err = s.Alerts().List(ctx, true)
	b.must(err)
	equal(b, len(list), 2, "with those that were resolved")
	equal(b, list[1].ResolvedAt, b.clock.Now(), "resolved at")
	raise("c1", "again", true)
	list, err = s.Alerts().List(ctx, false)
	b.must(err)
	if list[0].Count != 1 || list[0].FirstAt != b.clock.Now() || !list[0].ResolvedAt.IsZero() {
		b.Errorf("raised again: %+v", list[0])
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "alert."})
	b.must(err)
	equal(b, len(audits), 4, "audit rows: three raised, one resolved")
}

// testManyAlerts: search and pages reach every alert, also behind those that are looked at
// together, and each once.
func testManyAlerts(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	const many = 230
	for i := range many {
		if i%3 > 0 { // three of one moment lie on both sides of a page's end
			b.clock.add(time.Second)
		}
		_, err := s.Alerts().Raise(ctx, tenants.AlertUnshown, fmt.Sprintf("4.%d beta", i), fmt.Sprintf("100%% of phones, number %d", i))
		b.must(err)
	}
	_, err := s.Alerts().Raise(ctx, tenants.AlertTokensRefused, "c1", "Apple refused")
	b.must(err)
	b.must(s.Alerts().Resolve(ctx, tenants.AlertUnshown, "4.0 beta"))
	now, err := s.Summary(ctx)
	b.must(err)
	equal(b, now.OpenAlerts, many, "open alerts")
	for name, x := range map[string]struct {
		ask  store.AlertQuery
		want int
	}{
		"all": {store.AlertQuery{}, many + 1}, "open": {store.AlertQuery{Open: true}, many}, "closed": {store.AlertQuery{Closed: true}, 1},
		"the oldest": {store.AlertQuery{Search: "Number 1"}, 111}, "a target": {store.AlertQuery{Search: "4.229 BETA"},
			1}, "a sign": {store.AlertQuery{Search: "100%"}, many},
		"a word": {store.AlertQuery{Search: "_"}, many + 1}, "a kind of another name": {store.AlertQuery{Search: "trouble",
			Kinds: []tenants.AlertKind{tenants.AlertTokensRefused}}, 1},
		"a target of another name": {store.AlertQuery{Search: "key", Targets: []string{"c1", "4.1 beta"}}, 2},
	} {
		seen, after := map[string]bool{}, tenants.Alert{}
		for ask, more := x.ask, true; more; {
			ask.Limit = 7
			list, next, err := s.Alerts().Find(ctx, ask)
			b.must(err)
			for _, a := range list {
				if seen[a.Target] || !after.LastAt.IsZero() && a.LastAt.After(after.LastAt) {
					b.Errorf("%s: %s twice or too late", name, a.Target)
				}
				seen[a.Target], after = true, a
			}
			ask.After, more = next, next != ""
		}
		equal(b, len(seen), x.want, name)
	}
	for _, after := range []string{"!", "bm90aGluZw", "MSAgAA"} {
		_, _, err := s.Alerts().Find(ctx, store.AlertQuery{After: after})
		b.refused(err, tenants.Invalid, after)
	}
}

// testConfine: what one host refuses is for the other, and what has no other is out of use.
func testConfine(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	at := b.clock.Now()
	check := func(c tenants.Credential, env tenants.Environment, state tenants.CredentialState, reason string) {
		b.Helper()
		got, err := s.Credentials().Get(ctx, c.ID)
		b.must(err)
		if got.Environment != env || got.State != state || got.LastError != reason {
			b.Errorf("%s for %s, %q; want %s for %s, %q", got.State, got.Environment, got.LastError, state, env, reason)
		}
	}
	c := b.newCredential()
	c.Environment = tenants.Auto
	b.must(s.Credentials().Add(ctx, c, []byte("x")))
	b.must(s.Credentials().Confine(ctx, c.ID, tenants.Production, "one", at))
	check(c, tenants.Sandbox, tenants.CredentialActive, "one")
	b.must(s.Credentials().Confine(ctx, c.ID, tenants.Production, "late", at))
	check(c, tenants.Sandbox, tenants.CredentialActive, "one")
	b.must(s.Credentials().Confine(ctx, c.ID, tenants.Sandbox, "two", at))
	check(c, tenants.Sandbox, tenants.CredentialDisabled, "two")

	twin := b.newCredential()
	twin.Environment = tenants.Production
	b.must(s.Credentials().Add(ctx, twin, []byte("x")))
	both := twin
	both.ID, both.Environment = tenants.NewID[tenants.CredentialID](at), tenants.Auto
	b.must(s.Credentials().Add(ctx, both, []byte("x")))
	b.must(s.Credentials().Confine(ctx, both.ID, tenants.Sandbox, "three", at))
	check(both, tenants.Auto, tenants.CredentialDisabled, "three")
	check(twin, tenants.Production, tenants.CredentialActive, "")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "credential."})
	b.must(err)
	equal(b, len(audits), 6, "audit rows: three added, one confined, two disabled")
}

func testReplace(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	add := func(env tenants.Environment) tenants.Credential {
		b.Helper()
		c := b.newCredential()
		c.Environment = env
		b.must(s.Credentials().Replace(ctx, c, []byte("x")))
		return c
	}
	state := func(c tenants.Credential, want tenants.CredentialState) {
		b.Helper()
		got, err := s.Credentials().Get(ctx, c.ID)
		b.must(err)
		equal(b, got.State, want, "state")
	}
	used := func(c tenants.Credential) {
		b.Helper()
		got, err := s.Rings().Targets(ctx, tenants.To{Device: d.ID})
		b.must(err)
		if got[0].Credential == nil || got[0].Credential.ID != c.ID {
			b.Errorf("pushed with %+v, want %s", got[0].Credential, c.ID)
		}
	}
	one, sandbox := add(tenants.Auto), add(tenants.Sandbox)
	_, err := s.Credentials().Rollback(ctx, one.ID)
	b.refused(err, tenants.Conflict, "nothing to go back to")
	_, err = s.Alerts().Raise(ctx, tenants.AlertCredential, string(one.ID), "x")
	b.must(err)
	b.must(s.Credentials().SetHedging(ctx, one.ID, false))
	b.must(s.Credentials().SetProfile(ctx, one.ID, tenants.ProfileCallKeep))
	two := add(tenants.Auto)
	state(one, tenants.CredentialPrevious)
	heir, err := s.Rings().Targets(ctx, tenants.To{Device: d.ID})
	b.must(err)
	equal(b, heir[0].Credential.NoHedge, true, "what was said of the one before")
	equal(b, heir[0].Credential.Profile, tenants.ProfileCallKeep, "the profile of the one before")
	state(sandbox, tenants.CredentialActive) // another environment is not replaced
	used(two)
	alerts, err := s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(alerts), 0, "alerts about what was replaced")
	again := two
	again.ID = tenants.NewID[tenants.CredentialID](b.clock.Now())
	b.refused(s.Credentials().Replace(ctx, again, []byte("x")), tenants.Conflict, "the same key in its own place")
	state(two, tenants.CredentialActive)
	typo := again // its key id was mistyped
	typo.KeyID = "MISTYPED01"
	b.must(s.Credentials().Replace(ctx, typo, []byte("x")))
	state(two, tenants.CredentialPrevious)
	used(typo)
	b.must(s.Credentials().Remove(ctx, typo.ID))
	_, err = s.Credentials().Rollback(ctx, two.ID)
	b.must(err)
	used(two)

	back, err := s.Credentials().Rollback(ctx, two.ID)
	b.must(err)
	equal(b, back.ID, one.ID, "back to")
	equal(b, back.State, tenants.CredentialActive, "its state")
	state(two, tenants.CredentialPrevious)
	used(one)
	_, err = s.Credentials().Rollback(ctx, two.ID) // by the name of the previous one
	b.must(err)
	used(two)
	b.must(s.Credentials().NoteRefusal(ctx, two.ID, "InvalidProviderToken", true, b.clock.Now()))
	_, err = s.Credentials().Rollback(ctx, two.ID)
	b.must(err)
	used(one)
	state(two, tenants.CredentialDisabled)
	_, err = s.Credentials().Rollback(ctx, one.ID)
	b.refused(err, tenants.Conflict, "a refused one is no way back")
}

func testRevive(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	revive := func(reason string, want bool) {
		b.Helper()
		done, err := s.Devices().Revive(ctx, d.ID, reason)
		b.must(err)
		equal(b, done, want, "revived after "+reason)
	}
	revive("BadDeviceToken", false)
	_, err := s.Devices().Disable(ctx, d.ID, "BadDeviceToken", b.clock.add(time.Second))
	b.must(err)
	revive("Unregistered", false)
	revive("BadDeviceToken", true)
	n, err := s.Devices().Count(ctx)
	b.must(err)
	equal(b, n, 1, "living devices")
	_, err = s.Devices().Disable(ctx, d.ID, "BadDeviceToken", b.clock.add(time.Second))
	b.must(err)
	other := b.newDevice("")
	other.Token, other.Bundle = d.Token, d.Bundle
	again, known, err := s.Devices().Add(ctx, other, hashOf("other"))
	b.must(err)
	if !known || again.ID != d.ID {
		b.Errorf("the same token came back as %s", again.ID)
	}
}

// testOutcomes: what the phones said of their attempts, by device and all together, and what the
// roller counts of it.
func testOutcomes(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d, second := b.device(s, "anna"), b.device(s, "anna")
	ring := func(status int, expire time.Duration, kinds ...tenants.FactKind) *tenants.Ring {
		b.Helper()
		r := b.newRing(d)
		_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
		b.must(err)
		r, _, err = s.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
			r.Attempts[0].Push.Status, r.Attempts[0].Push.Reason = status, map[bool]string{true: "BadDeviceToken"}[status != 200]
			return nil, nil
		})
		b.must(err)
		for _, k := range kinds {
			r = b.record(s, r, 0, k, b.clock.Now())
		}
		if expire > 0 {
			r = b.record(s, r, 0, tenants.FactExpired, b.clock.add(expire))
		}
		b.clock.add(time.Second)
		return r
	}
	ring(200, 30*time.Second, tenants.FactAccepted, tenants.FactWoke, tenants.FactSilenced)
	facts := 1 + 3
	ring(200, 30*time.Second, tenants.FactAccepted)                         // silent
	ring(200, 30*time.Second, tenants.FactAccepted, tenants.FactWoke)       // not shown
	ring(200, 0, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown) // rings still
	ring(400, 0, tenants.FactRefused)                                       // refused
	ring(200, 2*time.Second, tenants.FactAccepted)                          // too short to tell
	facts += 1 + 2 + 1 + 3 + 1 + 3 + 1 + 1 + 1 + 2                          // placed and the rest
	both := b.newRing(d, second)                                            // a person
	_, err := s.Rings().Add(ctx, both, noKey, both.ExpiresAt)
	b.must(err)
	facts += 2
	got, err := s.Outcomes().OfDevice(ctx, d.ID, 7)
	b.must(err)
	equal(b, len(got), 7, "outcomes of the device")
	letters := []byte{}
	for _, o := range got {
		equal(b, o.Device, d.ID, "device")
		switch {
		case o.Status == 400 && o.Reason == "BadDeviceToken":
			letters = append(letters, 'x')
		case o.Silent():
			letters = append(letters, 's')
		case o.Unshown():
			letters = append(letters, 'u')
		case o.Quiet:
			letters = append(letters, 'q')
		case o.Reported:
			letters = append(letters, 'r')
		default:
			letters = append(letters, '-')
		}
	}
	equal(b, string(letters), "--xrusq", "newest first")
	few, err := s.Outcomes().OfDevice(ctx, d.ID, 2)
	b.must(err)
	equal(b, len(few), 2, "limited")
	all, err := s.Outcomes().Since(ctx, time.Time{}, 100)
	b.must(err)
	equal(b, len(all), 8, "of all devices")
	all, err = s.Outcomes().Since(ctx, time.Time{}, 1)
	b.must(err)
	equal(b, len(all), 2, "of the latest ring")
	browser := b.newDevice("")
	browser.Platform = tenants.Browser
	_, _, err = s.Devices().Add(ctx, browser, hashOf("device", browser.ID))
	b.must(err)
	versions, err := s.Devices().CountByVersion(ctx)
	b.must(err)
	if !slices.Equal(versions, []tenants.Version{{App: "3.2", OS: "26.1", Devices: 3}}) {
		b.Errorf("versions %+v", versions)
	}
	b.roll(facts)
}

// testReasons: the roller counts why, and how late.
func testReasons(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	start := b.clock.Now()
	fact := func(k tenants.FactKind, detail string, after time.Duration) {
		b.Helper()
		r := b.ring(s, d)
		at := r.CreatedAt.Add(after)
		_, _, err := s.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
			return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: at, Received: at, Detail: detail}), nil
		})
		b.must(err)
	}
	fact(tenants.FactSilenced, "do_not_disturb", time.Second)
	fact(tenants.FactSilenced, "do_not_disturb", time.Second)
	fact(tenants.FactSilenced, "block_list", time.Second)
	fact(tenants.FactFailedToShow, "unentitled", time.Second)
	fact(tenants.FactRefused, "BadDeviceToken", time.Second)
	fact(tenants.FactWoke, "", 29*time.Second)
	fact(tenants.FactWoke, "", 40*time.Second)
	b.roll(14)
	reasons, late, err := s.Analytics().Reasons(ctx, start, time.Time{})
	b.must(err)
	want := []store.Reason{{Fact: tenants.FactSilenced, Detail: "do_not_disturb", N: 2},
		{Fact: tenants.FactFailedToShow, Detail: "unentitled", N: 1},
		{Fact: tenants.FactRefused, Detail: "BadDeviceToken", N: 1}, {Fact: tenants.FactSilenced, Detail: "block_list", N: 1}}
	if !slices.Equal(reasons, want) {
		b.Errorf("reasons %+v", reasons)
	}
	if p := tenants.Percentile(late.Buckets, 0.5); late.N != 1 || p < 10*time.Second || p > 11*time.Second {
		b.Errorf("late: %+v", late)
	}
	reasons, late, err = s.Analytics().Reasons(ctx, start.Add(2*time.Hour), time.Time{})
	b.must(err)
	equal(b, len(reasons)+int(late.N), 0, "of another time")
}
