package push_test

import (
	"errors"
	"fmt"
	"strings"
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
	p := ring(t, 3*time.Second)
	p.NoHedge = true
	if w := s.Push(t.Context(), k, p); w.Err == nil || w.Tries != 1 || s.Stats().Hedged != 0 {
		t.Errorf("%+v", w)
	}
}

func TestGoAway(t *testing.T) {
	t.Parallel()
	for name, abrupt := range map[string]bool{"polite": false, "abrupt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 2000
			a := apple(t, apnstest.Config{})
			a.GoAwayEvery(300, abrupt)
			a.SetLatency(apnstest.Fixed(2 * time.Millisecond))
			s, k := sender(t, a, nil), key(t, a, team, kid, nil)
			var left atomic.Int64
			left.Store(n)
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					for left.Add(-1) >= 0 {
						p := ring(t, ringTime)
						began := time.Now()
						w := s.Push(t.Context(), k, p)
						if !w.OK() || w.APNsID != p.APNsID {
							t.Errorf("%+v", w)
						}
						if d := time.Since(began); d > 500*time.Millisecond {
							t.Logf("SLOW %v tries %d sent %v answered %v", d, w.Tries, w.SentAt.Sub(began), w.AnsweredAt.Sub(began))
						}
					}
				})
			}
			group.Wait()
			t.Logf("%+v", s.Stats())
			if s.Stats().GoAways == 0 {
				t.Error("nobody said GOAWAY")
			}
			onceEach(t, a, n)
			checkRules(t, a)
		})
	}
}

// TestConnectionsCutUnderLoad cuts all connections again and again under load.
func TestConnectionsCutUnderLoad(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	a.SetLatency(apnstest.Fixed(10 * time.Millisecond))
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	f := flow(t, s, k, 2*time.Millisecond)
	for i := range 5 {
		waitUntil(t, "a hundred rings", func() bool { return a.Total() >= int64(100*(i+1)) })
		a.Cut()
	}
	t.Logf("slowest %v, %+v", f.end(), s.Stats())
	onceEach(t, a, int(f.sent.Load()))
	checkRules(t, a)
}

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

// TestStreamLimitFalls: Apple allows one stream after each refusal; the rings in between still go
// out.
func TestStreamLimitFalls(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{DropToOne: true})
	a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
	bad := strings.Repeat("cd", 32)
	a.AddToken(bad, voipTopic, apnstest.Sandbox)
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	var group sync.WaitGroup
	for i := range 300 {
		p := ring(t, ringTime)
		if i%10 == 0 {
			p.Token = bad
		}
		group.Go(func() {
			if w := s.Push(t.Context(), k, p); w.Err != nil || w.OK() != (p.Token != bad) {
				t.Errorf("%+v", w)
			}
		})
	}
	group.Wait()
	onceEach(t, a, 270)
	if n := a.TotalConnections(); n > 4 {
		t.Errorf("%d connections", n)
	}
}

// TestRefusedStreams: a server that refuses streams below its limit has not processed them; they
// are sent again.
func TestRefusedStreams(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	burst(t, s, k, 10, ringTime)
	a.RefuseStreams(50)
	burst(t, s, k, 100, ringTime)
	if s.Stats().Refused != 50 {
		t.Errorf("%+v", s.Stats())
	}
	onceEach(t, a, 110)
	checkRules(t, a)
}

// TestSmallWindow: large pushes wait for the server's flow control window and do not overrun it.
func TestSmallWindow(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{Window: 1, AnyPayload: true})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	var group sync.WaitGroup
	for range 100 {
		p := ring(t, ringTime)
		p.Payload = []byte(`"` + nextUUID() + strings.Repeat("x", 5000) + `"`)
		group.Go(func() {
			if w := s.Push(t.Context(), k, p); !w.OK() {
				t.Errorf("%+v", w)
			}
		})
	}
	group.Wait()
	onceEach(t, a, 100)
	checkRules(t, a)
}

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

// TestSpareConnectionIsReady: a second connection stands by after the first push, and a ring finds
// it when the first is cut.
func TestSpareConnectionIsReady(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	waitUntil(t, "a spare connection", func() bool { return a.OpenConnections(apnstest.Production) == 2 })
	a.GoAway(false)
	waitUntil(t, "new connections", func() bool { return a.TotalConnections() >= 4 && s.Stats().Connections == 2 })
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() || w.Tries != 1 {
		t.Errorf("%+v", w)
	}
}
