package connections_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestDeliveredInOneWrite: on SQLite an event that is answered at once is written when it has been
// delivered, and never changed.
func TestDeliveredInOneWrite(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards changes
	changes := 0
	w := newWorldOn(t, tenants.RealEstate, store.Config{Observe: func(q string) {
		if strings.HasPrefix(q, "UPDATE deliveries") {
			mu.Lock()
			changes++
			mu.Unlock()
		}
	}})
	w.with(roleFunc(func(context.Context, tenants.Connection, connections.Secrets, connections.Event) (connections.Answer, error) {
		return connections.Answer{Status: 204}, nil
	}))
	c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
	n := 0
	w.until("a delivery is one write", func() bool { // on a busy machine an answer may come too late for that
		mu.Lock()
		before := changes
		mu.Unlock()
		n++
		w.place()
		w.until("it is recorded", func() bool { return len(w.attempts(c)) == n })
		mu.Lock()
		defer mu.Unlock()
		return changes == before
	})
	all, _, err := w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: c.ID})
	w.must(err)
	for _, d := range all {
		if d.State != tenants.DeliveryDelivered || d.Tries != 1 || d.Status != 204 || !d.DueAt.IsZero() {
			t.Errorf("%+v", d)
		}
	}
	if len(all) != n {
		t.Errorf("%d deliveries, want %d", len(all), n)
	}
}

// TestLateAnswersAreWritten: an event whose answer is long in coming is written meanwhile as one
// that is under way, and those of the same ring wait for it, in order.
func TestLateAnswersAreWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	began, hold := make(chan tenants.EventKind, 10), make(chan struct{})
	w.with(roleFunc(func(ctx context.Context, _ tenants.Connection, _ connections.Secrets,
		e connections.Event) (connections.Answer, error) {
		began <- e.Kind
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return connections.Answer{Status: 200}, nil
	}))
	c, _ := w.connect("https://127.0.0.1/")
	ring := w.place()
	if k := <-began; k != tenants.EventRingPlaced {
		t.Fatalf("first came %s", k)
	}
	list := func() []tenants.Delivery {
		all, _, err := w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: c.ID})
		w.must(err)
		return all
	}
	w.until("it is written as under way", func() bool {
		all := list()
		return len(all) == 1 && all[0].State == tenants.DeliveryWaiting && all[0].DueAt.After(w.clock.Now())
	})
	w.record(ring, tenants.FactAccepted)
	w.until("the next one is written", func() bool { return len(list()) == 2 })
	select {
	case k := <-began:
		t.Errorf("%s came beside it", k)
	default:
	}
	hold <- struct{}{}
	if k := <-began; k != tenants.EventRingAccepted {
		t.Errorf("then came %s", k)
	}
	close(hold)
	w.until("both are recorded", func() bool { return len(w.attempts(c)) == 2 })
	for _, d := range list() {
		if d.State != tenants.DeliveryDelivered || d.Tries != 1 {
			t.Errorf("%+v", d)
		}
	}
}

// TestWrittenInPart: what an engine before this one wrote of a batch, without moving the cursor, is
// not sent again, also where this one reads it in a later batch.
func TestWrittenInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	var to []tenants.Connection
	for range 4 {
		c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
		to = append(to, c)
	}
	var last *tenants.Ring
	for range 20 { // too many events for one batch
		last = w.place()
	}
	now, other := w.clock.Now(), w.store.Cursor("other")
	batch, err := other.Next(t.Context(), 1)
	w.must(err)
	before := tenants.EventID(to[0].ID, last.ID, tenants.EventRingPlaced)
	_, _, err = w.store.Feeds().FeedSent(t.Context(), other, batch, []store.Sent{{NewDelivery: store.NewDelivery{Tenant: w.tenant,
		Connection: to[0].ID, Event: before, Kind: tenants.EventRingPlaced, Ring: last.ID, At: now, Body: []byte("{}")},
		Until: now.Add(time.Minute), Good: &tenants.DeliveryAttempt{At: now, Status: 204, Good: true}}})
	w.must(err)
	var mu sync.Mutex // guards sent
	sent := map[string]bool{}
	w.with(roleFunc(func(_ context.Context, _ tenants.Connection, _ connections.Secrets, e connections.Event) (connections.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		sent[e.ID] = true
		return connections.Answer{Status: 204}, nil
	}))
	later := w.place()
	w.until("what came later is sent", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sent[tenants.EventID(to[0].ID, later.ID, tenants.EventRingPlaced)]
	})
	mu.Lock()
	defer mu.Unlock()
	if sent[before] {
		t.Error("an event that was delivered before is sent again")
	}
}

// TestTurnsToFeed: when the engine that feeds on SQLite ends, another one of the process goes on.
func TestTurnsToFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	r := w.trust(newReceiver(t, nil))
	w.connect(r.URL, tenants.EventRingPlaced)
	first := w.start(patience)
	w.start(patience)
	w.place()
	r.next(t)
	w.must(first.Close())
	w.place()
	r.next(t)
}

// TestGoneIsForgottenWithItsBatch: a receiver whose 410 is not written, because its batch was not,
// gets what comes later.
func TestGoneIsForgottenWithItsBatch(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"in time": false, "after the batch": true} {
		w := newWorld(t, tenants.RealEstate)
		sent, over := make(chan chan int, 10_000), make(chan struct{}) // each takes the status that its receiver answers
		w.with(roleFunc(func(ctx context.Context, _ tenants.Connection, _ connections.Secrets,
			_ connections.Event) (connections.Answer, error) {
			status := make(chan int, 1)
			sent <- status
			select {
			case s := <-status:
				return connections.Answer{Status: s}, nil
			case <-over:
				return connections.Answer{Status: 204}, nil
			case <-ctx.Done():
				return connections.Answer{}, ctx.Err()
			}
		}))
		w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
		var first chan int
		w.until(name+": a batch cannot be written", func() bool {
			w.place()
			first = <-sent
			if w.passFacts() {
				return true
			}
			first <- 204 // it was written already
			return false
		})
		if late {
			w.place()
			status := <-sent // of the next batch
			status <- 204
		}
		first <- 410
		w.until(name+": the receiver gets events again", func() bool {
			w.place()
			return len(sent) > 0
		})
		close(over)
	}
}

// passFacts takes the facts that the engine has not written yet away from it, and is false when
// there are none.
func (w *world) passFacts() bool {
	w.Helper()
	c := w.store.Cursor("connections")
	b, err := c.Next(w.Context(), 100)
	w.must(err)
	if len(b.Facts) == 0 {
		return false
	}
	moved, err := w.store.Jobs().Feed(w.Context(), c, b, nil)
	w.must(err)
	return moved
}
