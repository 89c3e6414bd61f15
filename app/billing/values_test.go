package billing

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// canned is a Stripe that answers each path with a fixed text, for answers that the strict one in
// stripetest never gives. It keeps what was sent.
type canned struct {
	*testing.T
	b   *Billing
	who Buyer

	mu    sync.Mutex // guards all below
	now   time.Time
	texts map[string]string // by method and path; a text that starts with a number is an error
	asked []string          // methods and paths
	forms map[string]url.Values
}

func newCanned(t *testing.T, plans tenants.Plans) *canned {
	t.Helper()
	c := &canned{T: t, now: noon, texts: map[string]string{}, forms: map[string]url.Values{}}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	db := storetest.OpenConfig(t, store.Config{Now: c.clock, Plans: plans})
	var err error
	c.b, err = New(Config{Store: db, Key: "sk_test_x", URL: server.URL, PublicURL: "https://ring.example/", Now: c.clock,
		Secrets: []string{"whsec_123456789"}, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	tenant := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](noon), Slug: "aa", Name: "A", Industry: tenants.Salon,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: noon}
	c.must(db.Tenants().Add(t.Context(), store.Who{}, tenant))
	c.who = Buyer{Tenant: tenant, Email: "a@b.example", Scope: db.For(tenant.ID)}
	return c
}

func (c *canned) clock() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *canned) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = r.ParseForm() // what it cannot read is missing in forms
	name := r.Method + " " + r.URL.Path
	c.asked, c.forms[name] = append(c.asked, name), r.Form
	text, ok := c.texts[name]
	switch {
	case !ok && r.Method == http.MethodGet:
		text = `{"object":"list","data":[],"has_more":false}`
	case !ok:
		text = `{}`
	case text[0] != '{':
		var status int
		number, msg, _ := strings.Cut(text, " ")
		_, _ = fmt.Sscan(number, &status)
		w.WriteHeader(status)
		code := map[int]string{http.StatusNotFound: "resource_missing"}[status]
		text = `{"error":{"type":"invalid_request_error","code":"` + code + `","message":"` + msg + `"}}`
	}
	_, _ = w.Write([]byte(text)) // the client may have left
}

// say sets the answer to a request, and forgets what was asked.
func (c *canned) say(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts[name] = text
	c.asked = nil
}

func (c *canned) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// count is how often a request was made since the last say.
func (c *canned) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.asked {
		if a == name {
			n++
		}
	}
	return n
}

func (c *canned) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// be gives the tenant a live subscription.
func (c *canned) be(change func(*tenants.Subscription)) {
	c.Helper()
	s := tenants.Subscription{Tenant: c.who.Tenant.ID, Plan: "starter", State: tenants.SubActive, Interval: tenants.Monthly,
		Stripe:   "sub_1",
		Customer: "cus_1", Quantity: 1, PeriodStart: noon, PeriodEnd: noon.AddDate(0, 1, 0), SyncedAt: noon, CreatedAt: noon}
	if change != nil {
		change(&s)
	}
	c.must(c.who.Scope.Subscription().Set(c.Context(), s))
}

// prices makes Stripe have the prices of the plans file, but for those left out.
func (c *canned) prices(without ...string) {
	c.Helper()
	var all []string
	for _, w := range c.b.wanted() {
		if !slices.Contains(without, w.key) {
			all = append(all, fmt.Sprintf(`{"id":"price_%s","lookup_key":%q}`, w.key, w.key))
		}
	}
	c.say("GET /v1/prices", listOf(all...))
}

func listOf(all ...string) string {
	return `{"object":"list","data":[` + strings.Join(all, ",") + `],"has_more":false}`
}

func codeOf(err error) string {
	var e *tenants.Error
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return e.Code
}

func TestPaymentOfAnInvoice(t *testing.T) {
	t.Parallel()
	charge := func() *stripe.Charge { return &stripe.Charge{Created: 100, AmountCaptured: 11900, AmountRefunded: 7} }
	for name, c := range map[string]struct {
		i       stripe.Invoice
		at      int64
		untaxed int64
	}{
		"as Stripe says": {stripe.Invoice{Total: 11900, Tax: 1900, TotalExcludingTax: 10000,
			StatusTransitions: &stripe.InvoiceStatusTransitions{PaidAt: 200}}, 200, 10000},
		"no time of payment": {stripe.Invoice{Total: 11900, Tax: 1900, TotalExcludingTax: 10000}, 100, 10000},
		"a time of 0": {stripe.Invoice{Total: 11900, TotalExcludingTax: 11900,
			StatusTransitions: &stripe.InvoiceStatusTransitions{}}, 100, 11900},
		"no total without tax": {stripe.Invoice{Total: 11900, Tax: 1900}, 100, 10000},
		"half paid by credit":  {stripe.Invoice{Total: 23800, Tax: 3800, TotalExcludingTax: 20000}, 100, 10000},
	} {
		c.i.ID, c.i.Charge = "in_1", charge()
		got, err := (&Billing{}).payment(t.Context(), &c.i)
		want := tenants.Payment{ID: "in_1", At: time.Unix(c.at, 0).UTC(), Cents: 11900, Untaxed: c.untaxed, Returned: 7}
		if err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, want)
		}
	}
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]*stripe.ChargePaymentMethodDetails{
		"card": {Card: &stripe.ChargePaymentMethodDetailsCard{Fingerprint: "card"}},
		"sepa": {SEPADebit: &stripe.ChargePaymentMethodDetailsSEPADebit{Fingerprint: "sepa"}},
		"bank": {USBankAccount: &stripe.ChargePaymentMethodDetailsUSBankAccount{Fingerprint: "bank"}},
		"":     {},
	} {
		if got := fingerprintOf(&stripe.Charge{PaymentMethodDetails: d}); got != want {
			t.Errorf("a charge of %q has %q", want, got)
		}
	}
	if got := fingerprintOf(&stripe.Charge{}); got != "" {
		t.Errorf("a charge of nothing has %q", got)
	}
	for want, m := range map[string]*stripe.PaymentMethod{
		"card": {Card: &stripe.PaymentMethodCard{Fingerprint: "card"}},
		"sepa": {SEPADebit: &stripe.PaymentMethodSEPADebit{Fingerprint: "sepa"}},
		"bank": {USBankAccount: &stripe.PaymentMethodUSBankAccount{Fingerprint: "bank"}},
		"":     {},
	} {
		if got := fingerprint(m); got != want {
			t.Errorf("a payment method %q has %q", want, got)
		}
	}
}

// TestTurns: the second sync of a customer waits for the first, another customer's does not, and
// nothing is kept of customers that nobody syncs.
func TestTurns(t *testing.T) {
	t.Parallel()
	b := &Billing{syncing: map[string]*turn{}}
	leave := b.enter("a")
	b.enter("b")()
	second := make(chan struct{})
	var order []string
	go func() {
		defer close(second)
		end := b.enter("a")
		order = append(order, "second")
		end()
	}()
	deadline := time.After(time.Minute)
	for waiting := 0; waiting < 2; {
		b.mu.Lock()
		if t := b.syncing["a"]; t != nil {
			waiting = t.waiting
		}
		b.mu.Unlock()
		select {
		case <-deadline:
			t.Fatal("the second never waits")
		case <-time.After(time.Millisecond):
		}
	}
	order = append(order, "first")
	leave()
	<-second
	if strings.Join(order, " ") != "first second" || len(b.syncing) != 0 {
		t.Errorf("in the order %q; %d customers are kept", order, len(b.syncing))
	}
}

// TestCutTrialsStayCut, whatever end Stripe names for the same subscription.
func TestCutTrialsStayCut(t *testing.T) {
	t.Parallel()
	cut := noon.AddDate(0, 0, 5)
	for name, c := range map[string]struct {
		status stripe.SubscriptionStatus
		ends   time.Time // of the trial, at Stripe
		made   time.Time
		trial  time.Time // when ours was cut
		stays  bool
	}{
		"still trying":        {"trialing", noon.AddDate(0, 0, 14), noon, cut, true},
		"cancelled":           {"canceled", noon.AddDate(0, 0, 14), noon, cut, true},
		"paid":                {"active", noon.AddDate(0, 0, 14), noon, cut, false},
		"ends before the cut": {"trialing", cut.Add(-time.Second), noon, cut, false},
		"ends with it":        {"trialing", cut, noon, cut, false},
		"bought later":        {"trialing", noon.AddDate(0, 0, 14), cut.Add(time.Second), cut, false},
		"was never cut":       {"trialing", noon.AddDate(0, 0, 14), noon, time.Time{}, false},
	} {
		s := tenants.Subscription{State: tenants.SubTrialing, TrialCut: c.trial, TrialEnd: c.ends, PeriodEnd: c.ends}
		keepCut(&s, &stripe.Subscription{Status: c.status, TrialEnd: c.ends.Unix(), Created: c.made.Unix()})
		if s.WasCut() != c.stays {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestAPreviewLastsAnHour, and a minute of a clock that differs.
func TestAPreviewLastsAnHour(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	c.be(nil)
	c.say("GET /v1/prices", "400") // what comes after the check
	for age, want := range map[time.Duration]string{0: "stripe_refused", time.Hour: "stripe_refused",
		time.Hour + time.Second: "preview_old",
		-time.Minute:            "stripe_refused", -time.Minute - time.Second: "preview_old"} {
		if got := codeOf(c.b.Change(t.Context(), c.who, "growth", tenants.Monthly, noon.Add(-age))); got != want {
			t.Errorf("%v old: %s, want %s", age, got, want)
		}
	}
	for want, change := range map[string]func(*tenants.Subscription){
		"payment_failed":  func(s *tenants.Subscription) { s.State, s.PastDueSince = tenants.SubPastDue, noon },
		"payment_failed ": func(s *tenants.Subscription) { s.State = tenants.SubPaused },
		"not_subscribed":  func(s *tenants.Subscription) { s.State = tenants.SubCancelled },
		"same_plan":       func(s *tenants.Subscription) { s.Plan = "growth" },
		"stripe_refused":  func(s *tenants.Subscription) { s.Plan, s.Interval = "growth", tenants.Yearly },
	} {
		c.be(change)
		if got := codeOf(c.b.Change(t.Context(), c.who, "growth", tenants.Monthly, noon)); got != strings.TrimSpace(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestAChangeSwapsEveryPrice: the plan's item keeps its id, the overage of the plan before goes,
// and a subscription without an item of ours gets one.
func TestAChangeSwapsEveryPrice(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	c.be(nil)
	c.prices()
	sub := func(items ...string) string { return `{"id":"sub_1","items":` + listOf(items...) + `}` }
	plan := `{"id":"si_1","price":{"id":"a","metadata":{"carillon_plan":"starter"}}}`
	over := `{"id":"si_2","price":{"id":"b","metadata":{"carillon_overage":"starter"}}}`
	other := `{"id":"si_3","price":{"id":"c","metadata":{}}}`
	for name, x := range map[string]struct{ have, want string }{
		"plan and overage": {sub(other, plan, over),
			"items[0][id]=si_1&items[0][price]=price_carillon_growth_month&items[0][quantity]=1&" +
				"items[1][deleted]=true&items[1][id]=si_2&items[2][price]=price_carillon_growth_overage_month"},
		"plan alone": {sub(plan), "items[0][id]=si_1&items[0][price]=price_carillon_growth_month&items[0][quantity]=1&" +
			"items[1][price]=price_carillon_growth_overage_month"},
		"neither": {sub(other), "items[0][price]=price_carillon_growth_month&items[0][quantity]=1&" +
			"items[1][price]=price_carillon_growth_overage_month"},
	} {
		c.say("GET /v1/subscriptions/sub_1", x.have)
		c.say("POST /v1/subscriptions/sub_1", "400") // ends the change here
		if err := c.b.Change(t.Context(), c.who, "growth", tenants.Monthly, noon); codeOf(err) != "stripe_refused" {
			t.Fatalf("%s: %v", name, err)
		}
		sent := c.forms["POST /v1/subscriptions/sub_1"]
		for k := range sent {
			if !strings.HasPrefix(k, "items[") {
				sent.Del(k)
			}
		}
		if got, _ := url.QueryUnescape(sent.Encode()); got != x.want {
			t.Errorf("%s: sent %s", name, got)
		}
	}
}

func TestInvoicesArePages(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	if list, next, err := c.b.Invoices(t.Context(), c.who, "", 3); list != nil || next != "" || err != nil || len(c.asked) != 0 {
		t.Errorf("without a customer: %+v %q %v", list, next, err)
	}
	c.be(nil)
	page := func(more bool, all ...string) string {
		return strings.Replace(listOf(all...), `"has_more":false`, fmt.Sprintf(`"has_more":%t`, more), 1)
	}
	one := func(id, status string) string {
		return fmt.Sprintf(`{"id":%q,"number":%q,"status":%q,"total":5,"currency":"usd","created":9}`, id, id, status)
	}
	c.say("GET /v1/invoices", page(true, one("in_1", "draft"), one("in_2", "open"), one("in_3", "void"), one("in_4", "paid"),
		one("in_5", "draft")))
	list, next, err := c.b.Invoices(t.Context(), c.who, "", 5)
	if err != nil || next != "in_5" || len(list) != 2 || list[0].Number != "in_2" || !list[0].Open || list[0].Paid || list[1].Open ||
		!list[1].Paid {
		t.Errorf("%+v, next %q, %v", list, next, err)
	}
	if n := c.count("GET /v1/invoices"); n != 1 || c.forms["GET /v1/invoices"].Has("starting_after") {
		t.Errorf("%d requests for one page", n)
	}
	c.say("GET /v1/invoices", page(false, one("in_6", "paid")))
	list, next, err = c.b.Invoices(t.Context(), c.who, next, 5)
	if err != nil || next != "" || len(list) != 1 || c.forms["GET /v1/invoices"].Get("starting_after") != "in_5" {
		t.Errorf("%+v, next %q, %v", list, next, err)
	}
}
