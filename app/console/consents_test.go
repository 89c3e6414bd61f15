package console

import (
	"net/url"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestConsentPages: a consent is recorded and withdrawn, and both stay on record.
func TestConsentPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/consents").Want(200).Has("do not ask for consents", "Record consent")
	form := url.Values{"person": {"ana.ruiz"}, "given_at": {"2099-01-01"}, "evidence": {"Form 7"}}
	w.Post("/consents/add", form).Want(400).Has("not in the future", "Form 7")
	form.Set("given_at", "2026-01-02")
	w.Post("/consents/add", form).Want(303)
	all, err := b.Scope().Consents().Of(t.Context(), "ana.ruiz")
	pagetest.Must(t, err)
	path := "/consents/" + string(all[0].ID)
	w.Get(path).Want(200).Has("Holds", "Form 7", "Given on 2 Jan 2026", "Withdraw consent")
	w.Post(path+"/withdraw", url.Values{}).Want(303)
	w.Get(path).Want(200).Has("Withdrawn", "History of this person").Lacks("/withdraw")
	form.Set("person", "ben.ito")
	w.Post("/consents/add", form).Want(303)
	w.Get("/consents?sort=given").Want(200).Has("ana.ruiz", "ben.ito", `aria-sort="ascending"`, "sort=-given")
	w.Get("/consents?state=withdrawn").Want(200).Has("ana.ruiz").Lacks("ben.ito")
	w.Get("/consents.csv?state=holds").Want(200).Has("ben.ito", "Form 7").Lacks("ana.ruiz")
	w.Get("/consents?q=form+7").Want(200).Has("ben.ito")
	w.Post("/lists/columns", url.Values{"list": {"consents"}, "column": {"given"}}).Leads("/consents")
	w.Get("/consents").Want(200).Lacks(">Recorded by</th>")

	w.Get("/rings/" + string(b.ring)).Lacks("Consent when the ring was placed")
	pagetest.Must(t, b.Scope().SetRules(t.Context(), func(c *tenants.RuleChanges) {
		asked := tenants.ConsentRecorded
		c.Consent = &asked
	}))
	w.Get("/rings/"+string(b.ring)).Has("Consent when the ring was placed", "Given on")
}
