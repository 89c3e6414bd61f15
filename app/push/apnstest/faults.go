package apnstest

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Storm answers every push with the same refusal, for a time or for a number of pushes.
type Storm struct {
	Answer      Answer
	Environment string    // empty = both
	Until       time.Time // zero = until Count
	Count       int       // 0 = until Until
}

// faults holds the failures to simulate. All of them can change while the Apple runs.
type faults struct {
	delay      atomic.Pointer[func() time.Duration]
	every      atomic.Int64 // GOAWAY after this many requests; negative = abruptly
	count      atomic.Int64
	silenceNew atomic.Bool // new connections are silent too
	scripts    atomic.Int64
	stormy     atomic.Bool
	refuse     atomic.Int64 // streams still to be refused

	mu     sync.Mutex // guards all below
	storm  Storm
	script map[string][]Answer
	always map[string]Answer
}

func (f *faults) init() { f.script, f.always = map[string][]Answer{}, map[string]Answer{} }

// SetLatency makes each answer wait for what d returns; nil ends that.
func (a *Apple) SetLatency(d func() time.Duration) {
	if d == nil {
		a.faults.delay.Store(nil)
		return
	}
	a.faults.delay.Store(&d)
}

// Fixed returns a constant latency, for SetLatency.
func Fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// Curve returns a latency that repeats the given ones in order, such as a measured distribution.
func Curve(all ...time.Duration) func() time.Duration {
	var n atomic.Int64
	return func() time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[int(n.Add(1)-1)%len(all)]
	}
}

func (f *faults) nextLatency() time.Duration {
	if d := f.delay.Load(); d != nil {
		return (*d)()
	}
	return 0
}

// GoAwayEvery sends GOAWAY on the connection of every n-th request; 0 ends that. Earlier streams
// are still answered, unless abrupt: then the connection closes without its answers.
func (a *Apple) GoAwayEvery(n int, abrupt bool) {
	if abrupt {
		n = -n
	}
	a.faults.count.Store(0)
	a.faults.every.Store(int64(n))
}

// GoAway sends GOAWAY on every connection now.
func (a *Apple) GoAway(abrupt bool) { a.eachConn(func(c *conn) { c.goAway(abrupt) }) }

// Cut closes every connection at once, without GOAWAY.
func (a *Apple) Cut() { a.eachConn(func(c *conn) { c.cut() }) }

func (f *faults) goAwayDue() (away, abrupt bool) {
	every := f.every.Load()
	if every == 0 {
		return false, false
	}
	away = f.count.Add(1)%max(every, -every) == 0
	return away, away && every < 0
}

// Silence makes every open connection silent: nothing is read or answered, TCP stays up. New
// connections are served, unless newConns is true.
func (a *Apple) Silence(newConns bool) {
	a.faults.silenceNew.Store(newConns)
	a.eachConn(func(c *conn) { c.setSilent(true) })
}

// Unsilence ends Silence; the requests that waited are answered.
func (a *Apple) Unsilence() {
	a.faults.silenceNew.Store(false)
	a.eachConn(func(c *conn) { c.setSilent(false) })
}

// RefuseStreams answers the next n requests with REFUSED_STREAM, whatever limit was announced.
func (a *Apple) RefuseStreams(n int) { a.faults.refuse.Store(int64(n)) }

func (f *faults) refusesStream() bool { return f.refuse.Load() > 0 && f.refuse.Add(-1) >= 0 }

func (f *faults) silencesNew() bool { return f.silenceNew.Load() }

// SetStorm starts a storm; the zero Storm ends it.
func (a *Apple) SetStorm(s Storm) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	a.faults.storm = s
	a.faults.stormy.Store(s.Count > 0 || !s.Until.IsZero())
}

func (f *faults) stormAnswer(env string, now time.Time) (Answer, bool) {
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
	a.faults.countScripts()
}

// Always gives the answer to every push to a device token; a Script comes first.
func (a *Apple) Always(token string, answer Answer) {
	a.faults.mu.Lock()
	defer a.faults.mu.Unlock()
	a.faults.always[strings.ToLower(token)] = answer
	a.faults.countScripts()
}

// countScripts lets pushes pass without the lock while there is nothing to look up. Called with mu
// held.
func (f *faults) countScripts() { f.scripts.Store(int64(len(f.script) + len(f.always))) }

func (f *faults) nextScripted(token string) (Answer, bool) {
	if f.scripts.Load() == 0 {
		return Answer{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	token = strings.ToLower(token)
	list := f.script[token]
	if len(list) == 0 {
		w, ok := f.always[token]
		return w, ok
	}
	if f.script[token] = list[1:]; len(list) == 1 {
		delete(f.script, token)
		f.countScripts()
	}
	return list[0], true
}
