package billing_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// world is a tenant that buys from a Stripe in this process, on that Stripe's clock.
type world struct {
	*testing.T
	stripe *stripetest.Stripe
	store  *store.Store
	b      *billing.Billing
	buyer  billing.Buyer
}

// daylight saving time starts during the trial
var start = time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	var err error
	w.stripe, err = stripetest.New(stripetest.Config{Now: start})
	w.must(err)
	t.Cleanup(func() {
		if r := w.stripe.Refused(); len(r) > 0 && !t.Failed() {
			t.Errorf("requests that Stripe would refuse: %q", r)
		}
		w.must(w.stripe.Close())
	})
	w.store = storetest.OpenConfig(t, store.Config{Now: w.stripe.Now})
	w.b = w.billing(billing.Config{})
	w.buyer = w.tenant("alpha")
	_, err = w.b.SyncPlans(t.Context())
	w.must(err)
	w.stripe.Forgive() // it asked for missing products
	return w
}

// billing returns a Billing; missing fields of c are filled in.
func (w *world) billing(c billing.Config) *billing.Billing {
	w.Helper()
	c.Store, c.Now, c.Log, c.PublicURL, c.URL = w.store, w.stripe.Now, slog.New(slog.NewTextHandler(w.Output(), nil)),
		"https://ring.example", w.stripe.URL()
	if c.Key == "" {
		c.Key = stripetest.Key
	}
	if c.Secrets == nil {
		c.Secrets = []string{stripetest.Secret}
	}
	b, err := billing.New(c)
	w.must(err)
	return b
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// tenant adds a tenant that tries Starter.
func (w *world) tenant(slug string) billing.Buyer {
	w.Helper()
	t := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](w.stripe.Now()), Slug: slug, Name: slug,
		Industry: tenants.Salon, State: tenants.TenantActive,
		TimeZone: "Europe/Berlin", RingTTL: tenants.DefaultTTL, CreatedAt: w.stripe.Now()}
	w.must(w.store.Tenants().Add(w.Context(), store.Who{Actor: tenants.System}, t))
	s := w.store.For(t.ID).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser,
		ID: "0190aaaa-0000-7000-8000-00000000000d", Name: "Ada"}})
	w.must(s.Subscription().Set(w.Context(), w.store.Plans().Trial(t.ID, "starter", w.stripe.Now())))
	return billing.Buyer{Tenant: t, Email: "ada@" + slug + ".example", Scope: s}
}

func (w *world) sub() tenants.Subscription {
	w.Helper()
	s, err := w.buyer.Scope.Subscription().Get(w.Context())
	w.must(err)
	return s
}

func (w *world) standing() tenants.Standing {
	w.Helper()
	s := w.sub()
	p, _ := w.store.Plans().Plan(s.Plan)
	return tenants.Entitle(&s, p, tenants.Usage{}, w.stripe.Now()).Standing
}

// subscribe pays a checkout; no message is delivered.
func (w *world) subscribe(plan string, every tenants.Interval) (customer string) {
	w.Helper()
	address, err := w.b.Checkout(w.Context(), w.buyer, plan, every)
	w.must(err)
	// first with a card that is declined
	a, err := http.PostForm(address, url.Values{"card": {"bad"}})
	w.must(err)
	a.Body.Close()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err = client.PostForm(address, url.Values{"card": {"good"}})
	w.must(err)
	a.Body.Close()
	if to := a.Header.Get("Location"); to != "https://ring.example/billing?checkout=done" {
		w.Fatalf("after paying Stripe leads to %q, %s", to, a.Status)
	}
	all := w.stripe.Customers()
	return all[len(all)-1]
}

// tell delivers events from Stripe to Carillon, signed now.
func (w *world) tell(events ...stripetest.Event) {
	w.Helper()
	for _, e := range events {
		w.must(w.b.Hook(w.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now())))
	}
}

// audits counts changes of the subscription.
func (w *world) audits() int {
	w.Helper()
	list, _, err := w.buyer.Scope.Audits().List(w.Context(), store.AuditQuery{Action: "subscription."})
	w.must(err)
	return len(list)
}

// state is a subscription as text, without the time it was synced.
func state(s tenants.Subscription) string {
	return strings.Join([]string{string(s.State), s.Plan, string(s.Interval), s.Stripe, s.Customer, s.PeriodStart.String(),
		s.PeriodEnd.String(), s.TrialEnd.String(),
		s.PastDueSince.String(), map[bool]string{true: "ends"}[s.CancelAtEnd]}, " | ")
}
