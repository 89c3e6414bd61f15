package push_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// ringTime is how long a ring may take in tests of whether it arrives at all; a busy machine is
// slow.
const ringTime = 30 * time.Second * slack

// withinTime measures up to three times, because a busy machine is slow: one try within the limit
// proves that the sender does not wait. Every other check of a try must hold each time. Where it
// can, a try returns how much longer it took than the same pushes without the fault.
func withinTime(t *testing.T, limit time.Duration, try func(t *testing.T) time.Duration) {
	t.Helper()
	for range 3 {
		took := limit
		if !t.Run("try", func(t *testing.T) { took = try(t) }) || took <= limit {
			return
		}
		t.Logf("the slowest took %v, more than %v", took, limit)
	}
	t.Errorf("never within %v", limit)
}

// burst pushes n rings at once and gives the slowest.
func burst(t *testing.T, s *push.Sender, k *push.Key, n int, ttl time.Duration) time.Duration {
	t.Helper()
	var slowest atomic.Int64
	var group sync.WaitGroup
	rings := make([]push.Push, n)
	for i := range rings {
		rings[i] = ring(t, ttl)
	}
	for _, p := range rings {
		group.Go(func() {
			began := time.Now()
			if w := s.Push(t.Context(), k, p); !w.OK() {
				t.Errorf("%+v", w)
			}
			for d := int64(time.Since(began)); ; {
				old := slowest.Load()
				if d <= old || slowest.CompareAndSwap(old, d) {
					return
				}
			}
		})
	}
	group.Wait()
	return time.Duration(slowest.Load())
}

// TestColdBurst: 200 rings at once on no connection at all, 30 ms away, with one stream until a
// token was accepted. The same on a connection that is warm shows how fast the machine is at the
// moment.
func TestColdBurst(t *testing.T) {
	t.Parallel()
	withinTime(t, 150*time.Millisecond*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(30 * time.Millisecond))
		s, k := sender(t, a, nil), key(t, a, team, kid, nil)
		cold := burst(t, s, k, 200, ringTime)
		if n := s.Stats().Refused; n > 0 {
			t.Errorf("%d refused streams", n)
		}
		onceEach(t, a, 200)
		checkRules(t, a)
		if n := a.TotalConnections(); n > 2 { // one, and a spare
			t.Errorf("%d connections", n)
		}
		warm := burst(t, s, k, 200, ringTime)
		t.Logf("slowest %v, and %v on a warm connection", cold, warm)
		return cold - 3*warm
	})
}

// steady pushes at a rate until stop, and gives the slowest when all are answered.
type steady struct {
	slowest atomic.Int64
	sent    atomic.Int64
	group   sync.WaitGroup
	once    sync.Once
	stop    chan struct{}
}

func flow(t *testing.T, s *push.Sender, k *push.Key, every time.Duration) *steady {
	f := &steady{stop: make(chan struct{})}
	t.Cleanup(func() { f.end() })
	f.group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-f.stop:
				return
			case <-tick.C:
			}
			p := ring(t, ringTime)
			f.sent.Add(1)
			f.group.Go(func() {
				began := time.Now()
				if w := s.Push(t.Context(), k, p); !w.OK() {
					t.Errorf("%+v", w)
				}
				for d := int64(time.Since(began)); ; {
					old := f.slowest.Load()
					if d <= old || f.slowest.CompareAndSwap(old, d) {
						return
					}
				}
			})
		}
	})
	return f
}

func (f *steady) end() time.Duration {
	f.once.Do(func() { close(f.stop) })
	f.group.Wait()
	return time.Duration(f.slowest.Load())
}

// TestMoreTeamsThanPools: more teams than pools. No push on another team's connection, connections
// bounded, none leaked.
func TestMoreTeamsThanPools(t *testing.T) {
	t.Parallel()
	const teams, pools = 50, 20
	a := apple(t, apnstest.Config{})
	s := sender(t, a, func(c *push.Config) { c.MaxPools = pools })
	keys := make([]*push.Key, teams)
	for i := range keys {
		keys[i] = key(t, a, fmt.Sprintf("TEAM%06d", i), kid, nil)
	}
	var most atomic.Int64
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			for range 10 {
				if w := s.Push(t.Context(), keys[i], ring(t, ringTime)); !w.OK() {
					t.Errorf("%+v", w)
				}
				most.Store(max(most.Load(), s.Stats().Connections))
			}
		})
	}
	group.Wait()
	if st := s.Stats(); st.Pools > pools || most.Load() > pools*4 {
		t.Errorf("%d connections, %+v", most.Load(), st)
	}
	waitUntil(t, "closed connections", func() bool { return a.OpenConnections(apnstest.Production) <= pools*4 })
	t.Logf("%d connections at most, %+v", most.Load(), s.Stats())
	s.Close()
	waitUntil(t, "no connection", func() bool { return a.OpenConnections(apnstest.Production) == 0 })
	onceEach(t, a, teams*10)
	checkRules(t, a)
}

// TestFloodDoesNotDelayOtherTenants: another tenant's flood does not delay a ring. What a sender of
// its own, measured meanwhile, shows how fast the machine is at the moment.
func TestFloodDoesNotDelayOtherTenants(t *testing.T) {
	t.Parallel()
	withinTime(t, 250*time.Millisecond*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
		s, apart, loud, quiet := sender(t, a, nil), sender(t, a, nil), key(t, a, "LOUDLOUD12", kid, nil), key(t, a, team, kid, nil)
		f := flow(t, s, loud, time.Millisecond*slack)
		g, h := flow(t, s, quiet, 50*time.Millisecond), flow(t, apart, quiet, 50*time.Millisecond)
		waitUntil(t, "the flood", func() bool { return f.sent.Load() > 500 })
		slowest, alone := g.end(), h.end()
		f.end()
		t.Logf("slowest %v, and %v by a sender of its own", slowest, alone)
		checkRules(t, a)
		return slowest - 3*alone
	})
}
