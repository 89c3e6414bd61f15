package agents

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
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

// TestADialledAgentGreetsAndHears: the greeting is heard, then the echo, in each codec, and the
// phone's hang-up ends it at the service too.
func TestADialledAgentGreetsAndHears(t *testing.T) {
	t.Parallel()
	for _, kind := range dialledKinds {
		for _, codec := range []string{"opus", "PCMU", "PCMA"} {
			t.Run(string(kind)+" "+codec, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				p := w.ring(t, w.open(t, kind), codec)
				p.until(t, "greeting", func(s phonetest.Stats) bool { return s.Sounding > 30 })
				p.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 10 })
				id := w.far(kind).Calls()[0]
				if kind == tenants.Pipecat {
					eventually(t, "no pings", func() bool { return w.pipecat.Pings(id) > 1 })
				} else if s := w.openai.Session(id); s.Audio.Output.Voice != "marin" || s.Instructions != "Be brief." {
					t.Errorf("session %+v", s)
				}
				p.HangUp()
				p.end(t)
				eventually(t, "the service keeps the call", func() bool { return w.far(kind).Running() == 0 })
				if kind == tenants.OpenAI {
					eventually(t, "no hang-up", func() bool { return slices.Equal(w.openai.HungUp(), []string{id}) })
				}
				p.story.want(t, "agent_attached A")
			})
		}
	}
}

// TestADialledAgentHangsUp: the call ends as one that the agent ended.
func TestADialledAgentHangsUp(t *testing.T) {
	t.Parallel()
	for _, kind := range dialledKinds {
		w := newWorld(t)
		p := w.ring(t, w.open(t, kind), "opus")
		// On a busy machine the tone sounds before the greeting does. An agent that closes before
		// it is connected cannot say so.
		eventually(t, "the agent is not attached", func() bool { return p.story.has("agent_attached A") })
		p.until(t, "greeting", func(s phonetest.Stats) bool { return s.Sounding > 3 })
		id := w.far(kind).Calls()[0]
		if kind == tenants.Pipecat {
			w.pipecat.Leave(id)
		} else {
			w.openai.HangUp(id)
		}
		if e := p.end(t); e.Reason != gateway.AgentHungUp {
			t.Errorf("%s: %+v", kind, e)
		}
	}
}

// TestADialledAgentThatFails: the timeline says cause and cure, in our words.
func TestADialledAgentThatFails(t *testing.T) {
	t.Parallel()
	for _, kind := range dialledKinds {
		w := newWorld(t)
		for status, want := range map[int]string{
			401: "401", 403: "403", 404: "404", 429: "429", 500: "500", 503: "503", 302: "redirect", 400: "400", 418: "418",
		} {
			w.far(kind).Fail(status)
			a := w.open(t, kind)
			var f *Failure
			err := a.Attach(t.Context())
			if !errors.As(err, &f) || !strings.Contains(f.Cause, want) || strings.Contains(err.Error(), "secret words") {
				t.Errorf("%s %d: %v", kind, status, err)
			}
			a.Close()
		}
		w.far(kind).Fail(0)
		w.far(kind).Hang(true)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := w.open(t, kind).Attach(ctx); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
			t.Errorf("%s: %v", kind, err)
		}
		cancel()
		w.far(kind).Hang(false)
		if w.far(kind).Running() != 0 {
			t.Errorf("%s: a call runs", kind)
		}
	}
}

// TestAWrongKeyAndAnUnknownModel are told apart.
func TestAWrongKeyAndAnUnknownModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, q := range []struct{ key, model, want string }{
		{"sk-other", "gpt-realtime", "the API key is wrong or was revoked"}, {"sk-test", "gpt-unreal", "there is no such model"},
	} {
		a, err := w.dialled.openAI(tenants.Agent{OpenAI: &tenants.OpenAIAgent{Model: q.model}}, q.key, Call{})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Attach(t.Context()); err == nil || !strings.Contains(err.Error(), q.want) || strings.Contains(err.Error(), "sk-") {
			t.Errorf("%v", err)
		}
	}
	if _, err := w.dialled.openAI(tenants.Agent{OpenAI: &tenants.OpenAIAgent{}}, "", Call{}); err == nil {
		t.Error("an agent without a key was opened")
	}
}

// TestNoCreditEndsTheAgent: the session stays, but nothing would be heard.
func TestNoCreditEndsTheAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ring(t, w.open(t, tenants.OpenAI), "opus")
	p.until(t, "greeting", func(s phonetest.Stats) bool { return s.Sounding > 3 })
	err := w.openai.Bot(w.openai.Calls()[0]).Say(`{"type":"response.done","response":{"status":"failed",
		"status_details":{"error":{"code":"insufficient_quota"}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if e := p.end(t); e.Reason != gateway.AgentFailed {
		t.Errorf("%+v", e)
	}
	p.story.want(t, "agent_attached A", "agent_lost A: OpenAI stopped answering: the account has no credit left; add some at OpenAI")
}

// TestADialledAgentAttachedEarly has its codec; a phone that has another one still gets it.
func TestADialledAgentAttachedEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.open(t, tenants.OpenAI)
	if err := a.Attach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.Codecs(); len(got) != 3 || got[0] != gateway.Opus {
		t.Errorf("codecs %v", got)
	}
	line := newDeskLine() // PCMU
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Converse(ctx, line) }()
	eventually(t, "no sound in the codec of the line", func() bool { return len(line.heard()) > 5 })
	stop()
	if err := result(t, done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "no hang-up", func() bool { return len(w.openai.HungUp()) == 2 })
	eventually(t, "a session stays", func() bool { return w.openai.Running() == 0 })
}

// TestAnEarlyAgentThatDoesNotAnswerAgain: it was attached in another codec than the phone's. When
// it does not answer within its time, the call goes to the next agent.
func TestAnEarlyAgentThatDoesNotAnswerAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range dialledKinds {
		a := w.open(t, kind)
		if err := a.Attach(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a, ok := a.(*openAI); ok {
			a.within = 100 * time.Millisecond
		}
		if a, ok := a.(*pipecat); ok {
			a.within = 100 * time.Millisecond
		}
		w.far(kind).Hang(true)
		done := make(chan error, 1)
		go func() { done <- a.Converse(t.Context(), newDeskLine()) }() // PCMU
		var f *Failure
		if err := result(t, done); !errors.As(err, &f) || !strings.Contains(f.Cause, "did not answer in time") {
			t.Errorf("%s: %v", kind, err)
		}
		w.far(kind).Hang(false)
		a.Close()
	}
	if b, o := w.dialled.bots.Timeout, w.dialled.openai.Timeout; b == 0 || o == 0 {
		t.Errorf("requests may take for ever: %v, %v", b, o)
	}
}

// TestAnAgentThatNeverTalkedIsClosed at the service too.
func TestAnAgentThatNeverTalkedIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range dialledKinds {
		a := w.open(t, kind)
		if err := a.Attach(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Close()
		a.Close()
		eventually(t, "the call runs on", func() bool { return w.far(kind).Running() == 0 })
	}
}

// TestAPipecatBotAsksForAnOffer: it gets one over the same connection, and the sound goes on.
func TestAPipecatBotAsksForAnOffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ring(t, w.open(t, tenants.Pipecat), "opus")
	p.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	id := w.pipecat.Calls()[0]
	bot := w.pipecat.Bot(id)
	if err := w.pipecat.Renegotiate(id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no second offer", func() bool { return bot.Offers() == 2 })
	before := p.Stats().Back
	p.until(t, "echo after it", func(s phonetest.Stats) bool { return s.Back > before+20 })
	if len(w.pipecat.Calls()) != 1 || w.pipecat.Bot(id) != bot {
		t.Error("another connection was made")
	}
}

// TestAPipecatBotComesBack: a connection that breaks off is replaced by another one of the same
// session, in the same call.
func TestAPipecatBotComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ring(t, w.open(t, tenants.Pipecat), "opus")
	p.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	id := w.pipecat.Calls()[0]
	gone := w.pipecat.Bot(id)
	gone.Vanish()
	eventually(t, "no other connection", func() bool { b := w.pipecat.Bot(id); return b != nil && b != gone })
	before := p.Stats().Back
	p.until(t, "echo after it", func(s phonetest.Stats) bool { return s.Back > before+10 })
	p.story.want(t, "agent_attached A")
	if calls := w.pipecat.Calls(); len(calls) != 1 {
		t.Errorf("sessions %v", calls)
	}
}

// TestADialledAgentIsLost: a model that breaks off is not called again, and the timeline says so.
func TestADialledAgentIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ring(t, w.open(t, tenants.OpenAI), "opus")
	p.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	w.openai.Bot(w.openai.Calls()[0]).Vanish()
	if e := p.end(t); e.Reason != gateway.AgentFailed {
		t.Errorf("%+v", e)
	}
	p.story.want(t, "agent_attached A",
		"agent_lost A: the connection for sound to the agent was lost and did not come back; check its server and network")
}

// TestASessionWhoseAnswerBreaksOffIsHungUp: it was made, and OpenAI would go on to charge it.
func TestASessionWhoseAnswerBreaksOffIsHungUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hungUp := make(chan string, 1)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/hangup") {
			hungUp <- r.URL.Path
			return
		}
		w.Header().Set("Location", "/v1/realtime/calls/rtc_1")
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("v=0")) // then the connection is closed
	}))
	defer far.Close()
	w.dialled.cfg.OpenAIURL = far.URL
	var f *Failure
	if err := w.open(t, tenants.OpenAI).Attach(t.Context()); !errors.As(err, &f) {
		t.Errorf("attached: %v", err)
	}
	select {
	case got := <-hungUp:
		if got != "/realtime/calls/rtc_1/hangup" {
			t.Error(got)
		}
	case <-time.After(time.Minute):
		t.Error("the session was not hung up")
	}
}

// confused is a service that panics at each message.
type confused struct{ service }

func (confused) text(string) { panic("oh") }

// TestAPanicEndsOneDialledAgent: a message that makes us panic ends the call with its agent, and
// nothing else.
func TestAPanicEndsOneDialledAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.open(t, tenants.Pipecat).(*pipecat)
	a.service = confused{a.service}
	p := w.ring(t, a, "opus")
	p.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	if err := w.pipecat.Renegotiate(w.pipecat.Calls()[0]); err != nil {
		t.Fatal(err)
	}
	if e := p.end(t); e.Reason != gateway.AgentFailed || !strings.Contains(e.Err.Error(), "panicked") {
		t.Errorf("%+v", e)
	}
}

// documentedAnswer is the answer in OpenAI's reference of POST /v1/realtime/calls.
const documentedAnswer = `v=0
o=- 4227147428 1719357865 IN IP4 127.0.0.1
s=-
c=IN IP4 0.0.0.0
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
a=fingerprint:sha-256 CA:92:52:51:B4:91:3B:34:DD:9C:0B:FB:76:19:7E:3B:F1:21:0F:32:2C:38:01:72:5D:3F:78:C7:5F:8B:C7:36
m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8
a=mid:0
a=ice-ufrag:kZ2qkHXX/u11
a=ice-pwd:uoD16Di5OGx3VbqgA3ymjEQV2kwiOjw6
a=setup:active
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=candidate:993865896 1 udp 2130706431 4.155.146.196 3478 typ host ufrag kZ2qkHXX/u11
a=candidate:1432411780 1 tcp 1671430143 4.155.146.196 443 typ host tcptype passive ufrag kZ2qkHXX/u11
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:1
a=sctp-port:5000
`

// TestTheDocumentedAnswerIsTaken: what OpenAI's reference shows, in the order of the codecs that we
// want, and with one line end or the other.
func TestTheDocumentedAnswerIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, answer := range []string{documentedAnswer, strings.ReplaceAll(documentedAnswer, "\n", "\r\n")} {
		p, _, err := w.gateway.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: dialledCodecs, Channel: "oai-events"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Accept(t.Context(), answer); err != nil {
			t.Error(err)
		}
		if got := p.Codecs(); len(got) != 1 || got[0] != gateway.Opus {
			t.Errorf("codecs %v", got)
		}
		p.Close()
	}
}
