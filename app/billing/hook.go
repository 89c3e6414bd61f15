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

// HookPath is where this server takes Stripe's messages, and SignatureHeader the header that signs
// them (docs.stripe.com/webhooks#verify-official-libraries).
const (
	HookPath        = "/webhooks/stripe"
	SignatureHeader = "Stripe-Signature"
)

// tolerance is the maximum age of a signature. Stripe signs again for each attempt
// (docs.stripe.com/webhooks#replay-attacks).
const tolerance = 5 * time.Minute

// Hook handles a message from Stripe: body is the raw request body, signature its Stripe-Signature
// header. A message that Stripe did not sign, or of the other mode, is Invalid and leaves no trace.
// A valid one is stored once, and then Stripe is asked for the current state. Any other error means
// that Stripe should send it again.
func (b *Billing) Hook(ctx context.Context, body []byte, signature string) error {
	e, err := b.verified(body, signature)
	if err != nil {
		return err
	}
	return b.processOnce(ctx, e)
}

// verified parses a message signed with one of our secrets. It reads only ids, so any API version
// will do.
func (b *Billing) verified(body []byte, signature string) (stripe.Event, error) {
	bad := tenants.Refuse(tenants.Invalid, "bad_signature", "Stripe did not sign this message for this server.")
	for _, secret := range b.Secrets {
		e, err := webhook.ConstructEventWithOptions(body, signature, secret,
			webhook.ConstructEventOptions{Tolerance: tolerance, IgnoreAPIVersionMismatch: true})
		switch {
		case err != nil:
			bad.Err = errors.Join(bad.Err, err)
		case e.ID == "" || e.Type == "":
			return e, tenants.Refuse(tenants.Invalid, "bad_event", "The message has no id or type.")
		case e.Livemode != b.live:
			return e, tenants.Refuse(tenants.Invalid, "other_mode",
				"The message is from the other mode of Stripe (test or live). "+
					"Point each mode's webhook at a server with a key of that mode.")
		default:
			return e, nil
		}
	}
	return stripe.Event{}, bad
}

// hint is everything that is read from the object in a message.
type hint struct {
	ID       string          `json:"id"`
	Object   string          `json:"object"`
	Customer json.RawMessage `json:"customer"` // an id or the expanded object
	Charge   json.RawMessage `json:"charge"`   // likewise, in refunds and disputes
}

func (h hint) customer() string {
	if h.Object == "customer" {
		return h.ID
	}
	return idOf(h.Customer)
}

// processOnce stores the message once and acts on it once.
func (b *Billing) processOnce(ctx context.Context, e stripe.Event) error {
	var h hint
	if e.Data != nil {
		if err := json.Unmarshal(e.Data.Raw, &h); err != nil {
			return tenants.Refuse(tenants.Invalid, "bad_event", "The object in the message cannot be read.")
		}
	}
	mine, err := b.Store.StripeEvents().Claim(ctx, store.StripeEvent{ID: e.ID, Type: string(e.Type), APIVersion: e.APIVersion,
		Live: e.Livemode, Object: h.ID})
	if err != nil || !mine {
		return err
	}
	err = b.act(ctx, string(e.Type), h)
	if err != nil {
		b.Log.Error("a Stripe message failed", "event", e.ID, "type", e.Type, "err", err)
	}
	// release the claim even if ctx has timed out
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stripeTime)
	defer cancel()
	return errors.Join(err, b.Store.StripeEvents().End(ctx, e.ID, err))
}

// kinds are prefixes of event types that can change what a tenant may do. Other events are stored
// and ignored.
var kinds = []string{"checkout.session.", "customer.deleted", "customer.subscription.", "invoice.", "payment_method."}

func (b *Billing) act(ctx context.Context, kind string, h hint) error {
	if strings.HasPrefix(kind, "charge.") {
		return b.settleReturned(ctx, h)
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

// checkedOut reads a checkout session from Stripe. It counts only for the tenant it was made for,
// and only if its customer is that tenant's.
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
		return nil // we did not make it
	}
	tenant, _, err := b.tenantOf(ctx, s.Customer.ID)
	if err != nil {
		return err
	}
	if string(tenant) != s.ClientReferenceID {
		b.Log.Warn("ignored a checkout whose tenant differs from its customer's", "session", s.ID, "tenant", tenant)
		return nil
	}
	return b.Sync(ctx, s.Customer.ID)
}
