package switchboard

import (
	"context"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// Cancel gives a ring up: live attempts are cancelled, an answered ring is hung up, an ended ring stays as it ended.
func (b *Board) Cancel(ctx context.Context, c Caller, id tenants.RingID) (*tenants.Ring, error) {
	now := b.Now()
	changed, facts, err := b.scope(c).ChangeRing(ctx, id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		var facts []tenants.Fact
		for i := range r.Attempts {
			kind, detail := tenants.FactCancelled, ""
			if r.Attempts[i].State == tenants.Answered {
				kind, detail = tenants.FactHungUp, "cancelled"
			}
			facts = append(facts, r.Fold(tenants.Fact{Attempt: r.Attempts[i].ID, Kind: kind, At: now, Received: now, Detail: detail})...)
		}
		return facts, nil
	})
	if err != nil {
		return nil, err
	}
	b.tell(changed, facts)
	if b.Media != nil && b.calls.has(id) {
		b.Media.HangUp(string(id), gateway.Cancelled)
	}
	return changed, nil
}
