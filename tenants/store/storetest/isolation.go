package storetest

import (
	"context"
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
	signIn     store.SignIn
	removed    tenants.Agent // one that is there no more
	connection tenants.Connection
	delivery   store.NewDelivery // to the connection
	group      tenants.Group
	rule       tenants.AlertRule
	target     tenants.AlertTarget
	schedule   tenants.Schedule
	consent    tenants.Agreement
	view       tenants.SavedView // one that its tenant shares
}

func (b *bench) property(s *store.Scope) property {
	b.Helper()
	ctx := b.Context()
	p := property{device: b.device(s, "canary"), credential: b.credential(s), agent: b.newAgent(), key: b.newKey(),
		member: b.member(s, tenants.Owner), removed: b.newAgent()}
	p.connection = b.newConnection()
	_, err := s.Connections().Add(ctx, p.connection)
	b.must(err)
	p.schedule, p.consent = b.newSchedule(), b.newConsent("canary")
	b.must(s.Schedules().Add(ctx, p.schedule))
	b.must(s.Consents().Add(ctx, p.consent))
	p.target = b.newTarget(tenants.TargetWebhook)
	_, err = s.AlertTargets().Add(ctx, p.target, "https://canary.example")
	b.must(err)
	p.rule = b.newRule(p.target.ID)
	b.must(s.AlertRules().Add(ctx, p.rule))
	p.group = b.newGroup("canary")
	p.group.Members[0].Schedule = p.schedule.ID
	b.must(s.Groups().Add(ctx, p.group))
	b.must(s.Devices().Change(ctx, p.device, &[]string{"canary"}))
	p.view = tenants.SavedView{ID: tenants.NewID[tenants.ViewID](b.clock.Now()), User: p.member.ID, List: "rings", Name: "canary",
		Shared: true, CreatedAt: b.clock.Now()}
	b.must(s.Lists().AddView(ctx, p.view))
	b.must(s.Lists().SetColumns(ctx, p.member.ID, "rings", []string{"canary"}))
	p.delivery = store.NewDelivery{Connection: p.connection.ID, Event: tenants.NewRandomID(), Kind: tenants.EventRingEnded,
		At: b.clock.Now()}
	t, err := s.Tenant(ctx)
	b.must(err)
	p.delivery.Tenant = t.ID
	b.must(s.Deliveries().Record(ctx, p.delivery, tenants.DeliveryAttempt{At: b.clock.Now(), Answer: "canary"}))
	b.must(s.Agents().Add(ctx, p.removed))
	b.must(s.Agents().Remove(ctx, p.removed.ID))
	p.ring, p.once = b.newRing(p.device), store.Idempotency{Key: "canary", Body: hashOf("canary")}
	_, err = s.Rings().Add(ctx, p.ring, p.once, p.ring.ExpiresAt)
	b.must(err)
	p.signIn = b.signIn(p.member, s)
	provider := tenants.Provider{Issuer: "https://canary.example", ClientID: "canary", Secret: "canary canary",
		Domains: []string{string(p.key.ID) + ".example"}, Role: tenants.Viewer}
	b.must(s.Providers().Set(ctx, provider))
	provider, err = s.Providers().Get(ctx)
	b.must(err)
	b.must(s.Providers().Verify(ctx, provider.Claims[0]))
	provider.OnlyWay = true
	b.must(s.Providers().Set(ctx, provider))
	b.must(s.Agents().Add(ctx, p.agent))
	b.must(s.Keys().Add(ctx, p.key, hashOf(p.key.ID)))
	b.must(b.s.Jobs().KeepKeyRequests(ctx, []tenants.KeyRequest{{Tenant: t.ID, Key: p.key.ID, At: b.clock.Now(), Method: "GET"}}))
	now := b.clock.Now()
	p.pairing = tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), Person: "canary", CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}
	b.must(s.Pairings().Add(ctx, p.pairing, hashOf(p.pairing.ID)))
	sub := tenants.BuiltinPlans().Assigned("", "scale", now.Add(-time.Hour), time.Time{})
	sub.Customer = "cus_" + string(p.key.ID)
	b.must(s.Subscription().Set(ctx, sub))
	_, _, err = s.Rings().Change(ctx, p.ring.ID, p.ring, time.Time{}, fold(p.ring.Attempts[0].ID, tenants.FactAccepted, now))
	b.must(err)
	sounded := tenants.CallQuality{Samples: []tenants.QualitySample{{Phone: tenants.LegQuality{MOS: 4}}}}
	b.must(s.Qualities().Set(ctx, p.ring.ID, &sounded, true))
	b.must(s.Invitations().Add(ctx, store.Invitation{Hash: hashOf("invitation", p.key.ID), Email: "canary@example.com",
		Role: tenants.Admin, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, nil))
	_, err = s.Alerts().Raise(ctx, tenants.AlertTokensRefused, string(p.credential.ID), "canary")
	b.must(err)
	silenced := func(r *tenants.Ring) ([]tenants.Fact, error) {
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactSilenced, At: now, Received: now, Detail: "canary"}), nil
	}
	quiet := b.ring(s, p.device)
	_, _, err = s.Rings().Change(ctx, quiet.ID, quiet, time.Time{}, silenced)
	b.must(err)
	b.must(s.Recordings().Begin(ctx, p.ring.ID, tenants.Recording{Codec: "pcmu", BeganAt: now}))
	b.must(s.Recordings().Add(ctx, p.ring.ID, []byte("canary"), 1, 0))
	b.must(s.Recordings().SetRule(ctx, tenants.RecordingRule{Policy: tenants.RecordOff, Reason: "canary"}))
	return p
}

// single are the methods that name one row of the tenant. Called with another tenant's row each
// must say NoSuch.
func (p property) single(ctx context.Context, s *store.Scope, now time.Time) map[string]error {
	pick := func(_ any, err error) error { return err }
	m := map[string]error{
		"Devices.Get": pick(s.Devices().Get(ctx, p.device.ID)), "Devices.Set": s.Devices().Set(ctx,
			p.device), "Devices.Remove": s.Devices().Remove(ctx, p.device.ID),
		"Devices.SetToken": s.Devices().SetToken(ctx, tenants.Device{ID: p.device.ID, Token: p.device.Token,
			Environment: tenants.Sandbox, AppVersion: "x", OSVersion: "x"}),
		"Devices.LearnEnvironment": s.Devices().LearnEnvironment(ctx, p.device.ID, tenants.Sandbox),
		"Devices.Revive":           pick(s.Devices().Revive(ctx, p.device.ID, "x")),
		"Alerts.Resolve":           s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, string(p.credential.ID)),
		"Devices.Disable":          pick(s.Devices().Disable(ctx, p.device.ID, "x", now.Add(time.Hour))),
		"Rings.Targets":            pick(s.Rings().Targets(ctx, tenants.To{Device: p.device.ID})),
		"Rings.Get":                pick(s.Rings().Get(ctx, p.ring.ID)), "Rings.Facts": pick(s.Rings().Facts(ctx, p.ring.ID,
			0)), "Rings.SetDue": s.Rings().SetDue(ctx, p.ring.ID, now),
		"Rings.AwaitStep":        s.Rings().AwaitStep(ctx, p.ring.ID, now),
		"Credentials.Get":        pick(s.Credentials().Get(ctx, p.credential.ID)),
		"Credentials.Remove":     s.Credentials().Remove(ctx, p.credential.ID),
		"Credentials.SetProfile": s.Credentials().SetProfile(ctx, p.credential.ID, tenants.ProfileCallKeep),
		"Credentials.SetHedging": s.Credentials().SetHedging(ctx, p.credential.ID, false),
		"Credentials.Confine":    s.Credentials().Confine(ctx, p.credential.ID, tenants.Sandbox, "x", now),
		"Credentials.NoteRefusal": s.Credentials().NoteRefusal(ctx, p.credential.ID, "x", true,
			now), "Credentials.NoteUse": s.Credentials().NoteUse(ctx, p.credential.ID, now),
		"Agents.Get": pick(s.Agents().Get(ctx, p.agent.ID)), "Agents.Set": s.Agents().Set(ctx,
			p.agent), "Agents.Remove": s.Agents().Remove(ctx, p.agent.ID),
		"Agents.Secret": pick(s.Agents().Secret(ctx, p.agent.ID)), "Agents.Sound": pick(s.Agents().Sound(ctx, p.agent.ID)),
		"Agents.SetSound": pick(s.Agents().SetSound(ctx, p.agent.ID, tenants.Sound{}, now)),
		"Keys.Get":        pick(s.Keys().Get(ctx, p.key.ID)), "Keys.Revoke": s.Keys().Revoke(ctx, p.key.ID),
		"Keys.Change": s.Keys().Change(ctx, p.key), "Keys.End": s.Keys().End(ctx, p.key.ID),
		"Keys.Rotate":  s.Keys().Rotate(ctx, p.key.ID, tenants.Key{ID: tenants.NewID[tenants.KeyID](now)}, hashOf("stolen"), 0),
		"Pairings.Get": pick(s.Pairings().Get(ctx, p.pairing.ID)), "Pairings.Use": pick(s.Pairings().Use(ctx, p.pairing.ID,
			tenants.Device{},
			tenants.Hash{}, now)),
		"Members.Get": pick(s.Members().Get(ctx, p.member.ID)), "Members.SetRole": s.Members().SetRole(ctx, p.member.ID,
			tenants.Viewer), "Members.Remove": s.Members().Remove(ctx, p.member.ID),
		"Members.Preview": s.Members().Preview(ctx, p.signIn.Hash, tenants.Viewer),
		"Providers.Get":   pick(s.Providers().Get(ctx)), "Providers.Remove": s.Providers().Remove(ctx),
		"Providers.Verify": s.Providers().Verify(ctx, tenants.DomainClaim{Domain: string(p.key.ID) + ".example"}),
		"Providers.Checked": s.Providers().Checked(ctx, tenants.DomainClaim{Domain: string(p.key.ID) + ".example"},
			tenants.DomainUnproved),
		"Invitations.Resend": pick(s.Invitations().Resend(ctx, hashOf("invitation", p.key.ID), hashOf("x"), false, now)),
		"Invitations.Revoke": s.Invitations().Revoke(ctx, store.Invitation{Hash: hashOf("invitation", p.key.ID)}),
		"Subscription.Get":   pick(s.Subscription().Get(ctx)), "Subscription.Remove": s.Subscription().Remove(ctx),
		"Subscription.Change": s.Subscription().Change(ctx, func(*tenants.Subscription) error { return nil }),
	}
	notes := tenants.Notes{Summary: "x"}
	_, _, m["Notes.Add"] = s.Notes().Add(ctx, p.ring.ID, notes)
	_, _, m["Notes.Get"] = s.Notes().Get(ctx, p.ring.ID)
	_, _, m["Notes.Read"] = s.Notes().Read(ctx, p.ring.ID)
	m["Recordings.Begin"] = s.Recordings().Begin(ctx, p.ring.ID, tenants.Recording{})
	m["Recordings.Add"] = s.Recordings().Add(ctx, p.ring.ID, []byte("x"), 1, 0)
	_, m["Recordings.Get"] = s.Recordings().Get(ctx, p.ring.ID)
	_, m["Recordings.Listen"] = s.Recordings().Listen(ctx, tenants.Recording{Ring: p.ring.ID, Chunks: 1}, "recording.listen", "")
	_, m["Notes.Person"] = s.Notes().Person(ctx, p.ring.ID)
	_, m["Notes.Erase"] = s.Notes().Erase(ctx, p.ring.ID)
	_, m["Connections.Get"] = s.Connections().Get(ctx, p.connection.ID)
	_, m["Connections.Secrets"] = s.Connections().Secrets(ctx, p.connection.ID)
	m["Connections.Change"] = s.Connections().Change(ctx, p.connection)
	_, _, m["Connections.RotateSecret"] = s.Connections().RotateSecret(ctx, p.connection.ID)
	_, m["Rosters.Get"] = s.Rosters().Get(ctx, p.connection.ID)
	m["Rosters.Hurry"] = s.Rosters().Hurry(ctx, p.connection.ID)
	_, m["Lists.View"] = s.Lists().View(ctx, p.member.ID, p.view.ID)
	m["Lists.RemoveView"] = s.Lists().RemoveView(ctx, p.view)
	_, m["AlertRules.Get"] = s.AlertRules().Get(ctx, p.rule.ID)
	m["AlertRules.Set"] = s.AlertRules().Set(ctx, p.rule)
	m["AlertRules.Remove"] = s.AlertRules().Remove(ctx, p.rule.ID)
	_, m["AlertTargets.Get"] = s.AlertTargets().Get(ctx, p.target.ID)
	_, _, _, m["AlertTargets.Open"] = s.AlertTargets().Open(ctx, p.target.ID)
	m["AlertTargets.Set"] = s.AlertTargets().Set(ctx, p.target)
	m["AlertTargets.Remove"] = s.AlertTargets().Remove(ctx, p.target.ID)
	_, m["Groups.Get"] = s.Groups().Get(ctx, p.group.ID)
	m["Groups.Set"] = s.Groups().Set(ctx, p.group)
	m["Groups.Remove"] = s.Groups().Remove(ctx, p.group.ID)
	_, m["Schedules.Get"] = s.Schedules().Get(ctx, p.schedule.ID)
	m["Schedules.Set"] = s.Schedules().Set(ctx, p.schedule)
	m["Schedules.Remove"] = s.Schedules().Remove(ctx, p.schedule.ID)
	_, m["Consents.Get"] = s.Consents().Get(ctx, p.consent.ID)
	m["Consents.Withdraw"] = s.Consents().Withdraw(ctx, p.consent.ID)
	m["Connections.Remove"] = s.Connections().Remove(ctx, p.connection.ID)
	_, _, m["Connections.Open"] = s.Connections().Open(ctx, p.connection.ID)
	_, _, m["Connections.ToSend"] = s.Connections().ToSend(ctx, p.connection.ID)
	m["Deliveries.Record"] = s.Deliveries().Record(ctx, p.delivery, tenants.DeliveryAttempt{})
	_, m["Deliveries.Get"] = s.Deliveries().Get(ctx, p.connection.ID, p.delivery.Event)
	_, m["Deliveries.Replay"] = s.Deliveries().Replay(ctx, p.connection.ID, store.Replay{})
	_, m["Credentials.Rollback"] = s.Credentials().Rollback(ctx, p.credential.ID)
	_, _, m["Credentials.Open"] = s.Credentials().Open(ctx, p.credential.ID)
	m["Qualities.Set"] = s.Qualities().Set(ctx, p.ring.ID, new(tenants.CallQuality), false)
	_, _, m["Rings.Change"] = s.Rings().Change(ctx, p.ring.ID, p.ring, time.Time{}, fold(p.ring.Attempts[0].ID,
		tenants.FactDeclined, now))
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
	devices, _, err := s.Devices().List(ctx, store.DeviceQuery{Person: "canary"})
	put("Devices.List", devices, err)
	rings, _, err := s.Rings().List(ctx, store.RingQuery{})
	put("Rings.List", rings, err)
	credentials, _, err := s.Credentials().List(ctx, store.Page{})
	put("Credentials.List", credentials, err)
	agents, _, err := s.Agents().List(ctx, store.Page{})
	put("Agents.List", agents, err)
	known, err := s.Devices().Known(ctx, []tenants.FileDevice{{Device: p.device}})
	put("Devices.Known", known, err)
	tags, err := s.Devices().Tags(ctx, []tenants.DeviceID{p.device.ID})
	put("Devices.Tags", tags, err)
	allTags, err := s.Devices().AllTags(ctx)
	put("Devices.AllTags", allTags, err)
	kept, err := s.Lists().Kept(ctx, p.member.ID, p.view.List)
	put("Lists.Kept", kept.Views, err)
	put("Lists.Kept, the columns", []byte(kept.Columns), err)
	rules, _, err := s.AlertRules().List(ctx, store.Page{})
	put("AlertRules.List", rules, err)
	unsent, err := s.Digests().Due(ctx, "2026-11-23")
	put("Digests.Due", unsent, err)
	counted, err := s.AlertRules().Samples(ctx, tenants.AlertRule{Metric: "rings", Window: time.Hour}, now.Add(-time.Hour),
		now.Add(time.Hour))
	put("AlertRules.Samples", counted, err)
	news, _, err := s.AlertTargets().List(ctx, store.Page{})
	put("AlertTargets.List", news, err)
	people50, err := s.AlertTargets().People(ctx, tenants.Roles)
	put("AlertTargets.People", people50, err)
	groups, _, err := s.Groups().List(ctx, store.Page{})
	put("Groups.List", groups, err)
	allGroups, err := s.Groups().All(ctx)
	put("Groups.All", allGroups, err)
	named := tenants.Group{Escalate: p.group.ID, Members: []tenants.GroupMember{{Person: "canary", Schedule: p.schedule.ID}}}
	duties, err := s.Groups().Duties(ctx, named)
	put("Groups.Duties", duties.Schedules, err)
	put("Groups.Duties, the next groups", duties.Groups, err)
	schedules, _, err := s.Schedules().List(ctx, store.Page{})
	put("Schedules.List", schedules, err)
	allSchedules, err := s.Schedules().All(ctx)
	put("Schedules.All", allSchedules, err)
	uses, err := s.Schedules().Uses(ctx, p.schedule.ID)
	put("Schedules.Uses", uses, err)
	history, err := s.Consents().Of(ctx, "canary")
	put("Consents.Of", history, err)
	consents, _, err := s.Consents().List(ctx, store.ConsentQuery{})
	put("Consents.List", consents, err)
	agreed, err := s.Consents().Agreed(ctx, []string{"canary"})
	put("Consents.Agreed", agreed, err)
	targets, err := s.Rings().TargetsOf(ctx, []string{"canary"})
	put("Rings.TargetsOf", targets, err)
	connections, _, err := s.Connections().List(ctx, store.Page{})
	put("Connections.List", connections, err)
	deliveries, _, err := s.Deliveries().List(ctx, store.DeliveryQuery{Connection: p.connection.ID})
	put("Deliveries.List", deliveries, err)
	attempts, _, err := s.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: p.connection.ID})
	put("Deliveries.Attempts", attempts, err)
	sums, err := s.Deliveries().Figures(ctx, p.connection.ID, now.Add(-time.Hour))
	put("Deliveries.Figures", make([]struct{}, sums.Attempts), err)
	hours, err := s.Deliveries().Hours(ctx, p.connection.ID, now.Add(-24*time.Hour))
	put("Deliveries.Hours", hours, err)
	keys, _, err := s.Keys().List(ctx, store.Page{})
	put("Keys.List", keys, err)
	asked, err := s.Keys().Requests(ctx, p.key.ID)
	put("Keys.Requests", asked, err)
	members, _, err := s.Members().List(ctx, store.Page{})
	put("Members.List", members, err)
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "device."})
	put("Audits.List", audits, err)
	removed, err := s.Audits().Removed(ctx, []string{string(p.removed.ID)})
	put("Audits.Removed", removed, err)
	invitations, err := s.Invitations().List(ctx)
	put("Invitations.List", invitations, err)
	tallies, err := s.Analytics().Tallies(ctx, now.Add(-time.Hour), time.Time{})
	put("Analytics.Tallies", tallies, err)
	funnel, err := s.Analytics().Funnel(ctx, now.Add(-time.Hour), time.Time{}, "")
	put("Analytics.Funnel", funnel, err)
	byDay, err := s.Analytics().FunnelByDay(ctx, now.Add(-time.Hour), time.Time{}, time.FixedZone("", -18000))
	put("Analytics.FunnelByDay", byDay, err)
	placed, err := s.Analytics().Placed(ctx, now.Add(-time.Hour))
	put("Analytics.Placed", placed, err)
	byHour, err := s.Analytics().Hours(ctx, tenants.Cut{}, now.Add(-time.Hour), time.Time{})
	put("Analytics.Hours", byHour, err)
	byVersion, err := s.Analytics().Values(ctx, tenants.SplitAppVersion, now.Add(-time.Hour), time.Time{})
	put("Analytics.Values", byVersion, err)
	ends, err := s.Analytics().RingEnds(ctx, now.Add(-time.Hour), time.Time{}, time.UTC)
	put("Analytics.RingEnds", ends, err)
	devicesOf, err := s.Devices().ByID(ctx, []tenants.DeviceID{p.device.ID, "nobody", "nobody"})
	put("Devices.ByID", devicesOf, err)
	agentsOf, err := s.Agents().ByID(ctx, []tenants.AgentID{p.agent.ID})
	put("Agents.ByID", agentsOf, err)
	seen, err := s.Members().LastSeen(ctx, time.Hour)
	put("Members.LastSeen", seen, err)
	days, err := s.Subscription().UsageDays(ctx, now.Add(-24*time.Hour), time.Time{}, time.UTC)
	put("Subscription.UsageDays", days, err)
	alerts, err := s.Alerts().List(ctx, true)
	put("Alerts.List", alerts, err)
	found, _, err := s.Alerts().Find(ctx, store.AlertQuery{})
	put("Alerts.Find", found, err)
	managers, err := s.Members().Managers(ctx)
	put("Members.Managers", managers, err)
	address, err := s.Members().Address(ctx, p.member.ID)
	put("Members.Address", address, err)
	outcomes, err := s.Outcomes().OfDevice(ctx, p.device.ID, 10)
	put("Outcomes.OfDevice", outcomes, err)
	watched, err := s.Outcomes().Since(ctx, time.Time{}, 10)
	put("Outcomes.Since", watched, err)
	versions, err := s.Devices().CountByVersion(ctx)
	put("Devices.CountByVersion", versions, err)
	figures, err := s.Analytics().Figures(ctx, now.Add(-time.Hour), time.Time{})
	put("Analytics.Figures", figures, err)
	q, err := s.Qualities().Get(ctx, p.ring.ID)
	samples := []tenants.QualitySample{}
	if q != nil {
		samples = q.Samples
	}
	put("Qualities.Get", samples, err)
	reasons, _, err := s.Analytics().Reasons(ctx, now.Add(-time.Hour), time.Time{})
	put("Analytics.Reasons", reasons, err)
	fed, _, _, err := s.Feed().Next(ctx, store.FeedPlace{})
	put("Feed.Next", fed, err)
	told, err := s.Feed().Rings(ctx, []tenants.RingID{p.ring.ID})
	put("Feed.Rings", told, err)
	ringing, err := s.Rings().Live(ctx, p.device.ID)
	put("Rings.Live", ringing, err)
	total, err := s.Deliveries().Total(ctx, store.DeliveryQuery{Connection: p.connection.ID})
	put("Deliveries.Total", make([]struct{}, total.N), err)
	for name, total := range totals(ctx, s) {
		t, err := total(store.Page{})
		put(name, make([]struct{}, t.N), err)
	}
	reach, err := s.Devices().CountByEnvironment(ctx, p.device.Bundle)
	put("Devices.CountByEnvironment", reach, err)
	people, _, err := s.Devices().People(ctx, store.PersonQuery{Limit: 9})
	put("Devices.People", people, err)
	return m, failed
}
