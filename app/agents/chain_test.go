package agents

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// actor is an agent that a test scripts. What is nil succeeds at once, or talks until the end.
type actor struct {
	codecs   []gateway.Codec
	attach   func(context.Context) error
	converse func(context.Context, gateway.Line) error
	warned   atomic.Int64
	closed   atomic.Int64
}

func (a *actor) Codecs() []gateway.Codec {
	if a.codecs == nil {
		return []gateway.Codec{gateway.PCMU}
	}
	return a.codecs
}

func (a *actor) Attach(ctx context.Context) error {
	if a.attach == nil {
		return nil
	}
	return a.attach(ctx)
}

func (a *actor) Converse(ctx context.Context, l gateway.Line) error {
	if a.converse == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return a.converse(ctx, l)
}

func (a *actor) Close() { a.closed.Add(1) }

func (a *actor) Warn(gateway.Line, time.Duration) { a.warned.Add(1) }

// tuned is an actor that gives up what it attached before the codec of the line was known.
type tuned struct{ *actor }

func (tuned) Tune(gateway.Codec) bool { return false }

// fails is an agent that cannot be attached.
func fails(cause string) *actor {
	return &actor{attach: func(context.Context) error { return &Failure{Cause: cause} }}
}

// hangs is an agent whose server never answers.
func hangs() *actor {
	return &actor{attach: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
}

// story is what a chain told the timeline.
type story struct {
	mu    sync.Mutex
	steps []string
}

func (s *story) note(k tenants.FactKind, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, string(k)+" "+detail)
}

func (s *story) has(step string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.steps, step)
}

func (s *story) want(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.steps, want) {
		t.Errorf("the timeline is\n%s\nwant\n%s", strings.Join(s.steps, "\n"), strings.Join(want, "\n"))
	}
}

func chainOf(t *testing.T, s *story, lost tenants.Lost, actors ...*actor) *Chain {
	t.Helper()
	sounds, err := NewSounds()
	if err != nil {
		t.Fatal(err)
	}
	return NewChain(ChainConfig{Links: linksOf(actors...), Lost: lost, Note: s.note, Sounds: sounds, Log: slog.New(slog.DiscardHandler)})
}

func linksOf(actors ...*actor) []Link {
	var links []Link
	for i, a := range actors {
		links = append(links, Link{Agent: a, Name: string(rune('A' + i)), Within: 5 * time.Second})
	}
	return links
}

// sourcesOf are the sources of what a line said, each once, in order.
func sourcesOf(l *deskLine) []uint32 {
	var all []uint32
	for _, p := range l.heard() {
		if !slices.Contains(all, p.Source) {
			all = append(all, p.Source)
		}
	}
	return all
}

// TestTheNextAgentTakesTheCall: one hangs, one refuses, the third talks. Meanwhile there is a tone,
// and the third hears what the person said first.
func TestTheNextAgentTakesTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		first, second := hangs(), fails("its server answered 503")
		var heard []byte
		third := &actor{converse: func(ctx context.Context, l gateway.Line) error {
			defer l.Attend(func(p gateway.Packet) { heard = append(heard, p.Payload...) })()
			_ = l.Say(gateway.Packet{Source: 1, Payload: []byte{7}})
			return nil
		}}
		l, c := newDeskLine(), chainOf(t, &s, tenants.LostMessage, first, second, third)
		go func() {
			<-time.After(time.Second) // the hold listens since half a second
			for i := range 200 {
				l.hear(gateway.Packet{Source: 5, Sequence: uint16(i), Payload: []byte{byte(i)}})
			}
		}()
		began := time.Now()
		if err := c.Converse(t.Context(), l); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the third agent talked after %v", took)
		}
		if len(heard) != keptMost || heard[0] != 0 || heard[keptMost-1] != keptMost-1 {
			t.Errorf("the agent heard %d packets: %v", len(heard), heard)
		}
		if got := sourcesOf(l); len(got) != 2 || got[0] != toneSource {
			t.Errorf("the person heard %v", got)
		}
		c.Close()
		for i, a := range []*actor{first, second, third} {
			if a.closed.Load() == 0 {
				t.Errorf("agent %d was not closed", i)
			}
		}
		s.want(t, "agent_failed A: it was not there within 5s", "agent_failed B: its server answered 503", "agent_attached C")
	})
}

// TestTheToneLastsUntilSomebodyTalks: over several agents that are not there, without a break.
func TestTheToneLastsUntilSomebodyTalks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		third := &actor{converse: func(context.Context, gateway.Line) error { return nil }}
		l, began := newDeskLine(), time.Now()
		if err := chainOf(t, &s, tenants.LostMessage, hangs(), hangs(), third).Converse(t.Context(), l); err != nil {
			t.Error(err)
		}
		tone, last := 0, time.Time{}
		for _, p := range l.heard() {
			if p.Source == toneSource {
				tone++
				last = p.At
			}
		}
		if since := time.Since(began); since != 10*time.Second || tone < 470 || time.Since(last) > 100*time.Millisecond {
			t.Errorf("%d packets of the tone in %v, the last %v ago", tone, since, time.Since(last))
		}
	})
}

// TestALostAgentIsReplaced: mid-word, and what the lost one still says and hears has no effect.
func TestALostAgentIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		var stale gateway.Line
		var leave func()
		first := &actor{converse: func(_ context.Context, l gateway.Line) error {
			stale, leave = l, l.Attend(func(gateway.Packet) { t.Error("a lost agent hears") })
			_ = l.Say(gateway.Packet{Source: 1, Sequence: 900})
			return &Failure{Cause: broken}
		}}
		heard := 0
		l := newDeskLine()
		second := &actor{converse: func(_ context.Context, line gateway.Line) error {
			defer line.Attend(func(gateway.Packet) { heard++ })()
			leave()
			if err := stale.Say(gateway.Packet{Source: 1}); !errors.Is(err, gateway.ErrLineEnded) {
				t.Errorf("a lost agent says: %v", err)
			}
			l.hear(gateway.Packet{Source: 5})
			return line.Say(gateway.Packet{Source: 1, Sequence: 1})
		}}
		if err := chainOf(t, &s, tenants.LostMessage, first, second).Converse(t.Context(), l); err != nil || heard != 1 {
			t.Errorf("%v, heard %d", err, heard)
		}
		if got := sourcesOf(l); len(got) != 2 {
			t.Errorf("two agents have the sources %v: the phone's numbers would jump", got)
		}
		s.want(t, "agent_attached A", "agent_lost A: "+broken, "agent_attached B")
	})
}

// TestNobodyIsLeft: a message or not, as the agent says, and the error is the last agent's.
func TestNobodyIsLeft(t *testing.T) {
	t.Parallel()
	for _, lost := range []tenants.Lost{tenants.LostMessage, tenants.LostHangUp} {
		synctest.Test(t, func(t *testing.T) {
			var s story
			unopened := Link{Err: errors.New("no key"), Name: "Z", Within: time.Second}
			other := &actor{codecs: []gateway.Codec{gateway.Opus}}
			l, c := newDeskLine(), chainOf(t, &s, lost, other, fails("away"))
			c.links = append([]Link{unopened}, c.links...)
			var f *Failure
			if err := c.Converse(t.Context(), l); !errors.As(err, &f) || f.Cause != "away" {
				t.Error(err)
			}
			if said := len(sourcesOf(l)) > 0; said != (lost == tenants.LostMessage) {
				t.Errorf("%s: a message was played: %v", lost, said)
			}
			s.want(t, "agent_failed Z: an error of this server; its log says more",
				"agent_failed A: it does not speak PCMU, the codec of this call", "agent_failed B: away")
		})
	}
}

// TestAnAgentIsAttachedBeforeTheAnswer: at the answer it talks at once. One that failed early gets
// another try, and so does one with another codec.
func TestAnAgentIsAttachedBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		began := time.Now()
		a := &actor{attach: func(ctx context.Context) error { <-time.After(3 * time.Second); return ctx.Err() },
			converse: func(context.Context, gateway.Line) error { return nil }}
		c := chainOf(t, &s, tenants.LostHangUp, a)
		c.Begin()
		c.Begin()
		<-time.After(4 * time.Second)
		if err := c.Converse(t.Context(), newDeskLine()); err != nil || time.Since(began) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		s.want(t, "agent_attached A")

		tries := 0
		again := &actor{attach: func(context.Context) error {
			if tries++; tries == 1 {
				return &Failure{Cause: "starting"}
			}
			return nil
		}, converse: func(context.Context, gateway.Line) error { return nil }}
		c = chainOf(t, &s, tenants.LostHangUp, again)
		c.Begin()
		synctest.Wait()
		if err := c.Converse(t.Context(), newDeskLine()); err != nil || tries != 2 {
			t.Errorf("%v after %d tries", err, tries)
		}

		tries = 1 // all succeed
		c = chainOf(t, &s, tenants.LostHangUp, again)
		c.links[0].Agent = tuned{again}
		c.Begin()
		synctest.Wait()
		if err := c.Converse(t.Context(), newDeskLine()); err != nil || tries != 3 {
			t.Errorf("attached with another codec: %v after %d tries", err, tries-1)
		}
	})
}

// TestACallThatNobodyAnswersHoldsNothing: Close ends an early attachment and closes the agents.
func TestACallThatNobodyAnswersHoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		there, waiting := &actor{}, hangs()
		for _, a := range []*actor{there, waiting} {
			c := chainOf(t, &s, tenants.LostMessage, a, &actor{})
			c.Begin()
			synctest.Wait()
			c.Close()
			c.Close()
			c.Begin()
			if a.closed.Load() != 1 {
				t.Errorf("closed %d times", a.closed.Load())
			}
		}
	})
}

// TestTransferGivesTheLineAway: also when the agent hangs up right after it asked.
func TestTransferGivesTheLineAway(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var s story
			var c *Chain
			first := &actor{converse: func(ctx context.Context, l gateway.Line) error {
				talks := &actor{converse: func(context.Context, gateway.Line) error { return nil }}
				if !c.Transfer([]Link{
					{Agent: fails("away"), Name: "X", Within: time.Second}, {Agent: talks, Name: "Y", Within: time.Second},
				}, tenants.LostHangUp) {
					t.Error("the transfer was refused")
				}
				if c.Transfer(nil, tenants.LostHangUp) {
					t.Error("two transfers at once")
				}
				if stays {
					<-ctx.Done()
				}
				return ctx.Err()
			}}
			unused := &actor{}
			c = chainOf(t, &s, tenants.LostMessage, first, unused)
			if c.Transfer(nil, tenants.LostHangUp) {
				t.Error("a transfer before the call")
			}
			if err := c.Converse(t.Context(), newDeskLine()); err != nil {
				t.Error(err)
			}
			if unused.closed.Load() == 0 || first.closed.Load() == 0 {
				t.Error("the agents before the transfer were not closed")
			}
			s.want(t, "agent_attached A", "agent_failed X: away", "agent_attached Y")
		})
	}
}

// TestThePresentAgentIsWarned, and no other one.
func TestThePresentAgentIsWarned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		first, second := fails("away"), &actor{}
		c := chainOf(t, &s, tenants.LostMessage, first, second)
		c.Warn(nil, time.Minute)
		ctx, hangUp := context.WithCancel(t.Context())
		done := converseChain(ctx, c)
		synctest.Wait()
		c.Warn(nil, time.Minute)
		hangUp()
		if err := <-done; !errors.Is(err, context.Canceled) || first.warned.Load() != 0 || second.warned.Load() != 1 {
			t.Errorf("%v, warned %d and %d times", err, first.warned.Load(), second.warned.Load())
		}
	})
}

func converseChain(ctx context.Context, c *Chain) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Converse(ctx, newDeskLine()) }()
	return done
}

// TestOnePanicIsOneLostAgent: the next one talks.
func TestOnePanicIsOneLostAgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		first := &actor{converse: func(context.Context, gateway.Line) error { panic("oh") }}
		second := &actor{converse: func(context.Context, gateway.Line) error { return nil }}
		if err := chainOf(t, &s, tenants.LostMessage, first, second).Converse(t.Context(), newDeskLine()); err != nil {
			t.Error(err)
		}
		s.want(t, "agent_attached A", "agent_lost A: an error of this server; its log says more", "agent_attached B")
	})
}

// TestCodecsOfAChain: the first agent decides, the others choose among its codecs.
func TestCodecsOfAChain(t *testing.T) {
	t.Parallel()
	opus, pcmu, pcma := gateway.Opus, gateway.PCMU, gateway.PCMA
	for _, c := range []struct{ first, second, third, want []gateway.Codec }{
		{[]gateway.Codec{pcmu}, []gateway.Codec{opus}, nil, []gateway.Codec{pcmu, opus}},
		{[]gateway.Codec{opus, pcmu}, []gateway.Codec{pcmu}, nil, []gateway.Codec{pcmu, opus}},
		{[]gateway.Codec{opus}, []gateway.Codec{pcmu}, []gateway.Codec{pcma, pcmu}, []gateway.Codec{opus, pcmu, pcma}},
	} {
		var s story
		chain := chainOf(t, &s, tenants.LostMessage, &actor{codecs: c.first}, &actor{codecs: c.second})
		if c.third != nil {
			chain.cfg.Links = append(chain.cfg.Links, Link{Agent: &actor{codecs: c.third}})
		}
		if got := chain.Codecs(); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	none := NewChain(ChainConfig{Links: []Link{{Err: errors.New("no key")}}})
	if got := none.Codecs(); len(got) != 4 {
		t.Errorf("a chain without an agent says sorry in %v", got)
	}
}

// TestEachAttachmentIsTold: to whom asked, once, and the loss of an agent is no attachment.
func TestEachAttachmentIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		lost := &actor{converse: func(context.Context, gateway.Line) error { return &Failure{Cause: "its server closed"} }}
		c := chainOf(t, &s, tenants.LostHangUp, fails("away"), lost)
		var told []string
		for i := range c.links {
			c.links[i].Tried = func(err error) {
				if err != nil {
					told = append(told, CauseOf(err))
				} else {
					told = append(told, "attached")
				}
			}
		}
		_ = c.Converse(t.Context(), newDeskLine())
		if !slices.Equal(told, []string{"away", "attached"}) {
			t.Errorf("told %q", told)
		}
	})
}
