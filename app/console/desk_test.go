package console

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Probe answers as Push does: from production with what it was told, from the sandbox with a yes.
func (a *apple) Probe(_ context.Context, _ *push.Key, topic string) []push.Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok := push.Verdict{Environment: push.Sandbox, OK: true, Status: 400, Reason: "BadDeviceToken",
		Cause: "Apple takes this credential for " + topic + " in sandbox."}
	here := ok
	here.Environment, here.Cause = push.Production, "Apple takes this credential for "+topic+" in production."
	if a.status != 200 {
		r := push.ReactionTo(a.status, a.reason)
		here.OK, here.Status, here.Reason, here.Cause, here.Cure = false, a.status, a.reason, r.Cause, r.Cure
	}
	return []push.Verdict{here, ok}
}

// ended is a certificate of the tenant's app that ends in some time.
func (t *tenant) ending(in time.Duration) tenants.CredentialID {
	t.h.Helper()
	now := t.h.clock.now()
	id := tenants.NewID[tenants.CredentialID](now)
	must(t.h, t.scope().Credentials().Add(t.h.Context(), tenants.Credential{
		ID: id, Tenant: t.id, Kind: tenants.P12, Bundle: "com.example." + t.slug, Environment: tenants.Auto, Topics: []string{"com.example." + t.slug + ".voip"},
		Fingerprint: t.slug + "-p12", State: tenants.CredentialActive, NotAfter: now.Add(in), CreatedAt: now,
	}, []byte("sealed")))
	return id
}

func TestCheckWithApple(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	path := "/credentials/" + string(b.credential)
	w.get(path).want(200).has("Test with Apple now").lacks("Refused")
	w.post(path+"/check", nil).want(200).has("Apple takes this credential: key, team and app belong together.", "Accepted",
		"Test again").lacks("BadDeviceToken", "Refused")
	h.apple.say(403, "BadEnvironmentKeyIdInToken")
	w.post(path+"/check", nil).want(200).has("Apple takes this credential in sandbox, and not in production.", "Refused",
		"BadEnvironmentKeyIdInToken", "What to do:")
	w.post(path+"/check", nil).want(200)
	if res := w.post(path+"/check", nil); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth probe at once: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

func TestHedgingIsAButton(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	path := "/credentials/" + string(b.credential)
	w.get(path).want(200).has("Turn off")
	w.post(path+"/hedging", url.Values{"hedging": {"perhaps"}}).want(400)
	w.post(path+"/hedging", url.Values{"hedging": {"off"}}).leads(path)
	w.get(path).want(200).has("Turn on", "applies from the next ring").lacks("Turn off")
	w.get("/audit").want(200).has("changed the retry setting of")
	w.post(path+"/hedging", url.Values{"hedging": {"on"}}).leads(path)
	w.get(path).want(200).has("Turn off")
	w.get("/credentials/" + string(b.previous)).want(200).lacks("Turn off")
}

func TestRollingBack(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	now, kept := "/credentials/"+string(b.credential), "/credentials/"+string(b.previous)
	was, err := b.scope().Credentials().Get(t.Context(), b.previous)
	must(t, err)
	w.get("/credentials").want(200).has("Kept for rollback", "until you remove it").lacks("Refused by Apple")
	w.get(kept).want(200).has("Kept for rollback until you remove it", "No phone is called with this one",
		"None yet.").lacks("Refused by Apple")
	w.get("/overview").lacks("Kept for rollback", was.KeyID)
	w.get(now).want(200).has("Roll back", "Go back to Key "+was.KeyID+"?")
	w.get(now+"/rollback").want(200).has("1 phone of com.example.beta is called with Key "+was.KeyID+" from now on.",
		"Key KEY1234567 is in use now and will be kept")
	w.post(now+"/rollback", nil).leads(kept)
	w.get(kept).want(200).has("This credential is in use again").lacks("Kept for rollback until")
	w.get(now).want(200).has("Kept for rollback until")
	// The same again undoes it.
	w.post(now+"/rollback", nil).leads(now)
	w.get(now).want(200).lacks("Kept for rollback until")
	must(t, b.scope().Credentials().Remove(t.Context(), b.previous))
	w.get(now).want(200).lacks("Roll back")
	w.get(now + "/rollback").want(409)
	w.post(now+"/rollback", nil).want(409)
}

// TestAPreviousCredentialCoversNobody: to remove the one in use silences its phones, however many are kept.
func TestAPreviousCredentialCoversNobody(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/credentials/" + string(b.credential) + "/remove").want(200).has("1 phone stops ringing")
	w.get("/credentials/" + string(b.previous) + "/remove").want(200).has("No phone stops ringing")
}

func TestTheEndOfACertificateIsWarnedOf(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.phone()
	b.phone()
	id := b.ending(61 * 24 * time.Hour)
	w := b.quick(b.owner)
	w.get("/credentials").want(200).lacks("Ends in")
	for _, step := range []struct {
		pass  time.Duration
		state string
		words string
	}{{25 * time.Hour, "Ends in 60 days", "expires within 60 days"}, {30 * 24 * time.Hour, "Ends in 30 days", "expires within 30 days"},
		{29 * 24 * time.Hour, "Ends in 1 day", "expires within a day"}, {24 * time.Hour, "Expired", "expired on"}} {
		h.clock.pass(step.pass)
		w = b.quick(b.owner)
		w.get("/credentials").want(200).has(step.state, "2 phones stop ringing")
		w.get("/credentials/"+string(id)).want(200).has(step.state, step.words, "2 devices go silent", "Replace key")
	}
	b.signs(tenants.CredentialActive) // a key, which does not end
	w.get("/credentials").want(200).lacks("go silent")
	w.get("/credentials/" + string(id)).has("Every device is covered by another credential.")
}

func TestUploadingASuccessor(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.phone()
	old := b.signs(tenants.CredentialActive)
	w := b.quick(b.owner)
	was, err := b.scope().Credentials().Get(t.Context(), old)
	must(t, err)
	w.get("/credentials/add").want(200).has("In use now", "Key "+was.KeyID).lacks("This takes the place of")
	w.get("/credentials/add?replaces="+string(old)).want(200).has("This replaces Key "+was.KeyID, "1 phone is called with it",
		`value="com.example.beta"`, `value="ABCDE12345"`)
	w.get("/credentials/add?replaces=" + tenants.NewRandomID()).want(404)
	w.get("/credentials/add?replaces=nothing").want(200)
	kind, body := multipartOf(map[string]string{"team_id": "ABCDE12345", "key_id": "NEWKEY1234", "bundle_id": "com.example.beta",
		"environment": "auto"}, "AuthKey_NEWKEY1234.p8", string(newP8(t)))
	res := w.send("POST", "/credentials/add", kind, body).want(303)
	w.get(res.Header.Get("Location")).want(200).has("The previous credential is kept", "Key NEWKEY1234", "Roll back")
	w.get("/credentials/" + string(old)).has("Kept for rollback")
	// A form that comes back says whose place the file would take.
	kind, body = multipartOf(map[string]string{"bundle_id": "com.example.beta", "environment": "auto"}, "", "")
	w.send("POST", "/credentials/add", kind, body).want(400).has("This replaces Key NEWKEY1234")
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/alerts").want(200).has("No open alerts.", "Alerts: none open").lacks("rooms-count")
	w.get("/overview").lacks("Open alerts")
	id := b.signs(tenants.CredentialActive)
	raise := func(k tenants.AlertKind, target, detail string) {
		t.Helper()
		h.clock.pass(time.Minute)
		_, err := b.scope().Alerts().Raise(t.Context(), k, target, detail)
		must(t, err)
	}
	for i := range perPage {
		raise(tenants.AlertUnshown, "3."+strings.Repeat("x", i+1), "shows nothing")
	}
	raise(tenants.AlertBlocked, "4.1 & 3", "=4 of 9 phones stay silent.")
	raise(tenants.AlertCredential, string(id), "InvalidProviderToken: the key was revoked.")
	page := w.get("/alerts").want(200)
	page.has("52 open alerts", "Apple refuses a credential", "InvalidProviderToken: the key was revoked.",
		"Phones with this app do not ring", "What to do:",
		`href="/credentials/`+string(id)+`"`, "Version 4.1 &amp; 3", `href="/phone-health?q=4.1+%26+3"`)
	next := between(page.body, `href="/alerts?after=`, `"`)
	if len(next) != 1 {
		t.Fatalf("links to older alerts: %q", next)
	}
	w.get("/alerts?after="+next[0]).want(200).has("2 alerts on this page", "Version 3.x").lacks("InvalidProviderToken")
	w.get("/alerts?after=-1").want(400)
	w.get("/alerts?q=refuses+a+credential").want(200).has("1 alert on this page", "InvalidProviderToken")
	w.get("/alerts?q=version+4.1").want(200).has("1 alert on this page", "4 of 9 phones")
	signer, err := b.scope().Credentials().Get(t.Context(), id)
	must(t, err)
	w.get("/alerts?q=key+"+signer.KeyID).want(200).has("1 alert on this page", "InvalidProviderToken")
	w.get("/alerts?q=REVOKED").want(200).has("1 alert on this page").lacks("Version 3.x")
	w.get("/overview").has("Open alerts", "49 more alerts", "InvalidProviderToken", ">View<")
	if n := strings.Count(w.get("/alerts.csv").want(200).body, "\r\n"); n != 53 {
		t.Errorf("the file has %d lines", n)
	}
	w.get("/alerts.csv?q=silent").has("'=4 of 9 phones", "4.1 & 3")

	w.post("/alerts/close", url.Values{"kind": {"credential_refused"}, "target": {string(id)}}).leads("/alerts")
	w.get("/alerts").has("The alert is closed.", "51 open alerts").lacks("InvalidProviderToken")
	w.get("/alerts?state=closed").want(200).has("InvalidProviderToken", "Closed").lacks("Version 3.x")
	w.post("/alerts/close", url.Values{"kind": {"credential_refused"}, "target": {string(id)}}).want(404)
	w.post("/alerts/close", url.Values{"kind": {"nothing"}, "target": {"x"}}).want(404)
	w.get("/audit?action=alert").want(200).has("raised an alert about", "closed the alert about", "Apple refuses a credential",
		"Version 4.1 &amp; 3")
	viewer := b.quick(b.viewer())
	viewer.get("/alerts").want(200).has("Open").lacks("/alerts/close")
	must(t, b.scope().Credentials().Remove(t.Context(), id))
	w.get("/alerts?state=all&q=revoked").want(200).has("A credential that was removed")
}

func TestDoPhonesWake(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/phone-health").want(200).has("No data yet", "No rings in the last 7 days.", "None in the last 30 days")
	b.signs(tenants.CredentialActive)
	fine, silent, unshown := b.phone(), b.phone(), b.phone()
	w.get("/devices/" + string(fine)).want(200).lacks("Wake history")
	for range 3 {
		h.clock.pass(time.Minute)
		for id, kinds := range map[tenants.DeviceID][]tenants.FactKind{fine: {tenants.FactWoke, tenants.FactShown}, silent: nil,
			unshown: {tenants.FactWoke}} {
			b.device = id
			r := b.placed()
			d, err := b.scope().Devices().Get(t.Context(), id)
			must(t, err)
			for _, kind := range kinds {
				_, err := h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: kind})
				must(t, err)
			}
		}
	}
	h.clock.pass(time.Hour)
	page := w.get("/phone-health").want(200)
	page.has("2 phones do not show calls", "Mostly wakes", "3 rings in a row without a response",
		"3 rings in a row that woke the app but showed no call", "Probably blocked", "Shows no call", "Wakes")
	w.get("/phone-health?verdict=trouble").has("2 phones on this page")
	w.get("/phone-health?verdict=fine").has("1 phone on this page")
	w.get("/phone-health?q=beta+PHONE").has("3 phones on this page")
	w.get("/phone-health?q=nobody").has("No matches")
	if n := strings.Count(w.get("/phone-health.csv?verdict=trouble").want(200).body, "\r\n"); n != 3 {
		t.Errorf("the file has %d lines", n)
	}
	w.get("/devices/"+string(silent)).want(200).has("Phone health", "Probably blocked", "the phone did not respond",
		"Open the app on the phone")
	w.get("/devices/"+string(unshown)).has("Shows no call", "The app woke but showed no call")
	w.get("/devices/"+string(fine)).has("The app reported the call", "The app wakes and reports its calls.")
}

func TestAVersionInTroubleIsNamed(t *testing.T) {
	t.Parallel()
	w := watched{apps: []tenants.WakeHealth{{AppVersion: "4.1", Devices: 9, Blocked: 4, Verdict: tenants.Blocked},
		{AppVersion: "", Verdict: tenants.Unshown}, {AppVersion: "4.2", Verdict: tenants.Fine}}}
	if tone, word, why := w.whole(); tone != "bad" || word != "2 app versions have a problem" ||
		!strings.Contains(why, "Version 4.1, Apps without a version") {
		t.Errorf("%s %q %q", tone, word, why)
	}
	calm := watched{
		phones: []tenants.WakeHistory{{AppVersion: "4.2", Verdict: tenants.Fine, Silent: 1}, {AppVersion: "4.3", Verdict: tenants.Fine}},
		apps: []tenants.WakeHealth{{AppVersion: "4.2", Devices: 1, Verdict: tenants.Fine},
			{AppVersion: "4.3", Devices: 1, Verdict: tenants.Fine}},
	}
	if tone, word, why := calm.whole(); tone != "info" || word != "No problems found" || !strings.Contains(why, "1 of the 2 phones") {
		t.Errorf("%s %q %q", tone, word, why)
	}
	if rows := calm.versions(); rows[0].Verdict != "Not enough data" || rows[1].Verdict != "Wakes" {
		t.Errorf("versions: %+v", rows)
	}
	late := lateOf(store.Late{N: 6, Buckets: map[int]int64{tenants.Bucket(time.Second): 3, tenants.Bucket(6 * time.Second): 2,
		tenants.Bucket(20 * time.Minute): 1}})
	var counts []int
	for _, s := range late.Steps {
		counts = append(counts, s.Count)
	}
	if late.Total != 6 || !slices.Equal(counts, []int{3, 0, 2, 0, 0, 0, 1}) {
		t.Errorf("late: %d %v", late.Total, counts)
	}
}

func TestAKeysKindAndRate(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *house, c *Config) { c.PerSecond = 20 })
	b := h.bare("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/keys/add").want(200).has("the limit of your organisation: 20 a second")
	for _, kind := range []string{"", "Live", "prod"} {
		w.post("/keys/add", url.Values{"name": {"x"}, "kind": {kind}, "scope": {"rings:write"}}).want(422).has("Choose live or "+
			"test").lacks("crl_live_", "crl_test_")
	}
	for _, rate := range []string{"-1", "1001", "many", "1.5"} {
		w.post("/keys/add", url.Values{"name": {"x"}, "kind": {"test"}, "scope": {"rings:write"},
			"per_second": {rate}}).want(422).has("Enter a whole number up to 1000")
	}
	if keys, _, err := b.scope().Keys().List(t.Context(), store.Page{}); err != nil || len(keys) != 0 {
		t.Fatalf("%d keys were made: %v", len(keys), err)
	}
	w.post("/keys/add", url.Values{"name": {"Booking"}, "kind": {"live"}, "scope": {"rings:write"},
		"per_second": {"5"}}).want(200).has("crl_live_", "5 rings a second")
	w.get("/keys").want(200).has("5 rings a second")
	w.get("/keys.csv").has("rings_per_second", ",5,")
}
