package switchboard_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/health"
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
		code, wait := refusedBy(try(w.caller, store.Idempotency{}))
		if code != "too_many_rings" || wait <= 0 || wait > 50*time.Millisecond {
			t.Fatalf("the 41st: %s, wait %v", code, wait)
		}
	}
	must(t, try(w.caller, once)) // a repeat is no ring, even now
	rings, _, err := w.scope.Rings().List(t.Context(), store.RingQuery{Limit: 200})
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

// TestAFloodDelaysNobodyElse: A rings a thousand times at once while B rings as often as it may; B
// is never refused. And what A is refused costs the database, in which everybody waits for
// everybody, not one statement.
func TestAFloodDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, func(c *switchboard.Config) { c.RingsPerSecond = 20 })
	w.clock.Stop()
	a, da := w.caller, w.device("")
	w.caller.Tenant.ID, w.caller.Tenant.Slug = tenants.NewID[tenants.TenantID](w.clock.Now()), "quiet"
	must(t, w.store.Tenants().Add(t.Context(), w.caller.Who, w.caller.Tenant))
	w.scope = w.store.For(w.caller.Tenant.ID).By(w.caller.Who)
	_, file, err := apnstest.NewKey("TEAM000002", "KEY0000002")
	must(t, err)
	_, err = w.credentials.Add(t.Context(), w.caller.Tenant.ID, w.caller.Who, health.Upload{
		Filename: "AuthKey_KEY0000002.p8", File: file, Bundle: w.bundle, Team: "TEAM000002",
	})
	must(t, err)
	db := w.device("")
	const atOnce, many = 40, 1000
	placed, refused := flood(t, w.board, a, da, many, func() {
		for range atOnce {
			w.place(tenants.Request{To: tenants.To{Device: db.ID}})
		}
	})
	if placed != atOnce || refused != many-atOnce {
		t.Errorf("%d of A's rings placed, %d refused", placed, refused)
	}
	w.eventually("all that follows is done", w.board.Idle)
	before := w.statements.Load()
	if placed, refused = flood(t, w.board, a, da, many, func() {}); placed != 0 || refused != many {
		t.Errorf("%d more placed, %d refused", placed, refused)
	}
	if n := w.statements.Load() - before; n != 0 {
		t.Errorf("%d statements for %d refusals", n, many)
	}
}

// flood rings d so many times at once, while run runs.
func flood(t *testing.T, b *switchboard.Board, c switchboard.Caller, d tenants.Device, times int, run func()) (placed, refused int64) {
	t.Helper()
	var all sync.WaitGroup
	var yes, no atomic.Int64
	for range times {
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
	run()
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
	if len(apple.Pushes()) != 4 {
		t.Fatalf("%d pushes", len(apple.Pushes()))
	}
	for i, p := range apple.Pushes() {
		if p.At.Sub(begin) < time.Duration(i)*spacing { // a late machine only makes it later
			t.Errorf("push %d left %v after the first could", i, p.At.Sub(begin))
		}
	}
}

// TestAPushThatWaitsHoldsNobodyUp: while a device's second push waits, another device is pushed;
// and a ring that is cancelled while it waits is not pushed.
func TestAPushThatWaitsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, func(c *switchboard.Config) { c.Spacing = 20 * time.Second })
	d, other := w.device(""), w.device("")
	first := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.state(first.ID, tenants.Pushed)
	waits := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.state(w.place(tenants.Request{To: tenants.To{Device: other.ID}}).ID, tenants.Pushed)
	w.state(waits.ID, tenants.Placed)
	_, err := w.board.Cancel(t.Context(), w.caller, waits.ID)
	must(t, err)
	w.settle()
	if len(apple.Pushes()) != 2 || apple.Pushes()[1].Token != other.Token {
		t.Errorf("pushed %+v", apple.Pushes())
	}
}
