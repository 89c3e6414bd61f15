package agents

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"carillon/app/agents/agentstest"
	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// world is a gateway, the services behind it, and what it takes to call their agents.
type world struct {
	gateway *gateway.Gateway
	dialled *Dialled
	openai  *agentstest.OpenAI
	pipecat *agentstest.Pipecat
}

func newWorld(t *testing.T, edit ...func(*agentstest.OpenAIConfig, *agentstest.PipecatConfig)) *world {
	t.Helper()
	w := &world{}
	var err error
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	o, p := agentstest.OpenAIConfig{}, agentstest.PipecatConfig{Headers: map[string]string{"X-Key": "k"}}
	for _, change := range edit {
		change(&o, &p)
	}
	w.openai, err = agentstest.NewOpenAI(o)
	must(err)
	w.pipecat, err = agentstest.NewPipecat(p)
	must(err)
	w.gateway, err = gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, AllowPrivate: true,
		Now: time.Now, Log: slog.New(slog.DiscardHandler), GreetWithin: 200 * time.Millisecond, RejoinWithin: 5 * time.Second})
	must(err)
	here := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	w.dialled = NewDialled(DialledConfig{Peers: w.gateway, Dialer: here, OpenAI: here, OpenAIURL: w.openai.URL(),
		Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := w.gateway.Close(); err != nil {
			t.Error(err)
		}
		w.dialled.Close()
		if err := errors.Join(w.openai.Close(), w.pipecat.Close()); err != nil {
			t.Error(err)
		}
		if v := append(w.openai.Violations(), w.pipecat.Violations()...); len(v) > 0 {
			t.Errorf("the services complain: %s", v)
		}
	})
	return w
}

// open opens an agent of the kind that the stand-in accepts.
func (w *world) open(t *testing.T, kind tenants.AgentKind) Agent {
	t.Helper()
	c := Call{Ring: "01a21a1b-4878-7000-8000-000000000002", Reference: "appt-7"}
	var a Agent
	var err error
	if kind == tenants.OpenAI {
		a, err = w.dialled.openAI(tenants.Agent{OpenAI: &tenants.OpenAIAgent{
			Model: "gpt-realtime", Voice: "marin", Instructions: "Be brief.",
		}}, "sk-test", c)
	} else {
		secret, names := tenants.WriteHeaders(map[string]string{"X-Key": "k"})
		a, err = w.dialled.pipecat(tenants.Agent{Pipecat: &tenants.PipecatAgent{URL: w.pipecat.URL(), Headers: names}}, secret, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// farEnd is what a test does with both services.
type farEnd interface {
	Calls() []string
	Running() int
	HangUp(id string)
	Fail(status int)
	Hang(on bool)
	Bot(id string) *phonetest.Bot
}

func (w *world) far(kind tenants.AgentKind) farEnd {
	if kind == tenants.OpenAI {
		return w.openai
	}
	return w.pipecat
}

// phoneCall is a phone that is connected to an agent through the gateway.
type phoneCall struct {
	*phonetest.Call
	story *story
	ended chan gateway.Event
}

// ring connects a phone with these codecs to an agent.
func (w *world) ring(t *testing.T, a Agent, codecs ...string) *phoneCall {
	t.Helper()
	return w.ringPhone(t, a, phonetest.Config{Codecs: codecs})
}

// ringPhone connects a phone to an agent.
func (w *world) ringPhone(t *testing.T, a Agent, cfg phonetest.Config) *phoneCall {
	t.Helper()
	sounds, err := NewSounds()
	if err != nil {
		t.Fatal(err)
	}
	p := &phoneCall{story: &story{}, ended: make(chan gateway.Event, 1)}
	chain := NewChain(ChainConfig{Links: []Link{{Agent: a, Name: "A", Within: time.Minute}}, Lost: tenants.LostHangUp,
		Note: p.story.note, Sounds: sounds, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(chain.Close)
	phone, err := phonetest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Call, err = phone.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		answer, err := w.gateway.Answer(ctx, gateway.Offer{Call: "c", Leg: "l", SDP: offer, Agent: chain, On: func(e gateway.Event) {
			if e.Kind == gateway.Ended {
				p.ended <- e
			}
		}})
		return answer.SDP, err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.HangUp)
	return p
}

// until waits until the phone has measured enough.
func (p *phoneCall) until(t *testing.T, what string, enough func(phonetest.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Until(ctx, enough); err != nil {
		t.Fatalf("%s: %v, %+v", what, err, p.Stats())
	}
}

func (p *phoneCall) end(t *testing.T) gateway.Event {
	t.Helper()
	select {
	case e := <-p.ended:
		return e
	case <-time.After(time.Minute):
		t.Fatal("the call does not end")
		return gateway.Event{}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(what)
		}
	}
}

var dialledKinds = []tenants.AgentKind{tenants.OpenAI, tenants.Pipecat}
