package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// TestOperatorsLookOnlyWithConsent: an owner allows it, one link opens it once, nothing can be
// changed, and it ends with the consent, after 30 minutes and by "End". Each page is in both
// records.
func TestOperatorsLookOnlyWithConsent(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	now := h.Clock.Now()
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: "sam@ops.example", Name: "Sam Hill", CreatedAt: now}
	pagetest.Must(t, h.Store.Operators().Add(t.Context(), store.Who{}, o, store.OperatorLink{ExpiresAt: now.Add(time.Hour)}))
	link := func() (string, error) {
		code := tenants.NewSecret(tenants.OperatorPrefix)
		return "/look/" + string(code), h.Store.Operators().NewLook(t.Context(), o.ID, b.Id, code.Hash())
	}
	if _, err := link(); tenants.KindOf(err) != tenants.Forbidden {
		t.Fatalf("a link without consent: %v", err)
	}
	owner := b.Quick(b.Owner)
	b.Quick(b.Person(tenants.Admin)).Post("/settings/look", url.Values{"hours": {"1"}}).Want(403)
	owner.Post("/settings/look", url.Values{"hours": {"5"}}).Want(400)
	owner.Post("/settings/look", url.Values{"hours": {"24"}}).Leads("/settings")
	owner.Get("/settings").Has("Allowed until", "Turn off now")
	opened := func() *pagetest.Browser {
		t.Helper()
		at, err := link()
		pagetest.Must(t, err)
		w := h.Browser()
		w.Get(at).Want(200).Has("Sam Hill", "30 minutes")
		w.Post(at, nil).Leads("/overview")
		w.Get("/overview").Want(200).Has("as the operator Sam Hill", "End")
		h.Browser().Post(at, nil).Want(410) // a second use
		return w
	}
	w := opened()
	before := h.Dump(b.Id)
	for address, v := range visits {
		method, pattern, _ := strings.Cut(address, " ")
		if v.access == public || address == "POST /signout/look" || method == "GET" {
			continue
		}
		if res := v.goes(w, method, pattern, b); res.StatusCode != 403 {
			t.Errorf("%s as an operator who looks: %d", address, res.StatusCode)
		}
	}
	w.Get(views.PathKeyAdd).Want(403) // asks for a proof
	w.Get("/account").Want(403)
	if changed := diff(before, h.Dump(b.Id)); strings.Contains(strings.ReplaceAll(changed, "audit", ""), "\nkeys") {
		t.Errorf("an operator who looks changed\n%s", changed)
	}
	w.Get("/rings").Want(200)
	w.Get(views.PathPalette + "?q=ana").Want(200)
	theirs, _, err := h.Store.For(b.Id).Audits().List(t.Context(), store.AuditQuery{Action: "tenant.", Limit: 50})
	pagetest.Must(t, err)
	ours, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Target: string(b.Id), Page: store.Page{Limit: 200}})
	pagetest.Must(t, err)
	for name, all := range map[string][]tenants.Audit{"the tenant's log": theirs, "the record of operators": ours} {
		said := ""
		for _, a := range all {
			said += a.Action + " " + a.Target + " " + a.Detail + "\n"
		}
		if !strings.Contains(said, "tenant.look ") || !strings.Contains(said, "tenant.look_page") || !strings.Contains(said, "/rings") ||
			!strings.Contains(said, views.PathPalette) {
			t.Errorf("%s has\n%s", name, said)
		}
	}
	w.Post(views.PathLookEnd, nil).Leads("/signin")
	w.Get("/overview").Want(303)

	w = opened()
	h.Clock.Pass(store.LookTime + time.Second)
	w.Get("/overview").Want(303) // after 30 minutes
	if n, err := h.Store.Jobs().EndLooks(t.Context()); err != nil || n != 1 {
		t.Errorf("%d looks were ended, %v", n, err)
	}
	late, err := link()
	pagetest.Must(t, err)
	h.Clock.Pass(store.LookCodeTime + time.Second)
	h.Browser().Post(late, nil).Want(410)

	w = opened()
	b.Quick(b.Owner).Post("/settings/look", url.Values{"hours": {"0"}}).Leads("/settings")
	w.Get("/overview").Want(303) // the consent is gone
	if n, err := h.Store.Jobs().EndLooks(t.Context()); err != nil || n != 1 {
		t.Errorf("%d looks were ended when the consent was, %v", n, err)
	}
	if _, err := link(); tenants.KindOf(err) != tenants.Forbidden {
		t.Errorf("a link after the end of the consent: %v", err)
	}
}
