package push_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// clock is a settable time, shared by the test Apple and the sender.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(1_800_000_000_000_000_000)
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.at.Load()) }
func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }
func (c *clock) ahead(d time.Duration) func() time.Time {
	return func() time.Time { return c.now().Add(d) }
}

// toTerm moves the clock to d after the next time at which tokens are issued.
func (c *clock) toTerm(d time.Duration) {
	const term = int64(55 * time.Minute)
	at := c.at.Load()
	c.at.Store(at - at%term + term + int64(d))
}

// termClock is a running clock that starts d after an issue time of tokens, so that the result does
// not depend on when the test runs.
func termClock(d time.Duration) func() time.Time {
	c := newClock()
	c.toTerm(d)
	began, from := time.Now(), c.now()
	return func() time.Time { return from.Add(time.Since(began)) }
}

func minute(t *testing.T, s *push.Sender, k *push.Key, c *clock, env push.Environment) {
	t.Helper()
	p := ringAt(t, c.now(), 30*time.Second)
	p.Environment = env
	if w := s.Push(t.Context(), k, p); !w.OK() || w.Tries > 2 {
		t.Fatalf("at %v: %+v", c.now(), w)
	}
	c.add(time.Minute)
}

// providers counts the pushes of each provider token, in the order they appeared.
func providers(a *apnstest.Apple) (order []string, uses map[string]int) {
	uses = map[string]int{}
	for _, d := range a.Delivered() {
		if uses[d.Provider]++; uses[d.Provider] == 1 {
			order = append(order, d.Provider)
		}
	}
	return order, uses
}

func TestTokenLastsFiftyFiveMinutes(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.toTerm(time.Minute)
	a := apple(t, apnstest.Config{Now: c.now})
	s, k := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now }), key(t, a, team, kid, nil)
	for range 55 * 4 {
		minute(t, s, k, c, push.Production)
	}
	order, uses := providers(a)
	for i, p := range order {
		if n := uses[p]; n != 55 {
			t.Errorf("token %d was used %d minutes", i, n)
		}
	}
	if len(order) != 4 {
		t.Errorf("%d tokens in 220 minutes", len(order))
	}
	checkRules(t, a)
}

// TestRestartsKeepWithinTokenRate starts a sender at many minutes of a term, runs it for a while
// and starts it again. Apple's limit of one new token in 20 minutes never makes a push fail: a push
// refused once is sent again with the token before.
func TestRestartsKeepWithinTokenRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := apple(t, apnstest.Config{Now: c.now})
	for start := 0; start < 56; start += 8 {
		for _, run := range []int{1, 17, 30} {
			k := key(t, a, fmt.Sprintf("T%02dR%02d0000", start, run), kid, nil)
			c.toTerm(time.Duration(start) * time.Minute)
			first := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now })
			for range run {
				minute(t, first, k, c, push.Production)
			}
			first.Close()
			second := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now })
			for range 40 {
				minute(t, second, k, c, push.Production)
				c.add(time.Minute)
			}
			second.Close()
		}
	}
}

// TestNodesShowOneToken: two processes and both environments with one key.
func TestNodesShowOneToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.toTerm(time.Minute)
	a := apple(t, apnstest.Config{Now: c.now})
	k := key(t, a, team, kid, nil)
	one := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now })
	two := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now })
	for range 20 {
		minute(t, one, k, c, push.Production)
		minute(t, two, k, c, push.Sandbox)
	}
	if order, _ := providers(a); len(order) != 1 {
		t.Errorf("Apple saw %d tokens", len(order))
	}
	checkRules(t, a)
}

// TestWrongClock: our clock is wrong by minutes, and pushes are still delivered.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-4 * time.Minute, -30 * time.Second, 20 * time.Second, 5 * time.Minute, 18 * time.Minute} {
		for _, age := range []time.Duration{time.Second, 20 * time.Minute, 34 * time.Minute, 38 * time.Minute, 50 * time.Minute} {
			c := newClock()
			c.toTerm(age)
			a := apple(t, apnstest.Config{Now: c.now})
			s, k := sender(t, a, func(cfg *push.Config) { cfg.Now = c.ahead(off) }), key(t, a, team, kid, nil)
			for range 60 {
				p := ringAt(t, c.now().Add(off), 30*time.Second)
				if w := s.Push(t.Context(), k, p); !w.OK() || w.Tries > 3 {
					t.Fatalf("clock %v ahead, start %v into a term, at %v: %+v", off, age, c.now(), w)
				}
				c.add(2 * time.Minute)
			}
		}
	}
}

// TestNewTokenDiffersFromExpiredOne: also in the one second of a term in which the token that Apple
// calls too old was issued when a new one would be.
func TestNewTokenDiffersFromExpiredOne(t *testing.T) {
	t.Parallel()
	for _, into := range []time.Duration{20*time.Minute - time.Second, 20 * time.Minute, 20*time.Minute + time.Second} {
		c := newClock()
		c.toTerm(into)
		a := apple(t, apnstest.Config{Now: c.now, TokenInterval: -1})
		s, k := sender(t, a, func(cfg *push.Config) { cfg.Now = c.now }), key(t, a, team, kid, nil)
		a.Script(device, apnstest.Refusal("ExpiredProviderToken"))
		if w := s.Push(t.Context(), k, ringAt(t, c.now(), 30*time.Second)); !w.OK() || w.Tries != 2 {
			t.Errorf("%v into a term: %+v", into, w)
		}
	}
}

// TestRevokedKey: every push is refused at once, and its connections are closed.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
		t.Fatalf("%+v", w)
	}
	waitUntil(t, "a spare connection", func() bool { return s.Stats().Connections == 2 })
	a.Unregister(team, kid)
	w := s.Push(t.Context(), k, ring(t, ringTime))
	if w.Status != 403 || w.Reason != "InvalidProviderToken" || w.Tries != 1 || w.Reaction.Credential != push.DisableCredential {
		t.Errorf("%+v", w)
	}
	waitUntil(t, "no connection", func() bool { return a.OpenConnections(apnstest.Production) == 0 })
}

// TestTokenOutlivesConnections: a key whose pool was evicted continues with the token that Apple
// has seen, even when a new process would begin with the next one.
func TestTokenOutlivesConnections(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.toTerm(35*time.Minute - 30*time.Second)
	a := apple(t, apnstest.Config{Now: c.now})
	s := sender(t, a, func(cfg *push.Config) { cfg.Now, cfg.MaxPools = c.now, 1 })
	mine, other := key(t, a, team, kid, nil), key(t, a, "TEAM000002", kid, nil)
	minute(t, s, mine, c, push.Production)
	minute(t, s, other, c, push.Production)
	minute(t, s, mine, c, push.Production)
	if st := s.Stats(); st.Evicted < 2 {
		t.Fatalf("nobody made room: %+v", st)
	}
	if order, _ := providers(a); len(order) != 2 {
		t.Errorf("two keys showed %d tokens", len(order))
	}
	checkRules(t, a)
}
