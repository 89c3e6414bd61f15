package switchboard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// lateMost bounds the writes that wait. A call has three at most, so that this is more than a
// gateway can cause at once.
const lateMost = 10000

// lateWrite is a change of a ring that cannot be refused, because it has happened already.
type lateWrite struct {
	scope  *store.Scope
	ring   tenants.RingID
	change func(*tenants.Ring) []tenants.Fact
	held   bool // of a call here: it is dropped once another node holds the call

	// own stores the change of somebody else than Carillon itself, who waits for it; only ring is
	// set beside it. It keeps its place among the others, and is no part of their write, which has
	// no audit row.
	own func()
}

// lateWrites are the writes that could not be stored, for example on a full disk. Those of one ring
// stay in order. The zero value is ready.
type lateWrites struct {
	storing sync.Mutex // one storeLate at a time

	mu   sync.Mutex // guards list
	list []lateWrite
}

// add keeps w, unless too many wait.
func (l *lateWrites) add(w lateWrite) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) >= lateMost {
		return false
	}
	l.list = append(l.list, w)
	return true
}

func (l *lateWrites) has(id tenants.RingID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.list {
		if w.ring == id {
			return true
		}
	}
	return false
}

// first returns the oldest write; it stays until drop.
func (l *lateWrites) first() (lateWrite, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return lateWrite{}, false
	}
	return l.list[0], true
}

func (l *lateWrites) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = l.list[1:]
}

// write changes a ring for Carillon itself, outside any request. What cannot be stored now is
// stored by the sweep.
func (b *Board) write(t tenants.TenantID, id tenants.RingID, change func(*tenants.Ring) []tenants.Fact) {
	Held{b}.keepWrite(lateWrite{scope: b.system(t), ring: id, change: change})
}

// writeHeld is write for what happened to a call of this node. It is dropped if another node holds
// the call by then: that one has gone on with it while this one did not reach the database.
func (b Held) writeHeld(t tenants.TenantID, id tenants.RingID, change func(*tenants.Ring) []tenants.Fact) {
	b.keepWrite(lateWrite{scope: b.system(t), ring: id, change: change, held: true})
}

// keepWrite stores w, behind what waits to be stored soon.
func (b Held) keepWrite(w lateWrite) { b.soon.store(w.ring, &w, b.keepNow) }

func (b Held) keepNow(w lateWrite) {
	if w.own != nil {
		w.own()
		return
	}
	id := w.ring
	var err error
	if !b.late.has(id) {
		if err = b.store(context.WithoutCancel(b.life), w); err == nil {
			return
		}
		b.Log.Error("record a call", "ring", id, "err", err)
	}
	if tenants.KindOf(err) != tenants.Unknown && !b.late.add(w) {
		b.Log.Error("record a call: too many wait to be stored; the sweep will end it as broken", "ring", id)
	}
}

// store stores w and tells the audiences.
func (b *Board) store(ctx context.Context, w lateWrite) error {
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if w.held && b.Peers != nil {
		holder, err := b.Store.Nodes().Holder(ctx, w.ring)
		if err != nil {
			return err
		}
		if holder != "" && holder != b.Peers.Self() {
			b.Log.Info("another node has gone on with a call of this one", "ring", w.ring, "node", holder)
			return nil
		}
	}
	r, facts, err := w.scope.Rings().Change(ctx, w.ring, b.calls.last(w.ring), time.Time{},
		func(r *tenants.Ring) ([]tenants.Fact, error) { return w.change(r), nil })
	if err != nil {
		return err
	}
	b.calls.wrote(r)
	if len(facts) == 0 {
		b.tellAudiences(r, nil) // the call's figures changed
		return nil
	}
	b.tell(r, facts)
	return nil
}

// storeLate stores what waits, the oldest first, until one fails again. The rings that are gone by
// now are forgotten.
func (b *Board) storeLate(ctx context.Context) error {
	b.late.storing.Lock()
	defer b.late.storing.Unlock()
	for {
		w, ok := b.late.first()
		if !ok {
			return nil
		}
		if err := b.store(ctx, w); err != nil && tenants.KindOf(err) != tenants.Unknown {
			return fmt.Errorf("store what happened to ring %s: %w", w.ring, err)
		}
		b.late.drop()
	}
}
