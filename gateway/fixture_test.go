package gateway_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// echoer is an agent that sends back each packet at once.
type echoer struct {
	speaks []gateway.Codec
	began  chan struct{} // closed at the first Converse
	once   *sync.Once
	times  *int
}

func newEchoer() echoer {
	return echoer{speaks: []gateway.Codec{gateway.Opus}, began: make(chan struct{}), once: new(sync.Once), times: new(int)}
}

func (e echoer) Codecs() []gateway.Codec { return e.speaks }

func (e echoer) Converse(ctx context.Context, l gateway.Line) error {
	e.once.Do(func() { close(e.began) })
	*e.times++
	for {
		p, err := l.Hear(ctx)
		if err != nil {
			return err
		}
		if err := l.Say(p); err != nil {
			return err
		}
	}
}

// agentFunc makes an agent of a function.
type agentFunc func(context.Context, gateway.Line) error

func (agentFunc) Codecs() []gateway.Codec { return []gateway.Codec{gateway.Opus} }

func (f agentFunc) Converse(ctx context.Context, l gateway.Line) error {
	select {
	case <-l.Audible():
		return f(ctx, l)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// openGateway returns a gateway on loopback; change may alter its Config.
func openGateway(t *testing.T, change func(*gateway.Config)) *gateway.Gateway {
	t.Helper()
	cfg := gateway.Config{
		UDPAddr: "127.0.0.1:0", AllowLoopback: true, AllowPrivate: true,
		Now: time.Now, Log: slog.New(slog.DiscardHandler), GreetWithin: 200 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// eventLog collects a call's events.
type eventLog chan gateway.Event

func newEventLog() eventLog { return make(eventLog, 8) }

// on keeps the event. Whether one side is silent for 3 s, and how often a call is sampled, depends
// on how busy the machine is.
func (e eventLog) on(ev gateway.Event) {
	if ev.Kind != gateway.OneWay && ev.Kind != gateway.Sampled {
		e <- ev
	}
}

// next waits for the next event and checks its kind.
func (e eventLog) next(t *testing.T, kind gateway.EventKind) gateway.Event {
	t.Helper()
	select {
	case ev := <-e:
		if ev.Kind != kind {
			t.Fatalf("event %s (%s), want %s", ev.Kind, ev.Reason, kind)
		}
		return ev
	case <-time.After(time.Minute):
		t.Fatalf("no event %s came", kind)
	}
	return gateway.Event{}
}

// ended waits for the Ended event and checks its reason.
func (e eventLog) ended(t *testing.T, reason gateway.EndReason) gateway.Event {
	t.Helper()
	ev := e.next(t, gateway.Ended)
	if ev.Reason != reason {
		t.Fatalf("ended by %s, want %s", ev.Reason, reason)
	}
	return ev
}

// answerer returns an Answerer that answers with g.
func answerer(g *gateway.Gateway, call string, a gateway.Agent, e eventLog) phonetest.Answerer {
	return func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: call, Leg: "phone", SDP: offer, Agent: a, On: e.on})
		return got.SDP, err
	}
}

func phone(t *testing.T, cfg phonetest.Config) *phonetest.Phone {
	t.Helper()
	p, err := phonetest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// call starts a call of p and hangs up when the test ends.
func call(t *testing.T, p *phonetest.Phone, a phonetest.Answerer) *phonetest.Call {
	t.Helper()
	c, err := p.Call(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HangUp)
	return c
}

// until waits until the phone has measured enough.
func until(t *testing.T, c *phonetest.Call, enough func(phonetest.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Until(ctx, enough); err != nil {
		t.Fatalf("%v; measured %+v", err, c.Stats())
	}
}

// wait waits until c is closed.
func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("waited in vain for %s", what)
	}
}

func back(n uint64) func(phonetest.Stats) bool {
	return func(s phonetest.Stats) bool { return s.Back >= n }
}
