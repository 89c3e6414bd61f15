package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"
)

// still is a pool on a clock that only the test moves. Nothing reads or writes its connections.
type still struct {
	*pool
	at time.Time
}

func stillPool(t *testing.T) *still {
	t.Helper()
	s := &still{at: time.Unix(1_800_000_000, 0)}
	s.pool = &pool{
		host: &host{tcp: "127.0.0.1:1"}, now: func() time.Time { return s.at }, log: slog.New(slog.DiscardHandler),
		group: &sync.WaitGroup{}, life: t.Context(), count: &counters{}, certificate: true,
		limits: limits{conns: 4, dial: time.Second, ping: 200 * time.Millisecond, hedge: 500 * time.Millisecond,
			silence: 2 * time.Second, answer: 5 * time.Second, keepAlive: time.Minute},
	}
	t.Cleanup(s.group.Wait)
	return s
}

// connection adds one that works: its server has spoken, now.
func (s *still) connection(t *testing.T) *connection {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c := newConnection(s.pool, tls.Client(near, &tls.Config{}))
	c.greeted, c.allowed = true, 100
	s.conns = append(s.conns, c)
	return c
}

// request is one that may still be sent for a minute.
func (s *still) request(path string) *request {
	return &request{path: path, until: s.at.Add(time.Minute), hedge: true, most: 4, done: make(chan struct{}, 1)}
}

// leg puts a request on the connection, now.
func (s *still) leg(c *connection) *request {
	r := s.request("/3/device/aa")
	c.start(r)
	return r
}

// TestTimesOfAConnection: what the supervisor does happens at its time, and not a moment before.
func TestTimesOfAConnection(t *testing.T) {
	t.Parallel()
	const ping, hedge, silence, answer = 200 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second
	for name, x := range map[string]struct {
		after time.Duration
		set   func(*testing.T, *still, *connection)
		seen  func(*still, *connection) bool
	}{
		"a server that never spoke is left": {silence, func(_ *testing.T, _ *still, c *connection) { c.greeted = false },
			func(_ *still, c *connection) bool { return c.closed }},
		"an unanswered PING closes": {silence, func(_ *testing.T, s *still, c *connection) { c.ping(s.at) },
			func(_ *still, c *connection) bool { return c.closed }},
		"a young PING does not": {silence, func(_ *testing.T, s *still, c *connection) {
			c.lastRead = s.at.Add(-time.Hour)
			c.ping(s.at)
		}, func(_ *still, c *connection) bool { return c.closed }},
		"what was read since does not": {silence, func(_ *testing.T, s *still, c *connection) {
			c.ping(s.at.Add(-time.Hour))
			c.lastRead = s.at
		}, func(_ *still, c *connection) bool { return c.closed }},
		"a push ends with its ring": {10 * time.Millisecond, func(_ *testing.T, s *still, c *connection) {
			s.leg(c).until = s.at.Add(10 * time.Millisecond)
		}, func(s *still, c *connection) bool { return s.busy == -1 && len(c.legs) == 0 }},
		"a push asks for a PING": {ping, func(_ *testing.T, s *still, c *connection) { s.leg(c) },
			func(_ *still, c *connection) bool { return !c.pingAt.IsZero() }},
		"a quiet connection does not count from the push alone": {ping, func(_ *testing.T, s *still, c *connection) {
			s.leg(c)
			c.legs[1].written = s.at.Add(-time.Second)
		}, func(_ *still, c *connection) bool { return !c.pingAt.IsZero() }},
		"nor from the silence alone": {ping, func(_ *testing.T, s *still, c *connection) {
			s.leg(c)
			c.lastRead = s.at.Add(-time.Hour)
		}, func(_ *still, c *connection) bool { return !c.pingAt.IsZero() }},
		"other quiet connections are asked too": {ping, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			c.lastRead = s.at.Add(-time.Second)
			s.connection(t)
		}, func(s *still, _ *connection) bool { return !s.conns[1].pingAt.IsZero() }},
		"a push is hedged": {hedge, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			c.ping(s.at)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, _ *connection) bool { return s.count.hedged.Load() == 1 && len(s.conns[1].legs) == 1 }},
		"not after the push alone": {hedge, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			c.legs[1].written = s.at.Add(-time.Second)
			c.ping(s.at)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, _ *connection) bool { return s.count.hedged.Load() == 1 }},
		"nor after the silence alone": {hedge, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			c.lastRead = s.at.Add(-time.Second)
			c.ping(s.at)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, _ *connection) bool { return s.count.hedged.Load() == 1 }},
		"a push among others that were answered is lost": {answer, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			s.proven, s.slowest, c.lastRead = s.at.Add(1), answer/2, s.at.Add(time.Hour)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, c *connection) bool { return len(c.legs) == 0 && len(s.conns[1].legs) == 1 }},
		"and in twice the time of the slowest": {answer + time.Second, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			s.proven, s.slowest, c.lastRead = s.at.Add(1), (answer+time.Second)/2, s.at.Add(time.Hour)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, c *connection) bool { return len(c.legs) == 0 && len(s.conns[1].legs) == 1 }},
		"one with nothing to compare with waits three times as long": {3 * answer, func(t *testing.T, s *still, c *connection) {
			s.leg(c)
			c.lastRead = s.at.Add(time.Hour)
			s.connection(t).lastRead = s.at.Add(time.Hour)
		}, func(s *still, c *connection) bool { return len(c.legs) == 0 && len(s.conns[1].legs) == 1 }},
	} {
		for _, early := range []time.Duration{1, 0} {
			s := stillPool(t)
			c := s.connection(t)
			x.set(t, s, c)
			s.at = s.at.Add(x.after - early)
			s.check(s.at, false)
			if x.seen(s, c) != (early == 0) {
				t.Errorf("%s: %t, %d ns before its time", name, early == 1, early)
			}
		}
	}
}

// TestCareOfIdleConnections: an idle one is asked at half of KeepAlive, a spare one is opened for
// ten minutes after a push, and one for a bad token is closed; each only when care is due.
func TestCareOfIdleConnections(t *testing.T) {
	t.Parallel()
	type setting = func(*testing.T, *still, *connection)
	quiet := func(d time.Duration) setting {
		return func(_ *testing.T, s *still, c *connection) { c.lastRead = s.at.Add(-d) }
	}
	pushed := func(ago, pause time.Duration) setting {
		return func(_ *testing.T, s *still, _ *connection) { s.pushed, s.redial = s.at.Add(-ago), s.at.Add(pause) }
	}
	for name, x := range map[string]struct {
		set  setting
		seen func(*still, *connection) bool
		want bool
	}{
		"half of KeepAlive": {quiet(30 * time.Second), pinged, true},
		"a moment less":     {quiet(30*time.Second - 1), pinged, false},
		"a push is on it": {func(_ *testing.T, s *still, c *connection) {
			s.leg(c)
			c.legs[1].pinged, c.lastRead = true, s.at.Add(-30*time.Second)
		}, pinged, false},
		"for a bad token, idle": {func(_ *testing.T, _ *still, c *connection) { c.apart = true }, shut, true},
		"for a bad token, in use": {func(_ *testing.T, s *still, c *connection) {
			s.leg(c)
			c.apart = true
		}, shut, false},
		"idle":                        {func(*testing.T, *still, *connection) {}, shut, false},
		"ten minutes after a push":    {pushed(10*time.Minute, 0), dialled, false},
		"a moment less than that":     {pushed(10*time.Minute-1, 0), dialled, true},
		"with a spare one open":       {func(t *testing.T, s *still, _ *connection) { s.pushed = s.at; s.connection(t) }, dialled, false},
		"after a dial that failed":    {pushed(0, 1), dialled, false},
		"at the end of that pause":    {pushed(0, 0), dialled, true},
		"one for a bad token is none": {func(t *testing.T, s *still, _ *connection) { s.pushed = s.at; s.busyApart(t) }, dialled, true},
	} {
		for _, care := range []bool{true, false} {
			s := stillPool(t)
			c := s.connection(t)
			x.set(t, s, c)
			s.check(s.at, care)
			s.group.Wait()
			if got := x.seen(s, c); got != (x.want && care) {
				t.Errorf("%s: %t, with care %t", name, got, care)
			}
		}
	}
}

func pinged(_ *still, c *connection) bool  { return !c.pingAt.IsZero() }
func shut(_ *still, c *connection) bool    { return c.closed }
func dialled(s *still, _ *connection) bool { return s.count.dials.Load() > 0 }

func (s *still) busyApart(t *testing.T) {
	c := s.connection(t)
	s.leg(c)
	c.apart = true
}

// TestQueuesAreLookedAfter: a queued push ends with its ring or when the phone has spoken, and
// starts when there is room. One that waits for an answer beside the queue is left alone.
func TestQueuesAreLookedAfter(t *testing.T) {
	t.Parallel()
	s := stillPool(t)
	ctx, end := context.WithCancel(t.Context())
	end() // nothing is dialled
	s.life = ctx
	late, spoken, sent := s.request("/3/device/aa"), s.request("/3/device/bb"), s.request("/3/device/cc")
	late.until, sent.until = s.at, s.at
	spoken.enough = func() bool { return true }
	c := s.connection(t)
	c.start(sent)
	c.legs[1].r = s.request("/3/device/dd") // sent itself is looked at in the queue alone
	s.queue, s.apart = []*request{late, sent}, []*request{spoken}
	s.check(s.at, false)
	if !errors.Is(late.err, errLate) || !errors.Is(spoken.err, ErrEnough) || sent.settled {
		t.Errorf("late %v, spoken %v, sent %t", late.err, spoken.err, sent.settled)
	}
	common, own := s.request("/3/device/ee"), s.request("/3/device/ff")
	own.cuts = 2
	s.queue, s.apart = []*request{common}, []*request{own}
	s.busyApart(t)
	s.conns[1].legs = map[uint32]*leg{}
	s.check(s.at, false)
	if common.legs != 1 || own.legs != 1 || len(s.queue)+len(s.apart) != 0 {
		t.Errorf("%d and %d legs, %d wait", common.legs, own.legs, len(s.queue)+len(s.apart))
	}
}

// TestWhoseFailure: what failed with the token is the token's from the first time others worked
// since, and a token that cut two connections alone has connections of its own.
func TestWhoseFailure(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		cuts     int
		alone    bool
		err      error
		worked   time.Duration // after the failure before; 0 = none did
		own, now bool          // the failure is its own; so is its next connection
	}{
		"first, of the host":       {err: errLost},
		"Apple's 5xx":              {},
		"a reset stream":           {err: errReset, own: true},
		"an answer that is late":   {err: fmt.Errorf("%w", errLate), own: true},
		"one cut alone":            {cuts: 1, alone: true, err: errLost},
		"two cuts, not alone":      {cuts: 2, err: errLost, now: true},
		"two cuts alone":           {cuts: 2, alone: true, err: errLost, own: true, now: true},
		"others have worked since": {err: errLost, worked: 1, own: true},
		"others worked before":     {err: errLost, worked: -1},
	} {
		s := stillPool(t)
		r := s.request("/3/device/aa")
		if x.worked != 0 {
			s.noteFailure(r, errLost)
			s.tokens.worked = s.at.Add(x.worked)
		}
		r.cuts, r.cutAlone = x.cuts, x.alone
		if own := s.noteFailure(r, x.err); own != x.own || s.needsOwn(r) != x.now {
			t.Errorf("%s: own %t, its own connection %t", name, own, s.needsOwn(r))
		}
	}
}

// TestTokensAreForgotten: a token that cut three connections alone keeps its own until it works,
// and a full list starts again.
func TestTokensAreForgotten(t *testing.T) {
	t.Parallel()
	s := stillPool(t)
	bad := s.request("/3/device/aa")
	for cuts := 1; cuts <= 3; cuts++ {
		bad.cuts, bad.cutAlone = cuts, true
		s.noteFailure(bad, errLost)
		if next := s.request(bad.path); s.needsOwn(next) != (cuts == 3) {
			t.Errorf("a new push after %d cuts: %t", cuts, s.needsOwn(next))
		}
	}
	bad.cuts, bad.cutAlone = 0, false
	s.noteFailure(bad, errLost)
	if !s.needsOwn(bad) {
		t.Error("one more failure of another kind made it a healthy one")
	}
	for n := 1; n < maxSuspects; n++ {
		s.noteFailure(s.request(fmt.Sprint(n)), errLost)
	}
	if len(s.tokens.byPath) != maxSuspects {
		t.Errorf("%d of %d", len(s.tokens.byPath), maxSuspects)
	}
	s.noteFailure(s.request("one more"), errLost)
	if len(s.tokens.byPath) != 1 {
		t.Errorf("%d after the list was full", len(s.tokens.byPath))
	}
	l := &leg{r: s.request("one more"), written: s.at.Add(-time.Second)}
	for status, left := range map[int]int{499: 0, 500: 1} {
		s.tokens.byPath, l.status = map[string]suspect{"one more": {}}, status
		if s.noteAnswer(l); len(s.tokens.byPath) != left {
			t.Errorf("%d suspects after %d", len(s.tokens.byPath), status)
		}
	}
}

// TestSlowestAnswer: it is the longest of the recent ones, and falls by a sixteenth with each.
func TestSlowestAnswer(t *testing.T) {
	t.Parallel()
	s := stillPool(t)
	for _, x := range []struct{ took, want time.Duration }{
		{1600 * time.Millisecond, 1600 * time.Millisecond}, {time.Millisecond, 1500 * time.Millisecond},
		{3 * time.Second, 3 * time.Second},
	} {
		written := s.at.Add(-x.took)
		if s.noteAnswer(&leg{r: s.request("a"), written: written, status: 200}); s.slowest != x.want {
			t.Errorf("%s after an answer in %s", s.slowest, x.took)
		}
	}
	if s.proven != s.at.Add(-time.Millisecond) {
		t.Errorf("the newest that was answered is of %s", s.at.Sub(s.proven))
	}
}
