package billing_test

import (
	"strings"
	"testing"

	"carillon/app/billing"
	"carillon/tenants"
)

// TestReplay: a message that was processed is processed again and changes nothing; what it says
// about people is not shown.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	w.must(w.b.Reconcile(t.Context()))
	messages := billing.Messages{Billing: w.b}
	e := w.stripe.Events("customer.subscription.created")[0]
	before := state(w.sub())
	w.must(messages.Replay(t.Context(), e.ID))
	if got := state(w.sub()); got != before {
		t.Errorf("a replay changed %s to %s", before, got)
	}
	stored, err := w.store.StripeEvents().Get(t.Context(), e.ID)
	if err != nil || stored.DoneAt.IsZero() || stored.Tries != 2 {
		t.Errorf("after a replay: %+v %v", stored, err)
	}
	text, err := messages.Payload(t.Context(), e.ID)
	if err != nil || !strings.Contains(text, `"status": "`) || strings.Contains(text, "@") {
		t.Errorf("the payload is %s %v", text, err)
	}
	if err := messages.Replay(t.Context(), "evt_none"); tenants.KindOf(err) != tenants.Gone {
		t.Errorf("a message that Stripe does not have: %v", err)
	}
	w.stripe.Forgive() // it was asked for a message that it does not have
}
