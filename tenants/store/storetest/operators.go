package storetest

import (
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
	in := store.OperatorSignIn{Hash: hashOf("in"), Operator: o.ID, CreatedAt: now, IdleAt: now.Add(time.Hour),
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
