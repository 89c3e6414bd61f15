package gateway

import "time"

// LegSample is how one leg of a call sounded since the sample before. In is the sound that we
// received on the leg, Out what we sent. A figure that was not measured is 0.
type LegSample struct {
	MOS                 float64       // of the worse direction, 1 to 4.4; 0 = there was no sound
	JitterIn, JitterOut time.Duration // RFC 3550 A.8
	LossIn, LossOut     float64       // share of the packets, 0 to 1
	RoundTrip           time.Duration // the newest
	Queued              time.Duration // sound that a stream agent sent and the person has not heard yet
	Underruns           int           // how often a stream agent's sound came too late to follow the one before
}

// Sample is how a call sounded since the sample before.
type Sample struct {
	Phone, Agent LegSample
	// FirstAudio is the time from the phone's offer to the agent's first sound. Only the sample
	// after that sound has it.
	FirstAudio time.Duration
	// BargeIns are the times from the person's first word over the agent's speech to the end of
	// that speech. They are measured where the phone's sound is G.711, or the phone says with each
	// packet how loud it is (RFC 6464): other sound would have to be decoded.
	BargeIns []time.Duration
}

// Measured is an agent that measures its own leg. Measure returns how the leg sounded since the
// previous call of Measure. It is called on the goroutine of the call, so it must not wait.
type Measured interface {
	Measure() LegSample
}

// sampler turns what was counted since the start of a call into samples. Its zero value is ready.
type sampler struct {
	in, out Quality // at the previous sample, and at the newest report before it
	lossOut float64
}

// next returns how the leg of q sounded since the previous call of next. What the far end reports
// comes at intervals of its own: until the next report the loss of the last one is repeated.
func (s *sampler) next(q Quality) LegSample {
	l := LegSample{JitterIn: q.JitterIn, JitterOut: q.JitterOut, RoundTrip: q.RoundTrip}
	heard := q.PacketsIn - s.in.PacketsIn
	if lost := counted(q.LostIn, s.in.LostIn); heard+lost > 0 {
		l.LossIn = float64(lost) / float64(heard+lost)
	}
	if sent := q.PacketsOut - s.out.PacketsOut; q.Reports != s.out.Reports && sent > 0 {
		s.lossOut = min(1, float64(counted(q.LostOut, s.out.LostOut))/float64(sent))
		s.out = q
	}
	if q.PacketsOut > s.in.PacketsOut {
		l.LossOut = s.lossOut
	}
	if heard > 0 || q.PacketsOut > s.in.PacketsOut {
		l.MOS = min(MOS(l.LossIn, l.RoundTrip, l.JitterIn), MOS(l.LossOut, l.RoundTrip, l.JitterOut))
	}
	s.in = q
	return l
}

// counted is now - before, or 0: a packet that was taken for lost may still come.
func counted(now, before uint64) uint64 {
	if now < before {
		return 0
	}
	return now - before
}

// Bounds of what is taken for speech over speech.
const (
	speechFrames = 3                      // loud packets in a row are a word, not a click
	wordPause    = 200 * time.Millisecond // a longer pause of the person begins another word
	talkingFor   = 60 * time.Millisecond  // after its last loud packet, the agent still talks
	stoppedAfter = 500 * time.Millisecond // a longer pause of the agent is an end, not a comma
	talkedOver   = 5 * time.Second        // an agent that talks on for so long does not stop for the person
	bargeInsMost = 16                     // between two samples
)

// bargeIns measures how soon the agent stops when the person speaks over it. line.bargeMu guards
// it.
type bargeIns struct {
	agentAt time.Time // last loud packet of the agent
	begun   time.Time // first packet of the person's present word
	loudAt  time.Time // last loud packet of the person
	loud    int       // loud packets of the word
	onset   time.Time // when the person began to speak over the agent; zero = nothing is measured
	over    bool      // the agent talked when the word began
	toldAt  time.Time // last packet of which it is known how loud it is
	found   []time.Duration
}

// heard counts a packet of the person.
func (b *bargeIns) heard(now time.Time, loud bool) {
	b.settle(now)
	b.toldAt = now
	if !loud {
		return
	}
	if now.Sub(b.loudAt) > wordPause {
		b.begun, b.loud = now, 0
		b.over = now.Sub(b.agentAt) <= talkingFor
	}
	b.loudAt = now
	b.loud++
	if b.loud == speechFrames && b.over && b.onset.IsZero() {
		b.onset = b.begun
	}
}

// said counts a packet of the agent.
func (b *bargeIns) said(now time.Time, loud bool) {
	b.settle(now)
	if loud {
		b.agentAt = now
	}
}

// settle decides whether the agent has stopped.
func (b *bargeIns) settle(now time.Time) {
	switch {
	case b.onset.IsZero():
	case now.Sub(b.agentAt) >= stoppedAfter:
		if len(b.found) < bargeInsMost {
			b.found = append(b.found, max(0, b.agentAt.Add(Frame).Sub(b.onset)))
		}
		b.onset = time.Time{}
	case now.Sub(b.onset) >= talkedOver:
		b.onset = time.Time{}
	}
}

// take returns what was found since the last call.
func (b *bargeIns) take(now time.Time) []time.Duration {
	b.settle(now)
	found := b.found
	b.found = nil
	return found
}

// loudCode is the magnitude, as G.711 writes it, from which on a sample is loud: about -30 dB of
// full scale. Talk is above it, the noise of a room below.
const loudCode = 0x30

// loudLevel is the same in dBov for a whole packet: talk has pauses and soft parts.
const loudLevel = -40

// talks reports whether an agent talks in the packet. Agents speak without a room around them:
// where nobody says how loud an Opus packet is, all that is not silence is talk.
func talks(c Codec, p Packet) bool {
	if c == Opus && p.Level == 0 {
		return !c.quiet(p.Payload)
	}
	return loud(c, p)
}

// loud reports whether a tenth of the samples of a G.711 packet are loud, by every fourth one. For
// the other codecs, which would have to be decoded, it goes by what the far end says.
func loud(c Codec, p Packet) bool {
	payload, mask := p.Payload, byte(0xff) // PCMU inverts every bit
	switch {
	case !c.isG711():
		return p.Level != 0 && p.Level >= loudLevel
	case c == PCMA:
		mask = 0x55 // every other bit
	}
	n := 0
	for i := 0; i < len(payload); i += 4 {
		if (payload[i]^mask)&0x7f >= loudCode {
			n++
		}
	}
	return n > 0 && n*40 >= len(payload)
}
