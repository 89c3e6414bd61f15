package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// personAt is a browser whose User-Agent is one of a person.
func (h *house) personAt() *browser {
	b := h.browser()
	b.headers["User-Agent"] = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 " +
		"Safari/605.1.15"
	return b
}

// becomes comes in as a partner by the link in the mail.
func (b *browser) becomes(email string) tenants.Partner {
	b.h.Helper()
	b.h.clock.pass(time.Hour)
	b.post("/affiliate", url.Values{"name": {"Ana Ruiz"}, "email": {email}}).want(200).has("Check your email")
	path, text := b.h.link(email)
	if !strings.Contains(text, "partner dashboard") {
		b.h.Fatalf("the mail says %q", text)
	}
	b.get(path).want(200).has("Open your partner dashboard", email)
	b.get(path).want(200) // a program that checks mails was here before
	b.post(path, nil).leads("/affiliate/dashboard")
	all, err := b.h.store.Partners().List(b.h.Context())
	must(b.h, err)
	for _, p := range all {
		if p.Email == email {
			return p
		}
	}
	b.h.Fatalf("%s is no partner", email)
	return tenants.Partner{}
}

// tries begins a trial in this browser, with what the form has in its field of the code unless one is typed.
func (b *browser) tries(email, code string) tenants.Tenant {
	b.h.Helper()
	b.h.clock.pass(time.Hour)
	f := applying(email)
	f.Set("code", code)
	b.post("/trial", f).want(200)
	path, _ := b.h.link(email)
	b.post(path, url.Values{"password": {"bells in the morning"}}).leads("/overview")
	all := b.h.tenants()
	latest := all[0]
	for _, t := range all {
		if t.ID > latest.ID {
			latest = t
		}
	}
	return latest
}

// prefilled is the code that the form of a trial holds.
func (b *browser) prefilled() string {
	b.h.Helper()
	_, rest, _ := strings.Cut(b.get("/trial").want(200).body, `name="code"`)
	field, _, _ := strings.Cut(rest, ">")
	_, value, _ := strings.Cut(field, `value="`)
	value, _, _ = strings.Cut(value, `"`)
	return value
}

func (h *house) clicked(p tenants.Partner) (n int64) {
	h.Helper()
	must(h, h.store.Ready(h.Context())) // behind the clicks in the queue
	days, err := h.store.Partners().Clicks(h.Context(), p.ID)
	must(h, err)
	for _, d := range days {
		n += d.Clicks
	}
	return n
}

// TestAPartner: comes in by mail, passes a link on, somebody tries and pays, and the room tells it without a name.
func TestAPartner(t *testing.T) {
	t.Parallel()
	h := open(t)
	ana := h.personAt()
	ana.get("/affiliate").want(200).has("22 % of what they pay, for 12 months.", "60 days", "30 days", "$109.78", "$1,317.36",
		"does not take payments yet")
	p := ana.becomes("ana@partner.example")
	ana.get("/affiliate/dashboard").want(200).has(p.Code, "/r/"+p.Code, "No customers yet", "No lines yet", "No payouts yet", "$0.00",
		"We need your payout details")
	ana.get("/affiliate").want(200).has("You are a partner")

	w := h.personAt()
	w.get("/r/" + p.Code).leads("/")
	if w.prefilled() != p.Code {
		t.Errorf("the form holds %q", w.prefilled())
	}
	brought := w.tries("cleo@lindenhof.example", w.prefilled())
	r, err := h.store.Ledger().ReferralOf(t.Context(), brought.ID)
	must(t, err)
	if r.Partner != p.ID || r.Refused != "" || r.Terms.Percent != 22 || r.Terms.Months != 12 || r.Terms.HoldDays != 30 {
		t.Errorf("%+v", r)
	}
	pay := tenants.Payment{ID: "in_secret", At: h.clock.now(), Cents: 49900, Untaxed: 49900}
	settle := func() {
		must(t, h.store.Ledger().Settle(t.Context(), store.Settlement{Tenant: brought.ID, Asked: h.clock.now(),
			Payments: []tenants.Payment{pay}}))
	}
	settle()
	room := ana.get("/affiliate/dashboard").want(200).has("$109.78", "Held", "Earns", "Commission", "Customer "+string(r.ID)[:6])
	room.lacks("Lindenhof", "cleo", "in_secret", string(brought.ID), brought.Slug)
	h.clock.pass(31 * 24 * time.Hour)
	ana.becomes("ana@partner.example") // the sign-in was over after thirty days
	ana.get("/affiliate/dashboard").want(200).has("Payable")
	_, _, err = h.store.Ledger().PayOut(t.Context(), p.ID, 10978, "=SEPA 7")
	must(t, err)
	pay.Returned = 49900
	settle()
	ana.get("/affiliate/dashboard").want(200).has("Paid", "Clawback", "−$109.78", "$109.78 will be deducted from your next commissions", "=SEPA 7")
	sheet, err := csv.NewReader(strings.NewReader(ana.get("/affiliate/dashboard.csv").want(200).body)).ReadAll()
	must(t, err)
	if len(sheet) != 3 || sheet[1][3] != "109.78" || sheet[1][5] != "paid" || sheet[1][7] != "'=SEPA 7" || sheet[2][1] != "Clawback" ||
		sheet[2][3] != "-109.78" {
		t.Errorf("%q", sheet)
	}
	ana.post("/affiliate/signout", nil).leads("/affiliate")
	ana.get("/affiliate/dashboard").leads("/affiliate#join")
}

func TestTheFirstLinkStays(t *testing.T) {
	t.Parallel()
	h := openAt(t, "https://ring.example")
	first, second := h.personAt().becomes("ana@first.example"), h.personAt().becomes("ben@second.example")
	w := h.personAt()
	res := w.get("/pricing?via=" + strings.ToLower(first.Code)).want(200)
	var via *http.Cookie
	for _, c := range res.Cookies() {
		if c.Name == "via" {
			via = c
		}
	}
	if via == nil || !via.HttpOnly || !via.Secure || via.SameSite != http.SameSiteLaxMode || via.MaxAge != 60*24*3600 ||
		via.Value != first.Code || via.Path != "/" {
		t.Errorf("%+v", via)
	}
	if res := w.get("/r/" + second.Code); len(res.Cookies()) != 0 {
		t.Errorf("a later link sets %v", res.Cookies())
	}
	if got := w.prefilled(); got != first.Code {
		t.Errorf("the form holds %q", got)
	}
	must(t, h.store.Partners().Stop(t.Context(), first.ID, h.clock.now()))
	if res := w.get("/?via=" + second.Code).want(200); len(res.Cookies()) != 1 {
		t.Error("the cookie of a partner who was ended keeps the next one out")
	}
	for _, nobody := range []string{"ZZZZZZZZ", "<script>", first.Code} {
		if res := h.personAt().get("/?via=" + url.QueryEscape(nobody)).want(200); len(res.Cookies()) != 0 {
			t.Errorf("%s sets %v", nobody, res.Cookies())
		}
	}
	h.personAt().get("/r/ZZZZZZZZ").leads("/")
}

func TestClicksAreThoseOfPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.personAt().becomes("ana@partner.example")
	for name, headers := range map[string]map[string]string{
		"a program that says so": {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, "a " +
			"preview": {"User-Agent": "WhatsApp/2.23"}, "no browser": {"User-Agent": "curl/8.0"},
		"ahead of a click": {"Sec-Purpose": "prefetch;prerender"}, "as it was called before": {"Purpose": "prefetch"}, "an " +
			"image": {"Sec-Fetch-Dest": "image"},
	} {
		w := h.personAt()
		for k, v := range headers {
			w.headers[k] = v
		}
		if res := w.get("/r/" + p.Code); len(res.Cookies()) != 0 {
			t.Errorf("%s sets %v", name, res.Cookies())
		}
	}
	h.personAt().send("HEAD", "/r/"+p.Code, "", "")
	if n := h.clicked(p); n != 0 {
		t.Errorf("%d clicks of nobody", n)
	}
	for range 20 {
		h.personAt().get("/r/" + p.Code).leads("/")
	}
	if n := h.clicked(p); n != 3 {
		t.Errorf("%d clicks of one network", n)
	}
	h.clock.pass(time.Hour)
	w := h.personAt()
	w.headers["Sec-Fetch-Dest"] = "document"
	w.get("/docs?via=" + p.Code).want(200)
	if n := h.clicked(p); n != 4 {
		t.Errorf("%d clicks", n)
	}
	for line := range strings.SplitSeq(h.dump(""), "\n") {
		if strings.HasPrefix(line, "partner_clicks") && len(strings.Fields(line)) != 4 {
			t.Errorf("more than a number is kept: %s", line)
		}
	}
}

func TestNobodyBringsThemselvesByTheForm(t *testing.T) {
	t.Parallel()
	h := open(t)
	firm := h.personAt().becomes("ana@firm.example")
	alone := h.personAt().becomes("ana@gmail.com")
	for _, c := range []struct {
		partner tenants.Partner
		email   string
		want    tenants.Refusal
	}{
		{firm, "ben@mail.firm.example", tenants.RefusedCompany}, {alone, "ana+x@gmail.com", tenants.RefusedAddress}, {alone, "ben@gmail.com",
			""}, {firm, "cleo@else.example", ""},
	} {
		w := h.personAt()
		r, err := h.store.Ledger().ReferralOf(t.Context(), w.tries(c.email, c.partner.Code).ID)
		if err != nil || r.Refused != c.want || r.Partner != c.partner.ID {
			t.Errorf("%s by %s: %+v %v", c.email, c.partner.Email, r, err)
		}
	}
	// Whoever cleared the field was brought by nobody; who typed rubbish is told.
	w := h.personAt()
	w.get("/r/" + firm.Code).leads("/")
	if _, err := h.store.Ledger().ReferralOf(t.Context(), w.tries("dora@clear.example", "").ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a cleared field: %v", err)
	}
	for _, bad := range []string{"ZZZZZZZZ", "x", "\xff", canary} {
		f := applying("emil@bad.example")
		f.Set("code", bad)
		h.browser().post("/trial", f).want(422).has("This code does not exist").lacks("<img src=x")
	}
	// The partner's own account, under another address.
	lea := h.personAt()
	t1 := lea.tries("lea@owner.example", "")
	p := lea.becomes("lea@owner.example") // signed in to the console as well: the account opens the room
	if p.User == "" {
		t.Fatal("the account is not known")
	}
	if r, err := h.store.Ledger().ReferralOf(t.Context(), lea.tries("lea@other.example", p.Code).ID); err != nil ||
		r.Refused != tenants.RefusedPerson {
		t.Errorf("%+v %v (first %s)", r, err, t1.Slug)
	}
}

// TestAnAccountOpensTheRoomOnlyByMail: an account whose address nobody has proven is no partner by its address alone.
func TestAnAccountOpensTheRoomOnlyByMail(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	victim := h.personAt().becomes(b.owner.Email)
	w := b.quick(b.owner)
	w.get("/affiliate/dashboard").leads("/affiliate#join")
	w.get("/affiliate").want(200).has(`value="` + b.owner.Email + `"`)
	w.becomes(b.owner.Email)
	again := b.quick(b.owner) // another browser, signed in to the console alone
	again.get("/affiliate/dashboard").want(200).has(victim.Code)
}

func TestPayoutDetails(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.personAt()
	p := w.becomes("ana@partner.example")
	letters := len(h.post.to("ana@partner.example"))
	for _, bad := range []url.Values{
		{"payee": {"Ana"}, "by": {"iban"}, "account": {"DE00"}}, {"payee": {""}, "by": {"mail"}}, {"payee": {"Ana"},
			"by": {"cash"}}, {"payee": {"Ana"}, "by": {"paypal"}, "account": {canary}}, {},
	} {
		w.post("/affiliate/payee", bad).want(422).has("field-error").lacks("<img src=x")
	}
	good := url.Values{"payee": {"Ana Ruiz"}, "by": {"iban"}, "account": {"DE89 3704 0044 0532 0130 00"}}
	w.post("/affiliate/payee", good).leads("/affiliate/dashboard")
	w.get("/affiliate/dashboard").want(200).has("DE89370400440532013000", "Saved.").lacks("Nobody knows yet")
	w.post("/affiliate/payee", good).leads("/affiliate/dashboard")
	if n := len(h.post.to("ana@partner.example")) - letters; n != 1 {
		t.Errorf("%d letters about one change", n)
	}
	other := h.personAt()
	other.becomes("ben@partner.example")
	other.get("/affiliate/dashboard").want(200).lacks(p.Code, "DE89", "ana@partner.example")
	h.browser().post("/affiliate/payee", good).leads("/affiliate#join")
	must(t, h.store.Partners().Stop(t.Context(), p.ID, h.clock.now()))
	w.get("/affiliate/dashboard").want(200).has("Your partnership was ended")
}

func TestPartnerLinks(t *testing.T) {
	t.Parallel()
	h := open(t)
	ask := func(email string) string {
		h.clock.pass(time.Hour)
		res := h.browser().post("/affiliate", url.Values{"name": {"Ana"}, "email": {email}}).want(200)
		page, _, _ := strings.Cut(strings.ReplaceAll(res.body, email, "SOMEBODY"), "Dev mode")
		return page
	}
	h.personAt().becomes("ana@partner.example")
	if ask("ana@partner.example") != ask("nobody@partner.example") {
		t.Error("the page tells who is a partner")
	}
	path, _ := h.link("nobody@partner.example")
	h.browser().post(path, nil).leads("/affiliate/dashboard")
	h.browser().post(path, nil).want(410).has("no longer works")
	h.browser().get(path).want(410)
	for _, bad := range []string{"/affiliate/links/x", "/affiliate/links/" + string(tenants.NewSecret(tenants.PartnerPrefix)),
		"/affiliate/links/" + string(tenants.NewSecret(tenants.TrialPrefix))} {
		h.browser().get(bad).want(410)
		h.browser().post(bad, nil).want(410)
	}
	ask("late@partner.example")
	path, _ = h.link("late@partner.example")
	h.clock.pass(tenants.PartnerLinkTTL)
	h.browser().post(path, nil).want(410)
	for _, bad := range []url.Values{{"name": {""}, "email": {"a@b.example"}}, {"name": {"Ana"}, "email": {"x"}},
		{"name": {canary + "\x00"}, "email": {"a@localhost"}}} {
		h.browser().post("/affiliate", bad).want(422).has("field-error").lacks("<img src=x")
	}
	sent := 0
	for range 8 {
		if h.browser().post("/affiliate", url.Values{"name": {"Ana"}, "email": {"ana@partner.example"}}).StatusCode == 200 {
			sent++
		}
	}
	if sent != 3 {
		t.Errorf("%d letters to one address at once", sent)
	}
}

func TestNoPartnersWithoutMailOrWithoutTerms(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *house, c *Config) { c.Mail = nil })
	h.browser().get("/affiliate").want(200).has("cannot send email").lacks(`<form method="post" action="/affiliate`)
	h.browser().post("/affiliate", url.Values{"name": {"Ana"}, "email": {"a@b.example"}}).want(503)
	plans := tenants.BuiltinPlans()
	plans.Affiliate = tenants.Affiliate{}
	none := openAs(t, "http://127.0.0.1", func(h *house, c *Config) {
		c.Store = storetest.OpenConfig(t, store.Config{Now: h.clock.now, Plans: plans})
	})
	none.browser().get("/affiliate").want(200).has("This server has no partner programme.").lacks("22 %",
		"<form method=\"post\" action=\"/affiliate")
	none.browser().post("/affiliate", url.Values{"name": {"Ana"}, "email": {"a@b.example"}}).want(503)
}
