package console

import (
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"html"

	"context"
	"net/url"
	"regexp"
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
	now := t.h.Clock.Now()
	id := tenants.NewID[tenants.CredentialID](now)
	pagetest.Must(t.h, t.Scope().Credentials().Add(t.h.Context(), tenants.Credential{
		ID: id, Tenant: t.Id, Kind: tenants.P12, Bundle: "com.example." + t.Slug, Environment: tenants.Auto,
		Topics:      []string{"com.example." + t.Slug + ".voip"},
		Fingerprint: t.Slug + "-p12", State: tenants.CredentialActive, NotAfter: now.Add(in), CreatedAt: now,
	}, []byte("sealed")))
	return id
}

func TestCheckWithApple(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	path := "/credentials/" + string(b.credential)
	w.Get(path).Want(200).Has("Test with Apple now").Lacks("Refused")
	w.Post(path+"/check", nil).Want(200).Has("Apple takes this credential: key, team and app belong together.", "Accepted",
		"Test again").Lacks("BadDeviceToken", "Refused")
	h.apple.say(403, "BadEnvironmentKeyIdInToken")
	w.Post(path+"/check", nil).Want(200).Has("Apple takes this credential in sandbox, and not in production.", "Refused",
		"BadEnvironmentKeyIdInToken", "What to do:")
	w.Post(path+"/check", nil).Want(200)
	if res := w.Post(path+"/check", nil); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth probe at once: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

func TestHedgingIsAButton(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	path := "/credentials/" + string(b.credential)
	w.Get(path).Want(200).Has("Turn off")
	w.Post(path+"/hedging", url.Values{"hedging": {"perhaps"}}).Want(400)
	w.Post(path+"/hedging", url.Values{"hedging": {"off"}}).Leads(path)
	w.Get(path).Want(200).Has("Turn on", "applies from the next ring").Lacks("Turn off")
	w.Get("/audit").Want(200).Has("changed the retry setting of")
	w.Post(path+"/hedging", url.Values{"hedging": {"on"}}).Leads(path)
	w.Get(path).Want(200).Has("Turn off")
	w.Get("/credentials/" + string(b.previous)).Want(200).Lacks("Turn off")
}

// TestPushFieldsAreChosen: the form shows the present choice, and takes only those that there are.
func TestPushFieldsAreChosen(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	path := "/credentials/" + string(b.credential)
	w.Get(path).Want(200).Has(`value="carillon" selected`)
	w.Post(path+"/profile", url.Values{"profile": {"twilio"}}).Want(400)
	w.Post(path+"/profile", url.Values{"profile": {"flutter_callkit_incoming"}}).Leads(path)
	w.Get(path).Want(200).Has(`value="flutter_callkit_incoming" selected`, "new fields from the next ring")
	w.Get("/audit").Want(200).Has("changed the push fields of")
}

func TestRollingBack(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	now, kept := "/credentials/"+string(b.credential), "/credentials/"+string(b.previous)
	was, err := b.Scope().Credentials().Get(t.Context(), b.previous)
	pagetest.Must(t, err)
	w.Get("/credentials").Want(200).Has("Kept for rollback", "until you remove it").Lacks("Refused by Apple")
	w.Get(kept).Want(200).Has("Kept for rollback until you remove it", "No phone is called with this one",
		"None yet.").Lacks("Refused by Apple")
	w.Get("/overview").Lacks("Kept for rollback", was.KeyID)
	w.Get(now).Want(200).Has("Roll back", "Go back to Key "+was.KeyID+"?")
	w.Get(now+"/rollback").Want(200).Has("1 phone of com.example.beta is called with Key "+was.KeyID+" from now on.",
		"Key KEY1234567 is in use now and will be kept")
	w.Post(now+"/rollback", nil).Leads(kept)
	w.Get(kept).Want(200).Has("This credential is in use again").Lacks("Kept for rollback until")
	w.Get(now).Want(200).Has("Kept for rollback until")
	// The same again undoes it.
	w.Post(now+"/rollback", nil).Leads(now)
	w.Get(now).Want(200).Lacks("Kept for rollback until")
	pagetest.Must(t, b.Scope().Credentials().Remove(t.Context(), b.previous))
	w.Get(now).Want(200).Lacks("Roll back")
	w.Get(now + "/rollback").Want(409)
	w.Post(now+"/rollback", nil).Want(409)
}

// TestAPreviousCredentialCoversNobody: to remove the one in use silences its phones, however many
// are kept.
func TestAPreviousCredentialCoversNobody(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/credentials/" + string(b.credential) + "/remove").Want(200).Has("1 phone stops ringing")
	w.Get("/credentials/" + string(b.previous) + "/remove").Want(200).Has("No phone stops ringing")
}

func TestTheEndOfACertificateIsWarnedOf(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.phone()
	b.phone()
	id := b.ending(61 * 24 * time.Hour)
	w := b.Quick(b.Owner)
	w.Get("/credentials").Want(200).Lacks("Ends in")
	for _, step := range []struct {
		pass  time.Duration
		state string
		words string
	}{{25 * time.Hour, "Ends in 60 days", "expires within 60 days"}, {30 * 24 * time.Hour, "Ends in 30 days", "expires within 30 days"},
		{29 * 24 * time.Hour, "Ends in 1 day", "expires within a day"}, {24 * time.Hour, "Expired", "expired on"}} {
		h.Clock.Pass(step.pass)
		w = b.Quick(b.Owner)
		w.Get("/credentials").Want(200).Has(step.state, "2 phones stop ringing")
		w.Get("/credentials/"+string(id)).Want(200).Has(step.state, step.words, "2 devices go silent", "Replace key")
	}
	b.signs(tenants.CredentialActive) // a key, which does not end
	w.Get("/credentials").Want(200).Lacks("go silent")
	w.Get("/credentials/" + string(id)).Has("Every device is covered by another credential.")
}

func TestUploadingASuccessor(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.phone()
	old := b.signs(tenants.CredentialActive)
	w := b.Quick(b.Owner)
	was, err := b.Scope().Credentials().Get(t.Context(), old)
	pagetest.Must(t, err)
	w.Get("/credentials/add").Want(200).Has("In use now", "Key "+was.KeyID).Lacks("This takes the place of")
	w.Get("/credentials/add?replaces="+string(old)).Want(200).Has("This replaces Key "+was.KeyID, "1 phone is called with it",
		`value="com.example.beta"`, `value="ABCDE12345"`)
	w.Get("/credentials/add?replaces=" + tenants.NewRandomID()).Want(404)
	w.Get("/credentials/add?replaces=nothing").Want(200)
	kind, body := multipartOf(map[string]string{"team_id": "ABCDE12345", "key_id": "NEWKEY1234", "bundle_id": "com.example.beta",
		"environment": "auto"}, "AuthKey_NEWKEY1234.p8", string(newP8(t)))
	res := w.Send("POST", "/credentials/add", kind, body).Want(303)
	w.Get(res.Header.Get("Location")).Want(200).Has("The previous credential is kept", "Key NEWKEY1234", "Roll back")
	w.Get("/credentials/" + string(old)).Has("Kept for rollback")
	// A form that comes back says whose place the file would take.
	kind, body = multipartOf(map[string]string{"bundle_id": "com.example.beta", "environment": "auto"}, "", "")
	w.Send("POST", "/credentials/add", kind, body).Want(400).Has("This replaces Key NEWKEY1234")
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/alerts").Want(200).Has("No open alerts.", "Alerts: none open").Lacks("rooms-count")
	w.Get("/overview").Lacks("Open alerts")
	id := b.signs(tenants.CredentialActive)
	raise := func(k tenants.AlertKind, target, detail string) {
		t.Helper()
		h.Clock.Pass(time.Minute)
		_, err := b.Scope().Alerts().Raise(t.Context(), k, target, detail)
		pagetest.Must(t, err)
	}
	for i := range page.PerPage {
		raise(tenants.AlertUnshown, "3."+strings.Repeat("x", i+1), "shows nothing")
	}
	raise(tenants.AlertBlocked, "4.1 & 3", "=4 of 9 phones stay silent.")
	raise(tenants.AlertCredential, string(id), "InvalidProviderToken: the key was revoked.")
	page := w.Get("/alerts").Want(200)
	page.Has("52 open alerts", "Apple refuses a credential", "InvalidProviderToken: the key was revoked.",
		"Phones with this app do not ring", "What to do:",
		`href="/credentials/`+string(id)+`"`, "Version 4.1 &amp; 3", `href="/phone-health?q=4.1+%26+3"`)
	next := between(page.Body, `href="/alerts?after=`, `"`)
	if len(next) != 1 {
		t.Fatalf("links to older alerts: %q", next)
	}
	w.Get("/alerts?after="+html.UnescapeString(next[0])).Want(200).Has("51–52 of 52 alerts", "Version 3.x").Lacks("InvalidProviderToken")
	w.Get("/alerts?after=-1").Want(400)
	w.Get("/alerts?q=refuses+a+credential").Want(200).Has("1 alert", "InvalidProviderToken")
	w.Get("/alerts?q=version+4.1").Want(200).Has("1 alert", "4 of 9 phones")
	signer, err := b.Scope().Credentials().Get(t.Context(), id)
	pagetest.Must(t, err)
	w.Get("/alerts?q=key+"+signer.KeyID).Want(200).Has("1 alert", "InvalidProviderToken")
	w.Get("/alerts?q=REVOKED").Want(200).Has("1 alert").Lacks("Version 3.x")
	w.Get("/overview").Has("Open alerts", "49 more alerts", "InvalidProviderToken", ">View<")
	if n := strings.Count(w.Get("/alerts.csv").Want(200).Body, "\r\n"); n != 53 {
		t.Errorf("the file has %d lines", n)
	}
	w.Get("/alerts.csv?q=silent").Has("'=4 of 9 phones", "4.1 & 3")

	w.Post("/alerts/close", url.Values{"kind": {"credential_refused"}, "target": {string(id)}}).Leads("/alerts")
	w.Get("/alerts").Has("The alert is closed.", "51 open alerts").Lacks("InvalidProviderToken")
	w.Get("/alerts?state=closed").Want(200).Has("InvalidProviderToken", "Closed").Lacks("Version 3.x")
	w.Post("/alerts/close", url.Values{"kind": {"credential_refused"}, "target": {string(id)}}).Want(404)
	w.Post("/alerts/close", url.Values{"kind": {"nothing"}, "target": {"x"}}).Want(404)
	w.Get("/audit?action=alert").Want(200).Has("raised an alert about", "closed the alert about", "Apple refuses a credential",
		"Version 4.1 &amp; 3")
	viewer := b.Quick(b.viewer())
	viewer.Get("/alerts").Want(200).Has("Open").Lacks("/alerts/close")
	pagetest.Must(t, b.Scope().Credentials().Remove(t.Context(), id))
	w.Get("/alerts?state=all&q=revoked").Want(200).Has("A credential that was removed")
}

func TestDoPhonesWake(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/phone-health").Want(200).Has("No data yet", "No rings in the last 7 days.", "None in the last 30 days")
	b.signs(tenants.CredentialActive)
	fine, silent, unshown := b.phone(), b.phone(), b.phone()
	w.Get("/devices/" + string(fine)).Want(200).Lacks("Wake history")
	for range 3 {
		h.Clock.Pass(time.Minute)
		for id, kinds := range map[tenants.DeviceID][]tenants.FactKind{fine: {tenants.FactWoke, tenants.FactShown}, silent: nil,
			unshown: {tenants.FactWoke}} {
			b.device = id
			r := b.placed()
			d, err := b.Scope().Devices().Get(t.Context(), id)
			pagetest.Must(t, err)
			for _, kind := range kinds {
				_, err := h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: kind})
				pagetest.Must(t, err)
			}
		}
	}
	h.Clock.Pass(time.Hour)
	page := w.Get("/phone-health").Want(200)
	page.Has("2 phones do not show calls", "Mostly wakes", "3 rings in a row without a response",
		"3 rings in a row that woke the app but showed no call", "Probably blocked", "Shows no call", "Ready")
	w.Get("/phone-health?verdict=trouble").Has("2 phones")
	w.Get("/phone-health?verdict=fine").Has("1 phone")
	w.Get("/phone-health?q=beta+PHONE").Has("3 phones")
	w.Get("/phone-health?q=nobody").Has("No matches")
	if n := strings.Count(w.Get("/phone-health.csv?verdict=trouble").Want(200).Body, "\r\n"); n != 3 {
		t.Errorf("the file has %d lines", n)
	}
	w.Get("/devices/"+string(silent)).Want(200).Has("Phone health", "Probably blocked", "the phone did not respond",
		"Open the app on the phone")
	w.Get("/devices/"+string(unshown)).Has("Shows no call", "The app woke but showed no call")
	w.Get("/devices/"+string(fine)).Has("The app reported the call", "The app wakes and reports its calls.")
}

// TestOneVerdictOnEveryPage: what one page says about a phone, all of them say.
func TestOneVerdictOnEveryPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	b.signs(tenants.CredentialActive)
	fine, silent, focus := b.phone(), b.phone(), b.phone()
	for range 3 {
		h.Clock.Pass(time.Minute)
		for id, kinds := range map[tenants.DeviceID][]tenants.FactKind{fine: {tenants.FactWoke, tenants.FactShown}, silent: nil,
			focus: {tenants.FactWoke, tenants.FactSilenced}} {
			b.device = id
			r := b.placed()
			d, err := b.Scope().Devices().Get(t.Context(), id)
			pagetest.Must(t, err)
			for _, kind := range kinds {
				_, err := h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: kind})
				pagetest.Must(t, err)
			}
		}
		h.Clock.Pass(time.Minute)
		pagetest.Must(t, h.board.Sweep(t.Context()))
	}
	verdicts := map[tenants.DeviceID]string{fine: "Ready", silent: "Probably blocked", focus: "Calls silenced"}
	for _, list := range []string{"/devices", "/devices.csv", "/phone-health", "/phone-health.csv"} {
		page := w.Get(list).Want(200)
		for _, verdict := range verdicts {
			page.Has(verdict)
		}
		page.Lacks("No problems found", "All phones wake")
	}
	for id, verdict := range verdicts {
		w.Get("/devices/" + string(id)).Want(200).Has(verdict)
	}
	w.Get("/devices/"+string(focus)).Has("kept the last 3 calls quiet").Lacks("shows its calls", "The app reported the call\"")
	w.Get("/phone-health?verdict=trouble").Has("2 phones")
	w.Get("/alerts").Want(200).Has("A phone does not show its calls", "did not respond to its last 3 rings", "/devices/"+string(silent)).
		Lacks("No open alerts.", "/devices/"+string(focus))
	form := w.Get("/rings/test").Want(200)
	form.Has("Probably blocked", "Calls silenced")
	if chosen := regexp.MustCompile(`value="([0-9a-f-]{36})"[^>]*checked`).FindStringSubmatch(form.Body); chosen == nil ||
		chosen[1] != string(fine) {
		t.Errorf("the test ring chooses %v, not the phone that shows its calls", chosen)
	}
	form.Lacks("Open the phone")
	h.waker.device = silent
	w.Get("/rings/test").Has("Open the phone", `href="/phone/alpha"`)
}

func TestAVersionInTroubleIsNamed(t *testing.T) {
	t.Parallel()
	w := judgedPhones{phones: phones{versions: []tenants.WakeHealth{{AppVersion: "4.1", Devices: 9, Blocked: 4, Verdict: tenants.Blocked},
		{AppVersion: "", Verdict: tenants.Unshown}, {AppVersion: "4.2", Verdict: tenants.Fine}}}}
	if tone, word, why := w.whole(); tone != "bad" || word != "2 app versions have a problem" ||
		!strings.Contains(why, "Version 4.1, Apps without a version") {
		t.Errorf("%s %q %q", tone, word, why)
	}
	quiet, well := tenants.WakeHistory{AppVersion: "4.2", Verdict: tenants.Fine, Silent: 1},
		tenants.WakeHistory{AppVersion: "4.3", Verdict: tenants.Fine}
	calm := judgedPhones{
		phones: phones{histories: []tenants.WakeHistory{quiet, well}, of: map[tenants.DeviceID]tenants.WakeHistory{"q": quiet, "w": well},
			versions: []tenants.WakeHealth{{AppVersion: "4.2", Devices: 1, Verdict: tenants.Fine},
				{AppVersion: "4.3", Devices: 1, Verdict: tenants.Fine}}},
		devices: map[tenants.DeviceID]tenants.Device{"q": {ID: "q"}, "w": {ID: "w"}},
	}
	if tone, word, _ := calm.whole(); tone != "info" || word != "1 phone did not respond to its last ring" {
		t.Errorf("%s %q", tone, word)
	}
	if rows := calm.versionRows(); rows[0].Verdict != "Not enough data" || rows[0].Silent != 1 ||
		rows[1].Verdict != "Ready" || rows[1].Silent != 0 {
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
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.PerSecond = 20 })
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/keys/add").Want(200).Has("the limit of your organisation: 20 a second")
	for _, kind := range []string{"", "Live", "prod"} {
		w.Post("/keys/add", url.Values{"name": {"x"}, "kind": {kind}, "scope": {"rings:write"}}).Want(422).Has("Choose live or "+
			"test").Lacks("crl_live_", "crl_test_")
	}
	for _, rate := range []string{"-1", "1001", "many", "1.5"} {
		w.Post("/keys/add", url.Values{"name": {"x"}, "kind": {"test"}, "scope": {"rings:write"},
			"per_second": {rate}}).Want(422).Has("Enter a whole number up to 1000")
	}
	if keys, _, err := b.Scope().Keys().List(t.Context(), store.Page{}); err != nil || len(keys) != 0 {
		t.Fatalf("%d keys were made: %v", len(keys), err)
	}
	w.Post("/keys/add", url.Values{"name": {"Booking"}, "kind": {"live"}, "scope": {"rings:write"},
		"per_second": {"5"}}).Want(200).Has("crl_live_", "5 rings a second")
	w.Get("/keys").Want(200).Has("5 rings a second")
	w.Get("/keys.csv").Has("rings_per_second", ",5,")
}

// TestUploadsAreRefusedForTheirReason gives each refusal of the form its own cause.
func TestUploadsAreRefusedForTheirReason(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	part := func(disposition, value string) string {
		return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
	}
	key := part(`name="file"; filename="a.p8"`, string(newP8(t)))
	fields := part(`name="bundle_id"`, "com.example.app") + part(`name="team_id"`, "TEAM123456")
	for says, body := range map[string]string{
		"The form could not be read":           "--x\r\nContent-Disp",
		"Choose the .p8 or .p12 file.":         fields,
		"Choose one file.":                     fields + key + key,
		"The file is empty.":                   fields + part(`name="file"; filename="a.p8"`, ""),
		"The file is larger than 64 KB.":       fields + part(`name="file"; filename="a.p8"`, strings.Repeat("x", 64<<10+1)),
		"holds neither a key nor":              fields + part(`name="file"; filename="a.p12"`, "rubbish"),
		"ten characters of the key id":         fields + key,
		"A bundle id such as com.example.app,": part(`name="bundle_id"`, "nodots") + key,
		"Auto, sandbox or production.":         fields + part(`name="environment"`, "both") + part(`name="key_id"`, "KEY1234567") + key,
	} {
		if res := w.Send("POST", "/credentials/add", "multipart/form-data; boundary=x", body+"--x--\r\n"); res.StatusCode/100 != 4 ||
			!strings.Contains(html.UnescapeString(res.Body), says) {
			t.Errorf("%q: %d %.3000s", says, res.StatusCode, res.Body)
		}
	}
}
