package billing

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants/store"
)

const (
	lookBack   = 26 * time.Hour // how far back events are checked; run Reconcile much more often
	staleAfter = 12 * time.Hour // age from which a subscription is synced again
	mostEvents = 1000           // per call
)

// Reconcile repairs what a lost message left wrong: it processes events of the last day that never
// arrived, and asks Stripe again about subscriptions that were not synced for staleAfter. A failure
// for one customer does not stop the others.
func (b *Billing) Reconcile(ctx context.Context) error {
	var errs []error
	errs = append(errs, b.missed(ctx))
	subs, err := b.Store.Tenants().Subscriptions(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, s := range subs {
		if ctx.Err() != nil {
			break
		}
		if s.Customer != "" && b.Now().Sub(s.SyncedAt) > staleAfter {
			errs = append(errs, b.Sync(ctx, s.Customer))
		}
		if s.Customer != "" {
			errs = append(errs, b.settleStale(ctx, s))
		}
	}
	return errors.Join(errs...)
}

// missed processes the events that Stripe lists and that never arrived.
func (b *Billing) missed(ctx context.Context) error {
	p := &stripe.EventListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: b.Now().Add(-lookBack).Unix()}}
	for _, k := range []string{"checkout.session.completed", "customer.subscription.created", "customer.subscription.updated",
		"customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed", "invoice.paid",
		"invoice.payment_failed", "payment_method.attached", "customer.deleted"} {
		p.Types = append(p.Types, stripe.String(k))
	}
	for _, k := range affiliateEvents {
		p.Types = append(p.Types, stripe.String(k))
	}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	var events []stripe.Event
	list := b.api.Events.List(p)
	for list.Next() && len(events) < mostEvents {
		if e := list.Event(); e.Livemode == b.live {
			events = append(events, *e)
		}
	}
	errs := []error{refusal(list.Err())}
	for i := len(events) - 1; i >= 0; i-- { // the oldest first
		errs = append(errs, b.processOnce(ctx, events[i]))
	}
	return errors.Join(errs...)
}

// reportMost is how many rings one call of Report sends to Stripe's meter.
const reportMost = 200

// tooOld is the age from which Stripe's meter refuses a ring
// (docs.stripe.com/api/billing/meter-event/create: timestamp).
const tooOld = 34 * 24 * time.Hour

// Report sends counted rings to Stripe's meter, one unit each. The ring's id is the event
// identifier, so a ring that is sent twice counts once.
func (b *Billing) Report(ctx context.Context) error {
	rings, err := b.Store.Jobs().Unreported(ctx, reportMost)
	if err != nil {
		return err
	}
	var done []store.Metered
	dropped := map[string]bool{} // customers that were deleted at Stripe
	for _, m := range rings {
		if dropped[m.Customer] {
			continue
		}
		if err = b.report(ctx, m); err == nil {
			done = append(done, m)
			continue
		}
		if dropped[m.Customer], err = b.dropIfDeleted(ctx, m.Customer, err); err != nil {
			break
		}
	}
	if len(done) == 0 {
		return err
	}
	return errors.Join(err, b.Store.Jobs().Reported(ctx, done))
}

func (b *Billing) report(ctx context.Context, m store.Metered) error {
	if b.Now().Sub(m.At) > tooOld {
		b.Log.Error("a ring is too old for Stripe's meter", "tenant", m.Tenant, "ring", m.Ring)
		return nil
	}
	p := &stripe.BillingMeterEventParams{
		EventName: stripe.String(meterName), Identifier: stripe.String(string(m.Ring)), Timestamp: stripe.Int64(m.At.Unix()),
		Payload: map[string]string{"stripe_customer_id": m.Customer, "value": "1"},
	}
	p.Context = ctx
	p.SetIdempotencyKey("ring-" + string(m.Ring))
	_, err := b.api.BillingMeterEvents.New(p)
	var theirs *stripe.Error
	if errors.As(err, &theirs) && theirs.HTTPStatusCode == http.StatusBadRequest && strings.Contains(theirs.Msg, "identifier") {
		return nil // sent before
	}
	return refusal(err)
}
