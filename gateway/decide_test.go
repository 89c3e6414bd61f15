package gateway_test

import (
	"context"
	"errors"
	"testing"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// TestADecisionAgainstTheCall: nothing is left of it, and another phone may begin the call.
func TestADecisionAgainstTheCall(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.MaxCalls = 1 }), newEventLog()
	late := errors.New("another phone was sooner")
	for name, decide := range map[string]func() (gateway.Agent, gateway.Tap, error){
		"refused":  func() (gateway.Agent, gateway.Tap, error) { return nil, nil, late },
		"panicked": func() (gateway.Agent, gateway.Tap, error) { panic("no answer") },
		"nobody":   func() (gateway.Agent, gateway.Tap, error) { return nil, nil, nil },
	} {
		_, err := g.Answer(t.Context(), gateway.Offer{Call: "ring", Leg: "slow", SDP: offer(t), Agent: newEchoer(),
			On: e.on, Decide: decide})
		if err == nil || name == "refused" && !errors.Is(err, late) {
			t.Errorf("%s: answered with %v", name, err)
		}
		if _, there := g.CodecOf("ring"); there || len(g.Calls()) != 0 {
			t.Errorf("%s: there is a call", name)
		}
	}
	a := newEchoer()
	c := call(t, phone(t, phonetest.Config{}), func(ctx context.Context, sdp string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: sdp, Agent: newEchoer(), On: e.on,
			Decide: func() (gateway.Agent, gateway.Tap, error) { return a, nil, nil }})
		return got.SDP, err
	})
	until(t, c, back(3))
	wait(t, a.began, "the agent of the decision")
}

// TestLimitsComeBeforeTheDecision: what cannot be carried is refused before anything is decided,
// and a call that waits for its decision counts.
func TestLimitsComeBeforeTheDecision(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.MaxCalls = 1 }), newEventLog()
	asked := 0
	answer := func(name, sdp string, decide func() error) error {
		_, err := g.Answer(t.Context(), gateway.Offer{Call: name, Leg: "phone", SDP: sdp, Agent: newEchoer(), On: e.on,
			Decide: func() (gateway.Agent, gateway.Tap, error) { asked++; return newEchoer(), nil, decide() }})
		return err
	}
	yes := func() error { return nil }
	if err := answer("bad", "v=0", yes); gateway.Reason(err) == "" || asked != 0 {
		t.Errorf("a bad offer: %v, asked %d times", err, asked)
	}
	second := offer(t)
	no := errors.New("no")
	err := answer("first", offer(t), func() error {
		if err := answer("second", second, yes); gateway.Reason(err) != gateway.Full {
			t.Errorf("one more than MaxCalls: %v", err)
		}
		return no
	})
	if !errors.Is(err, no) || asked != 1 {
		t.Errorf("answered with %v, asked %d times", err, asked)
	}
	if err := answer("second", second, yes); err != nil || asked != 2 {
		t.Errorf("after the first was given up: %v, asked %d times", err, asked)
	}
}

// TestOnePhoneAnswersTwiceAtOnce: while one answer is decided another one begins the call. The
// first then joins it.
func TestOnePhoneAnswersTwiceAtOnce(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	a, p := newEchoer(), phone(t, phonetest.Config{})
	inner := (*phonetest.Call)(nil)
	outer := call(t, p, func(ctx context.Context, sdp string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: sdp, Agent: newEchoer(), On: newEventLog().on,
			Decide: func() (gateway.Agent, gateway.Tap, error) {
				inner = call(t, p, answerer(g, "ring", a, e))
				until(t, inner, back(3))
				return newEchoer(), nil, nil
			}})
		return got.SDP, err
	})
	until(t, outer, back(5))
	wait(t, inner.Closed(), "the leg before to be closed")
	if *a.times != 1 || len(g.Calls()) != 1 || g.Calls()[0].Quality.Legs != 2 {
		t.Errorf("the agent was started %d times; calls %+v", *a.times, g.Calls())
	}
}

func offer(t *testing.T) string {
	t.Helper()
	sdp, err := phone(t, phonetest.Config{}).Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sdp
}
