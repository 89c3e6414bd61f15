package console

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"html"
	"mime/multipart"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/app/switchboard"
	"carillon/static"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
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

func TestEveryPageWhenThereIsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	for _, p := range Pages(nil) {
		w.Get(p).Want(200).Has("Alpha Homes", "<h1>")
	}
	w.Get("/overview").Has("Get started", "Add your Apple key", "No rings yet")
	w.Get("/rings").Has("No rings yet")
	w.Get("/devices").Has("No phone is paired yet")
	w.Get("/rings/test").Has("Pair a phone first")
	w.Get("/rings?q=x").Has("No matches")
	lines := map[string]int{"/analytics.csv": 31, "/people.csv": 2, "/audit.csv": 3} // the owner, and what made the tenant
	for _, p := range Files() {
		if n := strings.Count(w.Get(p).Want(200).Body, "\r\n"); n != max(1, lines[p]) {
			t.Errorf("%s of nothing has %d lines", p, n)
		}
	}
	w.Post("/checklist", url.Values{"dismiss": {"1"}}).Leads("/overview")
	w.Get("/overview").Lacks("Get started")
}

// pages are the addresses of every page about a customer that full made.
func (t *tenant) pages() []string {
	all := Pages(map[string]string{"rings": string(t.ring), "devices": string(t.device), "credentials": string(t.credential),
		"agents": string(t.agent), "groups": string(t.group), "schedules": string(t.schedule), "consents": string(t.consent),
		"keys": string(t.key), "people": string(t.viewer().ID), "connections": string(t.connection), "events": t.event})
	return append(all, "/palette", "/rings/"+string(t.refused), "/rings/"+string(t.refused)+"/test", "/devices/"+string(t.dead),
		"/credentials/"+string(t.previous), "/credentials/add?replaces="+string(t.credential), "/invitations/"+string(t.invitation))
}

func TestEveryPageEscapesEveryText(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", pagetest.Canary)
	w := b.Quick(b.Owner)
	pages := append(b.pages(), "/rings?q="+url.QueryEscape(pagetest.Canary), "/nowhere"+url.PathEscape(pagetest.Canary))
	found := 0
	for _, p := range pages {
		res := w.Get(p)
		if res.StatusCode >= 500 {
			t.Errorf("%s: %d", p, res.StatusCode)
		}
		res.Lacks("<img src=x", `"'><img`)
		if strings.Contains(res.Body, "CANARY") {
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
	w := b.Quick(b.Owner)
	page := w.Get("/overview").Want(200)
	page.Has("Call funnel", "Accepted → app awake", "Beta phone", "Key KEY1234567", "Working")
	w.Get("/overview?period=month").Has("the last 30 days")
	// A refused ring and an answered one: both were placed, one was accepted and carried voice.
	page.Has("1 of 2 picked up")
}

func TestARingsPageTellsItsStory(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/rings/"+string(b.ring)).Want(200).Has("The phone woke the app", "A person picked up", "Both could hear each other",
		"The person hung up.", "200 accepted", "beta-ref", "Clear", "Ring again")
	w.Get("/rings/"+string(b.refused)).Want(200).Has("BadDeviceToken", "Apple refused the push", "What to do:", "environment to auto",
		"Refused by Apple")
	w.Get("/rings/" + strings.ToUpper(string(b.ring))).Want(200)
	list := w.Get("/rings").Want(200)
	list.Has(string(b.ring), string(b.refused))
	w.Get("/rings?state=failed").Has(string(b.refused)).Lacks(string(b.ring))
	w.Get("/rings?q=beta-ref").Has(string(b.ring))
	w.Get("/rings?q=nothing-like-it").Has("No matches")
	w.Get("/rings?after=garbage").Want(400)
	w.Get("/rings?q=" + strings.Repeat("x", 101)).Want(400)
	w.Get("/rings?q=%00").Want(400)
}

func TestRingsPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	for range page.PerPage {
		h.Clock.Pass(time.Second)
		b.placed()
	}
	w := b.Quick(b.Owner)
	first := w.Get("/rings").Want(200)
	next := between(first.Body, `href="/rings?after=`, `"`)
	if len(next) != 1 {
		t.Fatalf("%d links to older rings", len(next))
	}
	first.Lacks(string(b.ring))
	w.Get("/rings?after="+next[0]).Want(200).Has(string(b.ring), `href="/rings"`)
	rows, err := csv.NewReader(strings.NewReader(w.Get("/rings.csv").Want(200).Body)).ReadAll()
	if err != nil || len(rows) != page.PerPage+3 {
		t.Fatalf("the file has %d rows: %v", len(rows), err)
	}
}

// TestNewerLeadsToThePageBefore walks a filtered list to its last page and back, page by page.
func TestNewerLeadsToThePageBefore(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	for range 3 * page.PerPage {
		h.Clock.Pass(time.Second)
		b.placed()
	}
	w := b.Quick(b.Owner)
	link := func(res pagetest.Answer, rel string) string {
		m := regexp.MustCompile(`href="([^"]*)" rel="` + rel + `"`).FindStringSubmatch(res.Body)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	rows := func(res pagetest.Answer) string {
		return strings.Join(regexp.MustCompile(`row-target" href="[^"]*"`).FindAllString(res.Body, -1), "\n")
	}
	at := "/rings?q=" + b.Tag() + "-ref"
	var pages, shown []string
	for at != "" {
		res := w.Get(at).Want(200)
		pages, shown = append(pages, at), append(shown, rows(res))
		at = link(res, "next")
	}
	if len(pages) != 4 {
		t.Fatalf("%d pages", len(pages))
	}
	at = pages[3]
	for i := 2; i >= 0; i-- {
		at = link(w.Get(at).Want(200), "prev")
		if got := rows(w.Get(at).Want(200)); got != shown[i] || got == "" {
			t.Errorf("the way back to page %d leads to %s", i+1, at)
		}
	}
	if again := link(w.Get(at), "prev"); again != "" {
		t.Errorf("before the first page is %s", again)
	}
	w.Get("/rings?after=x&upto=y").Want(400)
}

func TestTheWayBackIsBounded(t *testing.T) {
	t.Parallel()
	var c cursors
	for i := range 100 {
		c = c.then(fmt.Sprintf("%044d", i))
	}
	earlier, after := cursorsOf(string(c))
	if len(c) > cursorsMost || after != fmt.Sprintf("%044d", 99) || !strings.HasSuffix(string(earlier), fmt.Sprintf("%044d", 98)) ||
		len(strings.Split(string(c), ".")[0]) != 44 {
		t.Errorf("%d bytes: %s", len(c), c)
	}
}

// TestFilesGiveTimesInUTC: the tenant is in Berlin, its pages show that time, and its files give
// RFC 3339 in UTC as the API does.
func TestFilesGiveTimesInUTC(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	local := regexp.MustCompile(`^\d{4}-\d\d-\d\d.*[+-]\d\d:?\d\d$`)
	for _, p := range []string{"/rings.csv", "/devices.csv", "/agents.csv", "/keys.csv", "/credentials.csv", "/people.csv", "/audit.csv"} {
		rows, err := csv.NewReader(strings.NewReader(w.Get(p).Want(200).Body)).ReadAll()
		pagetest.Must(t, err)
		times := 0
		for _, r := range rows {
			for _, c := range r {
				if local.MatchString(c) {
					t.Errorf("%s: %q is no UTC", p, c)
				}
				if at, err := time.Parse(time.RFC3339, c); err == nil && strings.HasSuffix(c, "Z") {
					times++
					if at.After(h.Clock.Now()) {
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

// TestCSVHoldsNoFormula reads every list as a file: as one with commas, and as readers do that cut
// it at semicolons or tabs.
func TestCSVHoldsNoFormula(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i, word := range []string{`=HYPERLINK("http://evil.example")`, `a;=HYPERLINK(1);b`, `x; "＝HYPERLINK(1)`, `＝HYPERLINK(1)`,
		`@HYPERLINK`} {
		b := h.full(fmt.Sprintf("beta%d", i), word)
		b.viewer()
		w := b.Quick(b.Owner)
		for _, p := range Files() {
			res := w.Get(p)
			if res.StatusCode == 404 { // without Stripe
				continue
			}
			rows, err := csv.NewReader(strings.NewReader(res.Want(200).Body)).ReadAll()
			pagetest.Must(t, err)
			if !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
				t.Errorf("%s: %q", p, res.Header.Get("Content-Disposition"))
			}
			if noFormula(t, p, rows); len(rows) > 1 && strings.Contains(res.Body, "HYPERLINK") == unnamed[p] {
				t.Errorf("%s holds the text: %v", p, unnamed[p])
			}
			for _, cut := range []rune{';', '\t'} {
				r := csv.NewReader(strings.NewReader(res.Body))
				r.Comma, r.LazyQuotes, r.FieldsPerRecord = cut, true, -1
				rows, err := r.ReadAll()
				pagetest.Must(t, err)
				noFormula(t, p, rows)
				for line := range strings.Lines(res.Body) { // without regard to quotes
					noFormula(t, p, [][]string{strings.Split(line, string(cut))})
				}
			}
		}
	}
}

// unnamed are the files that hold no text of people.
var unnamed = map[string]bool{"/billing/usage.csv": true, "/billing/invoices.csv": true, "/analytics.csv": true}

func noFormula(t *testing.T, file string, rows [][]string) {
	t.Helper()
	for _, r := range rows {
		for _, c := range r {
			if at := strings.TrimLeft(c, " \""); at != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(at)[0]) {
				t.Errorf("%s: cell %q", file, c)
			}
		}
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	at := "/devices/" + string(b.device)
	w.Get(at).Want(200).Has("Details", "com.example.beta", "beta-person")
	w.Get("/devices/" + string(b.dead)).Want(200).Has("This phone cannot be rung")
	w.Post(at, url.Values{"name": {"Front\x00desk"}, "person": {"no blanks please"}, "environment": {"moon"}}).Want(400).
		Has("At most 80 characters", "1 to 64 of A-Z", "environment: Auto, sandbox or production")
	w.Post(at, url.Values{"name": {"Ana’s iPhone"}, "person": {"front.desk"}, "environment": {"production"}}).Leads(at)
	w.Get(at).Has("Saved.", "Ana’s iPhone", "front.desk")
	d, err := b.Scope().Devices().Get(t.Context(), b.device)
	if err != nil || d.Name != "Ana’s iPhone" || d.Person != "front.desk" || d.Environment != tenants.Production {
		t.Fatalf("%+v %v", d, err)
	}
	w.Get(at+"/remove").Want(200).Has("Remove Ana’s iPhone?", "has no other phone that can ring")
	w.Post(at+"/remove", url.Values{"confirm": {"wrong"}}).Want(422).Has("The name does not match")
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	r, _, err := h.board.Place(t.Context(), switchboard.Caller{Tenant: tn, Trial: true}, tenants.Request{To: tenants.To{Device: b.device}},
		store.Idempotency{})
	pagetest.Must(t, err)
	w.Post(at+"/remove", url.Values{"confirm": {" Ana's iPhone"}}).Leads("/devices")
	w.Get(at).Want(404)
	w.Get("/rings/"+string(r.ID)).Want(200).Has("The phone was removed while it rang", "Stopped: the phone was removed")
	w.Get("/rings/" + string(b.ring)).Want(200).Has("A device that was removed")
}

func TestPairing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/devices/pair", url.Values{"person": {"no blanks"}}).Want(400).Has("1 to 64 of")
	page := w.Post("/devices/pair", url.Values{"person": {"mara"}}).Want(200).Has(`class="qr"`, "mara", "data-countdown")
	code := between(page.Body, `data-copy="`, `"`)[0]
	wait := between(page.Body, `hx-get="`, `"`)[0]
	w.Get(wait).Want(204)
	secret, ok := tenants.ParseCode(code)
	if !ok {
		t.Fatalf("code %q", code)
	}
	_, p, err := h.Store.Tenants().OfPairing(t.Context(), secret.Hash(), h.Clock.Now())
	pagetest.Must(t, err)
	d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](h.Clock.Now()), Tenant: b.Id, Token: strings.Repeat("ab", 32),
		Bundle: "com.example.beta", Name: "Mara", CreatedAt: h.Clock.Now()}.Clean()
	stored, err := b.Scope().Pairings().Use(t.Context(), p.ID, d, tenants.NewSecret(tenants.DevicePrefix).Hash(), h.Clock.Now())
	pagetest.Must(t, err)
	if to := w.Get(wait).Want(200).Header.Get("HX-Redirect"); to != "/devices/"+string(stored.ID) {
		t.Errorf("the page is led to %q", to)
	}
	w.Get("/devices/" + string(stored.ID)).Has("The phone is paired")
	late := between(w.Post("/devices/pair", url.Values{}).Want(200).Body, `hx-get="`, `"`)[0]
	h.Clock.Pass(tenants.PairingTTL)
	w.Get(late).Want(286)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	send := func(fields map[string]string, name, file string) pagetest.Answer {
		kind, body := multipartOf(fields, name, file)
		return w.Send("POST", "/credentials/add", kind, body)
	}
	send(map[string]string{"bundle_id": "com.example.app"}, "", "").Want(400).Has("Choose the .p8 or .p12 file", `value="com.example.app"`)
	send(map[string]string{"bundle_id": "nodots", "team_id": "x"}, "AuthKey_ABCDE12345.p8", "junk").Want(400).Has("bundle id such as",
		"ten characters of your Apple team id")
	send(map[string]string{"bundle_id": "com.example.app", "team_id": "ABCDE12345", "key_id": "ABCDE12345"}, "k.p8", "junk").Want(400)
	send(map[string]string{}, "k.p8", strings.Repeat("x", health.MaxCredential+1)).Want(413)
	w.Send("POST", "/credentials/add", "application/x-www-form-urlencoded", "file=x").Want(400)
	if res := send(map[string]string{}, "k.p8", strings.Repeat("x", 200<<10)); res.StatusCode != 413 {
		t.Errorf("a body over the limit: %d", res.StatusCode)
	}
	p8 := string(newP8(t))
	send(map[string]string{"bundle_id": "com.example.app", "key_id": "ABCDE12345"}, "k.p8", p8).Want(400).
		Has("Choose the file again", "needed for .p8", "ten characters of your Apple team id").Lacks("PRIVATE KEY")
	res := send(map[string]string{"bundle_id": "com.example.app", "team_id": "abcde12345", "environment": "auto"}, "AuthKey_ZZZZE12345.p8",
		p8).Want(303)
	at := res.Header.Get("Location")
	w.Get(at).Want(200).Has("ZZZZE12345", "ABCDE12345", "com.example.app", "Not used yet").Lacks("PRIVATE KEY")

	own := "/credentials/" + string(b.credential)
	w.Get(own).Has("1 phone") // of two, one is dead
	w.Get(own + "/remove").Want(200).Has("1 phone stops ringing")
	w.Post(own+"/remove", url.Values{"confirm": {"no"}}).Want(422)
	w.Post(own+"/remove", url.Values{"confirm": {"KEY1234567"}}).Leads("/credentials")
	w.Get(own).Want(404)
	w.Get(at + "/remove").Has("No phone stops ringing")
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.Browser()
	b.Headers["Accept-Encoding"] = "gzip"
	path := static.Path("app.css")
	res := b.Get(path).Want(200)
	if !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || res.Header.Get("Content-Encoding") != "gzip" ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%v", res.Header)
	}
	b.Headers["If-None-Match"] = res.Header.Get("ETag")
	b.Get(path).Want(304)
	b.Get("/static/app.css").Want(404)
	b.Get("/static/../console.go").Want(404)
}

func TestRefusalsArePages(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	h.Browser().Get("/nowhere").Want(404).Has("<h1>", "Request ID")
	w := b.Quick(b.viewer())
	w.Get("/rings/nowhere").Want(404).Has("Beta Homes", "There is no such ring")
	w.Post("/devices/pair", url.Values{}).Want(403).Has("devices:write", "Your role (Viewer)", "Add and change devices", "Beta Homes")
	h.Browser().Get("/").Want(200).Has("Sign in").Lacks("Open the console")
	w.Get("/").Want(200).Has("Open the console")
	w.Get("/signin").Leads("/overview")
}

func TestDevModeOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("alpha", "Alpha")
	h.Browser().Get("/storybook").Want(200)
	h.Browser().Get("/storybook/overview").Want(200)
	h.Browser().Get("/storybook/none").Want(404)
	h.Browser().Get("/phone").Leads("/phone/alpha")
	h.Browser().Get("/phone/alpha").Want(200).Has("crl_device_x", `data-slug="alpha"`, `data-pushes="/phones/pushes"`)
	h.Browser().Get("/phone/none").Want(404)
	b.Quick(b.Owner).Get("/overview").Has("Storybook")
	b.Quick(b.Owner).Get("/phone").Leads("/phone/alpha")
	c := h.bare("gamma", "Gamma")
	c.Quick(c.Owner).Get("/phone").Want(404).Has("no virtual phone")
	h.waker.ear <- DevPush{Slug: "alpha", Payload: []byte(`{"v":1}`)}
	h.Browser().Stream("/phones/pushes", func(event, data string) bool {
		return event == "push" && data == "alpha {\"v\":1}\n"
	})
	production := Console{Config: h.k.Config}
	production.Dev = nil
	for _, r := range production.routes() {
		phone := strings.HasPrefix(r.path, "/phone") && !strings.HasPrefix(r.path, views.PathPhoneHealth)
		if phone || strings.HasPrefix(r.path, "/storybook") {
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
