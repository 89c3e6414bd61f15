package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func TestKeysAreShownOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.post("/keys/add", url.Values{"name": {""}, "scope": {"everything"}}).want(422).has("Choose live or test", "1 to 80 characters", "At least one of")
	w.post("/keys/add", url.Values{"name": {""}, "kind": {"live"}, "scope": {"everything"}}).want(400).has("1 to 80 characters", "At least one of")
	made := w.post("/keys/add", url.Values{"name": {"Booking"}, "kind": {"test"}, "scope": {"rings:write", "rings:write", "rings:read"}}).want(200)
	if made.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page with the key may be kept")
	}
	key := ""
	for _, word := range between(made.body, `data-copy="`, `"`) {
		if tenants.WellFormed(word) {
			key = word
		}
	}
	if !strings.HasPrefix(key, tenants.TestPrefix) {
		t.Fatalf("no key on the page: %q", key)
	}
	w.get("/keys").want(200).has("Booking", key[len(key)-4:]).lacks(key)
	_, k, err := h.store.TenantOfKey(t.Context(), tenants.Secret(key).Hash())
	if err != nil || !k.Test || len(k.Permissions) != 2 {
		t.Fatalf("%+v %v", k, err)
	}
	if strings.Contains(h.dump(""), key) {
		t.Error("the database holds the key")
	}
	at := "/keys/" + string(k.ID) + "/revoke"
	w.get(at).want(200).has("Revoke Booking?")
	w.post(at, url.Values{"confirm": {"x"}}).want(422)
	w.post(at, url.Values{"confirm": {"Booking"}}).leads("/keys")
	if _, _, err := h.store.TenantOfKey(t.Context(), tenants.Secret(key).Hash()); tenants.KindOf(err) != tenants.Unauthorized {
		t.Errorf("a revoked key: %v", err)
	}
	w.get("/keys").has("Revoked")
}

func TestAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.post("/agents/add", url.Values{"name": {""}, "kind": {"stream"}}).want(400).has("1 to 80 characters", "kind: Builtin")
	w.post("/agents/add", url.Values{"name": {"Reception"}, "kind": {"builtin"}, "caller": {"Beta"}, "default": {"1"}}).leads("/agents")
	w.get("/agents").want(200).has("Reception", "default", "shown to people as Beta")
	tn, err := b.scope().Tenant(t.Context())
	must(t, err)
	at := "/agents/" + string(tn.DefaultAgent)
	w.post(at, url.Values{"name": {"Desk"}}).leads("/agents")
	if tn, _ = b.scope().Tenant(t.Context()); tn.DefaultAgent != "" {
		t.Error("the agent stayed the default")
	}
	w.post(at+"/remove", url.Values{"confirm": {"Desk"}}).leads("/agents")
	w.get(at).want(404)
}

func TestOnlyOwnersChangeOwners(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	admin, viewer := b.person(tenants.Admin), b.person(tenants.Viewer)
	o, a := b.quick(b.owner), b.quick(admin)
	at := func(u tenants.User) string { return "/people/" + string(u.ID) }
	a.post(at(viewer)+"/role", url.Values{"role": {"owner"}}).want(403).has("owners:write")
	a.post(at(b.owner)+"/role", url.Values{"role": {"viewer"}}).want(403)
	a.post(at(b.owner)+"/remove", url.Values{}).want(403)
	a.post("/people/add", url.Values{"email": {"x@y.example"}, "role": {"owner"}}).want(403)
	a.post(at(viewer)+"/role", url.Values{"role": {"admin"}}).leads("/people")
	a.get("/people").want(200).lacks(`value="owner"`)
	o.post(at(b.owner)+"/role", url.Values{"role": {"viewer"}}).want(409).has("only owner")
	o.post(at(b.owner)+"/remove", url.Values{}).want(409)
	o.post(at(admin)+"/role", url.Values{"role": {"king"}}).want(400)
	o.post(at(admin)+"/role", url.Values{"role": {"owner"}}).leads("/people")
	o.post(at(viewer)+"/remove", url.Values{}).leads("/people")
	b.quick(viewer).get("/overview").want(303)
}

func TestInvitingSomebody(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.post("/people/add", url.Values{"email": {"nonsense"}, "role": {"viewer"}}).want(400).has("An address such as")
	w.post("/people/add", url.Values{"email": {b.owner.Email}, "role": {"viewer"}}).want(409).has("member already")
	page := w.post("/people/add", url.Values{"email": {"New@Beta.Example"}, "role": {"viewer"}}).want(200)
	link := strings.TrimPrefix(between(page.body, `data-copy="`, `"`)[0], "http://127.0.0.1")
	h.browser().get(link).want(200).has("new@beta.example")
	list := w.get("/people").want(200).has("new@beta.example", "Link not used yet").lacks(strings.TrimPrefix(link, "/invitations/"))
	for _, to := range between(list.body, `action="/people/`, `"`) {
		if strings.HasSuffix(to, "/remove") {
			w.get("/people/" + to).want(200).has("Take back the invitation")
			w.post("/people/"+to, url.Values{}).leads("/people")
		}
	}
	h.browser().get(link).want(410)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	w.post("/settings", url.Values{"name": {""}, "time_zone": {"Moon/Base"}, "ttl_s": {"4"}}).want(400).has("1 to 80 characters", "5 to 60 seconds", "IANA time zone")
	w.post("/settings", url.Values{"name": {"Beta & Sons"}, "time_zone": {"Asia/Kathmandu"}, "ttl_s": {"45"}, "agent": {string(b.agent)}}).leads("/settings")
	tn, err := b.scope().Tenant(t.Context())
	if err != nil || tn.Name != "Beta & Sons" || tn.TimeZone != "Asia/Kathmandu" || tn.RingTTL != 45*time.Second || tn.DefaultAgent != b.agent || tn.Slug != "beta" {
		t.Fatalf("%+v %v", tn, err)
	}
	w.get("/settings").has("Saved.", "Beta &amp; Sons")
	w.get("/settings").lacks("Saved.")
	w.post("/theme", url.Values{"theme": {"dark"}}).want(303)
	w.get("/settings").has(`data-bs-theme="dark"`)
	b.quick(b.viewer()).get("/settings").want(200).has("Only owners and administrators")
}

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := h.as(b.owner)
	w.post("/devices/"+string(b.device), url.Values{"name": {"Renamed"}, "person": {"x"}, "environment": {"auto"}}).want(303)
	w.get("/audit").want(200).has("changed the device", "Renamed", "Beta owner", "signed in")
	w.get("/audit?action=device").want(200).has("changed the device").lacks("signed in")
	w.get("/audit?action=key").want(200).lacks("changed the device")
	all, _, err := b.scope().Audits(t.Context(), store.AuditQuery{Action: "device.set"})
	if err != nil || len(all) != 1 || all[0].Actor.ID != string(b.owner.ID) || all[0].IP == "" || all[0].RequestID == "" {
		t.Fatalf("%+v %v", all, err)
	}
}
