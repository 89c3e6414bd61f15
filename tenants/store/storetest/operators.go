package storetest

import (
	"reflect"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testOperators: an operator begins with a link that works once, and every change of one is an
// entry of a chain that the database keeps as it is.
func testOperators(b *bench) {
	ctx, now, all := b.Context(), b.clock.Now(), b.s.Operators()
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: "sam@ops.example", Name: "Sam", CreatedAt: now}
	link := store.OperatorLink{Hash: hashOf("operator"), ExpiresAt: now.Add(time.Hour)}
	b.must(all.Add(ctx, store.Who{}, o, link))
	twin := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: o.Email}
	if err := all.Add(ctx, store.Who{}, twin, link); tenants.KindOf(err) != tenants.Conflict {
		b.Errorf("a second operator with the address: %v", err)
	}
	chosen := store.Enrolment{Password: "phc", Seed: "seed", Step: 7, Codes: []tenants.Secret{"AAAAA-BBBBB-CCCCC"}}
	_, err := all.Enrol(ctx, link.Hash, chosen, store.Who{})
	b.must(err)
	if _, err := all.Enrol(ctx, link.Hash, chosen, store.Who{}); tenants.KindOf(err) != tenants.Gone {
		b.Errorf("the link a second time: %v", err)
	}
	if seed, last, err := all.Authenticator(ctx, o.ID); err != nil || seed != "seed" || last != 7 {
		b.Errorf("the app: %q %d %v", seed, last, err)
	}
	for _, c := range []struct {
		step int64
		want bool
	}{{7, false}, {8, true}, {8, false}} {
		if fresh, err := all.UseStep(ctx, o.ID, c.step); err != nil || fresh != c.want {
			b.Errorf("step %d: %v %v", c.step, fresh, err)
		}
	}
	for _, want := range []bool{true, false} {
		if had, err := all.UseCode(ctx, store.Who{}, o.ID, "AAAAA-BBBBB-CCCCC"); err != nil || had != want {
			b.Errorf("a recovery code: %v %v", had, err)
		}
	}
	in := store.OperatorSignIn{Hash: hashOf("in"), Operator: o.ID, Password: "phc", CreatedAt: now, IdleAt: now.Add(time.Hour),
		ExpiresAt: now.Add(time.Hour)}
	b.must(all.SignIn(ctx, store.Who{Actor: o.Actor()}, in, tenants.Hash{}))
	if _, got, err := all.Find(ctx, in.Hash, now); err != nil || got.ID != o.ID {
		b.Errorf("the sign-in: %+v %v", got, err)
	}
	b.must(all.Disable(ctx, store.Who{}, o.ID, now))
	if _, _, err := all.Find(ctx, in.Hash, now); tenants.KindOf(err) != tenants.Unauthorized {
		b.Errorf("the sign-in of a disabled operator: %v", err)
	}
	b.must(all.Disable(ctx, store.Who{}, o.ID, time.Time{}))
	of := b.tenant()
	looked, err := of.Tenant(ctx)
	b.must(err)
	b.must(of.SetLook(ctx, now.Add(time.Hour)))
	b.must(all.NewLook(ctx, o.ID, looked.ID, hashOf("code")))
	_, err = all.TakeLook(ctx, hashOf("code"), hashOf("cookie"), store.Who{})
	b.must(err)
	b.must(all.Reset(ctx, store.Who{}, o.ID, link))
	if _, found, err := all.Look(ctx, hashOf("cookie")); err != nil || found {
		b.Errorf("an operator looks after a reset: %v %v", found, err)
	}
	if n, err := b.s.Jobs().EndLooks(ctx); err != nil || n != 1 {
		b.Errorf("%d looks of an operator who was reset were ended, %v", n, err)
	}
	if got, err := all.Get(ctx, o.ID); err != nil || got.Ready {
		b.Errorf("an operator after a reset: %+v %v", got, err)
	}
	scope := of.By(store.Who{Actor: o.Actor()})
	b.must(scope.Suspend(ctx, "a reason"))
	entries, fault, err := all.VerifyAudits(ctx)
	if err != nil || fault != nil || entries != 10 {
		b.Errorf("%d entries, %v %v", entries, fault, err)
	}
	seen, err := all.Tenants(ctx, now)
	if err != nil || len(seen) != 1 || seen[0].Tenant.SuspendedWhy != "a reason" {
		b.Errorf("the tenants: %+v %v", seen, err)
	}
	owner, viewer := b.user(), b.user()
	b.must(of.Members().Add(ctx, tenants.Member{Tenant: looked.ID, User: owner.ID, Role: tenants.Owner, CreatedAt: now}))
	b.must(of.Members().Add(ctx, tenants.Member{Tenant: looked.ID, User: viewer.ID, Role: tenants.Viewer, CreatedAt: now}))
	owners, err := all.Owners(ctx)
	if err != nil || !reflect.DeepEqual(owners, map[tenants.TenantID][]string{looked.ID: {owner.Email}}) {
		b.Errorf("the owners: %v %v", owners, err)
	}
	queues, err := all.Queues(ctx, now)
	if err != nil || queues.Bytes == 0 || queues.Rings.Waiting != 0 || !queues.Rings.Oldest.IsZero() {
		b.Errorf("the queues: %+v %v", queues, err)
	}
	for _, q := range []string{"UPDATE operator_audits SET detail = 'x'", "DELETE FROM operator_audits"} {
		if err := b.statement(q); err == nil {
			b.Errorf("%s was done", q)
		}
	}
}

// testOperatorPasskeys: a passkey belongs to one operator, is a second step, is used in turn, and
// the last second step stays until a reset.
func testOperatorPasskeys(b *bench) {
	ctx, now, all := b.Context(), b.clock.Now(), b.s.Operators()
	add := func(email string) (tenants.Operator, store.OperatorLink) {
		o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: email, Name: "Sam", CreatedAt: now}
		link := store.OperatorLink{Hash: hashOf(email), ExpiresAt: now.Add(time.Hour)}
		b.must(all.Add(ctx, store.Who{}, o, link))
		return o, link
	}
	key := func(credential, name string) store.Passkey {
		return store.Passkey{ID: tenants.NewID[tenants.PasskeyID](now), Credential: []byte(credential), Record: []byte(`{"n":1}`),
			Name: name, CreatedAt: now}
	}
	o, link := add("sam@ops.example")
	other, theirs := add("kim@ops.example")
	if _, err := all.Enrol(ctx, link.Hash, store.Enrolment{Password: "phc"}, store.Who{}); err == nil {
		b.Error("an operator without a second step")
	}
	k := key("one", "Laptop")
	_, err := all.Enrol(ctx, link.Hash, store.Enrolment{Password: "phc", Passkey: &k}, store.Who{})
	b.must(err)
	_, err = all.Enrol(ctx, theirs.Hash, store.Enrolment{Password: "phc", Seed: "seed"}, store.Who{})
	b.must(err)
	got, err := all.Get(ctx, o.ID)
	if err != nil || !got.Ready || got.App || got.Passkeys != 1 {
		b.Errorf("the operator: %+v %v", got, err)
	}
	keys, err := all.Passkeys(ctx, o.ID)
	b.must(err)
	if !reflect.DeepEqual(keys, []store.Passkey{k}) {
		b.Errorf("the passkeys: %+v, want %+v", keys, k)
	}
	b.refused(all.AddPasskey(ctx, store.Who{}, other.ID, key("one", "Stolen"), tenants.Hash{}), tenants.Conflict,
		"a passkey of two operators")
	owner, err := all.PasskeyOwner(ctx, k.Credential)
	b.must(err)
	equal(b, owner.ID, o.ID, "the owner")
	for _, want := range []bool{true, false} {
		fresh, err := all.UsePasskey(ctx, k.Credential, k.Record, []byte(`{"n":2}`), now)
		b.must(err)
		equal(b, fresh, want, "a use of the passkey")
	}
	b.refused(all.RenamePasskey(ctx, store.Who{}, other.ID, k.ID, "x"), tenants.Unknown, "another's passkey renamed")
	b.refused(all.RemovePasskey(ctx, store.Who{}, other.ID, k.ID, tenants.Hash{}), tenants.Unknown, "another's passkey removed")
	b.must(all.RenamePasskey(ctx, store.Who{}, o.ID, k.ID, "Desk"))
	b.refused(all.RemovePasskey(ctx, store.Who{}, o.ID, k.ID, tenants.Hash{}), tenants.Conflict, "the only second step removed")

	in := func(name string) store.OperatorSignIn {
		i := store.OperatorSignIn{Hash: hashOf(name), Operator: o.ID, Password: "phc", CreatedAt: now, IdleAt: now.Add(time.Hour),
			ExpiresAt: now.Add(time.Hour)}
		b.must(all.SignIn(ctx, store.Who{}, i, tenants.Hash{}))
		return i
	}
	here, elsewhere := in("here"), in("elsewhere")
	b.must(all.AddPasskey(ctx, store.Who{}, o.ID, key("two", "Spare"), here.Hash))
	_, _, err = all.Find(ctx, elsewhere.Hash, now)
	b.refused(err, tenants.Unauthorized, "a sign-in elsewhere after a new passkey")
	later := now.Add(time.Minute)
	b.must(all.Prove(ctx, here.Hash, hashOf("fresh"), later))
	found, _, err := all.Find(ctx, hashOf("fresh"), now)
	b.must(err)
	equal(b, found.ProvedAt, later, "the proof")
	b.refused(all.Prove(ctx, here.Hash, hashOf("again"), later), tenants.Unauthorized, "a proof of a sign-in that is gone")
	ins, err := all.SignIns(ctx, o.ID, now)
	b.must(err)
	equal(b, len(ins), 1, "sign-ins")
	b.must(all.RemovePasskey(ctx, store.Who{}, o.ID, k.ID, hashOf("fresh")))
	_, err = all.PasskeyOwner(ctx, k.Credential)
	b.refused(err, tenants.Unauthorized, "a passkey that was removed")
	b.must(all.SetAuthenticator(ctx, store.Who{}, o.ID, "seed", 3, hashOf("fresh")))
	seed, last, err := all.Authenticator(ctx, o.ID)
	if err != nil || seed != "seed" || last != 3 {
		b.Errorf("the app: %q %d %v", seed, last, err)
	}
	half := store.OperatorSignIn{Hash: hashOf("half"), Operator: o.ID, Password: "phc", Half: true, CreatedAt: now,
		IdleAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)}
	b.must(all.SignIn(ctx, store.Who{}, half, tenants.Hash{}))
	b.refused(all.SetPassword(ctx, store.Who{}, o.ID, "half", half.Hash, hashOf("x")), tenants.Unauthorized, "a password without a code")
	b.refused(all.SetPassword(ctx, store.Who{}, other.ID, "stolen", hashOf("fresh"), hashOf("x")), tenants.Unauthorized,
		"a password by another's sign-in")
	b.must(all.SetPassword(ctx, store.Who{}, o.ID, "second", hashOf("fresh"), hashOf("renewed")))
	b.refused(all.SetPassword(ctx, store.Who{}, o.ID, "third", hashOf("fresh"), hashOf("x")), tenants.Unauthorized,
		"a password by a token that is gone")
	_, still, err := all.Find(ctx, hashOf("renewed"), now)
	b.must(err)
	equal(b, still.Password, "second", "the password")
	_, _, err = all.Find(ctx, half.Hash, now)
	b.refused(err, tenants.Unauthorized, "half a sign-in after a new password")
	b.lateSignIns(half, "second")
	b.must(all.EndSignIns(ctx, store.Who{}, o.ID, tenants.Hash{}))
	b.must(all.Disable(ctx, store.Who{}, o.ID, now))
	b.refused(all.SignIn(ctx, store.Who{}, here, tenants.Hash{}), tenants.Unauthorized, "a sign-in of a disabled operator")
	_, err = all.PasskeyOwner(ctx, []byte("two"))
	b.refused(err, tenants.Unauthorized, "a passkey of a disabled operator")
	b.must(all.Disable(ctx, store.Who{}, o.ID, time.Time{}))
	b.must(all.Reset(ctx, store.Who{}, o.ID, store.OperatorLink{Hash: hashOf("reset"), ExpiresAt: now.Add(time.Hour)}))
	if got, err := all.Get(ctx, o.ID); err != nil || got.Ready || got.App || got.Passkeys != 0 {
		b.Errorf("after a reset: %+v %v", got, err)
	}
	if _, fault, err := all.VerifyAudits(ctx); err != nil || fault != nil {
		b.Errorf("the record: %v %v", fault, err)
	}
}

// lateSignIns: what was under way when an operator got a new password, phc, lets nobody in. ended
// is the half of before.
func (b *bench) lateSignIns(ended store.OperatorSignIn, phc string) {
	b.Helper()
	ctx, all := b.Context(), b.s.Operators()
	late := ended
	late.Hash = hashOf("late")
	b.refused(all.SignIn(ctx, store.Who{}, late, tenants.Hash{}), tenants.Unauthorized, "half a sign-in by the password of before")
	whole := late
	whole.Half, whole.Password, whole.Completes = false, phc, true
	b.refused(all.SignIn(ctx, store.Who{}, whole, ended.Hash), tenants.Unauthorized, "the code for half a sign-in that was ended")
	late.Password = phc
	b.must(all.SignIn(ctx, store.Who{}, late, tenants.Hash{}))
	whole.Hash = hashOf("whole")
	b.must(all.SignIn(ctx, store.Who{}, whole, late.Hash))
}
