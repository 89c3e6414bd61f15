package agents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/app/agents/dialect"
	"carillon/gateway"
)

// mulaw passes mu-law through.
var mulaw = newVoice(dialect.MuLaw, gateway.PCMU)

// deskLine is a PCMU line that keeps what is said, and when.
type deskLine struct {
	audible chan struct{}

	mu   sync.Mutex
	said []gateway.Packet
	ear  func(gateway.Packet)
}

func newDeskLine() *deskLine {
	l := &deskLine{audible: make(chan struct{})}
	close(l.audible)
	return l
}

func (l *deskLine) Codec() gateway.Codec     { return gateway.PCMU }
func (l *deskLine) Press(byte) error         { return nil }
func (l *deskLine) Audible() <-chan struct{} { return l.audible }
func (l *deskLine) Hear(context.Context) (gateway.Packet, error) {
	return gateway.Packet{}, gateway.ErrLineEnded
}

func (l *deskLine) Attend(f func(gateway.Packet)) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ear = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ear = nil
	}
}

func (l *deskLine) Say(p gateway.Packet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.At, p.Payload = time.Now(), slices.Clone(p.Payload)
	l.said = append(l.said, p)
	return nil
}

// hear is a packet of the phone.
func (l *deskLine) hear(p gateway.Packet) {
	l.mu.Lock()
	ear := l.ear
	l.mu.Unlock()
	if ear != nil {
		ear(p)
	}
}

func (l *deskLine) heard() []gateway.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.said)
}

// names are the marks that came back, and what was cleared.
type names struct {
	mu  sync.Mutex
	all []string
}

func (n *names) add(e dialect.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == dialect.Cleared {
		e.Name = fmt.Sprintf("cleared %v, %v dropped", e.Played, e.Dropped)
	}
	n.all = append(n.all, e.Name)
}

func (n *names) are(t *testing.T, step string, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.all, want) {
		t.Errorf("%s: the marks %v came back, not %v", step, n.all, want)
	}
}

// desk runs a pacer in a bubble with its own clock.
type desk struct {
	*pacer
	line  *deskLine
	marks *names
	began time.Time
	ended chan error
}

func inBubble(t *testing.T, do func(t *testing.T, d desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		line, marks := newDeskLine(), &names{}
		p := newPacer(line, mulaw, time.Now, &budget{most: 1 << 20}, marks.add)
		ctx, cancel := context.WithCancel(t.Context())
		d := desk{p, line, marks, time.Now(), make(chan error, 1)}
		go func() { d.ended <- p.run(ctx, line.Audible()) }()
		synctest.Wait()
		do(t, d)
		cancel()
		synctest.Wait()
		if used := p.budget.used.Load(); used != 0 {
			t.Errorf("%d bytes of the budget are still taken", used)
		}
	})
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestABurstIsPlayedAtThePaceOfSpeech: an answer that comes all at once leaves in frames of 20 ms,
// each at its time.
func TestABurstIsPlayedAtThePaceOfSpeech(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		const frames = 250
		sound := make([]byte, frames*160)
		for i := range sound {
			sound[i] = byte(i / 160)
		}
		for part := range slices.Chunk(sound, 999) { // pieces that are no whole frames
			if err := d.add(part); err != nil {
				t.Fatal(err)
			}
		}
		after(frames * gateway.Frame)
		said := d.line.heard()
		if len(said) != frames {
			t.Fatalf("%d frames of %d", len(said), frames)
		}
		for i, p := range said {
			if want := time.Duration(i) * gateway.Frame; p.At.Sub(d.began) != want || p.Timestamp != uint32(i)*160 ||
				p.Sequence != uint16(i) || !bytes.Equal(p.Payload, bytes.Repeat([]byte{byte(i)}, 160)) {
				t.Fatalf("frame %d at %v: %+v", i, p.At.Sub(d.began), p)
			}
		}
	})
}

// TestAPieceOfAFrameWaitsForTheRest: silence is only put behind the last piece of a sentence.
func TestAPieceOfAFrameWaitsForTheRest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		one := bytes.Repeat([]byte{1}, 100)
		_ = d.add(one)
		after(30 * time.Millisecond)
		if n := len(d.line.heard()); n != 0 {
			t.Fatalf("%d frames before the rest could come", n)
		}
		_ = d.add(one)
		after(time.Second)
		said := d.line.heard()
		want := append(bytes.Repeat([]byte{1}, 40), bytes.Repeat([]byte{muLawSilence}, 120)...)
		if len(said) != 2 || !bytes.Equal(said[0].Payload, bytes.Repeat([]byte{1}, 160)) || !bytes.Equal(said[1].Payload, want) {
			t.Errorf("%d frames: %v", len(said), said)
		}
	})
}

// TestAPauseIsAGapInTheTimestamps, so that the phone's player knows that nothing was lost.
func TestAPauseIsAGapInTheTimestamps(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		_ = d.add(make([]byte, 160))
		after(gateway.Frame + time.Second)
		_ = d.add(make([]byte, 160))
		synctest.Wait()
		said := d.line.heard()
		if len(said) != 2 || said[1].Sequence != 1 || said[1].Timestamp != 160+8000 {
			t.Errorf("%+v", said)
		}
	})
}

// TestTheNextSentenceIsPacedToo: after a short pause an answer comes all at once, and its frames
// leave one by one.
func TestTheNextSentenceIsPacedToo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		_ = d.add(make([]byte, 160))
		after(gateway.Frame + 500*time.Millisecond)
		_ = d.add(make([]byte, 50*160))
		after(2 * time.Second)
		said := d.line.heard()
		if len(said) != 51 {
			t.Fatalf("%d frames", len(said))
		}
		for i, p := range said[1:] {
			want := 520*time.Millisecond + time.Duration(i)*gateway.Frame
			if p.At.Sub(d.began) != want || p.Timestamp != uint32(26+i)*160 {
				t.Fatalf("frame %d at %v, timestamp %d", i, p.At.Sub(d.began), p.Timestamp)
			}
		}
	})
}

// TestNothingIsKeptOfAnEndedCall: an agent may still send when the person has hung up.
func TestNothingIsKeptOfAnEndedCall(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		d.finish()
		if err := <-d.ended; err != nil {
			t.Fatal(err)
		}
		if err := d.add(make([]byte, 160_000)); err != nil {
			t.Errorf("sound after the end: %v", err)
		}
	})
}

// TestFramesOfALiveAgentKeepTheirPace: an agent that sends each frame a little early or late has a
// constant delay, not a growing one. A frame that is there up to ahead before its time leaves at
// once.
func TestFramesOfALiveAgentKeepTheirPace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		const frames = 500
		jitter := []time.Duration{0, 7, 3, 15, 1, 11} // ms after its time
		for i := range frames {
			at := time.Duration(i)*gateway.Frame + jitter[i%len(jitter)]*time.Millisecond
			after(time.Until(d.began.Add(at)))
			_ = d.add(make([]byte, 160))
		}
		after(time.Second)
		said := d.line.heard()
		if len(said) != frames {
			t.Fatalf("%d frames", len(said))
		}
		for i, p := range said[10:] {
			want := jitter[(i+10)%len(jitter)] * time.Millisecond
			if want < 15*time.Millisecond-ahead {
				want = 15 * time.Millisecond
			}
			if late := p.At.Sub(d.began) - time.Duration(i+10)*gateway.Frame; late != want {
				t.Fatalf("frame %d left %v after its time, not %v", i+10, late, want)
			}
		}
	})
}

// TestMarksComeBackOnceTheirSoundWasPlayed, and at once where there is none.
func TestMarksComeBackOnceTheirSoundWasPlayed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		_ = d.addMark("nothing")
		synctest.Wait()
		d.marks.are(t, "without sound", "nothing")
		_ = d.add(make([]byte, 5*160))
		_ = d.addMark("five")
		_ = d.add(make([]byte, 5*160))
		_ = d.addMark("ten")
		after(3 * gateway.Frame)
		d.marks.are(t, "after four frames", "nothing")
		after(gateway.Frame)
		d.marks.are(t, "after five frames", "nothing", "five")
		d.clear()
		synctest.Wait()
		d.marks.are(t, "cleared", "nothing", "five", "cleared 100ms, 100ms dropped", "ten")
		after(time.Second)
		if n := len(d.line.heard()); n != 5 {
			t.Errorf("%d frames were played", n)
		}
		_ = d.add(make([]byte, 160)) // the next sentence
		after(gateway.Frame)
		d.clear()
		d.marks.are(t, "the next sentence", "nothing", "five", "cleared 100ms, 100ms dropped", "ten", "cleared 20ms, 0s dropped")
	})
}

// TestTheGreetingWaitsUntilItIsHeard: an iPhone starts its audio late.
func TestTheGreetingWaitsUntilItIsHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &deskLine{audible: make(chan struct{})}
		p := newPacer(line, mulaw, time.Now, &budget{most: 1 << 20}, func(dialect.Event) {})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = p.run(ctx, line.Audible()) }()
		_ = p.add(make([]byte, 10*160))
		after(2 * time.Second)
		if n := len(line.heard()); n != 0 {
			t.Fatalf("%d frames were said to nobody", n)
		}
		close(line.audible)
		after(time.Second)
		said := line.heard()
		if len(said) != 10 || said[9].At.Sub(said[0].At) != 9*gateway.Frame {
			t.Errorf("%d frames", len(said))
		}
	})
}

// TestTheLastWordsArePlayed: an agent that hangs up is heard to its end.
func TestTheLastWordsArePlayed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		_ = d.add(make([]byte, 10*160+1))
		d.finish()
		after(time.Second)
		if err := <-d.ended; err != nil || len(d.line.heard()) != 11 {
			t.Errorf("%d frames, %v", len(d.line.heard()), err)
		}
	})
}

// TestWhatWaitsIsBounded for each agent and for all together.
func TestWhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	line := &deskLine{audible: make(chan struct{})}
	shared := &budget{most: 1 << 20}
	first := newPacer(line, mulaw, time.Now, shared, func(dialect.Event) {})
	second := newPacer(line, mulaw, time.Now, shared, func(dialect.Event) {})
	if err := first.add(make([]byte, 960_000)); err != nil {
		t.Errorf("two minutes: %v", err)
	}
	if err := first.add([]byte{0}); !errors.Is(err, errTooFarAhead) {
		t.Errorf("more than two minutes: %v", err)
	}
	if err := second.add(make([]byte, 200_000)); !errors.Is(err, errBusy) {
		t.Errorf("25 s when the shared memory is taken: %v", err)
	}
	if err := second.add(make([]byte, 40_000)); err != nil {
		t.Errorf("its share of 5 s: %v", err)
	}
	if used := shared.used.Load(); used != 1_000_000 {
		t.Errorf("%d bytes are counted", used)
	}
	for i := range marksMost {
		if err := second.addMark(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := second.addMark("x"); !errors.Is(err, errMarks) {
		t.Errorf("one mark too many: %v", err)
	}
}

// TestAStallIsCaughtUp: after the machine did not run for a moment, what is due leaves at once and
// nothing stays late.
func TestAStallIsCaughtUp(t *testing.T) {
	t.Parallel()
	line := newDeskLine()
	p := newPacer(line, mulaw, time.Now, &budget{most: 1 << 20}, func(dialect.Event) {})
	at := time.Now()
	p.now = func() time.Time { return at }
	_ = p.add(make([]byte, 100*160))
	step := func(want int, what string) {
		t.Helper()
		if _, _, err := p.step(at); err != nil || len(line.said) != want {
			t.Fatalf("%s: %d frames, want %d, %v", what, len(line.said), want, err)
		}
	}
	step(1, "at once")
	at = at.Add(200 * time.Millisecond)
	step(11, "after 200 ms")
	at = at.Add(5 * time.Second)
	step(12, "after 5 s, which nobody waits for")
	if gap := line.said[11].Timestamp - line.said[10].Timestamp; gap < 4*8000 {
		t.Errorf("the pause of 5 s is %d ticks", gap)
	}
}

func BenchmarkPacer(b *testing.B) {
	b.ReportAllocs()
	at := time.Now()
	p := newPacer(quietLine{newDeskLine()}, mulaw, func() time.Time { return at }, &budget{most: 1 << 20}, func(dialect.Event) {})
	sound := make([]byte, 160)
	for b.Loop() {
		if err := p.add(sound); err != nil {
			b.Fatal(err)
		}
		if _, _, err := p.step(at); err != nil {
			b.Fatal(err)
		}
		at = at.Add(gateway.Frame)
	}
}

// quietLine forgets what is said.
type quietLine struct{ *deskLine }

func (quietLine) Say(gateway.Packet) error { return nil }

// TestAgentsSoundThatComesTooLateIsMeasured: a gap in a sentence is an underrun, and a pause
// between two is not.
func TestAgentsSoundThatComesTooLateIsMeasured(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d desk) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(d.add(make([]byte, 160)))
		after(80 * time.Millisecond) // 60 ms of them are silence
		must(d.add(make([]byte, 160)))
		after(time.Second)
		must(d.add(make([]byte, 160*10)))
		after(70 * time.Millisecond)
		queued, played, g := d.measure()
		if g.underruns != 1 || g.silence != 60*time.Millisecond || played != 120*time.Millisecond || queued != 120*time.Millisecond {
			t.Errorf("%v wait, %v were played, %+v", queued, played, g)
		}
		after(time.Second)
		if queued, played, g := d.measure(); g.underruns != 0 || g.silence != 0 || played != 120*time.Millisecond || queued != 0 {
			t.Errorf("then %v wait, %v were played, %+v", queued, played, g)
		}
	})
}

// TestMeasureOfAStreamAgent: it is rated by what the person heard of it, and only while it talks.
func TestMeasureOfAStreamAgent(t *testing.T) {
	t.Parallel()
	a := &streamAgent{}
	if l := (Ready{a}).Measure(); l != (gateway.LegSample{}) {
		t.Errorf("before it talks: %+v", l)
	}
	p := newPacer(newDeskLine(), mulaw, time.Now, &budget{most: 1 << 20}, func(dialect.Event) {})
	s := &stream{pacer: p}
	s.roundTrip.Store(int64(30 * time.Millisecond))
	a.talking.Store(s)
	p.played, p.gaps = 160*40, gaps{underruns: 3, silence: 200 * time.Millisecond}
	chain := NewChain(ChainConfig{})
	chain.speaker = a
	l := chain.Measure()
	if l.Underruns != 3 || l.LossIn != 0.2 || l.RoundTrip != 30*time.Millisecond || l.MOS == 0 || l.MOS > 3 {
		t.Errorf("%+v", l)
	}
	if l := chain.Measure(); l.MOS != 0 || l.Underruns != 0 {
		t.Errorf("in silence: %+v", l)
	}
}

// TestAFrameOfAStreamAllocatesLittle: once a call runs, a frame each way costs at most one
// allocation beside what the WebSocket library needs.
func TestAFrameOfAStreamAllocatesLittle(t *testing.T) {
	at := time.Now()
	p := newPacer(quietLine{newDeskLine()}, mulaw, func() time.Time { return at }, &budget{most: 1 << 20}, func(dialect.Event) {})
	out, sound := newOutbox(), make([]byte, 160)
	var packet gateway.Packet
	var events []dialect.Event
	frame := func() {
		if err := p.add(sound); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.step(at); err != nil {
			t.Fatal(err)
		}
		at = at.Add(gateway.Frame)
		out.hear(gateway.Packet{Payload: sound})
		_, events = out.take(&packet, events)
	}
	for range 2 * soundsMost {
		frame()
	}
	if n := testing.AllocsPerRun(1000, frame); n > 1 {
		t.Errorf("%v allocations a frame", n)
	}
}
