package billing

import (
	"fmt"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

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
