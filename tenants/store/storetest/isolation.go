package storetest

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// property is one of everything, of one tenant.
type property struct {
	device     tenants.Device
	ring       *tenants.Ring
	credential tenants.Credential
	agent      tenants.Agent
	key        tenants.Key
	once       store.Idempotency
	pairing    tenants.Pairing
	member     tenants.User
}

func (b *bench) property(s *store.Scope) property {
	b.Helper()
	ctx := b.Context()
	p := property{device: b.device(s, "canary"), credential: b.credential(s), agent: b.newAgent(), key: b.newKey(), member: b.member(s, tenants.Owner)}
	p.ring, p.once = b.newRing(p.device), store.Idempotency{Key: "canary", Body: hashOf("canary")}
	_, err := s.AddRing(ctx, p.ring, p.once, p.ring.ExpiresAt)
	b.must(err)
	b.signIn(p.member, s)
	b.must(s.AddAgent(ctx, p.agent))
	b.must(s.AddKey(ctx, p.key, hashOf(p.key.ID)))
	now := b.clock.Now()
	p.pairing = tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), Person: "canary", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	b.must(s.AddPairing(ctx, p.pairing, hashOf(p.pairing.ID)))
	sub := tenants.BuiltinPlans().Assigned("", "scale", now.Add(-time.Hour), time.Time{})
	sub.Customer = "cus_" + string(p.key.ID)
	b.must(s.SetSubscription(ctx, sub))
	_, _, err = s.ChangeRing(ctx, p.ring.ID, p.ring, time.Time{}, fold(p.ring.Attempts[0].ID, tenants.FactAccepted, now))
	b.must(err)
	b.must(s.AddInvitation(ctx, store.Invitation{Hash: hashOf("invitation", p.key.ID), Email: "canary@example.com", Role: tenants.Admin, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}))
	_, err = s.Alert(ctx, tenants.AlertTokensRefused, string(p.credential.ID), "canary")
	b.must(err)
	silenced := func(r *tenants.Ring) ([]tenants.Fact, error) {
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactSilenced, At: now, Received: now, Detail: "canary"}), nil
	}
	quiet := b.ring(s, p.device)
	_, _, err = s.ChangeRing(ctx, quiet.ID, quiet, time.Time{}, silenced)
	b.must(err)
	return p
}

// single are the methods that name one row of the tenant. Called with another tenant's row each must say NoSuch.
func (p property) single(ctx context.Context, s *store.Scope, now time.Time) map[string]error {
	pick := func(_ any, err error) error { return err }
	m := map[string]error{
		"Device": pick(s.Device(ctx, p.device.ID)), "SetDevice": s.SetDevice(ctx, p.device), "RemoveDevice": s.RemoveDevice(ctx, p.device.ID),
		"SetToken":         s.SetToken(ctx, tenants.Device{ID: p.device.ID, Token: p.device.Token, Environment: tenants.Sandbox, AppVersion: "x", OSVersion: "x"}),
		"LearnEnvironment": s.LearnEnvironment(ctx, p.device.ID, tenants.Sandbox),
		"ReviveDevice":     pick(s.ReviveDevice(ctx, p.device.ID, "x")),
		"ResolveAlert":     s.ResolveAlert(ctx, tenants.AlertTokensRefused, string(p.credential.ID)),
		"DisableDevice":    pick(s.DisableDevice(ctx, p.device.ID, "x", now.Add(time.Hour))),
		"Targets":          pick(s.Targets(ctx, tenants.To{Device: p.device.ID})),
		"Ring":             pick(s.Ring(ctx, p.ring.ID)), "Facts": pick(s.Facts(ctx, p.ring.ID, 0)), "SetDue": s.SetDue(ctx, p.ring.ID, now),
		"Credential": pick(s.Credential(ctx, p.credential.ID)), "RemoveCredential": s.RemoveCredential(ctx, p.credential.ID),
		"SetHedging":        s.SetHedging(ctx, p.credential.ID, false),
		"ConfineCredential": s.ConfineCredential(ctx, p.credential.ID, tenants.Sandbox, "x", now),
		"CredentialTrouble": s.CredentialTrouble(ctx, p.credential.ID, "x", true, now), "CredentialUsed": s.CredentialUsed(ctx, p.credential.ID, now),
		"Agent": pick(s.Agent(ctx, p.agent.ID)), "SetAgent": s.SetAgent(ctx, p.agent), "RemoveAgent": s.RemoveAgent(ctx, p.agent.ID),
		"Key": pick(s.Key(ctx, p.key.ID)), "RevokeKey": s.RevokeKey(ctx, p.key.ID),
		"Pairing": pick(s.Pairing(ctx, p.pairing.ID)), "TakePairing": pick(s.TakePairing(ctx, p.pairing.ID, tenants.Device{}, tenants.Hash{}, now)),
		"Member": pick(s.Member(ctx, p.member.ID)), "SetRole": s.SetRole(ctx, p.member.ID, tenants.Viewer), "RemoveMember": s.RemoveMember(ctx, p.member.ID),
		"RevokeInvitation": s.RevokeInvitation(ctx, "canary@example.com"),
		"Subscription":     pick(s.Subscription(ctx)), "RemoveSubscription": s.RemoveSubscription(ctx),
		"ChangeSubscription": s.ChangeSubscription(ctx, func(*tenants.Subscription) error { return nil }),
	}
	_, m["RollbackCredential"] = s.RollbackCredential(ctx, p.credential.ID)
	_, _, m["OpenCredential"] = s.OpenCredential(ctx, p.credential.ID)
	_, _, m["ChangeRing"] = s.ChangeRing(ctx, p.ring.ID, p.ring, time.Time{}, fold(p.ring.Attempts[0].ID, tenants.FactDeclined, now))
	return m
}

// lists are the methods that list: what they give is searched for the other tenant's things.
func (p property) lists(ctx context.Context, s *store.Scope, now time.Time) (map[string]any, error) {
	m, failed := map[string]any{}, error(nil)
	put := func(name string, v any, err error) {
		if m[name] = v; err != nil {
			failed = err
		}
	}
	devices, _, err := s.Devices(ctx, store.DeviceQuery{Person: "canary"})
	put("Devices", devices, err)
	rings, _, err := s.Rings(ctx, store.RingQuery{})
	put("Rings", rings, err)
	credentials, _, err := s.Credentials(ctx, store.Page{})
	put("Credentials", credentials, err)
	agents, _, err := s.Agents(ctx, store.Page{})
	put("Agents", agents, err)
	keys, _, err := s.Keys(ctx, store.Page{})
	put("Keys", keys, err)
	members, _, err := s.Members(ctx, store.Page{})
	put("Members", members, err)
	audits, _, err := s.Audits(ctx, store.AuditQuery{Action: "device."})
	put("Audits", audits, err)
	invitations, err := s.Invitations(ctx)
	put("Invitations", invitations, err)
	tallies, err := s.Tallies(ctx, now.Add(-time.Hour), time.Time{})
	put("Tallies", tallies, err)
	funnel, err := s.Funnel(ctx, now.Add(-time.Hour), time.Time{}, "")
	put("Funnel", funnel, err)
	ends, err := s.RingEnds(ctx, now.Add(-time.Hour), time.Time{})
	put("RingEnds", ends, err)
	devicesOf, err := s.DevicesOf(ctx, []tenants.DeviceID{p.device.ID, "nobody", "nobody"})
	put("DevicesOf", devicesOf, err)
	agentsOf, err := s.AgentsOf(ctx, []tenants.AgentID{p.agent.ID})
	put("AgentsOf", agentsOf, err)
	seen, err := s.LastSeen(ctx, time.Hour)
	put("LastSeen", seen, err)
	days, err := s.UsageDays(ctx, now.Add(-24*time.Hour), time.Time{})
	put("UsageDays", days, err)
	alerts, err := s.Alerts(ctx, true)
	put("Alerts", alerts, err)
	found, _, err := s.FindAlerts(ctx, store.AlertQuery{})
	put("FindAlerts", found, err)
	managers, err := s.Managers(ctx)
	put("Managers", managers, err)
	outcomes, err := s.Outcomes(ctx, p.device.ID, 10)
	put("Outcomes", outcomes, err)
	watched, err := s.Watched(ctx, time.Time{}, 10)
	put("Watched", watched, err)
	versions, err := s.Versions(ctx)
	put("Versions", versions, err)
	reasons, _, err := s.Reasons(ctx, now.Add(-time.Hour), time.Time{})
	put("Reasons", reasons, err)
	ringing, err := s.LiveRings(ctx, p.device.ID)
	put("LiveRings", ringing, err)
	reach, err := s.Reach(ctx, p.device.Bundle)
	put("Reach", reach, err)
	return m, failed
}

// apart are the methods with nothing of another tenant to ask for; each says why.
var apart = map[string]string{
	"By": "changes who acts", "Tenant": "the scope itself", "SetTenant": "the scope itself", "AddRing": "adds", "AddDevice": "adds", "AddPairing": "adds",
	"AddCredential": "adds", "ReplaceCredential": "adds", "Alert": "adds", "AddAgent": "adds", "AddKey": "adds", "AddMember": "adds", "AddInvitation": "adds", "Note": "adds",
	"TellAlerts": "testLetters", "AlertsTold": "testLetters", "AlertsDropped": "testLetters", "LettersSince": "testLetters",
	"CountDevices": "checked below", "OpenAlerts": "checked below", "CountPeople": "checked below", "Entitlement": "checked below", "SetSubscription": "adds", "ClaimCard": "adds; testCards looks at two tenants of one card",
}

func testIsolation(b *bench) {
	ctx := b.Context()
	owner, stranger := b.tenant(), b.tenant()
	p := b.property(owner)
	b.roll(4)
	now := b.clock.Now()
	before, err := p.lists(ctx, owner, now)
	b.must(err)

	checked := map[string]bool{}
	for name, err := range p.single(ctx, stranger, now) {
		checked[name] = true
		b.refused(err, tenants.Unknown, name+" of another tenant's row")
	}
	foreign, err := p.lists(ctx, stranger, now)
	b.must(err)
	for name, got := range foreign {
		checked[name] = true
		if reflect.ValueOf(got).Len() != 0 {
			b.Errorf("%s gives a stranger %+v", name, got)
		}
		if reflect.ValueOf(before[name]).Len() == 0 {
			b.Errorf("%s gives its owner nothing: the test proves nothing", name)
		}
	}
	n, err := stranger.CountDevices(ctx)
	b.must(err)
	equal(b, n, 0, "a stranger's devices")
	n, err = stranger.CountPeople(ctx)
	b.must(err)
	equal(b, n, 0, "a stranger's people")
	open, err := stranger.OpenAlerts(ctx)
	b.must(err)
	equal(b, open, 0, "a stranger's alerts")
	for scope, want := range map[*store.Scope]int64{owner: 1, stranger: 0} {
		e, err := scope.Entitlement(ctx)
		b.must(err)
		equal(b, e.Usage.Rings, want, "rings that count")
	}
	none, err := stranger.Targets(ctx, tenants.To{Person: "canary"})
	b.must(err)
	equal(b, len(none), 0, "a stranger's targets")

	earlier, err := owner.EarlierRing(ctx, p.once)
	if err != nil || earlier == nil {
		b.Errorf("the owner's earlier ring: %v %v", earlier, err)
	}
	earlier, err = stranger.EarlierRing(ctx, p.once)
	if checked["EarlierRing"] = true; err != nil || earlier != nil {
		b.Errorf("a stranger's earlier ring: %v %v", earlier, err)
	}

	scope := reflect.TypeFor[*store.Scope]()
	for i := range scope.NumMethod() {
		if name := scope.Method(i).Name; !checked[name] && apart[name] == "" {
			b.Errorf("Scope.%s is not tested against another tenant", name)
		}
	}
	after, err := p.lists(ctx, owner, now)
	b.must(err)
	was, _ := json.Marshal(before)
	is, _ := json.Marshal(after)
	equal(b, string(is), string(was), "the owner's things after a stranger tried everything")
	if !strings.Contains(string(was), string(p.device.ID)) {
		b.Error("the owner's things are not in the comparison")
	}
}
