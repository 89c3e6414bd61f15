package switchboard_test

import (
	"errors"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func TestAPlanSaysWhetherAPhoneRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	d := w.device("")
	ask := tenants.Request{To: tenants.To{Device: d.ID}}
	refused := func(code string, kind tenants.Kind) {
		t.Helper()
		before := len(w.apple.Delivered())
		_, _, err := w.board.Place(t.Context(), w.caller, ask, store.Idempotency{})
		var e *tenants.Error
		if !errors.As(err, &e) || e.Code != code || e.Kind != kind {
			t.Errorf("refused with %v, want %s", err, code)
		}
		if n := len(w.apple.Delivered()); n != before {
			t.Error("a refused ring reached Apple")
		}
	}
	w.state(w.place(ask).ID, tenants.Pushed) // without a subscription everything rings
	now := w.clock.Now()
	must(t, w.scope.Subscription().Set(t.Context(), w.store.Plans().Trial("", "starter", now)))
	first := w.place(ask)
	w.state(first.ID, tenants.Pushed)
	w.clock.Pass(14 * 24 * time.Hour)
	refused("trial_ended", tenants.Unpaid)

	must(t, w.scope.Subscription().Set(t.Context(), w.store.Plans().Assigned("", "starter", w.clock.Now(), time.Time{})))
	w.place(ask)
	rings, _, err := w.scope.Rings().List(t.Context(), store.RingQuery{})
	must(t, err)
	if len(rings) != 3 {
		t.Errorf("%d rings are recorded", len(rings))
	}
}

func TestAPlanCarriesSoManyCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	d := w.device("")
	must(t, w.scope.Subscription().Set(t.Context(), w.store.Plans().Assigned("", "starter", w.clock.Now(), time.Time{})))
	ask := tenants.Request{To: tenants.To{Device: d.ID}}
	for range 5 {
		r := w.place(ask)
		w.state(r.ID, tenants.Pushed)
		w.wait(w.dial(d, r).Heard(), "the call: Heard")
	}
	_, _, err := w.board.Place(t.Context(), w.caller, ask, store.Idempotency{})
	var e *tenants.Error
	if !errors.As(err, &e) || e.Code != "calls_at_once" || e.Kind != tenants.TooMany || e.RetryAfter == 0 {
		t.Errorf("a second call: %v", err)
	}
	trial := w.caller
	trial.Trial = true
	if _, _, err := w.board.Place(t.Context(), trial, ask, store.Idempotency{}); err != nil {
		t.Errorf("the test button: %v", err)
	}
}
