package switchboard

import (
	"context"
	"net"

	"carillon/app/agents"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Idle says whether no push is on its way and nothing is left to follow from one.
func (b *Board) Idle() bool {
	b.pushing.mu.Lock()
	defer b.pushing.mu.Unlock()
	return len(b.pushing.attempts) == 0 && len(b.pushing.rings) == 0
}

// Calls counts the calls of this process.
func (b *Board) Calls() int { return len(b.calls.all()) }

// PlaceAround is Place with something that happens between its decision and its commit.
func (b *Board) PlaceAround(ctx context.Context, c Caller, q tenants.Request, between func()) (*tenants.Ring, error) {
	r, err := b.draft(ctx, b.scope(c), &c, q)
	if err != nil {
		return nil, err
	}
	between()
	r, _, err = b.launch(ctx, c, r, store.Idempotency{})
	return r, err
}

// AdmitAnswer counts an answer of a device, as Answer does first.
func (b *Board) AdmitAnswer(d tenants.Device, id tenants.RingID) error {
	return b.admitMedia(answers, d, id)
}

// Late counts the writes that wait to be stored.
func (b *Board) Late() int {
	b.late.mu.Lock()
	defer b.late.mu.Unlock()
	return len(b.late.list)
}

// StoreSoon stores what waits to be stored soon of a ring.
func (b *Board) StoreSoon(id tenants.RingID) { Held{b}.storeSoon(id) }

// HoldSoon has what is to be stored of a ring wait until let is called, as while the database does
// not answer.
func (b *Board) HoldSoon(t tenants.TenantID, id tenants.RingID) (let func()) {
	b.soon.add(lateWrite{scope: b.system(t), ring: id, change: func(*tenants.Ring) []tenants.Fact { return nil }})
	of := b.soon.find(id)
	of.storing.Lock()
	return of.storing.Unlock
}

// PassStream passes a WebSocket on to another node, which holds the ring.
func (b *Board) PassStream(ctx context.Context, id tenants.RingID) (serve func(net.Conn), err error) {
	return NewJoining(b).passStream(ctx, "other", id, agents.Upgrade{})
}
