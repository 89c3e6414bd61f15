package storetest

import (
	"time"

	"carillon/tenants"
)

// testRevocations: whatever takes somebody's right to act is announced once it is committed, and
// what is refused is not.
func testRevocations(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	tn, err := s.Tenant(ctx)
	b.must(err)
	d := b.device(s, "anna")
	_, _, err = b.s.Tenants().OfDevice(ctx, hashOf("device", d.ID))
	b.must(err)
	b.clock.add(time.Second)
	_, _, err = s.Devices().Add(ctx, d, hashOf("second"))
	b.must(err)
	key := tenants.Key{ID: tenants.NewID[tenants.KeyID](b.clock.Now()), Name: "key", Permissions: tenants.Scopes(),
		CreatedAt: b.clock.Now()}
	b.must(s.Keys().Add(ctx, key, hashOf("key")))
	b.losers()

	for what, take := range map[string]func() error{
		"a key": func() error { return s.Keys().Revoke(ctx, key.ID) },
		"a credential's use": func() error {
			_, _, err := b.s.Tenants().OfDevice(ctx, hashOf("second"))
			return err
		},
		"a suspension": func() error {
			tn.State = tenants.TenantSuspended
			return s.SetTenant(ctx, tn)
		},
	} {
		b.must(take())
		if got := b.losers(); len(got) != 1 || got[0] != tn.ID {
			b.Errorf("after %s: told of %v", what, got)
		}
	}
	b.must(s.Devices().Remove(ctx, d.ID))
	if got := b.losers(); len(got) != 1 || got[0] != tn.ID {
		b.Errorf("after a removal: told of %v", got)
	}
	b.refused(s.Devices().Remove(ctx, d.ID), tenants.Unknown, "removing twice")
	if got := b.losers(); len(got) != 0 {
		b.Errorf("a refusal told of %v", got)
	}
}

// testKeptTarget: a device that is rung again and again is not read each second, and yet what
// another process does to it counts a second later.
func testKeptTarget(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	tn, err := s.Tenant(ctx)
	b.must(err)
	d := b.device(s, "anna")
	target := func() error {
		_, err := s.Rings().Targets(ctx, tenants.To{Device: d.ID})
		return err
	}
	write := func() { b.must(s.Audits().Add(ctx, "person.sign_in", "", "")) }
	write()
	b.must(target())
	b.reads("FROM devices")
	for range 30 {
		b.clock.add(time.Second)
		write()
		b.must(target())
	}
	if n, file := b.reads("FROM devices"), b.config.URL == ""; file && n != 0 {
		b.Errorf("a kept device was read %d times", n)
	}
	b.clock.add(time.Second)
	b.must(target()) // nothing was written, so nothing was compared
	if n := b.reads("FROM devices"); n != 1 {
		b.Errorf("without a comparison, a kept device was read %d times, want once", n)
	}

	other := OpenConfig(b, b.config)
	b.must(other.For(tn.ID).Devices().Remove(ctx, d.ID))
	b.clock.add(time.Second)
	write()
	b.refused(target(), tenants.Unknown, "a device that another process removed")
}
