package agents_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// script is a line whose phone sends packets at fixed times.
type script struct {
	codec gateway.Codec
	phone []gateway.Packet // with At = when it arrives

	mu   sync.Mutex
	ear  func(gateway.Packet)
	said []gateway.Packet // with At = when it was said
}

func (s *script) Codec() gateway.Codec { return s.codec }

func (s *script) Audible() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (s *script) Hear(ctx context.Context) (gateway.Packet, error) {
	<-ctx.Done()
	return gateway.Packet{}, ctx.Err()
}

func (s *script) Attend(f func(gateway.Packet)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ear = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ear = nil
	}
}

func (s *script) Say(p gateway.Packet) error {
	p.At, p.Payload = time.Now(), slices.Clone(p.Payload)
	s.said = append(s.said, p)
	return nil
}

func (s *script) Press(byte) error { return gateway.ErrNoKeys }

// speak sends the phone's packets.
func (s *script) speak() {
	for _, p := range s.phone {
		<-time.After(time.Until(p.At))
		s.mu.Lock()
		if s.ear != nil {
			s.ear(p)
		}
		s.mu.Unlock()
	}
}

func builtin(t testing.TB, delay time.Duration) *agents.Builtin {
	t.Helper()
	b, err := agents.NewBuiltin(delay, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBellsAreInTimeAndThenTheEchoIsASecondLate(t *testing.T) {
	t.Parallel()
	bells, err := gateway.Bells(gateway.Opus)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ring := time.Duration(len(bells)) * gateway.Frame
		line := &script{}
		for at, n := time.Duration(0), uint16(0); at < ring+5*time.Second; at, n = at+gateway.Frame, n+1 {
			line.phone = append(line.phone, gateway.Packet{Source: 77, Sequence: n, Timestamp: uint32(n) * 960,
				Payload: []byte{byte(n), byte(n >> 8)}, At: began.Add(at)})
		}
		all := line.phone
		go line.speak()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := builtin(t, agents.EchoDelay).Converse(ctx, line); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for i, p := range line.said[:len(bells)] {
			if want := began.Add(time.Duration(i) * gateway.Frame); !p.At.Equal(want) || p.Timestamp != uint32(i)*960 ||
				p.Sequence != uint16(i) {
				t.Fatalf("bell frame %d at %v: %+v", i, p.At.Sub(began), p)
			}
		}
		echo := line.said[len(bells):]
		if len(echo) < 248 || len(echo) > 251 {
			t.Errorf("%d packets were echoed of the 250 or so said after the bells", len(echo))
		}
		for _, p := range echo {
			said := all[p.Sequence]
			if late := p.At.Sub(said.At); (late-time.Second).Abs() > gateway.Frame/2 ||
				!slices.Equal(said.Payload, p.Payload) || p.Source != 77 {
				t.Fatalf("packet %d came back after %v: %+v", p.Sequence, late, p)
			}
		}
		if last := echo[len(echo)-1]; last.Sequence != uint16(len(all)-1) {
			t.Errorf("the echo stops at packet %d of %d", last.Sequence, len(all))
		}
	})
}

func TestGreetingCatchesUpAfterADelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &stuck{}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_ = builtin(t, 0).Converse(ctx, line)
		// The tenth frame was delayed by 300 ms; the fiftieth is on time.
		if at := line.said[50].At.Sub(began); at != 50*gateway.Frame {
			t.Errorf("frame 50 at %v", at)
		}
	})
}

// stuck is a line on which one Say takes 300 ms.
type stuck struct{ script }

func (s *stuck) Say(p gateway.Packet) error {
	if p.Sequence == 10 {
		<-time.After(300 * time.Millisecond)
	}
	return s.script.Say(p)
}

func TestConverseStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := builtin(t, 0).Converse(ctx, &script{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := agents.NewBuiltin(0, nil); err == nil {
		t.Error("an agent without a clock was made")
	}
}

// TestPhoneHearsBellsAndItself runs the whole path: a phone over UDP and DTLS.
func TestPhoneHearsBellsAndItself(t *testing.T) {
	t.Parallel()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	middle, gaps := heard(t, answerer(g, builtin(t, 200*time.Millisecond), "one"), p)
	// to the frame it is measured above, by a clock that stands when nothing happens
	if middle < 150*time.Millisecond || middle > 5*time.Second {
		t.Errorf("the echo came back after %v", middle)
	}
	if gaps > 1 { // between bells and echo
		t.Errorf("the sound broke off %d times", gaps)
	}
}

// TestEveryPhoneHearsTheBuiltinAgent: a phone with G.711 only hears bells and itself. There are no
// bells in G.722, so that such a phone hears only itself.
func TestEveryPhoneHearsTheBuiltinAgent(t *testing.T) {
	t.Parallel()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	t.Run("calls", func(t *testing.T) {
		for _, codec := range []string{"PCMU", "PCMA", "G722"} {
			t.Run(codec, func(t *testing.T) {
				t.Parallel()
				p, err := phonetest.New(phonetest.Config{Codecs: []string{codec}})
				if err != nil {
					t.Fatal(err)
				}
				answer := answerer(g, builtin(t, 0), codec)
				if codec != "G722" {
					heard(t, answer, p)
					return
				}
				call, err := p.Call(t.Context(), answer)
				if err != nil {
					t.Fatal(err)
				}
				defer call.HangUp()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Back >= 50 }); err != nil {
					t.Errorf("%v: %+v", err, call.Stats())
				}
			})
		}
	})
}

// TestKeysAreNotEchoed: what comes back is only the sound.
func TestKeysAreNotEchoed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &script{codec: gateway.G722}
		at := time.Now().Add(10 * time.Second) // after the bells
		for n, digit := range []byte{0, '5', 0} {
			at = at.Add(gateway.Frame)
			line.phone = append(line.phone, gateway.Packet{Source: 7, Sequence: uint16(n), Digit: digit, Payload: []byte{byte(n)}, At: at})
		}
		go line.speak()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = builtin(t, time.Second).Converse(ctx, line)
		echo := slices.DeleteFunc(line.said, func(p gateway.Packet) bool { return p.Source != 7 })
		if len(echo) != 2 || echo[0].Sequence != 0 || echo[1].Sequence != 2 {
			t.Errorf("%+v", echo)
		}
	})
}

func answerer(g *gateway.Gateway, agent gateway.Agent, name string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: name, Leg: "phone", SDP: offer, Agent: agent, On: func(gateway.Event) {}})
		return got.SDP, err
	}
}

// heard is a call that hears the bells and its own echo: how late the echo was, and how often it
// was interrupted.
func heard(t *testing.T, answer func(context.Context, string) (string, error), p *phonetest.Phone) (middle time.Duration, gaps uint64) {
	t.Helper()
	call, err := p.Call(t.Context(), answer)
	if err != nil {
		t.Fatal(err)
	}
	defer call.HangUp()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Back >= 50 }); err != nil {
		t.Fatalf("%v: %+v", err, call.Stats())
	}
	s := call.Stats()
	if bells := s.Sounding - s.Back; bells < 150 {
		t.Errorf("only %d packets of bells sounded: %+v", bells, s)
	}
	slices.Sort(s.Echoes)
	return s.Echoes[len(s.Echoes)/2], s.Gaps
}

func TestEchoAllocatesNothingPerPacket(t *testing.T) {
	line := &silent{attended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- builtin(t, time.Second).Echo(ctx, line) }()
	<-line.attended
	p := gateway.Packet{Payload: make([]byte, 160), At: time.Now()}
	next := func() {
		p.At = p.At.Add(gateway.Frame)
		p.Sequence++
		line.ear(p)
	}
	for range 1000 { // every slot has its buffer now
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	cancel()
	<-done
	if line.said < 1900 {
		t.Errorf("%d of 2000 packets came back", line.said)
	}
}

// silent is a line that discards what is sent.
type silent struct {
	script
	attended chan struct{}
	said     int
}

func (s *silent) Attend(f func(gateway.Packet)) func() {
	defer close(s.attended)
	return s.script.Attend(f)
}

func (s *silent) Say(gateway.Packet) error { s.said++; return nil }
