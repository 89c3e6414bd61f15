package billing

import (
	"context"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// One trial for a card. A card is known when Stripe first shows it to us, which is after a checkout was finished on the promise of a
// free trial. To end the trial at Stripe then would charge the card at once, which nobody agreed to. So what is cut bills nothing: the
// subscription is cancelled at Stripe, phones go on ringing for a day, and the billing room says why and what to do.

// tried reports whether one of the customer's cards had its trial with another tenant, by when the card was added there and here: the
// order in which we hear of it does not count. late are those who were taken for the first until now. A tenant that never tried
// anything is not asked about.
func (b *Billing) tried(ctx context.Context, customer string, scope *store.Scope) (elsewhere bool, late []tenants.TenantID, err error) {
	sub, err := scope.Subscription(ctx)
	if err != nil || sub.TrialEnd.IsZero() {
		return false, nil, unless(err, tenants.Unknown)
	}
	p := &stripe.CustomerListPaymentMethodsParams{Customer: stripe.String(customer)}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	for list := b.api.Customers.ListPaymentMethods(p); ; {
		if !list.Next() {
			return elsewhere, late, refusal(list.Err())
		}
		m := list.PaymentMethod()
		card := fingerprint(m)
		if card == "" {
			continue
		}
		c, err := scope.ClaimCard(ctx, card, unix(m.Created))
		if err != nil {
			return false, late, err
		}
		if elsewhere = elsewhere || !c.Mine; c.From != "" {
			late = append(late, c.From)
		}
	}
}

// fingerprint names the card or the account behind a payment method, the same for every customer of one Stripe account.
func fingerprint(m *stripe.PaymentMethod) string {
	switch {
	case m.Card != nil:
		return m.Card.Fingerprint
	case m.SEPADebit != nil:
		return m.SEPADebit.Fingerprint
	case m.USBankAccount != nil:
		return m.USBankAccount.Fingerprint
	}
	return ""
}

// wasCut holds a trial to its cut, whatever end Stripe still names. A subscription that was made since is another one.
func wasCut(s *tenants.Subscription, from *stripe.Subscription) {
	tried := from.Status == stripe.SubscriptionStatusTrialing || from.Status == stripe.SubscriptionStatusCanceled
	if tried && !s.TrialCut.IsZero() && unix(from.TrialEnd).After(s.TrialCut) && unix(from.Created).Before(s.TrialCut) {
		s.EndCut()
	}
}

// stop ends a subscription at Stripe without a bill. One that is not in its trial any more was paid, and stays.
func (b *Billing) stop(ctx context.Context, sub *stripe.Subscription) error {
	if sub == nil || sub.Status != stripe.SubscriptionStatusTrialing {
		return nil
	}
	p := &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(false), Prorate: stripe.Bool(false),
		CancellationDetails: &stripe.SubscriptionCancelCancellationDetailsParams{Comment: stripe.String("The card had its trial with another organisation.")}}
	p.Context = ctx
	if _, err := b.api.Subscriptions.Cancel(sub.ID, p); err != nil && !gone(err) {
		return refusal(err)
	}
	return nil
}
