package push_test

import (
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// TestSilentConnection: the connections in use stop answering under 100 rings a second; TCP stays
// up.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	withinTime(t, time.Second*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
		s, k := sender(t, a, serverConfig), key(t, a, team, kid, nil)
		f := flow(t, s, k, 10*time.Millisecond)
		waitUntil(t, "fifty rings", func() bool { return a.Total() >= 50 })
		a.Silence(false)
		silenced := a.Total()
		waitUntil(t, "a hundred more", func() bool { return a.Total() >= silenced+100 })
		slowest := f.end()
		t.Logf("slowest %v, %+v", slowest, s.Stats())
		if s.Stats().Hedged == 0 {
			t.Error("nothing was hedged")
		}
		onceEach(t, a, int(f.sent.Load()))
		checkRules(t, a)
		return slowest
	})
}

// TestSlowIsNotSilent: a server that answers later than a push is sent again, but answers PINGs,
// gets each push once.
func TestSlowIsNotSilent(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, func(c *push.Config) { c.PingAfter, c.HedgeAfter = time.Second, 10*time.Second }), key(t, a, team, kid, nil)
	a.SetLatency(apnstest.Fixed(12 * time.Second))
	w := s.Push(t.Context(), k, ring(t, ringTime))
	if !w.OK() || w.Tries != 1 || a.Total() != 1 || s.Stats().Hedged != 0 {
		t.Errorf("%d pushes, %d hedged: %+v", a.Total(), s.Stats().Hedged, w)
	}
}

// TestOutage: all connections stop answering, new ones too, and then answer again: no ring is lost.
func TestOutage(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, serverConfig), key(t, a, team, kid, nil)
	f := flow(t, s, k, 10*time.Millisecond)
	waitUntil(t, "fifty rings", func() bool { return a.Total() >= 50 })
	a.Silence(true)
	silenced := f.sent.Load()
	waitUntil(t, "a second and a half", func() bool { return f.sent.Load() >= silenced+150 })
	a.Unsilence()
	back := time.Now()
	again := f.sent.Load()
	waitUntil(t, "fifty more", func() bool { return f.sent.Load() >= again+50 })
	slowest := f.end()
	t.Logf("slowest %v, done %v after it came back, %+v", slowest, time.Since(back), s.Stats())
	onceEach(t, a, int(f.sent.Load()))
	checkRules(t, a)
}

func TestNoHedge(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, keepSilentConfig), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	a.Silence(true)
	p := ring(t, 6*time.Second) // of which a slow machine needs some before it is written
	p.NoHedge = true
	if w := s.Push(t.Context(), k, p); w.Err == nil || w.Tries != 1 || s.Stats().Hedged != 0 {
		t.Errorf("%+v", w)
	}
}
