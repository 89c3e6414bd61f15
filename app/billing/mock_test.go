package billing

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// mock starts Stripe's own stripe-mock on a free port. It knows every parameter of the API and
// keeps no state. If it is not installed, the test is skipped; .ci/run installs it.
func mock(t *testing.T) (address string) {
	t.Helper()
	program, err := exec.LookPath("stripe-mock")
	if err != nil {
		t.Skip("no stripe-mock is installed; .ci/run installs it")
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = c.Wait() })
	said := bufio.NewScanner(out)
	for said.Scan() {
		if _, at, ok := strings.Cut(said.Text(), "Listening for HTTP at address: "); ok {
			// drains its request log; ends with the process
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return "http://" + at
		}
	}
	t.Fatalf("stripe-mock does not listen: %v", said.Err())
	return ""
}

// TestParametersAreKnownToStripe checks that Stripe knows every parameter that we send. The mock's
// answers are of a later API version and are ignored; only its refusals count.
func TestParametersAreKnownToStripe(t *testing.T) {
	t.Parallel()
	address := mock(t)
	db := storetest.Open(t)
	now := time.Now()
	b, err := New(Config{Store: db, Key: "sk_test_carillon", URL: address, PublicURL: "https://ring.example", Tax: true,
		Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tenant := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](now), Slug: "aa", Name: "A", Industry: tenants.Salon,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}
	if err := db.Tenants().Add(t.Context(), store.Who{}, tenant); err != nil {
		t.Fatal(err)
	}
	who := Buyer{Tenant: tenant, Email: "a@b.example", Scope: db.For(tenant.ID)}
	be := func(s tenants.Subscription) {
		if err := who.Scope.Subscription().Set(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	be(db.Plans().Trial(tenant.ID, "starter", now))
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"plans":    func() error { _, err := b.SyncPlans(ctx); return err },
		"doctor":   func() error { b.Doctor(ctx); _, err := b.stripePrices(ctx); return err },
		"events":   func() error { return b.missed(ctx) },
		"paid":     func() error { _, _, err := b.paid(ctx, "cus_x"); return err },
		"cards":    func() error { _, err := b.hasPaidWith(ctx, "cus_x", map[string]bool{"x": true}); return err },
		"returned": func() error { return b.settleReturned(ctx, hint{Charge: []byte(`"ch_x"`)}) },
		"disputed": func() error {
			_, err := b.payment(ctx, &stripe.Invoice{ID: "in_x", Total: 100, TotalExcludingTax: 100,
				Charge: &stripe.Charge{ID: "ch_x", Disputed: true, AmountCaptured: 100}})
			return err
		},
		"report": func() error {
			return b.report(ctx, store.Metered{Tenant: tenant.ID, Ring: tenants.NewID[tenants.RingID](now), Customer: "cus_x", At: now})
		},
	} {
		asked(t, name, ask())
	}
	b.mu.Lock()
	b.prices, b.read = map[string]string{}, now
	for _, w := range b.wanted() {
		b.prices[w.key] = "price_x"
	}
	b.mu.Unlock()
	_, err = b.Checkout(ctx, who, "growth", tenants.Monthly)
	asked(t, "checkout", err)
	live := db.Plans().Assigned(tenant.ID, "starter", now, time.Time{})
	live.Stripe, live.Customer, live.PeriodEnd = "sub_x", "cus_x", now.AddDate(0, 1, 0)
	be(live)
	_, err = b.Portal(ctx, who)
	asked(t, "portal", err)
	_, _, err = b.Invoices(ctx, who, "in_x", 12)
	asked(t, "invoices", err)
	asked(t, "change", b.Change(ctx, who, "growth", tenants.Monthly, now))
	be(live) // the mock lists other subscriptions, so ours was ended
	asked(t, "cancel", b.Cancel(ctx, who))
}

// asked fails the test if the mock refused the request. An answer of a later version that cannot be
// used is not our fault.
func asked(t *testing.T, name string, err error) {
	t.Helper()
	var theirs *stripe.Error
	if errors.As(err, &theirs) {
		t.Errorf("%s: stripe-mock refuses: %s", name, theirs.Msg)
	} else if err != nil && !strings.Contains(err.Error(), "has no period") && !strings.Contains(err.Error(), "Stripe does not answer") {
		t.Logf("%s: %v", name, err)
	}
}
