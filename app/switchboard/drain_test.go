package switchboard_test

import (
	"errors"
	"testing"

	"carillon/gateway/phonetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// A board that drains refuses new rings and first answers before it writes anything, and still
// answers the repeat of a request with the ring that it made.
func TestDrainRefusesWhatBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	d := w.device("")
	q := tenants.Request{To: tenants.To{Device: d.ID}}
	once := store.Idempotency{Key: "once", Body: [32]byte{1}}
	r, _, err := w.board.Place(t.Context(), w.caller, q, once)
	must(t, err)
	w.state(r.ID, tenants.Pushed)
	iphone, err := phonetest.New(phonetest.Config{})
	must(t, err)
	offer, err := iphone.Offer(t.Context())
	must(t, err)

	w.board.Drain()
	_, _, placed := w.board.Place(t.Context(), w.caller, q, store.Idempotency{})
	_, answered := w.board.Answer(t.Context(), d, r.ID, offer)
	for what, err := range map[string]error{"a ring": placed, "an answer": answered} {
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Unavailable || e.Code != "draining" || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	again, repeated, err := w.board.Place(t.Context(), w.caller, q, once)
	must(t, err)
	if !repeated || again.ID != r.ID || again.State != tenants.Pushed {
		t.Errorf("the repeat got %+v", again)
	}
}
