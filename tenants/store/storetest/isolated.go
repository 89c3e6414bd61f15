package storetest

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"carillon/tenants"
	"carillon/tenants/store"
)

// totals count the lists of the tenant; of the audits those of devices.
func totals(ctx context.Context, s *store.Scope) map[string]func(store.Page) (store.Total, error) {
	return map[string]func(store.Page) (store.Total, error){
		"AlertRules.Total":   func(p store.Page) (store.Total, error) { return s.AlertRules().Total(ctx, p) },
		"AlertTargets.Total": func(p store.Page) (store.Total, error) { return s.AlertTargets().Total(ctx, p) },
		"Groups.Total":       func(p store.Page) (store.Total, error) { return s.Groups().Total(ctx, p) },
		"Schedules.Total":    func(p store.Page) (store.Total, error) { return s.Schedules().Total(ctx, p) },
		"Consents.Total":     func(p store.Page) (store.Total, error) { return s.Consents().Total(ctx, store.ConsentQuery{Page: p}) },
		"Agents.Total":       func(p store.Page) (store.Total, error) { return s.Agents().Total(ctx, p) },
		"Connections.Total":  func(p store.Page) (store.Total, error) { return s.Connections().Total(ctx, p) },
		"Keys.Total":         func(p store.Page) (store.Total, error) { return s.Keys().Total(ctx, p) },
		"Credentials.Total":  func(p store.Page) (store.Total, error) { return s.Credentials().Total(ctx, p) },
		"Devices.Total":      func(p store.Page) (store.Total, error) { return s.Devices().Total(ctx, store.DeviceQuery{}.At(p)) },
		"Rings.Total":        func(p store.Page) (store.Total, error) { return s.Rings().Total(ctx, store.RingQuery{}.At(p)) },
		"Members.Total":      func(p store.Page) (store.Total, error) { return s.Members().Total(ctx, p) },
		"Alerts.Total":       func(p store.Page) (store.Total, error) { return s.Alerts().Total(ctx, store.AlertQuery{}.At(p)) },
		"Audits.Total": func(p store.Page) (store.Total, error) {
			return s.Audits().Total(ctx, store.AuditQuery{Action: "device."}.At(p))
		},
	}
}

// apart are the methods with nothing of another tenant to ask for; each says why.
var apart = map[string]string{
	"By": "changes who acts", "Fenced": "changes which server writes", "Patient": "changes when writes commit",
	"Paced":          "changes what a ring reserves",
	"Devices.Called": "see testMerges", "Devices.Earlier": "see testMerges", "Devices.LookAlike": "see testMerges",
	"Devices.Merge": "see testMerges", "Devices.Now": "see testMerges",
	"Tenant":    "the scope itself",
	"SetTenant": "the scope itself", "Suspend": "the scope itself", "SetLook": "the scope itself",
	"Resume": "the scope itself", "SetRules": "the scope itself", "RequireTwoSteps": "the scope itself",
	"Feed.Newest": "a place says nothing of its fact", "Feed.Resume": "a place says nothing of its fact",
	"Rings.Hold": "testHolders", "Rings.TakeOver": "testHolders", "Rings.Release": "testHolders",
	"Rings.Add": "adds", "Devices.Add": "adds", "Pairings.Add": "adds",
	"Credentials.Add": "adds", "Credentials.Replace": "adds", "Alerts.Raise": "adds", "Agents.Add": "adds", "Keys.Add": "adds",
	"Keys.AddAgain": "adds",
	"Lists.AddView": "adds", "Lists.SetColumns": "adds",
	"Digests.Claim": "adds", "Digests.Release": "testDigests", "Digests.SetOff": "testDigests", "Digests.Off": "testDigests",
	"AlertRules.Add": "adds", "AlertTargets.Add": "adds", "AlertRules.Enter": "changes what ClaimRules gave",
	"AlertRules.Figure": "adds up Samples", "AlertTargets.Settle": "changes what ClaimSends gave",
	"AlertTargets.Tested": "changes nothing that is not there",
	"Groups.Add":          "adds", "Schedules.Add": "adds", "Consents.Add": "adds",
	"Connections.Add": "adds", "Deliveries.Claim": "testDeliveries", "Deliveries.Release": "testDeliveries",
	"Deliveries.Settle": "testDeliveries", "Analytics.StepTimes": "testCounts looks at two tenants",
	"Deliveries.Trim": "testReplay",
	"Texts.Addressee": "testTexts looks at two tenants", "Texts.Claim": "likewise", "Texts.Settle": "likewise", "Texts.Stop": "likewise",
	"Texts.Stopped": "likewise", "Rosters.Claim": "testRosters looks at two tenants", "Rosters.Keep": "changes what Claim made",
	"Providers.Set": "sets the scope's own", "Providers.Welcome": "TestSigningInThroughAProvider looks at two tenants",
	"Members.Add": "adds", "Invitations.Add": "adds", "Audits.Add": "adds", "Audits.Refused": "adds", "Audits.Heads": "testAuditChain",
	"Audits.Verify": "testAuditChain", "Audits.Period": "testAuditChain", "Audits.Export": "testAuditChain",
	"Audits.Since": "testAuditChain", "Audits.Sign": "testAuditChain", "Audits.Review": "adds",
	"Alerts.MailAt": "testMails", "Alerts.MarkMailed": "testMails", "Alerts.DropMail": "testMails", "Alerts.MailsSince": "testMails",
	"Exports.Ask": "adds", "Exports.Get": "testExports looks at two tenants", "Exports.Open": "likewise", "Exports.Remove": "likewise",
	"Erasures.Under": "testErasures looks at two tenants", "Erasures.Member": "likewise", "Erasures.Person": "likewise",
	"AskDeletion": "the scope itself", "KeepTenant": "the scope itself",
	"Exports.Write": "likewise", "Kept": "testExports looks at two tenants",
	"Summary":       "checked below",
	"Devices.Count": "checked below", "Devices.Room": "Count and Entitlement, which are checked below", "Devices.Import": "adds",
	"Members.Count": "checked below", "Subscription.Entitlement": "checked below", "Subscription.Set": "adds",
	"Recordings.SetRule": "the scope itself", "Recordings.Rule": "checked below",
	"Subscription.ClaimCard": "adds; testCards looks at two tenants of one card",
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
	n, err := stranger.Devices().Tag(ctx, []tenants.DeviceID{p.device.ID}, "stolen", true)
	b.must(err)
	equal(b, n, 0, "another tenant's devices that got a tag")
	b.refused(stranger.Devices().Change(ctx, p.device, &[]string{"stolen"}), tenants.Unknown, "tagging another tenant's device")
	checked["Devices.Tag"], checked["Devices.Change"] = true, true
	n, err = stranger.Devices().Count(ctx)
	b.must(err)
	equal(b, n, 0, "a stranger's devices")
	n, err = stranger.Members().Count(ctx)
	b.must(err)
	equal(b, n, 0, "a stranger's people")
	all, err := owner.Summary(ctx)
	b.must(err)
	if all.OpenAlerts == 0 || !all.Production && !all.Sandbox {
		b.Errorf("the owner's summary is %+v: the test proves nothing", all)
	}
	bare, err := stranger.Summary(ctx)
	b.must(err)
	if bare.OpenAlerts != 0 || bare.Production || bare.Sandbox || bare.Entitlement.Usage.Rings != 0 {
		b.Errorf("a stranger's summary is %+v", bare)
	}
	for scope, want := range map[*store.Scope]int64{owner: 1, stranger: 0} {
		e, err := scope.Subscription().Entitlement(ctx)
		b.must(err)
		equal(b, e.Usage.Rings, want, "rings that count")
	}
	for scope, want := range map[*store.Scope]bool{owner: true, stranger: false} {
		only, err := scope.Providers().OnlyWay(ctx)
		b.must(err)
		if checked["Providers.OnlyWay"] = true; only != want {
			b.Errorf("the only way in: %t", only)
		}
	}
	rule, err := stranger.Recordings().Rule(ctx)
	b.must(err)
	equal(b, rule.Reason, "", "a stranger's rule of recordings")
	none, err := stranger.Rings().Targets(ctx, tenants.To{Person: "canary"})
	b.must(err)
	equal(b, len(none), 0, "a stranger's targets")

	earlier, err := owner.Rings().Earlier(ctx, p.once)
	if err != nil || earlier == nil {
		b.Errorf("the owner's earlier ring: %v %v", earlier, err)
	}
	earlier, err = stranger.Rings().Earlier(ctx, p.once)
	if checked["Rings.Earlier"] = true; err != nil || earlier != nil {
		b.Errorf("a stranger's earlier ring: %v %v", earlier, err)
	}

	scope := reflect.TypeFor[*store.Scope]()
	for i := range scope.NumMethod() {
		for _, name := range methods(scope.Method(i)) {
			if !checked[name] && apart[name] == "" {
				b.Errorf("%s of a Scope is not tested against another tenant", name)
			}
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

// methods names a method of Scope, or the methods of the facet that it gives.
func methods(m reflect.Method) (names []string) {
	facet := m.Type.Out(0)
	if m.Type.NumIn() > 1 || facet.Kind() != reflect.Struct {
		return []string{m.Name}
	}
	for i := range facet.NumMethod() {
		names = append(names, m.Name+"."+facet.Method(i).Name)
	}
	return names
}
