package gateway_test

import (
	"context"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// measured is an echo that measures its leg.
type measured struct{ echoer }

func (measured) Measure() gateway.LegSample { return gateway.LegSample{MOS: 4, Underruns: 1} }

// faulty is an echo whose measuring panics.
type faulty struct{ echoer }

func (faulty) Measure() gateway.LegSample { panic("no figures") }

// TestCallIsSampled: samples come while the call lasts and before its end, and an agent that panics
// in one of them does no harm.
func TestCallIsSampled(t *testing.T) {
	t.Parallel()
	g := openGateway(t, func(c *gateway.Config) { c.SampleEvery = 100 * time.Millisecond })
	phone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, agent := range map[string]gateway.Agent{"measured": measured{newEchoer()}, "faulty": faulty{newEchoer()}} {
		events := make(chan gateway.Event, 4096)
		c, err := phone.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
			a, err := g.Answer(ctx, gateway.Offer{Call: name, Leg: "phone", SDP: offer, Agent: agent,
				On: func(e gateway.Event) { events <- e }})
			return a.SDP, err
		})
		if err != nil {
			t.Fatal(err)
		}
		next := func() gateway.Event {
			for {
				select {
				case e := <-events:
					if e.Kind == gateway.Sampled || e.Kind == gateway.Ended {
						return e
					}
				case <-time.After(time.Minute):
					t.Fatal("no event")
				}
			}
		}
		e := next()
		greeted := e.Sample.FirstAudio
		// A machine that stood still sounds bad for a moment.
		late := time.Now().Add(time.Minute)
		for e.Kind == gateway.Sampled && (greeted == 0 || e.Sample.Phone.MOS < 3) && time.Now().Before(late) {
			e = next()
			if s := e.Sample.FirstAudio; s != 0 && greeted != 0 {
				t.Errorf("%s: two first sounds", name)
			} else if s != 0 {
				greeted = s
			}
		}
		if s := e.Sample; s.Phone.MOS < 3 || greeted <= 0 || greeted > time.Minute || s.Phone.LossIn > 0.5 {
			t.Errorf("%s: %+v, first sound after %v", name, s, greeted)
		}
		if a := e.Sample.Agent; name == "measured" && (a.MOS != 4 || a.Underruns != 1) || name == "faulty" && a.MOS != 0 {
			t.Errorf("%s: the agent's leg: %+v", name, a)
		}
		c.HangUp()
		for e = next(); e.Kind != gateway.Ended; e = next() {
		}
		if e.Reason != gateway.PhoneHungUp {
			t.Errorf("%s: ended by %s", name, e.Reason)
		}
	}
}

// polite talks until it hears a loud packet, and then is silent, as Opus is: packets of one to
// three bytes.
func polite(ctx context.Context, l gateway.Line) error {
	word := make([]byte, 60)
	for {
		p, err := l.Hear(ctx)
		if err != nil {
			return err
		}
		if p.Level != 0 && p.Level > -40 {
			word = []byte{0xf8, 0xff, 0xfe}
		}
		p.Payload, p.Level = word, 0 // nobody says how loud an agent is
		if err := l.Say(p); err != nil {
			return err
		}
	}
}

// TestBargeInOfAPhone: a phone that says how loud its Opus is speaks over the agent, and the call
// measures how soon the agent was silent. Of a phone that does not say it nothing is measured.
func TestBargeInOfAPhone(t *testing.T) {
	t.Parallel()
	const quiet, loud = 90, 25
	for name, level := range map[string]func(uint64) uint8{
		"says its level": func(n uint64) uint8 {
			if n < 25 {
				return quiet
			}
			return loud
		},
		"says nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := openGateway(t, func(c *gateway.Config) { c.SampleEvery = 100 * time.Millisecond })
			found := make(chan []time.Duration, 64)
			p := phone(t, phonetest.Config{Level: level, Packets: 150})
			c := call(t, p, func(ctx context.Context, offer string) (string, error) {
				a, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: agentFunc(polite),
					On: func(e gateway.Event) {
						if e.Kind == gateway.Ended || e.Kind == gateway.Sampled && len(e.Sample.BargeIns) > 0 {
							found <- e.Sample.BargeIns
						}
					}})
				return a.SDP, err
			})
			if level == nil {
				until(t, c, func(s phonetest.Stats) bool { return s.PacketsIn >= 100 })
				c.HangUp()
			}
			select {
			case got := <-found:
				if level == nil && len(got) > 0 || level != nil && (len(got) != 1 || got[0] > 20*time.Second) {
					t.Errorf("barge-ins: %v", got)
				}
			case <-time.After(time.Minute):
				t.Fatal("no barge-in was measured")
			}
		})
	}
}
