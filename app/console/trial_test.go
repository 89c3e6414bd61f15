package console

import (
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func applying(email string) url.Values {
	return url.Values{
		"company": {"Lindenhof Dental"}, "name": {"Ana Ruiz"}, "email": {email}, "password": {"bells in the " +
			"morning"}, "industry": {"healthcare"}, "time_zone": {"Europe/Berlin"},
	}
}

// link is the address in the last letter to somebody, and what the letter says.
func (h *house) link(email string) (path, text string) {
	h.Helper()
	all := h.post.to(email)
	if len(all) == 0 {
		h.Fatalf("nobody wrote to %s", email)
	}
	text = all[len(all)-1].Text
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, h.k.PublicURL) {
			return strings.TrimPrefix(word, h.k.PublicURL), text
		}
	}
	h.Fatalf("no link in %q", text)
	return "", ""
}

// TestATrial: somebody signs up, reads their mail, confirms, and stands in their own tenant with a checklist and fourteen days.
func TestATrial(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.browser()
	w.get("/trial").want(200).has("Work email", "Behavioral health", "Send me the link")
	w.post("/trial", applying("Ana@Lindenhof.example")).want(200).has("Check your email", "ana@lindenhof.example", "Dev mode sends no mail")
	path, _ := h.link("ana@lindenhof.example")
	if strings.Contains(h.dump(""), strings.TrimPrefix(path, "/trial/")) {
		t.Error("the database holds the link")
	}
	for range 2 { // a program that checks mails opens it too
		h.browser().get(path).want(200).has("Start the trial of Lindenhof Dental", `name="password"`, "noindex")
	}
	w.get(path).want(200).lacks(`name="password"`)
	w.post(path, url.Values{}).leads("/overview")
	w.get("/overview").want(200).has("Lindenhof Dental", "Ana Ruiz", "14 days of trial left", `class="card checklist"`)
	w.get("/agents").has("Built-in agent")
	w.get("/settings").has("Europe/Berlin")
	if _, there := w.cookies[signupCookie]; there {
		t.Error("the cookie of the sign-up stayed")
	}
	// The link is used up, the password works, and the record says who began.
	w.post(path, url.Values{}).want(410)
	h.browser().get(path).want(410).has("no longer works")
	h.browser().post("/signin", signIn("ana@lindenhof.example", "bells in the morning")).leads("/overview")
	all, err := h.store.Tenants().List(t.Context())
	must(t, err)
	e, err := h.store.For(all[0].ID).Subscription().Entitlement(t.Context())
	must(t, err)
	if all[0].Slug != "lindenhof-dental" || all[0].DefaultAgent == "" || e.Standing != tenants.StandingTrial || e.Plan.Code != "starter" {
		t.Errorf("%+v, %+v", all[0], e)
	}
	if got := e.Until.Sub(h.clock.now()); got != 14*24*time.Hour {
		t.Errorf("a trial of %s", got)
	}
	audits, _, err := h.store.For(all[0].ID).Audits().List(t.Context(), store.AuditQuery{})
	must(t, err)
	if len(audits) < 5 || audits[0].Actor.Name != "Ana Ruiz" {
		t.Errorf("%d audit rows", len(audits))
	}
}

// TestATrialElsewhere: in another browser the link alone opens nothing, so that nobody gets an account with a stranger's password.
func TestATrialElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.browser().post("/trial", applying("ana@lindenhof.example")).want(200)
	path, _ := h.link("ana@lindenhof.example")
	w := h.browser()
	w.post(path, url.Values{}).want(422).has("not the password you chose")
	w.cookies[signupCookie] = "made-up"
	w.post(path, url.Values{"password": {"guessed"}}).want(422)
	slowed := false
	for range 12 {
		slowed = slowed || w.post(path, url.Values{"password": {"guessed"}}).StatusCode == 429
	}
	if !slowed {
		t.Error("guessing is not slowed down")
	}
	h.clock.pass(10 * time.Minute)
	w.post(path, url.Values{"password": {"bells in the morning"}}).leads("/overview")
}

func TestATrialsLinkExpires(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.browser()
	w.post("/trial", applying("ana@lindenhof.example")).want(200)
	path, _ := h.link("ana@lindenhof.example")
	h.clock.pass(24*time.Hour - time.Second)
	w.get(path).want(200)
	h.clock.pass(time.Second)
	w.get(path).want(410)
	w.post(path, url.Values{}).want(410)
	for _, bad := range []string{"/trial/x", "/trial/crl_trial_" + strings.Repeat("a", 39),
		"/trial/" + string(tenants.NewSecret(tenants.InvitationPrefix)), "/trial/" + string(tenants.NewSecret(tenants.TrialPrefix))} {
		w.get(bad).want(410)
		w.post(bad, url.Values{"password": {"x"}}).want(410)
	}
	if n := len(h.tenants()); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

func (h *house) tenants() []tenants.Tenant {
	all, err := h.store.Tenants().List(h.Context())
	must(h, err)
	return all
}

// TestOneTrialForACompany: the page says the same to everybody, the mail says why not.
func TestOneTrialForACompany(t *testing.T) {
	t.Parallel()
	h := open(t)
	try := func(email string) (page, mail, path string) {
		h.clock.pass(time.Hour)
		res := h.browser().post("/trial", applying(email)).want(200)
		path, mail = h.link(email)
		page, _, _ = strings.Cut(strings.ReplaceAll(res.body, email, "SOMEBODY"), "Dev mode")
		return page, mail, path
	}
	begin := func(email string) {
		_, _, path := try(email)
		h.browser().post(path, url.Values{"password": {"bells in the morning"}}).leads("/overview")
	}
	begin("ana@lindenhof.example")
	first, _, _ := try("cleo@elsewhere.example")
	for email, says := range map[string]string{
		"ana@lindenhof.example": "already has an account", "ben@lindenhof.example": "Your company has already had " +
			"one", "ben@mail.lindenhof.example": "Your company has already had one",
	} {
		page, mail, _ := try(email)
		if page != first {
			t.Errorf("%s gets another page", email)
		}
		if !strings.Contains(mail, says) {
			t.Errorf("%s reads %q", email, mail)
		}
	}
	// Domains that strangers share have a trial for each address.
	begin("ana@gmail.com")
	begin("ben@gmail.com")
	if _, mail, _ := try("ana+again@gmail.com"); !strings.Contains(mail, "has already had one") {
		t.Errorf("a plus sign makes another person: %q", mail)
	}
	slugs := map[string]bool{}
	for _, one := range h.tenants() {
		slugs[one.Slug] = true
	}
	if len(slugs) != 3 {
		t.Errorf("tenants: %v", slugs)
	}
	// Two links of one company were out: the second one is told so, and nothing is half made.
	_, _, one := try("dora@twice.example")
	_, _, two := try("emil@twice.example")
	h.browser().post(one, url.Values{"password": {"bells in the morning"}}).leads("/overview")
	h.browser().post(two, url.Values{"password": {"bells in the morning"}}).want(409).has("already has a trial")
	if n := len(h.tenants()); n != 4 {
		t.Errorf("%d tenants", n)
	}
}

func TestSigningUpIsChecked(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.browser()
	for field, bad := range map[string][]string{
		"company": {"", strings.Repeat("x", 81), "a\x00b"}, "name": {"", "a\u202eb"}, "email": {"", "x", "a@b", "a@co.uk", "a b@c.example",
			"a@b.example\r\nBcc: c@d.example", "<a@b.example>", "a@localhost"},
		"password": {"", "short", strings.Repeat("x", 20)}, "industry": {"", "mining"}, "time_zone": {"", "Local", "../../etc/passwd", "Nowhere"},
	} {
		for _, value := range bad {
			f := applying("ana@lindenhof.example")
			f.Set(field, value)
			w.post("/trial", f).want(422).has("field-error")
		}
	}
	if len(h.post.all) != 0 {
		t.Errorf("%d letters", len(h.post.all))
	}
	f := applying("ana@lindenhof.example")
	f.Set("company", canary)
	w.post("/trial", f).want(200)
	path, _ := h.link("ana@lindenhof.example")
	w.get(path).want(200).lacks("<img src=x")
}

func TestSigningUpIsSlowedDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	sent := 0
	for range 8 {
		if h.browser().post("/trial", applying("ana@lindenhof.example")).StatusCode == 200 {
			sent++
		}
	}
	if sent != 3 || len(h.post.to("ana@lindenhof.example")) != 3 {
		t.Errorf("%d letters to one address", sent)
	}
	h.clock.pass(20 * time.Minute)
	res := h.browser().post("/trial", applying("ana@lindenhof.example")).want(200)
	res.has("Check your email")
	for i := range 8 {
		res = h.browser().post("/trial", applying(string(rune('a'+i))+"@firm.example"))
	}
	if res.want(429).Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	res.has("Too many attempts")
}

func TestNobodySignsUpWithoutMail(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *house, c *Config) { c.Mail = nil })
	h.browser().get("/trial").want(200).has("cannot send email").lacks("<form method=\"post\" action=\"/trial\"")
	h.browser().post("/trial", applying("ana@lindenhof.example")).want(503)
	h.browser().get("/pricing").want(200).has("How to start")
}

// FuzzSignUp: whatever is typed, nothing is answered by a fault of ours, and no markup comes back.
func FuzzSignUp(f *testing.F) {
	h := open(f)
	f.Add("Lindenhof", "Ana", "ana@lindenhof.example", "bells in the morning", "healthcare", "Europe/Berlin")
	f.Add(canary, "\x00", "a@b.example\r\nBcc: x@y.example", "\xff", "x", "Local")
	f.Add("a", "a", "a@xn--", "            ", "legal", "UTC")
	f.Fuzz(func(t *testing.T, company, name, email, password, industry, zone string) {
		h.clock.pass(time.Hour)
		form := url.Values{"company": {company}, "name": {name}, "email": {email}, "password": {password}, "industry": {industry},
			"time_zone": {zone}}
		req := httptest.NewRequest("POST", "/trial", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := h.app.Test(req, -1)
		must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode >= 500 || strings.Contains(string(body), "<img src=x") {
			t.Errorf("%d for %q %q %q %q %q %q", res.StatusCode, company, name, email, password, industry, zone)
		}
	})
}
