package agents

import (
	"testing"
	"time"

	"carillon/gateway"
)

// TestTheStreamHasNoGaps: what was lost or not sent becomes silence, once.
func TestTheStreamHasNoGaps(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	type packet struct {
		at       time.Duration // when it came
		sequence uint16
		stamp    uint32 // of its first sample
		missing  time.Duration
		dropped  bool
	}
	for _, c := range []struct {
		name    string
		packets []packet
		sent    time.Duration // the sound in all
	}{
		{"in order", []packet{{0, 1, 0, 0, false}, {20 * ms, 2, 160, 0, false}, {40 * ms, 3, 320, 0, false}}, 60 * ms},
		{"one lost", []packet{{0, 1, 0, 0, false}, {40 * ms, 3, 320, 20 * ms, false}}, 60 * ms},
		{"every second lost", []packet{{0, 1, 0, 0, false}, {40 * ms, 3, 320, 20 * ms, false}, {80 * ms, 5, 640, 20 * ms, false},
			{120 * ms, 7, 960, 20 * ms, false}}, 140 * ms},
		{"one late", []packet{{0, 1, 0, 0, false}, {40 * ms, 3, 320, 20 * ms, false}, {41 * ms, 2, 160, 0, true}}, 60 * ms},
		{"a copy", []packet{{0, 1, 0, 0, false}, {1 * ms, 1, 0, 0, true}}, 20 * ms},
		{"the counters wrap", []packet{{0, 65535, 4294967200, 0, false}, {20 * ms, 0, 64, 0, false}}, 40 * ms},
		// Silence suppression: from 100 ms on a silent frame is sent every 20 ms.
		{"a pause", []packet{{0, 1, 0, 0, false}, {500 * ms, 2, 4000, 60 * ms, false}}, 520 * ms},
		// The packet of 20 ms comes 120 ms late, when three silent frames have taken its place.
		{"jitter", []packet{{0, 1, 0, 0, false}, {140 * ms, 2, 160, 0, false}, {141 * ms, 3, 320, 0, false}}, 120 * ms},
		{"an hour's jump", []packet{{0, 1, 0, 0, false}, {20 * ms, 2, 28_800_000, 0, false}}, 40 * ms},
	} {
		began := time.Now()
		tl := newTimeline(gateway.PCMU, began)
		for i, p := range c.packets {
			frames, _ := tl.due(began.Add(p.at))
			tl.advance(frames * 160)
			missing, ok := tl.place(gateway.Packet{Source: 1, Sequence: p.sequence, Timestamp: p.stamp, Payload: make([]byte, 160),
				At: began.Add(p.at)})
			if missing != p.missing || ok == p.dropped {
				t.Errorf("%s, packet %d: %v missing, taken %v", c.name, i, missing, ok)
			}
			if ok {
				tl.advance(int(missing/gateway.Frame) * 160)
				tl.advance(160)
			}
		}
		if tl.sent != c.sent {
			t.Errorf("%s: %v of sound", c.name, tl.sent)
		}
	}
}

// TestSilenceIsSentForAQuietPhone from the start, and not for ever after a stall.
func TestSilenceIsSentForAQuietPhone(t *testing.T) {
	t.Parallel()
	began := time.Now()
	tl := newTimeline(gateway.PCMU, began)
	if frames, wait := tl.due(began); frames != 0 || wait != quietAfter {
		t.Errorf("at once: %d frames, then %v", frames, wait)
	}
	if frames, wait := tl.due(began.Add(quietAfter)); frames != 1 || wait != gateway.Frame {
		t.Errorf("after %v: %d frames, then %v", quietAfter, frames, wait)
	}
	if frames, wait := tl.due(began.Add(time.Hour)); frames != 50 || wait != gateway.Frame {
		t.Errorf("after an hour: %d frames, then %v", frames, wait)
	}
}
