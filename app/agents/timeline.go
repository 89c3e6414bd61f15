package agents

import (
	"time"

	"carillon/gateway"
)

const (
	// quietAfter is how long the phone may send nothing before silence is sent in its place. Speech
	// recognition waits for the end of a sentence, which it would never see otherwise.
	quietAfter = 80 * time.Millisecond
	// gapMost is the longest gap in the phone's stream that is filled at once.
	gapMost = time.Second
)

// timeline turns the phone's packets into sound without gaps: what was lost, and what a phone with
// silence suppression did not send, becomes silence.
type timeline struct {
	frame   time.Duration // of sound in a silent frame
	clock   uint32        // ticks a second
	begun   bool
	source  uint32
	newest  uint16        // sequence of the last packet
	base    uint32        // RTP timestamp of sent
	sent    time.Duration // sound sent so far
	silence time.Time     // when the next silent frame is due; zero before the first packet
}

func newTimeline(c gateway.Codec, now time.Time) timeline {
	return timeline{frame: gateway.Frame, clock: c.ClockRate(), silence: now.Add(quietAfter)}
}

// place returns how much silence comes before the packet. A packet that is not newer than the last
// one is late or a copy, and not ok.
func (t *timeline) place(p gateway.Packet) (missing time.Duration, ok bool) {
	length := time.Duration(len(p.Payload)) * time.Second / time.Duration(t.clock)
	t.silence = p.At.Add(quietAfter + length)
	if !t.begun || p.Source != t.source {
		t.begun, t.source, t.newest, t.base = true, p.Source, p.Sequence, p.Timestamp
		return 0, true
	}
	if int16(p.Sequence-t.newest) <= 0 {
		return 0, false
	}
	gap := time.Duration(int32(p.Timestamp-t.base)) * time.Second / time.Duration(t.clock)
	t.newest, t.base = p.Sequence, p.Timestamp
	if gap < 0 || gap > gapMost { // silence has filled its place, or it is another stream
		return 0, true
	}
	missing = gap.Truncate(t.frame)
	t.base -= uint32(missing * time.Duration(t.clock) / time.Second) // advance adds it with the silence
	return missing, true
}

// advance adds sound that was sent.
func (t *timeline) advance(bytes int) (at time.Duration) {
	at = t.sent
	t.sent += time.Duration(bytes) * time.Second / time.Duration(t.clock)
	t.base += uint32(bytes)
	return at
}

// due returns how many silent frames are due at now, and when to look again.
func (t *timeline) due(now time.Time) (frames int, wait time.Duration) {
	for !now.Before(t.silence) && frames < int(gapMost/t.frame) {
		t.silence = t.silence.Add(t.frame)
		frames++
	}
	if frames == int(gapMost/t.frame) { // after a stall of the machine
		t.silence = now.Add(t.frame)
	}
	return frames, t.silence.Sub(now)
}
