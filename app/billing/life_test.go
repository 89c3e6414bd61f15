package billing_test

import (
	"context"
	"errors"
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

const day = 24 * time.Hour

// TestSubscriptionLifecycle goes through trial, payment, renewal, upgrade, a failed card, recovery,
// cancellation and return.
func TestSubscriptionLifecycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.Advance(4 * day)
	customer := w.subscribe("starter", tenants.Monthly)
	if w.standing() != tenants.StandingTrial || w.sub().Stripe != "" {
		t.Errorf("returning from the payment page granted something: %+v", w.sub())
	}
	news := w.news()
	news()
	s := w.sub()
	if s.State != tenants.SubTrialing || !s.TrialEnd.Equal(start.Add(14*day)) {
		t.Errorf("the rest of the trial was not carried over: %+v", s)
	}
	w.stripe.Advance(10 * day)
	news()
	if s = w.sub(); s.State != tenants.SubActive || w.standing() != tenants.StandingPaid || !s.PeriodStart.Equal(start.Add(14*day)) {
		t.Errorf("after the trial: %+v", s)
	}
	w.stripe.Advance(15 * day)
	w.grow(news)

	w.stripe.Card(customer, false)
	w.stripe.Advance(16 * day) // a day after the month was to be renewed
	news()
	if w.standing() != tenants.StandingGrace {
		t.Errorf("a card failed: %s %+v", w.standing(), w.sub())
	}
	since := w.sub().PastDueSince
	w.stripe.Advance(5*day + 12*time.Hour)
	w.must(w.b.Reconcile(t.Context()))
	if !w.sub().PastDueSince.Equal(since) {
		t.Error("the grace period restarted")
	}
	w.stripe.Advance(3 * day)
	if w.standing() != tenants.StandingOver {
		t.Errorf("after the grace: %s", w.standing())
	}
	w.stripe.Card(customer, true)
	news()
	if w.standing() != tenants.StandingPaid || !w.sub().PastDueSince.IsZero() {
		t.Errorf("recovered: %s %+v", w.standing(), w.sub())
	}
	w.leave(news)
}

// news delivers the events since its last call.
func (w *world) news() func() {
	told := 0
	return func() {
		w.Helper()
		all := w.stripe.Events("")
		w.tell(all[told:]...)
		told = len(all)
	}
}

// grow changes the plan after a preview.
func (w *world) grow(news func()) {
	w.Helper()
	ctx := w.Context()
	p, err := w.b.Preview(ctx, w.buyer, "growth", tenants.Monthly)
	w.must(err)
	if p.Due <= 0 || p.Due >= 49900-14900 || len(p.Lines) != 2 || p.Lines[0].Cents >= 0 || p.Currency != "usd" {
		w.Errorf("the change is shown as %+v", p)
	}
	if w.sub().Plan != "starter" {
		w.Error("to look changed the plan")
	}
	w.stripe.Advance(10 * time.Minute) // the preview is still valid
	w.must(w.b.Change(ctx, w.buyer, "growth", tenants.Monthly, p.At))
	bills, next, err := w.b.Invoices(ctx, w.buyer, "", 12)
	w.must(err)
	if bills[0].Cents != p.Due || !bills[0].Paid || bills[0].Number == "" || bills[0].URL == "" || next != "" {
		w.Errorf("shown %d, billed %+v", p.Due, bills[0])
	}
	if w.sub().Plan != "growth" {
		w.Error("the plan is not changed")
	}
	before := state(w.sub())
	news()
	if got := state(w.sub()); got != before {
		w.Errorf("the messages about it changed %s to %s", before, got)
	}
	if err := w.b.Change(ctx, w.buyer, "scale", tenants.Monthly, p.At.Add(-2*time.Hour)); tenants.KindOf(err) != tenants.Conflict {
		w.Errorf("an old price: %v", err)
	}
	if _, err := w.b.Preview(ctx, w.buyer, "growth", tenants.Monthly); tenants.KindOf(err) != tenants.Conflict {
		w.Errorf("the same plan: %v", err)
	}
	if _, err := w.b.Checkout(ctx, w.buyer, "scale", tenants.Monthly); tenants.KindOf(err) != tenants.Conflict {
		w.Errorf("a second subscription: %v", err)
	}
}

// leave cancels, resumes, cancels in the portal, and subscribes again.
func (w *world) leave(news func()) {
	w.Helper()
	ctx := w.Context()
	w.must(w.b.Cancel(ctx, w.buyer))
	if w.standing() != tenants.StandingEnding {
		w.Errorf("cancelled: %s", w.standing())
	}
	w.must(w.b.Resume(ctx, w.buyer))
	if w.standing() != tenants.StandingPaid {
		w.Errorf("taken back: %s", w.standing())
	}
	address, err := w.b.Portal(ctx, w.buyer)
	w.must(err)
	a, err := http.PostForm(address, url.Values{"do": {"cancel"}})
	w.must(err)
	a.Body.Close()
	news()
	if w.standing() != tenants.StandingEnding {
		w.Errorf("cancelled in the portal: %s", w.standing())
	}
	w.stripe.Advance(31 * day)
	news()
	if w.standing() != tenants.StandingOver || w.sub().State != tenants.SubCancelled {
		w.Errorf("after the period: %s", w.standing())
	}
	w.subscribe("scale", tenants.Yearly)
	news()
	if s := w.sub(); s.State != tenants.SubActive || s.Plan != "scale" || s.Interval != tenants.Yearly {
		w.Errorf("back again: %+v", s)
	}
	if n := len(w.stripe.Customers()); n != 1 {
		w.Errorf("%d customers at Stripe", n)
	}
}

func TestReconcileFindsMissedMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer := w.subscribe("growth", tenants.Monthly)
	w.must(w.b.Reconcile(t.Context())) // no message has arrived
	if w.sub().Stripe == "" {
		t.Fatal("Reconcile did not find a missed checkout")
	}
	audits := w.audits()
	w.must(w.b.Reconcile(t.Context()))
	w.tell(w.stripe.Events("")...) // and now they arrive
	if n := w.audits(); n != audits {
		t.Errorf("%d further changes", n-audits)
	}
	w.stripe.Advance(40 * day) // no messages for weeks; the events are older than a day
	w.stripe.Card(customer, false)
	w.stripe.Advance(6 * day) // two days ago it failed
	w.must(w.b.Reconcile(t.Context()))
	if w.sub().State != tenants.SubPastDue {
		t.Errorf("a stale subscription was not synced: %+v", w.sub())
	}
	w.stripe.Advance(30 * day)
	w.must(w.b.Reconcile(t.Context()))
	if s := w.sub(); s.State != tenants.SubCancelled || w.standing() != tenants.StandingOver {
		t.Errorf("Stripe gave up on the card: %s %+v", w.standing(), s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.stripe.Advance(day)
	if err := w.b.Reconcile(ctx); err == nil {
		t.Error("an interrupted Reconcile returned no error")
	}
}

func TestCheckoutOfAnotherTenantIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("scale", tenants.Monthly)
	mine := w.buyer
	e := w.stripe.Events("checkout.session.completed")[0]
	w.buyer = w.tenant("beta")
	// A signed message about a checkout of alpha counts only for alpha, whatever tenant its body
	// names.
	body := []byte(strings.Replace(string(e.Body), string(mine.Tenant.ID), string(w.buyer.Tenant.ID), -1))
	w.tell(stripetest.Event{Body: body})
	if w.sub().Stripe != "" || w.standing() != tenants.StandingTrial || w.sub().Plan != "starter" {
		t.Errorf("beta has %+v", w.sub())
	}
	w.buyer = mine
	if w.sub().Plan != "scale" {
		t.Errorf("alpha has %+v", w.sub())
	}
	if err := w.b.Sync(t.Context(), "cus_unknown"); err != nil {
		t.Errorf("a customer of somebody else: %v", err)
	}
	if r := w.stripe.Refused(); len(r) != 1 {
		t.Errorf("refused: %q", r)
	}
	w.stripe.Forgive()
}

func TestOpenedCheckoutChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.buyer.Scope.Subscription().Remove(t.Context()))
	if _, err := w.b.Checkout(t.Context(), w.buyer, "growth", tenants.Monthly); err != nil {
		t.Fatal(err)
	}
	if _, err := w.buyer.Scope.Subscription().Get(t.Context()); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a checkout that was only opened made a subscription: %v", err)
	}
	w.subscribe("growth", tenants.Monthly) // closes the open checkout
	w.tell(w.stripe.Events("")...)
	if s := w.sub(); s.State != tenants.SubActive || s.Plan != "growth" || s.Customer == "" {
		t.Errorf("%+v", s)
	}
	ids := w.stripe.Sessions()
	if len(ids) != 2 || w.stripe.Pay(ids[0]) == nil {
		t.Errorf("the first checkout of %d can still be paid", len(ids))
	}
}

func TestNearlyEndedTrialIsPaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.Advance(13 * day)
	w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	if s := w.sub(); s.State != tenants.SubActive || !s.PeriodStart.Equal(start.Add(13*day)) {
		t.Errorf("%+v", s)
	}
}

func TestDeclinedCardChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.Advance(14 * day)
	customer := w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	w.stripe.Card(customer, false)
	p, err := w.b.Preview(t.Context(), w.buyer, "scale", tenants.Monthly)
	w.must(err)
	err = w.b.Change(t.Context(), w.buyer, "scale", tenants.Monthly, p.At)
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.Unpaid || e.Code != "card_refused" {
		t.Errorf("declined: %v", err)
	}
	w.must(w.b.Sync(t.Context(), customer))
	if w.sub().Plan != "starter" || w.standing() != tenants.StandingPaid {
		t.Errorf("%+v", w.sub())
	}
	w.stripe.Forgive()
}

// TestPreviewHasDiscountAndTax checks that the preview's lines add up to the amount due, and that
// exactly this is billed.
func TestPreviewHasDiscountAndTax(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.Promote("BELLS20", 20)
	w.stripe.Advance(14 * day)
	customer := w.subscribeBy("starter", url.Values{"card": {"good"}, "code": {"BELLS20"}})
	w.tell(w.stripe.Events("")...)
	if n := w.charged(customer); n != 14900*80/100 {
		t.Errorf("with the code the month is %d", n)
	}
	w.stripe.Tax(customer, 19)
	w.stripe.Advance(10 * day)
	p, err := w.b.Preview(t.Context(), w.buyer, "growth", tenants.Monthly)
	w.must(err)
	var sum int64
	shown := map[string]bool{}
	for _, l := range p.Lines {
		sum, shown[l.Text] = sum+l.Cents, l.Cents < 0
	}
	if tax, ok := shown["Tax"]; sum != p.Due || !shown["Discount"] || tax || !ok {
		t.Errorf("%+v, whose lines come to %d", p, sum)
	}
	w.must(w.b.Change(t.Context(), w.buyer, "growth", tenants.Monthly, p.At))
	if bills := w.stripe.Invoices(customer); w.stripe.Total(bills[len(bills)-1]) != p.Due {
		t.Errorf("shown %d, billed %d", p.Due, w.stripe.Total(bills[len(bills)-1]))
	}
}

func TestSyncPlansIsIdempotent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done, err := w.b.SyncPlans(t.Context())
	w.must(err)
	if len(done) != 0 {
		t.Errorf("a second time it did %q", done)
	}
	customer := w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	other, err := tenants.ParsePlans([]byte(plansFile))
	w.must(err)
	dear := storetest.OpenConfig(t, store.Config{Now: w.stripe.Now, Plans: other})
	b, err := billing.New(billing.Config{Store: dear, Key: stripetest.Key, URL: w.stripe.URL(),
		PublicURL: "https://ring.example", Now: w.stripe.Now, Log: w.b.Log})
	w.must(err)
	if done, err = b.SyncPlans(t.Context()); err != nil || len(done) != 4 || done[0] != "replaced the price carillon_starter_month" {
		t.Errorf("a changed file: %q, %v", done, err)
	}
	if done, err = b.SyncPlans(t.Context()); err != nil || len(done) != 0 {
		t.Errorf("and again: %q, %v", done, err)
	}
	w.must(w.b.Sync(t.Context(), customer)) // a subscriber with the old price keeps the plan
	if w.sub().Plan != "starter" || w.sub().Stripe == "" {
		t.Errorf("%+v", w.sub())
	}
	stale := 0
	for _, f := range w.b.Doctor(t.Context()) {
		if strings.Contains(f.Text, "differs from the plans file") {
			stale++
		}
	}
	if stale != 4 {
		t.Errorf("Doctor finds %d stale prices, want 4", stale)
	}
	if done, err = w.b.SyncPlans(t.Context()); err != nil || len(done) != 4 {
		t.Errorf("back to the first file: %q, %v", done, err)
	}
	for _, f := range w.b.Doctor(t.Context()) {
		if !f.OK && !strings.Contains(f.Text, "webhook endpoint") {
			t.Errorf("Doctor finds: %s", f.Text)
		}
	}
}

const plansFile = `{"currency": "usd", "trial_days": 14, "grace_days": 7, "plans": [
	{"code": "starter", "name": "Starter", "month_cents": 9900, "year_cents": 99000,
	"devices": 1, "rings": 100, "calls": 1, "people": 1, "retention_days": 1, "overage_cents": 1000}
	], "affiliate": {}, "public_mail_domains": []}`

func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	find := func(b *billing.Billing, ok bool, text string) {
		t.Helper()
		for _, f := range b.Doctor(t.Context()) {
			if f.OK == ok && strings.Contains(f.Text, text) {
				return
			}
		}
		t.Errorf("Doctor does not find %q: %+v", text, b.Doctor(t.Context()))
	}
	find(w.b, true, "it is a test key")
	find(w.b, true, "all 12 prices")
	find(w.b, false, "no webhook endpoint")
	w.stripe.Endpoint("https://ring.example/webhooks/stripe", "enabled", "invoice.paid")
	find(w.b, false, "does not receive checkout.session.completed")
	w.stripe.Endpoint("https://other.example/webhooks/stripe", "enabled", "*")
	find(w.billing(billing.Config{Secrets: []string{}}), false, "CARILLON_STRIPE_WEBHOOK_SECRET")
	find(w.billing(billing.Config{Key: "sk_test_wrong"}), false, "Invalid API Key")
	w.stripe.Forgive()
	for key, live := range map[string]bool{"sk_live_x": true, "rk_test_x": false} {
		if got, err := billing.Mode(key); err != nil || got != live {
			t.Errorf("%s: %v, %v", key, got, err)
		}
	}
	for _, bad := range []string{"", "pk_live_x", "sk_live_", "x"} {
		if _, err := billing.Mode(bad); err == nil {
			t.Errorf("the key %q is accepted", bad)
		}
	}
}

// TestOverage checks that each ring is sent to the meter once, and that rings past the plan cost
// what the plans file says if the tenant turned overage on.
func TestOverage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stripe.Advance(14 * day)
	customer := w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	ring := func(n int) {
		t.Helper()
		for range n {
			w.ring()
		}
		for got := 0; got < 2*n; {
			more, err := w.store.Jobs().Roll(t.Context(), 1000)
			w.must(err)
			got += more
		}
	}
	ring(7)
	w.must(w.b.Report(t.Context()))
	w.must(w.b.Report(t.Context()))
	if n := w.stripe.Metered(customer); n != 7 {
		t.Errorf("the meter counts %d, want 7", n)
	}
	w.stripe.Down(true)
	ring(1)
	if err := w.b.Report(t.Context()); err == nil {
		t.Error("Report returned no error while Stripe was down")
	}
	w.stripe.Down(false)
	w.must(w.b.Report(t.Context()))
	if n := w.stripe.Metered(customer); n != 8 {
		t.Errorf("the meter counts %d, want 8", n)
	}
	w.stripe.Use(customer, 5000+1000-8) // a thousand rings past the plan
	w.stripe.Advance(31 * day)
	bills := w.stripe.Invoices(customer)
	if got := w.stripe.Total(bills[len(bills)-1]); got != 14900+3000 {
		t.Errorf("the next invoice is %d cents, want 14900 + 3000", got)
	}
}

// TestNoOverageUnlessTurnedOn checks that the few rings that pass a limit before it is noticed are
// not sent to the meter.
func TestNoOverageUnlessTurnedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	small, err := tenants.ParsePlans([]byte(strings.Replace(plansFile, `"rings": 100`, `"rings": 2`, 1)))
	w.must(err)
	w.store = storetest.OpenConfig(t, store.Config{Now: w.stripe.Now, Plans: small})
	w.buyer = w.tenant("gamma")
	w.must(w.buyer.Scope.Subscription().Change(t.Context(), func(s *tenants.Subscription) error {
		s.State, s.Stripe, s.Customer = tenants.SubActive, "sub_x", "cus_x"
		return nil
	}))
	for n, want := range []int{1, 2, 2, 2} { // the first two are covered by the plan
		w.ring()
		_, err := w.store.Jobs().Roll(t.Context(), 1000)
		w.must(err)
		open, err := w.store.Jobs().Unreported(t.Context(), 10)
		w.must(err)
		if len(open) != want {
			t.Errorf("after %d rings unreported rings: %d, want %d", n+1, len(open), want)
		}
	}
	w.must(w.buyer.Scope.Subscription().Change(t.Context(), func(s *tenants.Subscription) error { s.Overage = true; return nil }))
	w.ring()
	_, err = w.store.Jobs().Roll(t.Context(), 1000)
	w.must(err)
	open, err := w.store.Jobs().Unreported(t.Context(), 10)
	w.must(err)
	if len(open) != 3 {
		t.Errorf("with overage on unreported rings: %d, want 3", len(open))
	}
	e, err := w.buyer.Scope.Subscription().Entitlement(t.Context())
	w.must(err)
	if e.Usage.Rings != 5 || e.Ring(false) != nil {
		t.Errorf("%d rings are counted, want 5; one more: %v", e.Usage.Rings, e.Ring(false))
	}
}

// ring records a ring that Apple accepted.
func (w *world) ring() {
	w.Helper()
	ctx, s, now := w.Context(), w.buyer.Scope, w.stripe.Now()
	id, a := tenants.NewID[tenants.RingID](now), tenants.NewID[tenants.AttemptID](now)
	r := &tenants.Ring{ID: id, State: tenants.Placed, CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		Attempts: []tenants.Attempt{{ID: a, Ring: id, Device: "0190aaaa-0000-7000-8000-00000000000f", State: tenants.Placed}}}
	_, err := s.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt)
	w.must(err)
	_, _, err = s.Rings().Change(ctx, id, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		return r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactAccepted, At: now, Received: now}), nil
	})
	w.must(err)
}
