package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
)

// keyPacket returns a packet of a key press as it arrives.
func keyPacket(source uint32, sequence uint16, timestamp uint32, key byte, end bool) Packet {
	b := make([]byte, 4)
	keyEvent{code: byte(strings.IndexByte(keys, key)), end: end, duration: 800}.write(b)
	return Packet{Source: source, Sequence: sequence, Timestamp: timestamp, Payload: b, At: time.Unix(1_700_000_000, 0)}
}

// TestPresses: which digits an agent hears when the packets of key presses are repeated, lost and
// reordered on the way.
func TestPresses(t *testing.T) {
	t.Parallel()
	type packet struct {
		at  uint32
		key byte
		end bool
	}
	for name, row := range map[string]struct {
		packets []packet
		want    string
	}{
		"a press":             {[]packet{{0, '5', false}, {0, '5', false}, {0, '5', true}, {0, '5', true}}, "5"},
		"only an end arrived": {[]packet{{0, '#', true}}, "#"},
		"the end was lost":    {[]packet{{0, '5', false}, {4000, '5', false}, {8000, '5', true}}, "555"},
		"the same key twice":  {[]packet{{0, '0', false}, {0, '0', true}, {1200, '0', false}, {1200, '0', true}}, "00"},
		"a late repetition of an earlier": {
			[]packet{{0, '1', false}, {2000, '2', false}, {0, '1', true}, {2000, '2', true}}, "12",
		},
		"all keys": {[]packet{{0, '1', true}, {2, '*', true}, {4, '#', true}, {6, 'A', true}, {8, 'D', true}, {10, '0', true}},
			"1*#AD0"},
		"held down for long": {
			[]packet{{0, '7', false}, {65535, '7', false}, {131070, '7', true}, {140000, '7', true}}, "77",
		},
		"as far apart, but after its end":   {[]packet{{0, '7', true}, {65535, '7', false}}, "77"},
		"as far apart, but another key":     {[]packet{{0, '7', false}, {65535, '8', false}}, "78"},
		"across the end of the timestamps":  {[]packet{{4294967000, '1', true}, {500, '2', true}, {4294967000, '1', true}}, "12"},
		"a late start after its end":        {[]packet{{0, '3', true}, {0, '3', false}}, "3"},
		"a long press whose end came early": {[]packet{{0, '7', false}, {0, '7', true}, {65535, '7', true}}, "77"},
	} {
		l := newLine(PCMU, time.Now)
		var heard []byte
		leave := l.Attend(func(p Packet) {
			if len(p.Payload) > 0 || p.At.IsZero() {
				t.Errorf("%s: %+v", name, p)
			}
			heard = append(heard, p.Digit)
		})
		for i, p := range row.packets {
			l.receiveEvent(keyPacket(9, uint16(i), p.at, p.key, p.end))
		}
		leave()
		if string(heard) != row.want {
			t.Errorf("%s: %q, want %q", name, heard, row.want)
		}
		if q := l.quality(); q.PacketsIn != uint64(len(row.packets)) || q.LostIn != 0 || q.JitterIn != 0 {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

// TestPressesAreHeard: by Hear too, among the sound, and those of another source are other presses.
// What is no key is not heard.
func TestPressesAreHeard(t *testing.T) {
	t.Parallel()
	l := newLine(Opus, time.Now)
	l.receive(Packet{Source: 9, Sequence: 1, Payload: []byte("sound")})
	l.receiveEvent(keyPacket(9, 2, 100, '1', false))
	l.receiveEvent(keyPacket(8, 0, 100, '1', false))
	for _, payload := range [][]byte{nil, {1}, {1, 2, 3}, {16, 0, 0, 1}, {255, 0, 0, 1}} { // 16 is a flash hook
		l.receiveEvent(Packet{Source: 9, Sequence: 3, Timestamp: 9000, Payload: payload})
	}
	l.receive(Packet{Source: 9, Sequence: 4, Payload: []byte("more")})
	var got []string
	for range 4 {
		p, err := l.Hear(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p.Payload)+strings.Trim(string(p.Digit), "\x00"))
	}
	if want := []string{"sound", "1", "1", "more"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	out := new(sentHeaders)
	l.setOutput(out)
	if err := l.Say(Packet{Digit: '1'}); err != nil || len(*out) != 0 {
		t.Errorf("a digit was sent as sound: %v %v", err, out)
	}
}

// sentEvents keeps the packets of presses, and the headers of sound between them.
type sentEvents struct {
	headers  []rtp.Header
	payloads []string
	at       []time.Time
	refuse   error
}

func (s *sentEvents) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	return s.WriteEvent(h, payload)
}

func (s *sentEvents) WriteEvent(h *rtp.Header, payload []byte) (int, error) {
	if s.refuse != nil {
		return 0, s.refuse
	}
	s.headers = append(s.headers, *h)
	s.payloads = append(s.payloads, string(payload))
	s.at = append(s.at, time.Now())
	return len(payload), nil
}

// TestPressIsSent: as RFC 4733 2.5 wants it, with the sound continuing after it as one stream.
func TestPressIsSent(t *testing.T) {
	t.Parallel()
	for codec, clock := range map[Codec]uint32{PCMU: 8000, Opus: 48000} {
		synctest.Test(t, func(t *testing.T) {
			ms := clock / 1000
			l, out := newLine(codec, time.Now), &sentEvents{}
			l.setOutput(out)
			say := func(n uint16) {
				if err := l.Say(Packet{Source: 7, Sequence: n, Timestamp: uint32(n) * 20 * ms, Payload: []byte("s")}); err != nil {
					t.Error(err)
				}
			}
			began := time.Now()
			say(1)
			<-time.After(50 * time.Millisecond)
			pressed := make(chan error)
			go func() { pressed <- l.Press('#') }()
			synctest.Wait()
			say(4) // dropped
			if err := <-pressed; err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Millisecond)
			say(11)
			say(12)
			want := []struct {
				sequence uint16
				at       uint32 // ms of the timestamp
				marker   bool
				payload  string
			}{{0, 0, true, "s"}}
			for i := range 7 {
				duration := uint16(min(i+1, 5)) * uint16(20*ms)
				event := []byte{11, 10, byte(duration >> 8), byte(duration)}
				if i >= 4 {
					event[1] |= 0x80
				}
				want = append(want, struct {
					sequence uint16
					at       uint32
					marker   bool
					payload  string
				}{uint16(i + 1), 50, i == 0, string(event)})
			}
			want = append(want, want[0], want[0])
			want[8].sequence, want[8].at, want[8].marker = 8, 200, true
			want[9].sequence, want[9].at, want[9].marker = 9, 220, false
			if len(out.headers) != len(want) {
				t.Fatalf("%d packets, want %d: %q", len(out.headers), len(want), out.payloads)
			}
			for i, w := range want {
				h := out.headers[i]
				if h.SequenceNumber-out.headers[0].SequenceNumber != w.sequence || h.Timestamp-out.headers[0].Timestamp != w.at*ms ||
					h.Marker != w.marker || out.payloads[i] != w.payload {
					t.Errorf("%v, packet %d: %+v %q, want %+v", codec, i, h, out.payloads[i], w)
				}
				if i > 0 && i < 8 {
					if at := out.at[i].Sub(began); at != 50*time.Millisecond+time.Duration(i-1)*Frame {
						t.Errorf("%v, packet %d after %v", codec, i, at)
					}
				}
			}
		})
	}
}

// TestPressesFollowEachOther: two at the same time are sent one after the other, with the pause by
// which a receiver tells them apart.
func TestPressesFollowEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, out := newLine(PCMU, time.Now), &sentEvents{}
		l.setOutput(out)
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- l.Press('1') }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		first, second := out.headers[0], out.headers[7]
		if len(out.headers) != 14 || second.Timestamp-first.Timestamp != 140*8 || second.SequenceNumber-first.SequenceNumber != 7 {
			t.Errorf("%d packets: %+v, then %+v", len(out.headers), first, second)
		}
	})
}

func TestPressFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, out := newLine(PCMU, time.Now), &sentEvents{refuse: ErrNoKeys}
		if err := l.Press('1'); err != nil {
			t.Errorf("while the phone is away: %v", err)
		}
		l.setOutput(out)
		if err := l.Press('1'); !errors.Is(err, ErrNoKeys) {
			t.Errorf("a phone without telephone-event: %v", err)
		}
		if err := l.Press('E'); err == nil || !strings.Contains(err.Error(), "is no key") {
			t.Errorf("no key: %v", err)
		}
		out.refuse = nil
		l.announcing.Store(true)
		if err := l.Press('1'); err != nil || len(out.headers) != 0 {
			t.Errorf("during the notice: %v", err)
		}
		go func() {
			<-time.After(50 * time.Millisecond)
			close(l.over)
		}()
		if err := l.Press('1'); !errors.Is(err, ErrLineEnded) {
			t.Errorf("the call ended meanwhile: %v", err)
		}
	})
}

// FuzzEvent: whatever arrives as a key press, at most one digit is heard for a packet, and it is a
// key.
func FuzzEvent(f *testing.F) {
	f.Add([]byte{1, 10, 0, 160}, uint32(0), []byte{1, 0x8a, 3, 32}, uint32(0))
	f.Add([]byte{16, 0, 0, 0}, uint32(1), []byte{11, 0x80, 0xff, 0xff, 1}, uint32(65536))
	f.Fuzz(func(t *testing.T, one []byte, at uint32, two []byte, then uint32) {
		l := newLine(PCMU, time.Now)
		heard := ""
		defer l.Attend(func(p Packet) { heard += string(rune(p.Digit)) })()
		for _, p := range []Packet{{Timestamp: at, Payload: one}, {Timestamp: then, Payload: two}} {
			before := len(heard)
			l.receiveEvent(p)
			if n := len(heard) - before; n > 1 || n == 1 && !strings.Contains(keys, heard[before:]) {
				t.Fatalf("%v is heard as %q", p, heard[before:])
			}
		}
		if e, ok := readEvent(one); ok {
			var b [4]byte
			e.write(b[:])
			if again, ok := readEvent(b[:]); !ok || again != e {
				t.Fatalf("%+v is written as %v", e, b)
			}
		}
	})
}
