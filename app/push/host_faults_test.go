package push_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// TestPushesArriveAfterManyErrors: Apple answers 503 for a while; no push is lost and all arrive
// soon after.
func TestPushesArriveAfterManyErrors(t *testing.T) {
	t.Parallel()
	withinTime(t, 5*time.Second*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		s, k := sender(t, a, nil), key(t, a, team, kid, nil)
		ends := time.Now().Add(1500 * time.Millisecond)
		a.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: ends})
		burst(t, s, k, 200, ringTime)
		late := time.Since(ends)
		t.Logf("all pushed %v after the storm", late)
		onceEach(t, a, 200)
		checkRules(t, a)
		return late
	})
}

// TestBreakerHoldsBack: a host in trouble is not hammered by many rings.
func TestBreakerHoldsBack(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("InternalServerError"), Until: time.Now().Add(time.Hour)})
	var tries atomic.Int64
	var group sync.WaitGroup
	for range 100 {
		p := ring(t, 2*time.Second)
		group.Go(func() {
			w := s.Push(t.Context(), k, p)
			if w.OK() || w.AnsweredAt.After(p.Expires.Add(time.Second*slack)) {
				t.Errorf("%+v", w)
			}
			tries.Add(int64(w.Tries))
		})
	}
	group.Wait()
	if n := tries.Load(); n > 150 {
		t.Errorf("%d tries in two seconds", n)
	}
}

// TestUnreachableHost: an unreachable host is tried until the ring is over, and not after.
func TestUnreachableHost(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.Close()
	began := time.Now()
	w := s.Push(t.Context(), k, ring(t, 800*time.Millisecond))
	if w.Err == nil || w.Status != 0 || w.Tries != 0 || w.Reaction.Ring != push.TryAgain {
		t.Errorf("%+v", w)
	}
	if d := time.Since(began); d > ringTime {
		t.Errorf("gave up after %v", d)
	}
}
