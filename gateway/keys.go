package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// keys are the keys of a telephone in the order of their event codes (RFC 4733 3.2).
const keys = "0123456789*#ABCD"

// ErrNoKeys is returned by Line.Press when the phone's offer had no telephone-event (RFC 4733) at
// the clock of the call's codec.
var ErrNoKeys = errors.New("the phone takes no key presses: its offer has no telephone-event at the codec's clock")

// keyEvent is the payload of a packet about one key press (RFC 4733 2.3).
type keyEvent struct {
	code     byte // index of keys
	end      bool // the key is up
	duration uint16
}

// readEvent reads the payload of a key press. It returns false for events that are no keys, such
// as a flash hook or a fax tone.
func readEvent(b []byte) (e keyEvent, ok bool) {
	if len(b) < 4 || int(b[0]) >= len(keys) {
		return keyEvent{}, false
	}
	return keyEvent{code: b[0], end: b[1]&0x80 != 0, duration: binary.BigEndian.Uint16(b[2:])}, true
}

// keyVolume is the loudness of a pressed key in -dBm0 (RFC 4733 2.3.4).
const keyVolume = 10

// write writes e to b, which has four bytes.
func (e keyEvent) write(b []byte) {
	b[0], b[1] = e.code, keyVolume
	if e.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], e.duration)
}

// longestEvent is the longest duration in one event. A key that is down for longer continues with a
// new timestamp (RFC 4733 2.5.1.3).
const longestEvent = 1<<16 - 1

// presses finds the presses among the packets of events. A press is several packets with the
// timestamp of its start. Any of them may be lost, and they may arrive in another order.
type presses struct {
	begun     bool
	source    uint32
	timestamp uint32 // of the newest press, or of its continuation
	code      byte
	ended     bool // its end was seen
}

// begins reports whether the packet p with the event e is the first one of a press.
func (s *presses) begins(p Packet, e keyEvent) bool {
	if s.begun && p.Source == s.source {
		step := int32(p.Timestamp - s.timestamp)
		if step <= 0 { // the same press, or a late packet of an earlier one
			s.ended = s.ended || step == 0 && e.end
			return false
		}
		if step == longestEvent && e.code == s.code && !s.ended { // the key is still down
			s.timestamp, s.ended = p.Timestamp, e.end
			return false
		}
	}
	*s = presses{begun: true, source: p.Source, timestamp: p.Timestamp, code: e.code, ended: e.end}
	return true
}

// receiveEvent passes the start of a key press to the listener, or queues it for Hear.
func (l *line) receiveEvent(p Packet) {
	e, ok := readEvent(p.Payload)
	l.mu.Lock()
	l.meter.count(p)
	begins := ok && l.presses.begins(p, e)
	l.mu.Unlock()
	if begins {
		p.Digit, p.Payload = keys[e.code], nil
		l.deliver(p)
	}
}

// A press of ours takes pressFrames frames, and its end is sent endPackets times, a frame apart.
const (
	pressFrames = 5
	endPackets  = 3
)

func (l *line) Press(digit byte) error {
	code := strings.IndexByte(keys, digit)
	if code < 0 {
		return fmt.Errorf("%q is no key of a telephone; they are %s", digit, keys)
	}
	select {
	case l.presser <- struct{}{}:
		defer func() { <-l.presser }()
	case <-l.over:
		return ErrLineEnded
	}
	l.pressing.Store(true)
	defer l.pressing.Store(false)
	timer := time.NewTimer(0)
	defer timer.Stop()
	began := time.Now()
	for i := range pressFrames + endPackets {
		select {
		case <-timer.C:
		case <-l.over:
			return ErrLineEnded
		}
		if i < pressFrames+endPackets-1 { // the last frame is the pause before the next press
			e := keyEvent{byte(code), i >= pressFrames-1, uint16(uint32(min(i+1, pressFrames)) * l.codec.FrameTicks())}
			if err := l.sendEvent(e, i == 0); err != nil {
				return err
			}
		}
		timer.Reset(time.Until(began.Add(time.Duration(i+1) * Frame)))
	}
	return nil
}

// sendEvent sends one packet of a press, the first with first set. Without a phone it is lost, as
// sound is.
func (l *line) sendEvent(e keyEvent, first bool) error {
	l.sayMu.Lock()
	defer l.sayMu.Unlock()
	if l.out == nil || l.announcing.Load() {
		return nil
	}
	h := &l.header
	h.Version = 2
	h.SequenceNumber, h.Timestamp, h.Marker = l.stream.addEvent(first, l.now())
	e.write(l.event[:])
	_, err := l.out.WriteEvent(h, l.event[:])
	switch {
	case errors.Is(err, ErrNoKeys):
		return err
	case err == nil:
		l.sent.packets++
		l.sent.bytes += uint64(len(l.event))
	}
	return nil
}
