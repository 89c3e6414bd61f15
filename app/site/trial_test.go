package site

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func applying(email string) url.Values {
	return url.Values{
		"company": {"Lindenhof Dental"}, "name": {"Ana Ruiz"}, "email": {email},
		"password": {"bells in the morning"}, "industry": {"healthcare"}, "time_zone": {"Europe/Berlin"},
	}
}

// TestATrial: somebody signs up, reads their mail, confirms, and stands in their own tenant with a
// checklist and fourteen days.
func TestATrial(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.Browser()
	w.Get("/trial").Want(200).Has("Work email", "Behavioral health", "Send me the link", `<option value="" selected>Choose your industry`,
		"The industry cannot be changed later")
	w.Post("/trial", applying("Ana@Lindenhof.example")).Want(200).Has("Check your email", "ana@lindenhof.example",
		"Dev mode sends no email")
	path, _ := h.Link("ana@lindenhof.example")
	if strings.Contains(h.Dump(""), strings.TrimPrefix(path, "/trial/")) {
		t.Error("the database holds the link")
	}
	for range 2 { // a program that checks mails opens it too
		h.Browser().Get(path).Want(200).Has("Start the trial of Lindenhof Dental", `name="password"`, "noindex")
	}
	w.Get(path).Want(200).Lacks(`name="password"`)
	w.Post(path, url.Values{}).Leads("/overview")
	w.Get("/overview").Want(200).Has("Lindenhof Dental", "Ana Ruiz", "14 days of trial left", `class="card checklist"`)
	w.Get("/agents").Has("Appointment assistant")
	w.Get("/settings").Has("Europe/Berlin")
	if _, there := w.Cookies[signupCookie]; there {
		t.Error("the cookie of the sign-up stayed")
	}
	// The link is used up, the password works, and the record says who began.
	w.Post(path, url.Values{}).Want(410)
	h.Browser().Get(path).Want(410).Has("no longer works")
	h.Browser().Post("/signin", url.Values{"email": {"ana@lindenhof.example"}, "password": {"bells in the morning"}}).Leads("/overview")
	all, err := h.Store.Tenants().List(t.Context())
	pagetest.Must(t, err)
	e, err := h.Store.For(all[0].ID).Subscription().Entitlement(t.Context())
	pagetest.Must(t, err)
	if all[0].Slug != "lindenhof-dental" || all[0].DefaultAgent == "" || e.Standing != tenants.StandingTrial || e.Plan.Code != "starter" {
		t.Errorf("%+v, %+v", all[0], e)
	}
	if got := e.Until.Sub(h.Clock.Now()); got != 14*24*time.Hour {
		t.Errorf("a trial of %s", got)
	}
	audits, _, err := h.Store.For(all[0].ID).Audits().List(t.Context(), store.AuditQuery{})
	pagetest.Must(t, err)
	if len(audits) < 5 || audits[0].Actor.Name != "Ana Ruiz" {
		t.Errorf("%d audit rows", len(audits))
	}
}

// TestATrialElsewhere: in another browser the link alone opens nothing, so that nobody gets an
// account with a stranger's password.
func TestATrialElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Browser().Post("/trial", applying("ana@lindenhof.example")).Want(200)
	path, _ := h.Link("ana@lindenhof.example")
	w := h.Browser()
	w.Post(path, url.Values{}).Want(422).Has("not the password you chose")
	w.Cookies[signupCookie] = "made-up"
	w.Post(path, url.Values{"password": {"guessed"}}).Want(422)
	slowed := false
	for range 12 {
		slowed = slowed || w.Post(path, url.Values{"password": {"guessed"}}).StatusCode == 429
	}
	if !slowed {
		t.Error("guessing is not slowed down")
	}
	h.Clock.Pass(10 * time.Minute)
	w.Post(path, url.Values{"password": {"bells in the morning"}}).Leads("/overview")
}

func TestATrialsLinkExpires(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.Browser()
	w.Post("/trial", applying("ana@lindenhof.example")).Want(200)
	path, _ := h.Link("ana@lindenhof.example")
	h.Clock.Pass(24*time.Hour - time.Second)
	w.Get(path).Want(200)
	h.Clock.Pass(time.Second)
	w.Get(path).Want(410)
	w.Post(path, url.Values{}).Want(410)
	for _, bad := range []string{"/trial/x", "/trial/crl_trial_" + strings.Repeat("a", 39),
		"/trial/" + string(tenants.NewSecret(tenants.InvitationPrefix)), "/trial/" + string(tenants.NewSecret(tenants.TrialPrefix))} {
		w.Get(bad).Want(410)
		w.Post(bad, url.Values{"password": {"x"}}).Want(410)
	}
	if n := len(h.Tenants()); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

// TestOneTrialForACompany: the page says the same to everybody, the mail says why not.
func TestOneTrialForACompany(t *testing.T) {
	t.Parallel()
	h := open(t)
	try := func(email string) (page, mail, path string) {
		h.Clock.Pass(time.Hour)
		res := h.Browser().Post("/trial", applying(email)).Want(200)
		path, mail = h.Link(email)
		page, _, _ = strings.Cut(strings.ReplaceAll(res.Body, email, "SOMEBODY"), "Dev mode")
		return page, mail, path
	}
	begin := func(email string) {
		_, _, path := try(email)
		h.Browser().Post(path, url.Values{"password": {"bells in the morning"}}).Leads("/overview")
	}
	begin("ana@lindenhof.example")
	first, _, _ := try("cleo@elsewhere.example")
	for email, says := range map[string]string{
		"ana@lindenhof.example": "already have an account",
		"ben@lindenhof.example": "your company has already had it", "ben@mail.lindenhof.example": "your company has already had it",
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
	if _, mail, _ := try("ana+again@gmail.com"); !strings.Contains(mail, "has already had it") {
		t.Errorf("a plus sign makes another person: %q", mail)
	}
	slugs := map[string]bool{}
	for _, one := range h.Tenants() {
		slugs[one.Slug] = true
	}
	if len(slugs) != 3 {
		t.Errorf("tenants: %v", slugs)
	}
	// Two links of one company were out: the second one says so, and nothing is half made.
	_, _, one := try("dora@twice.example")
	_, _, two := try("emil@twice.example")
	h.Browser().Post(one, url.Values{"password": {"bells in the morning"}}).Leads("/overview")
	h.Browser().Post(two, url.Values{"password": {"bells in the morning"}}).Want(409).Has("already has a trial")
	if n := len(h.Tenants()); n != 4 {
		t.Errorf("%d tenants", n)
	}
}

func TestSigningUpIsChecked(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.Browser()
	for field, bad := range map[string][]string{
		"company": {"", strings.Repeat("x", 81), "a\x00b"}, "name": {"", "a\u202eb"}, "email": {"", "x", "a@b", "a@co.uk", "a b@c.example",
			"a@b.example\r\nBcc: c@d.example", "<a@b.example>", "a@localhost"},
		"password": {"", "short", strings.Repeat("x", 20)}, "industry": {"", "mining"},
		"time_zone": {"", "Local", "../../etc/passwd", "Nowhere"},
	} {
		for _, value := range bad {
			f := applying("ana@lindenhof.example")
			f.Set(field, value)
			w.Post("/trial", f).Want(422).Has("field-error")
		}
	}
	if len(h.Mails.All) != 0 {
		t.Errorf("%d letters", len(h.Mails.All))
	}
	f := applying("ana@lindenhof.example")
	f.Set("company", pagetest.Canary)
	w.Post("/trial", f).Want(200)
	path, _ := h.Link("ana@lindenhof.example")
	w.Get(path).Want(200).Lacks("<img src=x")
}

func TestSigningUpIsSlowedDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	sent := 0
	for range 8 {
		if h.Browser().Post("/trial", applying("ana@lindenhof.example")).StatusCode == 200 {
			sent++
		}
	}
	if sent != 3 || len(h.Mails.To("ana@lindenhof.example")) != 3 {
		t.Errorf("%d letters to one address", sent)
	}
	h.Clock.Pass(20 * time.Minute)
	res := h.Browser().Post("/trial", applying("ana@lindenhof.example")).Want(200)
	res.Has("Check your email")
	for i := range 8 {
		res = h.Browser().Post("/trial", applying(string(rune('a'+i))+"@firm.example"))
	}
	if res.Want(429).Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	res.Has("Too many attempts")
}

// TestSignUpsAskForBreachesAtTheirRate: the other server is asked only after the rate has admitted
// the sign-up.
func TestSignUpsAskForBreachesAtTheirRate(t *testing.T) {
	t.Parallel()
	asked := 0
	known := sha1.Sum([]byte("bells in the morning"))
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, "%s:7\r\n", strings.ToUpper(hex.EncodeToString(known[:]))[5:])
	}))
	t.Cleanup(service.Close)
	breaches, err := page.NewBreaches(service.URL + "/range")
	pagetest.Must(t, err)
	h := openAs(t, "http://127.0.0.1", func(h *server, _ *Config) { h.Common.Breached = breaches })
	for range 3 {
		h.Browser().Post("/trial", applying("ana@lindenhof.example")).Want(422).Has("data breach")
	}
	h.Browser().Post("/trial", applying("ana@lindenhof.example")).Want(429)
	if asked != 3 || len(h.Mails.All) != 0 {
		t.Errorf("asked %d times, %d letters", asked, len(h.Mails.All))
	}
}

func TestNobodySignsUpWithoutMail(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Mail = nil })
	h.Browser().Get("/trial").Want(200).Has("cannot send email").Lacks("<form method=\"post\" action=\"/trial\"")
	h.Browser().Post("/trial", applying("ana@lindenhof.example")).Want(503)
	h.Browser().Get("/pricing").Want(200).Has("How to start")
}

// FuzzSignUp: whatever is typed, nothing is answered by a fault of ours, and no markup comes back.
func FuzzSignUp(f *testing.F) {
	h := open(f)
	f.Add("Lindenhof", "Ana", "ana@lindenhof.example", "bells in the morning", "healthcare", "Europe/Berlin")
	f.Add(pagetest.Canary, "\x00", "a@b.example\r\nBcc: x@y.example", "\xff", "x", "Local")
	f.Add("a", "a", "a@xn--", "            ", "legal", "UTC")
	f.Fuzz(func(t *testing.T, company, name, email, password, industry, zone string) {
		h.Clock.Pass(time.Hour)
		form := url.Values{"company": {company}, "name": {name}, "email": {email}, "password": {password}, "industry": {industry},
			"time_zone": {zone}}
		req := httptest.NewRequest("POST", "/trial", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := h.App.Test(req, -1)
		pagetest.Must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		pagetest.Must(t, err)
		if res.StatusCode >= 500 || strings.Contains(string(body), "<img src=x") {
			t.Errorf("%d for %q %q %q %q %q %q", res.StatusCode, company, name, email, password, industry, zone)
		}
	})
}

// TestMailsOfTheSiteAreInThePagesLanguage: a mail to a stranger is in the language of the page.
func TestMailsOfTheSiteAreInThePagesLanguage(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.Browser()
	w.Headers = map[string]string{"Accept-Language": "es-MX"}
	w.Post("/trial", applying("ana@lindenhof.example")).Want(200)
	h.Link("ana@lindenhof.example")
	if m := h.Mails.To("ana@lindenhof.example")[0]; m.Subject != "Comience su prueba de Carillon" ||
		!strings.Contains(m.Text, "Para confirmar su correo electrónico y comenzar su prueba, abra este enlace:") {
		t.Errorf("%+v", m)
	}
}
