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

// TestPricesThatDiffer: a price at Stripe equals the plans file in every number, or it is replaced.
func TestPricesThatDiffer(t *testing.T) {
	t.Parallel()
	plan := tenants.Plan{Code: "starter", MonthCents: 14900, YearCents: 149000, Rings: 5000, Overage: 3000}
	month, over := wanted{"k", plan, tenants.Monthly, false}, wanted{"k", plan, tenants.Monthly, true}
	flat := func() *stripe.Price {
		return &stripe.Price{Currency: "usd", UnitAmount: 14900, Metadata: map[string]string{metaPlan: "starter"},
			Recurring: &stripe.PriceRecurring{Interval: "month"}}
	}
	metered := func() *stripe.Price {
		return &stripe.Price{Currency: "usd", Metadata: map[string]string{metaOverage: "starter"},
			Recurring: &stripe.PriceRecurring{Interval: "month"},
			Tiers:     []*stripe.PriceTier{{UpTo: 5000}, {UnitAmountDecimal: 3}}}
	}
	if !month.matches(flat(), "usd") || !over.matches(metered(), "usd") || month.matches(nil, "usd") {
		t.Fatal("a price that equals the file is not found, or none is one")
	}
	for name, c := range map[string]struct {
		w  wanted
		p  *stripe.Price
		to func(*stripe.Price)
	}{
		"currency":             {month, flat(), func(p *stripe.Price) { p.Currency = "eur" }},
		"paid once":            {month, flat(), func(p *stripe.Price) { p.Recurring = nil }},
		"a year":               {month, flat(), func(p *stripe.Price) { p.Recurring.Interval = "year" }},
		"amount":               {month, flat(), func(p *stripe.Price) { p.UnitAmount++ }},
		"another plan":         {month, flat(), func(p *stripe.Price) { p.Metadata[metaPlan] = "growth" }},
		"another's overage":    {over, metered(), func(p *stripe.Price) { p.Metadata[metaOverage] = "growth" }},
		"one tier":             {over, metered(), func(p *stripe.Price) { p.Tiers = p.Tiers[:1] }},
		"fewer free rings":     {over, metered(), func(p *stripe.Price) { p.Tiers[0].UpTo-- }},
		"rings that cost":      {over, metered(), func(p *stripe.Price) { p.Tiers[0].UnitAmount = 1 }},
		"a dearer ring":        {over, metered(), func(p *stripe.Price) { p.Tiers[1].UnitAmountDecimal = 3.000001 }},
		"a year's rings free":  {over, metered(), func(p *stripe.Price) { p.Tiers[0].UpTo = 60000 }},
		"a flat fee under it":  {over, flat(), func(*stripe.Price) {}},
		"a metered one for it": {month, metered(), func(*stripe.Price) {}},
	} {
		if c.to(c.p); c.w.matches(c.p, "usd") {
			t.Errorf("%s: the price passes for the file's", name)
		}
	}
	if got := (wanted{"k", plan, tenants.Yearly, true}).free(); got != 60000 {
		t.Errorf("a year has %d free rings", got)
	}
}

// TestOverageIsSoldPastALimit: a plan without a limit, or without a price past it, has no second
// price.
func TestOverageIsSoldPastALimit(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{Currency: "usd", TrialDays: 14, Plans: []tenants.Plan{
		{Code: "both", Name: "Both", Rings: 10, Overage: 5}, {Code: "endless", Name: "Endless", Overage: 5}, {Code: "hard",
			Name: "Hard", Rings: 10},
	}})
	c.prices()
	for plan, want := range map[string]string{"both": "price_carillon_both_month price_carillon_both_overage_month",
		"endless": "price_carillon_endless_month", "hard": "price_carillon_hard_month"} {
		ids, err := c.b.items(t.Context(), plan, tenants.Monthly)
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("%s: %q %v", plan, got, err)
		}
	}
	if n := len(c.b.wanted()); n != 8 {
		t.Errorf("%d prices are wanted of three plans", n)
	}
	for _, x := range []struct {
		plan  string
		every tenants.Interval
	}{{"gold", tenants.Monthly}, {"both", "week"}, {"both", ""}} {
		if _, err := c.b.items(t.Context(), x.plan, x.every); tenants.KindOf(err) != tenants.Unknown {
			t.Errorf("%s by the %q: %v", x.plan, x.every, err)
		}
	}
}

// TestPriceIDsAreRemembered for ten minutes, but not that one is missing.
func TestPriceIDsAreRemembered(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	ask := func(want string, requests int) {
		t.Helper()
		c.mu.Lock()
		c.asked = nil
		c.mu.Unlock()
		_, err := c.b.items(t.Context(), "starter", tenants.Monthly)
		if got := codeOf(err); got != want {
			t.Errorf("asked for the price: %s, want %s", got, want)
		}
		if n := c.count("GET /v1/prices"); (n > 0) != (requests > 0) || n > 2*requests {
			t.Errorf("%d requests, want about %d", n, requests)
		}
	}
	c.prices("carillon_starter_month")
	ask("no_price", 2)
	c.prices() // `carillon plans sync` has run
	ask("<nil>", 2)
	c.say("GET /v1/prices", "500")
	ask("<nil>", 0)
	c.pass(10*time.Minute - time.Second)
	ask("<nil>", 0)
	c.pass(time.Second)
	ask("stripe_away", 4)
}

func TestPlansAreMadeOnce(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	c.say("POST /v1/billing/meters", `{"id":"mtr_1"}`)
	done, err := c.b.SyncPlans(t.Context())
	if err != nil || len(done) != 13 || done[0] != "made the meter carillon_rings" || done[1] != "made the price carillon_starter_month" {
		t.Errorf("made %q, %v", done, err)
	}
	if n := c.count("POST /v1/products/carillon_starter"); n != 1 {
		t.Errorf("the product was named %d times", n)
	}
	if got := c.forms["POST /v1/prices"].Get("recurring[meter]"); got != "mtr_1" {
		t.Errorf("the last price counts by the meter %q", got)
	}
	var whole []string // the first plan's month is there already, so the others are made
	for _, w := range c.b.wanted() {
		if w.key == "carillon_starter_month" {
			whole = append(whole, `{"id":"p","lookup_key":"carillon_starter_month","currency":"usd","unit_amount":14900,
				"recurring":{"interval":"month"},"metadata":{"carillon_plan":"starter"}}`)
		}
	}
	c.say("GET /v1/prices", listOf(whole...))
	c.say("GET /v1/billing/meters", listOf(`{"id":"mtr_0","event_name":"other"}`, `{"id":"mtr_2","event_name":"carillon_rings"}`))
	done, err = c.b.SyncPlans(t.Context())
	if err != nil || len(done) != 11 || slices.ContainsFunc(done, func(s string) bool { return strings.Contains(s, "meter") }) {
		t.Errorf("made %q, %v", done, err)
	}
	if got := c.forms["POST /v1/prices"].Get("recurring[meter]"); got != "mtr_2" {
		t.Errorf("the last price counts by the meter %q", got)
	}
}

func TestRefusalsOfStripe(t *testing.T) {
	t.Parallel()
	ours := tenants.Refuse(tenants.Gone, "ours", "Gone.")
	for want, err := range map[string][]error{
		"<nil>": {nil}, "ours": {ours, fmt.Errorf("wrapped: %w", ours)},
		"card_refused": {&stripe.Error{Type: stripe.ErrorTypeCard, HTTPStatusCode: 402}},
		"stripe_refused": {&stripe.Error{HTTPStatusCode: 400}, &stripe.Error{HTTPStatusCode: 401}, &stripe.Error{HTTPStatusCode: 499},
			fmt.Errorf("wrapped: %w", &stripe.Error{HTTPStatusCode: 404})},
		"stripe_away": {&stripe.Error{HTTPStatusCode: 429}, &stripe.Error{HTTPStatusCode: 500}, &stripe.Error{HTTPStatusCode: 503},
			&stripe.Error{HTTPStatusCode: 302}, errors.New("no route to host")},
	} {
		for _, e := range err {
			got := refusal(e)
			if codeOf(got) != want {
				t.Errorf("%v is %s, want %s", e, codeOf(got), want)
			}
			var r *tenants.Error
			if errors.As(got, &r) && (r.RetryAfter > 0) != (want == "stripe_away") {
				t.Errorf("%v: try again after %v", e, r.RetryAfter)
			}
		}
	}
	if got := cause(refusal(&stripe.Error{HTTPStatusCode: 400, Msg: "No such price"})); got != "No such price" {
		t.Errorf("the cause is %q", got)
	}
	if got := cause(refusal(fmt.Errorf("read: %w", errors.New("no route to host")))); got != "no route to host" {
		t.Errorf("the cause is %q", got)
	}
}

func TestWhatBillingNeeds(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	for name, drop := range map[string]func(*Config){"Store": func(c *Config) { c.Store = nil }, "Now": func(c *Config) { c.Now = nil },
		"Log": func(c *Config) { c.Log = nil }, "PublicURL": func(c *Config) { c.PublicURL = "" }} {
		config := c.b.Config
		drop(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if c.b.PublicURL != "https://ring.example" {
		t.Errorf("people are sent back to %s", c.b.PublicURL)
	}
	for s, want := range map[string]bool{"whsec_123456789": true, "whsec_12345678": false, "whsec_": false, "": false,
		"secret_of_some_length": false} {
		if Secret(s) != want {
			t.Errorf("%q can be a secret: %t", s, !want)
		}
	}
	for address, want := range map[string]string{"": "https://checkout.stripe.com https://billing.stripe.com",
		"http://127.0.0.1:9/v1": "http://127.0.0.1:9", "/nowhere": "https://checkout.stripe.com https://billing.stripe.com"} {
		b := &Billing{Config: Config{URL: address}}
		if got := strings.Join(b.Origins(), " "); got != want {
			t.Errorf("with %q, forms lead to %s", address, got)
		}
	}
	if got := strings.Join(unheard([]string{"*"}), " "); got != "" {
		t.Errorf("an endpoint for everything lacks %s", got)
	}
	if got := strings.Join(unheard(hookEvents[1:]), " "); got != "checkout.session.completed" {
		t.Errorf("an endpoint without one lacks %s", got)
	}
	if got := unheard(hookEvents); len(got) != 0 {
		t.Errorf("an endpoint for what is needed lacks %s", got)
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

// TestACheckoutThatWeDidNotMake changes nothing, and asks for nothing more.
func TestACheckoutThatWeDidNotMake(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	id := string(c.who.Tenant.ID)
	for name, text := range map[string]string{
		"no customer":       `{"id":"cs_1","client_reference_id":"` + id + `","metadata":{"carillon_tenant":"` + id + `"}}`,
		"no reference":      `{"id":"cs_1","customer":"cus_1","metadata":{}}`,
		"of another shop":   `{"id":"cs_1","customer":"cus_1","client_reference_id":"basket-7","metadata":{}}`,
		"of two minds":      `{"id":"cs_1","customer":"cus_1","client_reference_id":"` + id + `","metadata":{"carillon_tenant":"x"}}`,
		"that is not there": "404",
	} {
		c.say("GET /v1/checkout/sessions/cs_1", text)
		if err := c.b.checkedOut(t.Context(), "cs_1"); err != nil || len(c.asked) != 1 {
			t.Errorf("%s: %v after %q", name, err, c.asked)
		}
	}
	c.say("GET /v1/checkout/sessions/cs_1", "500")
	if err := c.b.checkedOut(t.Context(), "cs_1"); codeOf(err) != "stripe_away" {
		t.Errorf("Stripe is down: %v", err)
	}
}

// TestACheckoutAsksForWhatTheBillNeeds looks at what is sent to Stripe.
func TestACheckoutAsksForWhatTheBillNeeds(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	c.prices()
	c.say("POST /v1/customers", `{"id":"cus_1"}`)
	c.say("POST /v1/checkout/sessions", `{"id":"cs_1","url":"https://checkout.stripe.com/x"}`)
	for left, want := range map[time.Duration]bool{48 * time.Hour: false, 48*time.Hour + time.Second: true} {
		trial := c.b.plans.Trial(c.who.Tenant.ID, "starter", noon)
		trial.TrialEnd, trial.PeriodEnd = noon.Add(left), noon.Add(left)
		c.must(c.who.Scope.Subscription().Set(t.Context(), trial))
		address, err := c.b.Checkout(t.Context(), c.who, "growth", tenants.Yearly)
		if err != nil || address != "https://checkout.stripe.com/x" {
			t.Fatal(address, err)
		}
		sent := c.forms["POST /v1/checkout/sessions"]
		for k, v := range map[string]string{"tax_id_collection[enabled]": "true", "allow_promotion_codes": "true",
			"automatic_tax[enabled]": "false",
			"mode":                   "subscription", "customer": "cus_1", "client_reference_id": string(c.who.Tenant.ID),
			"line_items[0][quantity]": "1",
			"line_items[0][price]":    "price_carillon_growth_year", "line_items[1][price]": "price_carillon_growth_overage_year",
			"line_items[1][quantity]": "", "cancel_url": "https://ring.example/billing"} {
			if sent.Get(k) != v {
				t.Errorf("%s is %q, want %q", k, sent.Get(k), v)
			}
		}
		if got := sent.Has("subscription_data[trial_end]"); got != want {
			t.Errorf("%v of the trial are left, and carried over: %t", left, got)
		}
	}
}

// TestMessagesAreHandledOnce: the repeat of a message that was handled asks Stripe for nothing.
func TestMessagesAreHandledOnce(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	c.be(nil)
	e := stripe.Event{ID: "evt_1", Type: "customer.subscription.updated",
		Data: &stripe.EventData{Raw: []byte(`{"id":"sub_1","object":"subscription","customer":"cus_1"}`)}}
	c.say("", "{}")
	c.must(c.b.processOnce(t.Context(), e))
	if len(c.asked) == 0 {
		t.Fatal("a message asks Stripe for nothing")
	}
	c.say("", "{}")
	c.must(c.b.processOnce(t.Context(), e))
	if len(c.asked) != 0 {
		t.Errorf("its repeat asks for %q", c.asked)
	}
}

// TestHasPaidWith: a customer who was deleted has paid with nothing, as far as we can know.
func TestHasPaidWith(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	for text, want := range map[string]string{
		listOf(`{"id":"ch_1","payment_method_details":{"card":{"fingerprint":"x"}}}`,
			`{"id":"ch_2","payment_method_details":{"card":{"fingerprint":"mine"}}}`): "true <nil>",
		listOf(`{"id":"ch_1","payment_method_details":{"card":{"fingerprint":"x"}}}`): "false <nil>",
		listOf(): "false <nil>",
		"404":    "false <nil>",
		"500":    "false stripe_away",
	} {
		c.say("GET /v1/charges", text)
		same, err := c.b.hasPaidWith(t.Context(), "cus_1", map[string]bool{"mine": true})
		if got := fmt.Sprint(same, " ", codeOf(err)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestWhoseCustomerPays: the tenant of a customer that no row has is named in its metadata.
func TestWhoseCustomerPays(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	id := string(c.who.Tenant.ID)
	for text, want := range map[string]string{
		`{"id":"cus_2","metadata":{"carillon_tenant":"` + id + `"}}`:                id + " <nil>",
		`{"id":"cus_2","metadata":{}}`:                                              " <nil>",
		`{"id":"cus_2","deleted":true,"metadata":{"carillon_tenant":"` + id + `"}}`: " <nil>",
		"404": " <nil>",
		"500": " stripe_away",
	} {
		c.say("GET /v1/customers/cus_2", text)
		got, err := c.b.referredTenant(t.Context(), "cus_2")
		if all := fmt.Sprint(got, " ", codeOf(err)); all != want {
			t.Errorf("%s: %s, want %s", text, all, want)
		}
	}
	c.be(nil)
	c.say("GET /v1/customers/cus_1", "500")
	if got, err := c.b.referredTenant(t.Context(), "cus_1"); err != nil || got != c.who.Tenant.ID || len(c.asked) != 0 {
		t.Errorf("of our own row: %s %v, asked %q", got, err, c.asked)
	}
}

// TestAnOpenedCheckoutIsNoSubscription: a tenant without a row has no limits, and keeps it so
// until it has paid.
func TestAnOpenedCheckoutIsNoSubscription(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	id := string(c.who.Tenant.ID)
	sub := func(status string, quantity int) string {
		return fmt.Sprintf(`{"id":"sub_1","status":%q,"created":1,"current_period_start":%d,"current_period_end":%d,"items":%s}`, status,
			noon.Unix(), noon.AddDate(0, 1, 0).Unix(), listOf(fmt.Sprintf(`{"id":"si_1","quantity":%d,"price":{"id":"p",
			"recurring":{"interval":"year"},"metadata":{"carillon_plan":"growth"}}}`, quantity)))
	}
	c.say("GET /v1/customers/cus_1", `{"id":"cus_1","metadata":{"carillon_tenant":"`+id+`"}}`)
	for name, text := range map[string]string{"nothing": listOf(), "incomplete": listOf(sub("incomplete", 1)),
		"given up": listOf(sub("incomplete_expired", 1))} {
		c.say("GET /v1/subscriptions", text)
		c.must(c.b.Sync(t.Context(), "cus_1"))
		if s, err := c.who.Scope.Subscription().Get(t.Context()); tenants.KindOf(err) != tenants.Unknown {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	c.say("GET /v1/subscriptions", listOf(sub("active", 2)))
	c.must(c.b.Sync(t.Context(), "cus_1"))
	s, err := c.who.Scope.Subscription().Get(t.Context())
	if err != nil || s.Plan != "growth" || s.State != tenants.SubActive || s.Interval != tenants.Yearly || s.Customer != "cus_1" ||
		c.b.Alerts() != 1 {
		t.Errorf("paid: %+v %v, %d alerts", s, err, c.b.Alerts())
	}
	c.must(c.b.Sync(t.Context(), "cus_1")) // the same again is no news
	c.say("GET /v1/subscriptions", listOf(sub("active", 3)))
	c.must(c.b.Sync(t.Context(), "cus_1"))
	if c.b.Alerts() != 2 {
		t.Errorf("another quantity: %d alerts", c.b.Alerts())
	}
}

// TestARingOnTheMeter: one that Stripe has already is no error, and one that is older than Stripe
// takes is not sent.
func TestARingOnTheMeter(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	const meter = "POST /v1/billing/meter_events"
	for _, x := range []struct {
		says string
		age  time.Duration
		want string
		sent int
	}{
		{"{}", 0, "<nil>", 1}, {"{}", 34 * 24 * time.Hour, "<nil>", 1}, {"{}", 34*24*time.Hour + time.Second, "<nil>", 0},
		{"400 An event already exists with identifier x.", 0, "<nil>", 1}, {"400 The timestamp is in the future.", 0,
			"stripe_refused", 1},
		{"403 Your key cannot use this identifier.", 0, "stripe_refused", 1},
	} {
		c.say(meter, x.says)
		ring := tenants.NewID[tenants.RingID](noon)
		err := c.b.report(t.Context(), store.Metered{Ring: ring, Customer: "cus_1", At: noon.Add(-x.age)})
		if codeOf(err) != x.want || c.count(meter) != x.sent {
			t.Errorf("%q, %v old: %s, sent %d times", x.says, x.age, codeOf(err), c.count(meter))
		}
		if sent := c.forms[meter]; x.sent > 0 && (sent.Get("identifier") != string(ring) || sent.Get("payload[value]") != "1" ||
			sent.Get("payload[stripe_customer_id]") != "cus_1") {
			t.Errorf("sent %v", sent)
		}
	}
}

// TestAPendingPaymentEndsNothing: a trial goes on while the first payment is not there, and a
// second customer of the tenant changes nothing but tells the operator.
func TestAPendingPaymentEndsNothing(t *testing.T) {
	t.Parallel()
	c := newCanned(t, tenants.Plans{})
	id := string(c.who.Tenant.ID)
	trial := c.b.plans.Trial(c.who.Tenant.ID, "starter", noon)
	trial.Customer = "cus_1"
	c.must(c.who.Scope.Subscription().Set(t.Context(), trial))
	check := func(what string, alerts int64) {
		t.Helper()
		s, err := c.who.Scope.Subscription().Get(t.Context())
		if err != nil || s.State != tenants.SubTrialing || s.Stripe != "" || s.Customer != "cus_1" || c.b.Alerts() != alerts {
			t.Errorf("%s: %+v %v, %d alerts", what, s, err, c.b.Alerts())
		}
	}
	for _, status := range []string{"incomplete", "incomplete_expired"} {
		c.say("GET /v1/customers/cus_1", `{"id":"cus_1"}`)
		c.say("GET /v1/subscriptions", listOf(fmt.Sprintf(`{"id":"sub_1","status":%q,"created":1,"current_period_start":%d,
			"current_period_end":%d,"items":%s}`, status, noon.Unix(), noon.AddDate(0, 1, 0).Unix(),
			listOf(`{"id":"si_1","quantity":1,"price":{"id":"p","metadata":{"carillon_plan":"growth"}}}`))))
		c.must(c.b.Sync(t.Context(), "cus_1"))
		check(status, 0)
	}
	c.say("GET /v1/customers/cus_2", `{"id":"cus_2","metadata":{"carillon_tenant":"`+id+`"}}`)
	c.must(c.b.Sync(t.Context(), "cus_2"))
	check("a second customer", 1)
}
