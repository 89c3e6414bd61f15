package switchboard_test

import (
	"testing"
	"time"

	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// toldMedia is a gateway that tells which calls it is to end.
type toldMedia struct {
	*refusingMedia
	ended chan string
}

func (m toldMedia) HangUp(call string, _ gateway.EndReason) { m.ended <- call }

// TestACallEndsBeforeItsEndIsStored: while what happened to calls waits for the database, a cancel
// and the removal of a device end theirs, all of them.
func TestACallEndsBeforeItsEndIsStored(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		calls int
		end   func(*world, *tenants.Ring, tenants.Device) error
	}{
		"cancel": {1, func(w *world, r *tenants.Ring, _ tenants.Device) error {
			_, err := w.board.Cancel(w.t.Context(), w.caller, r.ID)
			return err
		}},
		"removal": {2, func(w *world, _ *tenants.Ring, d tenants.Device) error {
			return w.board.RemoveDevice(w.t.Context(), w.caller, d.ID)
		}},
	} {
		w, silent := silent(t)
		m := toldMedia{silent, make(chan string, 100)}
		w.config.Media = m
		w.open()
		d, other := w.device(""), w.device("")
		must(t, answerError(w, other, w.place(tenants.Request{To: tenants.To{Device: other.ID}})))
		var rings []*tenants.Ring
		var hold []func()
		for range row.calls {
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			must(t, answerError(w, d, r))
			rings, hold = append(rings, r), append(hold, w.board.HoldSoon(w.caller.Tenant.ID, r.ID))
		}
		done := make(chan error, 1)
		go func() { done <- row.end(w, rings[0], d) }()
		told := map[string]bool{}
		for range rings {
			select {
			case call := <-m.ended:
				told[call] = true
			case <-time.After(time.Minute):
				t.Errorf("%s: the person stays on the line until it is stored", name)
			}
		}
		for i, r := range rings {
			if !told[string(r.ID)] {
				t.Errorf("%s: ended %v, not %s", name, told, r.ID)
			}
			hold[i]()
		}
		must(t, <-done)
		for _, r := range rings {
			w.state(r.ID, tenants.Ended)
		}
	}
}

// endingMedia is a gateway that has told the end of a call before HangUp returns.
type endingMedia struct {
	*refusingMedia
	ended bool
}

func (m *endingMedia) HangUp(_ string, by gateway.EndReason) {
	if !m.ended {
		m.ended = true
		m.on(gateway.Event{Kind: gateway.Ended, Reason: by, At: time.Now()})
	}
}

// TestTheAuditLogSaysWhoEndedACall: also when the gateway tells its end first, whether or not
// something of the call waits to be stored.
func TestTheAuditLogSaysWhoEndedACall(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *tenants.Ring, tenants.Device) error{
		"cancel": func(w *world, r *tenants.Ring, _ tenants.Device) error {
			_, err := w.board.Cancel(w.t.Context(), w.caller, r.ID)
			return err
		},
		"removal": func(w *world, _ *tenants.Ring, d tenants.Device) error {
			return w.board.RemoveDevice(w.t.Context(), w.caller, d.ID)
		},
		"merge": func(w *world, _ *tenants.Ring, d tenants.Device) error {
			return w.board.MergeDevice(w.t.Context(), w.caller, d.ID, w.device("").ID)
		},
	} {
		for _, waits := range []bool{false, true} {
			w, quiet := silent(t)
			m := &endingMedia{refusingMedia: quiet}
			w.config.Media = m
			w.open()
			d := w.device("")
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			must(t, answerError(w, d, r))
			if waits {
				m.on(gateway.Event{Kind: gateway.Connected, At: w.clock.Now()})
			}
			must(t, end(w, r, d))
			got, err := w.scope.Rings().Get(t.Context(), r.ID)
			must(t, err)
			if got.State != tenants.Ended || got.Call.EndedBy != string(gateway.Cancelled) ||
				got.Attempts[0].Has(tenants.FactConnected) != waits {
				t.Errorf("%s, it waits %v: %s, %+v", name, waits, got.State, got.Call)
			}
			rows, _, err := w.scope.Audits().List(t.Context(), store.AuditQuery{Action: "ring.hang_up"})
			must(t, err)
			if len(rows) != 1 || rows[0].Target != string(r.ID) || rows[0].Actor != w.caller.Actor {
				t.Errorf("%s, it waits %v: %+v", name, waits, rows)
			}
		}
	}
}

// TestACallDoesNotWaitForTheDatabase: its goroutine, which also ends it, goes on while what it
// tells during the call cannot be stored.
func TestACallDoesNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	let := w.board.HoldSoon(w.caller.Tenant.ID, r.ID)
	told := make(chan struct{})
	go func() {
		defer close(told)
		m.on(gateway.Event{Kind: gateway.OneWay, Silent: gateway.PhoneSide, At: w.clock.Now()})
		m.on(gateway.Event{Kind: gateway.Connected, At: w.clock.Now()})
		m.on(gateway.Event{Kind: gateway.Sampled, At: w.clock.Now()})
	}()
	w.wait(told, "a call that tells something")
	let()
	m.on(gateway.Event{Kind: gateway.Ended, Reason: gateway.PhoneHungUp, At: w.clock.Now()})
	if got := w.state(r.ID, tenants.Ended); !got.Attempts[0].Has(tenants.FactOneWay) || !got.Attempts[0].Has(tenants.FactConnected) {
		t.Errorf("stored %+v", got.Facts())
	}
}

// TestARemovedDeviceLeavesItsRings: its part ends at once, the person's other phones ring on, and
// the ring ends with the last of them.
func TestARemovedDeviceLeavesItsRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	a, b, c := w.device("ada"), w.device("ada"), w.device("bob")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	talk := w.place(tenants.Request{To: tenants.To{Device: c.ID}})
	ended := w.place(tenants.Request{To: tenants.To{Device: a.ID}})
	_, err := w.board.Cancel(t.Context(), w.caller, ended.ID)
	must(t, err)
	w.until(r.ID, "pushed twice", func(r *tenants.Ring) bool {
		return r.Attempts[0].Has(tenants.FactAccepted) && r.Attempts[1].Has(tenants.FactAccepted)
	})
	w.report(a, r, tenants.FactShown)

	must(t, w.board.RemoveDevice(t.Context(), w.caller, a.ID))
	got, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	if x, _ := got.AttemptOf(a.ID); x.State != tenants.Failed || got.State != tenants.Pushed {
		t.Errorf("after the first phone: attempt %s, ring %s", x.State, got.State)
	}
	must(t, w.board.RemoveDevice(t.Context(), w.caller, b.ID))
	got, err = w.scope.Rings().Get(t.Context(), r.ID)
	if err != nil || got.State != tenants.Failed || got.EndReason != tenants.ReasonRemoved {
		t.Errorf("after the last phone: %s %s %v", got.State, got.EndReason, err)
	}
	if got, err = w.scope.Rings().Get(t.Context(), ended.ID); err != nil || got.EndReason != tenants.ReasonCancelled {
		t.Errorf("a ring that had ended: %s %v", got.EndReason, err)
	}

	call := w.dial(c, talk)
	w.wait(call.Heard(), "the call: Heard")
	w.until(talk.ID, "connected", func(r *tenants.Ring) bool { return r.Attempts[0].Has(tenants.FactConnected) })
	must(t, w.board.RemoveDevice(t.Context(), w.caller, c.ID))
	if got, err = w.scope.Rings().Get(t.Context(), talk.ID); err != nil || got.State != tenants.Ended || got.Call.EndedAt.IsZero() {
		t.Errorf("its call: %s %+v %v", got.State, got.Call, err)
	}
	w.wait(call.Closed(), "the call: Closed")
	if err := w.board.RemoveDevice(t.Context(), w.caller, a.ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("removing twice: %v", err)
	}
}

// TestAMergedDeviceLeavesItsRings: a phone that installed its app again is another device, and
// nothing waits for the one that it was.
func TestAMergedDeviceLeavesItsRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	register := func(d tenants.Device) tenants.Device {
		d.PhoneID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
		d, _, err := w.scope.Devices().Add(t.Context(), d, tenants.NewSecret(tenants.DevicePrefix).Hash())
		must(t, err)
		return d
	}
	old := register(w.device("ada"))
	r := w.place(tenants.Request{To: tenants.To{Device: old.ID}})
	again := old
	again.ID, again.Token, again.CreatedAt = tenants.NewID[tenants.DeviceID](w.clock.Now()), token(), w.clock.Now()
	w.board.EndMerged(t.Context(), w.caller, register(again))
	got, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	if got.State != tenants.Failed || got.EndReason != tenants.ReasonRemoved {
		t.Errorf("the ring of the earlier row: %s %s", got.State, got.EndReason)
	}
}
