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
		for e.Kind == gateway.Sampled && (greeted == 0 || e.Sample.Phone.MOS == 0) {
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
