package agents

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/gateway"
)

const (
	// holdAfter is how long the person may hear nothing before the tone begins. An agent that
	// attaches sooner is not preceded by half a tone.
	holdAfter = 500 * time.Millisecond
	// keptMost is how many packets of the person wait for an agent: 2.56 s, as on a line.
	keptMost = 128
	// lastTail is how long a phone may still play what was sent last.
	lastTail = 300 * time.Millisecond
)

// Sources of our own packets on a line.
const (
	toneSource  = 1<<32 - 2
	sorrySource = 1<<32 - 3
)

// Sounds are what a person hears when no agent talks.
type Sounds struct {
	tone  map[gateway.Codec][][]byte // repeated while the call waits for an agent
	sorry map[gateway.Codec][][]byte // says that nobody can take the call
}

// NewSounds reads the recordings.
func NewSounds() (*Sounds, error) {
	s := &Sounds{tone: map[gateway.Codec][][]byte{}, sorry: map[gateway.Codec][][]byte{}}
	for _, c := range []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.PCMA, gateway.G722} {
		var err error
		if s.tone[c], err = readSound(gateway.Tone, c); err != nil {
			return nil, fmt.Errorf("agents: %w", err)
		}
		if s.sorry[c], err = readSound(gateway.Sorry, c); err != nil {
			return nil, fmt.Errorf("agents: %w", err)
		}
	}
	return s, nil
}

// play says frames on the line, each at its own time.
func play(ctx context.Context, l gateway.Line, source uint32, from int, frames [][]byte) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	began := time.Now()
	for i, frame := range frames {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		n := from + i
		err := l.Say(gateway.Packet{
			Source: source, Sequence: uint16(n), Timestamp: uint32(n) * l.Codec().FrameTicks(), Payload: frame,
		})
		if err != nil {
			return err
		}
		timer.Reset(time.Until(began.Add(time.Duration(i+1) * gateway.Frame)))
	}
	return nil
}

// hold keeps a line that has no agent: it plays the tone, and keeps what the person says first.
type hold struct {
	leave func()
	stop  context.CancelFunc
	done  chan struct{}

	mu   sync.Mutex // guards kept
	kept []gateway.Packet
}

// holdLine begins to hold l. End it.
func (c *Chain) holdLine(ctx context.Context, l gateway.Line) *hold {
	ctx, stop := context.WithCancel(ctx)
	h := &hold{stop: stop, done: make(chan struct{})}
	h.leave = l.Attend(h.keep)
	c.running.Go(func() {
		defer close(h.done)
		tone := c.cfg.Sounds.tone[l.Codec()]
		select {
		case <-l.Audible():
		case <-ctx.Done():
			return
		}
		_ = safely(c.cfg.Log, func() error { // the log has it; a call can do without the tone
			for n := 0; len(tone) > 0 && play(ctx, l, toneSource, n, tone) == nil; n += len(tone) {
			}
			return nil
		})
	})
	return h
}

func (h *hold) keep(p gateway.Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.kept) < keptMost {
		p.Payload = slices.Clone(p.Payload)
		h.kept = append(h.kept, p)
	}
}

// end stops the tone and returns what the person said. A nil hold has nothing.
func (h *hold) end() []gateway.Packet {
	if h == nil {
		return nil
	}
	h.stop()
	<-h.done
	h.leave()
	return h.kept
}

// seat is the line as one agent of a chain sees it. When its agent is replaced it is ended, and
// whatever the agent still does has no effect.
type seat struct {
	gateway.Line        // only its Codec, Audible and Press are called directly
	salt         uint32 // makes this agent's sources differ from those of the one before
	over         chan struct{}

	mu    sync.Mutex // guards the rest, and is never held while sound passes
	kept  []gateway.Packet
	leave func() // of the present listener; nil = none
	ended bool
}

func newSeat(l gateway.Line, number int, kept []gateway.Packet) *seat {
	return &seat{Line: l, salt: uint32(number) * 0x9e3779b9, kept: kept, over: make(chan struct{})}
}

// Say drops what an agent says that was replaced.
func (s *seat) Say(p gateway.Packet) error {
	select {
	case <-s.over:
		return gateway.ErrLineEnded
	default:
	}
	p.Source ^= s.salt
	return s.Line.Say(p)
}

// Press presses no key for an agent that was replaced.
func (s *seat) Press(digit byte) error {
	select {
	case <-s.over:
		return gateway.ErrLineEnded
	default:
		return s.Line.Press(digit)
	}
}

// Hear returns what was kept first.
func (s *seat) Hear(ctx context.Context) (gateway.Packet, error) {
	s.mu.Lock()
	if len(s.kept) > 0 && !s.ended {
		p := s.kept[0]
		s.kept = s.kept[1:]
		s.mu.Unlock()
		return p, nil
	}
	ended := s.ended
	s.mu.Unlock()
	if ended {
		return gateway.Packet{}, gateway.ErrLineEnded
	}
	return s.Line.Hear(ctx)
}

// Attend passes on what was kept first.
func (s *seat) Attend(f func(gateway.Packet)) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return func() {}
	}
	for _, p := range s.kept {
		f(p)
	}
	s.kept = nil
	inner := s.Line.Attend(f)
	s.leave = inner
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ended {
			inner()
		}
	}
}

// end takes the line from the agent.
func (s *seat) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	close(s.over)
	if s.leave != nil {
		s.leave()
	}
}
