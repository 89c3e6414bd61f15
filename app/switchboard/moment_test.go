package switchboard_test

import (
	"testing"
	"time"

	"carillon/tenants"
)

// A ring can be answered until the moment it expires, whether or not the sweep has come by, and the
// sweep ends it at that moment and never before.
func TestARingEndsAtItsMoment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration // the moment of expiry
		ended bool
	}{"before": {-time.Millisecond, false}, "at": {0, true}, "after": {time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tenants.RealEstate)
			w.clock.Stop()
			w.voice()
			d := w.device("")
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, TTL: 20 * time.Second})
			r = w.state(r.ID, tenants.Pushed)
			if got := r.ExpiresAt.Sub(r.CreatedAt); got != 20*time.Second {
				t.Fatalf("the ring lasts %s", got)
			}
			w.clock.Pass(r.ExpiresAt.Sub(w.clock.Now()) + c.after)
			_, err := w.board.Answer(t.Context(), d, r.ID, "v=0") // a bad offer, which is looked at only while the ring lasts
			if gone := tenants.KindOf(err) == tenants.Gone; err == nil || gone != c.ended {
				t.Errorf("an answer: %v", err)
			}
			must(t, w.board.Sweep(t.Context()))
			now, err := w.scope.Rings().Get(t.Context(), r.ID)
			must(t, err)
			if now.State.Terminal() != c.ended {
				t.Errorf("after the sweep the ring is %s", now.State)
			}
		})
	}
}
