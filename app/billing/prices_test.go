package billing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
)

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
