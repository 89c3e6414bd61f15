package gateway

import (
	"errors"
	"log/slog"
	"testing"
	"time"
)

// TestACallThatEndsBeforeItBegins: nobody hears an Ended event of it, so that the refusal of its
// answer says why it ended, and nothing is left of it.
func TestACallThatEndsBeforeItBegins(t *testing.T) {
	t.Parallel()
	failed := errors.New("the phone has closed its connection")
	hangUp := func(r EndReason) func(*Gateway) { return func(g *Gateway) { g.HangUp("ring", r) } }
	for name, row := range map[string]struct {
		end  func(*Gateway)
		fail bool // making the connection fails
		want EndReason
		err  error // instead of the refusal
	}{
		"its phone hangs up":             {end: hangUp(PhoneHungUp), want: PhoneHungUp},
		"its phone hangs up and is gone": {end: hangUp(PhoneHungUp), fail: true, want: PhoneHungUp},
		"it is cancelled":                {end: hangUp(Cancelled), want: Cancelled},
		"its server drains":              {end: func(g *Gateway) { g.endAll(Draining) }, want: Draining},
		"its server closes":              {end: func(g *Gateway) { g.closed = true }, want: ShutDown},
		"its connection fails":           {end: func(*Gateway) {}, fail: true, err: failed},
	} {
		g, err := New(Config{UDPAddr: "127.0.0.1:0", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		c, fresh, err := g.findOrMakeCall(Offer{Call: "ring", Leg: "phone"}, Opus)
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		if _, err := g.addCall(c); err != nil {
			t.Fatal(err)
		}
		row.end(g)
		if row.fail {
			err = g.dropUnstarted(c, failed)
		} else {
			err = g.startLeg(c, &leg{})
		}
		if row.err == nil && Reason(err) != CallEnded || row.err != nil && !errors.Is(err, row.err) || EndOf(err) != row.want {
			t.Errorf("%s: refused with %v, ended by %q", name, err, EndOf(err))
		}
		// Another answer of the same phone waited for this one. It does not end the ring otherwise.
		if err := g.startLeg(c, &leg{}); Reason(err) != CallEnded || EndOf(err) != row.want {
			t.Errorf("%s: another answer: %v, ended by %q", name, err, EndOf(err))
		}
		if len(g.calls) != 0 {
			t.Errorf("%s: there is a call", name)
		}
		g.closed = false
		g.running.Done()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}
