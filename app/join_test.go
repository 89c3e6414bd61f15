package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/gateway/phonetest"
)

// joinedRing is a ring whose agent connects to us, and the token for it.
type joinedRing struct {
	s         *server
	id        string
	Token     string
	AgentURL  string `json:"agent_url"`
	StreamURL string `json:"stream_url"`
	Twilio    struct {
		BaseURL    string `json:"base_url"`
		AccountSID string `json:"account_sid"`
		CallSID    string `json:"call_sid"`
		AuthToken  string `json:"auth_token"`
	}
}

// join makes an agent, and a ring for it, and asks for a token.
func (s *server) join(agent string) *joinedRing {
	s.t.Helper()
	var made struct{ ID string }
	if status := s.call("POST", "/v1/agents", s.ready.APIKey, agent, &made); status != 201 {
		s.t.Fatalf("adding the agent gave %d: %+v", status, made)
	}
	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"agent":"%s","ttl_s":60}`, s.ready.DeviceID, made.ID))
	s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	j := &joinedRing{s: s, id: r.ID}
	if status := s.call("POST", "/v1/rings/"+r.ID+"/join", s.ready.APIKey, "", j); status != 201 {
		s.t.Fatalf("asking for a token gave %d", status)
	}
	return j
}

func (j *joinedRing) answer(ctx context.Context) *phonetest.Call {
	j.s.t.Helper()
	iphone, err := phonetest.New(phonetest.Config{Codecs: []string{"opus", "PCMU"}})
	if err != nil {
		j.s.t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: j.s.ready.URL, Ring: j.id, Credential: j.s.ready.DeviceCredential}
	call, err := iphone.Call(ctx, leg.Answer)
	if err != nil {
		j.s.t.Fatal(err)
	}
	j.s.t.Cleanup(call.HangUp)
	return call
}

// refused sends the token to the stream or the agent address, and returns status and code.
func (s *server) refused(method, path, token, kind, body string) string {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), method, s.ready.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", kind)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	var p struct{ Type string }
	_ = json.NewDecoder(a.Body).Decode(&p)
	_, code, _ := strings.Cut(p.Type, "#")
	return fmt.Sprint(a.StatusCode, " ", code)
}

// TestAnAgentJoinsOverWebRTC: it comes before the answer, both hear each other, the token is good
// for one connection of one ring, ICE restarts, and DELETE hangs up.
func TestAnAgentJoinsOverWebRTC(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j := s.join(`{"name":"Robot","kind":"webrtc","attach_s":20}`)
	path := "/v1/rings/" + j.id + "/agent"
	if got := s.refused("POST", path, j.Token, "application/sdp", "v=0"); got != "400 bad_offer" {
		t.Errorf("a bad offer: %s", got) // and the token is still good
	}
	far, err := phonetest.New(phonetest.Config{Codecs: []string{"PCMU", "opus"}})
	if err != nil {
		t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: j.id, Credential: j.Token, Agent: true}
	agent, err := far.Call(ctx, leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.HangUp)
	if _, err := far.Call(ctx, leg.Answer); err == nil || !strings.Contains(err.Error(), "join_used") {
		t.Errorf("the second use: %v", err)
	}
	other := s.place(fmt.Sprintf(`{"to":{"device":"%s"}}`, s.ready.DeviceID))
	if got := s.refused("POST", "/v1/rings/"+other.ID+"/join", s.ready.APIKey, "application/json", ""); got != "409 agent_does_not_join" {
		t.Errorf("a ring whose agent does not join: %s", got)
	}
	if got := s.refused("POST", "/v1/rings/"+other.ID+"/agent", j.Token, "application/sdp", "v=0"); got != "404 not_found" {
		t.Errorf("the token of another ring: %s", got)
	}

	call := j.answer(ctx)
	heard := func(s phonetest.Stats) bool { return s.Sounding >= 50 }
	if err := call.Until(ctx, heard); err != nil {
		t.Fatalf("the agent is not heard: %v %+v", err, call.Stats())
	}
	if err := agent.Until(ctx, heard); err != nil {
		t.Fatalf("the phone is not heard: %v %+v", err, agent.Stats())
	}
	if err := agent.Restart(ctx, leg.Restart); err != nil {
		t.Fatal(err)
	}
	before := call.Stats().Sounding
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding >= before+50 }); err != nil {
		t.Fatalf("after the ICE restart: %v", err)
	}
	if got := s.refused("PATCH", path, j.Token, "application/trickle-ice-sdpfrag", "a=x"); got != "428 if_match_required" {
		t.Errorf("without If-Match: %s", got)
	}
	if err := leg.HangUp(ctx); err != nil {
		t.Fatal(err)
	}
	s.until(j.id, func(r toldRing) bool { return r.State == "ended" && r.Call != nil && r.Call.EndedBy == "agent_hung_up" })
	if got := s.refused("POST", "/v1/rings/"+j.id+"/join", s.ready.APIKey, "application/json", ""); got != "410 ring_ended" {
		t.Errorf("joining a ring that has ended: %s", got)
	}
}

// TestAnAgentJoinsOverAWebSocket: it comes after the answer, is heard, and ends the call as with
// Twilio's REST interface.
func TestAnAgentJoinsOverAWebSocket(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j := s.join(`{"name":"Bot","kind":"stream","attach_s":20,"stream":{"direction":"attach"}}`)
	if got := s.refused("GET", "/v1/rings/"+j.id+"/stream", j.Token, "", ""); got != "400 upgrade_required" {
		t.Errorf("no WebSocket: %s", got)
	}
	dial := func(h http.Header) (*websocket.Conn, int, error) {
		conn, a, err := websocket.Dial(ctx, j.StreamURL, &websocket.DialOptions{HTTPHeader: h})
		if a == nil {
			return conn, 0, err
		}
		return conn, a.StatusCode, err
	}
	foreign := http.Header{"Authorization": {"Bearer " + j.Token}, "Origin": {"https://elsewhere.example"}}
	if _, status, err := dial(foreign); err == nil || status != 403 {
		t.Errorf("a page of another origin: %d %v", status, err)
	}
	call := j.answer(ctx)
	conn, _, err := dial(http.Header{"Authorization": {"Bearer " + j.Token}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if _, status, err := dial(http.Header{"Sec-WebSocket-Protocol": {"bearer, " + j.Token}}); err == nil || status != 401 {
		t.Errorf("the second use: %d %v", status, err)
	}
	stream := ""
	for sounds := 0; sounds < 20; {
		_, data, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Event, StreamSid string
			Start            struct {
				CustomParameters map[string]string
			}
		}
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		switch m.Event {
		case "start":
			stream = m.StreamSid
			if p := m.Start.CustomParameters; p["call_token"] != j.Twilio.AuthToken || p["ring_id"] != j.id {
				t.Errorf("parameters %v", p)
			}
		case "media":
			sounds++
		}
	}
	word := base64.StdEncoding.EncodeToString(make([]byte, 8000))
	say := fmt.Sprintf(`{"event":"media","streamSid":"%s","media":{"payload":"%s"}}`, stream, word)
	if err := conn.Write(ctx, websocket.MessageText, []byte(say)); err != nil {
		t.Fatal(err)
	}
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn >= 40 }); err != nil {
		t.Fatalf("the agent is not heard: %v %+v", err, call.Stats())
	}

	complete := func(password, status string) string {
		path := j.Twilio.BaseURL + "/2010-04-01/Accounts/" + j.Twilio.AccountSID + "/Calls/" + j.Twilio.CallSID + ".json"
		body := strings.NewReader(url.Values{"Status": {status}}.Encode())
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, path, body)
		if err != nil {
			t.Fatal(err)
		}
		q.SetBasicAuth(j.Twilio.AccountSID, password)
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		var f struct {
			Code   int
			Status any
		}
		_ = json.NewDecoder(a.Body).Decode(&f)
		return fmt.Sprint(a.StatusCode, " ", f.Code, " ", f.Status)
	}
	for _, row := range []struct{ password, status, want string }{
		{"guess", "completed", "401 20003 401"},
		{j.Twilio.AuthToken, "canceled", "400 20001 400"},
		{j.Twilio.AuthToken, "completed", "200 0 completed"},
	} {
		if got := complete(row.password, row.status); got != row.want {
			t.Errorf("%s: %s, want %s", row.status, got, row.want)
		}
	}
	s.until(j.id, func(r toldRing) bool { return r.State == "ended" && r.Call != nil && r.Call.EndedBy == "agent_hung_up" })
	if got := complete(j.Twilio.AuthToken, "completed"); got != "404 20404 404" {
		t.Errorf("a call that has ended: %s", got)
	}
}

// TestAWaitingAgentTakesOver: it joined while the phone rang and would rather have Opus, and the
// first agent speaks only PCMU. So it gets PCMU.
func TestAWaitingAgentTakesOver(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var robot struct{ ID string }
	if status := s.call("POST", "/v1/agents", s.ready.APIKey, `{"name":"Robot","kind":"webrtc","attach_s":20}`, &robot); status != 201 {
		t.Fatalf("adding the agent gave %d", status)
	}
	j := s.join(fmt.Sprintf(`{"name":"Bot","kind":"stream","attach_s":1,"stream":{"direction":"attach"},"next":["%s"]}`, robot.ID))
	far, err := phonetest.New(phonetest.Config{Codecs: []string{"opus", "PCMU"}})
	if err != nil {
		t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: j.id, Credential: j.Token, Agent: true}
	agent, err := far.Call(ctx, leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.HangUp)
	call := j.answer(ctx)
	attached := func(r toldRing) bool {
		return strings.Contains(fmt.Sprint(r.Attempts[0].Facts), "{agent_attached Robot}")
	}
	got := s.until(j.id, func(r toldRing) bool { return r.State == "failed" || attached(r) })
	if !attached(got) {
		t.Fatalf("%+v", got.Attempts[0].Facts)
	}
	if err := agent.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding >= 50 }); err != nil {
		t.Fatalf("the phone is not heard: %v %+v", err, agent.Stats())
	}
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding >= 50 }); err != nil {
		t.Fatalf("the agent is not heard: %v %+v", err, call.Stats())
	}
}

// TestNobodyJoins: the call says so.
func TestNobodyJoins(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j := s.join(`{"name":"Robot","kind":"webrtc","attach_s":1}`)
	j.answer(ctx)
	got := s.until(j.id, func(r toldRing) bool { return r.State == "failed" })
	if !got.says("broken", "no agent connected to the call in time") {
		t.Errorf("%+v", got.Attempts[0].Facts)
	}
}
