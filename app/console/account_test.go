package console

import (
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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
	w.post("/keys/add", url.Values{"name": {""}, "scope": {"everything"}}).want(422).has("Choose live or test", "1 to 80 characters",
		"At least one of")
	w.post("/keys/add", url.Values{"name": {""}, "kind": {"live"}, "scope": {"everything"}}).want(400).has("1 to 80 characters",
		"At least one of")
	made := w.post("/keys/add", url.Values{"name": {"Booking"}, "kind": {"test"},
		"scope": {"rings:write", "rings:write", "rings:read"}}).want(200)
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
	_, k, err := h.store.Tenants().OfKey(t.Context(), tenants.Secret(key).Hash())
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
	if _, _, err := h.store.Tenants().OfKey(t.Context(), tenants.Secret(key).Hash()); tenants.KindOf(err) != tenants.Unauthorized {
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
	w.post("/people/add", url.Values{"email": {"nonsense"}, "role": {"viewer"}}).want(400).has("Enter an email address, such as")
	w.post("/people/add", url.Values{"email": {b.owner.Email}, "role": {"viewer"}}).want(409).has("member already")
	page := w.post("/people/add", url.Values{"email": {"New@Beta.Example"}, "role": {"viewer"}}).want(200)
	link := strings.TrimPrefix(between(page.body, `data-copy="`, `"`)[0], "http://127.0.0.1")
	h.browser().get(link).want(200).has("new@beta.example")
	list := w.get("/people").want(200).has("new@beta.example", "Invited").lacks(strings.TrimPrefix(link, "/invitations/"))
	for _, to := range between(list.body, `action="/people/`, `"`) {
		if strings.HasSuffix(to, "/remove") {
			w.get("/people/" + to).want(200).has("Cancel the invitation")
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
	w.post("/settings", url.Values{"name": {""}, "time_zone": {"Moon/Base"}, "ttl_s": {"4"}}).want(400).has("1 to 80 characters",
		"5 to 60 seconds", "IANA time zone")
	w.post("/settings", url.Values{"name": {"Beta & Sons"}, "time_zone": {"Asia/Kathmandu"}, "ttl_s": {"45"},
		"agent": {string(b.agent)}}).leads("/settings")
	tn, err := b.scope().Tenant(t.Context())
	if err != nil || tn.Name != "Beta & Sons" || tn.TimeZone != "Asia/Kathmandu" || tn.RingTTL != 45*time.Second ||
		tn.DefaultAgent != b.agent || tn.Slug != "beta" {
		t.Fatalf("%+v %v", tn, err)
	}
	w.get("/settings").has("Saved.", "Beta &amp; Sons")
	w.get("/settings").lacks("Saved.")
	w.post("/theme", url.Values{"theme": {"dark"}}).want(303)
	w.get("/settings").has(`data-bs-theme="dark"`)
	b.quick(b.viewer()).get("/settings").want(200).has("Only owners and administrators")
}

// TestEveryActionHasWords: what the store records is said by the list, and can be filtered by.
func TestEveryActionHasWords(t *testing.T) {
	t.Parallel()
	nouns := map[string]bool{}
	for _, n := range auditNouns {
		nouns[n.Value] = true
	}
	found := 0
	for _, folder := range []string{"../../tenants/store", "../switchboard", ".", "../api", "../billing"} {
		files, err := filepath.Glob(folder + "/*.go")
		must(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			must(t, err)
			for _, m := range regexp.MustCompile(`"((?:ring|device|pairing|credential|agent|key|member|invitation|tenant|user|alert|subscription)\.[a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
				found++
				if noun, _, _ := strings.Cut(m[1], "."); auditWords[m[1]] == "" && m[1] != "ring.example" || !nouns[noun] {
					t.Errorf("%s: %s has no words, or no filter", f, m[1])
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d actions were found", found)
	}
}

// TestTheAuditLogLooksFurtherBack: a page goes on through a long record until there is something.
func TestTheAuditLogLooksFurtherBack(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	must(t, b.scope().Audits().Add(t.Context(), "ring.cancel", tenants.NewRandomID(), "needle"))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "carillon.db")+"?_pragma=busy_timeout(5000)")
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO "+
		"audits (tenant_id, seq, at, actor_kind, actor_id, actor_name, action, target, detail, ip, request_id) "+
		"SELECT ?, i, ?, 'key', x'', 'bot', 'ring.place', 'hay', '', '', '' FROM n", bytesOf(t, string(b.id)), h.clock.now().UnixMicro())
	must(t, err)
	b.quick(b.owner).get("/audit?q=needle").want(200).has("cancelled the ring", "1 entry on this page").lacks("Search older entries")
}

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := h.as(b.owner)
	w.post("/devices/"+string(b.device), url.Values{"name": {"Renamed"}, "person": {"x"}, "environment": {"auto"}}).want(303)
	w.get("/audit").want(200).has("changed the device", "Renamed", "Beta owner", "signed in")
	w.get("/audit?action=device").want(200).has("changed the device").lacks("signed in")
	w.get("/audit?action=device").want(200).has("belongs to, name").lacks("person, name")
	w.get("/audit?action=key").want(200).lacks("changed the device")
	// Names stand where the record has ids, and words where it has those of the API.
	must(t, b.scope().Keys().Add(t.Context(), tenants.Key{ID: tenants.NewID[tenants.KeyID](h.clock.now()), Name: "Night bot",
		Last4: "wxyz", Permissions: []tenants.Permission{tenants.RingsWrite}, CreatedAt: h.clock.now()},
		tenants.NewSecret(tenants.LivePrefix).Hash()))
	w.get("/audit?action=key").want(200).has("created the API key", "Night bot (crl_live_…wxyz)",
		"<small>Ring phones</small>").lacks("rings:write")
	w.post("/settings", url.Values{"name": {"Beta"}, "time_zone": {"Europe/Berlin"}, "ttl_s": {"47"}, "agent": {""}}).want(303)
	w.get("/audit?action=tenant").want(200).has("changed the organisation", "how long a phone rings").lacks("ring_ttl")
	w.post("/devices/pair", url.Values{"person": {"maya"}}).want(200)
	w.get("/audit?action=pairing").want(200).has("created a pairing code", "for maya")
	must(t, b.scope().Subscription().Set(t.Context(), h.store.Plans().Assigned(b.id, "growth", h.clock.now(), time.Time{})))
	w.get("/audit?action=subscription").want(200).has("changed the subscription to", ">Growth</a>")
	all, _, err := b.scope().Audits().List(t.Context(), store.AuditQuery{Action: "device.set"})
	if err != nil || len(all) != 1 || all[0].Actor.ID != string(b.owner.ID) || all[0].IP == "" || all[0].RequestID == "" {
		t.Fatalf("%+v %v", all, err)
	}
}

// bytesOf is an id as SQLite's rows have it.
func bytesOf(t testing.TB, id string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	must(t, err)
	return b
}
