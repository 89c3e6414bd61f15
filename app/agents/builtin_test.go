package agents_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// script is a line whose phone says packets at fixed times.
type script struct {
	heard []gateway.Packet // with At = when it arrives
	said  []gateway.Packet // with At = when it was said
	ends  time.Time
}

func (s *script) Hear(ctx context.Context) (gateway.Packet, error) { return s.HearBy(ctx, s.ends) }

func (s *script) HearBy(ctx context.Context, by time.Time) (gateway.Packet, error) {
	if len(s.heard) > 0 && !s.heard[0].At.After(time.Now()) || len(s.heard) > 0 && s.heard[0].At.Before(by) {
		p := s.heard[0]
		s.heard = s.heard[1:]
		<-time.After(time.Until(p.At))
		return p, nil
	}
	<-time.After(time.Until(by))
	if !by.Before(s.ends) {
		return gateway.Packet{}, gateway.ErrLineEnded
	}
	return gateway.Packet{}, gateway.ErrQuiet
}

func (s *script) Say(p gateway.Packet) error {
	p.At, p.Payload = time.Now(), slices.Clone(p.Payload)
	s.said = append(s.said, p)
	return nil
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
	bells, err := gateway.Bells()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ring := time.Duration(len(bells)) * gateway.Frame
		line := &script{ends: began.Add(time.Minute)}
		for at, n := time.Duration(0), uint16(0); at < ring+5*time.Second; at, n = at+gateway.Frame, n+1 {
			line.heard = append(line.heard, gateway.Packet{Source: 77, Sequence: n, Timestamp: uint32(n) * 960, Payload: []byte{byte(n), byte(n >> 8)}, At: began.Add(at)})
		}
		all := slices.Clone(line.heard)
		if err := builtin(t, agents.EchoDelay).Converse(t.Context(), line); !errors.Is(err, gateway.ErrLineEnded) {
			t.Fatal(err)
		}
		for i, p := range line.said[:len(bells)] {
			if want := began.Add(time.Duration(i) * gateway.Frame); !p.At.Equal(want) || p.Timestamp != uint32(i)*960 || p.Sequence != uint16(i) {
				t.Fatalf("bell frame %d at %v: %+v", i, p.At.Sub(began), p)
			}
		}
		echo := line.said[len(bells):]
		if len(echo) < 248 || len(echo) > 250 {
			t.Errorf("%d packets were echoed of the 250 said after the bells", len(echo))
		}
		for _, p := range echo {
			said := all[p.Sequence]
			if late := p.At.Sub(said.At); (late-time.Second).Abs() > gateway.Frame/2 || !slices.Equal(said.Payload, p.Payload) || p.Source != 77 {
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
		line := &stuck{script: script{ends: time.Now().Add(10 * time.Second)}}
		began := time.Now()
		_ = builtin(t, 0).Converse(t.Context(), line)
		// The tenth frame was held up for 300 ms; the fiftieth is in time all the same.
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

// TestPhoneHearsBellsAndItself is the whole way: a phone over UDP and DTLS.
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
	agent := builtin(t, 200*time.Millisecond)
	call, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: agent, On: func(gateway.Event) {}})
		return got.SDP, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer call.HangUp()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Back >= 50 }); err != nil {
		t.Fatalf("%v: %+v", err, call.Stats())
	}
	s := call.Stats()
	if bells := s.Sounding - s.Back; bells < 150 {
		t.Errorf("only %d packets of bells sounded: %+v", bells, s)
	}
	slices.Sort(s.Echoes)
	if middle := s.Echoes[len(s.Echoes)/2]; middle < 150*time.Millisecond || middle > 300*time.Millisecond {
		t.Errorf("the echo came back after %v", middle)
	}
	if s.Gaps > 1 {
		t.Errorf("%d gaps", s.Gaps)
	}
}

// loop is a line whose phone never stops: for measuring the echo.
type loop struct {
	now  time.Time
	left int
	p    gateway.Packet
}

func (l *loop) Hear(ctx context.Context) (gateway.Packet, error) { return l.HearBy(ctx, l.now) }

func (l *loop) HearBy(context.Context, time.Time) (gateway.Packet, error) {
	if l.left--; l.left < 0 {
		return gateway.Packet{}, gateway.ErrLineEnded
	}
	l.now = l.now.Add(gateway.Frame)
	l.p.At = l.now
	l.p.Sequence++
	return l.p, nil
}

func (l *loop) Say(gateway.Packet) error { return nil }

func TestEchoAllocatesNothingPerPacket(t *testing.T) {
	line := &loop{now: time.Now(), p: gateway.Packet{Payload: make([]byte, 160)}}
	b, err := agents.NewBuiltin(time.Second, func() time.Time { return line.now })
	if err != nil {
		t.Fatal(err)
	}
	run := func(packets int) float64 {
		return testing.AllocsPerRun(5, func() {
			line.left = packets
			_ = b.Echo(t.Context(), line)
		})
	}
	if few, many := run(1000), run(5000); many > few {
		t.Errorf("1000 packets take %v allocations, 5000 take %v", few, many)
	}
}
