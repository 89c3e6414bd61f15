package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// keysWaiting is how many key presses may wait to be sent: each takes 140 ms.
const keysWaiting = 32

// Converse joins the peer to the line of a phone, packet by packet, without copies or allocations,
// and key presses too where they were negotiated. What the agent says before the person can hear is
// kept, at most 2.56 s of it, without the silence before it. It returns nil when the agent closed
// its connection, what Err says when the peer ended otherwise, or the error of ctx. The peer must
// have the codec of the line, and is closed at the end.
func (p *Peer) Converse(ctx context.Context, l Line) error {
	defer p.Close()
	own := p.line.Load()
	if own == nil || own.codec != l.Codec() {
		return fmt.Errorf("gateway: the call has %v, the agent %v", l.Codec(), p.Codecs())
	}
	toAgent, toPhone := make(chan byte, keysWaiting), make(chan byte, keysWaiting)
	var pressing sync.WaitGroup
	defer pressing.Wait()
	done, stop := context.WithCancel(ctx)
	defer stop()
	pressing.Go(func() { p.guard("a key press", func() { pressAll(done, toAgent, own) }) })
	pressing.Go(func() { p.guard("a key press", func() { pressAll(done, toPhone, l) }) })

	defer l.Attend(pass(own, toAgent))()
	select {
	case <-l.Audible():
	case <-p.ending:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
	own.dropQuiet()
	defer own.Attend(pass(l, toPhone))()
	select {
	case <-p.ending:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass returns what to do with a packet of one side: say it to the other.
func pass(to Line, keys chan<- byte) func(Packet) {
	return func(p Packet) {
		if p.Digit == 0 {
			_ = to.Say(p) // the end of a line is seen elsewhere
			return
		}
		select {
		case keys <- p.Digit:
		default: // nobody presses so many
		}
	}
}

// pressAll presses keys, which takes a moment each. A side that takes none misses them.
func pressAll(ctx context.Context, keys <-chan byte, to Line) {
	for {
		select {
		case k := <-keys:
			if err := to.Press(k); errors.Is(err, ErrLineEnded) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// dropQuiet drops the silence at the start of the queue.
func (l *line) dropQuiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.count > 0 && l.queue[l.first].Digit == 0 && l.codec.quiet(l.queue[l.first].Payload) {
		l.first = (l.first + 1) % backlog
		l.count--
	}
}

// quietOpus is the longest Opus packet of 20 ms that can hold no word: encoders write silence in 1
// to 3 bytes, and comfort noise in a few more.
const quietOpus = 8

// quiet reports whether a payload is digital silence.
func (c Codec) quiet(payload []byte) bool {
	if c == Opus {
		return len(payload) <= quietOpus
	}
	for _, b := range payload {
		if b != payload[0] {
			return false
		}
	}
	return true
}
