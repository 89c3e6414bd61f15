package billing

import (
	"context"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// One trial per card. We learn the card only from Stripe, after a checkout that promised a free
// trial. Ending the trial at Stripe then would charge the card at once, without consent. So a
// repeated trial is cancelled at Stripe without a bill, phones keep ringing for a day, and the
// billing page says why and what to do.

// trials end those that a card had before.
type trials struct{ *Billing }

// triedBefore reports whether one of the customer's cards had its trial with another tenant, by
// when the card was added there and here; the order of messages does not matter. late lists tenants
// previously counted as the card's first owner. A tenant that never had a trial is not checked.
func (b trials) triedBefore(ctx context.Context, customer string, scope *store.Scope) (elsewhere bool,
	late []tenants.TenantID, err error) {
	sub, err := scope.Subscription().Get(ctx)
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
		c, err := scope.Subscription().ClaimCard(ctx, card, unix(m.Created))
		if err != nil {
			return false, late, err
		}
		if elsewhere = elsewhere || !c.Mine; c.From != "" {
			late = append(late, c.From)
		}
	}
}

// fingerprint identifies the card or account of a payment method, the same for every customer of
// one Stripe account.
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

// keepCut keeps a cut trial cut, even if Stripe names a later end. A newer subscription is not
// affected.
func keepCut(s *tenants.Subscription, from *stripe.Subscription) {
	tried := from.Status == stripe.SubscriptionStatusTrialing || from.Status == stripe.SubscriptionStatusCanceled
	if tried && !s.TrialCut.IsZero() && unix(from.TrialEnd).After(s.TrialCut) && unix(from.Created).Before(s.TrialCut) {
		s.EndCut()
	}
}

// stop ends a trialing subscription at Stripe without a bill. One that is past its trial was paid
// and stays.
func (b trials) stop(ctx context.Context, sub *stripe.Subscription) error {
	if sub == nil || sub.Status != stripe.SubscriptionStatusTrialing {
		return nil
	}
	p := &stripe.SubscriptionCancelParams{InvoiceNow: stripe.Bool(false), Prorate: stripe.Bool(false),
		CancellationDetails: &stripe.SubscriptionCancelCancellationDetailsParams{
			Comment: stripe.String("This card already had a trial with another organisation."),
		}}
	p.Context = ctx
	if _, err := b.api.Subscriptions.Cancel(sub.ID, p); err != nil && !gone(err) {
		return refusal(err)
	}
	return nil
}
