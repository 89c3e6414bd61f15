package billing

import (
	"context"
	"fmt"
	"strings"

	"github.com/stripe/stripe-go/v76"
)

// Finding is the result of one check.
type Finding struct {
	OK   bool
	Text string // what was found; if it is wrong, the cause and what to do
}

// hookEvents are the event types the webhook needs.
var hookEvents = []string{"checkout.session.completed", "customer.subscription.created", "customer.subscription.updated",
	"customer.subscription.deleted", "customer.deleted", "invoice.paid", "invoice.payment_failed", "charge.refunded",
	"charge.refund.updated",
	"charge.dispute.created", "charge.dispute.closed"}

// Doctor checks whether payments can work: the key, the prices and the webhook. It changes nothing.
func (b *Billing) Doctor(ctx context.Context) []Finding {
	mode := "test"
	if b.live {
		mode = "live"
	}
	have, err := b.stripePrices(ctx)
	if err != nil {
		return []Finding{{false, fmt.Sprintf("Stripe does not answer, or refuses the key in CARILLON_STRIPE_KEY: %v", cause(err))}}
	}
	out := []Finding{{true, "Stripe accepts the key; it is a " + mode + " key"}}
	for _, w := range b.wanted() {
		switch p := have[w.key]; {
		case p == nil:
			out = append(out, Finding{false, "the price " + w.key + " is not at Stripe; run `carillon plans sync`"})
		case !w.matches(p, b.plans.Currency):
			out = append(out, Finding{false, "the price " + w.key + " at Stripe differs from the plans file; run `carillon plans sync`"})
		}
	}
	if len(out) == 1 {
		out = append(out, Finding{true, fmt.Sprintf("all %d prices of the plans file are at Stripe", len(b.wanted()))})
	}
	out = append(out, b.quantityFindings(ctx)...)
	return append(out, b.hookFindings(ctx)...)
}

// quantityFindings lists subscriptions that somebody gave another quantity at Stripe.
func (b *Billing) quantityFindings(ctx context.Context) (out []Finding) {
	subs, err := b.Store.Tenants().Subscriptions(ctx)
	if err != nil {
		return []Finding{{false, "the subscriptions cannot be read: " + err.Error()}}
	}
	for _, s := range subs {
		if s.OddQuantity() {
			out = append(out, Finding{Text: fmt.Sprintf("Stripe bills the plan %s of tenant %s %d times, but its limits are those of one; "+
				"set the quantity of %s to 1 at Stripe, or give the tenant a larger plan", s.Plan, s.Tenant, s.Quantity, s.Stripe)})
		}
	}
	return out
}

func (b *Billing) hookFindings(ctx context.Context) []Finding {
	address := b.PublicURL + HookPath
	if !b.Hooked() {
		return []Finding{{false, "CARILLON_STRIPE_WEBHOOK_SECRET is empty, so Stripe's messages are refused " +
			"and payments are noticed late; make an endpoint for " + address + " and set its secret"}}
	}
	p := &stripe.WebhookEndpointListParams{}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	list := b.api.WebhookEndpoints.List(p)
	for list.Next() {
		e := list.WebhookEndpoint()
		if strings.TrimRight(e.URL, "/") != address {
			continue
		}
		if e.Status != "enabled" {
			return []Finding{{false, "the webhook endpoint " + e.ID + " is " + e.Status + " at Stripe; enable it"}}
		}
		if missing := unheard(e.EnabledEvents); len(missing) > 0 {
			return []Finding{{false, "the webhook endpoint " + e.ID + " does not receive " + strings.Join(missing, ", ") +
				"; add them at Stripe"}}
		}
		return []Finding{{true, "the webhook endpoint " + e.ID + " points here"}}
	}
	if err := list.Err(); err != nil {
		return []Finding{{false, fmt.Sprintf("the webhook endpoints cannot be listed: %v", cause(refusal(err)))}}
	}
	return []Finding{{false, "no webhook endpoint at Stripe points to " + address + "; make one there, with API version " +
		stripe.APIVersion}}
}

func unheard(enabled []string) (missing []string) {
	have := map[string]bool{}
	for _, e := range enabled {
		have[e] = true
	}
	for _, e := range hookEvents {
		if !have[e] && !have["*"] {
			missing = append(missing, e)
		}
	}
	return missing
}

// cause is Stripe's own error text, for the operator.
func cause(err error) string {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			break
		}
		err = u.Unwrap()
	}
	if s, ok := err.(*stripe.Error); ok {
		return s.Msg
	}
	return err.Error()
}
