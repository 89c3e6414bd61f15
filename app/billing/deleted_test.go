package billing_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
)

// TestDeletedCustomerIsReplaced deletes a customer at Stripe. Whichever way we learn of it, the row
// says that the subscription is over, and the tenant can subscribe again as a new customer.
func TestDeletedCustomerIsReplaced(t *testing.T) {
	t.Parallel()
	for name, learn := range map[string]func(w *world){
		"by messages in order": func(w *world) { w.tell(w.stripe.Events("")...) },
		"by the last message":  func(w *world) { w.tell(w.stripe.Events("customer.deleted")...) },
		"by the one before":    func(w *world) { w.tell(w.stripe.Events("customer.subscription.deleted")...) },
		"by reconciling": func(w *world) {
			w.stripe.Advance(13 * time.Hour)
			w.must(w.b.Reconcile(w.Context()))
		},
		"by the portal": func(w *world) {
			if _, err := w.b.Portal(w.Context(), w.buyer); tenants.KindOf(err) != tenants.Conflict {
				w.Errorf("portal: %v", err)
			}
		},
		"by cancelling": func(w *world) {
			if err := w.b.Cancel(w.Context(), w.buyer); tenants.KindOf(err) != tenants.Conflict {
				w.Errorf("cancel: %v", err)
			}
		},
		"by a price": func(w *world) {
			if _, err := w.b.Preview(w.Context(), w.buyer, "growth", tenants.Monthly); tenants.KindOf(err) != tenants.Conflict {
				w.Errorf("preview: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.subscribe("starter", tenants.Monthly)
			w.tell(w.stripe.Events("")...)
			w.stripe.Advance(20 * 24 * time.Hour)
			w.tell(w.stripe.Events("")...)
			w.stripe.Delete(old)
			learn(w)
			s := w.sub()
			if s.Customer != "" || s.State != tenants.SubCancelled {
				t.Fatalf("after the customer was deleted: %s", state(s))
			}
			if _, err := w.b.Portal(t.Context(), w.buyer); tenants.KindOf(err) != tenants.Conflict {
				t.Errorf("portal without a customer: %v", err)
			}
			w.must(w.b.Reconcile(t.Context()))
			fresh := w.subscribe("growth", tenants.Monthly)
			w.tell(w.stripe.Events("")...)
			if s := w.sub(); s.Customer != fresh || fresh == old || s.Plan != "growth" || !s.Live() {
				t.Errorf("subscribed again: %s", state(s))
			}
			w.stripe.Forgive() // requests about the deleted customer
		})
	}
}

// TestDeletedCustomerBeforeCheckout deletes customers that never paid. Stripe answers a repeated
// idempotency key with the deleted one.
func TestDeletedCustomerBeforeCheckout(t *testing.T) {
	t.Parallel()
	for _, trial := range []bool{true, false} {
		w := newWorld(t)
		if !trial {
			w.must(w.buyer.Scope.Subscription().Remove(t.Context()))
		}
		for range 3 {
			if _, err := w.b.Checkout(t.Context(), w.buyer, "starter", tenants.Monthly); err != nil {
				t.Fatalf("trial %v: %v", trial, err)
			}
			all := w.stripe.Customers()
			w.stripe.Delete(all[len(all)-1])
		}
		w.tell(w.stripe.Events("customer.deleted")...)
		if trial && (w.sub().State != tenants.SubTrialing || w.sub().Customer != "") {
			t.Errorf("the trial became %s", state(w.sub()))
		}
		customer := w.subscribe("starter", tenants.Monthly)
		w.tell(w.stripe.Events("")...)
		if s := w.sub(); s.Customer != customer || s.Stripe == "" {
			t.Errorf("trial %v: %s", trial, state(s))
		}
	}
}

// TestTwoPeopleStartCheckouts checks that no idempotency key is sent with two addresses.
func TestTwoPeopleStartCheckouts(t *testing.T) {
	t.Parallel()
	for _, trial := range []bool{true, false} {
		w := newWorld(t)
		if !trial { // so that no row keeps the customer
			w.must(w.buyer.Scope.Subscription().Remove(t.Context()))
		}
		for _, address := range []string{"ada@alpha.example", "ben@alpha.example"} {
			w.buyer.Email = address
			if _, err := w.b.Checkout(t.Context(), w.buyer, "starter", tenants.Monthly); err != nil {
				t.Errorf("trial %v, %s: %v", trial, address, err)
			}
		}
	}
}

// TestMeterSkipsDeletedCustomers checks that one tenant's deleted customer does not keep the rings
// of the others from the meter.
func TestMeterSkipsDeletedCustomers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.buyer
	gone := w.subscribe("starter", tenants.Monthly)
	w.buyer = w.tenant("beta")
	kept := w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	second := w.buyer
	for i := range 5 {
		if w.buyer = second; i < 2 {
			w.buyer = first
		}
		w.ring()
	}
	for got := 0; got < 10; {
		n, err := w.store.Jobs().Roll(t.Context(), 1000)
		w.must(err)
		got += n
	}
	w.stripe.Delete(gone)
	w.must(w.b.Report(t.Context()))
	if n := w.stripe.Metered(kept); n != 3 {
		t.Errorf("%d rings of the other tenant were reported, want 3", n)
	}
	if s, err := first.Scope.Subscription().Get(t.Context()); err != nil || s.Customer != "" {
		t.Errorf("the deleted customer is still there: %s, %v", state(s), err)
	}
	w.stripe.Forgive()
}

// TestOddQuantityAlertsOperator sets a quantity at Stripe's dashboard: the row says what Stripe
// says, the operator is alerted once, and doctor finds it.
func TestOddQuantityAlertsOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log syncBuffer
	b, err := billing.New(billing.Config{Store: w.store, Now: w.stripe.Now, Log: slog.New(slog.NewTextHandler(&log, nil)),
		PublicURL: "https://ring.example", URL: w.stripe.URL(), Key: stripetest.Key, Secrets: []string{stripetest.Secret}})
	w.must(err)
	w.b = b
	customer := w.subscribe("starter", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	if s := w.sub(); s.Quantity != 1 || b.Alerts() != 0 {
		t.Fatalf("quantity %d, %d alerts", s.Quantity, b.Alerts())
	}
	for _, n := range []int64{3, 0} {
		before := b.Alerts()
		w.stripe.Quantity(w.stripe.Subscriptions(customer)[0], n)
		w.tell(w.stripe.Events("customer.subscription.updated")...)
		w.must(b.Sync(t.Context(), customer))
		s := w.sub()
		if s.Quantity != n || s.Plan != "starter" || !s.Live() || b.Alerts() != before+1 {
			t.Errorf("quantity %d: %s × %d, %d alerts", n, state(s), s.Quantity, b.Alerts()-before)
		}
		found := false
		for _, f := range b.Doctor(t.Context()) {
			found = found || !f.OK && strings.Contains(f.Text, s.Stripe)
		}
		if !found {
			t.Errorf("doctor does not find the quantity %d", n)
		}
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "quantity=3") {
		t.Errorf("the log says %s", text)
	}
	// a change of plan sets it right
	p, err := b.Preview(t.Context(), w.buyer, "growth", tenants.Monthly)
	w.must(err)
	w.must(b.Change(t.Context(), w.buyer, "growth", tenants.Monthly, p.At))
	if s := w.sub(); s.Quantity != 1 || s.Plan != "growth" {
		t.Errorf("after the change: %s × %d", state(s), s.Quantity)
	}
}

// TestBasilMessages delivers messages in the shape of a newer API version. They are hints, so the
// row still says what Stripe says in ours.
func TestBasilMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer := w.subscribe("starter", tenants.Monthly)
	id := w.stripe.Subscriptions(customer)[0]
	for i, object := range []string{
		`{"id":"in_1","object":"invoice","customer":"` + customer + `","parent":{"type":"subscription_details",` +
			`"subscription_details":{"subscription":"` + id + `"}},"amount_due":0}`,
		`{"id":"` + id + `","object":"subscription","customer":{"id":"` + customer + `","object":"customer"},` +
			`"items":{"data":[{"current_period_end":1}]}}`,
	} {
		kind := []string{"invoice.paid", "customer.subscription.updated"}[i]
		body := []byte(`{"id":"evt_` + kind + `","object":"event","api_version":"2025-03-31.basil","created":1743400000,` +
			`"livemode":false,"type":"` + kind + `","data":{"object":` + object + `}}`)
		w.must(w.b.Hook(t.Context(), body, stripetest.Sign(body, stripetest.Secret, time.Now())))
		if s := w.sub(); s.Stripe != id || !s.PeriodEnd.After(w.stripe.Now()) {
			t.Errorf("after %s: %s", kind, state(s))
		}
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
