package connections

import (
	"context"
	"encoding/json"
	"fmt"

	"carillon/tenants"
)

// trade is a webhook whose events of rings also have the fields that systems of a trade ask for: a
// CRM who was called and with what outcome, an MLS which listing it was about.
type trade struct{ *webhook }

// crmFields are what a CRM writes into its activity log.
type crmFields struct {
	Contact  string `json:"contact,omitempty"` // the tenant's own reference of the person
	Outcome  string `json:"outcome,omitempty"` // of a ring that ended: answered, missed, declined, cancelled or failed
	Duration int64  `json:"duration_s"`        // of the talk
}

// mlsFields say which listing a ring is about: the ring's reference.
type mlsFields struct {
	Listing string `json:"listing,omitempty"`
}

// Deliver posts the event with the fields of the connection's role.
func (x trade) Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	body, err := tradeBody(c.Role, e.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("connection %s: event %s: %w", c.ID, e.ID, err)
	}
	e.Body = body
	return x.webhook.Deliver(ctx, c, s, e)
}

// tradeBody adds the fields to the event of a ring; other events stay as they are.
func tradeBody(role tenants.ConnectionRole, body []byte) ([]byte, error) {
	var b struct {
		Type      json.RawMessage            `json:"type"`
		Timestamp json.RawMessage            `json:"timestamp"`
		Data      map[string]json.RawMessage `json:"data"`
	}
	var ring struct {
		Data tenants.RingData `json:"data"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.Data["ring"] == nil || b.Data["to"] == nil {
		return body, nil
	}
	if err := json.Unmarshal(body, &ring); err != nil {
		return nil, err
	}
	var fields any = mlsFields{Listing: ring.Data.Reference}
	if role == tenants.RoleCRM {
		f := crmFields{Contact: ring.Data.To.Person}
		if ring.Data.State.Terminal() {
			if f.Outcome = string(ring.Data.State); ring.Data.State == tenants.Ended {
				f.Outcome = "answered"
			}
		}
		if ring.Data.Call != nil {
			f.Duration = ring.Data.Call.TalkedMS / 1000
		}
		fields = f
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	b.Data[string(role)] = text
	return json.Marshal(b)
}
