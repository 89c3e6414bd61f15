package storetest

import (
	"reflect"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testPasskeys: a passkey belongs to one person, is a second step, and is used in turn.
func testPasskeys(b *bench) {
	ctx, now, keys := b.Context(), b.clock.Now(), b.s.Factors()
	u, other := b.user(), b.user()
	k := store.Passkey{ID: tenants.NewID[tenants.PasskeyID](now), User: u.ID, Credential: []byte{0, 1, 0xff}, Record: []byte(`{"n":1}`),
		Name: "Laptop", CreatedAt: now}
	b.must(keys.AddPasskey(ctx, store.Who{}, k, tenants.Hash{}))
	got, err := keys.Passkeys(ctx, u.ID)
	b.must(err)
	if !reflect.DeepEqual(got, []store.Passkey{k}) {
		b.Errorf("passkeys: %+v, want %+v", got, k)
	}
	stolen := k
	stolen.ID, stolen.User = tenants.NewID[tenants.PasskeyID](now), other.ID
	b.refused(keys.AddPasskey(ctx, store.Who{}, stolen, tenants.Hash{}), tenants.Conflict, "a passkey of two people")
	owner, err := keys.PasskeyOwner(ctx, k.Credential)
	b.must(err)
	equal(b, owner.ID, u.ID, "the owner")
	equal(b, owner.TwoSteps, true, "a passkey is a second step")
	for _, want := range []bool{true, false} { // the second comes too late
		fresh, err := keys.UsePasskey(ctx, k.Credential, k.Record, []byte(`{"n":2}`), now)
		b.must(err)
		equal(b, fresh, want, "used")
	}
	b.refused(keys.RenamePasskey(ctx, other.ID, k.ID, "x"), tenants.Unknown, "another's passkey renamed")
	b.must(keys.RenamePasskey(ctx, u.ID, k.ID, "Phone"))
	b.refused(keys.RemovePasskey(ctx, store.Who{}, other.ID, k.ID, tenants.Hash{}), tenants.Unknown, "another's passkey removed")
	b.must(keys.RemovePasskey(ctx, store.Who{}, u.ID, k.ID, tenants.Hash{}))
	_, err = keys.PasskeyOwner(ctx, k.Credential)
	b.refused(err, tenants.Unauthorized, "a passkey that was removed")
	after, err := b.s.Users().Get(ctx, u.ID)
	b.must(err)
	equal(b, after.TwoSteps, false, "the last second step is gone")

	b.must(keys.AddChallenge(ctx, hashOf("challenge"), []byte("session"), now.Add(time.Minute)))
	session, err := keys.TakeChallenge(ctx, hashOf("challenge"))
	b.must(err)
	equal(b, string(session), "session", "what was kept")
	_, err = keys.TakeChallenge(ctx, hashOf("challenge"))
	b.refused(err, tenants.Gone, "a challenge twice")
	b.must(keys.AddChallenge(ctx, hashOf("late"), []byte("session"), now))
	_, err = keys.TakeChallenge(ctx, hashOf("late"))
	b.refused(err, tenants.Gone, "a challenge that is over")
}

// testProviders: anybody claims a domain, one verifies it, and starts are bounded by network.
func testProviders(b *bench) {
	ctx := b.Context()
	one, two := b.tenant(), b.tenant()
	p := tenants.Provider{Issuer: "https://login.example", ClientID: "c", Secret: "a long secret", Role: tenants.Viewer,
		Domains: []string{"a.example", "b.example"}}
	b.must(one.Providers().Set(ctx, p))
	b.must(two.Providers().Set(ctx, p))
	claimed := func(s *store.Scope) []tenants.DomainClaim {
		got, err := s.Providers().Get(ctx)
		b.must(err)
		return got.Claims
	}
	first, second := claimed(one), claimed(two)
	equal(b, len(first), 2, "claims")
	b.refused(one.Providers().Verify(ctx, second[0]), tenants.Unknown, "another's token")
	_, err := b.s.ProviderOf(ctx, "a.example")
	b.refused(err, tenants.Unknown, "a domain that nobody verified")
	p.OnlyWay = true
	b.refused(one.Providers().Set(ctx, p), tenants.Unprocessable, "the only way in, which nobody can take")
	p.OnlyWay = false
	b.must(one.Providers().Verify(ctx, first[0]))
	b.refused(two.Providers().Verify(ctx, second[0]), tenants.Conflict, "a domain that somebody has")
	found, err := b.s.ProviderOf(ctx, "a.example")
	b.must(err)
	t, err := one.Tenant(ctx)
	b.must(err)
	equal(b, found, t.ID, "whose domain it is")
	p.Domains = []string{"a.example", "c.example"}
	b.must(one.Providers().Set(ctx, p))
	again := claimed(one)
	equal(b, again[0].VerifiedAt.IsZero(), false, "a domain that stays is still verified")
	equal(b, again[1].VerifiedAt.IsZero(), true, "a new domain is not")
	due := func() bool {
		all, err := b.s.DueDomains(ctx)
		b.must(err)
		return slices.ContainsFunc(all, func(d store.DueDomain) bool { return d.Tenant == t.ID && d.Token == again[0].Token })
	}
	equal(b, due(), false, "a check of what was verified just now")
	b.must(b.statement("UPDATE oidc_domains SET check_at = 0 WHERE domain = 'a.example'"))
	equal(b, due(), true, "a check of what was verified long ago")
	b.must(one.Providers().Checked(ctx, again[0], tenants.DomainUnproved))
	equal(b, due(), false, "a check that was made")
	equal(b, claimed(one)[0].VerifiedAt.IsZero(), false, "one failure takes nothing")
	b.refused(two.Providers().Checked(ctx, again[1], tenants.DomainUnproved), tenants.Unknown, "a check of another's domain")
	p.OnlyWay = true
	b.must(one.Providers().Set(ctx, p))
	only, err := one.Providers().OnlyWay(ctx)
	b.must(err)
	equal(b, only, true, "the only way in")
	b.must(b.statement("UPDATE oidc_domains SET token = '', verified_at = 0")) // a node of an older version
	only, err = one.Providers().OnlyWay(ctx)
	b.must(err)
	equal(b, only, false, "no domain is verified")
	p.OnlyWay = false
	b.must(one.Providers().Set(ctx, p))
	for _, d := range claimed(one) {
		equal(b, d.Token != "", true, "a claim that can be proved")
	}

	ends := b.clock.Now().Add(time.Hour)
	for i := range 500 {
		b.must(b.s.StartAtProvider(ctx, store.ProviderStart{Hash: hashOf("start", i), Tenant: t.ID, Expires: ends, Network: "192.0.2.1"}))
	}
	b.refused(b.s.StartAtProvider(ctx, store.ProviderStart{Hash: hashOf("more"), Tenant: t.ID, Expires: ends, Network: "192.0.2.1"}),
		tenants.TooMany, "too many starts of a network")
	b.must(b.s.StartAtProvider(ctx, store.ProviderStart{Hash: hashOf("more"), Tenant: t.ID, Expires: ends, Network: "192.0.2.2"}))
}

// testResend: the old link is over, and the bounds are kept in the row.
func testResend(b *bench) {
	ctx, s, now := b.Context(), b.tenant(), b.clock.Now()
	b.must(s.Invitations().Add(ctx, store.Invitation{Hash: hashOf("link"), Email: "ana@example.com", Role: tenants.Viewer, CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}, nil))
	resend := func(from, to string) error {
		_, err := s.Invitations().Resend(ctx, hashOf(from), hashOf(to), true, b.clock.Now().Add(48*time.Hour))
		return err
	}
	b.refused(resend("link", "link 1"), tenants.TooMany, "within a minute")
	b.clock.add(time.Minute)
	b.must(resend("link", "link 1"))
	b.refused(resend("link", "x"), tenants.Unknown, "the old link")
	i, err := b.s.Users().Invitation(ctx, hashOf("link 1"), b.clock.Now())
	b.must(err)
	equal(b, i.Shown, true, "shown")
	for _, n := range []string{"1", "2", "3", "4"} {
		b.clock.add(time.Minute)
		b.must(resend("link "+n, "link "+string(n[0]+1)))
	}
	b.clock.add(time.Minute)
	b.refused(resend("link 5", "x"), tenants.TooMany, "the sixth of a day")
	b.clock.add(24 * time.Hour)
	b.must(resend("link 5", "x"))
}
