package billing

import (
	"context"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
)

// Close ends the subscription of a tenant that is being deleted, at once and without another bill.
func (b *Billing) Close(ctx context.Context, id tenants.TenantID) error {
	sub, err := b.Store.For(id).Subscription().Get(ctx)
	if tenants.KindOf(err) == tenants.Unknown {
		return nil
	}
	if err != nil || sub.Stripe == "" || !sub.Live() {
		return err
	}
	if err := b.settle(ctx, sub.Customer); err != nil && !gone(err) { // the last chance to find its payments
		return err
	}
	p := &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(false), Prorate: stripe.Bool(false)}
	p.Context = ctx
	if _, err := b.api.Subscriptions.Cancel(sub.Stripe, p); err != nil && !gone(err) {
		return refusal(err)
	}
	return nil
}
