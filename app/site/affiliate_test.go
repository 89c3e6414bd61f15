package site

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// person is a browser whose User-Agent is one of a person.
type person struct{ *pagetest.Browser }

func (h *server) personAt() person {
	b := h.Browser()
	b.Headers["User-Agent"] = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 " +
		"Safari/605.1.15"
	return person{b}
}

// becomes comes in as a partner by the link in the mail.
func (b person) becomes(email string) tenants.Partner {
	b.H.Helper()
	b.H.Clock.Pass(time.Hour)
	b.Post("/affiliate", url.Values{"name": {"Ana Ruiz"}, "email": {email}}).Want(200).Has("Check your email")
	path, text := b.H.Link(email)
	if !strings.Contains(text, "partner dashboard") {
		b.H.Fatalf("the mail says %q", text)
	}
	b.Get(path).Want(200).Has("Open your partner dashboard", email)
	b.Get(path).Want(200) // a program that checks mails was here before
	b.Post(path, nil).Leads("/affiliate/dashboard")
	all, err := b.H.Store.Partners().List(b.H.Context())
	pagetest.Must(b.H, err)
	for _, p := range all {
		if p.Email == email {
			return p
		}
	}
	b.H.Fatalf("%s is no partner", email)
	return tenants.Partner{}
}

// tries begins a trial in this browser, with what the form has in its field of the code unless one
// is typed.
func (b person) tries(email, code string) tenants.Tenant {
	b.H.Helper()
	b.H.Clock.Pass(time.Hour)
	f := applying(email)
	f.Set("code", code)
	b.Post("/trial", f).Want(200)
	path, _ := b.H.Link(email)
	b.Post(path, url.Values{"password": {"bells in the morning"}}).Leads("/overview")
	all := b.H.Tenants()
	latest := all[0]
	for _, t := range all {
		if t.ID > latest.ID {
			latest = t
		}
	}
	return latest
}

// prefilled is the code that the form of a trial holds.
func (b person) prefilled() string {
	b.H.Helper()
	_, rest, _ := strings.Cut(b.Get("/trial").Want(200).Body, `name="code"`)
	field, _, _ := strings.Cut(rest, ">")
	_, value, _ := strings.Cut(field, `value="`)
	value, _, _ = strings.Cut(value, `"`)
	return value
}

func (h *server) clicked(p tenants.Partner) (n int64) {
	h.Helper()
	pagetest.Must(h, h.Store.Ready(h.Context())) // behind the clicks in the queue
	days, err := h.Store.Partners().Clicks(h.Context(), p.ID)
	pagetest.Must(h, err)
	for _, d := range days {
		n += d.Clicks
	}
	return n
}

// TestAPartner: comes in by mail, passes a link on, somebody tries and pays, and the room tells it
// without a name.
func TestAPartner(t *testing.T) {
	t.Parallel()
	h := open(t)
	ana := h.personAt()
	ana.Get("/affiliate").Want(200).Has("22 % of what they pay, for 12 months.", "60 days", "30 days", "$109.78", "$1,317.36",
		"does not take payments yet")
	p := ana.becomes("ana@partner.example")
	ana.Get("/affiliate/dashboard").Want(200).Has(p.Code, "/r/"+p.Code, "No customers yet", "No entries yet", "No payouts yet", "$0.00",
		"We need your payout details")
	ana.Get("/affiliate").Want(200).Has("You are a partner")

	w := h.personAt()
	w.Get("/r/" + p.Code).Leads("/")
	if w.prefilled() != p.Code {
		t.Errorf("the form holds %q", w.prefilled())
	}
	brought := w.tries("cleo@lindenhof.example", w.prefilled())
	r, err := h.Store.Ledger().ReferralOf(t.Context(), brought.ID)
	pagetest.Must(t, err)
	if r.Partner != p.ID || r.Refused != "" || r.Terms.Percent != 22 || r.Terms.Months != 12 || r.Terms.HoldDays != 30 {
		t.Errorf("%+v", r)
	}
	pay := tenants.Payment{ID: "in_secret", At: h.Clock.Now(), Cents: 49900, Untaxed: 49900}
	settle := func() {
		pagetest.Must(t, h.Store.Ledger().Settle(t.Context(), store.Settlement{Tenant: brought.ID, Asked: h.Clock.Now(),
			Payments: []tenants.Payment{pay}}))
	}
	settle()
	room := ana.Get("/affiliate/dashboard").Want(200).Has("$109.78", "Held", "Earns", "Commission", "Customer "+string(r.ID)[:6])
	room.Lacks("Lindenhof", "cleo", "in_secret", string(brought.ID), brought.Slug)
	h.Clock.Pass(31 * 24 * time.Hour)
	ana.becomes("ana@partner.example") // the sign-in was over after thirty days
	ana.Get("/affiliate/dashboard").Want(200).Has("Payable")
	_, _, err = h.Store.Ledger().PayOut(t.Context(), p.ID, 10978, "=SEPA 7")
	pagetest.Must(t, err)
	pay.Returned = 49900
	settle()
	ana.Get("/affiliate/dashboard").Want(200).Has("Paid", "Clawback", "−$109.78", "$109.78 will be deducted from your next commissions",
		"=SEPA 7")
	ana.Get("/affiliate/customers").Want(200).Has("Customer "+string(r.ID)[:6], "1 customer", "/affiliate/customers.csv")
	ana.Get("/affiliate/customers?q=nobody").Want(200).Has("No matches").Lacks("Customer " + string(r.ID)[:6])
	ana.Get("/affiliate/customers?sort=-earned&q="+string(r.ID)[:6]).Want(200).Has("Customer "+string(r.ID)[:6], `aria-sort="descending"`)
	ana.Get("/affiliate/customers.csv").Want(200).Has(string(r.ID))
	ana.Get("/affiliate/ledger?q=clawback").Want(200).Has("Clawback", "1 entry").Lacks("Commission</th>")
	ana.Get("/affiliate/ledger?after=x").Want(400)
	sheet, err := csv.NewReader(strings.NewReader(ana.Get("/affiliate/dashboard.csv?sort=created").Want(200).Body)).ReadAll()
	pagetest.Must(t, err)
	if len(sheet) != 3 || sheet[1][3] != "109.78" || sheet[1][5] != "paid" || sheet[1][7] != "'=SEPA 7" || sheet[2][1] != "Clawback" ||
		sheet[2][3] != "-109.78" {
		t.Errorf("%q", sheet)
	}
	ana.Post("/affiliate/signout", nil).Leads("/affiliate")
	for _, path := range []string{"/affiliate/dashboard", "/affiliate/customers", "/affiliate/ledger", "/affiliate/customers.csv"} {
		ana.Get(path).Leads("/affiliate#join")
	}
}

func TestTheFirstLinkStays(t *testing.T) {
	t.Parallel()
	h := openAt(t, "https://ring.example")
	first, second := h.personAt().becomes("ana@first.example"), h.personAt().becomes("ben@second.example")
	w := h.personAt()
	res := w.Get("/pricing?via=" + strings.ToLower(first.Code)).Want(200)
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
	if res := w.Get("/r/" + second.Code); len(res.Cookies()) != 0 {
		t.Errorf("a later link sets %v", res.Cookies())
	}
	if got := w.prefilled(); got != first.Code {
		t.Errorf("the form holds %q", got)
	}
	pagetest.Must(t, h.Store.Partners().Stop(t.Context(), first.ID, h.Clock.Now()))
	if res := w.Get("/?via=" + second.Code).Want(200); len(res.Cookies()) != 1 {
		t.Error("the cookie of a partner who was ended keeps the next one out")
	}
	for _, nobody := range []string{"ZZZZZZZZ", "<script>", first.Code} {
		if res := h.personAt().Get("/?via=" + url.QueryEscape(nobody)).Want(200); len(res.Cookies()) != 0 {
			t.Errorf("%s sets %v", nobody, res.Cookies())
		}
	}
	h.personAt().Get("/r/ZZZZZZZZ").Leads("/")
}

func TestClicksAreThoseOfPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.personAt().becomes("ana@partner.example")
	for name, headers := range map[string]map[string]string{
		"a program that says so": {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
		"a preview":              {"User-Agent": "WhatsApp/2.23"}, "no browser": {"User-Agent": "curl/8.0"},
		"ahead of a click": {"Sec-Purpose": "prefetch;prerender"}, "as it was called before": {"Purpose": "prefetch"},
		"an image": {"Sec-Fetch-Dest": "image"},
	} {
		w := h.personAt()
		for k, v := range headers {
			w.Headers[k] = v
		}
		if res := w.Get("/r/" + p.Code); len(res.Cookies()) != 0 {
			t.Errorf("%s sets %v", name, res.Cookies())
		}
	}
	h.personAt().Send("HEAD", "/r/"+p.Code, "", "")
	if n := h.clicked(p); n != 0 {
		t.Errorf("%d clicks of nobody", n)
	}
	for range 20 {
		h.personAt().Get("/r/" + p.Code).Leads("/")
	}
	if n := h.clicked(p); n != 3 {
		t.Errorf("%d clicks of one network", n)
	}
	h.Clock.Pass(time.Hour)
	w := h.personAt()
	w.Headers["Sec-Fetch-Dest"] = "document"
	w.Get("/docs?via=" + p.Code).Want(200)
	if n := h.clicked(p); n != 4 {
		t.Errorf("%d clicks", n)
	}
	for line := range strings.SplitSeq(h.Dump(""), "\n") {
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
		{firm, "ben@mail.firm.example", tenants.RefusedCompany}, {alone, "ana+x@gmail.com", tenants.RefusedAddress},
		{alone, "ben@gmail.com",
			""}, {firm, "cleo@else.example", ""},
	} {
		w := h.personAt()
		r, err := h.Store.Ledger().ReferralOf(t.Context(), w.tries(c.email, c.partner.Code).ID)
		if err != nil || r.Refused != c.want || r.Partner != c.partner.ID {
			t.Errorf("%s by %s: %+v %v", c.email, c.partner.Email, r, err)
		}
	}
	// An empty field names no partner; a field that cannot be read is refused.
	w := h.personAt()
	w.Get("/r/" + firm.Code).Leads("/")
	if _, err := h.Store.Ledger().ReferralOf(t.Context(), w.tries("dora@clear.example", "").ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a cleared field: %v", err)
	}
	for _, bad := range []string{"ZZZZZZZZ", "x", "\xff", pagetest.Canary} {
		f := applying("emil@bad.example")
		f.Set("code", bad)
		h.Browser().Post("/trial", f).Want(422).Has("This code does not exist").Lacks("<img src=x")
	}
	// The partner's own account, under another address.
	lea := h.personAt()
	t1 := lea.tries("lea@owner.example", "")
	p := lea.becomes("lea@owner.example") // signed in to the console as well: the account opens the room
	if p.User == "" {
		t.Fatal("the account is not known")
	}
	if r, err := h.Store.Ledger().ReferralOf(t.Context(), lea.tries("lea@other.example", p.Code).ID); err != nil ||
		r.Refused != tenants.RefusedPerson {
		t.Errorf("%+v %v (first %s)", r, err, t1.Slug)
	}
}

// TestAnAccountOpensTheRoomOnlyByMail: an account whose address nobody has proven is no partner by
// its address alone.
func TestAnAccountOpensTheRoomOnlyByMail(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.Bare("beta", "Beta")
	victim := h.personAt().becomes(b.Owner.Email)
	w := person{b.Quick(b.Owner)}
	w.Get("/affiliate/dashboard").Leads("/affiliate#join")
	w.Get("/affiliate").Want(200).Has(`value="` + b.Owner.Email + `"`)
	w.becomes(b.Owner.Email)
	again := b.Quick(b.Owner) // another browser, signed in to the console alone
	again.Get("/affiliate/dashboard").Want(200).Has(victim.Code)
}

func TestPayoutDetails(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.personAt()
	p := w.becomes("ana@partner.example")
	letters := len(h.Mails.To("ana@partner.example"))
	for _, bad := range []url.Values{
		{"payee": {"Ana"}, "by": {"iban"}, "account": {"DE00"}}, {"payee": {""}, "by": {"mail"}}, {"payee": {"Ana"},
			"by": {"cash"}}, {"payee": {"Ana"}, "by": {"paypal"}, "account": {pagetest.Canary}}, {},
	} {
		w.Post("/affiliate/payee", bad).Want(422).Has("field-error").Lacks("<img src=x")
	}
	good := url.Values{"payee": {"Ana Ruiz"}, "by": {"iban"}, "account": {"DE89 3704 0044 0532 0130 00"}}
	w.Post("/affiliate/payee", good).Leads("/affiliate/dashboard")
	w.Get("/affiliate/dashboard").Want(200).Has("DE89370400440532013000", "Saved.").Lacks("Nobody knows yet")
	w.Post("/affiliate/payee", good).Leads("/affiliate/dashboard")
	if n := len(h.Mails.To("ana@partner.example")) - letters; n != 1 {
		t.Errorf("%d letters about one change", n)
	}
	other := h.personAt()
	other.becomes("ben@partner.example")
	other.Get("/affiliate/dashboard").Want(200).Lacks(p.Code, "DE89", "ana@partner.example")
	h.Browser().Post("/affiliate/payee", good).Leads("/affiliate#join")
	pagetest.Must(t, h.Store.Partners().Stop(t.Context(), p.ID, h.Clock.Now()))
	w.Get("/affiliate/dashboard").Want(200).Has("Your partnership was ended")
}

// TestPartnersChangeAtARate: each change is mailed, so a partner can make few of them; other
// partners are not held up.
func TestPartnersChangeAtARate(t *testing.T) {
	t.Parallel()
	h := open(t)
	ana, ben := h.personAt(), h.personAt()
	ana.becomes("ana@partner.example")
	ben.becomes("ben@partner.example")
	pay := func(p person, n int) pagetest.Answer {
		h.Helper()
		return p.Post("/affiliate/payee", url.Values{"payee": {fmt.Sprint("Ana ", n)}, "by": {"mail"}})
	}
	n := 0
	for ; n < 100; n++ {
		if res := pay(ana, n); res.StatusCode == 429 {
			if res.Header.Get("Retry-After") == "" {
				t.Error("it does not say how long to wait")
			}
			break
		}
	}
	if n != 20 {
		t.Errorf("%d changes at once", n)
	}
	pay(ben, 0).Leads("/affiliate/dashboard")
	ana.Get("/affiliate/dashboard").Want(200)
	h.Clock.Pass(30 * time.Second)
	pay(ana, 100).Leads("/affiliate/dashboard")
	pay(ana, 101).Want(429)
	ana.Post("/affiliate/signout", nil).Leads("/affiliate")
}

func TestPartnerLinks(t *testing.T) {
	t.Parallel()
	h := open(t)
	ask := func(email string) string {
		h.Clock.Pass(time.Hour)
		res := h.Browser().Post("/affiliate", url.Values{"name": {"Ana"}, "email": {email}}).Want(200)
		page, _, _ := strings.Cut(strings.ReplaceAll(res.Body, email, "SOMEBODY"), "Dev mode")
		return page
	}
	h.personAt().becomes("ana@partner.example")
	if ask("ana@partner.example") != ask("nobody@partner.example") {
		t.Error("the page tells who is a partner")
	}
	path, _ := h.Link("nobody@partner.example")
	h.Browser().Post(path, nil).Leads("/affiliate/dashboard")
	h.Browser().Post(path, nil).Want(410).Has("no longer works")
	h.Browser().Get(path).Want(410)
	for _, bad := range []string{"/affiliate/links/x", "/affiliate/links/" + string(tenants.NewSecret(tenants.PartnerPrefix)),
		"/affiliate/links/" + string(tenants.NewSecret(tenants.TrialPrefix))} {
		h.Browser().Get(bad).Want(410)
		h.Browser().Post(bad, nil).Want(410)
	}
	ask("late@partner.example")
	path, _ = h.Link("late@partner.example")
	h.Clock.Pass(tenants.PartnerLinkTTL)
	h.Browser().Post(path, nil).Want(410)
	for _, bad := range []url.Values{{"name": {""}, "email": {"a@b.example"}}, {"name": {"Ana"}, "email": {"x"}},
		{"name": {pagetest.Canary + "\x00"}, "email": {"a@localhost"}}} {
		h.Browser().Post("/affiliate", bad).Want(422).Has("field-error").Lacks("<img src=x")
	}
	sent := 0
	for range 8 {
		if h.Browser().Post("/affiliate", url.Values{"name": {"Ana"}, "email": {"ana@partner.example"}}).StatusCode == 200 {
			sent++
		}
	}
	if sent != 3 {
		t.Errorf("%d letters to one address at once", sent)
	}
}

func TestNoPartnersWithoutMailOrWithoutTerms(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Mail = nil })
	h.Browser().Get("/affiliate").Want(200).Has("cannot send email").Lacks(`<form method="post" action="/affiliate`)
	h.Browser().Post("/affiliate", url.Values{"name": {"Ana"}, "email": {"a@b.example"}}).Want(503)
	plans := tenants.BuiltinPlans()
	plans.Affiliate = tenants.Affiliate{}
	none := openAs(t, "http://127.0.0.1", func(h *server, c *Config) {
		c.Store = storetest.OpenConfig(t, store.Config{Now: h.Clock.Now, Plans: plans})
	})
	none.Browser().Get("/affiliate").Want(200).Has("This server has no partner programme.").Lacks("22 %",
		"<form method=\"post\" action=\"/affiliate")
	none.Browser().Post("/affiliate", url.Values{"name": {"Ana"}, "email": {"a@b.example"}}).Want(503)
}
