package switchboard_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

func refusedBy(err error) (code string, wait time.Duration) {
	var e *tenants.Error
	if errors.As(err, &e) && e.Kind == tenants.TooMany {
		return e.Code, e.RetryAfter
	}
	return fmt.Sprint(err), 0
}

func TestATenantRingsTwentyTimesASecond(t *testing.T) {
	t.Parallel()
	var stopped atomic.Int64 // the test's own clock, so that the machine's pace does not matter
	stopped.Store(time.Now().UnixNano())
	w, _ := scripted(t, func(c *switchboard.Config) {
		c.RingsPerSecond = 20
		c.Now = func() time.Time { return time.Unix(0, stopped.Load()) }
	})
	d := w.device("")
	pass := func(by time.Duration) { stopped.Add(int64(by)) }
	try := func(c switchboard.Caller, i store.Idempotency) error {
		_, _, err := w.board.Place(t.Context(), c, tenants.Request{To: tenants.To{Device: d.ID}}, i)
		return err
	}
	once := store.Idempotency{Key: "once", Body: [32]byte{1}}
	must(t, try(w.caller, once))
	for range 39 {
		must(t, try(w.caller, store.Idempotency{}))
	}
	for range 5 {
		if code, wait := refusedBy(try(w.caller, store.Idempotency{})); code != "too_many_rings" || wait <= 0 || wait > 50*time.Millisecond {
			t.Fatalf("the 41st: %s, wait %v", code, wait)
		}
	}
	must(t, try(w.caller, once)) // a repeat is no ring, even now
	rings, _, err := w.scope.Rings(t.Context(), store.RingQuery{Limit: 200})
	must(t, err)
	if len(rings) != 40 {
		t.Errorf("%d rings were written", len(rings))
	}
	pass(50 * time.Millisecond)
	for range 10 {
		must(t, try(w.caller, once)) // and uses none up
	}
	must(t, try(w.caller, store.Idempotency{}))
	if code, _ := refusedBy(try(w.caller, store.Idempotency{})); code != "too_many_rings" {
		t.Errorf("more than one in 50 ms: %s", code)
	}

	pass(10 * time.Second) // a key's own limit, inside of its tenant's
	slow := w.caller
	slow.PerSecond = 2
	for range 4 {
		must(t, try(slow, store.Idempotency{}))
	}
	if code, wait := refusedBy(try(slow, store.Idempotency{})); code != "too_many_rings" || wait != 500*time.Millisecond {
		t.Errorf("the key's fifth: %s, wait %v", code, wait)
	}
	for range 36 {
		must(t, try(w.caller, store.Idempotency{})) // what the key was refused did not count for its tenant
	}
	if code, _ := refusedBy(try(w.caller, store.Idempotency{})); code != "too_many_rings" {
		t.Errorf("more than the tenant's: %s", code)
	}
}

// TestAFloodDelaysNobodyElse: A rings a thousand times a second and B a few times; B is as fast as alone, and never refused. It
// measures, so no other test runs beside it.
func TestAFloodDelaysNobodyElse(t *testing.T) {
	w, _ := scripted(t, func(c *switchboard.Config) { c.RingsPerSecond = 20 })
	a, da := w.caller, w.device("")
	w.caller.Tenant.ID, w.caller.Tenant.Slug = tenants.NewID[tenants.TenantID](w.clock.now()), "quiet"
	must(t, w.store.AddTenant(t.Context(), w.caller.Who, w.caller.Tenant))
	w.scope = w.store.For(w.caller.Tenant.ID).By(w.caller.Who)
	_, file, err := apnstest.NewKey("TEAM000002", "KEY0000002")
	must(t, err)
	_, err = w.board.AddCredential(t.Context(), w.caller, switchboard.Upload{Filename: "AuthKey_KEY0000002.p8", File: file, Bundle: w.bundle, Team: "TEAM000002"})
	must(t, err)
	db := w.device("")
	slowest := func(n int) time.Duration {
		t.Helper()
		var took []time.Duration
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for range n {
			<-tick.C
			start := time.Now()
			w.place(tenants.Request{To: tenants.To{Device: db.ID}})
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		return took[len(took)*95/100]
	}
	var idle, busy time.Duration
	for range 3 { // 25 ms on a machine of its own; this one may be busy with other things for a moment
		idle = slowest(20)
		placed, refused := flood(t, w.board, a, da, func() { busy = slowest(40) })
		t.Logf("idle %v, under the flood %v; %d placed, %d refused", idle, busy, placed, refused)
		if placed < 20 || refused < placed {
			t.Fatalf("no flood: %d placed, %d refused", placed, refused)
		}
		if busy <= idle+60*time.Millisecond {
			return
		}
	}
	t.Errorf("idle %v, under the flood %v", idle, busy)
}

// flood rings d a thousand times a second, whatever is answered, while run runs.
func flood(t *testing.T, b *switchboard.Board, c switchboard.Caller, d tenants.Device, run func()) (placed, refused int64) {
	var all sync.WaitGroup
	var yes, no atomic.Int64
	stop := make(chan struct{})
	all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			all.Go(func() {
				_, _, err := b.Place(t.Context(), c, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
				if code, _ := refusedBy(err); err == nil {
					yes.Add(1)
				} else if code == "too_many_rings" {
					no.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
	})
	run()
	close(stop)
	all.Wait()
	return yes.Load(), no.Load()
}

func TestPushesToOneDeviceAreSpaced(t *testing.T) {
	t.Parallel()
	const spacing = 400 * time.Millisecond
	w, apple := scripted(t, func(c *switchboard.Config) { c.Spacing = spacing })
	d := w.device("")
	begin := time.Now()
	for range 4 {
		w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	}
	w.settle()
	if len(apple.at) != 4 {
		t.Fatalf("%d pushes", len(apple.at))
	}
	for i, at := range apple.at {
		if at.Sub(begin) < time.Duration(i)*spacing { // a late machine only makes it later
			t.Errorf("push %d left %v after the first could", i, at.Sub(begin))
		}
	}
}

// TestAPushThatWaitsHoldsNobodyUp: while a device's second push waits, another device is pushed; and a ring that is cancelled while it
// waits is not pushed.
func TestAPushThatWaitsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, func(c *switchboard.Config) { c.Spacing = 15 * time.Second })
	d, other := w.device(""), w.device("")
	first := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.state(first.ID, tenants.Pushed)
	waits := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.state(w.place(tenants.Request{To: tenants.To{Device: other.ID}}).ID, tenants.Pushed)
	w.state(waits.ID, tenants.Placed)
	_, err := w.board.Cancel(t.Context(), w.caller, waits.ID)
	must(t, err)
	w.settle()
	if len(apple.pushes) != 2 || apple.pushes[1].Token != other.Token {
		t.Errorf("pushed %+v", apple.pushes)
	}
}
