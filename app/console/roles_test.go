package console

import (
	"net/url"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestPreviewOfARole: the console is shown and guarded as the other role has it, only downwards,
// and the way back is on every page.
func TestPreviewOfARole(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Person(tenants.Admin))
	w.Get("/people/roles").Want(200).Has("Ring phones and transfer calls", "See the console as Viewer").Lacks("See the console as Owner")
	w.Post("/people/roles/preview", url.Values{"role": {"owner"}}).Want(403)
	w.Post("/people/roles/preview", url.Values{"role": {"root"}}).Want(400)
	w.Post("/people/roles/preview", url.Values{"role": {"billing"}}).Leads("/overview")
	w.Get("/overview").Want(200).Has("Back to your own role", "Billing").Lacks("/rings\"", "Start test ring")
	w.Get("/rings").Want(403).Has("Back to your own role", "rings:read")
	w.Post("/devices/"+string(b.device), url.Values{"name": {"taken"}}).Want(403)
	w.Post("/people/roles/preview", url.Values{"role": {"viewer"}}).Leads("/overview")
	w.Get("/rings").Want(200).Has("Back to your own role").Lacks("Start test ring")
	w.Post("/keys/add", url.Values{"name": {"x"}, "kind": {"live"}, "scope": {"rings:write"}}).Want(403)
	w.Post("/people/roles/preview", url.Values{}).Leads("/people/roles")
	w.Get("/rings").Want(200).Has("Start test ring").Lacks("Back to your own role")
	all, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "role."})
	pagetest.Must(t, err)
	if len(all) != 3 || all[1].Detail != "viewer" {
		t.Errorf("the record has %v", all)
	}
	low := b.Quick(b.Person(tenants.Billing))
	low.Post("/people/roles/preview", url.Values{"role": {"viewer"}}).Want(403).Has("may do more than yours")
}
