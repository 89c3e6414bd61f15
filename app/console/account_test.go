package console

import (
	"carillon/app/page/pagetest"

	"database/sql"
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
	w := b.Quick(b.Owner)
	w.Post("/keys/add", url.Values{"name": {""}, "scope": {"everything"}}).Want(422).Has("Choose live or test", "1 to 80 characters",
		"At least one of")
	w.Post("/keys/add", url.Values{"name": {""}, "kind": {"live"}, "scope": {"everything"}}).Want(400).Has("1 to 80 characters",
		"At least one of")
	made := w.Post("/keys/add", url.Values{"name": {"Booking"}, "kind": {"test"},
		"scope": {"rings:write", "rings:write", "rings:read"}}).Want(200)
	if made.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page with the key may be kept")
	}
	key := ""
	for _, word := range between(made.Body, `data-copy="`, `"`) {
		if tenants.WellFormed(word) {
			key = word
		}
	}
	if !strings.HasPrefix(key, tenants.TestPrefix) {
		t.Fatalf("no key on the page: %q", key)
	}
	w.Get("/keys").Want(200).Has("Booking", key[len(key)-4:]).Lacks(key)
	_, k, err := h.Store.Tenants().OfKey(t.Context(), tenants.Secret(key).Hash())
	if err != nil || !k.Test || len(k.Permissions) != 2 {
		t.Fatalf("%+v %v", k, err)
	}
	if strings.Contains(h.Dump(""), key) {
		t.Error("the database holds the key")
	}
	at := "/keys/" + string(k.ID) + "/revoke"
	w.Get(at).Want(200).Has("Revoke Booking?")
	w.Post(at, url.Values{"confirm": {"x"}}).Want(422)
	w.Post(at, url.Values{"confirm": {"Booking"}}).Leads("/keys/" + string(k.ID))
	if _, _, err := h.Store.Tenants().OfKey(t.Context(), tenants.Secret(key).Hash()); tenants.KindOf(err) != tenants.Unauthorized {
		t.Errorf("a revoked key: %v", err)
	}
	w.Get("/keys").Has("Revoked")
}

// TestEveryAgentKindHasAName that people are offered.
func TestEveryAgentKindHasAName(t *testing.T) {
	t.Parallel()
	for _, kind := range tenants.AgentKinds {
		if agentKinds[kind] == "" {
			t.Errorf("the kind %s has no name", kind)
		}
	}
	if len(agentKinds) != len(tenants.AgentKinds) {
		t.Errorf("%d kinds have %d names", len(tenants.AgentKinds), len(agentKinds))
	}
}

// TestStreamAgentForm: a program's address is checked before it is stored, and its token is never
// shown.
func TestStreamAgentForm(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	form := url.Values{"name": {"Bot"}, "kind": {"stream"}, "url": {"wss://10.0.0.1/"}, "auth_token": {"s3cret"},
		"parameters": {"voice=calm\n\nlanguage = de\n"}, "attach_s": {"seven"}}
	w.Post("/agents/add", form).Want(400).Has("1 to 20 seconds", `value="wss://10.0.0.1/"`).Lacks("s3cret")
	form.Set("attach_s", "7")
	w.Post("/agents/add", form).Want(400).Has("private or reserved network", "Enter this again. It was not saved.").Lacks("s3cret")
	form.Set("url", "wss://bot.example.com/stream")
	w.Post("/agents/add", form).Leads("/agents")
	scope := h.Store.For(b.Id)
	all, _, err := scope.Agents().List(t.Context(), store.Page{Search: "Bot"})
	pagetest.Must(t, err)
	a := all[0]
	path := "/agents/" + string(a.ID)
	if a.Stream.Parameters["language"] != "de" || a.AttachSeconds != 7 || !a.HasSecret {
		t.Errorf("%+v", a)
	}
	w.Get(path).Want(200).Has("wss://bot.example.com/stream", "voice=calm", "A token is stored").Lacks("s3cret")
	w.Post(path, url.Values{"name": {"Bot"}, "url": {"wss://bot.example.com/2"}}).Leads("/agents")
	if secret, err := scope.Agents().Secret(t.Context(), a.ID); err != nil || secret != "s3cret" {
		t.Errorf("an empty field changed the token: %q, %v", secret, err)
	}
	w.Post(path, url.Values{"name": {"Bot"}, "url": {"wss://bot.example.com/2"}, "forget_token": {"1"}}).Leads("/agents")
	if secret, err := scope.Agents().Secret(t.Context(), a.ID); err != nil || secret != "" {
		t.Errorf("the token stays: %q, %v", secret, err)
	}
}

// TestAgentsThatConnectToUs have no address: one on a WebSocket, and one over WebRTC.
func TestAgentsThatConnectToUs(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/agents/add", url.Values{"name": {"Robot"}, "kind": {"webrtc"}, "attach_s": {"40"}}).Want(400).Has("1 to 20 seconds")
	w.Post("/agents/add", url.Values{"name": {"Robot"}, "kind": {"webrtc"}, "attach_s": {"9"}}).Leads("/agents")
	w.Post("/agents/add", url.Values{"name": {"Stream"}, "kind": {"stream"}}).Leads("/agents")
	all, _, err := h.Store.For(b.Id).Agents().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	joins := 0
	for _, a := range all {
		if a.Joins() {
			joins++
			w.Get("/agents/" + string(a.ID)).Want(200).Has("Seconds to connect")
		}
		if a.Kind == tenants.WebRTC && a.AttachSeconds != 9 {
			t.Errorf("%+v", a)
		}
	}
	if joins != 2 {
		t.Errorf("%d agents connect to us", joins)
	}
}

// TestOpenAIAndPipecatForms: keys and headers go in and are never shown.
func TestOpenAIAndPipecatForms(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	scope := h.Store.For(b.Id)
	path := func(name string) string {
		all, _, err := scope.Agents().List(t.Context(), store.Page{Search: name})
		pagetest.Must(t, err)
		return "/agents/" + string(all[0].ID)
	}
	form := url.Values{"name": {"Nova"}, "kind": {"openai"}, "voice": {"marin"}, "attach_s": {"7"},
		"instructions": {"Be kind.\r\nBe brief."}}
	w.Post("/agents/add", form).Want(400).Has("A key made at OpenAI", "Be kind.\nBe brief.")
	form.Set("api_key", "sk-s3cret")
	w.Post("/agents/add", form).Leads("/agents")
	w.Get(path("Nova")).Want(200).Has("A key is stored", "gpt-realtime", "marin", "Be kind.").Lacks("s3cret")
	w.Post(path("Nova"), url.Values{"name": {"Nova"}, "model": {"gpt-realtime-mini"}}).Leads("/agents")
	w.Get(path("Nova")).Has("A key is stored", "gpt-realtime-mini")

	form = url.Values{"name": {"Cat"}, "kind": {"pipecat"}, "bot_url": {"https://10.0.0.1/api/offer"}, "headers": {"X-Key: s3cret"}}
	w.Post("/agents/add", form).Want(400).Has("private or reserved network").Lacks("s3cret")
	form.Set("bot_url", "https://bot.example.com/api/offer")
	form.Set("headers", "no colon")
	w.Post("/agents/add", form).Want(400).Has("At most 10. A name has 1 to 64 letters")
	form.Set("headers", "X-Key: s3cret")
	w.Post("/agents/add", form).Leads("/agents")
	w.Get(path("Cat")).Want(200).Has("https://bot.example.com/api/offer", "Stored: X-Key").Lacks("s3cret")
	w.Post(path("Cat"), url.Values{"name": {"Cat"}, "bot_url": {"no"}, "headers": {"X-New: s4cret"}}).Want(400).
		Has("Stored: X-Key", "Enter this again. It was not saved.").Lacks("s4cret")
	w.Post(path("Cat"), url.Values{"name": {"Cat"}, "bot_url": {"https://bot.example.com/2"}}).Leads("/agents")
	w.Get(path("Cat")).Has("Stored: X-Key", "https://bot.example.com/2")
	w.Post(path("Cat"), url.Values{"name": {"Cat"}, "bot_url": {"https://bot.example.com/2"}, "forget_headers": {"1"}}).Leads("/agents")
	w.Get(path("Cat")).Lacks("Stored: X-Key")
}

func TestAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/agents/add", url.Values{"name": {""}, "kind": {"parrot"}}).Want(400).Has("1 to 80 characters", "kind: One of builtin, stream")
	w.Post("/agents/add", url.Values{"name": {"Reception"}, "kind": {"builtin"}, "caller": {"Beta"}, "default": {"1"}}).Leads("/agents")
	w.Get("/agents").Want(200).Has("Reception", "Default", "shown to people as Beta")
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	at := "/agents/" + string(tn.DefaultAgent)
	w.Post(at, url.Values{"name": {"Desk"}}).Leads("/agents")
	if tn, _ = b.Scope().Tenant(t.Context()); tn.DefaultAgent != "" {
		t.Error("the agent stayed the default")
	}
	w.Post(at+"/remove", url.Values{"confirm": {"Desk"}}).Leads("/agents")
	w.Get(at).Want(404)
}

// TestTheFormOfWhoComesNext: the choices are the other agents, and what is stored is shown again.
func TestTheFormOfWhoComesNext(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/agents/add").Want(200).Has("If no agent can take the call").Lacks("Backup agent")
	w.Post("/agents/add", url.Values{"name": {"Night desk"}, "kind": {"builtin"}}).Leads("/agents")
	all, _, err := b.Scope().Agents().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	night := string(all[0].ID)
	bot := url.Values{"name": {"Bot"}, "kind": {"stream"}, "url": {"wss://bot.example.com/"}, "next1": {night}, "lost": {"hang_up"},
		"attach": {"shown"}}
	w.Post("/agents/add", bot).Leads("/agents")
	all, _, err = b.Scope().Agents().List(t.Context(), store.Page{Search: "bot"})
	pagetest.Must(t, err)
	a := all[0]
	if len(a.Next) != 1 || string(a.Next[0]) != night || a.Lost != tenants.LostHangUp || a.Attach != tenants.AttachShown {
		t.Errorf("stored %+v", a)
	}
	at := "/agents/" + string(a.ID)
	w.Get(at).Want(200).Has("Backup agent 1", "Night desk").Lacks(`value="` + string(a.ID) + `"`)
	bot.Set("next2", night)
	w.Post(at, bot).Want(400).Has("t most 3 other agents, each once")
	bot.Set("next2", "nonsense")
	w.Post(at, bot).Want(400)
	bot.Set("next2", string(tenants.NewID[tenants.AgentID](h.Clock.Now())))
	w.Post(at, bot).Want(400).Has("o such agent")
}

func TestOnlyOwnersChangeOwners(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	admin, viewer := b.Person(tenants.Admin), b.Person(tenants.Viewer)
	o, a := b.Quick(b.Owner), b.Quick(admin)
	at := func(u tenants.User) string { return "/people/" + string(u.ID) }
	a.Post(at(viewer)+"/role", url.Values{"role": {"owner"}}).Want(403).Has("owners:write")
	a.Post(at(b.Owner)+"/role", url.Values{"role": {"viewer"}}).Want(403)
	a.Post(at(b.Owner)+"/remove", url.Values{}).Want(403)
	a.Post("/people/add", url.Values{"email": {"x@y.example"}, "role": {"owner"}}).Want(403)
	a.Post(at(viewer)+"/role", url.Values{"role": {"admin"}}).Leads("/people")
	a.Get("/people").Want(200).Lacks(`value="owner"`)
	o.Post(at(b.Owner)+"/role", url.Values{"role": {"viewer"}}).Want(409).Has("only owner")
	o.Post(at(b.Owner)+"/remove", url.Values{}).Want(409)
	o.Post(at(admin)+"/role", url.Values{"role": {"king"}}).Want(400)
	o.Post(at(admin)+"/role", url.Values{"role": {"owner"}}).Leads("/people")
	o.Post(at(viewer)+"/remove", url.Values{}).Leads("/people")
	b.Quick(viewer).Get("/overview").Want(303)
}

func TestInvitingSomebody(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/people/add", url.Values{"email": {"nonsense"}, "role": {"viewer"}}).Want(400).Has("Enter an email address, such as")
	w.Post("/people/add", url.Values{"email": {b.Owner.Email}, "role": {"viewer"}}).Want(409).Has("member already")
	page := w.Post("/people/add", url.Values{"email": {"New@Beta.Example"}, "role": {"viewer"}}).Want(200)
	link := strings.TrimPrefix(between(page.Body, `data-copy="`, `"`)[0], "http://127.0.0.1")
	h.Browser().Get(link).Want(200).Has("new@beta.example")
	list := w.Get("/people").Want(200).Has("new@beta.example", "Invited").Lacks(strings.TrimPrefix(link, "/invitations/"))
	for _, to := range between(list.Body, `action="/people/`, `"`) {
		if strings.HasSuffix(to, "/remove") {
			w.Get("/people/" + to).Want(200).Has("Cancel the invitation")
			w.Post("/people/"+to, url.Values{}).Leads("/people")
		}
	}
	h.Browser().Get(link).Want(410)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/settings", url.Values{"name": {""}, "time_zone": {"Moon/Base"}, "ttl_s": {"4"}}).Want(400).Has("1 to 80 characters",
		"5 to 60 seconds", "IANA time zone")
	w.Post("/settings", url.Values{"name": {"Beta & Sons"}, "time_zone": {"Asia/Kathmandu"}, "ttl_s": {"45"},
		"agent": {string(b.agent)}}).Leads("/settings")
	tn, err := b.Scope().Tenant(t.Context())
	if err != nil || tn.Name != "Beta & Sons" || tn.TimeZone != "Asia/Kathmandu" || tn.RingTTL != 45*time.Second ||
		tn.DefaultAgent != b.agent || tn.Slug != "beta" {
		t.Fatalf("%+v %v", tn, err)
	}
	w.Get("/settings").Has("Saved.", "Beta &amp; Sons")
	w.Get("/settings").Lacks("Saved.")
	w.Post("/theme", url.Values{"theme": {"dark"}}).Want(303)
	w.Get("/settings").Has(`data-bs-theme="dark"`)
	b.Quick(b.viewer()).Get("/settings").Want(200).Has("Your role (viewer) can’t change the organisation.")
}

// TestEveryActionHasWords: what the store records is said by the list, and can be filtered by.
func TestEveryActionHasWords(t *testing.T) {
	t.Parallel()
	nouns := map[string]bool{}
	for _, n := range auditNouns {
		nouns[n.Value] = true
	}
	action := regexp.MustCompile(`"((?:ring|device|pairing|credential|agent|key|member|invitation|tenant|user|alert|subscription)` +
		`\.[a-z_]+)"`)
	found := 0
	for _, folder := range []string{"../../tenants/store", "../switchboard", ".", "../page", "../api", "../billing"} {
		files, err := filepath.Glob(folder + "/*.go")
		pagetest.Must(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			pagetest.Must(t, err)
			for _, m := range action.FindAllStringSubmatch(string(text), -1) {
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
	pagetest.Must(t, b.Scope().Audits().Add(t.Context(), "ring.cancel", tenants.NewRandomID(), "needle"))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.Dir, "carillon.db")+"?_pragma=busy_timeout(5000)")
	pagetest.Must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) INSERT INTO "+
		"audits (tenant_id, seq, at, actor_kind, actor_id, actor_name, action, target, detail, ip, request_id) "+
		"SELECT ?, i, ?, 'key', x'', 'bot', 'ring.place', 'hay', '', '', '' FROM n", pagetest.BytesOf(t, string(b.Id)),
		h.Clock.Now().UnixMicro())
	pagetest.Must(t, err)
	b.Quick(b.Owner).Get("/audit?q=needle").Want(200).Has("cancelled the ring", "1 entry").Lacks("Search older entries")
}

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := h.As(b.Owner)
	w.Post("/devices/"+string(b.device), url.Values{"name": {"Renamed"}, "person": {"x"}, "environment": {"auto"},
		"phone_number": {"0151 2345678"}}).Want(400).Has(`value="0151 2345678"`)
	w.Post("/devices/"+string(b.device), url.Values{"name": {"Renamed"}, "person": {"x"}, "environment": {"auto"},
		"phone_number": {"+49 1511 2345678"}}).Want(303)
	w.Get("/devices/" + string(b.device)).Has(`value="+4915112345678"`)
	w.Get("/audit").Want(200).Has("changed the device", "Renamed", "Beta owner", "signed in")
	w.Get("/audit?action=device").Want(200).Has("changed the device").Lacks("signed in")
	w.Get("/audit?action=device").Want(200).Has("belongs to", "“x”", "“Renamed”", "“+4915112345678”").Lacks("person, name")
	w.Get("/audit?action=key").Want(200).Lacks("changed the device")
	// Names stand where the record has ids, and words where it has those of the API.
	pagetest.Must(t, b.Scope().Keys().Add(t.Context(), tenants.Key{ID: tenants.NewID[tenants.KeyID](h.Clock.Now()), Name: "Night bot",
		Last4: "wxyz", Permissions: []tenants.Permission{tenants.RingsWrite}, CreatedAt: h.Clock.Now()},
		tenants.NewSecret(tenants.LivePrefix).Hash()))
	w.Get("/audit?action=key").Want(200).Has("created the API key", "Night bot (crl_live_…wxyz)",
		"<small>Ring phones and transfer calls</small>").Lacks("rings:write")
	w.Post("/settings", url.Values{"name": {"Beta"}, "time_zone": {"Europe/Berlin"}, "ttl_s": {"47"}, "agent": {""}}).Want(303)
	w.Get("/audit?action=tenant").Want(200).Has("changed the organisation", "how long a phone rings").Lacks("ring_ttl")
	w.Post("/devices/pair", url.Values{"person": {"maya"}}).Want(200)
	w.Get("/audit?action=pairing").Want(200).Has("created a pairing code", "for maya")
	pagetest.Must(t, b.Scope().Subscription().Set(t.Context(), h.Store.Plans().Assigned(b.Id, "growth", h.Clock.Now(), time.Time{})))
	w.Get("/audit?action=subscription").Want(200).Has("changed the subscription to", ">Growth</a>")
	pagetest.Must(t, b.Scope().Devices().LearnEnvironment(t.Context(), b.device, tenants.Production))
	w.Get("/audit?action=device").Want(200).Has("detected the Apple environment for", ">“Renamed”</a>")
	pagetest.Must(t, b.Scope().Devices().Remove(t.Context(), b.device))
	w.Get("/audit?action=device").Want(200).Has("changed the device", "removed the device", `<strong translate="no">“Renamed”</strong>`).
		Lacks(string(b.device), "<small>Renamed</small>")
	leaver := b.viewer()
	pagetest.Must(t, b.Scope().Members().SetRole(t.Context(), leaver.ID, tenants.Admin))
	w.Post("/people/"+string(leaver.ID)+"/remove", url.Values{"confirm": {leaver.Name}}).Want(303)
	w.Get("/audit?action=member").Want(200).Has("changed the role of", "removed the person", leaver.Name+" (admin)").
		Lacks(string(leaver.ID))
	all, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "device.set"})
	if err != nil || len(all) != 1 || all[0].Actor.ID != string(b.Owner.ID) || all[0].IP == "" || all[0].RequestID == "" {
		t.Fatalf("%+v %v", all, err)
	}
}
