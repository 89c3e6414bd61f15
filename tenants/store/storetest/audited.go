package storetest

import (
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testAudited: every change by a person or key leaves one audit row that names who, what and where
// from. A change that changes nothing, and one that is refused, leave none.
func testAudited(b *bench) {
	ctx := b.Context()
	plain := b.tenant()
	p := b.property(plain)
	who := store.Who{Actor: tenants.Actor{Kind: "user", ID: string(p.member.ID), Name: "Ada"}, IP: "192.0.2.7", RequestID: "request-7"}
	s := plain.By(who)
	now := b.clock.Now()
	t, err := s.Tenant(ctx)
	b.must(err)
	t.Name += " and Sons"
	device, agent, other := p.device, p.agent, b.newAgent()
	device.Name, agent.Name = "Another name", "Another name"
	key, credential, second := b.newKey(), b.newCredential(), b.member(plain, tenants.Admin)
	pairing := tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), CreatedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour)}
	guest := store.Invitation{Hash: hashOf("guest"), Email: "guest@example.com", Role: tenants.Viewer, CreatedAt: now,
		ExpiresAt: now.Add(30 * 24 * time.Hour)}
	plan := tenants.BuiltinPlans().Assigned("", "growth", now.Add(-time.Hour), time.Time{})
	for _, c := range []struct {
		action, target string
		do             func() error
	}{
		{"tenant.set", string(t.ID), func() error { return s.SetTenant(ctx, t) }},
		{"rules.set", string(t.ID), func() error {
			return s.SetRules(ctx, func(c *tenants.RuleChanges) { c.Keep(tenants.DataRings, 200) })
		}},
		{"agent.add", string(other.ID), func() error { return s.Agents().Add(ctx, other) }},
		{"agent.set", string(agent.ID), func() error { return s.Agents().Set(ctx, agent) }},
		{"agent.remove", string(other.ID), func() error { return s.Agents().Remove(ctx, other.ID) }},
		{"key.add", string(key.ID), func() error { return s.Keys().Add(ctx, key, hashOf("audited key")) }},
		{"key.revoke", string(key.ID), func() error { return s.Keys().Revoke(ctx, key.ID) }},
		{"", "", func() error { return s.Keys().Revoke(ctx, key.ID) }},
		{"device.set", string(device.ID), func() error { return s.Devices().Set(ctx, device) }},
		{"", "", func() error { return s.Devices().Set(ctx, device) }},
		{"credential.add", string(credential.ID), func() error { return s.Credentials().Add(ctx, credential, []byte("x")) }},
		{"credential.profile", string(credential.ID), func() error {
			return s.Credentials().SetProfile(ctx, credential.ID, tenants.ProfileFlutter)
		}},
		{"credential.hedging", string(credential.ID), func() error { return s.Credentials().SetHedging(ctx, credential.ID, false) }},
		{"credential.remove", string(credential.ID), func() error { return s.Credentials().Remove(ctx, credential.ID) }},
		{"pairing.add", string(pairing.ID), func() error { return s.Pairings().Add(ctx, pairing, hashOf("audited pairing")) }},
		{"invitation.add", guest.Email, func() error { return s.Invitations().Add(ctx, guest, nil) }},
		{"invitation.revoke", guest.Email, func() error { return s.Invitations().Revoke(ctx, guest) }},
		{"member.role", string(second.ID), func() error { return s.Members().SetRole(ctx, second.ID, tenants.Viewer) }},
		{"member.remove", string(second.ID), func() error { return s.Members().Remove(ctx, second.ID) }},
		{"subscription.set", plan.Plan, func() error { return s.Subscription().Set(ctx, plan) }},
		{"subscription.remove", string(t.ID), func() error { return s.Subscription().Remove(ctx) }},
		{"device.remove", string(device.ID), func() error { return s.Devices().Remove(ctx, device.ID) }},
	} {
		b.clock.add(time.Hour)
		before, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 1})
		b.must(err)
		b.must(c.do())
		all, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 5})
		b.must(err)
		var fresh []tenants.Audit
		for _, a := range all {
			if a.Seq > before[0].Seq {
				fresh = append(fresh, a)
			}
		}
		switch {
		case c.action == "":
			if len(fresh) > 0 {
				b.Errorf("a change that changes nothing left %+v", fresh)
			}
		case len(fresh) == 0 || fresh[len(fresh)-1].Action != c.action || fresh[len(fresh)-1].Target != c.target:
			b.Errorf("%s of %s left %+v", c.action, c.target, fresh)
		default:
			a := fresh[len(fresh)-1]
			if strings.HasSuffix(c.action, ".remove") && c.action != "subscription.remove" && a.TargetName == "" {
				b.Errorf("%s: the row has no name of what was removed: %+v", c.action, a)
			}
			named := tenants.Change{Field: "name", Before: p.agent.Name, After: "Another name"}
			if strings.HasSuffix(c.action, ".set") && c.action != "subscription.set" && len(a.Changes) == 0 ||
				c.action == "agent.set" && a.Changes[0] != named {
				b.Errorf("%s: the row has no values before and after: %+v", c.action, a.Changes)
			}
			if a.Actor != who.Actor || a.IP != who.IP || a.RequestID != who.RequestID || a.At.Sub(b.clock.Now()).Abs() > time.Second {
				b.Errorf("%s: the row names %+v", c.action, a)
			}
		}
	}
}
