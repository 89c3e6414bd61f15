package push_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

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

// TestIdleConnectionsAreReplaced: what is cut while nobody pushes is opened again, before the next
// ring needs it.
func TestIdleConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, func(c *push.Config) { c.KeepAlive = 50 * time.Millisecond })
	if w := s.Push(t.Context(), key(t, a, team, kid, nil), ring(t, ringTime)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	for range 3 {
		dials := s.Stats().Dials
		a.Cut()
		waitUntil(t, "another connection", func() bool { return s.Stats().Dials > dials && a.OpenConnections(apnstest.Production) > 0 })
	}
	checkRules(t, a)
}
