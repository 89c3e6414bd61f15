package switchboard

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Cancel gives a ring up: live attempts are cancelled, an answered ring is hung up, an ended ring
// stays as it ended. A call of this process ends first: if its end cannot be stored now, for
// example on a full disk, the person does not have to go on listening. Its end is then stored by
// the sweep, and is no error. Who cancelled is in the audit row also when the gateway has told the
// end meanwhile: that is stored behind it.
func (b *Board) Cancel(ctx context.Context, c Caller, id tenants.RingID) (*tenants.Ring, error) {
	x := &cancelling{Held: Held{b}, by: c, id: id, now: b.Now(), called: b.Media != nil && b.calls.has(id, c.Tenant.ID)}
	if !x.called {
		x.storeSoon(id) // what happened before
		x.store(ctx)
	} else {
		ctx = context.WithoutCancel(ctx) // nobody takes back that the call ends
		x.soon.add(lateWrite{ring: id, own: func() { x.store(ctx) }})
		b.hangUpCallOf(c.Tenant.ID, id, gateway.Cancelled)
		x.storeSoon(id)
	}
	if x.err != nil {
		return nil, x.err
	}
	if x.answered {
		b.hangUpCall(ctx, c.Tenant.ID, id)
	}
	return x.ring, nil
}

// cancelling is one Cancel.
type cancelling struct {
	Held
	by     Caller
	id     tenants.RingID
	now    time.Time
	called bool // it was a call of this process, which has ended

	answered bool // the ring was answered when its end was stored
	ring     *tenants.Ring
	err      error
}

// cancelWithin bounds how long a write of a cancel may take: what else is stored of the call waits
// for it.
const cancelWithin = 10 * time.Second

// store stores the end of the ring. If a call's cannot be stored now, the sweep does it.
func (x *cancelling) store(ctx context.Context) {
	within, done := context.WithTimeout(ctx, cancelWithin)
	defer done()
	answered := false
	r, facts, err := x.scope(x.by).Rings().Change(within, x.id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		answered = slices.ContainsFunc(r.Attempts, func(a tenants.Attempt) bool { return a.State == tenants.Answered })
		return x.change(r), nil
	})
	switch {
	case err != nil && x.called && tenants.KindOf(err) == tenants.Unavailable:
		r, err = x.later(ctx)
	case err == nil:
		x.answered = answered
		x.tell(r, facts)
	}
	x.ring, x.err = r, err
}

func (x *cancelling) change(r *tenants.Ring) (facts []tenants.Fact) {
	r.DropSteps()
	for i := range r.Attempts {
		facts = append(facts, stop(r, &r.Attempts[i], tenants.FactCancelled, x.now)...)
	}
	return append(facts, r.Finish(tenants.FactCancelled, x.now)...)
}

// later has the sweep store the end of the ring, and gives the ring as it will be then.
func (x *cancelling) later(ctx context.Context) (*tenants.Ring, error) {
	ctx, done := context.WithTimeout(ctx, cancelWithin)
	defer done()
	scope := x.scope(x.by)
	r, err := scope.Rings().Get(ctx, x.id)
	if tenants.KindOf(err) == tenants.Unavailable { // the call ends all the same, and who ended it is kept
		x.late.add(lateWrite{scope: scope, ring: x.id, change: x.change})
	}
	if err != nil {
		return nil, err
	}
	if x.change(r) != nil { // it is not stored yet
		x.late.add(lateWrite{scope: scope, ring: x.id, change: x.change})
	}
	return r, nil
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

// hangUpCall hangs up the call of a ring whose end was stored. An answer that is under way finds
// the note and hangs up itself. Another node that holds the call gets word of it; if that is lost,
// it finds the end in the database.
func (b *Board) hangUpCall(ctx context.Context, t tenants.TenantID, id tenants.RingID) {
	b.hungUp.note(hangUp{ring: id, by: gateway.Cancelled}, b.Now())
	if to, err := (Held{b}).elsewhere(ctx, t, id, false); err == nil && to != "" {
		Held{b}.post(to, askEnd, request{Tenant: t, Ring: id})
	}
	if b.Media != nil {
		b.Media.HangUp(string(id), gateway.Cancelled)
	}
}

// RemoveDevice removes a device and ends its part in what rings: first its calls, as Cancel does,
// and then its attempts, with the ring when no other phone of the person still rings. An ending
// that fails is left to the sweep: the device is gone by then, and says so.
func (b *Board) RemoveDevice(ctx context.Context, c Caller, id tenants.DeviceID) error {
	scope := b.scope(c)
	if err := scope.Devices().Remove(ctx, id); err != nil {
		return err
	}
	endRingsOn(ctx, b, scope, c.Tenant.ID, id)
	return nil
}

// MergeDevice takes the older row of a phone away in favour of the newer one; see
// store.Devices.Merge. What rings on the older one ends there.
func (b *Board) MergeDevice(ctx context.Context, c Caller, old, into tenants.DeviceID) error {
	scope := b.scope(c)
	if err := scope.Devices().Merge(ctx, old, into); err != nil {
		return err
	}
	endRingsOn(ctx, b, scope, c.Tenant.ID, old)
	return nil
}

// EndMerged ends what rings on the earlier rows of a phone that went into d as it registered. An
// ending that fails is left to the ring's time.
func (b *Board) EndMerged(ctx context.Context, c Caller, d tenants.Device) {
	scope := b.scope(c)
	rows, err := scope.Devices().Earlier(ctx, d.ID)
	if err != nil {
		b.Log.Error("find the earlier rows of a phone", "device", d.ID, "err", err)
	}
	for _, m := range rows {
		if !m.MergedAt.Before(d.RegisteredAt) {
			endRingsOn(ctx, b, scope, c.Tenant.ID, m.ID)
		}
	}
}

// endRingsOn ends what rings on a device that is gone.
func endRingsOn(ctx context.Context, b *Board, scope *store.Scope, t tenants.TenantID, id tenants.DeviceID) {
	b.removed.note(id, b.Now()) // before looking: a ring that is not committed yet looks here
	calls := b.calls.on(t, id)
	errs := make([]error, len(calls))
	if len(calls) > 0 {
		ctx = context.WithoutCancel(ctx) // nobody takes back that a call ends
	}
	for i, call := range calls { // all of them before anything is stored
		// Who ended it is in the audit row also when the gateway tells the end first.
		b.soon.add(lateWrite{ring: call, own: func() { errs[i] = leaving{Held{b}, scope, id}.store(ctx, call) }})
		b.hangUpCallOf(t, call, gateway.Cancelled)
	}
	for _, call := range calls {
		Held{b}.storeSoon(call)
	}
	rings, err := scope.Rings().Live(ctx, id)
	for _, r := range rings {
		_, e := b.leave(ctx, scope, r, id)
		err = errors.Join(err, e)
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		b.Log.Error("end the rings of a removed device", "device", id, "err", err)
	}
}

// leave ends a device's part in one ring, and gives the ring as it is then.
func (b *Board) leave(ctx context.Context, scope *store.Scope, id tenants.RingID, d tenants.DeviceID) (*tenants.Ring, error) {
	Held{b}.storeSoon(id)
	r, called, err := leaving{Held{b}, scope, d}.end(ctx, id)
	if called {
		b.hangUpCall(ctx, r.Tenant, id)
	}
	return r, err
}

// leaving is the end of a device's part in rings.
type leaving struct {
	Held
	scope  *store.Scope
	device tenants.DeviceID
}

// end stores the end of its part in a ring, and says whether that was a call.
func (l leaving) end(ctx context.Context, id tenants.RingID) (ring *tenants.Ring, called bool, err error) {
	now := l.Now()
	changed, facts, err := l.scope.Rings().Change(ctx, id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		a, ok := r.AttemptOf(l.device)
		called = ok && a.State == tenants.Answered
		return l.change(r, now), nil
	})
	if err != nil {
		return nil, false, err
	}
	l.tell(changed, facts)
	return changed, called, nil
}

func (l leaving) change(r *tenants.Ring, now time.Time) []tenants.Fact {
	a, ok := r.AttemptOf(l.device)
	if !ok {
		return nil
	}
	l.pushing.setDone(a.ID) // nothing is sent to it again
	return stop(r, a, tenants.FactRemoved, now)
}

// store stores the end of a call of this process, which is over. If it cannot be stored now, the
// sweep does it.
func (l leaving) store(ctx context.Context, id tenants.RingID) error {
	ctx, done := context.WithTimeout(ctx, cancelWithin)
	defer done()
	_, _, err := l.end(ctx, id)
	if tenants.KindOf(err) == tenants.Unavailable {
		now := l.Now()
		l.late.add(lateWrite{scope: l.scope, ring: id, change: func(r *tenants.Ring) []tenants.Fact { return l.change(r, now) }})
	}
	return err
}

// recent remembers what this process ended within recentFor. The zero value is ready.
type recent[K comparable] struct {
	mu    sync.Mutex // guards all but count
	at    map[K]time.Time
	swept time.Time
	count atomic.Int64 // of at: requests look here, and there is hardly ever anything
}

// recentFor is longer than a request that saw the thing alive may take.
const recentFor = time.Minute

func (r *recent[K]) note(key K, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[K]time.Time{}
	}
	if now.Sub(r.swept) > recentFor {
		maps.DeleteFunc(r.at, func(_ K, at time.Time) bool { return now.Sub(at) > recentFor })
		r.swept = now
	}
	r.at[key] = now
	r.count.Store(int64(len(r.at)))
}

func (r *recent[K]) drop(key K) {
	if r.count.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.at, key)
	r.count.Store(int64(len(r.at)))
}

func (r *recent[K]) has(key K) bool {
	if r.count.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.at[key]
	return ok
}
