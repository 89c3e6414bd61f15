package console

import (
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
)

// openMoney is a house with a Stripe in this process, whose messages the test carries.
func openMoney(t testing.TB, secrets ...string) (*house, *stripetest.Stripe) {
	t.Helper()
	var s *stripetest.Stripe
	h := openWith(t, "http://127.0.0.1", func(h *house) *billing.Billing {
		var err error
		s, err = stripetest.New(stripetest.Config{Now: h.clock.now()})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		b, err := billing.New(billing.Config{Store: h.store, Key: stripetest.Key, Secrets: secrets, URL: s.URL(),
			PublicURL: "http://127.0.0.1", Now: h.clock.now, Log: slog.New(slog.DiscardHandler)})
		must(t, err)
		_, err = b.SyncPlans(t.Context())
		must(t, err)
		return b
	})
	return h, s
}

// tell carries all of Stripe's messages.
func (h *house) tell(s *stripetest.Stripe) {
	h.Helper()
	b := h.browser()
	for _, e := range s.Events("") {
		b.headers = map[string]string{"Stripe-Signature": stripetest.Sign(e.Body, stripetest.Secret, time.Now())}
		b.send("POST", "/webhooks/stripe", "application/json", string(e.Body)).want(200)
	}
}

func (t *tenant) trial() {
	must(t.h, t.scope().Subscription().Set(t.h.Context(), t.h.store.Plans().Trial(t.id, "starter", t.h.clock.now())))
}

func fieldsOf(pairs ...string) url.Values { return fields(pairs...)(nil) }

func TestTheBillingRoomFromTrialToCancelled(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.quick(a.owner)
	w.get("/overview").want(200).has("14 days of trial left")
	room := w.get("/billing").want(200).has("Starter", "The trial ends on", "$1,499", "$12 for 1,000", "No invoices yet", "Subscribe")
	if p := room.Header.Get("Content-Security-Policy"); !strings.Contains(p, "form-action 'self' "+s.URL()) {
		t.Errorf("the forms of the room cannot lead to Stripe: %s", p)
	}
	if p := w.get("/settings").Header.Get("Content-Security-Policy"); strings.Contains(p, s.URL()) {
		t.Errorf("the forms of other pages can: %s", p)
	}
	to := w.post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).want(303).Header.Get("Location")
	if !strings.HasPrefix(to, s.URL()+"/pay/") {
		t.Fatalf("a checkout leads to %q", to)
	}
	if again := w.get("/billing?checkout=done").want(200).has("Stripe is confirming your payment",
		"The trial ends on").Header.Get("Refresh"); again != "3; url=/billing?checkout=done&look=1" {
		t.Errorf("the page looks again by %q", again)
	}
	for _, over := range []string{"8", "99999999999999999999", "x"} {
		if again := w.get("/billing?checkout=done&look=" + over).want(200).Header.Get("Refresh"); again != "" {
			t.Errorf("look=%s goes on by %q", over, again)
		}
	}
	w.post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", "1")).want(409)
	must(t, s.Pay(s.Sessions()[0]))
	w.get("/billing?checkout=done").want(200).has("Stripe is confirming your payment") // it is paid, and Stripe has not told us
	h.tell(s)
	w.get("/billing?checkout=done").want(200).has("$149 by the month", "Current plan", "Payment method",
		"Cancel subscription").lacks("is confirming", "Subscribe to")

	w.get("/billing/change?plan=growth&interval=month").want(200).has("From Starter by the month to Growth by the month", "Due now: $0")
	w.get("/billing/change?plan=gold&interval=month").want(404)
	w.post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", "x")).want(400)
	now := h.clock.now().Unix()
	w.post("/billing/change", fieldsOf("plan", "growth", "interval", "month", "at", strconv.FormatInt(now, 10))).leads("/billing")
	w.get("/billing").want(200).has("Your plan was changed", "$499 by the month")

	w.get("/billing").want(200).has("With overage, phones keep ringing and you pay $12 for 1,000 rings", "Allow overage")
	w.post("/billing/overage", fieldsOf("overage", "on")).leads("/billing")
	w.get("/billing").want(200).has("phones keep ringing. You pay $12 for 1,000 rings", "Stop overage")
	w.post("/billing/overage", fieldsOf("overage", "off")).leads("/billing")

	w.get("/billing/cancel").want(200).has("Everything works until")
	w.post("/billing/cancel", fieldsOf()).leads("/billing")
	w.get("/billing").want(200).has("Cancelled, active until the end of the period", "Keep subscription")
	w.post("/billing/resume", fieldsOf()).leads("/billing")
	if to := w.post("/billing/portal", fieldsOf()).want(303).Header.Get("Location"); !strings.HasPrefix(to, s.URL()+"/portal/") {
		t.Errorf("the portal is at %q", to)
	}
	s.Down(true)
	w.get("/billing").want(200).has("Stripe does not answer at the moment")
	w.get("/billing/invoices.csv").want(503)
	w.post("/billing/cancel", fieldsOf()).want(503)
}

// TestInvoicesAndDaysArePaged: the room shows a part, leads to the rest and back, keeps its other place, and gives both as files.
func TestInvoicesAndDaysArePaged(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.quick(a.owner)
	w.post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).want(303)
	must(t, s.Pay(s.Sessions()[0]))
	for range 15 {
		s.Advance(31 * 24 * time.Hour)
	}
	customer := s.Customers()[0]
	all := len(s.Invoices(customer))
	if all < billsPerPage+2 {
		t.Fatalf("%d invoices", all)
	}
	h.tell(s)
	h.clock.pass(15 * 31 * 24 * time.Hour)
	w = a.quick(a.owner)
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
	first := w.get("/billing").want(200)
	if n := strings.Count(first.body, ">CAR-"); n != billsPerPage {
		t.Errorf("%d invoices at once", n)
	}
	earlier := w.get(link(first.body, "until=")).want(200).has("in these 30 days")
	both := w.get(link(earlier.body, "invoices=in_")).want(200).has("#usage", "until=").lacks("CAR-00" + strconv.Itoa(all))
	if n := strings.Count(both.body, ">CAR-"); n != all-billsPerPage {
		t.Errorf("%d invoices on the second page, of %d", n, all)
	}
	back := link(strings.Split(both.body, `id="invoices"`)[1], "until=")
	if strings.Contains(back, "invoices=") || !strings.HasSuffix(back, "#invoices") {
		t.Errorf("back to the latest invoices is %s", back)
	}
	if n := strings.Count(w.get("/billing/invoices.csv").want(200).has("CAR-0001,", ",149.00,usd,http").body, "\r\n"); n != all+1 {
		t.Errorf("the file has %d lines, of %d invoices", n, all)
	}
	w.get("/billing/usage.csv").want(200).has("day_utc,rings\r\n")
	w.get("/billing?until=2020-13-45").want(400)
	w.get("/billing?until=" + h.clock.now().AddDate(0, 0, 2).Format(time.DateOnly)).want(400)
	w.get("/billing?invoices=in/x").want(400)
	h.browser().get("/billing/invoices.csv").leads("/signin?next=%2Fbilling%2Finvoices.csv")
	other := h.full("beta", "Beta")
	if n := strings.Count(other.quick(other.owner).get("/billing/invoices.csv").want(200).lacks("CAR-").body, "\r\n"); n != 1 {
		t.Errorf("another tenant's file has %d lines", n)
	}
}

func TestTheBillingDoors(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	a.trial()
	b.trial()
	viewer, w := a.quick(a.person(tenants.Viewer)), a.quick(a.owner)
	w.headers = map[string]string{"Sec-Fetch-Site": "cross-site"}
	before := h.dump("")
	doors := map[string]url.Values{"checkout": fieldsOf("plan", "growth", "interval", "month", "tenant", string(b.id)), "portal": nil,
		"change": fieldsOf("plan", "growth", "interval", "month", "at", "1"),
		"cancel": nil, "resume": nil, "overage": fieldsOf("overage", "on")}
	for door, form := range doors {
		h.browser().post("/billing/"+door, form).leads("/signin")
		viewer.post("/billing/"+door, form).want(403)
		w.post("/billing/"+door, form).want(403)
	}
	viewer.get("/billing").want(200).lacks("<form method=\"post\" action=\"/billing")
	viewer.get("/billing/change?plan=growth&interval=month").want(403)
	viewer.get("/billing/cancel").want(403)
	if after := h.dump(""); after != before {
		t.Errorf("somebody changed something:\n%s", diff(before, after))
	}
	if n := len(s.Customers()); n != 0 {
		t.Errorf("%d customers were made at Stripe", n)
	}
}

func TestStripesDoor(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	a.trial()
	w := a.quick(a.owner)
	w.post("/billing/checkout", fieldsOf("plan", "growth", "interval", "year")).want(303)
	must(t, s.Pay(s.Sessions()[0]))
	e := s.Events("checkout.session.completed")[0]
	b := h.browser()
	send := func(body, sign string) answer {
		b.headers = map[string]string{"Stripe-Signature": sign}
		return b.send("POST", "/webhooks/stripe", "application/json; charset=utf-8", body)
	}
	send(string(e.Body), "").want(400)
	send(string(e.Body), stripetest.Sign(e.Body, "", time.Now())).want(400)
	send(string(e.Body), stripetest.Sign(e.Body, "whsec_wrong_one", time.Now())).want(400).has("bad_signature")
	big := strings.Repeat("x", 1<<20)
	send(big, stripetest.Sign([]byte(big), stripetest.Secret, time.Now())).want(413)
	b.send("GET", "/webhooks/stripe", "", "").want(405)
	s.Down(true)
	send(string(e.Body), stripetest.Sign(e.Body, stripetest.Secret, time.Now())).want(503)
	s.Down(false)
	send(string(e.Body), stripetest.Sign(e.Body, stripetest.Secret, time.Now())).want(200)
	sub, err := a.scope().Subscription().Get(t.Context())
	must(t, err)
	if sub.Plan != "growth" || sub.Interval != tenants.Yearly || !sub.Live() {
		t.Errorf("%+v", sub)
	}

	shut, _ := openMoney(t) // without a secret a forged message would pass, so that there is no door
	shut.browser().send("POST", "/webhooks/stripe", "application/json", string(e.Body)).want(404)
	open(t).browser().send("POST", "/webhooks/stripe", "application/json", string(e.Body)).want(404)
}

// TestWithoutStripe: the room says how it is, and everything else works.
func TestWithoutStripe(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	w := a.quick(a.owner)
	room := w.get("/billing").want(200).has("No plan", "no limits", "This server does not take payments",
		"Ask its operator to change your plan").lacks("Subscribe to", "<form method=\"post\" action=\"/billing")
	if p := room.Header.Get("Content-Security-Policy"); !strings.HasSuffix(p, "form-action 'self'") {
		t.Errorf("the policy is wider than it needs to be: %s", p)
	}
	w.post("/billing/checkout", fieldsOf("plan", "growth", "interval", "month")).want(http.StatusNotFound)

	must(t, a.scope().Subscription().Set(t.Context(), h.store.Plans().Assigned(a.id, "starter", h.clock.now(), time.Time{})))
	must(t, a.scope().Invitations().Add(t.Context(), invitation(h, "x@example.com")))
	w.get("/billing").want(200).has("Starter", "the operator of this server", "5,000", "Current plan", "All 3 people of the plan are in use")
	w.post("/people/add", fieldsOf("email", "new@example.com", "role", "viewer")).want(402).has("includes 3 people")
	a.trial()
	h.clock.pass(14 * 24 * time.Hour)
	w = a.quick(a.owner)
	w.get("/overview").want(200).has("The trial ended on", "Go to Billing")
	w.post("/rings/test", fieldsOf("device", string(a.device))).want(402).has("The trial ended on")
	w.get("/billing").want(200).has("Ended. Phones do not ring.")
}

func invitation(h *house, email string) store.Invitation {
	now := h.clock.now()
	return store.Invitation{Hash: tenants.NewSecret(tenants.InvitationPrefix).Hash(), Email: email, Role: tenants.Viewer, CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"$1,499": page.Money(149900, "usd"), "$0.04": page.Money(4, "usd"), "−$74.50": page.Money(-7450, "USD"), "CHF 12.05": page.Money(1205,
			"chf"), "€1,234,567": page.Money(123456700, "eur"), "$0": page.Money(0, "usd"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestACardThatHadItsTrial: the room says what happened and what to do; phones ring on for a day, and subscribing ends the notice.
func TestACardThatHadItsTrial(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	for _, one := range []*tenant{a, b} {
		one.trial()
		one.quick(one.owner).post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).want(303)
		customers := s.Customers()
		s.Attach(customers[len(customers)-1], "4242")
		must(t, s.Pay(s.Sessions()[len(s.Sessions())-1]))
		h.tell(s)
		s.Advance(time.Minute)
	}
	w := b.quick(b.owner)
	w.get("/billing").want(200).has("was used for a trial of another organisation", "Nothing was charged", "Subscribe before then",
		"Trial, ends early", `aria-label="Subscribe to Starter by the month"`).lacks("Cancelled, and works")
	w.get("/overview").want(200).has("was used for a trial of another organisation", "Go to Billing")
	a.quick(a.owner).get("/billing").want(200).lacks("another organisation: then", "was used for a trial of another")
	w.post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).want(303)
	must(t, s.Pay(s.Sessions()[len(s.Sessions())-1]))
	h.tell(s)
	w.get("/billing").want(200).has("Active", "$149 by the month").lacks("was used for a trial of another")
}
