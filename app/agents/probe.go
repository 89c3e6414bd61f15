package agents

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// probe is the built-in program that measures a line. It rings a bell a few times, and measures how
// long each takes to come back, in whichever of three ways it does:
//
//   - a phone under test sends the packets back as they are. This is the round trip of the network,
//     the gateway and both players' queues that the phone has;
//   - the microphone hears the speaker. This is mouth to ear and back, with the phone's own
//     processing. A phone that cancels echoes shows nothing here. G.711 and G.722 are decoded for
//     it; of Opus only the size of packets is seen, which grows with the sound;
//   - the person presses a key when they hear the bell. This has their reaction in it.
//
// The result is put on the ring's timeline, and the program hangs up.
type probe struct {
	*Builtin
	note Note
}

const (
	probeBells = 5
	// probeWait is how long one bell may take to come back, from its first packet on.
	probeWait = 2 * time.Second
	// leastTrip is the shortest way through a loudspeaker and a microphone: packets that were on
	// their way when the bell began are no echo.
	leastTrip = 60 * time.Millisecond
)

// Converse measures and hangs up.
func (m probe) Converse(ctx context.Context, l gateway.Line) error {
	run := &probing{now: m.now, loud: loudness(l.Codec())}
	p := player{line: l, now: m.now}
	defer l.Attend(run.heard)()
	if err := audible(ctx, l); err != nil {
		return err
	}
	all := m.bells[l.Codec()]
	stroke := tune{packets: all[:min(strokeFrames, len(all))]}
	for range probeBells {
		run.begin(stroke)
		if _, err := p.play(ctx, stroke, run.sent); err != nil {
			return err
		}
		if _, err := p.wait(ctx, probeWait-time.Duration(len(stroke.packets))*gateway.Frame); err != nil {
			return err
		}
	}
	if m.note != nil {
		m.note(tenants.FactMeasured, run.result())
	}
	return nil
}

// probing is one measurement.
type probing struct {
	now  func() time.Time
	loud func([]byte) float64 // how loud a packet is, in a measure of its codec

	mu    sync.Mutex
	began time.Time            // of the present bell; zero before the first
	at    map[string]time.Time // when each packet of it was said
	order []string             // its packets
	usual float64              // loudness while nothing is played
	found struct{ packet, sound, key bool }

	packets, sounds, keys []time.Duration // one a bell at most
}

func (m *probing) begin(t tune) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.order = map[string]time.Time{}, m.order[:0]
	for _, p := range t.packets {
		m.order = append(m.order, string(p))
	}
	m.found = struct{ packet, sound, key bool }{}
	m.began = time.Time{}
}

func (m *probing) sent(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if i == 0 {
		m.began = now
	}
	// Silence is the same in many packets; only the newest of equal ones counts.
	m.at[m.order[i]] = now
}

// heard looks whether a packet of the phone is the bell.
func (m *probing) heard(p gateway.Packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := p.At.Sub(m.began)
	waiting := !m.began.IsZero() && since < probeWait
	switch at, same := m.at[string(p.Payload)]; {
	case p.Digit != 0:
		if waiting && !m.found.key {
			m.found.key = true
			m.keys = append(m.keys, since)
		}
		return
	case same && waiting && len(p.Payload) > 10:
		if !m.found.packet {
			m.found.packet = true
			m.packets = append(m.packets, p.At.Sub(at))
		}
		return
	}
	loud := m.loud(p.Payload)
	switch {
	case !waiting || since < leastTrip:
		m.usual += (loud - m.usual) / 8
	case !m.found.sound && !m.found.packet && loud > 2*m.usual+minLoud:
		m.found.sound = true
		m.sounds = append(m.sounds, since)
	}
}

// minLoud is how much louder than silence an echo is at least: of the mean size of samples, or of
// bytes of Opus.
const minLoud = 40

// loudness returns how to tell loud packets of a codec from quiet ones.
func loudness(c gateway.Codec) func([]byte) float64 {
	var decode func([]byte) []byte // to L16
	switch c {
	case gateway.PCMU:
		return func(b []byte) float64 { return mean(b, gateway.DecodePCMU) }
	case gateway.PCMA:
		return func(b []byte) float64 { return mean(b, gateway.DecodePCMA) }
	case gateway.G722:
		decode = fromG722()
	default:
		return func(b []byte) float64 { return float64(len(b)) }
	}
	var samples []int16
	return func(b []byte) float64 {
		samples = samplesOf(samples[:0], decode(b))
		return meanOf(samples)
	}
}

func mean(b []byte, decode func(byte) int16) (sum float64) {
	for _, c := range b {
		sum += max(float64(decode(c)), -float64(decode(c)))
	}
	return sum / float64(max(len(b), 1))
}

func meanOf(samples []int16) (sum float64) {
	for _, s := range samples {
		sum += max(float64(s), -float64(s))
	}
	return sum / float64(max(len(samples), 1))
}

// result is a sentence for people, without a full stop.
func (m *probing) result() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := func(times []time.Duration, what string) string {
		slices.Sort(times)
		return fmt.Sprintf("%d ms %s (%d of %d bells)", times[len(times)/2].Milliseconds(), what, len(times), probeBells)
	}
	switch {
	case len(m.packets) > 0:
		return of(m.packets, "until the phone sent the same sound back")
	case len(m.sounds) > 0 && len(m.keys) > 0:
		return of(m.sounds, "until the microphone heard the bell") + ", and " + of(m.keys, "until the person pressed a key")
	case len(m.sounds) > 0:
		return of(m.sounds, "until the microphone heard the bell")
	case len(m.keys) > 0:
		return of(m.keys, "until the person pressed a key, with the time they took to react")
	}
	return "no bell came back: the phone cancels echoes, and nobody pressed a key"
}
