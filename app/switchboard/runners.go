package switchboard

import (
	"context"
	"sync"
	"sync/atomic"
)

// runners runs pushes, each in a goroutine that ran another one before if one is idle: the stack of
// a push is deep, and growing a new one costs more than the goroutine. It bounds only how many wait
// idle.
type runners struct {
	wg   sync.WaitGroup // counts the goroutines
	work chan func()    // unbuffered: only an idle one receives
	idle atomic.Int64
}

// idleMost is how many goroutines wait for work: the pushes at once of a busy second.
const idleMost = 128

// run runs do. Idle goroutines end with life.
func (r *runners) run(life context.Context, do func()) {
	select {
	case r.work <- do:
		return
	default:
	}
	r.wg.Go(func() {
		for do != nil {
			do()
			do = r.next(life)
		}
	})
}

// next waits for work; nil means that the goroutine is not needed any more.
func (r *runners) next(life context.Context) func() {
	defer r.idle.Add(-1)
	if r.idle.Add(1) > idleMost {
		return nil
	}
	select {
	case do := <-r.work:
		return do
	case <-life.Done():
		return nil
	}
}
