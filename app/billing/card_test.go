package billing_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
)

const plastic = "4000 0000 0000 0077"

// subscribeWith pays a checkout with a card number.
func (w *world) subscribeWith(number, plan string) (customer string) {
	w.Helper()
	return w.subscribeBy(plan, url.Values{"card": {"good"}, "number": {number}})
}

// subscribeBy pays a checkout with the given form values.
func (w *world) subscribeBy(plan string, typed url.Values) (customer string) {
	w.Helper()
	address, err := w.b.Checkout(w.Context(), w.buyer, plan, tenants.Monthly)
	w.must(err)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.PostForm(address, typed)
	w.must(err)
	a.Body.Close()
	all := w.stripe.Customers()
	return all[len(all)-1]
}

// charged is the sum of a customer's invoices.
func (w *world) charged(customer string) (cents int64) {
	for _, id := range w.stripe.Invoices(customer) {
		cents += w.stripe.Total(id)
	}
	return cents
}

// as switches the world to another buyer.
func (w *world) as(b billing.Buyer) *world { w.buyer = b; return w }

// TestOneTrialPerCard checks that a second company with a card keeps its phones for a day and is
// told why, that nothing is charged, and that the first company notices nothing. Then the second
// subscribes and pays at once.
func TestOneTrialPerCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alpha := w.buyer
	first := w.subscribeWith(plastic, "growth")
	w.tell(w.stripe.Events("")...)
	untouched := state(w.sub())
	w.stripe.Advance(3 * day)
	beta := w.tenant("beta")
	second := w.as(beta).subscribeWith(plastic, "starter")
	w.tell(w.stripe.Events("")...)

	s, cut := w.sub(), w.stripe.Now().Add(tenants.TrialNotice)
	if s.State != tenants.SubCancelled || !s.WasCut() || s.PeriodEnd.Sub(cut).Abs() > time.Second ||
		w.standing() != tenants.StandingEnding || s.Live() {
		t.Errorf("the second trial: %s, %+v", w.standing(), s)
	}
	e, err := beta.Scope.Subscription().Entitlement(t.Context())
	w.must(err)
	if warns := e.Warnings(); len(warns) == 0 || warns[0].Code != "trial_card" || e.Ring(false) != nil {
		t.Errorf("told %+v, rings: %v", e.Warnings(), e.Ring(false))
	}
	raised := w.cuts(true)
	if len(raised) != 1 || !strings.Contains(raised[0].Detail, "this one ends on 24 March 2026 at 09:00 UTC") {
		t.Errorf("the alert is %+v", raised)
	}
	after, audits := state(s), w.audits()
	w.tell(w.stripe.Events("")...)
	w.must(w.b.Reconcile(t.Context()))
	if got := state(w.sub()); got != after || w.audits() != audits {
		t.Errorf("after a repeat it became %s, was %s", got, after)
	}
	if again := w.cuts(true); fmt.Sprint(again) != fmt.Sprint(raised) {
		t.Errorf("after a repeat the alert is %+v, was %+v", again, raised)
	}
	w.stripe.Advance(20 * day)
	w.tell(w.stripe.Events("")...)
	if err := w.standingError(); err == nil || err.Code != "trial_card" || err.Kind != tenants.Unpaid {
		t.Errorf("after the notice: %v", err)
	}
	if n := w.charged(second); n != 0 {
		t.Errorf("%d cents were charged", n)
	}
	if n := len(w.as(alpha).cuts(false)); n != 0 {
		t.Errorf("%d alerts to the first company", n)
	}
	if got := state(w.as(alpha).sub()); got == untouched || w.sub().State != tenants.SubActive || w.charged(first) != 49900 {
		t.Errorf("the first company: %s", got)
	}

	w.as(beta).subscribeWith(plastic, "starter")
	w.tell(w.stripe.Events("")...)
	if s := w.sub(); s.State != tenants.SubActive || w.standing() != tenants.StandingPaid || s.WasCut() || w.charged(second) != 14900 {
		t.Errorf("subscribed: %s %+v, %d cents", w.standing(), s, w.charged(second))
	}
	if open, all := w.cuts(true), w.cuts(false); len(open) != 0 || len(all) != 1 {
		t.Errorf("subscribed, the alerts are %+v of %+v", open, all)
	}
	w.must(w.b.Cancel(t.Context(), beta))
	w.stripe.Advance(32 * day)
	w.tell(w.stripe.Events("")...)
	if err := w.standingError(); err == nil || err.Code != "subscription_ended" {
		t.Errorf("the new subscription:  %v", err)
	}
}

// cuts returns the alerts of a cut trial: the open ones, or all.
func (w *world) cuts(open bool) (out []tenants.Alert) {
	w.Helper()
	all, err := w.buyer.Scope.Alerts().List(w.Context(), !open)
	w.must(err)
	for _, a := range all {
		if a.Kind == tenants.AlertTrial {
			out = append(out, a)
		}
	}
	return out
}

// standingError is why rings are refused.
func (w *world) standingError() *tenants.Error {
	e, err := w.buyer.Scope.Subscription().Entitlement(w.Context())
	w.must(err)
	why, _ := e.Refusal().(*tenants.Error)
	return why
}

// TestCardMessagesInEveryOrder checks that the company that added the card first keeps the trial,
// in any order and number of messages.
func TestCardMessagesInEveryOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, order := range permutations(4) {
		number := fmt.Sprint(plastic, n)
		one, two := w.tenant(fmt.Sprint("one", n)), w.tenant(fmt.Sprint("two", n))
		from := len(w.stripe.Events(""))
		w.as(one).subscribeWith(number, "growth")
		w.stripe.Advance(time.Second)
		w.as(two).subscribeWith(number, "growth")
		var four []stripetest.Event
		for _, e := range w.stripe.Events("")[from:] {
			if e.Type == "payment_method.attached" || e.Type == "checkout.session.completed" {
				four = append(four, e)
			}
		}
		if len(four) != 4 {
			t.Fatalf("%d events", len(four))
		}
		for _, i := range order {
			w.tell(four[i], four[i])
		}
		if s := w.as(one).sub(); s.State != tenants.SubTrialing || s.WasCut() {
			t.Errorf("%v: the first has %s", order, state(s))
		}
		if s := w.as(two).sub(); !s.WasCut() {
			t.Errorf("%v: the second has %s", order, state(s))
		}
	}
}

// TestCardAddedConcurrently checks that of two companies that add one card at the same moment, one
// has the trial.
func TestCardAddedConcurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var both []billing.Buyer
	for _, slug := range []string{"one", "two"} {
		both = append(both, w.tenant(slug))
		w.as(both[len(both)-1]).subscribeWith(plastic, "growth")
	}
	var wait sync.WaitGroup
	for _, e := range w.stripe.Events("") {
		for range 3 {
			wait.Go(func() {
				if err := w.b.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now())); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	cut := 0
	for _, b := range both {
		if w.as(b).sub().WasCut() {
			cut++
		}
	}
	if cut != 1 {
		t.Errorf("%d of 2 trials were cut, want 1", cut)
	}
	w.stripe.Forgive() // the slower one cancels what is already cancelled
}

// TestCardAddedInPortal checks that a card added without a checkout counts too, and that a
// company's own other card does not.
func TestCardAddedInPortal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alpha := w.buyer
	customer := w.subscribeWith(plastic, "growth")
	w.tell(w.stripe.Events("")...)
	w.stripe.Attach(customer, "1111")
	w.stripe.Attach(customer, plastic)
	w.tell(w.stripe.Events("")...)
	if w.sub().WasCut() {
		t.Error("the company's own card cut its trial")
	}
	beta := w.tenant("beta")
	_, err := w.b.Checkout(t.Context(), beta, "starter", tenants.Monthly) // opened, not finished
	w.must(err)
	all := w.stripe.Customers()
	w.stripe.Attach(all[len(all)-1], "1111")
	w.tell(w.stripe.Events("")...)
	if s := w.as(beta).sub(); !s.WasCut() || s.Stripe != "" || w.standing() != tenants.StandingEnding {
		t.Errorf("a trial without a subscription: %+v", s)
	}
	if w.as(alpha).sub().WasCut() {
		t.Error("the first company pays for it")
	}
}

// TestCutTrialIsEndedAtStripeLater checks that the row says at once that a trial was cut, and that
// the next sync ends the subscription at Stripe when the first attempt failed.
func TestCutTrialIsEndedAtStripeLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribeWith(plastic, "growth")
	w.tell(w.stripe.Events("")...)
	beta := w.tenant("beta")
	customer := w.as(beta).subscribeWith(plastic, "starter")
	w.stripe.Deaf("DELETE", true)
	for _, e := range w.stripe.Events("") {
		// Stripe sends it again
		_ = w.b.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now()))
	}
	if !w.sub().WasCut() {
		t.Fatalf("%+v", w.sub())
	}
	w.stripe.Deaf("DELETE", false)
	w.stripe.Advance(13 * time.Hour)
	w.must(w.b.Reconcile(t.Context()))
	w.stripe.Advance(30 * day)
	if n := w.charged(customer); n != 0 {
		t.Errorf("%d cents were charged", n)
	}
}

// TestFingerprintIsNotStored checks that what is stored of a card does not reveal its fingerprint.
func TestFingerprintIsNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribeWith(plastic, "growth")
	all := w.stripe.Events("payment_method.attached")
	w.tell(all...)
	_, print, _ := strings.Cut(string(all[0].Body), `"fingerprint": "`)
	print, _, _ = strings.Cut(print, `"`)
	c, err := w.tenant("beta").Scope.Subscription().ClaimCard(t.Context(), print, w.stripe.Now())
	w.must(err)
	if c.Mine || len(print) < 8 {
		t.Errorf("%q was not marked", print)
	}
	if c, err = w.buyer.Scope.Subscription().ClaimCard(t.Context(), print, w.stripe.Now()); err != nil || !c.Mine {
		t.Errorf("%+v, %v", c, err)
	}
}
