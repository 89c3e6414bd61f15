package apnstest

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Storm answers everything with one refusal for a while.
type Storm struct {
	Answer      Answer
	Environment string    // empty = both
	Until       time.Time // zero = until Count
	Count       int       // 0 = until Until
}

// faults is how this Apple misbehaves. Everything can change while it runs.
type faults struct {
	delay   atomic.Pointer[func() time.Duration]
	every   atomic.Int64 // GOAWAY every so many requests; negative = abruptly
	count   atomic.Int64
	hole    atomic.Bool // new connections are black holes too
	scripts atomic.Int64
	stormy  atomic.Bool
	refuse  atomic.Int64 // streams still to be refused

	mu     sync.Mutex // guards storm and script
	storm  Storm
	script map[string][]Answer
}

func (f *faults) init() { f.script = map[string][]Answer{} }

// SetLatency makes each answer wait for what d returns; nil ends that.
func (a *Apple) SetLatency(d func() time.Duration) {
	if d == nil {
		a.faults.delay.Store(nil)
		return
	}
	a.faults.delay.Store(&d)
}

// Fixed is a constant latency.
func Fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// Curve is a latency that walks through the given ones again and again, such as a measured
// distribution.
func Curve(all ...time.Duration) func() time.Duration {
	var n atomic.Int64
	return func() time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[int(n.Add(1)-1)%len(all)]
	}
}

func (f *faults) latency() time.Duration {
	if d := f.delay.Load(); d != nil {
		return (*d)()
	}
	return 0
}

// GoAwayEvery says GOAWAY on the connection of every n-th request; 0 ends that. Politely, the
// streams so far are answered; abruptly, the connection is cut with its answers unsent.
func (a *Apple) GoAwayEvery(n int, abrupt bool) {
	if abrupt {
		n = -n
	}
	a.faults.count.Store(0)
	a.faults.every.Store(int64(n))
}

// GoAway says GOAWAY on every connection now.
func (a *Apple) GoAway(abrupt bool) { a.each(func(c *conn) { c.leave(abrupt) }) }

// Cut drops every connection without a word.
func (a *Apple) Cut() { a.each(func(c *conn) { c.cut() }) }

func (f *faults) timeToLeave() (away, abrupt bool) {
	every := f.every.Load()
	if every == 0 {
		return false, false
	}
	away = f.count.Add(1)%max(every, -every) == 0
	return away, away && every < 0
}

// Silence turns every open connection into a black hole: nothing is read or answered, TCP stays up.
// New connections are served, unless newToo.
func (a *Apple) Silence(newToo bool) {
	a.faults.hole.Store(newToo)
	a.each(func(c *conn) { c.hush(true) })
}

// Unsilence ends Silence; what was stuck is answered.
func (a *Apple) Unsilence() {
	a.faults.hole.Store(false)
	a.each(func(c *conn) { c.hush(false) })
}

// RefuseStreams answers the next n requests with REFUSED_STREAM, whatever limit was announced.
func (a *Apple) RefuseStreams(n int) { a.faults.refuse.Store(int64(n)) }

func (f *faults) refuses() bool { return f.refuse.Load() > 0 && f.refuse.Add(-1) >= 0 }

func (f *faults) swallows() bool { return f.hole.Load() }

// SetStorm starts a storm; the zero Storm ends it.
func (a *Apple) SetStorm(s Storm) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	a.faults.storm = s
	a.faults.stormy.Store(s.Count > 0 || !s.Until.IsZero())
}

func (f *faults) storming(env string, now time.Time) (Answer, bool) {
	if !f.stormy.Load() {
		return Answer{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.storm
	if s.Environment != "" && s.Environment != env {
		return Answer{}, false
	}
	if !s.Until.IsZero() && now.Before(s.Until) {
		return s.Answer, true
	}
	if s.Until.IsZero() && s.Count > 0 {
		s.Count--
		return s.Answer, true
	}
	f.stormy.Store(false)
	return Answer{}, false
}

// Script gives the answers to the next pushes to a device token, in order; afterwards it is
// answered as usual.
func (a *Apple) Script(token string, answers ...Answer) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	token = strings.ToLower(token)
	a.faults.script[token] = append(a.faults.script[token], answers...)
	a.faults.scripts.Store(int64(len(a.faults.script)))
}

func (f *faults) next(token string) (Answer, bool) {
	if f.scripts.Load() == 0 {
		return Answer{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	token = strings.ToLower(token)
	list := f.script[token]
	if len(list) == 0 {
		return Answer{}, false
	}
	if f.script[token] = list[1:]; len(list) == 1 {
		delete(f.script, token)
		f.scripts.Store(int64(len(f.script)))
	}
	return list[0], true
}
