package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/app/agents/agentstest"
	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

// answered is a ring that a phone has answered.
type answered struct {
	ring string
	leg  *phonetest.Leg
	call *phonetest.Call
}

// answer rings the first phone for an agent, and answers.
func (s *server) answer(t *testing.T, agent string, codecs ...string) answered {
	t.Helper()
	iphone, err := phonetest.New(phonetest.Config{Codecs: codecs})
	if err != nil {
		t.Fatal(err)
	}
	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"agent":"%s","ttl_s":60}`, s.ready.DeviceID, agent))
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: s.ready.DeviceCredential, Client: http.DefaultClient}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.HangUp)
	return answered{r.ID, leg, call}
}

func (a answered) until(t *testing.T, what string, enough func(phonetest.Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.call.Until(ctx, enough); err != nil {
		t.Fatalf("%s: %v, %+v", what, err, a.call.Stats())
	}
}

// TestDevModeTalksToEachKind: with nothing installed, the agents that dev mode made greet, and then
// repeat what they hear.
func TestDevModeTalksToEachKind(t *testing.T) {
	t.Parallel()
	s := start(t)
	var all struct {
		Data []struct{ ID, Name, Kind string }
	}
	s.call("GET", "/v1/agents", s.ready.APIKey, "", &all)
	seen := map[string]bool{}
	for _, a := range all.Data {
		if a.Kind == "builtin" || seen[a.Kind] {
			continue
		}
		seen[a.Kind] = true
		got := s.answer(t, a.ID, "opus", "PCMU")
		got.until(t, a.Name+": greeting", func(s phonetest.Stats) bool { return s.Sounding > 20 })
		got.until(t, a.Name+": echo", func(s phonetest.Stats) bool { return s.Back > 5 })
		if err := got.leg.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		r := s.until(got.ring, func(r toldRing) bool { return r.State == "ended" })
		if facts := r.agents(); len(facts) != 1 || !strings.HasPrefix(facts[0], "agent_attached: "+a.Name) {
			t.Errorf("%s: %s", a.Name, facts)
		}
	}
	for _, kind := range []string{"stream", "webrtc", "openai", "pipecat"} {
		if !seen[kind] {
			t.Errorf("dev mode has no agent of the kind %s", kind)
		}
	}
}

// TestTheTimelineSaysWhyADialledAgentFailed: cause and cure, and the next agent talks.
func TestTheTimelineSaysWhyADialledAgentFailed(t *testing.T) {
	t.Parallel()
	s := start(t)
	add := func(body string) string {
		var a struct{ ID string }
		if status := s.call("POST", "/v1/agents", s.ready.APIKey, body, &a); status != 201 {
			t.Fatalf("adding an agent gave %d", status)
		}
		return a.ID
	}
	bells := add(`{"name":"Bells","kind":"builtin"}`)
	nobody := add(`{"name":"Nobody","kind":"pipecat","attach_s":20,"pipecat":{"url":"http://127.0.0.1:1/api/offer"}}`)
	first := add(fmt.Sprintf(`{"name":"Nova","kind":"openai","attach_s":20,"next":[%q,%q],"openai":{"api_key":"sk-wrong"}}`, nobody, bells))
	got := s.answer(t, first, "opus")
	got.until(t, "bells", func(s phonetest.Stats) bool { return s.Sounding > 20 })
	want := []string{"agent_failed: Nova: OpenAI answered 401: the API key is wrong",
		"agent_failed: Nobody: the bot's server could not be reached: nothing listens at this address", "agent_attached: Bells"}
	r := s.until(got.ring, func(r toldRing) bool { return len(r.agents()) >= len(want) })
	for i, fact := range r.agents() {
		if i < len(want) && !strings.HasPrefix(fact, want[i]) {
			t.Errorf("fact %d is %q, want %q", i, fact, want[i])
		}
	}
}

// TestASampleAgentConnects to the call of a ring, with a join token.
func TestASampleAgentConnects(t *testing.T) {
	t.Parallel()
	s := start(t)
	j := s.join(`{"name":"Sample","kind":"stream","attach_s":20,"stream":{"direction":"attach"}}`)
	out := &strings.Builder{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"agent", "echo", "--connect", j.StreamURL, "--token", j.Token}, terminal{out, out, time.Now})
	}()
	call := j.answer(ctx)
	got := answered{j.id, nil, call}
	got.until(t, "greeting", func(s phonetest.Stats) bool { return s.Sounding > 20 })
	got.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	s.call("POST", "/v1/rings/"+j.id+"/cancel", s.ready.APIKey, "", nil)
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, out)
		}
	case <-time.After(time.Minute):
		t.Fatal("the sample agent does not end with its call")
	}
	wants(t, 1, "410: the ring has ended", "agent", "echo", "--connect", j.StreamURL, "--token", j.Token)
	wants(t, 1, "--token", "agent", "echo", "--connect", j.StreamURL)
	wants(t, 1, "--connect", "agent", "echo", "--connect", "https://ring.example/", "--token", "x")
}

// TestTheDemoTalksThroughOpenAI: a production server whose demo is a model of a tenant, at a
// stand-in that the operator named.
func TestTheDemoTalksThroughOpenAI(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = apple.Close() })
	models, err := agentstest.NewOpenAI(agentstest.OpenAIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = models.Close() })
	db := []string{"--data", t.TempDir()}
	s, m := produce(t, db, apple)
	var a struct{ ID string }
	body := `{"name":"Nova","kind":"openai","openai":{"api_key":"sk-test"}}`
	if status := s.call("POST", "/v1/agents", m.APIKey, body, &a); status != 201 {
		t.Fatalf("an agent is refused: %d", status)
	}
	s.stop()
	s = serves(t, db, apple, "--demo-agent", a.ID, "--openai-url", models.URL(), "--allow-private-targets", "127.0.0.0/8")
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	call, err := iphone.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ready.URL+"/demo/answer", strings.NewReader(offer))
		if err != nil {
			return "", err
		}
		q.Header.Set("Content-Type", "application/sdp")
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusCreated {
			t.Errorf("%d %s", res.StatusCode, answer)
		}
		return string(answer), err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.HangUp)
	got := answered{call: call}
	got.until(t, "greeting", func(s phonetest.Stats) bool { return s.Sounding > 20 })
	got.until(t, "echo", func(s phonetest.Stats) bool { return s.Back > 5 })
	wants(t, 1, "CARILLON_OPENAI_URL", "serve", "--data", t.TempDir(), "--openai-url", "api.openai.com")
}
