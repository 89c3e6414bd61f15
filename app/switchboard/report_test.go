package switchboard_test

import (
	"testing"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestFactsOfAPhoneStayInItsOrder: a message that was long on its way makes what the phone saw
// later no earlier, and a phone whose clock went back is taken at its word.
func TestFactsOfAPhoneStayInItsOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ahead, earlier time.Duration }{
		"in order":          {20 * time.Millisecond, 0},
		"a clock went back": {-time.Hour, 480 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tenants.Salon)
			w.clock.Stop()
			d := w.device("")
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			w.state(r.ID, tenants.Pushed)
			w.clock.Pass(time.Second)
			phone := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for _, rep := range []switchboard.Report{
				{Kind: tenants.FactWoke, At: phone, SentAt: phone},
				{Kind: tenants.FactShown, At: phone.Add(c.ahead), SentAt: phone.Add(c.ahead + 480*time.Millisecond)},
			} {
				_, err := w.board.Report(t.Context(), d, r.ID, rep)
				must(t, err)
			}
			at := map[tenants.FactKind]time.Time{}
			for _, f := range w.state(r.ID, tenants.Ringing).Attempts[0].Facts {
				at[f.Kind] = f.At
			}
			if earlier := at[tenants.FactWoke].Sub(at[tenants.FactShown]); earlier != c.earlier {
				t.Errorf("shown is %s earlier than woke, want %s", earlier, c.earlier)
			}
		})
	}
}
