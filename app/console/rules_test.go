package console

import (
	"net/url"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestRules: a person sees where each rule comes from, changes it within its bounds, and gets the
// default back; the law cannot be loosened, and nothing is deleted sooner without a tick.
func TestRules(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	rules := func() tenants.Rules {
		t.Helper()
		tn, err := b.Scope().Tenant(t.Context())
		pagetest.Must(t, err)
		return tn.Rules()
	}
	set := func(pairs ...string) pagetest.Answer {
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Add(pairs[i], pairs[i+1])
		}
		return w.Post("/settings/rules", form)
	}
	w.Get("/settings").Has(`href="/settings/rules"`)
	w.Get("/settings/rules").Want(200).Has("Real estate", "Industry default", "No quiet hours").Lacks("Changed by you")
	set("rule", "payload", "payload", "opaque").Leads("/settings/rules")
	set("rule", "quiet_hours", "quiet", "1", "from", "21:00", "to", "07:30", "day", "5", "day", "6").Leads("/settings/rules")
	set("rule", "consent", "consent", "recorded").Leads("/settings/rules")
	set("rule", "recording_reason", "recording_reason", "yes").Leads("/settings/rules")
	set("rule", "retention.audits", "days", "0").Leads("/settings/rules")
	w.Get("/settings/rules").Has("Changed by you", "Nobody is rung 21:00–07:30 fri sat", "Back to the default: No quiet hours")
	if r := rules(); !r.Opaque() || r.Quiet.String() != "21:00–07:30 fri sat" || r.Consent != tenants.ConsentRecorded || !r.Reason ||
		r.Retention[tenants.DataAudits] != 0 {
		t.Errorf("%+v", r)
	}

	set("rule", "retention.rings", "days", "90").Want(422).Has("Tick the box to confirm", "Delete what is older than 90 days")
	set("rule", "retention.rings", "days", "90", "delete", "1").Leads("/settings/rules")
	set("rule", "retention.rings", "days", "5", "delete", "1").Want(400).Has("30 to 400 days")
	set("rule", "retention.rings", "days", "many").Want(400).Has("whole number of days")
	set("rule", "quiet_hours", "quiet", "1", "from", "21:00", "to", "21:00", "day", "1").Want(400).Has("two times of day that differ")
	set("rule", "quiet_hours", "quiet", "1", "from", "21:00", "to", "22:00").Want(400)
	set("rule", "payload", "payload", "everything").Want(400).Has("abel or opaque")
	set("rule", "tenant").Want(404)
	if r := rules(); r.Retention[tenants.DataRings] != 90 || r.Quiet.String() != "21:00–07:30 fri sat" {
		t.Errorf("%+v", r)
	}
	for _, id := range []string{"payload", "quiet_hours", "consent", "recording_reason", "retention.rings"} {
		set("rule", id, "reset", "1").Leads("/settings/rules")
	}
	if r := rules(); r.Opaque() || !r.Quiet.None() ||
		r.Consent != tenants.ConsentNone || r.Reason || r.Retention[tenants.DataRings] != 400 {
		t.Errorf("after the reset: %+v", r)
	}
	audits, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "rules.set"})
	pagetest.Must(t, err)
	var said []string
	for _, a := range audits {
		for _, c := range a.Changes {
			said = append(said, c.Field+" "+c.Before+" "+c.After)
		}
	}
	for _, want := range []string{"payload label opaque", "quiet_hours none 21:00–07:30 fri sat", "retention.rings 400 90",
		"retention.rings 90 400"} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("the audit log lacks %q: %q", want, said)
		}
	}
}

// TestLawfulRules: in healthcare names stay out of the push and six years of audit log are kept,
// whatever is posted.
func TestLawfulRules(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	tn.Industry = tenants.Healthcare
	pagetest.Must(t, b.Scope().SetTenant(t.Context(), tn))
	w := b.Quick(b.Owner)
	w.Get("/settings/rules").Want(200).Has("45 CFR 164.530(c)", "45 CFR 164.316(b)(2)(i)", "cannot be loosened")
	w.Post("/settings/rules", url.Values{"rule": {"payload"}, "payload": {"label"}}).Want(400).Has("Names must stay out of the push")
	w.Post("/settings/rules", url.Values{"rule": {"retention.audits"}, "days": {"365"}, "delete": {"1"}}).
		Want(400).Has("At least 2192 days")
	if tn, err = b.Scope().Tenant(t.Context()); err != nil || !tn.Opaque() || tn.Rules().Retention[tenants.DataAudits] != 2192 {
		t.Errorf("%v: %+v", err, tn.Rules())
	}
	w.Get("/overview").Has("Pair the phone of the doctor on call", "Connect the duty roster", "Decide about recordings")
}

// TestKeptName: where rings go a month at a time, a person reads for how long one may be stored. A
// shorter rule holds to the day.
func TestKeptName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       tenants.DataKind
		days, most int
		want       string
	}{
		{tenants.DataRings, 400, 432, "400 to 432 days"}, {tenants.DataRings, 399, 432, "399 days"},
		{tenants.DataRings, 400, 400, "400 days"}, {tenants.DataNotes, 400, 432, "400 days"}, {tenants.DataAudits, 0, 432, "For ever"},
	} {
		if got := keptName(c.kind, c.days, c.most); got != c.want {
			t.Errorf("%s for %d days: %q, want %q", c.kind, c.days, got, c.want)
		}
	}
}
