package switchboard_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"carillon/app/agents"
	"carillon/app/page/pagetest"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// fill fills the disk, so that hardly a cancel can be stored.
func (w *world) fill(d tenants.Device) {
	w.t.Helper()
	must(w.t, w.store.Bound(w.t.Context(), true))
	var rings []*tenants.Ring
	for failed := 0; failed < 5; {
		r, _, err := w.board.Place(w.t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
		if failed++; err == nil {
			failed, rings = 0, append(rings, r)
		}
	}
	w.settle()
	for _, r := range rings {
		_, _ = w.board.Cancel(w.t.Context(), w.caller, r.ID) // takes the room that is left, or fails
	}
}

// hangUpTap counts how often a gateway is asked to hang up.
type hangUpTap struct {
	switchboard.Media
	hangUps atomic.Int64
}

func (h *hangUpTap) HangUp(call string, reason gateway.EndReason) {
	h.hangUps.Add(1)
	h.Media.HangUp(call, reason)
}

// TestCancelOnAFullDiskEndsTheCallFirst: the call ends although that cannot be stored, the caller
// gets the ring as it will be, and the end is stored once there is room, with its figures.
func TestCancelOnAFullDiskEndsTheCallFirst(t *testing.T) {
	t.Parallel()
	for range 20 { // there may be room for just this one cancel
		if cancelOnAFullDisk(t) {
			return
		}
	}
	t.Error("the disk was never full")
}

// cancelOnAFullDisk reports whether the disk was full.
func cancelOnAFullDisk(t *testing.T) bool {
	t.Helper()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	g := w.config.Media.(*gateway.Gateway)
	m := &hangUpTap{Media: g}
	w.config.Media = m
	w.open()
	d, other := w.device(""), w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	call := w.dial(d, r)
	w.wait(call.Heard(), "the call: Heard")
	w.until(r.ID, "connected", func(r *tenants.Ring) bool { return r.Attempts[0].Has(tenants.FactConnected) })
	w.fill(other)
	got, err := w.board.Cancel(t.Context(), w.caller, r.ID)
	must(t, err)
	if n := m.hangUps.Load(); n == 0 {
		t.Fatalf("the gateway was asked %d times to hang up", n)
	}
	if got.State != tenants.Ended || got.EndReason != tenants.ReasonHungUp || got.Call.EndedBy != string(gateway.Cancelled) {
		t.Errorf("the answer to the cancel: %s %s %+v", got.State, got.EndReason, got.Call)
	}
	w.wait(call.Closed(), "the call: Closed")
	w.eventually("the gateway has no call", func() bool { return len(g.Calls()) == 0 })
	stored, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	if stored.State != tenants.Answered {
		return false
	}
	if err := w.board.Sweep(t.Context()); err == nil {
		if w.board.Late() > 0 {
			t.Error("the sweep says nothing of what it cannot store")
		}
		return false // a checkpoint has made room for it since
	}
	again, err := w.board.Cancel(t.Context(), w.caller, r.ID) // the call is over
	if tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("cancelled again: %v %v", again, err)
	}

	must(t, w.store.Bound(t.Context(), false))
	must(t, w.board.Sweep(t.Context()))
	stored = w.until(r.ID, "measured", func(r *tenants.Ring) bool { return r.Call != nil && !r.Call.LastSoundAt.IsZero() })
	if stored.State != tenants.Ended || stored.EndReason != tenants.ReasonHungUp || stored.Call.EndedBy != string(gateway.Cancelled) {
		t.Errorf("stored: %s %s %+v", stored.State, stored.EndReason, stored.Call)
	}
	if n := w.board.Late(); n != 0 {
		t.Errorf("%d writes wait", n)
	}
	return true
}

// TestCancelOfAnotherTenantHangsUpNothing: the call is looked up within the caller's tenant.
func TestCancelOfAnotherTenantHangsUpNothing(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	_, err := w.board.Answer(t.Context(), d, r.ID, "v=0")
	must(t, err)
	stranger := w.caller
	stranger.Tenant.ID = tenants.NewID[tenants.TenantID](w.clock.Now())
	if _, err := w.board.Cancel(t.Context(), stranger, r.ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a stranger's cancel: %v", err)
	}
	if len(m.hungUp) != 0 {
		t.Errorf("hung up %q", m.hungUp)
	}
	_, err = w.board.Cancel(t.Context(), w.caller, r.ID)
	must(t, err)
	if len(m.hungUp) == 0 {
		t.Error("its own tenant's cancel hangs up nothing")
	}
}

// hangUpCounter is a gateway during whose answer something happens.
type hangUpCounter struct {
	mediaCounter
	during func()
	hungUp []string
}

func (m *hangUpCounter) Answer(ctx context.Context, o gateway.Offer) (gateway.Answer, error) {
	decide := o.Decide
	o.Decide = func() (gateway.Agent, gateway.Tap, error) {
		a, tap, err := decide()
		if err == nil {
			m.during()
		}
		return a, tap, err
	}
	return m.mediaCounter.Answer(ctx, o)
}

func (m *hangUpCounter) HangUp(call string, reason gateway.EndReason) {
	m.hungUp = append(m.hungUp, fmt.Sprint(call, " ", reason))
}

// TestWhatEndsWhileItIsAnsweredIsHungUp: a cancel, or the removal of the device, comes after the
// ring was won and before the gateway has the call. The phone gets 410, and the call that began is
// hung up.
func TestWhatEndsWhileItIsAnsweredIsHungUp(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *tenants.Ring, tenants.Device) error{
		"cancel": func(w *world, r *tenants.Ring, _ tenants.Device) error {
			_, err := w.board.Cancel(w.t.Context(), w.caller, r.ID)
			return err
		},
		"removal": func(w *world, _ *tenants.Ring, d tenants.Device) error {
			return w.board.RemoveDevice(w.t.Context(), w.caller, d.ID)
		},
	} {
		w, m := newWorld(t, tenants.RealEstate), &hangUpCounter{}
		w.config.Media = m
		w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
			return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
		}
		w.open()
		d := w.device("")
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		last := ""
		m.during = func() {
			must(t, end(w, r, d))
			m.hungUp = nil // the gateway has no such call yet
		}
		if _, err := w.board.Answer(t.Context(), d, r.ID, "v=0"); tenants.KindOf(err) != tenants.Gone {
			t.Errorf("%s: answered with %v", name, err)
		}
		if len(m.hungUp) == 1 {
			last = m.hungUp[0]
		}
		if last != string(r.ID)+" cancelled" {
			t.Errorf("%s: hung up: %q", name, m.hungUp)
		}
	}
}

var _ switchboard.Media = (*hangUpCounter)(nil)

// TestWhatEndsACallHangsItUp: before a cancel, a removal or the phone's own hang-up returns, the
// gateway was told to end the call, and for which reason. What only rings has no call.
func TestWhatEndsACallHangsItUp(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end    func(*world, *tenants.Ring, tenants.Device) error
		reason gateway.EndReason
	}{
		"cancel": {func(w *world, r *tenants.Ring, _ tenants.Device) error {
			_, err := w.board.Cancel(w.t.Context(), w.caller, r.ID)
			return err
		}, gateway.Cancelled},
		"removal": {func(w *world, _ *tenants.Ring, d tenants.Device) error {
			return w.board.RemoveDevice(w.t.Context(), w.caller, d.ID)
		}, gateway.Cancelled},
		"hang-up": {func(w *world, r *tenants.Ring, d tenants.Device) error {
			return w.board.HangUp(w.t.Context(), d, r.ID)
		}, gateway.PhoneHungUp},
	} {
		w, m := newWorld(t, tenants.RealEstate), &hangUpCounter{during: func() {}}
		w.config.Media = m
		w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
			return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
		}
		w.open()
		d, other := w.device(""), w.device("")
		ringing := w.place(tenants.Request{To: tenants.To{Device: other.ID}})
		talking := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		_, err := w.board.Answer(t.Context(), d, talking.ID, "v=0")
		must(t, err)
		must(t, row.end(w, ringing, other))
		if len(m.hungUp) != 0 {
			t.Errorf("%s of what only rings: hung up %q", name, m.hungUp)
		}
		must(t, row.end(w, talking, d))
		want := string(talking.ID) + " " + string(row.reason)
		if len(m.hungUp) == 0 || slices.ContainsFunc(m.hungUp, func(s string) bool { return s != want }) {
			t.Errorf("%s: hung up %q", name, m.hungUp)
		}
	}
}
