package web

import (
	"errors"
	"time"

	"carillon/tenants"
)

// Limiter limits how often each key may do one thing: tokens in memory, for one process.
type Limiter struct {
	rate    tenants.Rate // without a name
	now     func() time.Time
	buckets tenants.RateLimiter
}

// NewLimiter lets each key through burst times at once, and then once every interval.
func NewLimiter(every time.Duration, burst int, now func() time.Time) (*Limiter, error) {
	if every <= 0 || burst < 1 || now == nil {
		return nil, errors.New("web: a limiter needs an interval, a burst and a clock")
	}
	return &Limiter{rate: tenants.Rate{Every: every, Burst: burst}, now: now}, nil
}

// Take takes a token of the key. If there is none, it returns how long to wait.
func (l *Limiter) Take(key string) (wait time.Duration, ok bool) {
	r := l.rate
	r.Name = key
	_, wait = l.buckets.Take(l.now(), r)
	return wait, wait == 0
}
