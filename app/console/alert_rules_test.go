package console

import (
	"net/url"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func ruleFields(pairs ...string) url.Values {
	f := url.Values{"name": {"Few answers"}, "metric": {"answer_rate"}, "threshold": {"90"}, "way": {"below"}, "window": {"3600"},
		"quiet": {"0"}, "least": {"1"}, "cut": {":"}, "mail": {"1"}}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// TestAlertRulePage: a rule is tried out, added, changed, paused and removed, and each fault is
// named at its field.
func TestAlertRulePage(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/alerts").Want(200).Has("/alerts/rules", "/alerts/targets")
	w.Post("/alerts/rules/add", ruleFields("do", "preview")).Want(200).Has("It would have fired 1 time in the last 8 days.",
		"50 % of 2 rings that ended", "/rings?since=")
	before, _, err := a.Scope().AlertRules().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	for field, value := range map[string]string{"name": " ", "threshold": "many", "window": "1", "least": "-1", "cut": "colour:red"} {
		w.Post("/alerts/rules/add", ruleFields(field, value)).Want(400).Has("f-" + field + "-error")
	}
	w.Post("/alerts/rules/add", ruleFields("metric", "step_p95", "detail", "slept")).Want(400).Has("A step of the funnel.")
	w.Post("/alerts/rules/add", ruleFields("target", string(a.target))).Want(303)
	all, _, err := a.Scope().AlertRules().List(t.Context(), store.Page{Search: "few"})
	pagetest.Must(t, err)
	if len(all) != 1 || len(before) != 1 || all[0].Targets[0] != a.target {
		t.Fatalf("%+v", all)
	}
	path := "/alerts/rules/" + string(all[0].ID)
	w.Get("/alerts/rules").Want(200).Has("Few answers", "Answer rate below 90 % in 1 hour", "50 % of 2 rings that ended", "Watching")
	w.Get("/alerts/rules.csv?q=few").Want(200).Has("Few answers").Lacks("Alpha rule")
	w.Post(path, ruleFields("threshold", "10,5")).Want(303)
	w.Get(path).Want(200).Has(`value="10.5"`, "It would not have fired")
	w.Post(path+"/pause", nil).Want(303)
	w.Get("/alerts/rules").Has("Paused")
	w.Get(path + "/remove").Want(200).Has("No alert is raised by it any more.")
	w.Post(path+"/remove", nil).Want(303)
	w.Get(path).Want(404)
	viewer := a.Quick(a.Person(tenants.Viewer))
	viewer.Get("/alerts/rules").Want(200).Lacks("/alerts/rules/add")
	viewer.Post("/alerts/rules/add", ruleFields()).Want(403)
	a.Quick(a.Person(tenants.Analyst)).Post("/alerts/rules/add", ruleFields()).Want(303)
}

// TestAlertTargetPage: a webhook's secret is shown once and its address never again, and a test
// says what came of it.
func TestAlertTargetPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	add := url.Values{"name": {"Ours"}, "kind": {"webhook"}, "url": {"http://127.0.0.1:1/hidden-path"}}
	w.Post("/alerts/targets/add", add).Want(200).Has("whsec_")
	w.Post("/alerts/targets/add", url.Values{"name": {"Inside"}, "kind": {"chat"}, "url": {"http://10.0.0.1/x"}}).Want(400).
		Has("private or reserved network")
	w.Post("/alerts/targets/add", url.Values{"name": {"People"}, "kind": {"email"}, "role": {"billing"}}).Want(400)
	all, _, err := a.Scope().AlertTargets().List(t.Context(), store.Page{Search: "ours"})
	pagetest.Must(t, err)
	path := "/alerts/targets/" + string(all[0].ID)
	w.Get(path).Want(200).Has("http://127.0.0.1:1", "Not tried yet").Lacks("hidden-path", "whsec_")
	w.Post(path+"/test", nil).Want(303)
	w.Get(path).Want(200).Has("It was not reached", "nothing listens at this address").Lacks("hidden-path")
	w.Post("/alerts/targets/add", url.Values{"name": {"People"}, "kind": {"email"}, "role": {"owner"}, "all": {"1"}}).Want(303)
	all, _, err = a.Scope().AlertTargets().List(t.Context(), store.Page{Search: "people"})
	pagetest.Must(t, err)
	w.Post("/alerts/targets/"+string(all[0].ID)+"/test", nil).Want(303)
	got := h.Mails.To(a.Owner.Email)
	if len(got) != 1 || !strings.Contains(got[0].Subject, "Test alert") {
		t.Errorf("%+v", got)
	}
	w.Get("/alerts/targets").Want(200).Has("Arrives", "The mail server took the email to 1 person.", "Email to Owner")
	_, err = a.Scope().Alerts().Raise(t.Context(), tenants.AlertTargetFails, string(all[0].ID), "No alert arrives.")
	pagetest.Must(t, err)
	w.Get("/alerts").Want(200).Has("Alerts do not reach a target", `href="/alerts/targets/`+string(all[0].ID))
}

// TestBillingSeesNoFigures: the role of bills has no figures of calls on the overview.
func TestBillingSeesNoFigures(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	a.Quick(a.Person(tenants.Billing)).Get("/overview").Want(200).Has("Your role reads the plan", "/billing").
		Lacks("Rings today", "Call funnel", "Time per step", "How calls sounded", "Devices</")
	a.Quick(a.Person(tenants.Analyst)).Get("/overview").Want(200).Has("Rings today", "Call funnel")
}

// TestDigestPages: the weekly mail has a preview, is turned off on the account page, and by its
// link without signing in; looking at the link changes nothing.
func TestDigestPages(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(h *server, c *Config) { c.Mail = h.Mails })
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/alerts/digest").Want(200).Has("Carillon: the week of", "Open alerts")
	token := tenants.NewSecret(tenants.DigestPrefix)
	_, err := a.Scope().Digests().Claim(t.Context(), "2026-11-23", a.Owner.ID, token.Hash())
	pagetest.Must(t, err)
	off := func() bool {
		off, err := a.Scope().Digests().Off(t.Context(), a.Owner.ID)
		pagetest.Must(t, err)
		return off
	}
	anybody := h.Browser()
	anybody.Get("/digest/off/" + string(token)).Want(200).Has("Turn off the weekly email?")
	if off() {
		t.Error("a GET turned the mail off")
	}
	anybody.Post("/digest/off/"+string(token), url.Values{"List-Unsubscribe": {"One-Click"}}).Want(200).Has("Turned off")
	if !off() {
		t.Error("one click did not turn the mail off")
	}
	anybody.Get("/digest/off/" + string(tenants.NewSecret(tenants.DigestPrefix))).Want(410)
	w.Get("/account").Want(200).Has("You do not get the weekly email")
	w.Post("/account/digest", url.Values{"digest": {"on"}}).Want(303)
	if off() {
		t.Error("the mail is still off")
	}
}
