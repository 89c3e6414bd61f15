package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// Clock is the RTP clock of Opus in ticks a second, whatever the codec's
// bandwidth (RFC 7587 4.1).
const Clock = 48000

// Frame is how long one packet of sound lasts unless someone says otherwise.
const Frame = 20 * time.Millisecond

// ticksPerFrame is Frame on the RTP clock.
const ticksPerFrame = Clock / 50

// Packet is one packet of Opus as it travels: nothing in it is decoded.
type Packet struct {
	Source    uint32    // who speaks (an RTP SSRC, or a number of the agent's own)
	Sequence  uint16    // counts packets of one source
	Timestamp uint32    // in Clock ticks, of one source
	Payload   []byte    // Opus; of Hear, valid until the next Hear
	At        time.Time // when it was heard; Say does not look at it
}

// Line is one call's sound, both ways. It outlives the phone's connection: while
// the phone is away nothing is heard and what is said is lost, as on any phone.
type Line interface {
	// Hear returns what the phone said next, or ErrLineEnded, or ctx's error.
	// Sound that nobody hears for about a second is dropped, oldest first.
	Hear(ctx context.Context) (Packet, error)
	// Attend has f called with each packet the moment it arrives, on the goroutine
	// that received it, in place of Hear: the shortest way to pass sound on. f must
	// not wait, and the packet's payload is valid until f returns. What had been
	// waiting is dropped. After leave returns f is not called any more.
	Attend(f func(Packet)) (leave func())
	// Say sends p to the phone at once. Gaps in p's sequence and timestamps
	// are kept, since they are how the phone's player learns of loss and silence; a
	// change of source is joined so that the phone hears one unbroken stream.
	Say(p Packet) error
}

// Agent converses on a line until it has said all (nil), fails, or the line ends.
// It must return soon after ctx is done.
type Agent interface {
	Converse(ctx context.Context, l Line) error
}

// backlog is how many packets wait for a slow agent: 1.28 s of 20 ms frames.
const backlog = 64

// voice is the way out of one leg: where said packets are encrypted and sent.
type voice interface {
	WriteRTP(h *rtp.Header, payload []byte) (int, error)
}

// line joins one agent to whichever leg the phone has at the moment.
type line struct {
	now     func() time.Time
	arrived chan struct{} // holds one token when the queue may have something
	over    chan struct{} // closed when the call is over

	attending sync.Mutex // guards ear, and is held while it is called
	ear       func(Packet)

	mu    sync.Mutex // guards the queue and the meter
	queue [backlog]Packet
	first int // index of the oldest packet
	count int
	meter meter

	hearing sync.Mutex // one Hear at a time; guards heard
	heard   []byte

	saying sync.Mutex // one Say at a time; guards the rest
	out    voice
	header rtp.Header
	joined splice
	said   struct {
		first          time.Time
		packets, bytes uint64
	}
}

func newLine(now func() time.Time) *line {
	return &line{
		now: now, arrived: make(chan struct{}, 1), over: make(chan struct{}),
		joined: splice{sequence: uint16(rand.Uint32()), timestamp: rand.Uint32()},
	}
}

// take brings a packet from the phone to whoever listens.
func (l *line) take(p Packet) {
	l.mu.Lock()
	l.meter.packet(p)
	l.mu.Unlock()
	l.attending.Lock()
	defer l.attending.Unlock()
	if l.ear != nil {
		l.ear(p)
		return
	}
	l.enqueue(p)
}

// enqueue copies p for Hear. Called with attending held.
func (l *line) enqueue(p Packet) {
	l.mu.Lock()
	if l.count == backlog {
		l.first = (l.first + 1) % backlog
		l.count--
	}
	slot := &l.queue[(l.first+l.count)%backlog]
	buf := append(slot.Payload[:0], p.Payload...)
	*slot = p
	slot.Payload = buf
	l.count++
	l.mu.Unlock()
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

func (l *line) Attend(f func(Packet)) (leave func()) {
	l.attending.Lock()
	defer l.attending.Unlock()
	l.ear = f
	l.mu.Lock()
	l.count = 0
	l.mu.Unlock()
	return func() {
		l.attending.Lock()
		defer l.attending.Unlock()
		l.ear = nil
	}
}

// next takes the oldest packet from the queue. Called with hearing held.
func (l *line) next() (Packet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 {
		return Packet{}, false
	}
	p := l.queue[l.first]
	l.heard = append(l.heard[:0], p.Payload...)
	p.Payload = l.heard
	l.first = (l.first + 1) % backlog
	l.count--
	return p, true
}

func (l *line) Hear(ctx context.Context) (Packet, error) {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	for {
		if p, ok := l.next(); ok {
			return p, nil
		}
		select {
		case <-l.arrived:
		case <-l.over:
			return Packet{}, ErrLineEnded
		case <-ctx.Done():
			return Packet{}, ctx.Err()
		}
	}
}

func (l *line) Say(p Packet) error {
	select {
	case <-l.over:
		return ErrLineEnded
	default:
	}
	l.saying.Lock()
	defer l.saying.Unlock()
	if l.out == nil {
		return nil // the phone is away; sound does not wait
	}
	now := l.now()
	h := &l.header
	h.Version = 2
	h.SequenceNumber, h.Timestamp, h.Marker = l.joined.place(p, now)
	if _, err := l.out.WriteRTP(h, p.Payload); err != nil {
		return nil // a leg that breaks is noticed by its own state, not by each packet
	}
	if l.said.packets == 0 {
		l.said.first = now
	}
	l.said.packets++
	l.said.bytes += uint64(len(p.Payload))
	return nil
}

// connect makes v the way out.
func (l *line) connect(v voice) {
	l.saying.Lock()
	defer l.saying.Unlock()
	l.out = v
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meter.newLeg()
}

// quality returns what the line has counted so far.
func (l *line) quality() Quality {
	l.mu.Lock()
	q := l.meter.quality()
	l.mu.Unlock()
	l.saying.Lock()
	defer l.saying.Unlock()
	q.FirstOut, q.PacketsOut, q.BytesOut = l.said.first, l.said.packets, l.said.bytes
	return q
}

// lastHeard returns when the phone was last heard; zero when never.
func (l *line) lastHeard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.meter.last
}

// splice turns packets of changing sources into one continuous stream.
type splice struct {
	begun       bool
	source      uint32
	sequence    uint16 // newest sent
	timestamp   uint32 // newest sent
	at          time.Time
	addSequence uint16
	addTime     uint32
}

// place returns where p goes in the outgoing stream, and whether it starts a
// talkspurt (RFC 7587 4.1: the marker bit).
func (s *splice) place(p Packet, now time.Time) (sequence uint16, timestamp uint32, marker bool) {
	if !s.begun || p.Source != s.source {
		gap := uint32(ticksPerFrame)
		if since := now.Sub(s.at); s.begun && since > Frame && since < time.Hour {
			gap = uint32(since * Clock / time.Second)
		}
		s.addSequence = s.sequence + 1 - p.Sequence
		s.addTime = s.timestamp + gap - p.Timestamp
		s.begun, s.source, marker = true, p.Source, true
	}
	sequence, timestamp = p.Sequence+s.addSequence, p.Timestamp+s.addTime
	if int16(sequence-s.sequence) > 0 {
		s.sequence, s.timestamp, s.at = sequence, timestamp, now
	}
	return sequence, timestamp, marker
}
