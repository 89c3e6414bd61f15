package app

import (
	"encoding/csv"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/views"
)

// The sums of the story: Growth by the month, a fifth off by a promotion code, and 19 % tax on the
// rest.
const (
	growthPaid   = 39920 + 7584 // cents
	growthEarned = "87.82"      // 22 % of the 399.20 that are no tax
)

// TestFromAPartnersLinkToThePayout: the operator makes a partner, a stranger follows the partner's
// link, tries, and pays each month; the partner sees it held, payable and paid, and what a refund
// takes back. The thirteenth month earns nothing.
func TestFromAPartnersLinkToThePayout(t *testing.T) {
	t.Parallel()
	m := opens(t)
	p := m.adds("Ana Ruiz", "ana@partner.example")
	ana := m.guest()
	ana.enters(p.Dashboard)
	ana.dashboard("nothing yet", "Clicks 0", "Trials 0", "Held $0.00", "Payable $0.00", "Paid $0.00")
	ana.leads(ana.submits("/affiliate/payee",
		url.Values{"payee": {"Ana Ruiz"}, "by": {"iban"}, "account": {"DE89 3704 0044 0532 0130 00"}}), views.PathPartner)

	stranger := m.guest()
	stranger.follows(p)
	stranger.tries("cleo@lindenhof.example", stranger.prefilled())
	if page := ana.dashboard("a trial", "Clicks 1", "Trials 1", "Paying customers 0", "Held $0.00"); strings.Contains(page,
		"lindenhof") || strings.Contains(page, "cleo") {
		t.Error("the dashboard names the customer")
	}
	m.stripe.Promote("BELLS20", 20)
	customer := stranger.buys("growth", url.Values{"card": {"good"}, "code": {"BELLS20"}})
	m.stripe.Tax(customer, 19)
	m.pass(14*24*time.Hour - 2*time.Hour)
	ana.dashboard("the trial is free", "Held $0.00", "Paying customers 0")
	m.pass(3 * time.Hour)
	if bills := m.stripe.Invoices(customer); len(bills) != 2 || m.stripe.Total(bills[1]) != growthPaid {
		t.Fatalf("%d bills, the last of %d", len(bills), m.stripe.Total(bills[len(bills)-1]))
	}
	ana.dashboard("the first month is paid", "Paying customers 1", "Held $"+growthEarned, "Payable $0.00")
	m.pass(29 * 24 * time.Hour)
	ana.comesBack("ana@partner.example")
	ana.dashboard("in the hold", "Held $"+growthEarned, "Payable $0.00")
	m.lists("Nothing is payable now.")
	m.pass(24 * time.Hour)
	m.isPaid(p)
	ana.dashboard("the second month is held", "Held $"+growthEarned, "Payable $0.00", "Paid $"+growthEarned)
	m.isTakenBack(ana, customer)
	m.untilTheThirteenth(ana, customer)
	if r := m.stripe.Refused(); len(r) > 0 {
		t.Errorf("requests that Stripe would refuse: %q", r)
	}
}

// follows opens a partner's link, and later another's: the first stays.
func (g *guest) follows(p madePartner) {
	g.t.Helper()
	g.leads(g.sends("GET", strings.TrimPrefix(p.Link, "http://127.0.0.1"), nil, 303), "/")
	other := g.adds("Ben Later", "ben@later.example")
	g.leads(g.sends("GET", strings.TrimPrefix(other.Link, "http://127.0.0.1"), nil, 303), "/")
	at, err := url.Parse(g.ready.URL)
	if err != nil {
		g.t.Fatal(err)
	}
	kept := ""
	for _, c := range g.client.Jar.Cookies(at) {
		if c.Name == "via" {
			kept = c.Value
		}
	}
	if kept != p.Code || g.prefilled() != p.Code {
		g.t.Fatalf("after the links of %s and %s the cookie is %q and the form holds %q", p.Code, other.Code, kept, g.prefilled())
	}
}

// lists is what `carillon affiliate payouts` says.
func (m *market) lists(want string) {
	m.t.Helper()
	if said := m.verb("affiliate", "payouts"); !strings.Contains(said, want) {
		m.t.Errorf("payouts says %q, want %q", said, want)
	}
}

// isPaid is the operator's part: the list, the file for the bank, and the mark, once.
func (m *market) isPaid(p madePartner) {
	m.t.Helper()
	m.lists("Total " + growthEarned + " USD")
	sheet, err := csv.NewReader(strings.NewReader(m.verb("affiliate", "payouts", "--csv"))).ReadAll()
	if err != nil || len(sheet) != 2 || strings.Join(sheet[1], "|") != p.Code+
		"|Ana Ruiz|ana@partner.example|Ana Ruiz|iban|DE89370400440532013000|"+growthEarned+"|usd|1" {
		m.t.Errorf("the file is %q, %v", sheet, err)
	}
	for _, want := range []string{"Recorded: " + growthEarned, "Nothing was changed"} {
		if said := m.verb("affiliate", "payouts", "--mark-paid", p.Code, "--amount", growthEarned, "--reference",
			"SEPA 7"); !strings.Contains(said, want) {
			m.t.Errorf("marking says %q, want %q", said, want)
		}
	}
	m.lists("Nothing is payable now.")
}

// comesBack signs a partner in at /affiliate, whose sign-in was over.
func (g *guest) comesBack(email string) {
	g.t.Helper()
	g.leads(g.sends("GET", views.PathPartner, nil, 303), "/affiliate#join")
	if page := g.sends("POST", "/affiliate", url.Values{"name": {"Ana"}, "email": {email}},
		200); !strings.Contains(page, "Check your email") {
		g.t.Fatalf("asking for a link gives\n%s", page)
	}
	text, link := g.mail(email)
	// The mail about the payout details came before.
	for !strings.Contains(text, "partner dashboard") || !strings.Contains(link, "/affiliate/links/") {
		text, link = g.mail(email)
	}
	g.enters(link)
}

// isTakenBack refunds the month that was paid out: it goes against the next one.
func (m *market) isTakenBack(ana *guest, customer string) {
	m.t.Helper()
	m.stripe.Refund(m.stripe.Invoices(customer)[1], growthPaid)
	page := ana.dashboard("refunded", "Held $"+growthEarned, "Payable $0.00", "Paid $"+growthEarned)
	for _, want := range []string{
		"Clawback", "−$" + growthEarned, "$" + growthEarned + " will be deducted from your next commissions", "SEPA 7",
	} {
		if !strings.Contains(page, want) {
			m.t.Errorf("after the refund the dashboard lacks %q", want)
		}
	}
	m.pass(31 * 24 * time.Hour)
	ana.comesBack("ana@partner.example")
	ana.dashboard("the second month went against it", "Held $"+growthEarned, "Payable $0.00", "Paid $"+growthEarned)
	m.lists("Nothing is payable now.")
}

// untilTheThirteenth lets a year and more go by, and all holds.
func (m *market) untilTheThirteenth(ana *guest, customer string) {
	m.t.Helper()
	for range 12 {
		m.pass(31 * 24 * time.Hour)
	}
	if n := len(m.stripe.Invoices(customer)) - 1; n < 14 {
		m.t.Fatalf("only %d months were paid", n)
	}
	ana.comesBack("ana@partner.example")
	// eleven months are left of twelve, and one was paid out
	if page := ana.dashboard("after a year", "Held $0.00", "Payable $878.20",
		"Paid $"+growthEarned); !strings.Contains(page, "Period ended") {
		m.t.Errorf("the dashboard does not say that the year is over:\n%s", page)
	}
	m.lists("Total 878.20 USD")
	sheet, err := csv.NewReader(strings.NewReader(ana.opens(views.PathPartnerCSV))).ReadAll()
	if err != nil {
		m.t.Fatal(err)
	}
	lines := map[string]int{}
	for _, row := range sheet[1:] {
		lines[row[1]+" "+row[3]]++
	}
	if len(sheet) != 14 || lines["Commission "+growthEarned] != 12 || lines["Clawback -"+growthEarned] != 1 {
		m.t.Errorf("the ledger is %v", lines)
	}
}

// TestNobodyEarnsByThemselves: the partner's own account, a colleague and the partner's own card
// are found out, each where it shows; a code that somebody else types counts like the link.
func TestNobodyEarnsByThemselves(t *testing.T) {
	t.Parallel()
	m := opens(t)
	const plastic = "4000 0000 0000 0077"
	bob, good := m.guest(), url.Values{"card": {"good"}}
	bob.tries("bob@own.example", "")
	bob.buys("starter", url.Values{"card": {"good"}, "number": {plastic}})
	his := m.adds("Bob", "bob@own.example")
	bob.enters(his.Dashboard) // signed in to the console: the account is his too
	firm, ana := m.adds("Ana", "ana@firm.example"), m.guest()
	ana.enters(firm.Dashboard)

	ben := m.guest()
	ben.tries("ben@mail.firm.example", firm.Code)
	ben.buys("starter", good)
	dora := m.guest()
	dora.tries("dora@else.example", " "+strings.ToLower(his.Code))
	dora.buys("starter", good)
	bob.tries("bob@second.example", his.Code)
	bob.buys("starter", good)
	m.pass(14*24*time.Hour + time.Hour)

	cleo := m.guest()
	cleo.tries("cleo@friend.example", his.Code)
	second := url.Values{"card": {"good"}, "number": {plastic}}
	cleo.buys("starter", second) // the card had its trial: this one is cut
	text, link := m.mail("cleo@friend.example")
	for _, want := range []string{"Subject: Carillon, friend: The trial ends early: its card had one before",
		"was used for a trial of another organisation", "Nothing was charged", "subscribe under Billing"} {
		if !strings.Contains(strings.ReplaceAll(text, "\n", " "), want) {
			t.Errorf("the mail lacks %q:\n%s", want, text)
		}
	}
	if link != "/billing" {
		t.Errorf("the mail leads to %q", link)
	}
	customer := cleo.buys("starter", second)
	if n := m.stripe.Total(m.stripe.Invoices(customer)[1]); n != 14900 {
		t.Fatalf("subscribed again, %d is paid at once", n)
	}
	if n := len(m.mails["cleo@friend.example"]); n != 0 {
		t.Errorf("%d more mails about one cut", n)
	}
	if page := bob.dashboard("a stranger, himself and his card", "Trials 1", "Paying customers 1", "Held $32.78",
		"Payable $0.00"); strings.Count(page, "Your own account, no commission") != 2 {
		t.Errorf("the dashboard does not say of two that they are his own:\n%s", page)
	}
	if page := ana.dashboard("a colleague", "Trials 0", "Paying customers 0", "Held $0.00",
		"Payable $0.00"); strings.Count(page, "Your own account, no commission") != 1 {
		t.Errorf("the dashboard does not say of a colleague that it earns nothing:\n%s", page)
	}
	if r := m.stripe.Refused(); len(r) > 0 {
		t.Errorf("requests that Stripe would refuse: %q", r)
	}
}
