package switchboard

import (
	"sync"
	"sync/atomic"
	"time"

	"carillon/tenants"
)

// draining refuses what would begin on a server that is about to stop. The zero value refuses
// nothing.
type draining struct {
	begun atomic.Bool
	// answers is held for reading while a first answer is on its way to the gateway, so that Drain
	// returns when none is: the gateway would refuse it after the ring was won.
	answers sync.RWMutex
}

// comeBack is what a program or phone should wait before it asks again. Behind a balancer another
// server answers at once; a single one is back when its calls have ended.
const comeBack = 5 * time.Second

func stopping() error {
	return &tenants.Error{Kind: tenants.Unavailable, Code: "draining", RetryAfter: comeBack,
		Msg: "This server is being restarted and takes no new rings or calls. Try again in a few seconds."}
}

// Drain refuses new rings and first answers from now on with Unavailable. Answered calls go on, and
// their phones may answer again. It returns when no first answer is under way any more; the pushes
// that are under way are Close's matter.
func (b *Board) Drain() {
	b.draining.begun.Store(true)
	b.draining.answers.Lock()
	defer b.draining.answers.Unlock()
}

// enter lets a first answer begin, until leave is called, or refuses it.
func (d *draining) enter() (leave func(), err error) {
	d.answers.RLock()
	if d.begun.Load() {
		d.answers.RUnlock()
		return nil, stopping()
	}
	return d.answers.RUnlock, nil
}
