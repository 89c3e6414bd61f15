package tenants

import (
	"sync"
	"time"
)

// Rate lets one name through Burst times at once, and then once every Every.
type Rate struct {
	Name  string
	Every time.Duration
	Burst int
}

// PerSecond is a rate of n a second, with a burst of two seconds' worth and at least one. n must be
// positive.
func PerSecond(name string, n float64) Rate {
	return Rate{name, time.Duration(float64(time.Second) / n), max(1, int(2*n))}
}

// RateLimiter holds one token bucket per name, in the memory of this process. The zero value is
// ready to use, and it is safe for concurrent use.
type RateLimiter struct {
	mu    sync.Mutex           // guards both
	spent map[string]time.Time // until when the tokens of a name are spent
	swept time.Time
}

// sweepEvery is how often names with a full bucket are forgotten, so that strangers cannot fill the
// memory.
const sweepEvery = time.Minute

// Take takes one token for each rate. If any of them has none, it takes nothing and returns the
// name that has to wait longest, and how long.
func (l *RateLimiter) Take(now time.Time, rates ...Rate) (refused string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	for _, r := range rates {
		full := now.Add(r.Every * time.Duration(r.Burst))
		if w := l.spentAfterOneMore(now, r).Sub(full); w > wait {
			refused, wait = r.Name, w
		}
	}
	if wait > 0 {
		return refused, wait
	}
	for _, r := range rates {
		l.spent[r.Name] = l.spentAfterOneMore(now, r)
	}
	return "", 0
}

// GiveBack returns one token to each rate.
func (l *RateLimiter) GiveBack(rates ...Rate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rates {
		if t, ok := l.spent[r.Name]; ok {
			l.spent[r.Name] = t.Add(-r.Every)
		}
	}
}

// Len is the number of names held in memory.
func (l *RateLimiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spent)
}

func (l *RateLimiter) spentAfterOneMore(now time.Time, r Rate) time.Time {
	t := l.spent[r.Name]
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
