package gateway

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// TestMOS: G.107 gives 4.41 for a line without faults; the others are the formula by hand.
func TestMOS(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, row := range []struct {
		loss              float64
		roundTrip, jitter time.Duration
		want              float64
	}{
		{0, 0, 0, 4.40},
		{0.01, 40 * ms, 2 * ms, 4.32},
		{0.05, 100 * ms, 10 * ms, 3.84},
		{0.2, 100 * ms, 10 * ms, 2.53},
		{0, 800 * ms, 0, 2.98}, // delay alone
		{1, 0, 0, 1.17},
		{2, -ms, 0, 1.17}, // nonsense stays in bounds
		{1, 3 * time.Second, 0, 1},
	} {
		if got := MOS(row.loss, row.roundTrip, row.jitter); math.Abs(got-row.want) > 0.02 {
			t.Errorf("loss %v, round trip %v, jitter %v: %.3f, want %.2f", row.loss, row.roundTrip, row.jitter, got, row.want)
		}
	}
	last := 5.0
	for loss := 0.0; loss <= 1; loss += 0.01 {
		m := MOS(loss, 0, 0)
		if m > last || m < 1 {
			t.Fatalf("loss %.2f: %.3f after %.3f", loss, m, last)
		}
		last = m
	}
}

func TestSampler(t *testing.T) {
	t.Parallel()
	var s sampler
	if got := s.next(Quality{}); got.MOS != 0 {
		t.Errorf("silence is rated: %+v", got)
	}
	got := s.next(Quality{PacketsIn: 200, LostIn: 50, PacketsOut: 250, JitterIn: 5 * time.Millisecond})
	if got.LossIn != 0.2 || got.LossOut != 0 || got.MOS > 3 || got.JitterIn != 5*time.Millisecond {
		t.Errorf("first: %+v", got)
	}
	// One of the lost came late; the phone reports for the first time, about everything.
	got = s.next(Quality{PacketsIn: 451, LostIn: 49, PacketsOut: 500, LostOut: 100, Reports: 1})
	if got.LossIn != 0 || got.LossOut != 0.2 {
		t.Errorf("second: %+v", got)
	}
	// Without another report the loss of the last one is repeated.
	if got = s.next(Quality{PacketsIn: 701, LostIn: 49, PacketsOut: 750, LostOut: 100, Reports: 1}); got.LossOut != 0.2 {
		t.Errorf("third: %+v", got)
	}
	if got = s.next(Quality{PacketsIn: 951, LostIn: 49, PacketsOut: 1000, LostOut: 100, Reports: 2}); got.LossOut != 0 || got.MOS < 4.3 {
		t.Errorf("fourth: %+v", got)
	}
	// The phone is away, and nobody speaks.
	if got = s.next(Quality{PacketsIn: 951, LostIn: 49, PacketsOut: 1000, LostOut: 100, Reports: 2}); got.MOS != 0 || got.LossOut != 0 {
		t.Errorf("fifth: %+v", got)
	}
}

func TestLoud(t *testing.T) {
	t.Parallel()
	speech := func(amplitude float64, encode func(int16) byte) []byte {
		b := make([]byte, 160)
		for i := range b {
			b[i] = encode(int16(amplitude * math.Sin(2*math.Pi*float64(i)/20)))
		}
		return b
	}
	for _, row := range []struct {
		name    string
		codec   Codec
		payload []byte
		want    bool
	}{
		{"speech in PCMU", PCMU, speech(6000, EncodePCMU), true},
		{"noise in PCMU", PCMU, speech(200, EncodePCMU), false},
		{"silence in PCMU", PCMU, bytes.Repeat([]byte{0xff}, 160), false},
		{"negative silence in PCMU", PCMU, bytes.Repeat([]byte{0x7f}, 160), false},
		{"speech in PCMA", PCMA, speech(6000, EncodePCMA), true},
		{"silence in PCMA", PCMA, bytes.Repeat([]byte{0xd5}, 160), false},
		{"nothing", PCMU, nil, false},
		{"Opus is not decoded", Opus, speech(6000, EncodePCMU), false},
	} {
		if got := loud(row.codec, Packet{Payload: row.payload}); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// TestLevelOfAPacket reads the header extension of RFC 6464 as Pion writes it, and none where there
// is none.
func TestLevelOfAPacket(t *testing.T) {
	t.Parallel()
	wire := func(edit func(*rtp.Header)) []byte {
		p := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{1, 2, 3, 4}}
		edit(&p.Header)
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	with := func(id uint8, level ...byte) func(*rtp.Header) {
		return func(h *rtp.Header) {
			if err := errors.Join(h.SetExtension(4, []byte("0")), h.SetExtension(id, level)); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := wire(with(3, 30))
	for _, row := range []struct {
		name   string
		packet []byte
		id     uint8
		want   int8
	}{
		{"talk", wire(with(3, 0x80|30)), 3, -30},
		{"silence", wire(with(3, 127)), 3, -127},
		{"as loud as can be", wire(with(3, 0x80)), 3, -1},
		{"another id", wire(with(3, 30)), 5, 0},
		{"not negotiated", wire(with(3, 30)), 0, 0},
		{"no extension", wire(func(*rtp.Header) {}), 3, 0},
		{"cut off", long[:len(long)-9], 3, 0},
	} {
		if got := levelOf(row.packet, row.id); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

// TestBargeInOnOpus: the phone says how loud it is, and the agent's silence is short packets.
func TestBargeInOnOpus(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		now := time.Unix(1_700_000_000, 0)
		l := newLine(Opus, func() time.Time { return now })
		l.setOutput(discardWriter{})
		for i := range 100 {
			p, word := Packet{Sequence: uint16(i), Payload: make([]byte, 80), At: now, Level: -90}, make([]byte, 60)
			if i >= 20 && i < 50 {
				p.Level = -25
			}
			if i >= 30 { // 200 ms after the person's first word
				word = []byte{0xf8, 0xff, 0xfe}
			}
			if !told {
				p.Level = 0
			}
			l.receive(p)
			if err := l.Say(Packet{Sequence: uint16(i), Payload: word}); err != nil {
				t.Fatal(err)
			}
			now = now.Add(Frame)
		}
		got := l.takeBargeIns(now)
		if told && (len(got) != 1 || (got[0]-200*time.Millisecond).Abs() > Frame) || !told && len(got) > 0 {
			t.Errorf("told %v: %v", told, got)
		}
		if spoke := l.lastSound().spoke; told != spoke.Before(now.Add(-time.Second/2)) {
			t.Errorf("told %v: spoke %v before the end", told, now.Sub(spoke))
		}
	}
}

// TestBargeIns plays the loud packets of both sides, 20 ms each.
func TestBargeIns(t *testing.T) {
	t.Parallel()
	type span struct{ from, to int } // packets
	for _, row := range []struct {
		name          string
		person, agent []span
		want          []time.Duration
	}{
		{"stops after 300 ms", []span{{100, 150}}, []span{{0, 115}}, []time.Duration{300 * time.Millisecond}},
		{"a click is no word", []span{{100, 102}}, []span{{0, 110}}, nil},
		{"the agent was silent", []span{{100, 150}}, []span{{0, 90}, {120, 125}}, nil},
		{"talks on", []span{{100, 120}}, []span{{0, 400}}, nil},
		{"a pause between two words of the agent is no end", []span{{100, 150}}, []span{{0, 105}, {120, 130}},
			[]time.Duration{600 * time.Millisecond}},
		{"twice", []span{{100, 120}, {300, 320}}, []span{{0, 105}, {200, 310}},
			[]time.Duration{100 * time.Millisecond, 200 * time.Millisecond}},
	} {
		var b bargeIns
		at := time.Unix(1_700_000_000, 0)
		in := func(spans []span, i int) bool {
			for _, s := range spans {
				if i >= s.from && i < s.to {
					return true
				}
			}
			return false
		}
		for i := range 500 {
			now := at.Add(time.Duration(i) * Frame)
			b.said(now, in(row.agent, i))
			b.heard(now, in(row.person, i))
		}
		got := b.take(at.Add(500 * Frame))
		if len(got) != len(row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
			continue
		}
		for i := range got {
			if (got[i] - row.want[i]).Abs() > Frame {
				t.Errorf("%s: %v, want %v", row.name, got, row.want)
			}
		}
		if len(b.take(at)) != 0 {
			t.Errorf("%s: taken twice", row.name)
		}
	}
	var b bargeIns // nobody samples
	at := time.Unix(1_700_000_000, 0)
	for range 100 {
		b.onset, b.agentAt = at, at
		b.settle(at.Add(time.Second))
	}
	if len(b.found) != bargeInsMost {
		t.Errorf("%d are kept", len(b.found))
	}
}

// TestSamplesAreDue: from when the phone has connected, also while it is away.
func TestSamplesAreDue(t *testing.T) {
	t.Parallel()
	cfg := Config{SampleEvery: 5 * time.Second}
	cfg.setDefaults()
	zero := time.Unix(1_700_000_000, 0)
	w, l := callClock{cfg: &cfg, since: zero}, &leg{since: zero, track: &outTrack{}}
	got := ""
	for s := range 24 {
		if s >= 2 {
			l.connState.Store(int32(legConnected))
		}
		if s >= 15 {
			l.connState.Store(int32(legLost))
		}
		if v := w.check(l, soundTimes{}, zero.Add(time.Duration(s)*time.Second)); v.sample {
			got += " " + time.Duration(s*int(time.Second)).String()
		}
	}
	if got != " 7s 12s 17s 22s" {
		t.Errorf("samples at%s", got)
	}
}

// TestASilentPersonIsNotLeftWithoutAnAnswer: an agent that waits for the person's first word is not
// reported as silent, as far as we can tell talk from silence.
func TestASilentPersonIsNotLeftWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []Codec{Opus, PCMU} {
		l := newLine(c, func() time.Time { return now })
		l.receive(Packet{Payload: bytes.Repeat([]byte{0xff}, 160), At: now})
		if got := l.lastSound(); got.heard != now || got.spoke.IsZero() != (c == PCMU) {
			t.Errorf("%v: silence: %+v", c, got)
		}
		l.receive(Packet{Payload: bytes.Repeat([]byte{0x10}, 160), At: now.Add(Frame)})
		if got := l.lastSound(); got.spoke != now.Add(Frame) {
			t.Errorf("%v: talk: %+v", c, got)
		}
	}
}

// TestALegWithoutLevels: when the phone comes back and no longer says how loud it is, all that it
// sends counts as talk.
func TestALegWithoutLevels(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := newLine(Opus, func() time.Time { return now })
	l.receive(Packet{Payload: make([]byte, 80), At: now, Level: -90})
	for _, after := range []time.Duration{Frame, talkPause + Frame} {
		l.receive(Packet{Payload: make([]byte, 80), At: now.Add(after)})
		if got := l.lastSound(); got.spoke.IsZero() != (after == Frame) {
			t.Errorf("%v after the last level: %+v", after, got)
		}
	}
}
