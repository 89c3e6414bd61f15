package storetest

import (
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func testTenants(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	t, err := s.Tenant(ctx)
	b.must(err)
	equal(b, t.CreatedAt, b.clock.Now(), "created")
	equal(b, t.RingTTL, tenants.DefaultTTL, "time to live")

	again := t
	again.ID = tenants.NewID[tenants.TenantID](b.clock.Now())
	b.refused(b.s.Tenants().Add(ctx, store.Who{}, again), tenants.Conflict, "a slug twice")

	a := b.newAgent()
	t.Name, t.DefaultAgent = "Renamed", a.ID
	b.refused(s.SetTenant(ctx, t), tenants.Unknown, "an unknown default agent")
	b.must(s.Agents().Add(ctx, a))
	b.must(s.SetTenant(ctx, t))
	got, err := s.Tenant(ctx)
	b.must(err)
	equal(b, got, t, "changed tenant")
	b.must(s.SetTenant(ctx, t))

	other := b.tenant()
	o, err := other.Tenant(ctx)
	b.must(err)
	o.Slug = t.Slug
	b.refused(other.SetTenant(ctx, o), tenants.Conflict, "another's slug")

	all, err := b.s.Tenants().List(ctx)
	b.must(err)
	equal(b, len(all), 2, "tenants")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "tenant."})
	b.must(err)
	equal(b, len(audits), 2, "audit rows: added, changed once")
	equal(b, audits[0].Detail, "name, default_agent", "names of changed fields")

	b.must(s.Suspend(ctx, "unpaid"))
	form := t // a copy from before
	form.Name = "Again"
	b.must(s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser}}).SetTenant(ctx, form))
	got, err = s.Tenant(ctx)
	b.must(err)
	equal(b, got.State, tenants.TenantSuspended, "a form lifts no suspension")
	equal(b, got.Name, "Again", "what the form changes")

	nobody := b.s.For("0190aaaa-0000-7000-8000-000000000000")
	_, err = nobody.Tenant(ctx)
	b.refused(err, tenants.Unknown, "an unknown tenant")
	b.refused(nobody.Agents().Add(ctx, b.newAgent()), tenants.Unknown, "a change of an unknown tenant")
}

func testUsers(b *bench) {
	ctx := b.Context()
	u := b.user()
	got, err := b.s.Users().Get(ctx, u.ID)
	b.must(err)
	equal(b, got, u, "user")
	got, err = b.s.Users().ByEmail(ctx, u.Email)
	b.must(err)
	equal(b, got.ID, u.ID, "user by address")
	_, err = b.s.Users().ByEmail(ctx, "nobody@example.com")
	b.refused(err, tenants.Unknown, "an unknown address")

	again := u
	again.ID = tenants.NewID[tenants.UserID](b.clock.Now())
	b.refused(b.s.Users().Add(ctx, again), tenants.Conflict, "an address twice")
	other := b.user()
	other.Email = u.Email
	b.refused(b.s.Users().Set(ctx, other), tenants.Conflict, "another's address")

	u.Theme, u.Name = "dark", "New Name"
	b.must(b.s.Users().Set(ctx, u))
	b.must(b.s.Users().SetPassword(ctx, u.ID, "new"))
	got, err = b.s.Users().Get(ctx, u.ID)
	b.must(err)
	u.Password = "new"
	equal(b, got, u, "changed user")
	u.Language = "es"
	b.must(b.s.Users().SetLanguage(ctx, store.Who{}, u.ID, "es"))
	got, err = b.s.Users().Get(ctx, u.ID)
	b.must(err)
	equal(b, got, u, "a person with a language")
	u.Name = "Another Name"
	b.must(b.s.Users().SetName(ctx, store.Who{}, u.ID, u.Name))
	got, err = b.s.Users().Get(ctx, u.ID)
	b.must(err)
	equal(b, got, u, "a person with another name")
	u.ID = again.ID
	b.refused(b.s.Users().SetLanguage(ctx, store.Who{}, u.ID, "es"), tenants.Unknown, "an unknown user's language")
	b.refused(b.s.Users().SetName(ctx, store.Who{}, u.ID, "x"), tenants.Unknown, "an unknown user's name")
	b.refused(b.s.Users().Set(ctx, u), tenants.Unknown, "an unknown user")
	b.refused(b.s.Users().SetPassword(ctx, u.ID, "x"), tenants.Unknown, "an unknown user's password")

	s := b.tenant()
	m := b.member(s, tenants.Owner)
	list, err := b.s.Users().Memberships(ctx, m.ID)
	b.must(err)
	if len(list) != 1 || list[0].Role != tenants.Owner || list[0].Tenant.Slug == "" {
		b.Errorf("memberships: %+v", list)
	}
}

func (b *bench) signIn(u tenants.User, t *store.Scope) store.SignIn {
	b.Helper()
	now := b.clock.Now()
	tenant, err := t.Tenant(b.Context())
	b.must(err)
	in := store.SignIn{
		Hash: hashOf("sign-in", b.next()), User: u.ID, Tenant: tenant.ID, CreatedAt: now, IdleAt: now.Add(time.Hour),
		ExpiresAt: now.Add(24 * time.Hour), ProvedAt: now, Origin: "origin", IP: "192.0.2.1", UserAgent: "test",
	}
	b.must(b.s.SignIns().Add(b.Context(), in))
	return in
}

// testLateSignIns: what was under way when a person got a new password, or was disabled, lets
// nobody in.
func testLateSignIns(b *bench) {
	ctx, s, now := b.Context(), b.tenant(), b.clock.Now()
	u := b.member(s, tenants.Owner)
	b.must(b.s.Users().SetPassword(ctx, u.ID, "first"))
	in := b.signIn(u, s)
	add := func(phc string) (whole, half error) {
		in.Hash, in.Password = hashOf("late", b.next()), phc
		x := store.HalfSignIn{Hash: in.Hash, User: u.ID, Tenant: in.Tenant, ExpiresAt: now.Add(time.Hour), Password: phc}
		return b.s.SignIns().Add(ctx, in), b.s.Factors().AddHalf(ctx, x)
	}
	refused := func(phc, what string) {
		whole, half := add(phc)
		b.refused(whole, tenants.Unauthorized, "a sign-in "+what)
		b.refused(half, tenants.Unauthorized, "half a sign-in "+what)
	}
	taken := func(phc string) {
		whole, half := add(phc)
		b.must(whole)
		b.must(half)
	}
	taken("first")
	b.must(b.s.Users().SetPassword(ctx, u.ID, "second"))
	refused("first", "by the password of before")
	taken("second")
	u.DisabledAt = now
	b.must(b.s.Users().Set(ctx, u))
	refused("second", "of a disabled person")
}

func testSignIns(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	u := b.member(s, tenants.Owner)
	in, second := b.signIn(u, s), b.signIn(u, s)
	now := b.clock.Now()

	got, who, err := b.s.SignIns().Get(ctx, in.Hash, now)
	b.must(err)
	equal(b, got, in, "sign-in")
	equal(b, who.ID, u.ID, "whose it is")
	_, _, err = b.s.SignIns().Get(ctx, hashOf("no"), now)
	b.refused(err, tenants.Unauthorized, "an unknown sign-in")
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, in.IdleAt)
	b.refused(err, tenants.Unauthorized, "an idle sign-in")
	b.must(b.s.SignIns().Touch(ctx, in.Hash, now.Add(48*time.Hour)))
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, in.IdleAt)
	b.must(err)
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, in.ExpiresAt)
	b.refused(err, tenants.Unauthorized, "an expired sign-in")
	b.refused(b.s.SignIns().Touch(ctx, hashOf("no"), now), tenants.Unauthorized, "touching an unknown one")

	renewed := hashOf("renewed", b.next())
	b.must(b.s.SignIns().Renew(ctx, in.Hash, renewed, now.Add(time.Minute)))
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, now)
	b.refused(err, tenants.Unauthorized, "the token from before a new proof")
	got, _, err = b.s.SignIns().Get(ctx, renewed, now)
	b.must(err)
	equal(b, got.ProvedAt, now.Add(time.Minute), "the last proof")
	in.Hash = renewed

	foreign, err := other.Tenant(ctx)
	b.must(err)
	b.refused(b.s.SignIns().Switch(ctx, in.Hash, foreign.ID), tenants.Unknown, "switching to a tenant one is no member of")
	b.must(other.Members().Add(ctx, tenants.Member{User: u.ID, Role: tenants.Viewer, CreatedAt: now}))
	b.must(b.s.SignIns().Switch(ctx, in.Hash, foreign.ID))

	list, err := b.s.SignIns().List(ctx, u.ID)
	b.must(err)
	equal(b, len(list), 2, "sign-ins")
	crowd := b.member(s, tenants.Viewer)
	oldest := b.signIn(crowd, s)
	for range 100 {
		b.clock.add(time.Second)
		b.signIn(crowd, s)
	}
	newest, err := b.s.SignIns().List(ctx, crowd.ID)
	b.must(err)
	equal(b, len(newest), 100, "sign-ins of a person who signed in 101 times")
	_, _, err = b.s.SignIns().Get(ctx, oldest.Hash, now)
	b.refused(err, tenants.Unauthorized, "the oldest of them")
	b.must(b.s.Users().SetPassword(ctx, u.ID, "new", second.Hash))
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, now)
	b.refused(err, tenants.Unauthorized, "a sign-in from before the new password")
	_, _, err = b.s.SignIns().Get(ctx, second.Hash, now)
	b.must(err)
	third := b.signIn(u, s)
	b.must(b.s.SignIns().EndAll(ctx, u.ID, third.Hash))
	_, _, err = b.s.SignIns().Get(ctx, second.Hash, now)
	b.refused(err, tenants.Unauthorized, "an ended sign-in")
	b.must(b.s.SignIns().End(ctx, third.Hash))
	b.must(b.s.SignIns().End(ctx, third.Hash))
	last := b.signIn(u, s)
	u.DisabledAt = now
	b.must(b.s.Users().Set(ctx, u))
	_, _, err = b.s.SignIns().Get(ctx, last.Hash, now)
	b.refused(err, tenants.Unauthorized, "a disabled person's sign-in")
}

func testMembers(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	owner, viewer := b.member(s, tenants.Owner), b.member(s, tenants.Viewer)

	m, err := s.Members().Get(ctx, viewer.ID)
	b.must(err)
	if m.Role != tenants.Viewer || m.Email != viewer.Email || m.Name != viewer.Name {
		b.Errorf("member: %+v", m)
	}
	list, next, err := s.Members().List(ctx, store.Page{})
	b.must(err)
	if len(list) != 2 || next != "" || list[0].User != viewer.ID {
		b.Errorf("members: %+v", list)
	}
	list, _, err = s.Members().List(ctx, store.Page{Search: owner.Email[:7]})
	b.must(err)
	equal(b, len(list), 1, "members found by address")

	b.refused(s.Members().Add(ctx, tenants.Member{User: owner.ID, Role: tenants.Admin}), tenants.Conflict, "a member twice")
	b.refused(s.Members().Add(ctx, tenants.Member{User: "nobody", Role: tenants.Admin}), tenants.Unknown, "an unknown user")
	b.refused(s.Members().SetRole(ctx, owner.ID, tenants.Viewer), tenants.Conflict, "demoting the last owner")
	b.refused(s.Members().Remove(ctx, owner.ID), tenants.Conflict, "removing the last owner")
	b.must(s.Members().SetRole(ctx, owner.ID, tenants.Owner))
	b.must(s.Members().SetRole(ctx, viewer.ID, tenants.Owner))
	b.must(s.Members().SetRole(ctx, owner.ID, tenants.Viewer))
	b.refused(s.Members().Remove(ctx, viewer.ID), tenants.Conflict, "removing the new last owner")
	in := b.signIn(owner, s)
	b.must(s.Members().Remove(ctx, owner.ID))
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, b.clock.Now())
	b.refused(err, tenants.Unauthorized, "a removed member's sign-in")
	b.refused(s.Members().Remove(ctx, owner.ID), tenants.Unknown, "removing twice")
	b.refused(s.Members().SetRole(ctx, owner.ID, tenants.Admin), tenants.Unknown, "the role of a stranger")
}

func testInvitations(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	b.member(s, tenants.Owner)
	now := b.clock.Now()
	i := store.Invitation{
		Hash: hashOf("first"), Email: "new@example.com", Role: tenants.Admin, By: tenants.Actor{Kind: tenants.ActorUser,
			ID: "0190aaaa-0000-7000-8000-00000000000d", Name: "Owner"},
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	b.must(s.Invitations().Add(ctx, i, nil))
	first := i.Hash
	i.Hash = hashOf("second")
	b.must(s.Invitations().Add(ctx, i, nil))
	_, err := b.s.Users().Invitation(ctx, first, now)
	b.refused(err, tenants.Gone, "an invitation that was replaced")
	got, err := b.s.Users().Invitation(ctx, i.Hash, now)
	b.must(err)
	tenant, err := s.Tenant(ctx)
	b.must(err)
	i.Tenant = tenant.ID
	equal(b, got, i, "invitation")
	_, err = b.s.Users().Invitation(ctx, i.Hash, i.ExpiresAt)
	b.refused(err, tenants.Gone, "an expired invitation")
	list, err := s.Invitations().List(ctx)
	b.must(err)
	equal(b, len(list), 1, "open invitations")

	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Name: "New", Password: "phc", Theme: "auto", CreatedAt: now,
		Email: "liar@example.com"}
	m, err := b.s.Users().TakeInvitation(ctx, i.Hash, u, now)
	b.must(err)
	if m.User != u.ID || m.Role != tenants.Admin || m.Tenant != tenant.ID || m.Email != "new@example.com" {
		b.Errorf("taken: %+v", m)
	}
	_, err = b.s.Users().TakeInvitation(ctx, i.Hash, u, now)
	b.refused(err, tenants.Gone, "an invitation twice")
	i.Hash = hashOf("third")
	b.refused(s.Invitations().Add(ctx, i, nil), tenants.Conflict, "inviting a member")

	other := b.tenant()
	b.must(other.Invitations().Add(ctx, i, nil))
	u.ID = tenants.NewID[tenants.UserID](now)
	again, err := b.s.Users().TakeInvitation(ctx, i.Hash, u, now)
	b.must(err)
	equal(b, again.User, m.User, "the user with the invited address")

	i.Hash, i.Email, i.Role = hashOf("fourth"), "x@example.com", tenants.Owner
	b.must(s.Invitations().Add(ctx, i, nil))
	replaced := i
	i.Hash = hashOf("fifth")
	no := func(r tenants.Role) error {
		equal(b, r, tenants.Owner, "the role that is replaced")
		return tenants.Refuse(tenants.Forbidden, "x", "x")
	}
	b.refused(s.Invitations().Add(ctx, i, no), tenants.Forbidden, "replacing an invitation that may not be")
	_, err = b.s.Users().Invitation(ctx, replaced.Hash, now)
	b.must(err)
	b.must(s.Invitations().Add(ctx, i, nil))
	b.must(s.Invitations().Revoke(ctx, i))
	b.refused(s.Invitations().Revoke(ctx, i), tenants.Unknown, "taking back twice")
	_, err = b.s.Users().Invitation(ctx, i.Hash, now)
	b.refused(err, tenants.Gone, "an invitation that was taken back")
}

// testUnprovenAccounts takes up links that the inviter saw. The account they make gives way to the
// person who proves the address.
func testUnprovenAccounts(b *bench) {
	ctx, now := b.Context(), b.clock.Now()
	alpha, beta := b.tenant(), b.tenant()
	b.member(alpha, tenants.Owner)
	invite := func(s *store.Scope, shown bool) store.Invitation {
		i := store.Invitation{Hash: hashOf("unproven", b.next()), Email: "real@example.com", Role: tenants.Viewer, Shown: shown,
			CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		b.must(s.Invitations().Add(ctx, i, nil))
		return i
	}
	person := func(name string) tenants.User {
		return tenants.User{ID: tenants.NewID[tenants.UserID](now), Name: name, Password: name, Theme: "auto", CreatedAt: now}
	}
	thief, real := person("thief"), person("real")
	_, err := b.s.Users().TakeInvitation(ctx, invite(alpha, true).Hash, thief, now)
	b.must(err)
	u, err := b.s.Users().ByEmail(ctx, "real@example.com")
	b.must(err)
	if u.ID != thief.ID || !u.Unproven {
		b.Errorf("after a link that the inviter saw: %+v", u)
	}
	in := b.signIn(u, alpha)
	m, err := b.s.Users().TakeInvitation(ctx, invite(beta, true).Hash, real, now) // this link proves nothing either
	b.must(err)
	equal(b, m.User, thief.ID, "who joins by a link that the inviter saw")
	b.must(beta.Members().Remove(ctx, thief.ID))

	m, err = b.s.Users().TakeInvitation(ctx, invite(beta, false).Hash, real, now)
	b.must(err)
	equal(b, m.User, real.ID, "who joins by a link that only the address got")
	u, err = b.s.Users().ByEmail(ctx, "real@example.com")
	b.must(err)
	if u.ID != real.ID || u.Unproven || u.Password != "real" {
		b.Errorf("after the address was proven: %+v", u)
	}
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, now)
	b.refused(err, tenants.Unauthorized, "a sign-in of the unproven account")
	all, err := b.s.Users().Memberships(ctx, real.ID)
	b.must(err)
	equal(b, len(all), 2, "memberships of the proven account")
	_, err = b.s.Users().TakeInvitation(ctx, invite(b.tenant(), false).Hash, person("another"), now)
	b.must(err)
	u, err = b.s.Users().ByEmail(ctx, "real@example.com")
	b.must(err)
	equal(b, u.ID, real.ID, "a proven account stays")

	i := store.Invitation{Hash: hashOf("unproven", b.next()), Email: "trial@unproven.example", Role: tenants.Viewer, Shown: true,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	b.must(alpha.Invitations().Add(ctx, i, nil))
	_, err = b.s.Users().TakeInvitation(ctx, i.Hash, person("another thief"), now)
	b.must(err)
	o := b.opening(b.signup(i.Email), "unproven", "unproven.example")
	b.must(b.s.SignUps().OpenTrial(ctx, o)) // its link was mailed
	u, err = b.s.Users().ByEmail(ctx, i.Email)
	b.must(err)
	if u.ID != o.Owner.ID || u.Unproven {
		b.Errorf("after a trial: %+v", u)
	}
}

func testPasswordResets(b *bench) {
	ctx, now := b.Context(), b.clock.Now()
	s := b.tenant()
	b.member(s, tenants.Owner)
	u := b.member(s, tenants.Viewer)
	link := func(email string) tenants.Hash {
		h := hashOf("reset", b.next())
		b.must(b.s.Users().AddReset(ctx, store.Reset{Hash: h, Email: email, CreatedAt: now, ExpiresAt: now.Add(tenants.ResetTTL)}))
		return h
	}
	first, second := link(u.Email), link(u.Email)
	got, err := b.s.Users().OfReset(ctx, first, now)
	b.must(err)
	equal(b, got.ID, u.ID, "whose link it is")
	_, err = b.s.Users().OfReset(ctx, first, now.Add(tenants.ResetTTL))
	b.refused(err, tenants.Gone, "an expired link")
	_, err = b.s.Users().OfReset(ctx, link("nobody@example.com"), now)
	b.refused(err, tenants.Gone, "a link of an address without an account")
	in := b.signIn(u, s)
	change := func() tenants.Hash { // what somebody began who could sign in before
		h := hashOf("change", b.next())
		b.must(b.s.Users().AddEmailChange(ctx, store.EmailChange{Hash: h, User: u.ID, Email: "mallory@example.com",
			ExpiresAt: now.Add(time.Hour)}))
		return h
	}
	begun := change()
	got, err = b.s.Users().TakeReset(ctx, first, "fresh", now, store.Who{IP: "192.0.2.1"})
	b.must(err)
	_, err = b.s.Users().OfEmailChange(ctx, begun, now)
	b.refused(err, tenants.Gone, "a change of address of before")
	begun = change()
	b.must(b.s.Users().SetPassword(ctx, u.ID, "fresh"))
	_, err = b.s.Users().OfEmailChange(ctx, begun, now)
	b.refused(err, tenants.Gone, "a change of address of before a new password")
	equal(b, got.Password, "fresh", "the new password")
	_, _, err = b.s.SignIns().Get(ctx, in.Hash, now)
	b.refused(err, tenants.Unauthorized, "a sign-in of before")
	for _, h := range []tenants.Hash{first, second} {
		_, err = b.s.Users().TakeReset(ctx, h, "again", now, store.Who{})
		b.refused(err, tenants.Gone, "a link after one was used")
	}
	rows, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "user."})
	b.must(err)
	if len(rows) != 1 || rows[0].Action != "user.reset" || rows[0].Target != string(u.ID) || rows[0].Actor.Name != u.Name {
		b.Errorf("audit: %+v", rows)
	}
	h := link(u.Email)
	u.DisabledAt = now
	b.must(b.s.Users().Set(ctx, u))
	_, err = b.s.Users().TakeReset(ctx, h, "again", now, store.Who{})
	b.refused(err, tenants.Gone, "a disabled person's link")
	b.must(b.s.Jobs().Forget(ctx, now.Add(tenants.ResetTTL)))
}

func testKeys(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	k := b.newKey()
	h := hashOf("key")
	b.must(s.Keys().Add(ctx, k, h))
	other := b.newKey()
	b.refused(b.tenant().Keys().Add(ctx, other, h), tenants.Conflict, "a secret twice")

	tenant, got, err := b.s.Tenants().OfKey(ctx, h)
	b.must(err)
	if got.ID != k.ID || tenant.Slug == "" || !got.May(tenants.RingsRead) || got.May(tenants.DevicesRead) {
		b.Errorf("tenant of key: %+v %+v", tenant, got)
	}
	_, _, err = b.s.Tenants().OfKey(ctx, hashOf("no"))
	b.refused(err, tenants.Unauthorized, "an unknown key")

	used := b.clock.Now()
	b.must(b.s.Ready(ctx)) // the queue is in order: what was posted before is written
	got, err = s.Keys().Get(ctx, k.ID)
	b.must(err)
	equal(b, got.LastUsedAt, used, "last used")
	b.clock.add(30 * time.Second)
	_, _, err = b.s.Tenants().OfKey(ctx, h)
	b.must(err)
	b.must(b.s.Ready(ctx))
	got, err = s.Keys().Get(ctx, k.ID)
	b.must(err)
	equal(b, got.LastUsedAt, used, "last used within the minute")

	tenant.Name = "Seen at once"
	b.must(s.SetTenant(ctx, tenant))
	tenant, _, err = b.s.Tenants().OfKey(ctx, h)
	b.must(err)
	equal(b, tenant.Name, "Seen at once", "a cached tenant after a change")
	b.must(s.Keys().Revoke(ctx, k.ID))
	_, _, err = b.s.Tenants().OfKey(ctx, h)
	b.refused(err, tenants.Unauthorized, "a revoked key")
	got, err = s.Keys().Get(ctx, k.ID)
	b.must(err)
	revoked := got.RevokedAt
	b.clock.add(time.Second)
	b.must(s.Keys().Revoke(ctx, k.ID))
	got, err = s.Keys().Get(ctx, k.ID)
	b.must(err)
	equal(b, got.RevokedAt, revoked, "revoked twice")
	list, _, err := s.Keys().List(ctx, store.Page{Search: k.Last4})
	b.must(err)
	equal(b, len(list), 1, "keys found by their end")
}
