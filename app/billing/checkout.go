package billing

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Buyer is who pays: a tenant, the person acting for it, and the tenant's data.
type Buyer struct {
	Tenant tenants.Tenant
	Email  string
	Scope  *store.Scope
}

// leastTrial is how far in the future a trial's end must be when a checkout is made
// (docs.stripe.com/api/checkout/sessions/create: subscription_data.trial_end).
const leastTrial = 48 * time.Hour

// Checkout creates a Stripe page where the tenant subscribes, and returns its address. The rest of
// a trial is carried over if it is at least two days, Stripe's minimum. Checkout grants nothing:
// Stripe's message about the payment does.
func (b *Billing) Checkout(ctx context.Context, who Buyer, plan string, every tenants.Interval) (address string, err error) {
	sub, err := b.currentOrZero(ctx, who)
	if err != nil {
		return "", err
	}
	if sub.Live() {
		return "", tenants.Refuse(tenants.Conflict, "subscribed", "You already have a subscription. Change its plan under Billing.")
	}
	items, err := b.items(ctx, plan, every)
	if err != nil {
		return "", err
	}
	customer, err := b.customer(ctx, who, sub)
	if err != nil {
		return "", err
	}
	if err := b.expire(ctx, customer); err != nil {
		return "", err
	}
	p := b.session(who, customer, items)
	p.Context = ctx
	if end := sub.TrialEnd; sub.State == tenants.SubTrialing && sub.Stripe == "" && end.Sub(b.Now()) > leastTrial {
		p.SubscriptionData.TrialEnd = stripe.Int64(end.Unix())
	}
	s, err := b.api.CheckoutSessions.New(p)
	if err != nil {
		return "", refusal(err)
	}
	return s.URL, nil
}

// currentOrZero returns the tenant's subscription, or the zero value if it has none.
func (b *Billing) currentOrZero(ctx context.Context, who Buyer) (tenants.Subscription, error) {
	sub, err := who.Scope.Subscription().Get(ctx)
	return sub, unless(err, tenants.Unknown)
}

// session builds the parameters of a checkout.
func (b *Billing) session(who Buyer, customer string, prices []string) *stripe.CheckoutSessionParams {
	id := string(who.Tenant.ID)
	p := &stripe.CheckoutSessionParams{
		Mode: stripe.String("subscription"), Customer: stripe.String(customer), ClientReferenceID: stripe.String(id),
		SuccessURL: stripe.String(b.PublicURL + "/billing?checkout=done"), CancelURL: stripe.String(b.PublicURL + "/billing"),
		AllowPromotionCodes: stripe.Bool(true),
		TaxIDCollection:     &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)},
		CustomerUpdate:      &stripe.CheckoutSessionCustomerUpdateParams{Name: stripe.String("auto"), Address: stripe.String("auto")},
		AutomaticTax:        &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(b.Tax)},
		SubscriptionData: &stripe.CheckoutSessionSubscriptionDataParams{
			Metadata: map[string]string{metaTenant: id},
			TrialSettings: &stripe.CheckoutSessionSubscriptionDataTrialSettingsParams{
				EndBehavior: &stripe.CheckoutSessionSubscriptionDataTrialSettingsEndBehaviorParams{
					MissingPaymentMethod: stripe.String("pause"),
				},
			},
		},
	}
	p.Metadata = map[string]string{metaTenant: id}
	for i, price := range prices {
		item := &stripe.CheckoutSessionLineItemParams{Price: stripe.String(price)}
		if i == 0 {
			item.Quantity = stripe.Int64(1) // a metered price has no quantity
		}
		p.LineItems = append(p.LineItems, item)
	}
	return p
}

// customer returns the tenant's customer id at Stripe. It creates the customer when it is first
// needed, and again after it was deleted at Stripe.
func (b *Billing) customer(ctx context.Context, who Buyer, sub tenants.Subscription) (string, error) {
	if sub.Customer != "" {
		over, err := b.deleted(ctx, sub.Customer)
		if err != nil || !over {
			return sub.Customer, err
		}
		if err := b.Sync(ctx, sub.Customer); err != nil { // drops it
			return "", err
		}
	}
	id, err := b.newCustomer(ctx, who, sub.Customer)
	if err != nil || sub.State == "" {
		return id, err // no row is added before a payment: a tenant without one has no limits
	}
	return id, who.Scope.Subscription().Change(ctx, func(s *tenants.Subscription) error {
		if s.Customer == "" {
			s.Customer = id
		}
		id = s.Customer // another request was first
		return nil
	})
}

// expire closes open checkouts, so that nobody pays twice in two tabs.
func (b *Billing) expire(ctx context.Context, customer string) error {
	p := &stripe.CheckoutSessionListParams{Customer: stripe.String(customer), Status: stripe.String("open")}
	p.Context, p.Limit = ctx, stripe.Int64(10)
	for list := b.api.CheckoutSessions.List(p); ; {
		if !list.Next() {
			return refusal(list.Err())
		}
		x := &stripe.CheckoutSessionExpireParams{}
		x.Context = ctx
		if _, err := b.api.CheckoutSessions.Expire(list.CheckoutSession().ID, x); err != nil {
			return refusal(err)
		}
	}
}

// Portal creates a Stripe page where the tenant changes its payment method and reads its invoices,
// and returns its address.
func (b *Billing) Portal(ctx context.Context, who Buyer) (address string, err error) {
	sub, err := b.currentOrZero(ctx, who)
	if err != nil {
		return "", err
	}
	if sub.Customer == "" {
		return "", tenants.Refuse(tenants.Conflict, "no_customer", "You have no account at Stripe yet. Subscribe first.")
	}
	p := &stripe.BillingPortalSessionParams{Customer: stripe.String(sub.Customer), ReturnURL: stripe.String(b.PublicURL + "/billing")}
	p.Context = ctx
	s, err := b.api.BillingPortalSessions.New(p)
	if err != nil {
		return "", b.moved(ctx, sub.Customer, err)
	}
	return s.URL, nil
}
