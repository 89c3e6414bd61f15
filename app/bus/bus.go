// Package bus says who must hear that facts were committed. It carries hints, not facts: a listener
// that is told reads the store, so that a lost or doubled hint costs time and never truth. It knows
// no HTTP, no SQL and no facts.
//
// Local serves one process. Many nodes need the same three methods over a message system.
package bus

import (
	"context"
	"sync"

	"carillon/tenants"
)

// Bus is told of rings whose facts were committed, and tells those who listen.
type Bus interface {
	// Tell says that a ring has new facts; with an empty ring id, that a key, a device or the
	// tenant itself may no longer act, which every listener of the tenant must hear. It never
	// blocks. Tell after commit, never before.
	Tell(tenants.TenantID, tenants.RingID)
	// Hear listens to one ring, or with an empty ring id to every ring of the tenant.
	Hear(tenants.TenantID, tenants.RingID) *Ear
	// Close ends every Ear.
	Close() error
}

// Local is the Bus of one process. The zero value is not usable; call New.
type Local struct {
	mu     sync.Mutex // guards ears and closed
	ears   map[place]map[*Ear]struct{}
	closed bool
}

type place struct {
	tenant tenants.TenantID
	ring   tenants.RingID
}

// New gives a Bus for this process.
func New() *Local { return &Local{ears: map[place]map[*Ear]struct{}{}} }

// Tell wakes the listeners of the ring and of its tenant; with an empty ring id all of the
// tenant's.
func (b *Local) Tell(t tenants.TenantID, r tenants.RingID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r == "" {
		b.all(t)
		return
	}
	for e := range b.ears[place{t, r}] {
		e.add(r)
	}
	for e := range b.ears[place{t, ""}] {
		e.add(r)
	}
}

// all wakes every listener of a tenant; called with mu held. It looks at all of the listeners there
// are: revocations are rare.
func (b *Local) all(t tenants.TenantID) {
	for p, ears := range b.ears {
		if p.tenant != t {
			continue
		}
		for e := range ears {
			e.add("")
		}
	}
}

// Hear listens. The caller must Close the Ear.
func (b *Local) Hear(t tenants.TenantID, r tenants.RingID) *Ear {
	e := &Ear{bus: b, place: place{t, r}, wake: make(chan struct{}, 1), done: make(chan struct{}), rings: map[tenants.RingID]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(e.done)
		return e
	}
	if b.ears[e.place] == nil {
		b.ears[e.place] = map[*Ear]struct{}{}
	}
	b.ears[e.place][e] = struct{}{}
	return e
}

// Close ends every Ear, now and later.
func (b *Local) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for p, ears := range b.ears {
		for e := range ears {
			close(e.done)
		}
		delete(b.ears, p)
	}
	return nil
}

// Ear is one listener. Hints about the same ring that are not yet taken are one hint: a slow
// listener costs no memory.
type Ear struct {
	bus   *Local
	place place
	wake  chan struct{} // holds one token while rings is not empty
	done  chan struct{} // closed with the bus

	mu    sync.Mutex // guards rings
	rings map[tenants.RingID]struct{}
}

func (e *Ear) add(r tenants.RingID) {
	e.mu.Lock()
	e.rings[r] = struct{}{}
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Next waits for hints and takes them all; an empty id among them says that somebody may no longer
// act for the tenant. It fails when ctx is done or the bus is closed (context.Canceled).
func (e *Ear) Next(ctx context.Context) ([]tenants.RingID, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.done:
		return nil, context.Canceled
	case <-e.wake:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rings := make([]tenants.RingID, 0, len(e.rings))
	for r := range e.rings {
		rings = append(rings, r)
	}
	clear(e.rings)
	return rings, nil
}

// Close stops listening. Closing twice is fine.
func (e *Ear) Close() {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	delete(e.bus.ears[e.place], e)
	if len(e.bus.ears[e.place]) == 0 {
		delete(e.bus.ears, e.place)
	}
}
