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

// lasts is how long a ring may take where what is looked at is whether it arrives: a machine that
// is busy with other things is slow.
const lasts = 30 * time.Second * slack

// inTime measures up to three times, since the figure is the machine's too: one try within the
// limit is proof that nothing of ours waits. Whatever else a try looks at holds each time. A try
// that can says how much longer it took than the same without the trouble.
func inTime(t *testing.T, limit time.Duration, try func(t *testing.T) time.Duration) {
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
// token was accepted. The same on a connection that is warm tells what the machine makes of it at
// the moment.
func TestColdBurst(t *testing.T) {
	t.Parallel()
	inTime(t, 150*time.Millisecond*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(30 * time.Millisecond))
		s, k := sender(t, a, nil), key(t, a, team, kid, nil)
		cold := burst(t, s, k, 200, lasts)
		if n := s.Stats().Refused; n > 0 {
			t.Errorf("%d refused streams", n)
		}
		onceEach(t, a, 200)
		clean(t, a)
		if n := a.TotalConnections(); n > 2 { // one, and a spare
			t.Errorf("%d connections", n)
		}
		warm := burst(t, s, k, 200, lasts)
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
			p := ring(t, lasts)
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

// TestSilentConnection: the connections in use fall silent under 100 rings a second; TCP stays up.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	inTime(t, time.Second*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
		s, k := sender(t, a, usual), key(t, a, team, kid, nil)
		f := flow(t, s, k, 10*time.Millisecond)
		wait(t, "fifty rings", func() bool { return a.Total() >= 50 })
		a.Silence(false)
		silenced := a.Total()
		wait(t, "a hundred more", func() bool { return a.Total() >= silenced+100 })
		slowest := f.end()
		t.Logf("slowest %v, %+v", slowest, s.Stats())
		if s.Stats().Hedged == 0 {
			t.Error("nothing was hedged")
		}
		onceEach(t, a, int(f.sent.Load()))
		clean(t, a)
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
	w := s.Push(t.Context(), k, ring(t, lasts))
	if !w.OK() || w.Tries != 1 || a.Total() != 1 || s.Stats().Hedged != 0 {
		t.Errorf("%d pushes, %d hedged: %+v", a.Total(), s.Stats().Hedged, w)
	}
}

// TestOutage: everything falls silent, new connections too, and comes back: no ring is lost.
func TestOutage(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, usual), key(t, a, team, kid, nil)
	f := flow(t, s, k, 10*time.Millisecond)
	wait(t, "fifty rings", func() bool { return a.Total() >= 50 })
	a.Silence(true)
	silenced := f.sent.Load()
	wait(t, "a second and a half", func() bool { return f.sent.Load() >= silenced+150 })
	a.Unsilence()
	back := time.Now()
	again := f.sent.Load()
	wait(t, "fifty more", func() bool { return f.sent.Load() >= again+50 })
	slowest := f.end()
	t.Logf("slowest %v, done %v after it came back, %+v", slowest, time.Since(back), s.Stats())
	onceEach(t, a, int(f.sent.Load()))
	clean(t, a)
}

func TestNoHedge(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, deaf), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() {
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
						p := ring(t, lasts)
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
			clean(t, a)
		})
	}
}

// TestCutEverything cuts all connections again and again under load.
func TestCutEverything(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	a.SetLatency(apnstest.Fixed(10 * time.Millisecond))
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	f := flow(t, s, k, 2*time.Millisecond)
	for i := range 5 {
		wait(t, "a hundred rings", func() bool { return a.Total() >= int64(100*(i+1)) })
		a.Cut()
	}
	t.Logf("slowest %v, %+v", f.end(), s.Stats())
	onceEach(t, a, int(f.sent.Load()))
	clean(t, a)
}

// TestStorm: a storm of 503 that ends; nothing is lost and all are pushed soon after.
func TestStorm(t *testing.T) {
	t.Parallel()
	inTime(t, 5*time.Second*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		s, k := sender(t, a, nil), key(t, a, team, kid, nil)
		ends := time.Now().Add(1500 * time.Millisecond)
		a.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: ends})
		burst(t, s, k, 200, lasts)
		late := time.Since(ends)
		t.Logf("all pushed %v after the storm", late)
		onceEach(t, a, 200)
		clean(t, a)
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

// TestNobodyListens: a host that is not there is tried until the ring is over, and never after.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.Close()
	began := time.Now()
	w := s.Push(t.Context(), k, ring(t, 800*time.Millisecond))
	if w.Err == nil || w.Status != 0 || w.Tries != 0 || w.Reaction.Ring != push.TryAgain {
		t.Errorf("%+v", w)
	}
	if d := time.Since(began); d > lasts {
		t.Errorf("gave up after %v", d)
	}
}

// TestManyTeams: more teams than pools. No push on another team's connection, connections bounded,
// none leaked.
func TestManyTeams(t *testing.T) {
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
				if w := s.Push(t.Context(), keys[i], ring(t, lasts)); !w.OK() {
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
	wait(t, "closed connections", func() bool { return a.OpenConnections(apnstest.Production) <= pools*4 })
	t.Logf("%d connections at most, %+v", most.Load(), s.Stats())
	s.Close()
	wait(t, "no connection", func() bool { return a.OpenConnections(apnstest.Production) == 0 })
	onceEach(t, a, teams*10)
	clean(t, a)
}

// TestFlood: another tenant's flood does not delay a ring. What a sender of its own does meanwhile
// tells what the machine makes of it.
func TestFlood(t *testing.T) {
	t.Parallel()
	inTime(t, 250*time.Millisecond*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
		s, apart, loud, quiet := sender(t, a, nil), sender(t, a, nil), key(t, a, "LOUDLOUD12", kid, nil), key(t, a, team, kid, nil)
		f := flow(t, s, loud, time.Millisecond*slack)
		g, h := flow(t, s, quiet, 50*time.Millisecond), flow(t, apart, quiet, 50*time.Millisecond)
		wait(t, "the flood", func() bool { return f.sent.Load() > 500 })
		slowest, alone := g.end(), h.end()
		f.end()
		t.Logf("slowest %v, and %v by a sender of its own", slowest, alone)
		clean(t, a)
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
	a.AddToken(bad, topic, apnstest.Sandbox)
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	var group sync.WaitGroup
	for i := range 300 {
		p := ring(t, lasts)
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

// TestRefusedStreams: a server that refuses streams below its limit has not seen them; they go out
// all the same.
func TestRefusedStreams(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	burst(t, s, k, 10, lasts)
	a.RefuseStreams(50)
	burst(t, s, k, 100, lasts)
	if s.Stats().Refused != 50 {
		t.Errorf("%+v", s.Stats())
	}
	onceEach(t, a, 110)
	clean(t, a)
}

// TestSmallWindow: large pushes wait for the server's flow control window and do not overrun it.
func TestSmallWindow(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{Window: 1, AnyPayload: true})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	var group sync.WaitGroup
	for range 100 {
		p := ring(t, lasts)
		p.Payload = []byte(`"` + uuid() + strings.Repeat("x", 5000) + `"`)
		group.Go(func() {
			if w := s.Push(t.Context(), k, p); !w.OK() {
				t.Errorf("%+v", w)
			}
		})
	}
	group.Wait()
	onceEach(t, a, 100)
	clean(t, a)
}

// TestEnough: once the phone has spoken or the ring is over, a silent connection is no reason to
// push again.
func TestEnough(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, deaf), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() {
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

// TestEnoughEndsTries: whatever goes wrong with a push that is needed no more, nothing more is sent
// of it, and nothing at all of one that never was sent. The breaker takes none of it for a failure
// of the host.
func TestEnoughEndsTries(t *testing.T) {
	t.Parallel()
	storm := apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: time.Now().Add(time.Hour)}
	for name, x := range map[string]struct {
		fault func(*apnstest.Apple)
		after int // questions that are answered with no
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
			if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() {
				t.Fatalf("%+v", w)
			}
			x.fault(a)
			for range 20 { // more than open a breaker
				p, asked := ring(t, lasts), 0
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
			if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() || a.Total() > 22 {
				t.Errorf("%d pushes: %+v", a.Total(), w)
			}
		})
	}
}

// TestSpareIsReady: a second connection stands by after the first push, and a ring finds it when
// the first is cut.
func TestSpareIsReady(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	wait(t, "a spare connection", func() bool { return a.OpenConnections(apnstest.Production) == 2 })
	a.GoAway(false)
	wait(t, "new connections", func() bool { return a.TotalConnections() >= 4 && s.Stats().Connections == 2 })
	if w := s.Push(t.Context(), k, ring(t, lasts)); !w.OK() || w.Tries != 1 {
		t.Errorf("%+v", w)
	}
}
