package switchboard_test

import (
	"testing"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// TestAGatewayThatIsFullLeavesTheRing: it says so before the ring is won, so that the phone may
// answer again. A phone that comes too late hears that, although this server last saw it ring.
func TestAGatewayThatIsFullLeavesTheRing(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.report(d, r, tenants.FactShown)
	m.full = &gateway.Refused{Reason: gateway.Full, Msg: "All lines are busy."}
	if err := answerError(w, d, r); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("answered with %v", err)
	}
	if got := w.state(r.ID, tenants.Ringing); got.Call != nil || w.board.Calls() != 0 {
		t.Errorf("it became a call: %+v", got)
	}
	m.full = nil
	must(t, answerError(w, d, r))
	w.state(r.ID, tenants.Answered)

	late := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.report(d, late, tenants.FactShown)
	_, _, err := w.scope.Rings().Change(t.Context(), late.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		now := w.clock.Now()
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactCancelled, At: now, Received: now}), nil
	})
	must(t, err) // as by another server
	m.full = &gateway.Refused{Reason: gateway.BadOffer, Msg: "The offer is no offer."}
	for range 2 {
		if err := answerError(w, d, late); tenants.KindOf(err) != tenants.Gone {
			t.Errorf("an ended ring: %v", err)
		}
		m.full = nil
	}
}

// TestACallIsConnectedBeforeItIsCancelled, although the first is stored a moment later.
func TestACallIsConnectedBeforeItIsCancelled(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	for name, end := range map[string]func(r *tenants.Ring) error{
		"cancel":  func(r *tenants.Ring) error { _, err := w.board.Cancel(t.Context(), w.caller, r.ID); return err },
		"removal": func(*tenants.Ring) error { return w.board.RemoveDevice(t.Context(), w.caller, d.ID) },
	} {
		d = w.device("")
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		must(t, answerError(w, d, r))
		m.on(gateway.Event{Kind: gateway.Connected, At: w.clock.Now()})
		must(t, end(r))
		if got := w.state(r.ID, tenants.Ended); got.EndReason != tenants.ReasonHungUp || got.Call.ConnectedAt.IsZero() {
			t.Errorf("%s: %s, %+v", name, got.EndReason, got.Call)
		}
	}
}
