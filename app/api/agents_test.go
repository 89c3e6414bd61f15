package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

func TestAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":" Night desk\n","kind":"builtin"}`}).want(201).into(&made)
	h.do(ask{method: "PATCH", path: "/v1/agents/" + made.ID, key: a.key, body: `{"caller":"Night"}`}).want(200).into(&got)
	if got.Name != "Night desk" || *got.Caller != "Night" || got.Default {
		t.Errorf("%+v", got)
	}
	tn, err := a.scope().Tenant(t.Context())
	must(t, err)
	tn.DefaultAgent = tenants.AgentID(made.ID)
	must(t, a.scope().SetTenant(t.Context(), tn))
	h.do(ask{method: "GET", path: "/v1/agents/" + made.ID, key: a.key}).want(200).into(&got)
	if !got.Default {
		t.Error("the default agent is not said to be it")
	}
	var p list[agent]
	h.do(ask{method: "GET", path: "/v1/agents", key: a.key}).want(200).into(&p)
	if len(p.Data) != 2 || p.Next != nil {
		t.Errorf("%+v", p)
	}
	// What the description says of a removed agent: rings placed with it go on, with the built-in
	// one; a new one is refused.
	named := fmt.Sprintf(`{"to":{"device":%q},"agent":%q,"caller":"\u0645\u200c\u0646 "}`, a.device, a.agent)
	r := a.ring(named)
	if *r.Caller != "م\u200cن" {
		t.Errorf("the caller is %q", *r.Caller)
	}
	h.do(ask{method: "DELETE", path: "/v1/agents/" + string(a.agent), key: a.key}).want(204)
	h.do(ask{method: "GET", path: "/v1/rings/" + r.ID, key: a.key}).want(200).into(&r)
	if r.State == "failed" || *r.Agent != string(a.agent) {
		t.Errorf("a ring whose agent was removed: %s %v", r.State, *r.Agent)
	}
	h.do(ask{method: "POST", path: "/v1/rings", key: a.key, body: named}).want(404)
	h.do(ask{method: "DELETE", path: "/v1/agents/" + made.ID, key: a.key}).want(204) // the default
	if r = a.ring(""); r.Agent != nil {
		t.Errorf("after the default agent speaks %s", *r.Agent)
	}
	h.do(ask{method: "GET", path: "/v1/agents/" + string(a.agent), key: a.key}).want(404)
}

// TestChangesAreBounded: a program that changes things without an end is refused; the people of its
// tenant, other programs and rings are not.
func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	path := "/v1/agents/" + string(a.agent)
	now := time.Now()
	h.stopped.Store(&now) // however slow this machine is
	refused := 0
	for range 260 {
		r := h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"caller":"Night"}`})
		if r.status == 429 {
			refused++
			if r.header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		}
	}
	if refused < 10 {
		t.Errorf("%d of 260 changes in a row were refused", refused)
	}
	a.ring("")
	other := a.newKey(false, tenants.Scopes()...)
	h.do(ask{method: "PATCH", path: path, key: other, body: `{"caller":"Day"}`}).want(200)
}

// TestAgentsNameWhoComesNext: in either case of an id, only agents of the tenant, and what is left
// out stays.
func TestAgentsNameWhoComesNext(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, other := h.tenant("lakeside", "Lakeside"), h.tenant("hill", "Hill")
	var made, got agent
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: fmt.Sprintf(`{"name":"Bot","kind":"stream",
		"attach":"shown","lost":"hang_up","next":[%q],"stream":{"url":"wss://bot.example.com/stream"}}`, strings.ToUpper(string(a.agent)))}).want(201).into(&made)
	path := "/v1/agents/" + made.ID
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"caller":"Night"}`}).want(200).into(&got)
	if got.Attach != "shown" || got.Lost != "hang_up" || len(got.Next) != 1 || got.Next[0] != string(a.agent) {
		t.Errorf("%+v", got)
	}
	for body, field := range map[string]string{
		fmt.Sprintf(`{"next":[%q]}`, made.ID):             "next",
		fmt.Sprintf(`{"next":[%q]}`, other.agent):         "next",
		fmt.Sprintf(`{"next":[%q,%q]}`, a.agent, a.agent): "next",
		`{"next":["nobody"]}`:                             "next",
		`{"attach":"soon"}`:                               "attach",
		`{"lost":"song"}`:                                 "lost",
	} {
		r := h.do(ask{method: "PATCH", path: path, key: a.key, body: body}).want(400)
		if !strings.Contains(r.body, `"field":"`+field+`"`) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	h.do(ask{method: "DELETE", path: "/v1/agents/" + string(a.agent), key: a.key}).want(204)
	h.do(ask{method: "GET", path: path, key: a.key}).want(200).into(&got)
	if len(got.Next) != 0 {
		t.Errorf("a removed agent comes next: %v", got.Next)
	}
}

// TestStreamAgents: a program of the tenant's own; its token goes in and never comes out.
func TestStreamAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	r := h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"Bot","kind":"stream","stream":{
		"url":"wss://bot.example.com/stream","parameters":{"voice":"calm"},"auth_token":"s3cret-t0ken"}}`}).want(201)
	r.into(&made)
	if made.Stream == nil || made.Stream.URL != "wss://bot.example.com/stream" || made.Stream.Dialect != "twilio" || !made.Stream.HasAuthToken ||
		*made.AttachS != 5 || made.Stream.Parameters["voice"] != "calm" || strings.Contains(r.body, "s3cret") {
		t.Errorf("%s", r.body)
	}
	path := "/v1/agents/" + made.ID
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"attach_s":9,"stream":{"url":"wss://bot.example.com/2"}}`}).want(200).into(&got)
	if got.Stream.URL != "wss://bot.example.com/2" || !got.Stream.HasAuthToken || *got.AttachS != 9 || got.Stream.Parameters["voice"] != "calm" {
		t.Errorf("what was left out has changed: %+v", got.Stream)
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"stream":{"auth_token":""}}`}).want(200).into(&got)
	if got.Stream.HasAuthToken {
		t.Error("the token was not removed")
	}
	for body, field := range map[string]string{
		`{"stream":{"url":"wss://127.0.0.1/"}}`:             "url",
		`{"stream":{"url":"wss://169.254.169.254/"}}`:       "url",
		`{"stream":{"url":"ws://bot.example.com/"}}`:        "url",
		`{"stream":{"url":"https://bot.example.com/"}}`:     "url",
		`{"stream":{"url":"wss://me:pw@bot.example.com/"}}`: "url",
		`{"stream":{"dialect":"morse"}}`:                    "dialect",
		`{"attach_s":60}`:                                   "attach_s",
		`{"stream":{"parameters":{"a b":"c"}}}`:             "parameters",
		`{"stream":{"direction":"sideways"}}`:               "direction",
		`{"kind":"telepathy"}`:                              "kind",
	} {
		r := h.do(ask{method: "PATCH", path: path, key: a.key, body: body}).want(400)
		if !strings.Contains(r.body, `"field":"`+field+`"`) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"stream":{"direction":"attach"}}`}).want(200).into(&got)
	if got.Stream.Direction != "attach" || got.Stream.URL != "" {
		t.Errorf("an agent that connects to us keeps an address: %+v", got.Stream)
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"stream":{"direction":"dial"}}`}).want(400)
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"kind":"webrtc","webrtc":{}}`}).want(200).into(&got)
	if got.WebRTC == nil {
		t.Error("the answer lacks webrtc")
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"webrtc":{"url":"x"}}`}).want(400)
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"kind":"builtin"}`}).want(200)
	got = agent{}
	h.do(ask{method: "GET", path: path, key: a.key}).want(200).into(&got)
	if got.Stream != nil || got.AttachS != nil {
		t.Errorf("settings of another kind stay: %+v", got)
	}
}

// TestOpenAIAgents: the key goes in, never comes out, and stays with its kind.
func TestOpenAIAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	r := h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"Nova","kind":"openai","openai":{
		"voice":"marin","instructions":"Say who you are.\nThen ask.","api_key":"sk-s3cret"}}`}).want(201)
	r.into(&made)
	if made.OpenAI == nil || made.OpenAI.Model != "gpt-realtime" || made.OpenAI.Voice != "marin" || !made.OpenAI.HasAPIKey ||
		*made.AttachS != 5 || strings.Contains(r.body, "s3cret") {
		t.Errorf("%s", r.body)
	}
	path := "/v1/agents/" + made.ID
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"openai":{"voice":"cedar"}}`}).want(200).into(&got)
	if got.OpenAI.Voice != "cedar" || !got.OpenAI.HasAPIKey || got.OpenAI.Instructions != "Say who you are.\nThen ask." {
		t.Errorf("what was left out has changed: %+v", got.OpenAI)
	}
	for body, field := range map[string]string{
		`{"openai":{"api_key":""}}`:                                                       "api_key",
		`{"openai":{"api_key":"two words"}}`:                                              "api_key",
		`{"openai":{"voice":"a\u0000b"}}`:                                                 "voice",
		`{"openai":{"instructions":"` + strings.Repeat("x", 16001) + `"}}`:                "instructions",
		`{"kind":"pipecat","pipecat":{"url":"https://10.0.0.1/api/offer"}}`:               "url",
		`{"kind":"pipecat","pipecat":{"url":"http://bot.example.com/api/offer"}}`:         "url",
		`{"kind":"pipecat","pipecat":{"url":"https://b.example","headers":{"Host":"x"}}}`: "headers",
	} {
		r := h.do(ask{method: "PATCH", path: path, key: a.key, body: body}).want(400)
		if !strings.Contains(r.body, `"field":"`+field+`"`) {
			t.Errorf("%s: %s", body, r.body)
		}
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"kind":"stream","stream":{"url":"wss://bot.example.com/"}}`}).want(200).into(&got)
	secret, err := a.scope().Agents().Secret(t.Context(), tenants.AgentID(made.ID))
	if err != nil || secret != "" || got.Stream.HasAuthToken {
		t.Errorf("the key of OpenAI became a token: %q %v", secret, err)
	}
}

// TestPipecatAgents: a bot's address, and headers whose values never come out.
func TestPipecatAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	r := h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"Cat","kind":"pipecat","pipecat":{
		"url":"https://bot.example.com/api/offer","headers":{"X-Key":"s3cret","Authorization":"Bearer s3cret"}}}`}).want(201)
	r.into(&made)
	if made.Pipecat == nil || strings.Join(made.Pipecat.Headers, " ") != "Authorization X-Key" || strings.Contains(r.body, "s3cret") {
		t.Errorf("%s", r.body)
	}
	path := "/v1/agents/" + made.ID
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"pipecat":{"url":"https://bot.example.com/2"}}`}).want(200).into(&got)
	secret, err := a.scope().Agents().Secret(t.Context(), tenants.AgentID(made.ID))
	if err != nil || !strings.Contains(secret, "s3cret") || got.Pipecat.URL != "https://bot.example.com/2" {
		t.Errorf("%q %v %+v", secret, err, got.Pipecat)
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"pipecat":{"headers":{}}}`}).want(200).into(&got)
	if secret, _ = a.scope().Agents().Secret(t.Context(), tenants.AgentID(made.ID)); secret != "" || len(got.Pipecat.Headers) > 0 {
		t.Errorf("headers stay: %q %v", secret, got.Pipecat.Headers)
	}
}
