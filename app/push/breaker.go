package push

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// breaker keeps pushes away from a host that fails, and lets one at a time try whether it is back.
type breaker struct {
	limit  int32         // failures in a row that open it
	pause  time.Duration // between two trials
	now    func() time.Time
	log    *slog.Logger
	failed atomic.Int32 // in a row
	shut   atomic.Bool  // true = open circuit: pushes wait

	mu     sync.Mutex // guards all below
	trial  bool       // one is out
	next   time.Time  // no trial before this
	closed chan struct{}
}

func newBreaker(now func() time.Time, log *slog.Logger) *breaker {
	return &breaker{limit: 8, pause: 300 * time.Millisecond, now: now, log: log, closed: make(chan struct{})}
}

// pass waits until a push may try; false means that the ring's time or ctx ended first. A push that
// passed must report success or failure.
func (b *breaker) pass(ctx context.Context, until time.Time) bool {
	if !b.shut.Load() {
		return true
	}
	for {
		b.mu.Lock()
		now, closed := b.now(), b.closed
		if !b.shut.Load() {
			b.mu.Unlock()
			return true
		}
		if !b.trial && !now.Before(b.next) {
			b.trial = true
			b.mu.Unlock()
			return true
		}
		wait := max(b.next.Sub(now), b.pause/4)
		b.mu.Unlock()
		if left := until.Sub(now); left <= 0 {
			return false
		} else if wait > left {
			wait = left
		}
		timer := time.NewTimer(wait + rand.N(b.pause/8))
		select {
		case <-closed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// success ends an outage: all that wait go on.
func (b *breaker) success() {
	if b.failed.Load() != 0 {
		b.failed.Store(0)
	}
	if !b.shut.Load() {
		return
	}
	b.mu.Lock()
	ended := b.shut.Swap(false)
	if ended {
		b.trial = false
		close(b.closed)
		b.closed = make(chan struct{})
	}
	b.mu.Unlock()
	if ended {
		b.log.Info("Apple answers again")
	}
}

func (b *breaker) failure() {
	if b.failed.Add(1) < b.limit {
		return
	}
	b.mu.Lock()
	began := !b.shut.Swap(true)
	b.trial, b.next = false, b.now().Add(b.pause)
	b.mu.Unlock()
	if began {
		b.log.Warn("Apple fails; one push at a time tries whether it is back")
	}
}

// none reports that a push that passed learnt nothing of the host: it was given up.
func (b *breaker) none() {
	if !b.shut.Load() {
		return
	}
	b.mu.Lock()
	b.trial = false
	b.mu.Unlock()
}
