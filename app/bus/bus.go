// Package bus says whose facts have changed. It carries hints, not facts: a listener that gets a
// hint reads the store, so a lost or repeated hint costs time and never truth. It knows no HTTP, no
// SQL and no facts.
//
// Start reading at Bus. Local serves one process; Shared joins several nodes over NATS, and also
// passes requests on to the node that can answer them.
package bus

import (
	"context"
	"sync"

	"carillon/tenants"
)

// Bus takes a hint for each ring whose facts were committed, and passes it to the listeners.
type Bus interface {
	// Tell says that a ring has new facts. With an empty ring id it says that a key, a device or
	// the tenant itself may no longer act, which every listener of the tenant gets. It never
	// blocks. Call it after commit, never before.
	Tell(tenants.TenantID, tenants.RingID)
	// TellSoon is Tell for facts that people look at, and nobody acts on: listeners of other nodes
	// may get the hint a tenth of a second later, together with others.
	TellSoon(tenants.TenantID, tenants.RingID)
	// Listen listens to one ring, or with an empty ring id to every ring of the tenant.
	Listen(tenants.TenantID, tenants.RingID) *Listener
	// Close ends every Listener.
	Close() error
}

// Local is the Bus of one process. The zero value is not usable; call New.
type Local struct {
	mu        sync.Mutex // guards listeners and closed
	listeners map[topic]map[*Listener]struct{}
	closed    bool
}

type topic struct {
	tenant tenants.TenantID
	ring   tenants.RingID
}

// New returns a Bus for this process.
func New() *Local { return &Local{listeners: map[topic]map[*Listener]struct{}{}} }

// Tell wakes the listeners of the ring and of its tenant, or with an empty ring id all listeners of
// the tenant.
func (b *Local) Tell(t tenants.TenantID, r tenants.RingID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r == "" {
		b.tellTenant(t)
		return
	}
	for e := range b.listeners[topic{t, r}] {
		e.add(r)
	}
	for e := range b.listeners[topic{t, ""}] {
		e.add(r)
	}
}

// TellSoon is Tell.
func (b *Local) TellSoon(t tenants.TenantID, r tenants.RingID) { b.Tell(t, r) }

// tellTenant wakes every listener of a tenant. It scans all listeners of the bus, because
// revocations are rare. Called with mu held.
func (b *Local) tellTenant(t tenants.TenantID) {
	for p, listeners := range b.listeners {
		if p.tenant != t {
			continue
		}
		for e := range listeners {
			e.add("")
		}
	}
}

// WakeAll wakes every listener as Tell does with an empty ring id, and with the rings that are
// listened to: something may have been missed.
func (b *Local) WakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, listeners := range b.listeners {
		for e := range listeners {
			e.add(p.ring)
			e.add("")
		}
	}
}

// Listening reports whether anybody on this node listens.
func (b *Local) Listening() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listeners) > 0
}

// Listen listens. The caller must Close the Listener.
func (b *Local) Listen(t tenants.TenantID, r tenants.RingID) *Listener {
	e := &Listener{bus: b, topic: topic{t, r}, wake: make(chan struct{}, 1), done: make(chan struct{}),
		rings: map[tenants.RingID]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(e.done)
		return e
	}
	if b.listeners[e.topic] == nil {
		b.listeners[e.topic] = map[*Listener]struct{}{}
	}
	b.listeners[e.topic][e] = struct{}{}
	return e
}

// Close ends every Listener, now and later.
func (b *Local) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for p, listeners := range b.listeners {
		for e := range listeners {
			close(e.done)
		}
		delete(b.listeners, p)
	}
	return nil
}

// Listener gets hints. Repeated hints about one ring are merged until they are read, so a slow
// listener costs no memory.
type Listener struct {
	bus   *Local
	topic topic
	wake  chan struct{} // holds one token while rings is not empty
	done  chan struct{} // closed with the bus

	mu    sync.Mutex // guards rings
	rings map[tenants.RingID]struct{}
}

func (e *Listener) add(r tenants.RingID) {
	e.mu.Lock()
	e.rings[r] = struct{}{}
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Next waits for hints and returns all of them. An empty id means that someone may no longer act
// for the tenant. It fails when ctx is done or the bus is closed (context.Canceled).
func (e *Listener) Next(ctx context.Context) ([]tenants.RingID, error) {
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
func (e *Listener) Close() {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	delete(e.bus.listeners[e.topic], e)
	if len(e.bus.listeners[e.topic]) == 0 {
		delete(e.bus.listeners, e.topic)
	}
}
