package agents

import (
	"errors"
	"sync"
	"sync/atomic"

	"carillon/app/agents/dialect"
	"carillon/gateway"
)

const (
	// soundsMost is how many packets of the phone wait for an agent that reads slowly: 1.28 s. Then
	// the oldest is dropped, as an agent can do nothing with sound of long ago.
	soundsMost = 64
	// eventsMost bounds the other events. An agent that lets so many wait does not read at all.
	eventsMost = 2 * marksMost
)

var errNotReading = errors.New("the agent does not read what we send; its server is stuck or too slow")

// outbox holds what waits to be sent to an agent. Many goroutines put, one takes.
type outbox struct {
	wake chan struct{} // holds one token: look again
	full atomic.Bool   // an event found no room

	mu     sync.Mutex // guards the rest
	sounds [soundsMost]gateway.Packet
	first  int
	count  int
	events []dialect.Event
	lost   int // packets dropped
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1)}
}

// hear puts a packet of the phone. It copies the payload into memory that is used again.
func (o *outbox) hear(p gateway.Packet) {
	o.mu.Lock()
	if o.count == soundsMost {
		o.first = (o.first + 1) % soundsMost
		o.count--
		o.lost++
	}
	slot := &o.sounds[(o.first+o.count)%soundsMost]
	buf := append(slot.Payload[:0], p.Payload...)
	*slot = p
	slot.Payload = buf
	o.count++
	o.mu.Unlock()
	o.look()
}

// put puts an event that is not the phone's sound.
func (o *outbox) put(e dialect.Event) {
	o.mu.Lock()
	if len(o.events) == eventsMost {
		o.mu.Unlock()
		o.full.Store(true)
		o.look()
		return
	}
	o.events = append(o.events, e)
	o.mu.Unlock()
	o.look()
}

func (o *outbox) look() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take moves what waits into the given memory and returns it.
func (o *outbox) take(p *gateway.Packet, events []dialect.Event) (heard bool, _ []dialect.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	events = append(events[:0], o.events...)
	o.events = o.events[:0]
	if o.count == 0 {
		return false, events
	}
	slot := &o.sounds[o.first]
	buf := append(p.Payload[:0], slot.Payload...)
	*p = *slot
	p.Payload = buf
	o.first = (o.first + 1) % soundsMost
	o.count--
	return true, events
}
