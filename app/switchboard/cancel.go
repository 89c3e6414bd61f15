package switchboard

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Cancel gives a ring up: live attempts are cancelled, an answered ring is hung up, an ended ring
// stays as it ended.
func (b *Board) Cancel(ctx context.Context, c Caller, id tenants.RingID) (*tenants.Ring, error) {
	now := b.Now()
	changed, facts, err := b.scope(c).Rings().Change(ctx, id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		var facts []tenants.Fact
		for i := range r.Attempts {
			facts = append(facts, stop(r, &r.Attempts[i], tenants.FactCancelled, now)...)
		}
		return facts, nil
	})
	if err != nil {
		return nil, err
	}
	b.tell(changed, facts)
	b.silence(id)
	return changed, nil
}

// stop ends one attempt by a decision of the tenant's: kind says which when it rings; a call is
// hung up. The call's end is set with the same write, so that nobody reads an ended ring whose call
// has no end; the gateway adds its figures.
func stop(r *tenants.Ring, a *tenants.Attempt, kind tenants.FactKind, now time.Time) []tenants.Fact {
	f := tenants.Fact{Attempt: a.ID, Kind: kind, At: now, Received: now}
	if a.State == tenants.Answered {
		f.Kind, f.Detail = tenants.FactHungUp, string(gateway.Cancelled)
		if r.Call != nil && r.Call.EndedAt.IsZero() {
			r.Call.EndedAt, r.Call.EndedBy = now, f.Detail
		}
	}
	return r.Fold(f)
}

// silence hangs up the ring's call, if this process carries it.
func (b *Board) silence(id tenants.RingID) {
	if b.Media != nil && b.calls.has(id) {
		b.Media.HangUp(string(id), gateway.Cancelled)
	}
}

// RemoveDevice removes a device and ends its part in what rings: its attempts at once, with the
// ring when no other phone of the person still rings, and its call. An ending that fails is left to
// the sweep: the device is gone by then, and says so.
func (b *Board) RemoveDevice(ctx context.Context, c Caller, id tenants.DeviceID) error {
	scope := b.scope(c)
	if err := scope.Devices().Remove(ctx, id); err != nil {
		return err
	}
	b.removed.note(id, b.Now()) // before looking: a ring that is not committed yet looks here
	rings, err := scope.Rings().Live(ctx, id)
	for _, r := range rings {
		_, e := b.leave(ctx, scope, r, id)
		err = errors.Join(err, e)
	}
	if err != nil {
		b.Log.Error("end the rings of a removed device", "device", id, "err", err)
	}
	return nil
}

// leave ends a device's part in one ring, and gives the ring as it is then.
func (b *Board) leave(ctx context.Context, scope *store.Scope, id tenants.RingID, d tenants.DeviceID) (*tenants.Ring, error) {
	now, called := b.Now(), false
	changed, facts, err := scope.Rings().Change(ctx, id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		a, ok := r.AttemptOf(d)
		if !ok {
			return nil, nil
		}
		b.pushing.setDone(a.ID) // nothing is sent to it again
		called = a.State == tenants.Answered
		return stop(r, a, tenants.FactRemoved, now), nil
	})
	if err != nil {
		return nil, err
	}
	b.tell(changed, facts)
	if called {
		b.silence(id)
	}
	return changed, nil
}

// removedDevices remembers the devices that this process removed within removedFor. The zero value
// is ready.
type removedDevices struct {
	mu    sync.Mutex // guards both
	at    map[tenants.DeviceID]time.Time
	count atomic.Int64 // of at: rings look here, and there is hardly ever anything
}

// removedFor is how long a removed device is remembered: longer than a request that saw it may
// take.
const removedFor = time.Minute

func (d *removedDevices) note(id tenants.DeviceID, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == nil {
		d.at = map[tenants.DeviceID]time.Time{}
	}
	maps.DeleteFunc(d.at, func(_ tenants.DeviceID, at time.Time) bool { return now.Sub(at) > removedFor })
	d.at[id] = now
	d.count.Store(int64(len(d.at)))
}

func (d *removedDevices) has(id tenants.DeviceID) bool {
	if d.count.Load() == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, gone := d.at[id]
	return gone
}
