package push

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// breaker is a circuit breaker: it holds pushes back from a host that fails, and lets one at a time
// test whether the host works again. Failures that follow a device token are not reported to it.
type breaker struct {
	limit    int32         // failures in a row that open it
	pause    time.Duration // between two trials
	patience time.Duration // for a trial; then another push may try too
	now      func() time.Time
	log      *slog.Logger
	failed   atomic.Int32 // in a row
	open     atomic.Bool  // true: pushes wait

	mu      sync.Mutex // guards all below
	trial   bool       // one push is testing the host
	began   time.Time  // when it began
	next    time.Time  // no trial before this
	trusted int        // waiting pushes that may test the host
	closed  chan struct{}
}

func newBreaker(now func() time.Time, log *slog.Logger) *breaker {
	return &breaker{limit: 8, pause: 300 * time.Millisecond, patience: time.Second, now: now, log: log, closed: make(chan struct{})}
}

// allow waits until a push may try; false means that the ring's time or ctx ended first. After true
// the caller must call success, failure or abandoned. A suspect, whose device token failed while
// others worked, tests the host only if no other push waits: its failure would say nothing.
func (b *breaker) allow(ctx context.Context, until time.Time, suspect bool) bool {
	if !b.open.Load() {
		return true
	}
	if !suspect {
		b.addTrusted(1)
		defer b.addTrusted(-1)
	}
	for {
		b.mu.Lock()
		now, closed := b.now(), b.closed
		if !b.open.Load() {
			b.mu.Unlock()
			return true
		}
		idle := !b.trial || now.Sub(b.began) >= b.patience
		if idle && !now.Before(b.next) && !(suspect && b.trusted > 0) {
			b.trial, b.began = true, now
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

func (b *breaker) addTrusted(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trusted += n
}

// success closes the circuit: all waiting pushes continue.
func (b *breaker) success() {
	if b.failed.Load() != 0 {
		b.failed.Store(0)
	}
	if !b.open.Load() {
		return
	}
	b.mu.Lock()
	ended := b.open.Swap(false)
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
	began := !b.open.Swap(true)
	b.trial, b.next = false, b.now().Add(b.pause)
	b.mu.Unlock()
	if began {
		b.log.Warn("Apple fails; one push at a time tests whether it works again")
	}
}

// abandoned reports that a push ended without a result for the host: it was given up, or it failed
// by itself.
func (b *breaker) abandoned() {
	if !b.open.Load() {
		return
	}
	b.mu.Lock()
	b.trial = false
	b.mu.Unlock()
}
