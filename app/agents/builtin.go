package agents

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// EchoDelay is the delay of the echo: long enough to tell it from one's own voice.
const EchoDelay = time.Second

// bellSource marks the greeting's packets; the echo's carry the phone's own source.
const bellSource = 1

// Builtin is the agent every tenant has. It plays bells and then repeats what it hears, so a person
// knows that both directions work. One Builtin serves any number of lines at once.
type Builtin struct {
	bells map[gateway.Codec][][]byte
	delay time.Duration
	now   func() time.Time

	memory budget // of announcements
}

// NewBuiltin returns the built-in agent with this echo delay: EchoDelay for people, 0 to measure
// the line itself.
func NewBuiltin(delay time.Duration, now func() time.Time) (*Builtin, error) {
	if now == nil || delay < 0 || delay > 10*time.Second {
		return nil, errors.New("agents: the built-in agent needs a clock and a delay from 0 to 10 s")
	}
	b := &Builtin{bells: map[gateway.Codec][][]byte{}, delay: delay, now: now, memory: budget{most: announcementMemory}}
	for _, c := range b.Codecs() {
		bells, err := readSound(gateway.Bells, c)
		if err != nil {
			return nil, fmt.Errorf("agents: %w", err)
		}
		b.bells[c] = bells
	}
	return b, nil
}

// open returns the program as the agent of one call.
func (b *Builtin) open(a tenants.Agent, c Call, sounds Announcements) (Agent, error) {
	switch a.Program() {
	case tenants.Bells:
		return Ready{b}, nil
	case tenants.Menu:
		return Ready{menu{b}}, nil
	case tenants.Probe:
		return Ready{probe{b, c.Note}}, nil
	case tenants.Announcement:
		return &announcement{Builtin: b, read: sounds, agent: a}, nil
	}
	return nil, &Failure{Cause: fmt.Sprintf("there is no built-in program %q", a.Program())}
}

// Codecs returns every codec, because an echo needs no encoder.
func (b *Builtin) Codecs() []gateway.Codec {
	return []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.PCMA, gateway.G722}
}

// Converse greets and echoes until the line ends.
func (b *Builtin) Converse(ctx context.Context, l gateway.Line) error {
	select {
	case <-l.Audible():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := b.greet(ctx, l); err != nil {
		return err
	}
	return b.repeat(ctx, l)
}

// greet plays the bells. Each frame's deadline is counted from the first frame: with a ticker,
// missed ticks would add up to a delay.
func (b *Builtin) greet(ctx context.Context, l gateway.Line) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := b.now()
	for i, frame := range b.bells[l.Codec()] {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		ticks := uint32(i) * l.Codec().FrameTicks()
		if err := l.Say(gateway.Packet{Source: bellSource, Sequence: uint16(i), Timestamp: ticks, Payload: frame}); err != nil {
			return err
		}
		next = next.Add(gateway.Frame)
		timer.Reset(next.Sub(b.now()))
	}
	return nil
}

// repeat sends each packet again after delay.
func (b *Builtin) repeat(ctx context.Context, l gateway.Line) error {
	e := &echo{line: l, since: b.now(), delay: b.delay, now: b.now, kept: newShelf(b.delay), timer: time.NewTimer(time.Hour)}
	defer e.timer.Stop()
	defer l.Attend(e.heard)()
	for {
		select {
		case <-e.timer.C:
			e.tail()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// slack is how early a packet may be sent again. Usually the arrival of a packet sends the one that
// came delay before it, on the same goroutine. The timer, which each arrival resets, is for the
// end, when the phone is silent.
const slack = gateway.Frame / 2

// echo is one line's sound on its way back.
type echo struct {
	line  gateway.Line
	since time.Time // what was said before, during the bells, is not repeated
	delay time.Duration
	now   func() time.Time
	timer *time.Timer

	mu   sync.Mutex // guards kept
	kept *shelf
}

func (e *echo) heard(p gateway.Packet) {
	if p.At.Before(e.since) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Digit == 0 { // a key is no sound
		e.kept.put(p)
	}
	e.say(p.At)
}

// tail sends what is due when nothing arrives.
func (e *echo) tail() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.say(e.now())
}

// say sends what is due and sets the timer for the next packet. Called with mu held. The context
// reports a line that has ended.
func (e *echo) say(now time.Time) {
	for {
		at, waits := e.kept.oldest()
		if !waits {
			return
		}
		if wait := at.Add(e.delay).Sub(now); wait > slack {
			e.timer.Reset(wait + slack)
			return
		}
		_ = e.line.Say(e.kept.take())
	}
}

// shelf is a ring buffer of packets. Its slots are reused, so that nothing is allocated after the
// start.
type shelf struct {
	slots []gateway.Packet
	first int
	count int
}

// newShelf has room for delay in packets of 10 ms, and the same again for bursts.
func newShelf(delay time.Duration) *shelf {
	return &shelf{slots: make([]gateway.Packet, 2*int(delay/(10*time.Millisecond))+16)}
}

// put copies p into the buffer. A full buffer drops its oldest packet.
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
