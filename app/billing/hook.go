package billing

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"carillon/tenants"
	"carillon/tenants/store"
)

// tolerance is how old a signature may be; Stripe signs anew each time it sends (docs.stripe.com/webhooks#replay-attacks).
const tolerance = 5 * time.Minute

// Hook takes a message of Stripe: body is the request's own bytes, signature its Stripe-Signature header. A message that is not
// Stripe's, or of the other mode, is Invalid and leaves nothing behind. One that is gets kept once, and then Stripe is asked. An
// error of any other kind means that Stripe should send it again.
func (b *Billing) Hook(ctx context.Context, body []byte, signature string) error {
	e, err := b.verified(body, signature)
	if err != nil {
		return err
	}
	return b.take(ctx, e)
}

// verified reads a message that one of our secrets signed. Whatever version of the API it speaks, only ids are read from it.
func (b *Billing) verified(body []byte, signature string) (stripe.Event, error) {
	bad := tenants.Refuse(tenants.Invalid, "bad_signature", "This is no message that Stripe signed for this server.")
	for _, secret := range b.Secrets {
		e, err := webhook.ConstructEventWithOptions(body, signature, secret,
			webhook.ConstructEventOptions{Tolerance: tolerance, IgnoreAPIVersionMismatch: true})
		switch {
		case err != nil:
			bad.Err = errors.Join(bad.Err, err)
		case e.ID == "" || e.Type == "":
			return e, tenants.Refuse(tenants.Invalid, "bad_event", "The message has no id or type.")
		case e.Livemode != b.live:
			return e, tenants.Refuse(tenants.Invalid, "other_mode", "The message is of Stripe's other mode, test or live. Point each mode's webhook at a server with that mode's key.")
		default:
			return e, nil
		}
	}
	return stripe.Event{}, bad
}

// hint is all that is read from the object in a message.
type hint struct {
	ID       string          `json:"id"`
	Object   string          `json:"object"`
	Customer json.RawMessage `json:"customer"` // an id, or the customer itself
	Charge   json.RawMessage `json:"charge"`   // the same, in refunds and disputes
}

func (h hint) customer() string {
	if h.Object == "customer" {
		return h.ID
	}
	return idOf(h.Customer)
}

// take keeps the message once and acts on it once.
func (b *Billing) take(ctx context.Context, e stripe.Event) error {
	var h hint
	if e.Data != nil {
		if err := json.Unmarshal(e.Data.Raw, &h); err != nil {
			return tenants.Refuse(tenants.Invalid, "bad_event", "The message's object cannot be read.")
		}
	}
	mine, err := b.Store.ClaimStripeEvent(ctx, store.StripeEvent{ID: e.ID, Type: string(e.Type), APIVersion: e.APIVersion, Live: e.Livemode, Object: h.ID})
	if err != nil || !mine {
		return err
	}
	err = b.act(ctx, string(e.Type), h)
	if err != nil {
		b.Log.Error("a message of Stripe could not be acted on", "event", e.ID, "type", e.Type, "err", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stripeTime) // the claim goes back also when the time for acting is over
	defer cancel()
	return errors.Join(err, b.Store.EndStripeEvent(ctx, e.ID, err))
}

// kinds are the beginnings of types that can change what a tenant may do. Others are kept, and nothing follows.
var kinds = []string{"checkout.session.", "customer.subscription.", "invoice.", "payment_method."}

func (b *Billing) act(ctx context.Context, kind string, h hint) error {
	if strings.HasPrefix(kind, "charge.") {
		return b.returned(ctx, h)
	}
	for _, k := range kinds {
		if !strings.HasPrefix(kind, k) {
			continue
		}
		if k == "checkout.session." {
			return b.checkedOut(ctx, h.ID)
		}
		c := h.customer()
		if c == "" {
			return nil
		}
		err := b.Sync(ctx, c)
		if kind == "invoice.paid" {
			err = errors.Join(err, b.settle(ctx, c))
		}
		return err
	}
	return nil
}

// checkedOut fetches a checkout session. It counts for the tenant for whom it was made, and only if its customer is that tenant's.
func (b *Billing) checkedOut(ctx context.Context, id string) error {
	p := &stripe.CheckoutSessionParams{}
	p.Context = ctx
	s, err := b.api.CheckoutSessions.Get(id, p)
	if gone(err) {
		return nil
	}
	if err != nil {
		return refusal(err)
	}
	if s.Customer == nil || s.ClientReferenceID == "" || s.ClientReferenceID != s.Metadata[metaTenant] {
		return nil // not made by us
	}
	tenant, _, err := b.tenantOf(ctx, s.Customer.ID)
	if err != nil {
		return err
	}
	if string(tenant) != s.ClientReferenceID {
		b.Log.Warn("a checkout names another tenant than its customer and is left alone", "session", s.ID, "tenant", tenant)
		return nil
	}
	return b.Sync(ctx, s.Customer.ID)
}
