package connections_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestTwoEngines: two processes on one database deliver each event once.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	r := w.trust(newReceiver(t, nil))
	w.connect(r.URL, tenants.EventRingPlaced)
	w.start(patience)
	w.start(patience)
	const rings = 60
	for range rings {
		w.place()
	}
	seen := map[string]int{}
	for range rings {
		seen[r.next(t).header.Get("webhook-id")]++
	}
	if len(seen) != rings || len(r.took) != 0 {
		t.Errorf("%d events of %d, and %d more requests", len(seen), rings, len(r.took))
	}
}

// TestManyEventsAreBounded: neither one connection nor one tenant takes all slots.
func TestManyEventsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	var now, most atomic.Int64
	full := make(chan struct{})
	var once sync.Once
	w.with(roleFunc(func(ctx context.Context, _ tenants.Connection, _ connections.Secrets,
		_ connections.Event) (connections.Answer, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 8 {
			once.Do(func() { close(full) })
		}
		select {
		case <-full:
		case <-ctx.Done():
		}
		return connections.Answer{Status: 204}, nil
	}))
	var all []tenants.Connection
	for i := range 5 {
		c, _ := w.connect(fmt.Sprintf("https://127.0.0.1/%d", i), tenants.EventRingPlaced)
		all = append(all, c)
	}
	for range 10 {
		w.place()
	}
	w.until("all are delivered", func() bool {
		n := 0
		for _, c := range all {
			n += len(w.attempts(c))
		}
		return n == 50
	})
	if most.Load() != 8 {
		t.Errorf("%d attempts at once of one tenant, want 8", most.Load())
	}
}

// TestFailingConnectionGetsOneSlot: receivers that hang must not hold the slots of others.
func TestFailingConnectionGetsOneSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	var now, most, good atomic.Int64
	w.with(roleFunc(func(_ context.Context, c tenants.Connection, _ connections.Secrets, _ connections.Event) (connections.Answer, error) {
		if c.FailingSince.IsZero() {
			return connections.Answer{Status: 500}, nil
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		good.Add(1)
		runtime.Gosched() // another attempt may begin meanwhile
		return connections.Answer{Status: 500}, nil
	}))
	c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
	w.place()
	w.until("it fails", func() bool {
		got, err := w.scope.Connections().Get(t.Context(), c.ID)
		w.must(err)
		return !got.FailingSince.IsZero()
	})
	for range 12 {
		w.place()
	}
	w.until("all were tried", func() bool { return good.Load() >= 12 })
	if most.Load() != 1 {
		t.Errorf("%d attempts at once to a receiver that fails", most.Load())
	}
}

// TestSlowConnectionGetsOneSlot: receivers that answer late and well must not hold the slots of
// others either.
func TestSlowConnectionGetsOneSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	var now, most atomic.Int64
	w.with(roleFunc(func(context.Context, tenants.Connection, connections.Secrets, connections.Event) (connections.Answer, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched() // another attempt may begin meanwhile
		return connections.Answer{Status: 200, Took: 3 * time.Second}, nil
	}))
	c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
	w.place()
	w.until("it was slow once", func() bool { return len(w.attempts(c)) == 1 })
	for range 12 {
		w.place()
	}
	w.until("all were sent", func() bool { return len(w.attempts(c)) == 13 })
	if most.Load() != 1 {
		t.Errorf("%d attempts at once to a receiver that is slow", most.Load())
	}
}

// TestSlowConnectionsLeaveSlotsToTheirTenant: however many receivers of a tenant hang, its other
// ones get their events.
func TestSlowConnectionsLeaveSlotsToTheirTenant(t *testing.T) {
	t.Parallel()
	const slow, rings = 10, 6
	w := newWorld(t, tenants.RealEstate)
	hang := make(chan struct{})
	var good atomic.Int64
	var mu sync.Mutex // guards seen
	seen := map[tenants.ConnectionID]bool{}
	w.with(roleFunc(func(ctx context.Context, c tenants.Connection, _ connections.Secrets,
		_ connections.Event) (connections.Answer, error) {
		if c.URL == "https://127.0.0.1/good" {
			good.Add(1)
			return connections.Answer{Status: 204}, nil
		}
		mu.Lock()
		again := seen[c.ID]
		seen[c.ID] = true
		mu.Unlock()
		if again {
			select {
			case <-hang:
			case <-ctx.Done():
			}
		}
		return connections.Answer{Status: 200, Took: 3 * time.Second}, nil
	}))
	t.Cleanup(func() { close(hang) }) // before the engine ends
	var all []tenants.Connection
	for i := range slow {
		c, _ := w.connect(fmt.Sprintf("https://127.0.0.1/%d", i), tenants.EventRingPlaced)
		all = append(all, c)
	}
	w.connect("https://127.0.0.1/good", tenants.EventRingPlaced)
	w.place()
	w.until("all were slow once", func() bool {
		return !slices.ContainsFunc(all, func(c tenants.Connection) bool { return len(w.attempts(c)) == 0 })
	})
	for range rings - 1 {
		w.place()
	}
	w.until("the good receiver has all events", func() bool { return good.Load() == rings })
}

// TestClaimedEventsFollowTheirConnection: what was claimed before a connection was changed goes as
// the change says.
func TestClaimedEventsFollowTheirConnection(t *testing.T) {
	t.Parallel()
	const rings = 10
	w := newWorld(t, tenants.RealEstate)
	began, hold := make(chan string, 2*rings), make(chan struct{})
	w.with(roleFunc(func(ctx context.Context, c tenants.Connection, _ connections.Secrets,
		_ connections.Event) (connections.Answer, error) {
		began <- c.URL
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return connections.Answer{Status: 200}, nil
	}))
	c, _ := w.connect("https://127.0.0.1/old", tenants.EventRingPlaced)
	claimed := func() (n int) {
		all, _, err := w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: c.ID, State: tenants.DeliveryWaiting})
		w.must(err)
		for _, d := range all {
			if d.DueAt.After(w.clock.Now()) {
				n++
			}
		}
		return n
	}
	for range rings {
		w.place()
	}
	under := 4 // attempts at once
	for range under {
		<-began
	}
	w.until("all are claimed", func() bool { return claimed() == rings })
	tenant, err := w.scope.Tenant(t.Context())
	w.must(err)
	tenant.State = tenants.TenantSuspended
	w.must(w.scope.SetTenant(t.Context(), tenant))
	for range under {
		hold <- struct{}{}
	}
	w.until("what was not sent is given back", func() bool { return len(w.attempts(c)) == under && claimed() == 0 })

	c.URL = "https://127.0.0.1/new"
	w.must(w.scope.Connections().Change(t.Context(), c))
	tenant.State = tenants.TenantActive
	w.must(w.scope.SetTenant(t.Context(), tenant))
	w.engine.Look()
	for range under {
		if url := <-began; url != c.URL {
			t.Errorf("sent to %s", url)
		}
	}
	w.until("the rest is claimed", func() bool { return claimed() == rings-under })
	c.State, c.URL = tenants.ConnectionPaused, "https://127.0.0.1/newest"
	w.must(w.scope.Connections().Change(t.Context(), c))
	for range under {
		hold <- struct{}{}
	}
	w.until("the last two are given back", func() bool { return len(w.attempts(c)) == 2*under && claimed() == 0 })
	c.State = tenants.ConnectionActive
	w.must(w.scope.Connections().Change(t.Context(), c))
	close(hold)
	w.until("all are delivered", func() bool { return len(w.attempts(c)) == rings })
	for range rings - 2*under {
		if url := <-began; url != c.URL {
			t.Errorf("sent to %s", url)
		}
	}
}

// TestGoneDropsTheQueue: nothing more is sent to a receiver that answered 410, but what is under
// way.
func TestGoneDropsTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
	var sent atomic.Int64
	hold := make(chan struct{})
	w.with(roleFunc(func(ctx context.Context, _ tenants.Connection, _ connections.Secrets,
		_ connections.Event) (connections.Answer, error) {
		sent.Add(1)
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return connections.Answer{Status: http.StatusGone}, nil
	}))
	for range 12 {
		w.place()
	}
	w.until("four are under way", func() bool { return sent.Load() == 4 })
	w.until("all are written", func() bool { // one that has ended gets none
		all, _, err := w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: c.ID})
		w.must(err)
		return len(all) == 12
	})
	close(hold)
	w.until("the connection has ended and all is given up", func() bool {
		w.must(w.engine.Review(t.Context()))
		all, _, err := w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: c.ID, State: tenants.DeliveryFailed})
		w.must(err)
		return len(all) == 12
	})
	if sent.Load() > 4 {
		t.Errorf("%d were sent", sent.Load())
	}
}
