package console

import (
	"carillon/app/page"

	"bytes"
	"encoding/csv"
	"mime/multipart"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/switchboard"
	"carillon/static"
	"carillon/tenants"
	"carillon/tenants/store"
)

// multipartOf is an upload.
func multipartOf(fields map[string]string, name, file string) (kind, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		_ = w.WriteField(k, v)
	}
	if name != "" {
		f, _ := w.CreateFormFile("file", name)
		_, _ = f.Write([]byte(file))
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

var everyPage = []string{"/overview", "/overview?period=week", "/overview?period=month", "/rings", "/rings/test", "/devices",
	"/devices/pair", "/credentials", "/credentials/add", "/alerts", "/alerts?state=all", "/phone-health",
	"/agents", "/agents/add", "/keys", "/keys/add", "/people", "/people/add", "/audit", "/settings", "/developers"}

func TestEveryPageWhenThereIsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.quick(a.owner)
	for _, p := range everyPage {
		w.get(p).want(200).has("Alpha Homes", "<h1>")
	}
	w.get("/overview").has("Get started", "Add your Apple key", "No rings yet")
	w.get("/rings").has("No rings yet")
	w.get("/devices").has("No phone is paired yet")
	w.get("/rings/test").has("Pair a phone first")
	w.get("/rings?q=x").has("No matches")
	for _, p := range []string{"/rings.csv", "/devices.csv", "/agents.csv", "/keys.csv", "/credentials.csv", "/alerts.csv",
		"/phone-health.csv"} {
		if n := strings.Count(w.get(p).want(200).body, "\r\n"); n != 1 {
			t.Errorf("%s of nothing has %d lines", p, n)
		}
	}
	w.post("/checklist", url.Values{"dismiss": {"1"}}).leads("/overview")
	w.get("/overview").lacks("Get started")
}

func TestEveryPageEscapesEveryText(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", canary)
	b.viewer()
	w := b.quick(b.owner)
	pages := append([]string{}, everyPage...)
	for _, id := range []string{string(b.ring), string(b.refused)} {
		pages = append(pages, "/rings/"+id, "/rings/"+id+"/test", "/rings/"+id+"/cancel")
	}
	pages = append(pages, "/devices/"+string(b.device), "/devices/"+string(b.dead), "/devices/"+string(b.device)+"/remove",
		"/credentials/"+string(b.credential),
		"/credentials/"+string(b.credential)+"/remove", "/credentials/"+string(b.credential)+"/rollback", "/credentials/"+string(b.previous),
		"/credentials/add?replaces="+string(b.credential), "/agents/"+string(b.agent), "/agents/"+string(b.agent)+"/remove", "/keys/"+string(b.key)+"/revoke",
		"/people/"+string(b.viewer().ID)+"/remove", "/rings?q="+url.QueryEscape(canary), "/invitations/"+string(b.invitation), "/nowhere"+url.PathEscape(canary))
	found := 0
	for _, p := range pages {
		res := w.get(p)
		if res.StatusCode >= 500 {
			t.Errorf("%s: %d", p, res.StatusCode)
		}
		res.lacks("<img src=x", `"'><img`)
		if strings.Contains(res.body, "CANARY") {
			found++
		}
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", p, csp)
		}
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", p, res.Header.Get("Cache-Control"))
		}
	}
	if found < 20 {
		t.Errorf("the canary was drawn on %d pages only", found)
	}
}

func TestTheOverviewCounts(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	page := w.get("/overview").want(200)
	page.has("Call funnel", "Accepted → app awake", "Beta phone", "Key KEY1234567", "Working")
	w.get("/overview?period=month").has("the last 30 days")
	// A refused ring and an answered one: both were placed, one was accepted and carried voice.
	page.has("1 of 2 picked up")
}

func TestARingsPageTellsItsStory(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/rings/"+string(b.ring)).want(200).has("The phone woke the app", "A person picked up", "Both could hear each other",
		"The person hung up.", "200 accepted", "beta-ref", "Clear", "Ring again")
	w.get("/rings/"+string(b.refused)).want(200).has("BadDeviceToken", "Apple refused the push", "What to do:", "environment to auto",
		"Refused by Apple")
	w.get("/rings/" + strings.ToUpper(string(b.ring))).want(200)
	list := w.get("/rings").want(200)
	list.has(string(b.ring), string(b.refused))
	w.get("/rings?state=failed").has(string(b.refused)).lacks(string(b.ring))
	w.get("/rings?q=beta-ref").has(string(b.ring))
	w.get("/rings?q=nothing-like-it").has("No matches")
	w.get("/rings?after=garbage").want(400)
	w.get("/rings?q=" + strings.Repeat("x", 101)).want(400)
	w.get("/rings?q=%00").want(400)
}

func TestRingsPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	for range perPage {
		h.clock.pass(time.Second)
		b.placed()
	}
	w := b.quick(b.owner)
	first := w.get("/rings").want(200)
	next := between(first.body, `href="/rings?after=`, `"`)
	if len(next) != 1 {
		t.Fatalf("%d links to older rings", len(next))
	}
	first.lacks(string(b.ring))
	w.get("/rings?after="+next[0]).want(200).has(string(b.ring), `href="/rings"`)
	rows, err := csv.NewReader(strings.NewReader(w.get("/rings.csv").want(200).body)).ReadAll()
	if err != nil || len(rows) != perPage+3 {
		t.Fatalf("the file has %d rows: %v", len(rows), err)
	}
}

// TestFilesGiveTimesInUTC: the tenant is in Berlin, its pages show that time, and its files give RFC 3339 in UTC as the API does.
func TestFilesGiveTimesInUTC(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	local := regexp.MustCompile(`^\d{4}-\d\d-\d\d.*[+-]\d\d:?\d\d$`)
	for _, p := range []string{"/rings.csv", "/devices.csv", "/agents.csv", "/keys.csv", "/credentials.csv", "/people.csv", "/audit.csv"} {
		rows, err := csv.NewReader(strings.NewReader(w.get(p).want(200).body)).ReadAll()
		must(t, err)
		times := 0
		for _, r := range rows {
			for _, c := range r {
				if local.MatchString(c) {
					t.Errorf("%s: %q is no UTC", p, c)
				}
				if at, err := time.Parse(time.RFC3339, c); err == nil && strings.HasSuffix(c, "Z") {
					times++
					if at.After(h.clock.now()) {
						t.Errorf("%s: %q is yet to come", p, c)
					}
				}
			}
		}
		if times == 0 {
			t.Errorf("%s gives no time:\n%v", p, rows)
		}
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx",
		"x=1": "x=1", "": "", "ä": "ä"} {
		if got := page.Cell(in); got != want {
			t.Errorf("cell(%q) = %q", in, got)
		}
	}
	h := open(t)
	b := h.full("beta", `=HYPERLINK("http://evil.example")`)
	b.viewer()
	w := b.quick(b.owner)
	for _, p := range []string{"/rings.csv", "/devices.csv", "/agents.csv", "/keys.csv", "/credentials.csv", "/people.csv", "/audit.csv"} {
		res := w.get(p).want(200)
		rows, err := csv.NewReader(strings.NewReader(res.body)).ReadAll()
		must(t, err)
		if len(rows) < 2 || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d rows, %q", p, len(rows), res.Header.Get("Content-Disposition"))
		}
		found := false
		for _, r := range rows {
			for _, c := range r {
				if c != "" && strings.ContainsRune("=+-@", rune(c[0])) {
					t.Errorf("%s: cell %q", p, c)
				}
				found = found || strings.Contains(c, "HYPERLINK")
			}
		}
		if !found {
			t.Errorf("%s does not hold the text", p)
		}
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	at := "/devices/" + string(b.device)
	w.get(at).want(200).has("Details", "com.example.beta", "beta-person")
	w.get("/devices/" + string(b.dead)).want(200).has("This phone cannot be rung")
	w.post(at, url.Values{"name": {"Front\x00desk"}, "person": {"no blanks please"}, "environment": {"moon"}}).want(400).
		has("At most 80 characters", "1 to 64 of A-Z", "environment: Auto, sandbox or production")
	w.post(at, url.Values{"name": {"Ana’s iPhone"}, "person": {"front.desk"}, "environment": {"production"}}).leads(at)
	w.get(at).has("Saved.", "Ana’s iPhone", "front.desk")
	d, err := b.scope().Devices().Get(t.Context(), b.device)
	if err != nil || d.Name != "Ana’s iPhone" || d.Person != "front.desk" || d.Environment != tenants.Production {
		t.Fatalf("%+v %v", d, err)
	}
	w.get(at+"/remove").want(200).has("Remove Ana’s iPhone?", "has no other phone that can ring")
	w.post(at+"/remove", url.Values{"confirm": {"wrong"}}).want(422).has("The name does not match")
	tn, err := b.scope().Tenant(t.Context())
	must(t, err)
	r, _, err := h.board.Place(t.Context(), switchboard.Caller{Tenant: tn, Trial: true}, tenants.Request{To: tenants.To{Device: b.device}},
		store.Idempotency{})
	must(t, err)
	w.post(at+"/remove", url.Values{"confirm": {" Ana's iPhone"}}).leads("/devices")
	w.get(at).want(404)
	w.get("/rings/"+string(r.ID)).want(200).has("The phone was removed while it rang", "Stopped: the phone was removed")
	w.get("/rings/" + string(b.ring)).want(200).has("A device that was removed")
}

func TestPairing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	w.post("/devices/pair", url.Values{"person": {"no blanks"}}).want(400).has("1 to 64 of")
	page := w.post("/devices/pair", url.Values{"person": {"mara"}}).want(200).has(`class="qr"`, "mara", "data-countdown")
	code := between(page.body, `data-copy="`, `"`)[0]
	wait := between(page.body, `hx-get="`, `"`)[0]
	w.get(wait).want(204)
	secret, ok := tenants.ParseCode(code)
	if !ok {
		t.Fatalf("code %q", code)
	}
	_, p, err := h.store.Tenants().OfPairing(t.Context(), secret.Hash(), h.clock.now())
	must(t, err)
	d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](h.clock.now()), Tenant: b.id, Token: strings.Repeat("ab", 32),
		Bundle: "com.example.beta", Name: "Mara", CreatedAt: h.clock.now()}.Clean()
	stored, err := b.scope().Pairings().Use(t.Context(), p.ID, d, tenants.NewSecret(tenants.DevicePrefix).Hash(), h.clock.now())
	must(t, err)
	if to := w.get(wait).want(200).Header.Get("HX-Redirect"); to != "/devices/"+string(stored.ID) {
		t.Errorf("the page is led to %q", to)
	}
	w.get("/devices/" + string(stored.ID)).has("The phone is paired")
	late := between(w.post("/devices/pair", url.Values{}).want(200).body, `hx-get="`, `"`)[0]
	h.clock.pass(tenants.PairingTTL)
	w.get(late).want(286)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	send := func(fields map[string]string, name, file string) answer {
		kind, body := multipartOf(fields, name, file)
		return w.send("POST", "/credentials/add", kind, body)
	}
	send(map[string]string{"bundle_id": "com.example.app"}, "", "").want(400).has("Choose the .p8 or .p12 file", `value="com.example.app"`)
	send(map[string]string{"bundle_id": "nodots", "team_id": "x"}, "AuthKey_ABCDE12345.p8", "junk").want(400).has("bundle id such as",
		"ten characters of your Apple team id")
	send(map[string]string{"bundle_id": "com.example.app", "team_id": "ABCDE12345", "key_id": "ABCDE12345"}, "k.p8", "junk").want(400)
	send(map[string]string{}, "k.p8", strings.Repeat("x", health.MaxCredential+1)).want(413)
	w.send("POST", "/credentials/add", "application/x-www-form-urlencoded", "file=x").want(400)
	if res := send(map[string]string{}, "k.p8", strings.Repeat("x", 200<<10)); res.StatusCode != 413 {
		t.Errorf("a body over the limit: %d", res.StatusCode)
	}
	p8 := string(newP8(t))
	res := send(map[string]string{"bundle_id": "com.example.app", "team_id": "abcde12345", "environment": "auto"}, "AuthKey_ZZZZE12345.p8",
		p8).want(303)
	at := res.Header.Get("Location")
	w.get(at).want(200).has("ZZZZE12345", "ABCDE12345", "com.example.app", "Not used yet").lacks("PRIVATE KEY")

	own := "/credentials/" + string(b.credential)
	w.get(own).has("1 phone") // of two, one is dead
	w.get(own + "/remove").want(200).has("1 phone stops ringing")
	w.post(own+"/remove", url.Values{"confirm": {"no"}}).want(422)
	w.post(own+"/remove", url.Values{"confirm": {"KEY1234567"}}).leads("/credentials")
	w.get(own).want(404)
	w.get(at + "/remove").has("No phone stops ringing")
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.browser()
	b.headers["Accept-Encoding"] = "gzip"
	path := static.Path("app.css")
	res := b.get(path).want(200)
	if !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || res.Header.Get("Content-Encoding") != "gzip" ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%v", res.Header)
	}
	b.headers["If-None-Match"] = res.Header.Get("ETag")
	b.get(path).want(304)
	b.get("/static/app.css").want(404)
	b.get("/static/../console.go").want(404)
}

func TestRefusalsArePages(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	h.browser().get("/nowhere").want(404).has("<h1>", "Request id")
	w := b.quick(b.viewer())
	w.get("/rings/nowhere").want(404).has("Beta Homes", "There is no such ring")
	w.post("/devices/pair", url.Values{}).want(403).has("devices:write", "Your role is viewer", "Beta Homes")
	h.browser().get("/").want(200).has("Sign in").lacks("Open the console")
	w.get("/").want(200).has("Open the console")
	w.get("/signin").leads("/overview")
}

func TestDevModeOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("alpha", "Alpha")
	h.browser().get("/storybook").want(200)
	h.browser().get("/storybook/overview").want(200)
	h.browser().get("/storybook/none").want(404)
	h.browser().get("/phone").leads("/phone/alpha")
	h.browser().get("/phone/alpha").want(200).has("crl_device_x", "/phone/alpha/events")
	h.browser().get("/phone/none").want(404)
	b.quick(b.owner).get("/overview").has("Storybook")
	h.waker.ear <- []byte(`{"v":1}`)
	h.browser().stream("/phone/alpha/events", func(event, data string) bool { return event == "push" && data == "{\"v\":1}\n" })
	production := *h.k
	production.Dev = nil
	for _, r := range production.routes() {
		if r.path == "/phone" || strings.HasPrefix(r.path, "/phone/") || strings.HasPrefix(r.path, "/storybook") {
			t.Errorf("%s is there in production", r.path)
		}
	}
}

func TestNewRefusesMissingParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("a console without a store")
	}
	c := open(t).k.CommonConfig
	c.PublicURL = "ring.example"
	if _, err := page.NewCommon(c); err == nil {
		t.Error("a public URL without a scheme")
	}
}
