package switchboard

import (
	"context"

	"carillon/gateway"
	"carillon/tenants"
)

// hangUp is a call that was hung up. The gateway does not know a call whose answer is under way, so
// that the answer looks for this note when it is done.
type hangUp struct {
	ring tenants.RingID
	by   gateway.EndReason
	// phone is the one that hung up, for it may do so before it is known who wins the ring; "" =
	// somebody else, who means the call of any phone.
	phone tenants.DeviceID
}

// hangUpCallOf hangs up the ring's call, if this process carries it for the tenant.
func (b *Board) hangUpCallOf(t tenants.TenantID, id tenants.RingID, by gateway.EndReason) bool {
	if b.Media == nil || !b.calls.has(id, t) {
		return false
	}
	b.hungUp.note(hangUp{ring: id, by: by}, b.Now())
	b.Media.HangUp(string(id), by)
	return true
}

// hangUpOf hangs up the ring's call for the phone that is on it, if this process carries it.
func (b Held) hangUpOf(d tenants.Device, id tenants.RingID) bool {
	r := b.calls.last(id)
	if b.Media == nil || r == nil || r.Tenant != d.Tenant || r.Call == nil || r.Call.Device != d.ID {
		return false
	}
	b.hungUp.note(hangUp{ring: id, by: gateway.PhoneHungUp, phone: d.ID}, b.Now())
	b.Media.HangUp(string(id), gateway.PhoneHungUp)
	return true
}

// hungUpBy is who has hung up the ring's call, or will have when the phone is on it; "" = nobody.
func (b Held) hungUpBy(id tenants.RingID, d tenants.DeviceID) gateway.EndReason {
	for _, h := range []hangUp{
		{ring: id, by: gateway.Cancelled}, {ring: id, by: gateway.PhoneHungUp, phone: d}, {ring: id, by: gateway.AgentHungUp},
	} {
		if b.hungUp.has(h) {
			return h.by
		}
	}
	return ""
}

// pickedUp forgets that the phone hung up before it answers a ring that is no call yet: that was of
// no call, or of an answer that is over.
func (b Held) pickedUp(a *tenants.Attempt, id tenants.RingID) {
	if a.State != tenants.Answered {
		b.hungUp.drop(hangUp{ring: id, by: gateway.PhoneHungUp, phone: a.Device})
	}
}

// HangUp ends the call that the device answered, also while its answer is under way. Hanging up
// twice, or a call that is over, is fine.
func (b *Board) HangUp(ctx context.Context, d tenants.Device, id tenants.RingID) error {
	if (Held{b}).hangUpOf(d, id) {
		return nil
	}
	r, err := b.Phone(ctx, d, id)
	if err != nil {
		return err
	}
	a, _ := r.AttemptOf(d.ID)
	if a.State.Terminal() || (Held{b}).hangUpSoon(d, id) {
		return nil
	}
	to, err := Held{b}.elsewhere(ctx, d.Tenant, id, false)
	if err == nil && to != "" {
		var none any
		err = Held{b}.ask(ctx, to, askHangUp, request{Tenant: d.Tenant, Ring: id, Device: d.ID}, &none)
		if err == nil {
			return nil
		}
	}
	if a.State != tenants.Answered { // it rings, and an answer that is under way has the note
		return nil
	}
	if err != nil && tenants.KindOf(err) != tenants.Unavailable {
		return err
	}
	// The node of the call ends it once it finds the end in the database.
	b.end(d.Tenant, id, a.ID, tenants.FactHungUp, string(gateway.PhoneHungUp))
	return nil
}

// hangUpSoon notes that the phone has hung up, for an answer of it that is under way, and hangs up
// the call if there is one by now.
func (b Held) hangUpSoon(d tenants.Device, id tenants.RingID) bool {
	b.hungUp.note(hangUp{ring: id, by: gateway.PhoneHungUp, phone: d.ID}, b.Now())
	return b.hangUpOf(d, id)
}
