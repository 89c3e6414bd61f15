package tenants

import (
	"sync"
	"time"
)

// Rate lets one holder do something Burst times at once, and then once every Every. Rates stand in
// tables beside what they limit, each with the sentence that refuses; RateLimiter.Admit applies
// them.
type Rate struct {
	Of     string // what its holders are, such as "device"; each rate of a limiter has another one
	Every  time.Duration
	Burst  int
	Shared bool   // all holders spend it together: at its end the server is busy, and nobody is at fault
	Says   string // the refusal: who does too much of what, and what to do

	holder string
}

// For is the rate of one holder.
func (r Rate) For(id string) Rate {
	r.holder = id
	return r
}

func (r Rate) name() string { return r.Of + " " + r.holder }

// PerSecond is a rate of n a second, with a burst of two seconds' worth and at least one. n must be
// positive.
func PerSecond(of string, n float64) Rate {
	return Rate{Of: of, Every: time.Duration(float64(time.Second) / n), Burst: max(1, int(2*n))}
}

// among is the part of a rate that one of n servers gives out, so that all together keep to it.
// Each gives at least one at once.
func (r Rate) among(n int) Rate {
	if n > 1 {
		r.Every, r.Burst = r.Every*time.Duration(n), max(1, r.Burst/n)
	}
	return r
}

// RateLimiter holds one token bucket for each rate and holder, in the memory of this process. The
// zero value is ready to use, and it is safe for concurrent use.
type RateLimiter struct {
	// Nodes is how many servers share the limits, each of which gives out its part: all together
	// let through what a rate says, and at least one at once each. Nil = one.
	Nodes func() int

	mu    sync.Mutex           // guards both
	spent map[string]time.Time // until when the tokens of a bucket are spent, by the name of the rate
	swept time.Time
}

// sweepEvery is how often full buckets are forgotten, so that strangers cannot fill the memory.
const sweepEvery = time.Minute

// Admit takes one token of each rate. If any has none, it takes nothing and refuses with this code
// and the sentence of the rate that has to wait longest: Unavailable if the rate is shared, TooMany
// otherwise.
func (l *RateLimiter) Admit(now time.Time, code string, rates ...Rate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	var refuses Rate
	var wait time.Duration
	n := l.nodes()
	for _, r := range rates {
		r = r.among(n)
		full := now.Add(r.Every * time.Duration(r.Burst))
		if w := l.spentAfterOneMore(now, r).Sub(full); w > wait {
			refuses, wait = r, w
		}
	}
	switch {
	case wait == 0:
		for _, r := range rates {
			l.spent[r.name()] = l.spentAfterOneMore(now, r.among(n))
		}
		return nil
	case refuses.Shared:
		return &Error{Kind: Unavailable, Code: code, Msg: refuses.Says, RetryAfter: wait}
	}
	return &Error{Kind: TooMany, Code: code, Msg: refuses.Says, RetryAfter: wait}
}

// GiveBack returns one token to each rate.
func (l *RateLimiter) GiveBack(rates ...Rate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rates {
		if t, ok := l.spent[r.name()]; ok {
			l.spent[r.name()] = t.Add(-r.among(l.nodes()).Every)
		}
	}
}

func (l *RateLimiter) nodes() int {
	if l.Nodes == nil {
		return 1
	}
	return l.Nodes()
}

// Len is the number of buckets held in memory.
func (l *RateLimiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spent)
}

func (l *RateLimiter) spentAfterOneMore(now time.Time, r Rate) time.Time {
	t := l.spent[r.name()]
	if t.Before(now) {
		t = now
	}
	return t.Add(r.Every)
}

func (l *RateLimiter) sweep(now time.Time) {
	if l.spent == nil {
		l.spent = map[string]time.Time{}
	}
	if d := now.Sub(l.swept); d >= 0 && d < sweepEvery {
		return
	}
	l.swept = now
	for name, t := range l.spent {
		if !t.After(now) {
			delete(l.spent, name)
		}
	}
}
