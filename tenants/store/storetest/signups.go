package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// signup keeps a sign-up for an address; its hashes are of the address and a number.
func (b *bench) signup(email string) tenants.Signup {
	b.Helper()
	now := b.clock.Now()
	n := tenants.Signup{
		Hash: hashOf("link", email, b.next()), Browser: hashOf("browser",
			email), Email: email, Name: "Ana", Password: "phc", Company: "Lindenhof",
		Industry: tenants.Healthcare, TimeZone: "Europe/Berlin", CreatedAt: now, ExpiresAt: now.Add(tenants.SignupTTL),
	}
	b.must(b.s.SignUps().Add(b.Context(), n))
	return n
}

// opening is what the sign-up would become, under a slug and a key.
func (b *bench) opening(n tenants.Signup, slug, key string) store.Opening {
	now := b.clock.Now()
	t := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: slug, Name: n.Company, Industry: n.Industry, State: tenants.TenantActive,
		TimeZone: n.TimeZone,
		RingTTL:  tenants.DefaultTTL, CreatedAt: now,
	}
	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: n.Email, Name: n.Name, Password: n.Password, Theme: "auto",
		CreatedAt: now}
	return store.Opening{
		Signup: n.Hash, Key: key, Tenant: t, Owner: u, Subscription: b.s.Plans().Trial(t.ID, "starter", now),
		Agents: t.File().NewAgents(t, now),
		Who:    store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(u.ID), Name: u.Name}},
	}
}

func testSignups(b *bench) {
	ctx := b.Context()
	n, second := b.signup("ana@lindenhof.example"), b.signup("ana@lindenhof.example")
	got, err := b.s.SignUps().Get(ctx, n.Hash, b.clock.Now())
	b.must(err)
	equal(b, got, n, "read back")
	_, err = b.s.SignUps().Get(ctx, hashOf("nobody"), b.clock.Now())
	b.refused(err, tenants.Gone, "an unknown link")
	_, err = b.s.SignUps().Get(ctx, n.Hash, n.ExpiresAt)
	b.refused(err, tenants.Gone, "an expired link")

	o := b.opening(n, "lindenhof", "lindenhof.example")
	b.must(b.s.SignUps().OpenTrial(ctx, o))
	b.refused(b.s.SignUps().OpenTrial(ctx, o), tenants.Gone, "a link used twice")
	_, err = b.s.SignUps().Get(ctx, second.Hash, b.clock.Now())
	b.refused(err, tenants.Gone, "the other link of the same address")
	s := b.s.For(o.Tenant.ID)
	t, err := s.Tenant(ctx)
	b.must(err)
	equal(b, t.DefaultAgent, o.Agents[0].ID, "default agent")
	e, err := s.Subscription().Entitlement(ctx)
	b.must(err)
	equal(b, e.Standing, tenants.StandingTrial, "standing")
	m, err := s.Members().Get(ctx, o.Owner.ID)
	b.must(err)
	equal(b, m.Role, tenants.Owner, "role")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	equal(b, len(audits), 6, "audit rows: tenant, member, agent, two alert rules, subscription")
	tried, err := b.s.SignUps().HadTrial(ctx, "lindenhof.example")
	b.must(err)
	equal(b, tried, true, "tried")

	ben := b.signup("ben@lindenhof.example")
	b.refused(b.s.SignUps().OpenTrial(ctx, b.opening(ben, "other", "lindenhof.example")), tenants.Conflict, "a second trial of the domain")
	b.refused(b.s.SignUps().OpenTrial(ctx, b.opening(ben, "lindenhof", "else.example")), tenants.Conflict, "a taken slug")
	again := b.signup("ana@lindenhof.example")
	b.refused(b.s.SignUps().OpenTrial(ctx, b.opening(again, "other", "else.example")), tenants.Conflict, "a known address")
	_, err = b.s.SignUps().Get(ctx, ben.Hash, b.clock.Now())
	b.must(err) // a refusal used nothing up
	all, err := b.s.Tenants().List(ctx)
	b.must(err)
	equal(b, len(all), 1, "tenants")

	b.clock.add(tenants.SignupTTL)
	b.refused(b.s.SignUps().OpenTrial(ctx, b.opening(ben, "late", "late.example")), tenants.Gone, "a link that expired meanwhile")
	b.must(b.s.Jobs().Forget(ctx, b.clock.Now()))
	_, err = b.s.SignUps().Get(ctx, ben.Hash, b.clock.Now().Add(-time.Hour))
	b.refused(err, tenants.Gone, "a forgotten sign-up")

	racer := b.signup("cleo@race.example")
	var won atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		mine := b.opening(racer, "race", "race.example")
		wait.Go(func() {
			if b.s.SignUps().OpenTrial(ctx, mine) == nil {
				won.Add(1)
			}
		})
	}
	wait.Wait()
	equal(b, won.Load(), 1, "winners of one link")
}

// testCards: a card is the tenant's who added it first, in whatever order the claims come, and what
// is kept is no fingerprint.
func testCards(b *bench) {
	one, other := b.tenant(), b.tenant()
	for i, s := range []*store.Scope{one, other, one} { // added at the same moment: the first to claim it keeps it
		c, err := s.Subscription().ClaimCard(b.Context(), "same moment", b.clock.Now())
		b.must(err)
		equal(b, c.Mine, s == one, "whose card "+string(rune('1'+i)))
		equal(b, c.From, "", "from whom")
	}
	ctx, now := b.Context(), b.clock.Now()
	one, two := b.tenant(), b.tenant()
	claim := func(s *store.Scope, card string, at time.Time, want store.Claim) {
		b.Helper()
		got, err := s.Subscription().ClaimCard(ctx, card, at)
		b.must(err)
		equal(b, got, want, "claim of "+card)
	}
	t, err := one.Tenant(ctx)
	b.must(err)
	claim(one, "a", now, store.Claim{Mine: true})
	claim(one, "a", now, store.Claim{Mine: true})
	claim(two, "a", now.Add(time.Second), store.Claim{})
	claim(two, "a", now, store.Claim{}) // at the same moment: who is there stays
	claim(two, "b", now, store.Claim{Mine: true})
	claim(two, "a", now.Add(-time.Second), store.Claim{Mine: true, From: t.ID})
	claim(one, "a", now, store.Claim{})
	var mine atomic.Int64
	var wait sync.WaitGroup
	for _, s := range []*store.Scope{one, two, one, two} {
		wait.Go(func() {
			if c, err := s.Subscription().ClaimCard(ctx, "race", now); err == nil && c.Mine {
				mine.Add(1)
			}
		})
	}
	wait.Wait()
	equal(b, mine.Load(), 2, "claims of the one who won")
}

// testNewTenant: a tenant made by hand comes with its invitation and its key, or not at all.
func testNewTenant(b *bench) {
	ctx, now := b.Context(), b.clock.Now()
	found := func(slug string) store.NewTenant {
		id := tenants.NewID[tenants.TenantID](now)
		return store.NewTenant{
			Tenant: tenants.Tenant{ID: id, Slug: slug, Name: "Elm", Industry: tenants.Salon, State: tenants.TenantActive, TimeZone: "UTC",
				RingTTL: tenants.DefaultTTL, CreatedAt: now},
			Invitation: store.Invitation{Hash: hashOf("invitation", slug), Tenant: id, Email: "a@b.example", Role: tenants.Owner,
				By: tenants.System, CreatedAt: now, ExpiresAt: now.Add(time.Hour)},
			Key: tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Tenant: id, Name: "First key", Permissions: tenants.Scopes(),
				CreatedAt: now},
			KeyHash: hashOf("key", slug),
		}
	}
	elm := found("elm-by-hand")
	b.must(b.s.Tenants().Open(ctx, elm))
	scope := b.s.For(elm.Tenant.ID)
	open, err := scope.Invitations().List(ctx)
	b.must(err)
	keys, _, err := scope.Keys().List(ctx, store.Page{})
	b.must(err)
	audits, _, err := scope.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	equal(b, [3]int{len(open), len(keys), len(audits)}, [3]int{1, 1, 5}, "invitations, keys and audit rows, with those of alert rules")
	rules, _, err := scope.AlertRules().List(ctx, store.Page{})
	b.must(err)
	equal(b, len(rules), 2, "alert rules of the industry")

	b.refused(b.s.Tenants().Open(ctx, found("elm-by-hand")), tenants.Conflict, "a taken slug")
	oak := found("oak-by-hand")
	oak.KeyHash = elm.KeyHash // the last part fails
	b.refused(b.s.Tenants().Open(ctx, oak), tenants.Conflict, "a key that is there already")
	_, err = b.s.For(oak.Tenant.ID).Tenant(ctx)
	b.refused(err, tenants.Unknown, "a tenant whose key was refused")
}
