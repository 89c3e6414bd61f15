package connections

import (
	"context"
	"net/http/httptrace"
	"runtime"
	"sync"
	"time"
)

// starts has attempts begin one after the other. What an attempt costs the processor lies mostly
// before its request has left: signatures, encryption, the write. Eight at once would keep every
// processor from a ring for that time.
type starts chan struct{}

// startWithin is how long an attempt waits for those before it: a connection that is being made, or
// a role that speaks no HTTP, holds up others no longer.
const startWithin = time.Millisecond

// newStarts leaves half of the processors to others, where there are several.
func newStarts() starts { return make(starts, max(1, runtime.GOMAXPROCS(0)/2)) }

// wait waits until an attempt may begin: those before it have, and giveWay has nothing to wait for.
// The attempt's request goes with the ctx that wait gives, and it calls done once it has ended.
func (s starts) wait(ctx context.Context, giveWay func(context.Context)) (_ context.Context, done func()) {
	late := time.NewTimer(startWithin)
	defer late.Stop()
	select {
	case s <- struct{}{}:
	case <-late.C:
		return ctx, func() {}
	}
	giveWay(ctx)
	done = sync.OnceFunc(func() { <-s })
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { done() }}), done
}
