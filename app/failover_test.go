package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// badServers are agents' servers that fail, each in its way. Each connection counts until it is
// over.
type badServers struct {
	*httptest.Server
	open atomic.Int64
	stop chan struct{}
}

func serveBadly(t *testing.T) *badServers {
	t.Helper()
	b := &badServers{stop: make(chan struct{})}
	socket := func(talk func(context.Context, *websocket.Conn)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer func() { _ = conn.CloseNow() }()
			talk(r.Context(), conn)
		}
	}
	sound := `{"event":"media","media":{"payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 1600)) + `"}}`
	say := func(ctx context.Context, c *websocket.Conn, text string) {
		_, _, _ = c.Read(ctx) // connected
		_ = c.Write(ctx, websocket.MessageText, []byte(text))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/refuses", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-b.stop:
		}
	})
	mux.HandleFunc("/closes", socket(func(ctx context.Context, c *websocket.Conn) {
		say(ctx, c, sound)
		_ = c.Close(websocket.StatusInternalError, "")
	}))
	mux.HandleFunc("/breaks", socket(func(ctx context.Context, c *websocket.Conn) { say(ctx, c, sound) }))
	mux.HandleFunc("/babbles", socket(func(ctx context.Context, c *websocket.Conn) {
		for range 50 {
			say(ctx, c, "garbage")
		}
		say(ctx, c, strings.Repeat("x", 2<<20))
		// Until the caller closes: a server that goes away with unread bytes resets the connection,
		// and the reset overtakes the long message.
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}))
	mux.HandleFunc("/is-slow", socket(func(ctx context.Context, c *websocket.Conn) {
		late := time.NewTimer(700 * time.Millisecond)
		defer late.Stop()
		<-late.C
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			if c.Write(ctx, websocket.MessageText, []byte(sound)) != nil {
				return
			}
		}
	}))
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.open.Add(1)
		defer b.open.Add(-1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(b.stop); b.Close() })
	return b
}

// program adds a stream agent at path. Its attachment may take long on a slow machine, and a second
// where nothing answers.
func (b *badServers) program(s *server, path, lost string, next ...string) string {
	s.t.Helper()
	var a struct{ ID string }
	within := 20
	if path == "hangs" {
		within = 1
	}
	body := fmt.Sprintf(`{"name":"%s","kind":"stream","attach_s":%d,"lost":%q,"next":[%s],"stream":{"url":"ws%s/%s"}}`,
		path, within, lost, quoted(next), strings.TrimPrefix(b.URL, "http"), path)
	if status := s.call("POST", "/v1/agents", s.ready.APIKey, body, &a); status != 201 {
		s.t.Fatalf("adding an agent gave %d", status)
	}
	return a.ID
}

func quoted(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return `"` + strings.Join(ids, `","`) + `"`
}

// TestTheCallGoesToTheNextAgent: servers that refuse, hang, close mid-word and send garbage lose
// the call to the next, the timeline says which and why, and none of them keeps a connection.
func TestTheCallGoesToTheNextAgent(t *testing.T) {
	t.Parallel()
	s, b := start(t), serveBadly(t)
	slow := b.program(s, "is-slow", "message")
	for name, c := range map[string]struct {
		agent string
		want  []string // in order, "kind: a part of the detail"
	}{
		"refuses and hangs": {b.program(s, "refuses", "message", b.program(s, "hangs", "message"), slow), []string{
			"agent_failed: answered 401: the token is wrong", "agent_failed: did not answer in time", "agent_attached: is-slow"}},
		"lost three times": {b.program(s, "closes", "message", b.program(s, "breaks", "message"), b.program(s, "babbles", "message"), slow),
			[]string{"agent_attached: closes", "agent_lost: with the code 1011", "agent_attached: breaks", "agent_lost: broke off",
				"agent_attached: babbles", "agent_lost: more than 1 MiB", "agent_attached: is-slow"}},
		"nobody is left": {b.program(s, "refuses", "hang_up", b.program(s, "closes", "message")), []string{
			"agent_failed: answered 401", "agent_attached: closes", "agent_lost: with the code 1011"}},
	} {
		t.Run(name, func(t *testing.T) {
			iphone, err := phonetest.New(phonetest.Config{Codecs: []string{"PCMU"}})
			if err != nil {
				t.Fatal(err)
			}
			r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"agent":"%s","ttl_s":60}`, s.ready.DeviceID, c.agent))
			leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: s.ready.DeviceCredential, Client: http.DefaultClient}
			call, err := iphone.Call(t.Context(), leg.Answer)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(call.HangUp)
			got := s.until(r.ID, func(r toldRing) bool { return len(r.agents()) >= len(c.want) })
			for i, fact := range got.agents() {
				kind, detail := "nothing", ""
				if i < len(c.want) {
					kind, detail, _ = strings.Cut(c.want[i], ": ")
				}
				if !strings.HasPrefix(fact, kind+": ") || !strings.Contains(fact, detail) {
					t.Errorf("fact %d is %q, want %q", i, fact, c.want)
				}
			}
			if name == "nobody is left" {
				got = s.until(r.ID, func(r toldRing) bool { return r.State == "failed" })
				if got.Call.EndedBy != "agent_failed" {
					t.Errorf("ended by %s", got.Call.EndedBy)
				}
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			heard := call.Stats().PacketsIn
			if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn > heard+50 }); err != nil {
				t.Errorf("the last agent is not heard: %v", err)
			}
			if err := leg.HangUp(ctx); err != nil {
				t.Error(err)
			}
			s.until(r.ID, func(r toldRing) bool { return r.State == "ended" })
		})
	}
	deadline := time.Now().Add(time.Minute)
	for b.open.Load() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections to agents stay open after their calls", b.open.Load())
		}
		tick := time.NewTimer(20 * time.Millisecond)
		<-tick.C
	}
}

// agents are the facts about agents, as "kind: detail".
func (r toldRing) agents() (all []string) {
	for _, a := range r.Attempts {
		for _, f := range a.Facts {
			if strings.HasPrefix(f.Kind, "agent_") {
				all = append(all, f.Kind+": "+f.Detail)
			}
		}
	}
	return all
}

// TestWhatIsSaidFirstReachesTheAgent: what the person says while no agent is there is kept for it.
func TestWhatIsSaidFirstReachesTheAgent(t *testing.T) {
	t.Parallel()
	s := start(t)
	var once sync.Once
	spoken, heard := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-spoken:
		case <-r.Context().Done():
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		began, frames := time.Now(), 0
		for {
			_, data, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if strings.Contains(string(data), `"event":"media"`) {
				frames++
			}
			// It has more sound than the time since it came: that was kept.
			if time.Duration(frames)*gateway.Frame-time.Since(began) > 300*time.Millisecond {
				once.Do(func() { close(heard) })
			}
		}
	}))
	t.Cleanup(server.Close)
	var a struct{ ID string }
	s.call("POST", "/v1/agents", s.ready.APIKey, `{"name":"Late","kind":"stream","attach_s":20,"stream":{"url":"ws`+
		strings.TrimPrefix(server.URL, "http")+`"}}`, &a)
	iphone, err := phonetest.New(phonetest.Config{Codecs: []string{"PCMU"}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"agent":"%s","ttl_s":60}`, s.ready.DeviceID, a.ID))
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: s.ready.DeviceCredential, Client: http.DefaultClient}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.HangUp)
	answered{call: call}.until(t, "the person speaks", func(s phonetest.Stats) bool { return s.PacketsOut >= 75 })
	close(spoken)
	select {
	case <-heard:
	case <-time.After(time.Minute):
		t.Error("the agent did not hear what was said before it came")
	}
}
