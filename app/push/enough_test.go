package push_test

import (
	"errors"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// TestNoResendOnceEnough: once the phone has spoken or the ring is over, a silent connection is no
// reason to push again.
func TestNoResendOnceEnough(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, keepSilentConfig), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	a.Silence(false)
	p := ring(t, 4*time.Second)
	asked := 0
	p.Enough = func() bool { asked++; return asked > 1 }
	if w := s.Push(t.Context(), k, p); w.Err == nil || asked < 2 || w.Tries != 1 || s.Stats().Hedged != 0 {
		t.Errorf("asked %d times: %+v", asked, w)
	}
}

// TestNoRetryOnceEnough: whatever goes wrong with a push that is needed no more, nothing more is
// sent of it, and nothing at all of one that never was sent. The breaker takes none of it for a
// failure of the host.
func TestNoRetryOnceEnough(t *testing.T) {
	t.Parallel()
	storm := apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: time.Now().Add(time.Hour)}
	for name, x := range map[string]struct {
		fault func(*apnstest.Apple)
		after int // how often Enough says no first
		tries int // at most
	}{
		"before the first try": {func(*apnstest.Apple) {}, 0, 0},
		"in a storm":           {func(a *apnstest.Apple) { a.SetStorm(storm) }, 1, 1},
		"on a cut connection":  {func(a *apnstest.Apple) { a.GoAwayEvery(1, true) }, 1, 1},
		"on a refused stream":  {func(a *apnstest.Apple) { a.RefuseStreams(1) }, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := apple(t, apnstest.Config{})
			s, k := sender(t, a, nil), key(t, a, team, kid, nil)
			if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
				t.Fatalf("%+v", w)
			}
			x.fault(a)
			for range 20 { // more than open a breaker
				p, asked := ring(t, ringTime), 0
				p.Enough = func() bool { asked++; return asked > x.after }
				w := s.Push(t.Context(), k, p)
				if w.OK() || w.Tries > x.tries || w.Status == 0 && !errors.Is(w.Err, push.ErrEnough) {
					t.Fatalf("%+v", w)
				}
				if w.Status != 0 {
					return
				}
				x.fault(a)
			}
			a.GoAwayEvery(0, false)
			a.RefuseStreams(0)
			if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() || a.Total() > 22 {
				t.Errorf("%d pushes: %+v", a.Total(), w)
			}
		})
	}
}
