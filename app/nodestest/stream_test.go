package nodestest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"carillon/gateway/phonetest"
)

// streams: an agent's WebSocket reaches another node than its call: both hear each other, also
// after a message that is far longer than one of NATS, and its end ends the call.
func (w *world) streams(a, b *node) {
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	var agent, token struct{ ID, Token string }
	if status := a.call("POST", "/v1/agents", w.key, `{"name":"Bot","kind":"stream","attach_s":20,"stream":{"direction":"attach"}}`,
		&agent); status != 201 {
		w.Fatalf("the agent is refused: %d", status)
	}
	var r ring
	a.call("POST", "/v1/rings", w.key, `{"to":{"person":"front-desk"},"agent":"`+agent.ID+`"}`, &r)
	if status := a.call("POST", "/v1/rings/"+r.ID+"/join", w.key, "", &token); status/100 != 2 {
		w.Fatalf("the token is refused: %d", status)
	}
	dial := func(token string) (*websocket.Conn, int, error) {
		conn, answer, err := websocket.Dial(ctx, b.url+"/v1/rings/"+r.ID+"/stream",
			&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		if answer == nil {
			return conn, 0, err
		}
		return conn, answer.StatusCode, err
	}
	if _, status, err := dial("crl_join_guess"); err == nil || status != 401 {
		w.Errorf("a wrong token: %d %v", status, err)
	}
	conn, status, err := dial(token.Token)
	if err != nil {
		w.Fatalf("the agent cannot join on the other node: %d %v", status, err)
	}
	defer conn.CloseNow()
	if _, status, err := dial(token.Token); err == nil || status != 401 {
		w.Errorf("the second use of the token: %d %v", status, err)
	}
	iphone, err := phonetest.New(phonetest.Config{Codecs: []string{"opus", "PCMU"}})
	if err != nil {
		w.Fatal(err)
	}
	call, err := iphone.Call(ctx, b.leg(r.ID).Answer)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(call.HangUp)
	stream := ""
	for sounds := 0; sounds < 20; {
		_, data, err := conn.Read(ctx)
		if err != nil {
			w.Fatalf("after %d sounds: %v", sounds, err)
		}
		var m struct{ Event, StreamSid string }
		if err := json.Unmarshal(data, &m); err != nil {
			w.Fatal(err)
		}
		switch m.Event {
		case "start":
			stream = m.StreamSid
		case "media":
			sounds++
		}
	}
	say := fmt.Sprintf(`{"event":"media","streamSid":"%s","media":{"payload":"%s"},"more":"%s"}`, stream,
		base64.StdEncoding.EncodeToString(make([]byte, 8000)), strings.Repeat("more", 125_000))
	if err := conn.Write(ctx, websocket.MessageText, []byte(say)); err != nil {
		w.Fatal(err)
	}
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn >= 40 }); err != nil {
		w.Errorf("the agent is not heard: %v %+v", err, call.Stats())
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		w.Errorf("the close is not answered: %v", err)
	}
	got := b.until(r.ID, "the agent left", soon, func(r ring) bool { return r.State == "ended" })
	if got.Call.EndedBy != "agent_hung_up" {
		w.Errorf("ended by %s", got.Call.EndedBy)
	}
}
