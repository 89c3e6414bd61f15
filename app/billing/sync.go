package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// stripeActor is who acts when a change comes from Stripe.
func stripeActor() store.Who {
	return store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "Stripe"}}
}

// errOlder means that a newer answer of Stripe has been written already.
var errOlder = errors.New("billing: an older answer")

// Sync reads the customer's subscriptions from Stripe and writes the result. Calls in any number
// and order end in the same state: each reads the current state, and an answer older than the
// written one is dropped. A customer that is not one of our tenants is ignored.
func (b *Billing) Sync(ctx context.Context, customer string) error {
	late, err := b.sync(ctx, customer)
	for _, id := range late { // their card had its first trial with another tenant
		sub, wrong := b.Store.For(id).Subscription().Get(ctx)
		if wrong == nil && sub.Customer != "" {
			_, wrong = b.sync(ctx, sub.Customer)
		}
		err = errors.Join(err, unless(wrong, tenants.Unknown))
	}
	return err
}

// sync does it for one customer. late lists tenants whose trial must be checked again.
func (b *Billing) sync(ctx context.Context, customer string) (late []tenants.TenantID, err error) {
	defer b.enter(customer)()
	asked := b.Now()
	id, known, err := b.tenantOf(ctx, customer)
	if err != nil || id == "" {
		return nil, err
	}
	scope := b.Store.For(id).By(stripeActor())
	best, err := b.best(ctx, customer, id)
	over := gone(err)
	if err != nil && !over {
		return nil, err
	}
	if known && !over && !alive(best) { // Stripe ends every subscription of a deleted customer
		if over, err = b.deleted(ctx, customer); err != nil {
			return nil, err
		}
	}
	if over {
		if !known {
			return nil, nil
		}
		return nil, b.drop(ctx, scope, customer, best, asked)
	}
	if !known {
		if best == nil || best.Status == stripe.SubscriptionStatusIncomplete || best.Status == stripe.SubscriptionStatusIncompleteExpired {
			return nil, nil // a tenant without limits must not lose them by opening a checkout
		}
		n := tenants.Subscription{Tenant: id, Customer: customer}
		b.apply(&n, best, asked)
		b.checkQuantity(tenants.Subscription{}, n)
		return nil, scope.Subscription().Set(ctx, n)
	}
	tried, late, err := trials{b}.triedBefore(ctx, customer, scope)
	if err != nil {
		return late, err
	}
	return late, b.write(ctx, scope, best, answer{asked, tried})
}

// answer is when Stripe was asked, and whether a card of the tenant had its trial elsewhere.
type answer struct {
	asked time.Time
	tried bool
}

// write stores what Stripe says in the row.
func (b *Billing) write(ctx context.Context, scope *store.Scope, best *stripe.Subscription, a answer) error {
	var before, after tenants.Subscription
	err := scope.Subscription().Change(ctx, func(s *tenants.Subscription) error {
		if a.asked.Before(s.SyncedAt) {
			return errOlder
		}
		before = *s
		b.apply(s, best, a.asked)
		if a.tried {
			s.CutTrial(a.asked)
		}
		after = *s
		return nil
	})
	if errors.Is(err, errOlder) {
		return nil
	}
	if err != nil {
		return err
	}
	b.checkQuantity(before, after)
	if after.WasCut() {
		return trials{b}.stop(ctx, best)
	}
	return nil
}

// checkQuantity alerts the operator when a subscription begins to bill another quantity than one.
func (b *Billing) checkQuantity(before, after tenants.Subscription) {
	if after.OddQuantity() && (before.Stripe != after.Stripe || before.Quantity != after.Quantity) {
		b.alert("Stripe bills a plan more or less than once, but the limits are those of one plan; set the quantity to 1 at Stripe, "+
			"or give the tenant a larger plan", "tenant", after.Tenant, "subscription", after.Stripe,
			"plan", after.Plan, "quantity", after.Quantity)
	}
}

// enter waits for the customer's turn in this process. The caller must call leave.
func (b *Billing) enter(customer string) (leave func()) {
	b.mu.Lock()
	t, ok := b.syncing[customer]
	if !ok {
		t = &turn{}
		b.syncing[customer] = t
	}
	t.waiting++
	b.mu.Unlock()
	t.Lock()
	return func() {
		t.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(b.syncing, customer)
		}
	}
}

// tenantOf returns the tenant of a customer, from our row or from the metadata that we set when we
// made the customer. known means that there is a row.
func (b *Billing) tenantOf(ctx context.Context, customer string) (id tenants.TenantID, known bool, err error) {
	id, err = b.Store.Tenants().OfCustomer(ctx, customer)
	if err == nil || tenants.KindOf(err) != tenants.Unknown {
		return id, err == nil, err
	}
	p := &stripe.CustomerParams{}
	p.Context = ctx
	c, err := b.api.Customers.Get(customer, p)
	if gone(err) || err == nil && c.Deleted {
		return "", false, nil
	}
	if err != nil {
		return "", false, refusal(err)
	}
	id, ok := tenants.ParseID[tenants.TenantID](c.Metadata[metaTenant])
	if !ok {
		return "", false, nil // another product of this Stripe account
	}
	if _, err := b.Store.For(id).Tenant(ctx); err != nil {
		return "", false, unless(err, tenants.Unknown)
	}
	sub, err := b.Store.For(id).Subscription().Get(ctx)
	switch {
	case tenants.KindOf(err) == tenants.Unknown:
		return id, false, nil
	case err != nil:
		return "", false, err
	case sub.Customer != "" && sub.Customer != customer:
		b.alert("ignored a second Stripe customer of a tenant; if it pays, move its subscription or refund it",
			"customer", customer, "tenant", id)
		return "", false, nil
	}
	return id, true, b.Store.For(id).By(stripeActor()).Subscription().Change(ctx,
		func(s *tenants.Subscription) error { s.Customer = customer; return nil })
}

func unless(err error, kind tenants.Kind) error {
	if tenants.KindOf(err) == kind {
		return nil
	}
	return err
}

// ranks of Stripe's states: of several subscriptions, the one with the highest rank is the
// tenant's.
var ranks = map[stripe.SubscriptionStatus]int{
	stripe.SubscriptionStatusActive: 6, stripe.SubscriptionStatusTrialing: 6, stripe.SubscriptionStatusPastDue: 5,
	stripe.SubscriptionStatusUnpaid: 4,
	stripe.SubscriptionStatusPaused: 3, stripe.SubscriptionStatusCanceled: 2, stripe.SubscriptionStatusIncomplete: 1,
	stripe.SubscriptionStatusIncompleteExpired: 0,
}

// best returns the customer's subscription to one of our plans that counts, or nil.
func (b *Billing) best(ctx context.Context, customer string, id tenants.TenantID) (best *stripe.Subscription, err error) {
	p := &stripe.SubscriptionListParams{Customer: stripe.String(customer), Status: stripe.String("all")}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	p.AddExpand("data.latest_invoice")
	for list := b.api.Subscriptions.List(p); ; {
		if !list.Next() {
			return best, refusal(list.Err())
		}
		s := list.Subscription()
		if plan, _ := planOf(s); plan == "" {
			continue
		}
		if t := s.Metadata[metaTenant]; t != "" && t != string(id) {
			b.Log.Warn("ignored a Stripe subscription whose tenant differs from its customer's", "subscription", s.ID, "tenant", id)
			continue
		}
		if s.CurrentPeriodEnd == 0 || s.CurrentPeriodStart == 0 {
			return nil, fmt.Errorf("billing: subscription %s has no period; the answer is not of API version %s", s.ID, stripe.APIVersion)
		}
		if best == nil || ranks[s.Status] > ranks[best.Status] || ranks[s.Status] == ranks[best.Status] && s.Created > best.Created {
			best = s
		}
	}
}

// alive reports whether a subscription is not over.
func alive(s *stripe.Subscription) bool {
	return s != nil && s.Status != stripe.SubscriptionStatusCanceled && s.Status != stripe.SubscriptionStatusIncompleteExpired
}

// planOf returns the plan of a subscription, from the metadata of its price.
func planOf(s *stripe.Subscription) (plan string, item *stripe.SubscriptionItem) {
	if s.Items == nil {
		return "", nil
	}
	for _, i := range s.Items.Data {
		if i.Price != nil && i.Price.Metadata[metaPlan] != "" {
			return i.Price.Metadata[metaPlan], i
		}
	}
	return "", nil
}

// quantityOf returns how many plans a subscription bills.
func quantityOf(s *stripe.Subscription) (n int64) {
	for _, i := range s.Items.Data {
		if i.Price != nil && i.Price.Metadata[metaPlan] != "" {
			n += i.Quantity
		}
	}
	return n
}

// apply writes Stripe's answer into the row. asked is when Stripe was asked.
func (b *Billing) apply(s *tenants.Subscription, from *stripe.Subscription, asked time.Time) {
	s.SyncedAt = asked
	if from == nil {
		if s.Stripe != "" { // Stripe no longer lists it: treat it as cancelled
			s.State, s.CancelAtEnd = tenants.SubCancelled, false
		}
		return
	}
	if from.Status == stripe.SubscriptionStatusIncomplete || from.Status == stripe.SubscriptionStatusIncompleteExpired {
		if s.Stripe == "" && s.State != tenants.SubIncomplete {
			return // a pending first payment must not end a trial or a grant
		}
	}
	plan, item := planOf(from)
	was := s.State
	s.Plan, s.Stripe, s.State, s.CancelAtEnd = plan, from.ID, state(from.Status), from.CancelAtPeriodEnd
	s.Quantity = quantityOf(from)
	s.Interval = tenants.Monthly
	if item.Price.Recurring != nil && item.Price.Recurring.Interval == stripe.PriceRecurringIntervalYear {
		s.Interval = tenants.Yearly
	}
	s.PeriodStart, s.PeriodEnd = unix(from.CurrentPeriodStart), unix(from.CurrentPeriodEnd)
	if from.TrialEnd != 0 {
		s.TrialEnd = unix(from.TrialEnd)
	}
	if s.State == tenants.SubCancelled && unpaid(from) {
		s.PeriodEnd = unix(from.EndedAt) // its last period was never paid
	}
	since := owed(from)
	switch {
	case s.State != tenants.SubPastDue:
		s.PastDueSince = time.Time{}
	case was != tenants.SubPastDue || s.PastDueSince.IsZero() || since.Before(s.PastDueSince):
		s.PastDueSince = since // a later unpaid invoice does not restart the grace period
	}
	keepCut(s, from)
}

// owed is since when a payment is overdue.
func owed(from *stripe.Subscription) time.Time {
	if i := from.LatestInvoice; i != nil && i.Created != 0 {
		return unix(i.Created)
	}
	return unix(from.CurrentPeriodStart)
}

func unpaid(from *stripe.Subscription) bool {
	return from.CancellationDetails != nil && from.CancellationDetails.Reason == stripe.SubscriptionCancellationDetailsReasonPaymentFailed
}

func state(s stripe.SubscriptionStatus) tenants.SubscriptionState {
	switch s {
	case stripe.SubscriptionStatusTrialing:
		return tenants.SubTrialing
	case stripe.SubscriptionStatusActive:
		return tenants.SubActive
	case stripe.SubscriptionStatusPastDue, stripe.SubscriptionStatusUnpaid:
		return tenants.SubPastDue
	case stripe.SubscriptionStatusPaused:
		return tenants.SubPaused
	case stripe.SubscriptionStatusCanceled:
		return tenants.SubCancelled
	}
	return tenants.SubIncomplete
}

func unix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
