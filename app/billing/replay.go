package billing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
)

// Messages shows stored messages of Stripe and processes them again, for the operator.
type Messages struct{ *Billing }

// Replay processes a stored message of Stripe again, as the webhook does: it asks Stripe for the
// message and for the current state, so that a message that was processed before changes nothing.
// Stripe keeps messages for 30 days; an older one is Gone. One that is processed at this moment is
// a Conflict.
func (b Messages) Replay(ctx context.Context, id string) error {
	e, err := b.event(ctx, id)
	if err != nil {
		return err
	}
	var h hint
	if err := json.Unmarshal(e.Data.Raw, &h); err != nil {
		return tenants.Refuse(tenants.Invalid, "bad_event", "The object in the message cannot be read.")
	}
	mine, err := b.Store.StripeEvents().Reclaim(ctx, id)
	if err != nil {
		return err
	}
	if !mine {
		return tenants.Refuse(tenants.Conflict, "event_busy", "This event is being processed at this moment. Look again in a minute.")
	}
	err = b.act(ctx, string(e.Type), h)
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), stripeTime)
	defer cancel()
	return errors.Join(err, b.Store.StripeEvents().End(ended, id, err))
}

// Payload is a message of Stripe without what it says about people: ids, states, sums and times
// stay, other texts do not.
func (b Messages) Payload(ctx context.Context, id string) (string, error) {
	e, err := b.event(ctx, id)
	if err != nil {
		return "", err
	}
	return redacted(e.Data.Raw)
}

func (b Messages) event(ctx context.Context, id string) (*stripe.Event, error) {
	p := &stripe.EventParams{}
	p.Context = ctx
	e, err := b.api.Events.Get(id, p)
	if gone(err) {
		return nil, tenants.Refuse(tenants.Gone, "event_gone", "Stripe does not have this event any more. It keeps events for 30 days.")
	}
	if err != nil {
		return nil, refusal(err)
	}
	if e.Data == nil || e.Livemode != b.live {
		return nil, tenants.NoSuch("event")
	}
	return e, nil
}

// ofStripe are texts that name a thing at Stripe, and shown those that say how it is.
var (
	ofStripe = regexp.MustCompile(`^[a-z]{2,8}_[A-Za-z0-9_]+$`)
	shown    = map[string]bool{"object": true, "status": true, "currency": true, "interval": true, "billing_reason": true, "mode": true,
		"payment_status": true, "collection_method": true, "type": true, "usage_type": true, "lookup_key": true}
)

const hidden = "[hidden]"

func redacted(raw []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all any
	if err := d.Decode(&all); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(redact("", all), "", "  ")
	return string(text), err
}

func redact(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = redact(k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = redact(name, v[i])
		}
	case string:
		if v != "" && !shown[name] && !ofStripe.MatchString(v) {
			return hidden
		}
	}
	return v
}
