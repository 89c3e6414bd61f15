// Package agents is the far end of a line: those who speak for a tenant. It knows
// sound and nothing of rings, tenants or HTTP; it is handed a gateway.Line and
// converses until there is nothing more to say or the line ends. Start at
// Builtin.
package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/gateway"
)

// EchoDelay is how much later the built-in agent repeats what it hears: long enough
// to be told from one's own voice.
const EchoDelay = time.Second

// bellSource marks the greeting's packets; the echo's carry the phone's own source.
const bellSource = 1

// Builtin is the agent every tenant has from the start. It greets with bells and
// then repeats what it hears, so that a person knows both ways of the line work.
// One Builtin converses on any number of lines at once.
type Builtin struct {
	bells [][]byte
	delay time.Duration
	now   func() time.Time
}

// NewBuiltin returns the built-in agent. delay is that of the echo; EchoDelay suits
// people, 0 suits a measurement of the line itself.
func NewBuiltin(delay time.Duration, now func() time.Time) (*Builtin, error) {
	if now == nil || delay < 0 || delay > 10*time.Second {
		return nil, errors.New("agents: the built-in agent needs a clock and a delay from 0 to 10 s")
	}
	bells, err := gateway.Bells()
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	return &Builtin{bells: bells, delay: delay, now: now}, nil
}

// Converse greets and echoes until the line ends; it has no last word of its own.
func (b *Builtin) Converse(ctx context.Context, l gateway.Line) error {
	if err := b.greet(ctx, l); err != nil {
		return err
	}
	if err := b.forget(ctx, l); err != nil {
		return err
	}
	return b.repeat(ctx, l)
}

// greet plays the bells. Each frame has its own deadline on the clock, counted from
// the first: a ticker that misses a beat never makes up for it, and delay piles up.
func (b *Builtin) greet(ctx context.Context, l gateway.Line) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := b.now()
	for i, frame := range b.bells {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		ticks := uint32(i) * gateway.Clock / uint32(time.Second/gateway.Frame)
		if err := l.Say(gateway.Packet{Source: bellSource, Sequence: uint16(i), Timestamp: ticks, Payload: frame}); err != nil {
			return err
		}
		next = next.Add(gateway.Frame)
		timer.Reset(next.Sub(b.now()))
	}
	return nil
}

// repeat says each packet again when it is delay old. In the steady state the arrival of
// one packet is what sends the packet delay before it, so no timer runs; the timer
// is for the rest, when the phone falls silent.
func (b *Builtin) repeat(ctx context.Context, l gateway.Line) error {
	const slack = gateway.Frame / 2
	kept := newShelf(b.delay)
	for {
		var p gateway.Packet
		var err error
		if due, waits := kept.oldest(); waits {
			p, err = l.HearBy(ctx, due.Add(b.delay+slack))
		} else {
			p, err = l.Hear(ctx)
		}
		switch {
		case err == nil:
			kept.put(p)
		case !errors.Is(err, gateway.ErrQuiet):
			return err
		}
		until := b.now().Add(slack - b.delay)
		for {
			at, waits := kept.oldest()
			if !waits || at.After(until) {
				break
			}
			if err := l.Say(kept.take()); err != nil {
				return err
			}
		}
	}
}

// forget drops what was said during the greeting.
func (b *Builtin) forget(ctx context.Context, l gateway.Line) error {
	for {
		_, err := l.HearBy(ctx, b.now())
		if errors.Is(err, gateway.ErrQuiet) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// shelf keeps packets in the order they came. Its slots are reused, so that in the
// steady state nothing is allocated.
type shelf struct {
	slots []gateway.Packet
	first int
	count int
}

// newShelf has room for delay in packets of 10 ms, and as much again for bursts.
func newShelf(delay time.Duration) *shelf {
	return &shelf{slots: make([]gateway.Packet, 2*int(delay/(10*time.Millisecond))+16)}
}

// put copies p onto the shelf; a full shelf loses its oldest.
func (s *shelf) put(p gateway.Packet) {
	if s.count == len(s.slots) {
		s.take()
	}
	slot := &s.slots[(s.first+s.count)%len(s.slots)]
	payload := append(slot.Payload[:0], p.Payload...)
	*slot = p
	slot.Payload = payload
	s.count++
}

// oldest returns when the oldest packet was heard.
func (s *shelf) oldest() (time.Time, bool) {
	if s.count == 0 {
		return time.Time{}, false
	}
	return s.slots[s.first].At, true
}

// take removes the oldest packet. It is valid until the next put.
func (s *shelf) take() gateway.Packet {
	p := s.slots[s.first]
	s.first = (s.first + 1) % len(s.slots)
	s.count--
	return p
}
