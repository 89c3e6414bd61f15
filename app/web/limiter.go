package web

import (
	"errors"
	"sync"
	"time"
)

// Limiter lets each key through so often: a token bucket by key, in memory, for one process.
type Limiter struct {
	every time.Duration // one more token
	burst int
	now   func() time.Time

	mu      sync.Mutex // guards below
	buckets map[string]bucket
	swept   time.Time
}

// bucket is a key's debt: the time until which its tokens are spent.
type bucket time.Time

// NewLimiter lets a key through burst times at once and then once every so often.
func NewLimiter(every time.Duration, burst int, now func() time.Time) (*Limiter, error) {
	if every <= 0 || burst < 1 || now == nil {
		return nil, errors.New("web: a limiter needs an interval, a burst and a clock")
	}
	return &Limiter{every: every, burst: burst, now: now, buckets: map[string]bucket{}, swept: now()}, nil
}

// Take takes a token of key's; when there is none it says how long to wait.
func (l *Limiter) Take(key string) (wait time.Duration, ok bool) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	spent := time.Time(l.buckets[key])
	if spent.Before(now) {
		spent = now
	}
	full := now.Add(l.every * time.Duration(l.burst))
	if next := spent.Add(l.every); !next.After(full) {
		l.buckets[key] = bucket(next)
		return 0, true
	}
	return spent.Add(l.every).Sub(full), false
}

// sweep forgets keys whose tokens are all back, so that strangers cannot fill the memory. Called with mu held.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.every*time.Duration(l.burst) {
		return
	}
	l.swept = now
	for k, b := range l.buckets {
		if !time.Time(b).After(now) {
			delete(l.buckets, k)
		}
	}
}
