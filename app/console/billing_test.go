package console

import (
	"carillon/app/page/pagetest"

	"carillon/app/page"

	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// openMoney is a server with a Stripe in this process, whose messages the test carries.
func openMoney(t testing.TB, secrets ...string) (*server, *stripetest.Stripe) {
	t.Helper()
	var s *stripetest.Stripe
	h := openWith(t, "http://127.0.0.1", func(h *server) *billing.Billing {
		var err error
		s, err = stripetest.New(stripetest.Config{Now: h.Clock.Now()})
		pagetest.Must(t, err)
		t.Cleanup(func() { pagetest.Must(t, s.Close()) })
		b, err := billing.New(billing.Config{Store: h.Store, Key: stripetest.Key, Secrets: secrets, URL: s.URL(),
			PublicURL: "http://127.0.0.1", Now: h.Clock.Now, Log: slog.New(slog.DiscardHandler)})
		pagetest.Must(t, err)
		_, err = b.SyncPlans(t.Context())
		pagetest.Must(t, err)
		return b
	})
	return h, s
}

// tell carries all of Stripe's messages.
func (h *server) tell(s *stripetest.Stripe) {
	h.Helper()
	b := h.Browser()
	for _, e := range s.Events("") {
		b.Headers = map[string]string{"Stripe-Signature": stripetest.Sign(e.Body, stripetest.Secret, time.Now())}
		b.Send("POST", "/webhooks/stripe", "application/json", string(e.Body)).Want(200)
	}
}

func (t *tenant) trial() {
	pagetest.Must(t.h, t.Scope().Subscription().Set(t.h.Context(), t.h.Store.Plans().Trial(t.Id, "starter", t.h.Clock.Now())))
}

func fieldsOf(pairs ...string) url.Values { return fields(pairs...)(nil) }

func TestBillingFromTrialToCancelled(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.Quick(a.Owner)
	w.Get("/overview").Want(200).Has("14 days of trial left")
	page := w.Get("/billing").Want(200).Has("Starter", "The trial ends on", "$1,499", "$12 for 1,000", "No invoices yet", "Subscribe")
	if p := page.Header.Get("Content-Security-Policy"); !strings.Contains(p, "form-action 'self' "+s.URL()) {
		t.Errorf("the forms of the page cannot lead to Stripe: %s", p)
	}
	if p := w.Get("/settings").Header.Get("Content-Security-Policy"); strings.Contains(p, s.URL()) {
		t.Errorf("the forms of other pages can: %s", p)
	}
	to := w.Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303).Header.Get("Location")
	if !strings.HasPrefix(to, s.URL()+"/pay/") {
		t.Fatalf("a checkout leads to %q", to)
	}
	if again := w.Get("/billing?checkout=done").Want(200).Has("Stripe is confirming your payment",
		"The trial ends on").Header.Get("Refresh"); again != "3; url=/billing?checkout=done&look=1" {
		t.Errorf("the page looks again by %q", again)
	}
	for _, over := range []string{"8", "99999999999999999999", "x"} {
		if again := w.Get("/billing?checkout=done&look=" + over).Want(200).Header.Get("Refresh"); again != "" {
			t.Errorf("look=%s goes on by %q", over, again)
		}
	}
	w.Post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", "1")).Want(409)
	pagetest.Must(t, s.Pay(s.Sessions()[0]))
	w.Get("/billing?checkout=done").Want(200).Has("Stripe is confirming your payment") // it is paid, and Stripe has not told us
	h.tell(s)
	w.Get("/billing?checkout=done").Want(200).Has("$149 by the month", "Current plan", "Payment method",
		"Cancel subscription").Lacks("is confirming", "Subscribe to")

	w.Get("/billing/change?plan=growth&interval=month").Want(200).Has("From Starter by the month to Growth by the month", "Due now: $0",
		"Then $499 by the month, from ")
	w.Get("/billing/change?plan=gold&interval=month").Want(404)
	w.Post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", "x")).Want(400)
	now := h.Clock.Now().Unix()
	w.Post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", strconv.FormatInt(now, 10))).Leads("/billing")
	w.Get("/billing").Want(200).Has("Your plan was changed", "$499 by the month")

	w.Get("/billing").Want(200).Has("With overage, phones keep ringing and you pay $12 for 1,000 rings", "Allow overage")
	w.Post("/billing/overage", fieldsOf("overage", "on")).Leads("/billing")
	w.Get("/billing").Want(200).Has("phones keep ringing. You pay $12 for 1,000 rings", "Stop overage")
	w.Post("/billing/overage", fieldsOf("overage", "off")).Leads("/billing")

	w.Get("/billing/cancel").Want(200).Has("Everything works until")
	w.Post("/billing/cancel", fieldsOf()).Leads("/billing")
	berlin, err := time.LoadLocation("Europe/Berlin") // of the tenant
	pagetest.Must(t, err)
	end := h.Clock.Now().AddDate(0, 0, 14).In(berlin).Format("2 Jan")
	w.Get("/billing").Want(200).Has("Cancelled, active until "+end+"<", "Keep subscription")
	w.Post("/billing/resume", fieldsOf()).Leads("/billing")
	if to := w.Post("/billing/portal", fieldsOf()).Want(303).Header.Get("Location"); !strings.HasPrefix(to, s.URL()+"/portal/") {
		t.Errorf("the portal is at %q", to)
	}
	s.Down(true)
	w.Get("/billing").Want(200).Has("Stripe does not answer at the moment")
	w.Get("/billing/invoices.csv").Want(503)
	w.Get("/billing/invoices").Want(503)
	w.Post("/billing/cancel", fieldsOf()).Want(503)
}

// TestInvoicesAndDaysArePaged: the page shows a part, leads to the rest and back, keeps its other
// place, and gives both as files.
func TestInvoicesAndDaysArePaged(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.Quick(a.Owner)
	w.Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303)
	pagetest.Must(t, s.Pay(s.Sessions()[0]))
	for range 27 {
		s.Advance(31 * 24 * time.Hour)
	}
	customer := s.Customers()[0]
	all := len(s.Invoices(customer))
	if all < 2*billsPerPage+2 {
		t.Fatalf("%d invoices", all)
	}
	h.tell(s)
	h.Clock.Pass(27 * 31 * 24 * time.Hour)
	w = a.Quick(a.Owner)
	link := func(body, word string) string {
		t.Helper()
		for _, l := range between(body, `href="/billing?`, `"`) {
			if strings.Contains(l, word) {
				return "/billing?" + strings.ReplaceAll(l, "&amp;", "&")
			}
		}
		t.Fatalf("no link with %s", word)
		return ""
	}
	first := w.Get("/billing").Want(200)
	if n := strings.Count(first.Body, ">CAR-"); n != billsPerPage {
		t.Errorf("%d invoices at once", n)
	}
	earlier := w.Get(link(first.Body, "until=")).Want(200).Has("in these 30 days")
	both := w.Get(link(earlier.Body, "invoices=in_")).Want(200).Has("#usage", "until=").Lacks("CAR-00" + strconv.Itoa(all))
	if n := strings.Count(both.Body, ">CAR-"); n != billsPerPage {
		t.Errorf("%d invoices on the second page, of %d", n, all)
	}
	second, third := "", link(strings.Split(both.Body, `id="invoices"`)[1], "invoices=in_")
	for _, l := range between(strings.Split(w.Get(third).Want(200).Body, `id="invoices"`)[1], `href="/billing?`, `" rel="prev"`) {
		second = "/billing?" + strings.ReplaceAll(l, "&amp;", "&")
	}
	if n := strings.Count(w.Get(second).Want(200).Body, ">CAR-"); second == "" || n != billsPerPage {
		t.Errorf("from the third page of invoices, %s leads to %d of them", second, n)
	}
	back := link(strings.Split(both.Body, `id="invoices"`)[1], "until=")
	if strings.Contains(back, "invoices=") || !strings.HasSuffix(back, "#invoices") {
		t.Errorf("back to the latest invoices is %s", back)
	}
	if n := strings.Count(w.Get("/billing/invoices.csv").Want(200).Has("CAR-0001,", ",149.00,usd,http").Body, "\r\n"); n != all+1 {
		t.Errorf("the file has %d lines, of %d invoices", n, all)
	}
	first.Has(`href="/billing/invoices"`)
	list := w.Get("/billing/invoices").Want(200).Has(views.Plural(all, "invoice", "invoices"), "CAR-0001", "Paid")
	if n := strings.Count(list.Body, ">CAR-"); n != all {
		t.Errorf("the list has %d of %d invoices", n, all)
	}
	var sum int64
	for _, id := range s.Invoices(customer) {
		sum += s.Total(id)
	}
	list.Has(page.Money(sum, "usd") + ", " + views.Plural(all, "invoice", "invoices"))
	one := w.Get("/billing/invoices?q=car-0001").Want(200).Has(">1 invoice<", "CAR-0001").Lacks("CAR-0002")
	one.Has("/billing/invoices.csv?q=car-0001")
	w.Get("/billing/invoices?state=open").Want(200).Lacks(">CAR-")
	w.Get("/billing/invoices?to=2020-01-01").Want(200).Lacks(">CAR-")
	w.Get("/billing/invoices?to=never").Want(400)
	for sorted, want := range map[string]string{"number": "CAR-0001", "-number": "CAR-00" + strconv.Itoa(all), "created": "CAR-0001"} {
		rows := strings.Split(w.Get("/billing/invoices.csv?sort="+sorted).Want(200).Body, "\r\n")
		if !strings.HasPrefix(rows[1], want+",") {
			t.Errorf("sorted by %s the file begins with %s", sorted, rows[1])
		}
	}
	if n := strings.Count(w.Get("/billing/invoices.csv?q=CAR-0002").Want(200).Body, "\r\n"); n != 2 {
		t.Errorf("the file of one invoice has %d lines", n)
	}
	w.Get("/billing/usage.csv").Want(200).Has("day,time_zone,rings\r\n")
	w.Get("/billing?until=2020-13-45").Want(400)
	w.Get("/billing?until=" + h.Clock.Now().AddDate(0, 0, 2).Format(time.DateOnly)).Want(400)
	w.Get("/billing?invoices=in/x").Want(400)
	h.Browser().Get("/billing/invoices.csv").Leads("/signin?next=%2Fbilling%2Finvoices.csv")
	other := h.full("beta", "Beta")
	if n := strings.Count(other.Quick(other.Owner).Get("/billing/invoices.csv").Want(200).Lacks("CAR-").Body, "\r\n"); n != 1 {
		t.Errorf("another tenant's file has %d lines", n)
	}
}

func TestTheBillingDoors(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	a.trial()
	b.trial()
	viewer, w := a.Quick(a.Person(tenants.Viewer)), a.Quick(a.Owner)
	w.Headers = map[string]string{"Sec-Fetch-Site": "cross-site"}
	before := withoutRefusals(h.Dump(""))
	posts := map[string]url.Values{"checkout": fieldsOf("plan", "growth", "interval", "month", "tenant", string(b.Id)), "portal": nil,
		"change": fieldsOf("plan", "growth", "interval", "month", "at", "1"),
		"cancel": nil, "resume": nil, "overage": fieldsOf("overage", "on")}
	for path, form := range posts {
		h.Browser().Post("/billing/"+path, form).Leads("/signin")
		viewer.Post("/billing/"+path, form).Want(403)
		w.Post("/billing/"+path, form).Want(403)
	}
	viewer.Get("/billing").Want(200).Lacks("<form method=\"post\" action=\"/billing")
	viewer.Get("/billing/change?plan=growth&interval=month").Want(403)
	viewer.Get("/billing/cancel").Want(403)
	if after := withoutRefusals(h.Dump("")); after != before {
		t.Errorf("somebody changed something:\n%s", diff(before, after))
	}
	if n := len(s.Customers()); n != 0 {
		t.Errorf("%d customers were made at Stripe", n)
	}
}

func TestStripeWebhook(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.Quick(a.Owner)
	w.Post("/billing/checkout", fieldsOf("plan", "growth", "interval", "year")).Want(303)
	pagetest.Must(t, s.Pay(s.Sessions()[0]))
	e := s.Events("checkout.session.completed")[0]
	b := h.Browser()
	send := func(body, sign string) pagetest.Answer {
		b.Headers = map[string]string{"Stripe-Signature": sign}
		return b.Send("POST", "/webhooks/stripe", "application/json; charset=utf-8", body)
	}
	send(string(e.Body), "").Want(400)
	send(string(e.Body), stripetest.Sign(e.Body, "", time.Now())).Want(400)
	send(string(e.Body), stripetest.Sign(e.Body, "whsec_wrong_one", time.Now())).Want(400).Has("bad_signature")
	big := strings.Repeat("x", 1<<20)
	send(big, stripetest.Sign([]byte(big), stripetest.Secret, time.Now())).Want(413)
	b.Send("GET", "/webhooks/stripe", "", "").Want(405)
	s.Down(true)
	send(string(e.Body), stripetest.Sign(e.Body, stripetest.Secret, time.Now())).Want(503)
	s.Down(false)
	send(string(e.Body), stripetest.Sign(e.Body, stripetest.Secret, time.Now())).Want(200)
	sub, err := a.Scope().Subscription().Get(t.Context())
	pagetest.Must(t, err)
	if sub.Plan != "growth" || sub.Interval != tenants.Yearly || !sub.Live() {
		t.Errorf("%+v", sub)
	}

	shut, _ := openMoney(t) // without a secret a forged message would pass, so that the route is absent
	shut.Browser().Send("POST", "/webhooks/stripe", "application/json", string(e.Body)).Want(404)
	open(t).Browser().Send("POST", "/webhooks/stripe", "application/json", string(e.Body)).Want(404)
}

// TestWithoutStripe: the page says how it is, and everything else works.
func TestWithoutStripe(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	page := w.Get("/billing").Want(200).Has("No plan", "no limits", "This server does not take payments",
		"Ask its operator to change your plan").Lacks("Subscribe to", "<form method=\"post\" action=\"/billing")
	if p := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(p, "form-action 'self'") {
		t.Errorf("the policy is wider than it needs to be: %s", p)
	}
	w.Post("/billing/checkout", fieldsOf("plan", "growth", "interval", "month")).Want(http.StatusNotFound)

	pagetest.Must(t, a.Scope().Subscription().Set(t.Context(), h.Store.Plans().Assigned(a.Id, "starter", h.Clock.Now(), time.Time{})))
	pagetest.Must(t, a.Scope().Invitations().Add(t.Context(), invitation(h, "x@example.com"), nil))
	w.Get("/billing").Want(200).Has("Starter", "the operator of this server", "5,000", "Current plan",
		"All 3 people of the plan are in use")
	w.Post("/people/add", fieldsOf("email", "new@example.com", "role", "viewer")).Want(402).Has("includes 3 people")
	a.trial()
	h.Clock.Pass(14 * 24 * time.Hour)
	w = a.Quick(a.Owner)
	w.Get("/overview").Want(200).Has("The trial ended on", "Go to Billing")
	w.Post("/rings/test", fieldsOf("device", string(a.device))).Want(402).Has("The trial ended on")
	w.Get("/billing").Want(200).Has("Ended. Phones do not ring.")
}

func invitation(h *server, email string) store.Invitation {
	now := h.Clock.Now()
	return store.Invitation{Hash: tenants.NewSecret(tenants.InvitationPrefix).Hash(), Email: email, Role: tenants.Viewer, CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"$1,499": page.Money(149900, "usd"), "$0.04": page.Money(4, "usd"), "−$74.50": page.Money(-7450, "USD"),
		"CHF 12.05": page.Money(1205,
			"chf"), "€1,234,567": page.Money(123456700, "eur"), "$0": page.Money(0, "usd"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestACardThatHadItsTrial: the page says what happened and what to do; phones ring on for a day,
// and subscribing ends the notice.
func TestACardThatHadItsTrial(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	for _, one := range []*tenant{a, b} {
		one.trial()
		one.Quick(one.Owner).Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303)
		customers := s.Customers()
		s.Attach(customers[len(customers)-1], "4242")
		pagetest.Must(t, s.Pay(s.Sessions()[len(s.Sessions())-1]))
		h.tell(s)
		s.Advance(time.Minute)
	}
	w := b.Quick(b.Owner)
	w.Get("/billing").Want(200).Has("was used for a trial of another organisation", "Nothing was charged", "Subscribe before then",
		"Trial, ends early", `aria-label="Subscribe to Starter by the month"`).Lacks("Cancelled, and works")
	w.Get("/overview").Want(200).Has("was used for a trial of another organisation", "Go to Billing")
	a.Quick(a.Owner).Get("/billing").Want(200).Lacks("another organisation: then", "was used for a trial of another")
	w.Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303)
	pagetest.Must(t, s.Pay(s.Sessions()[len(s.Sessions())-1]))
	h.tell(s)
	w.Get("/billing").Want(200).Has("Active", "$149 by the month").Lacks("was used for a trial of another")
}
