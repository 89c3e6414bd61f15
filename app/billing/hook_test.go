package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
)

func TestForgedMessagesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	e := w.stripe.Events("customer.subscription.created")[0]
	now := time.Now()
	before := state(w.sub())
	for name, c := range map[string]struct {
		body []byte
		sign string
	}{
		"no signature": {e.Body, ""},
		"rubbish":      {e.Body, "t=1,v1=zz"},
		"wrong secret": {e.Body, stripetest.Sign(e.Body, "whsec_somebody_else", now)},
		"empty secret": {e.Body, stripetest.Sign(e.Body, "", now)},
		"old":          {e.Body, stripetest.Sign(e.Body, stripetest.Secret, now.Add(-301*time.Second))},
		"another body": {bytes.Replace(e.Body, []byte("active"), []byte("unpaid"), 1),
			stripetest.Sign(e.Body, stripetest.Secret, now)},
		"printed otherwise": {append(bytes.Clone(e.Body), ' '), stripetest.Sign(e.Body, stripetest.Secret, now)},
		"no type": {[]byte(`{"id":"evt_9","object":"event","livemode":false}`),
			stripetest.Sign([]byte(`{"id":"evt_9","object":"event","livemode":false}`), stripetest.Secret, now)},
		"no id": {[]byte(`{"type":"invoice.paid","object":"event","livemode":false}`),
			stripetest.Sign([]byte(`{"type":"invoice.paid","object":"event","livemode":false}`), stripetest.Secret, now)},
		"no event": {[]byte("{}"), stripetest.Sign([]byte("{}"), stripetest.Secret, now)},
		"no JSON":  {[]byte("x"), stripetest.Sign([]byte("x"), stripetest.Secret, now)},
		"1 MiB":    {make([]byte, 1<<20), stripetest.Sign(make([]byte, 1<<20), stripetest.Secret, now)},
	} {
		if err := w.b.Hook(t.Context(), c.body, c.sign); tenants.KindOf(err) != tenants.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := state(w.sub()); got != before {
		t.Errorf("a forged message changed %s to %s", before, got)
	}
	if at, err := w.store.StripeEvents().LastHeard(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("a forged message was kept at %v, %v", at, err)
	}
	for _, bad := range [][]string{{""}, {"secret"}, {stripetest.Secret, ""}} {
		if _, err := billing.New(billing.Config{Store: w.store, Key: stripetest.Key, Secrets: bad, PublicURL: "https://x",
			Now: time.Now, Log: w.b.Log}); err == nil {
			t.Errorf("secrets %q are accepted", bad)
		}
	}
	if none := w.billing(billing.Config{Secrets: []string{}}); none.Hooked() ||
		tenants.KindOf(none.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, "", now))) != tenants.Invalid {
		t.Error("a message is accepted without a secret")
	}
}

func TestSecretRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	b := w.billing(billing.Config{Secrets: []string{"whsec_the_new_one", stripetest.Secret}})
	for i, secret := range []string{stripetest.Secret, "whsec_the_new_one"} {
		body := w.stripe.Events("")[len(w.stripe.Events(""))-1-i].Body
		if err := b.Hook(t.Context(), body, stripetest.Sign(body, secret, time.Now())); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if w.standing() != tenants.StandingTrial || w.sub().Stripe == "" {
		t.Errorf("%+v", w.sub())
	}
}

func TestMessagesOfOtherModeAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	e := w.stripe.Events("customer.subscription.created")[0]
	live := bytes.Replace(e.Body, []byte(`"livemode": false,`+"\n"+`  "object"`), []byte(`"livemode": true,`+"\n"+`  "object"`), 1)
	if bytes.Equal(live, e.Body) {
		t.Fatal("the event has no livemode")
	}
	if err := w.b.Hook(t.Context(), live, stripetest.Sign(live, stripetest.Secret, time.Now())); tenants.KindOf(err) != tenants.Invalid {
		t.Errorf("a live event in test mode: %v", err)
	}
	if w.sub().Stripe != "" {
		t.Error("it took effect")
	}
}

func TestUnknownTypesAreStoredAndIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{
		`{"id":"evt_1","object":"event","type":"radar.early_fraud_warning.created","livemode":false,
			"data":{"object":{"id":"x","object":"y"}}}`,
		`{"id":"evt_2","object":"event","type":"invoice.paid","livemode":false,
			"data":{"object":{"id":"in_x","object":"invoice","customer":null}}}`,
		`{"id":"evt_3","object":"event","type":"customer.subscription.updated","livemode":false,
			"data":{"object":{"id":"s","object":"subscription","customer":7}}}`,
	} {
		if err := w.b.Hook(t.Context(), []byte(body), stripetest.Sign([]byte(body), stripetest.Secret, time.Now())); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	if at, err := w.store.StripeEvents().LastHeard(t.Context()); err != nil || at.IsZero() {
		t.Errorf("not kept: %v, %v", at, err)
	}
}

func TestRepeatedMessageHasOneEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	before := w.audits()
	e := w.stripe.Events("checkout.session.completed")[0]
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if err := w.b.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now())); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := w.audits() - before; n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	if w.sub().State != tenants.SubTrialing || w.sub().Stripe == "" {
		t.Errorf("%+v", w.sub())
	}
}

// TestMessageIsReleasedOnTimeout checks that a handler that times out while it asks Stripe releases
// the message, so that an immediate retry is processed and not refused as in progress.
func TestMessageIsReleasedOnTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	e := w.stripe.Events("checkout.session.completed")[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now := w.b.Now
	// called once the message is claimed
	w.b.Now = func() time.Time { cancel(); return now() }
	if err := w.b.Hook(ctx, e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now())); err == nil {
		t.Fatal("a message was processed after its deadline")
	}
	w.b.Now = now
	w.must(w.b.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret, time.Now())))
	if w.sub().State != tenants.SubTrialing || w.sub().Stripe == "" {
		t.Errorf("%+v", w.sub())
	}
}

// permutations returns all orders of n things.
func permutations(n int) (out [][]int) {
	var grow func(have []int)
	grow = func(have []int) {
		if len(have) == n {
			out = append(out, append([]int{}, have...))
			return
		}
	next:
		for i := range n {
			for _, x := range have {
				if x == i {
					continue next
				}
			}
			grow(append(have, i))
		}
	}
	grow(nil)
	return out
}

func TestMessagesInEveryOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, order := range permutations(4) {
		w.buyer = w.tenant("t" + fmt.Sprint(order[0], order[1], order[2], order[3]))
		from := len(w.stripe.Events(""))
		w.subscribe("growth", tenants.Monthly)
		var four []stripetest.Event
		for _, e := range w.stripe.Events("")[from:] {
			switch e.Type {
			case "checkout.session.completed", "customer.subscription.created", "customer.subscription.updated", "invoice.paid":
				four = append(four, e)
			}
		}
		if len(four) != 4 {
			t.Fatalf("%d events", len(four))
		}
		for n, i := range order {
			w.tell(four[i])
			if s := w.sub(); s.Stripe == "" || s.Plan != "growth" || !s.TrialEnd.Equal(start.AddDate(0, 0, 14)) ||
				s.State != tenants.SubTrialing {
				t.Errorf("%v: after %d messages %+v", order, n+1, s)
			}
		}
	}
}

func TestDeletedBeforeUpdatedStaysDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer := w.subscribe("growth", tenants.Monthly)
	w.stripe.Advance(20 * 24 * time.Hour) // the trial is over and the first month is paid
	w.stripe.Cancel(w.stripe.Subscriptions(customer)[0], "cancellation_requested")
	w.tell(w.stripe.Events("customer.subscription.deleted")...)
	after := state(w.sub())
	w.tell(w.stripe.Events("customer.subscription.updated")...)
	w.tell(w.stripe.Events("customer.subscription.created")...)
	if got := state(w.sub()); got != after || w.sub().State != tenants.SubCancelled {
		t.Errorf("after an old message %s, before %s", got, after)
	}
	if w.standing() != tenants.StandingEnding {
		t.Errorf("what was paid for is gone: %s", w.standing())
	}
	w.stripe.Advance(31 * 24 * time.Hour)
	if w.standing() != tenants.StandingOver {
		t.Errorf("after the period: %s", w.standing())
	}
}

// TestNewerAPIVersions checks that an endpoint made in Stripe's dashboard may use a later API
// version, in which a subscription has no period.
func TestNewerAPIVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Yearly)
	for _, e := range w.stripe.Events("") {
		var body map[string]any
		w.must(json.Unmarshal(e.Body, &body))
		body["api_version"] = "2025-03-31.basil"
		o := body["data"].(map[string]any)["object"].(map[string]any)
		delete(o, "current_period_end")
		delete(o, "current_period_start")
		delete(o, "subscription")
		if o["object"] == "invoice" {
			o["parent"] = map[string]any{"type": "subscription_details", "subscription_details": map[string]any{"subscription": "sub_x"}}
		}
		if c, ok := o["customer"].(string); ok && o["object"] == "subscription" {
			o["customer"] = map[string]any{"id": c, "object": "customer"} // expanded
		}
		text, err := json.Marshal(body)
		w.must(err)
		w.tell(stripetest.Event{ID: e.ID, Type: e.Type, Body: text})
	}
	s := w.sub()
	if s.Plan != "growth" || s.Interval != tenants.Yearly || s.PeriodEnd.IsZero() || s.Stripe == "" {
		t.Errorf("%+v", s)
	}
}

func TestFailedMessageIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	e := w.stripe.Events("customer.subscription.created")[0]
	w.stripe.Down(true)
	if err := w.b.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret,
		time.Now())); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("while Stripe is away: %v", err)
	}
	if w.sub().Stripe != "" {
		t.Error("a message alone granted something")
	}
	w.stripe.Down(false)
	w.tell(e)
	if w.sub().Stripe == "" {
		t.Error("sent again, it had no effect")
	}
}

// TestPaymentFailureAndRecoveryInEveryOrder checks that the messages of a failed card and of the
// later payment end in the same state, in any order and each of them twice.
func TestPaymentFailureAndRecoveryInEveryOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	customer := w.subscribe("growth", tenants.Monthly)
	w.tell(w.stripe.Events("")...)
	from := len(w.stripe.Events(""))
	w.stripe.Card(customer, false)
	w.stripe.Advance(15 * day)
	w.stripe.Card(customer, true)
	var four []stripetest.Event
	for _, e := range w.stripe.Events("")[from:] {
		switch e.Type {
		case "invoice.payment_failed", "customer.subscription.updated", "invoice.paid":
			four = append(four, e)
		}
	}
	if len(four) != 4 {
		t.Fatalf("%d events", len(four))
	}
	want := ""
	for n, order := range permutations(4) {
		for _, i := range order {
			// a repeated id would be ignored
			body := bytes.ReplaceAll(four[i].Body, []byte(four[i].ID), fmt.Appendf(nil, "evt_%d_%d", n, i))
			w.tell(stripetest.Event{Body: body}, stripetest.Event{Body: body})
		}
		got := state(w.sub())
		if want == "" {
			want = got
		}
		if got != want || w.sub().State != tenants.SubActive || !w.sub().PastDueSince.IsZero() {
			t.Errorf("%v: %s, want %s", order, got, want)
		}
	}
}

// TestLiveServerRefusesTestMessages checks that a test message leaves no trace on a live server.
func TestLiveServerRefusesTestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe("growth", tenants.Monthly)
	live := w.billing(billing.Config{Key: "sk_live_carillon"})
	for _, e := range w.stripe.Events("") {
		if err := live.Hook(t.Context(), e.Body, stripetest.Sign(e.Body, stripetest.Secret,
			time.Now())); tenants.KindOf(err) != tenants.Invalid {
			t.Errorf("%s: %v", e.Type, err)
		}
	}
	if at, err := w.store.StripeEvents().LastHeard(t.Context()); err != nil || !at.IsZero() || w.sub().Stripe != "" {
		t.Errorf("kept at %v, %v; %+v", at, err, w.sub())
	}
	// a test server still accepts it
	for _, e := range w.stripe.Events("customer.subscription.created") {
		w.tell(e)
	}
	if w.sub().Stripe == "" {
		t.Error("a refused message counts as processed")
	}
}
