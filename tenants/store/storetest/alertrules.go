package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func (b *bench) newRule(targets ...tenants.AlertTargetID) tenants.AlertRule {
	return tenants.AlertRule{ID: tenants.NewID[tenants.AlertRuleID](b.clock.Now()), Name: fmt.Sprintf("Rule %d", b.next()),
		Metric: "answer_rate", Threshold: 40.5, Window: time.Hour, Least: 2, Mail: true, Targets: targets, Active: true,
		CreatedAt: b.clock.add(time.Millisecond)}
}

func (b *bench) newTarget(kind tenants.TargetKind) tenants.AlertTarget {
	return tenants.AlertTarget{ID: tenants.NewID[tenants.AlertTargetID](b.clock.Now()), Name: fmt.Sprintf("Target %d", b.next()),
		Kind:      kind,
		CreatedAt: b.clock.add(time.Millisecond)}
}

// testAlertRules: rules are kept, fire once, are sent to their targets, and close again.
func testAlertRules(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	hook, every := b.newTarget(tenants.TargetWebhook), b.newTarget(tenants.TargetChat)
	every.All = true
	secret, err := s.AlertTargets().Add(ctx, hook, "https://example.com/a/secret")
	b.must(err)
	_, err = s.AlertTargets().Add(ctx, every, "https://chat.example.com/T0/secret")
	b.must(err)
	opened, address, signing, err := s.AlertTargets().Open(ctx, hook.ID)
	b.must(err)
	equal(b, [3]string{opened.Shown, address, string(signing)}, [3]string{"https://example.com", "https://example.com/a/secret",
		string(secret)}, "target")
	r := b.newRule(hook.ID)
	b.must(s.AlertRules().Add(ctx, r))
	got, err := s.AlertRules().Get(ctx, r.ID)
	b.must(err)
	r.Tenant = got.Tenant
	if !reflect.DeepEqual(got, r) {
		b.Errorf("got %+v, want %+v", got, r)
	}
	b.refused(other.AlertRules().Add(ctx, b.newRule(hook.ID)), tenants.Invalid, "a target of another tenant")
	b.must(other.AlertRules().Add(ctx, b.newRule()))
	b.must(other.Suspend(ctx, "a reason")) // its rule is not looked at

	now := b.clock.Now()
	claimed, err := b.s.Jobs().ClaimRules(ctx, now, time.Minute, 10)
	b.must(err)
	equal(b, len(claimed), 1, "rules that are due")
	claimed, err = b.s.Jobs().ClaimRules(ctx, now, time.Minute, 10)
	b.must(err)
	equal(b, len(claimed), 0, "rules that another node has")
	fires := tenants.RuleState{Firing: true, FiredAt: now}
	b.must(s.AlertRules().Enter(ctx, r, fires, "The figure was low."))
	b.must(s.AlertRules().Enter(ctx, r, fires, "Again.")) // a node that looked at the same time
	open, err := s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(open), 1, "open alerts")
	equal(b, open[0].Detail+string(open[0].Kind)+fmt.Sprint(open[0].Count), "The figure was low.rule1", "alert")
	sends, err := b.s.Jobs().ClaimSends(ctx, b.clock.Now(), time.Minute, 10)
	b.must(err)
	equal(b, len(sends), 2, "sends")
	for _, x := range sends {
		equal(b, x.News.Title+x.News.State, r.Name+"open", "news")
	}
	again, err := b.s.Jobs().ClaimSends(ctx, b.clock.Now(), time.Minute, 10)
	b.must(err)
	equal(b, len(again), 0, "sends that another node has")
	b.must(s.AlertTargets().Settle(ctx, sends[0], true, "It answered 200.", time.Time{}))
	for tries := 1; tries <= 2; tries++ { // the second failure is an alert, and that one is sent to nobody
		sends[1].Tries = tries
		b.must(s.AlertTargets().Settle(ctx, sends[1], false, "It answered 500.", b.clock.Now().Add(time.Hour)))
	}
	open, err = s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(open), 2, "open alerts, with that of the target")
	again, err = b.s.Jobs().ClaimSends(ctx, b.clock.Now().Add(time.Minute), time.Minute, 10)
	b.must(err)
	equal(b, len(again), 0, "sends before the pause is over")
	b.must(s.AlertTargets().Tested(ctx, sends[1].Target, true, "It answered 200."))
	b.must(s.AlertTargets().Remove(ctx, hook.ID))

	r, err = s.AlertRules().Get(ctx, r.ID)
	b.must(err)
	equal(b, len(r.Targets), 0, "targets of the rule, whose target was removed")
	equal(b, r.RuleState, tenants.RuleState{Firing: true, FiredAt: r.FiredAt}, "state")
	b.must(s.AlertRules().Enter(ctx, r, tenants.RuleState{FiredAt: r.FiredAt}, ""))
	open, err = s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(open), 0, "open alerts, all closed")
	r, err = s.AlertRules().Get(ctx, r.ID)
	b.must(err)
	b.must(s.AlertRules().Enter(ctx, r, fires, "Low again."))
	r, err = s.AlertRules().Get(ctx, r.ID)
	b.must(err)
	r.Active = false
	b.must(s.AlertRules().Set(ctx, r))
	open, err = s.Alerts().List(ctx, false)
	b.must(err)
	equal(b, len(open), 0, "open alerts of a paused rule")
	b.must(s.AlertRules().Remove(ctx, r.ID))
	_, err = s.AlertRules().Get(ctx, r.ID)
	b.refused(err, tenants.Unknown, "a removed rule")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "alert_rule."})
	b.must(err)
	var actions []string
	for _, a := range audits {
		actions = append(actions, a.Action)
	}
	equal(b, strings.Join(actions, " "), "alert_rule.remove alert_rule.set alert_rule.add", "audit")
}

// testRuleFigures: the figure of a rule is what the page of analytics counts over the same span,
// whatever it is counted by.
func testRuleFigures(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	key := tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-0000000000b1", Name: "agent"}
	at := b.clock.Now().Truncate(time.Hour).Add(10 * time.Minute)
	facts := 0
	place := func(kinds ...tenants.FactKind) {
		b.clock.set(at)
		r := b.newRing(d)
		r.By = key
		_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
		b.must(err)
		for i, k := range kinds {
			r = b.record(s, r, 0, k, r.CreatedAt.Add(time.Duration(i+1)*time.Second))
		}
		facts += 1 + len(kinds)
	}
	taken := []tenants.FactKind{tenants.FactSent, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown, tenants.FactAnswered}
	place(append(taken, tenants.FactConnected, tenants.FactHungUp)...)
	place(append(taken, tenants.FactHungUp)...)
	place(tenants.FactSent, tenants.FactRefused)
	place(tenants.FactSent, tenants.FactAccepted, tenants.FactExpired)
	b.roll(facts)
	now := at.Add(5 * time.Minute)
	for _, c := range []struct {
		metric, detail string
		cut            tenants.Cut
		value          float64
		of             int64
	}{
		{"answer_rate", "", tenants.Cut{}, 50, 4}, {"answer_rate", "", tenants.Cut{By: tenants.SplitKey, Value: key.ID}, 50, 4},
		{"answer_rate", "", tenants.Cut{By: tenants.SplitKey}, 0, 0}, {"missed_rate", "", tenants.Cut{}, 25, 4},
		{"failed_rate", "", tenants.Cut{By: tenants.SplitAppVersion, Value: d.AppVersion}, 25, 4}, {"silent_rate", "",
			tenants.Cut{}, 50, 2},
		{"refused_rate", "", tenants.Cut{}, 25, 4}, {"rings", "", tenants.Cut{}, 4, 4}, {"refused", "", tenants.Cut{}, 1, 4},
		{"shown_rate", "", tenants.Cut{}, 50, 4}, {"shown_rate", "", tenants.Cut{By: tenants.SplitAgent}, 50, 4},
		{"reason_share", "nothing", tenants.Cut{}, 0, 4}, {"step_p95", "woke", tenants.Cut{}, 1000, 2},
		{"step_p95", "woke", tenants.Cut{By: tenants.SplitAppVersion, Value: d.AppVersion}, 1000, 2},
	} {
		for _, window := range tenants.RuleWindows {
			r := tenants.AlertRule{Name: "x", Metric: c.metric, Detail: c.detail, Cut: c.cut, Above: true, Threshold: 1, Window: window}
			b.must(r.Check())
			f, err := s.AlertRules().Figure(ctx, r, now)
			b.must(err)
			if f.Of != c.of || f.Value < c.value || f.Value > c.value*1.1 {
				b.Errorf("%s by %v in %v: %+v", c.metric, c.cut, window, f)
			}
			if c.metric != "answer_rate" {
				continue
			}
			from, to := r.Span(now)
			hours, err := s.Analytics().Hours(ctx, c.cut, from.Truncate(time.Hour), to.Add(time.Hour))
			b.must(err)
			var sum tenants.Counts
			for _, h := range hours {
				sum = sum.Add(h.Counts)
			}
			equal(b, [2]int64{f.N, f.Of}, [2]int64{sum.Answered, sum.Over()}, "rule and page")
		}
	}
}
