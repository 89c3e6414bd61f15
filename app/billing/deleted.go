package billing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// A customer can be deleted at Stripe: on its dashboard, or with all test data. Stripe then cancels
// its subscriptions, and refuses each request that names it. So the id is dropped from our row, and
// the next checkout makes a new customer.

// gone reports whether Stripe has no such object.
func gone(err error) bool {
	var theirs *stripe.Error
	return errors.As(err, &theirs) && theirs.Code == stripe.ErrorCodeResourceMissing
}

// deleted asks Stripe whether a customer was deleted.
func (b *Billing) deleted(ctx context.Context, customer string) (bool, error) {
	p := &stripe.CustomerParams{}
	p.Context = ctx
	c, err := b.api.Customers.Get(customer, p)
	if err != nil && !gone(err) {
		return false, refusal(err)
	}
	return err != nil || c.Deleted, nil
}

// drop removes a deleted customer from the row. last is its subscription, if Stripe still lists it.
func (b *Billing) drop(ctx context.Context, scope *store.Scope, customer string, last *stripe.Subscription, asked time.Time) error {
	if err := b.settle(ctx, customer); err != nil && !gone(err) { // the last chance to find its payments
		return err
	}
	err := scope.Subscription().Change(ctx, func(s *tenants.Subscription) error {
		if s.Customer != customer || asked.Before(s.SyncedAt) {
			return errOlder
		}
		b.apply(s, last, asked)
		if s.Live() { // a subscription without a customer is never paid
			s.State, s.CancelAtEnd = tenants.SubCancelled, false
		}
		s.Customer = ""
		return nil
	})
	if errors.Is(err, errOlder) {
		return nil
	}
	return err
}

// dropIfDeleted drops a customer if that is why a request was refused. Else it returns the refusal.
func (b *Billing) dropIfDeleted(ctx context.Context, customer string, refused error) (bool, error) {
	if !gone(refused) {
		return false, refused
	}
	over, err := b.deleted(ctx, customer)
	if err != nil || !over {
		return false, errors.Join(refused, err)
	}
	return true, b.Sync(ctx, customer)
}

// moved turns an error of a request about a subscription into an answer. If the subscription or its
// customer is gone at Stripe, the row is read from Stripe again, so that the page then shows it.
func (b *Billing) moved(ctx context.Context, customer string, err error) error {
	var theirs *stripe.Error
	if !errors.As(err, &theirs) {
		return refusal(err)
	}
	none := theirs.Code == stripe.ErrorCodeInvoiceUpcomingNone // nothing will be billed: it is over
	if !none && (!gone(err) || strings.Contains(theirs.Param, "price")) {
		return refusal(err)
	}
	if err := b.Sync(ctx, customer); err != nil {
		return err
	}
	return &tenants.Error{Kind: tenants.Conflict, Code: "gone_at_stripe", Err: err,
		Msg: "Stripe no longer has this subscription or its customer, so nothing was changed. " +
			"Open Billing again to see what Stripe says now, and subscribe there if you need a plan."}
}

// newCustomer makes a customer for the tenant. The idempotency key makes concurrent requests create
// only one. dead is a deleted customer of the tenant, or empty.
func (b *Billing) newCustomer(ctx context.Context, who Buyer, dead string) (string, error) {
	p := &stripe.CustomerParams{Name: stripe.String(who.Tenant.Name), Email: stripe.String(who.Email)}
	p.Context, p.Metadata = ctx, map[string]string{metaTenant: string(who.Tenant.ID)}
	// Stripe refuses a key that comes again with other parameters
	sum := sha256.Sum256([]byte(who.Tenant.Name + "\x00" + who.Email))
	for range mostDeleted {
		p.SetIdempotencyKey(fmt.Sprintf("customer-%s-%x-%s", who.Tenant.ID, sum[:8], dead))
		c, err := b.api.Customers.New(p)
		if err != nil {
			return "", refusal(err)
		}
		// a repeated key is answered with the first customer, even if it was deleted since
		if over, err := b.deleted(ctx, c.ID); err != nil || !over {
			return c.ID, err
		}
		dead = c.ID
	}
	return "", &tenants.Error{Kind: tenants.Unavailable, Code: "stripe_refused", RetryAfter: 24 * time.Hour,
		Msg: "The customer of this tenant was deleted at Stripe several times today, so nothing was changed. Try again tomorrow."}
}

// mostDeleted bounds how many deleted customers newCustomer looks past; Stripe forgets an
// idempotency key after a day.
const mostDeleted = 5
