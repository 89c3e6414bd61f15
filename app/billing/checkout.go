package billing

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Buyer is who pays: a tenant, the person who acts for it, and its data.
type Buyer struct {
	Tenant tenants.Tenant
	Email  string
	Scope  *store.Scope
}

// leastTrial is how far ahead Stripe wants a trial's end to be when a checkout is made
// (docs.stripe.com/api/checkout/sessions/create: subscription_data.trial_end).
const leastTrial = 48 * time.Hour

// Checkout makes a page at Stripe on which the tenant subscribes, and gives its address. What is left of a trial goes with it, unless
// it is less than two days, which Stripe does not take. It grants nothing: Stripe's message about the payment does.
func (b *Billing) Checkout(ctx context.Context, who Buyer, plan string, every tenants.Interval) (address string, err error) {
	sub, err := b.own(ctx, who)
	if err != nil {
		return "", err
	}
	if sub.Live() {
		return "", tenants.Refuse(tenants.Conflict, "subscribed", "You have a subscription already. Change its plan under Billing.")
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

// own is the tenant's subscription, or the zero one.
func (b *Billing) own(ctx context.Context, who Buyer) (tenants.Subscription, error) {
	sub, err := who.Scope.Subscription(ctx)
	return sub, unless(err, tenants.Unknown)
}

// session is the form of a checkout.
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
				EndBehavior: &stripe.CheckoutSessionSubscriptionDataTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String("pause")},
			},
		},
	}
	p.Metadata = map[string]string{metaTenant: id}
	for i, price := range prices {
		item := &stripe.CheckoutSessionLineItemParams{Price: stripe.String(price)}
		if i == 0 {
			item.Quantity = stripe.Int64(1) // a metered price takes none
		}
		p.LineItems = append(p.LineItems, item)
	}
	return p
}

// customer is the tenant's at Stripe, made at the first need. The idempotency key makes two requests at once one customer.
func (b *Billing) customer(ctx context.Context, who Buyer, sub tenants.Subscription) (string, error) {
	if sub.Customer != "" {
		return sub.Customer, nil
	}
	p := &stripe.CustomerParams{Name: stripe.String(who.Tenant.Name), Email: stripe.String(who.Email)}
	p.Context, p.Metadata = ctx, map[string]string{metaTenant: string(who.Tenant.ID)}
	p.SetIdempotencyKey("customer-" + string(who.Tenant.ID))
	c, err := b.api.Customers.New(p)
	if err != nil {
		return "", refusal(err)
	}
	if sub.State == "" {
		return c.ID, nil // no row, and none is made before something is paid: without one everything is allowed
	}
	return c.ID, who.Scope.ChangeSubscription(ctx, func(s *tenants.Subscription) error { s.Customer = c.ID; return nil })
}

// expire closes checkouts that were opened and not finished, so that nobody pays twice in two tabs.
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

// Portal makes a page at Stripe on which the tenant changes its payment method and reads its invoices, and gives its address.
func (b *Billing) Portal(ctx context.Context, who Buyer) (address string, err error) {
	sub, err := b.own(ctx, who)
	if err != nil {
		return "", err
	}
	if sub.Customer == "" {
		return "", tenants.Refuse(tenants.Conflict, "no_customer", "Stripe does not know you yet. Subscribe first.")
	}
	p := &stripe.BillingPortalSessionParams{Customer: stripe.String(sub.Customer), ReturnURL: stripe.String(b.PublicURL + "/billing")}
	p.Context = ctx
	s, err := b.api.BillingPortalSessions.New(p)
	if err != nil {
		return "", refusal(err)
	}
	return s.URL, nil
}
