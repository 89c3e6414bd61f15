package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// sentHeaders is an rtpWriter that keeps the headers.
type sentHeaders []rtp.Header

func (t *sentHeaders) WriteRTP(h *rtp.Header, _ []byte) (int, error) {
	*t = append(*t, *h)
	return 0, nil
}

func (t *sentHeaders) WriteEvent(h *rtp.Header, payload []byte) (int, error) {
	return t.WriteRTP(h, payload)
}

func TestLineDropsTheOldestOfWhatNobodyHears(t *testing.T) {
	t.Parallel()
	l := newLine(Opus, time.Now)
	for i := range uint16(backlog + 10) {
		l.receive(Packet{Source: 1, Sequence: i, Payload: []byte{byte(i)}, At: time.Now()})
	}
	for i := range backlog {
		p, err := l.Hear(t.Context())
		if err != nil || p.Sequence != uint16(i+10) || p.Payload[0] != byte(i+10) {
			t.Fatalf("packet %d: %+v, %v", i, p, err)
		}
	}
}

// TestAttendReplacesHear: what is queued comes first, and nothing comes twice.
func TestAttendReplacesHear(t *testing.T) {
	t.Parallel()
	l, heard := newLine(Opus, time.Now), 0
	l.receive(Packet{Source: 1, Sequence: 1})
	leave := l.Attend(func(p Packet) { heard += int(p.Sequence) })
	l.receive(Packet{Source: 1, Sequence: 2})
	leave()
	l.receive(Packet{Source: 1, Sequence: 4})
	if p, err := l.Hear(t.Context()); err != nil || p.Sequence != 4 || heard != 3 {
		t.Errorf("attended to %d, then heard %d: %v", heard, p.Sequence, err)
	}
}

func TestHearEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(Opus, time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Hear(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hear past its context: %v", err)
		}
		close(l.over)
		if _, err := l.Hear(t.Context()); !errors.Is(err, ErrLineEnded) {
			t.Errorf("Hear on an ended line: %v", err)
		}
		if err := l.Say(Packet{}); !errors.Is(err, ErrLineEnded) {
			t.Errorf("Say on an ended line: %v", err)
		}
	})
}

func TestWhatIsSaidIsOneStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, out := newLine(Opus, time.Now), new(sentHeaders)
		l.setOutput(out)
		say := func(source uint32, sequence uint16, timestamp uint32) {
			_ = l.Say(Packet{Source: source, Sequence: sequence, Timestamp: timestamp, Payload: []byte{0}})
		}
		near, from := uint32(4294967000), uint32(77) // about to wrap
		say(1, 65534, near)
		say(1, 65535, near+960)
		say(1, 1, near+2880) // one lost
		<-time.After(500 * time.Millisecond)
		say(9, 400, from)
		say(9, 401, from+960)
		say(9, 399, from-960) // late
		h := *out
		step := func(i int) (uint16, uint32) {
			return h[i].SequenceNumber - h[0].SequenceNumber, h[i].Timestamp - h[0].Timestamp
		}
		for i, want := range []struct {
			sequence  uint16
			timestamp uint32
			marker    bool
		}{
			{0, 0, true}, {1, 960, false}, {3, 2880, false},
			{4, 2880 + 24000, true}, {5, 2880 + 24960, false}, {3, 2880 + 23040, false},
		} {
			if s, ts := step(i); s != want.sequence || ts != want.timestamp || h[i].Marker != want.marker {
				t.Errorf("packet %d: +%d +%d marker %v, want %+v", i, s, ts, h[i].Marker, want)
			}
		}
	})
}

func TestMeter(t *testing.T) {
	t.Parallel()
	m := meter{clock: Opus.ClockRate()}
	at := time.Unix(1_700_000_000, 0)
	for i, sequence := range []uint16{65534, 65535, 1, 0, 5} { // wraps, swaps two, loses three
		m.addPacket(Packet{
			Source: 1, Sequence: sequence, Timestamp: uint32(sequence) * 960,
			Payload: []byte{1, 2}, At: at.Add(time.Duration(i) * Frame),
		})
	}
	q := m.quality()
	if q.PacketsIn != 5 || q.BytesIn != 10 || q.LostIn != 3 || !q.FirstIn.Equal(at) || q.JitterIn == 0 {
		t.Errorf("first source: %+v", q)
	}
	for i := range uint16(100) { // a steady source has no jitter
		m.addPacket(Packet{Source: 2, Sequence: i, Timestamp: uint32(i) * 960, At: at.Add(time.Second + time.Duration(i)*Frame)})
	}
	if q := m.quality(); q.LostIn != 3 || q.JitterIn > 100*time.Microsecond {
		t.Errorf("second source: %+v", q)
	}
	m.addReport(rtcp.ReceptionReport{
		TotalLost: 4, Jitter: 480, LastSenderReport: ntpMiddle(at), Delay: 65536 / 2,
	}, at.Add(600*time.Millisecond))
	if q := m.quality(); q.LostOut != 4 || q.JitterOut != 10*time.Millisecond ||
		(q.RoundTrip-100*time.Millisecond).Abs() > time.Millisecond {
		t.Errorf("reported: %+v", q)
	}
}

func TestReadRTP(t *testing.T) {
	t.Parallel()
	want := rtp.Packet{
		Header: rtp.Header{
			Version: 2, Padding: true, PaddingSize: 3, PayloadType: 111, SequenceNumber: 7, Timestamp: 8, SSRC: 9,
			CSRC: []uint32{1, 2},
		},
		Payload: []byte("sound"),
	}
	if err := want.SetExtension(1, []byte{5}); err != nil {
		t.Fatal(err)
	}
	b, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p, pt, ok := readRTP(b)
	if !ok || pt != 111 || p.Sequence != 7 || p.Timestamp != 8 || p.Source != 9 || string(p.Payload) != "sound" {
		t.Errorf("%+v %d %v", p, pt, ok)
	}
	for n := range b {
		readRTP(b[:n]) // must not panic
	}
}

// forward passes one packet from the phone to the agent and back: by Hear, or by the listener of
// Attend if there is one.
func forward(b testing.TB, l *line, wire []byte, now time.Time) {
	p, _, ok := readRTP(wire)
	if !ok {
		b.Fatal("the packet is bad")
	}
	p.At = now
	l.receive(p)
	if l.listener != nil {
		return
	}
	p, err := l.Hear(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Say(p); err != nil {
		b.Fatal(err)
	}
}

type discardWriter struct{}

func (discardWriter) WriteRTP(*rtp.Header, []byte) (int, error)   { return 0, nil }
func (discardWriter) WriteEvent(*rtp.Header, []byte) (int, error) { return 0, nil }

func wirePacket(b testing.TB) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SSRC: 1}, Payload: make([]byte, 160)}
	wire, err := p.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	return wire
}

func TestForwardingAllocatesNothing(t *testing.T) {
	for codec := range numCodecs {
		l := newLine(codec, time.Now)
		l.setOutput(discardWriter{})
		wire, now := wirePacket(t), time.Now()
		for range 2 * backlog { // every slot has its buffer now
			forward(t, l, wire, now)
		}
		if n := testing.AllocsPerRun(1000, func() { forward(t, l, wire, now) }); n != 0 {
			t.Errorf("%v: %v allocations a packet by Hear", codec, n)
		}
		defer l.Attend(func(p Packet) { _ = l.Say(p) })()
		if n := testing.AllocsPerRun(1000, func() { forward(t, l, wire, now) }); n != 0 {
			t.Errorf("%v: %v allocations a packet by Attend", codec, n)
		}
		event := keyPacket(1, 1, 1, '1', false)
		if n := testing.AllocsPerRun(1000, func() { event.Timestamp++; l.receiveEvent(event) }); n != 0 {
			t.Errorf("%v: %v allocations a key press", codec, n)
		}
	}
}

func BenchmarkForward(b *testing.B) {
	for _, codec := range []Codec{Opus, PCMU} {
		for name, attend := range map[string]bool{"Hear": false, "Attend": true} {
			b.Run(codec.Name()+" "+name, func(b *testing.B) {
				l := newLine(codec, time.Now)
				l.setOutput(discardWriter{})
				if attend {
					defer l.Attend(func(p Packet) { _ = l.Say(p) })()
				}
				wire, now := wirePacket(b), time.Now()
				b.ReportAllocs()
				for b.Loop() {
					forward(b, l, wire, now)
				}
			})
		}
	}
}
