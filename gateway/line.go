package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// Frame is the usual duration of one packet of sound.
const Frame = 20 * time.Millisecond

// Packet is one packet of sound. It is never decoded.
type Packet struct {
	Source    uint32    // who speaks: an RTP SSRC, or a number that the agent chose
	Sequence  uint16    // counts packets of one source
	Timestamp uint32    // in ticks of the codec's ClockRate, of one source
	Payload   []byte    // in the line's codec; from Hear it is valid until the next Hear
	Level     int8      // loudness in dBov as the far end says it, -1 to -127 (RFC 6464); 0 = it does not
	Digit     byte      // a key that the person pressed, 0-9 * # A-D; then there is no Payload. 0 = sound
	At        time.Time // when it was received; Say ignores it
}

// Line is the sound of one call, in both directions. It outlives the phone's connection: while the
// phone is away, nothing is received and what is said is lost, as on any phone.
type Line interface {
	// Codec returns the codec of the call. It never changes.
	Codec() Codec
	// Audible is closed when the person can hear: the phone's sound flows, or it has been connected
	// for GreetWithin without any. An iPhone starts its audio seconds after it has connected, and
	// what is said before is lost.
	Audible() <-chan struct{}
	// Hear returns the next packet from the phone. Its error is ErrLineEnded or the error of ctx.
	// 2.5 seconds of sound are queued; then the oldest is dropped.
	Hear(ctx context.Context) (Packet, error)
	// Attend replaces Hear: f is called with each packet when it arrives, on the goroutine that
	// received it. That is the fastest way to forward sound. f must not wait, and the packet's
	// payload is valid until f returns. Queued packets come first. After leave has returned, f is
	// not called any more.
	Attend(f func(Packet)) (leave func())
	// Say sends p to the phone at once. Gaps in sequence and timestamps are kept, because they tell
	// the phone's player about loss and silence. When the source changes, the numbers continue, so
	// that the phone receives one stream. While the gateway tells the person that the call is
	// about to end, what is said is dropped, and so is a packet with a Digit. The only error is
	// ErrLineEnded.
	Say(p Packet) error
	// Press sends a key press to the phone (RFC 4733): 0-9 * # A-D. It takes 140 ms, in which what
	// is said is dropped. Presses at the same time follow each other. The error is ErrNoKeys,
	// ErrLineEnded, or about a digit that is no key.
	Press(digit byte) error
}

// Agent talks on a line. Converse is called when the call begins, so that an agent can connect
// while the phone does. It returns nil when the agent wants to hang up, or an error when it failed
// or the line ended. It must return soon after ctx is done.
type Agent interface {
	// Codecs returns the codecs that the agent speaks, the best first. The phone is answered with
	// the first one that it offers.
	Codecs() []Codec
	Converse(ctx context.Context, l Line) error
}

// Warned is an agent that wants to know when one of its calls is about to reach its longest
// duration. Warn is called once for a line, on the goroutine of the call, so it must not wait.
type Warned interface {
	Warn(l Line, left time.Duration)
}

// Gapped is an agent that wants to know when the phone's connection is lost (away) and when it is
// back. Gap is called on the goroutine of the call, so it must not wait.
type Gapped interface {
	Gap(l Line, away bool)
}

// Tap gets the sound of a line as it passes, for a recording. Its methods are called where the
// sound passes, also at the same time: they must not wait, and the payload is valid until they
// return.
type Tap interface {
	Heard(p Packet) // from the phone
	Said(p Packet)  // to the phone, numbered as the phone receives it: one source
}

// backlog is how many packets wait for an agent that connects, or is slow: 2.56 s of 20 ms frames.
const backlog = 128

// ServerSources is the first of 256 numbers for the Source of sound that is the server's own, such
// as a tone while an agent connects. Such sound does not count as the agent's first.
const ServerSources = 1<<32 - 256

// rtpWriter encrypts packets and sends them on one leg.
type rtpWriter interface {
	WriteRTP(h *rtp.Header, payload []byte) (int, error)
	// WriteEvent sends a packet of a key press. Its error is ErrNoKeys when the phone takes none.
	WriteEvent(h *rtp.Header, payload []byte) (int, error)
}

// line connects the agent of a call to the present leg of the phone.
type line struct {
	codec   Codec
	now     func() time.Time
	arrived chan struct{} // holds one token when the queue may have something
	audible chan struct{} // closed when the person can hear
	over    chan struct{} // closed when the call is over
	tap     Tap           // nil = nobody; set before setOutput, and packets come after it
	failed  func(error)   // gets the panic of a listener; it must not wait. nil = nobody

	announcing atomic.Bool   // the notice has the line, and what the agent says is dropped
	pressing   atomic.Bool   // a key press has the line, and what the agent says is dropped
	presser    chan struct{} // holds one token while Press runs

	listenerMu sync.Mutex // guards listener, and is held while it is called
	listener   func(Packet)

	mu      sync.Mutex // guards the queue, the meter and the presses
	queue   [backlog]Packet
	first   int // index of the oldest packet
	count   int
	meter   meter
	presses presses

	bargeMu sync.Mutex // guards barge
	barge   bargeIns

	hearMu  sync.Mutex // one Hear at a time; guards hearBuf
	hearBuf []byte

	sayMu  sync.Mutex // one Say at a time; guards the rest
	out    rtpWriter
	header rtp.Header
	stream splice
	event  [4]byte // buffer of sendEvent
	sent   struct {
		first, last    time.Time
		agent          time.Time // first packet of the agent
		packets, bytes uint64
	}
}

func newLine(c Codec, now func() time.Time) *line {
	return &line{
		codec: c, meter: meter{clock: c.ClockRate()}, now: now, arrived: make(chan struct{}, 1),
		presser: make(chan struct{}, 1), audible: make(chan struct{}), over: make(chan struct{}),
		stream: splice{codec: c, sequence: uint16(rand.Uint32()), timestamp: rand.Uint32()},
	}
}

func (l *line) Codec() Codec { return l.codec }

// receive passes a packet from the phone to the listener, or queues it for Hear.
func (l *line) receive(p Packet) {
	l.mu.Lock()
	l.meter.addPacket(p)
	l.mu.Unlock()
	if l.tap != nil {
		l.tap.Heard(p)
	}
	if l.codec.isG711() || p.Level != 0 {
		l.bargeMu.Lock()
		l.barge.heard(p.At, loud(l.codec, p))
		l.bargeMu.Unlock()
	}
	l.deliver(p)
}

func (l *line) deliver(p Packet) {
	l.listenerMu.Lock()
	defer l.listenerMu.Unlock()
	if l.listener == nil {
		l.enqueue(p)
		return
	}
	defer l.recoverListener()
	l.listener(p)
}

// recoverListener ends the line's own call or Peer when its listener panicked. The listener runs on
// a goroutine of the connection: without this, one agent's fault would end the process. Called with
// listenerMu held.
func (l *line) recoverListener() {
	p := recover()
	if p == nil {
		return
	}
	l.listener = nil
	if l.failed != nil {
		l.failed(panicError("agent panicked when it got sound", p))
	}
}

// enqueue copies p for Hear. Called with listenerMu held.
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

// Audible is the channel itself: only the call closes it.
func (l *line) Audible() <-chan struct{} { return l.audible }

func (l *line) Attend(f func(Packet)) (leave func()) {
	l.listenerMu.Lock()
	defer l.listenerMu.Unlock()
	var buf []byte
	for p, ok := l.next(&buf); ok; p, ok = l.next(&buf) {
		f(p)
	}
	l.listener = f
	return func() {
		l.listenerMu.Lock()
		defer l.listenerMu.Unlock()
		l.listener = nil
	}
}

// next takes the oldest packet from the queue, with its payload in buf.
func (l *line) next(buf *[]byte) (Packet, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 {
		return Packet{}, false
	}
	p := l.queue[l.first]
	*buf = append((*buf)[:0], p.Payload...)
	p.Payload = *buf
	l.first = (l.first + 1) % backlog
	l.count--
	return p, true
}

func (l *line) Hear(ctx context.Context) (Packet, error) {
	l.hearMu.Lock()
	defer l.hearMu.Unlock()
	for {
		if p, ok := l.next(&l.hearBuf); ok {
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
	if !l.announcing.Load() && !l.pressing.Load() && p.Digit == 0 {
		l.send(p)
	}
	return nil
}

// send sends p on the present leg.
func (l *line) send(p Packet) {
	l.sayMu.Lock()
	defer l.sayMu.Unlock()
	if l.out == nil {
		return // the phone is away; sound is not kept for it
	}
	now := l.now()
	h := &l.header
	h.Version = 2
	h.SequenceNumber, h.Timestamp, h.Marker = l.stream.rewrite(p, now)
	if l.tap != nil {
		l.tap.Said(Packet{Sequence: h.SequenceNumber, Timestamp: h.Timestamp, Payload: p.Payload, At: now})
	}
	if _, err := l.out.WriteRTP(h, p.Payload); err != nil {
		return // the state of the leg reports a broken leg, not each packet
	}
	if l.sent.packets == 0 {
		l.sent.first = now
	}
	if l.sent.agent.IsZero() && p.Source < ServerSources {
		l.sent.agent = now
	}
	l.bargeMu.Lock()
	l.barge.said(now, talks(l.codec, p))
	l.bargeMu.Unlock()
	l.sent.last = now
	l.sent.packets++
	l.sent.bytes += uint64(len(p.Payload))
}

// setOutput makes w the output of the line.
func (l *line) setOutput(w rtpWriter) {
	l.sayMu.Lock()
	defer l.sayMu.Unlock()
	l.out = w
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meter.newLeg()
}

// quality returns what the line has measured so far.
func (l *line) quality() Quality {
	l.mu.Lock()
	q := l.meter.quality()
	l.mu.Unlock()
	l.sayMu.Lock()
	defer l.sayMu.Unlock()
	q.FirstOut, q.PacketsOut, q.BytesOut = l.sent.first, l.sent.packets, l.sent.bytes
	q.FirstAgent = l.sent.agent
	return q
}

// takeBargeIns returns the barge-ins since the last call.
func (l *line) takeBargeIns(now time.Time) []time.Duration {
	l.bargeMu.Lock()
	defer l.bargeMu.Unlock()
	return l.barge.take(now)
}

// soundTimes are when the last packet of each direction passed; zero if there was none.
type soundTimes struct {
	heard time.Time // from the phone
	spoke time.Time // from the phone, and loud; as heard where nobody says how loud it is
	said  time.Time // to the phone
}

func (l *line) lastSound() (t soundTimes) {
	l.mu.Lock()
	t.heard = l.meter.last
	l.mu.Unlock()
	t.spoke = t.heard
	l.bargeMu.Lock()
	if t.heard.Sub(l.barge.toldAt) <= talkPause { // else the phone has come back without levels
		t.spoke = l.barge.loudAt
	}
	l.bargeMu.Unlock()
	l.sayMu.Lock()
	defer l.sayMu.Unlock()
	t.said = l.sent.last
	return t
}

// splice turns packets of changing sources, and key presses between them, into one continuous
// stream.
type splice struct {
	codec       Codec
	begun       bool
	cut         bool // a key press came between: the next packet continues as one of a new source
	source      uint32
	sequence    uint16    // newest sent
	timestamp   uint32    // newest sent
	at          time.Time // of the timestamp
	addSequence uint16
	addTime     uint32
}

// rewrite returns the sequence and timestamp of p in the outgoing stream, and whether p starts a
// talkspurt (RFC 7587 4.1, RFC 3551 4.1: the marker bit).
func (s *splice) rewrite(p Packet, now time.Time) (sequence uint16, timestamp uint32, marker bool) {
	if !s.begun || s.cut || p.Source != s.source {
		s.addSequence = s.sequence + 1 - p.Sequence
		s.addTime = s.timestamp + s.gap(now) - p.Timestamp
		s.begun, s.cut, s.source, marker = true, false, p.Source, true
	}
	sequence, timestamp = p.Sequence+s.addSequence, p.Timestamp+s.addTime
	if int16(sequence-s.sequence) > 0 {
		s.sequence, s.timestamp, s.at = sequence, timestamp, now
	}
	return sequence, timestamp, marker
}

// gap returns how far the timestamps have moved on since the newest packet, a frame at least.
func (s *splice) gap(now time.Time) uint32 {
	if since := now.Sub(s.at); s.begun && since > Frame && since < time.Hour {
		return uint32(since * time.Duration(s.codec.ClockRate()) / time.Second)
	}
	return s.codec.FrameTicks()
}

// addEvent returns the sequence and timestamp of a packet of a key press, and whether it is the
// first. All packets of a press have the timestamp of its start.
func (s *splice) addEvent(first bool, now time.Time) (sequence uint16, timestamp uint32, marker bool) {
	if first || !s.begun { // the phone may have connected during the press
		s.timestamp += s.gap(now)
		s.at = now
	}
	s.sequence++
	s.begun, s.cut = true, true
	return s.sequence, s.timestamp, first
}
