package agents

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

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
