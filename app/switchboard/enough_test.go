package switchboard_test

import (
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/tenants"
)

// TestNothingIsPushedForARingThatIsOver: what Apple did not take while the ring lived must not ring
// a phone later.
func TestNothingIsPushedForARingThatIsOver(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *tenants.Ring, [2]tenants.Device){
		"cancelled": func(w *world, r *tenants.Ring, _ [2]tenants.Device) {
			_, err := w.board.Cancel(t.Context(), w.caller, r.ID)
			must(t, err)
		},
		"declined on another phone": func(w *world, r *tenants.Ring, d [2]tenants.Device) { w.report(d[0], r, tenants.FactDeclined) },
		"removed": func(w *world, r *tenants.Ring, d [2]tenants.Device) {
			for _, x := range d {
				must(t, w.board.RemoveDevice(t.Context(), w.caller, x.ID))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tenants.RealEstate)
			d := [2]tenants.Device{w.device("ada"), w.device("ada")}
			w.apple.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: time.Now().Add(time.Hour)})
			r := w.place(tenants.Request{To: tenants.To{Person: "ada"}, TTL: tenants.MaxTTL})
			w.eventually("a push is tried", func() bool { return w.apple.TotalConnections() > 0 })
			end(w, r, d)
			w.givenUp(r)
			got, err := w.scope.Rings().Get(t.Context(), r.ID)
			must(t, err)
			if !got.State.Terminal() {
				t.Errorf("the ring is %s", got.State)
			}
		})
	}
}

// TestADeviceRemovedWhileItsRingIsPlaced is not rung, and its ring does not wait for its time.
func TestADeviceRemovedWhileItsRingIsPlaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	d := w.device("")
	r, err := w.board.PlaceAround(t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, func() {
		must(t, w.board.RemoveDevice(t.Context(), w.caller, d.ID))
	})
	must(t, err)
	if r.State != tenants.Failed || r.EndReason != tenants.ReasonRemoved {
		t.Errorf("the answer says %s (%s)", r.State, r.EndReason)
	}
	got, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	if got.State != tenants.Failed || got.EndReason != tenants.ReasonRemoved {
		t.Errorf("recorded: %s (%s)", got.State, got.EndReason)
	}
	w.settle()
	if n := w.apple.Total(); n != 0 {
		t.Errorf("%d pushes", n)
	}
}

// TestAnAnswerIsEnough: a phone that answers without a word before is not pushed to again.
func TestAnAnswerIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	d := w.device("")
	w.apple.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: time.Now().Add(time.Hour)})
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, TTL: tenants.MaxTTL})
	w.wait(w.dial(d, r).Heard(), "the call: Heard")
	w.givenUp(r)
}

// givenUp waits until nothing more is tried for the ring, which must be long before its time: Apple
// refuses the whole time, which ends no push.
func (w *world) givenUp(r *tenants.Ring) {
	w.t.Helper()
	w.eventually("its pushes are given up", w.board.Idle)
	if !time.Now().Before(r.ExpiresAt) {
		w.t.Errorf("pushes were tried until the ring's time was up")
	}
	if n := w.apple.Total(); n != 0 {
		w.t.Errorf("%d pushes were taken", n)
	}
}
