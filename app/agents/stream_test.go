package agents

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/app/agents/dialect"
	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/tenants"
)

// far is an agent's server in this process.
type far struct {
	*httptest.Server
	asked chan *http.Request
}

// serveAgent answers each connection with talk.
func serveAgent(t *testing.T, talk func(ctx context.Context, c *websocket.Conn)) far {
	t.Helper()
	f := far{asked: make(chan *http.Request, 8)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked <- r.Clone(context.WithoutCancel(r.Context()))
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		talk(r.Context(), c)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f far) url() string { return "ws" + strings.TrimPrefix(f.URL, "http") + "/stream" }

// streams are Streams that reach this machine.
func streams(t *testing.T) *Streams {
	t.Helper()
	local := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	s := NewStreams(local, NewJoins(nil, time.Now), time.Now, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s
}

// openStream opens an agent at url for one call.
func openStream(t *testing.T, url string) Agent {
	t.Helper()
	a, err := streams(t).open(tenants.Agent{Kind: tenants.Stream, AttachSeconds: 1, Stream: &tenants.StreamAgent{
		URL: url, Dialect: tenants.Twilio, Parameters: map[string]string{"voice": "calm", "ring_id": "not this"},
	}}, "t0ken", Call{
		Tenant: "01a21a1b-4878-7000-8000-000000000001", Ring: "01a21a1b-4878-7000-8000-000000000002", Reference: "appt-7",
		Person: "asa", Agent: "Reception",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// message is what a bot reads.
type message struct {
	Event     string `json:"event"`
	StreamSid string `json:"streamSid"`
	Start     struct {
		CallSid          string            `json:"callSid"`
		CustomParameters map[string]string `json:"customParameters"`
	} `json:"start"`
	Media   struct{ Payload, Timestamp string }  `json:"media"`
	Mark    struct{ Name string }                `json:"mark"`
	Cleared struct{ PlayedMs, DroppedMs string } `json:"cleared"`
	Gap     struct{ Away bool }                  `json:"gap"`
	Warning struct{ LeftMs string }              `json:"warning"`
}

func next(t *testing.T, ctx context.Context, c *websocket.Conn) (m message) {
	t.Helper()
	_, data, err := c.Read(ctx)
	if err != nil {
		return message{Event: "closed"}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Errorf("%s: %v", data, err)
	}
	return m
}

// until reads to the next message of the kind.
func until(t *testing.T, ctx context.Context, c *websocket.Conn, event string) message {
	t.Helper()
	for {
		if m := next(t, ctx, c); m.Event == event || m.Event == "closed" {
			if m.Event != event {
				t.Errorf("closed before %s", event)
			}
			return m
		}
	}
}

func say(ctx context.Context, c *websocket.Conn, text string) {
	_ = c.Write(ctx, websocket.MessageText, []byte(text))
}

// converse runs the agent on a line as a chain does, and gives what Attach or Converse returned.
func converse(ctx context.Context, a Agent, l gateway.Line) <-chan error {
	return converseWithin(ctx, a, l, time.Minute)
}

// converseWithin is converse of an agent that may take so long to be attached.
func converseWithin(ctx context.Context, a Agent, l gateway.Line, within time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		attach, cancel := context.WithTimeout(ctx, within)
		err := a.Attach(attach)
		cancel()
		if err == nil {
			err = a.Converse(ctx, l)
		}
		a.Close()
		done <- err
	}()
	return done
}

func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the agent does not leave its line")
		return nil
	}
}

// TestAStreamAgentHearsAndSpeaks: one conversation, from the signature to the hang-up.
func TestAStreamAgentHearsAndSpeaks(t *testing.T) {
	t.Parallel()
	line := newDeskLine()
	f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
		if m := next(t, ctx, c); m.Event != "connected" {
			t.Errorf("the first message is %s", m.Event)
		}
		m := next(t, ctx, c)
		if m.Event != "start" || m.Start.CallSid != "CA01a21a1b487870008000000000000002" || m.Start.CustomParameters["voice"] != "calm" ||
			m.Start.CustomParameters["ring_id"] != "01a21a1b-4878-7000-8000-000000000002" ||
			m.Start.CustomParameters["reference"] != "appt-7" {
			t.Errorf("start: %+v", m)
		}
		if m := until(t, ctx, c, "media"); m.Media.Timestamp != "0" {
			t.Errorf("the first sound: %+v", m)
		}
		line.mu.Lock()
		for line.ear == nil { // Attend comes right after start
			line.mu.Unlock()
			until(t, ctx, c, "media") // silence, until then
			line.mu.Lock()
		}
		ear := line.ear
		line.mu.Unlock()
		ear(gateway.Packet{Source: 9, Sequence: 1, Timestamp: 0, Payload: bytes.Repeat([]byte{5}, 160), At: time.Now()})
		want := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{5}, 160))
		for until(t, ctx, c, "media").Media.Payload != want {
			if ctx.Err() != nil {
				return
			}
		}
		sid := m.StreamSid
		say(ctx, c, `{"event":"media","streamSid":"`+sid+`","media":{"payload":"`+want+want[:0]+`"}}`)
		say(ctx, c, `{"event":"mark","streamSid":"`+sid+`","mark":{"name":"one"}}`)
		say(ctx, c, "garbage")
		say(ctx, c, `{"event":"media","streamSid":"MZother","media":{"payload":"`+want+`"}}`)
		if m := until(t, ctx, c, "mark"); m.Mark.Name != "one" {
			t.Errorf("mark: %+v", m)
		}
		say(ctx, c, `{"event":"clear","streamSid":"`+sid+`"}`)
		if m := until(t, ctx, c, "cleared"); m.Cleared.PlayedMs != "20" || m.Cleared.DroppedMs != "0" {
			t.Errorf("cleared: %+v", m)
		}
		_ = c.Close(websocket.StatusNormalClosure, "bye")
	})
	a := openStream(t, f.url())
	if got := a.Codecs(); len(got) != 1 || got[0] != gateway.PCMU {
		t.Errorf("codecs %v", got)
	}
	if err := result(t, converse(t.Context(), a, line)); err != nil {
		t.Errorf("a bot that closes hangs up: %v", err)
	}
	said := line.heard()
	if len(said) != 1 || !bytes.Equal(said[0].Payload, bytes.Repeat([]byte{5}, 160)) {
		t.Errorf("%d packets were said", len(said))
	}
	signed(t, <-f.asked, f.url())
}

// signed checks both signatures as a bot does.
func signed(t *testing.T, r *http.Request, url string) {
	t.Helper()
	mac := hmac.New(sha1.New, []byte("t0ken"))
	mac.Write([]byte(url))
	if got := r.Header.Get("X-Twilio-Signature"); got != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("X-Twilio-Signature: %q", got)
	}
	at, v1, _ := strings.Cut(r.Header.Get("Carillon-Signature"), ",v1=")
	mac = hmac.New(sha256.New, []byte("t0ken"))
	mac.Write([]byte(strings.TrimPrefix(at, "t=") + "." + url))
	if v1 != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("Carillon-Signature: %q", r.Header.Get("Carillon-Signature"))
	}
}

// TestTheAgentLearnsThatTheCallIsOver: stop, then the connection is closed.
func TestTheAgentLearnsThatTheCallIsOver(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	f := serveAgent(t, func(bot context.Context, c *websocket.Conn) {
		until(t, bot, c, "media")
		hangUp()
		until(t, bot, c, "stop")
		if m := next(t, bot, c); m.Event != "closed" {
			t.Errorf("after stop: %+v", m)
		}
		close(stopped)
	})
	done := converse(ctx, openStream(t, f.url()), newDeskLine())
	if err := result(t, done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Error("the agent was not told")
	}
}

// TestAGapIsSilenceAndAnEvent: while the phone is away the agent hears silence without a break, and
// it learns of the gap and of the coming end through its chain.
func TestAGapIsSilenceAndAnEvent(t *testing.T) {
	t.Parallel()
	chains := make(chan *Chain, 1)
	f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
		until(t, ctx, c, "media")
		chain := <-chains
		chain.Gap(nil, true)
		if m := until(t, ctx, c, "gap"); !m.Gap.Away {
			t.Error("the gap begins with its end")
		}
		silence := base64.StdEncoding.EncodeToString(silentFrame[:])
		for range 10 {
			if m := until(t, ctx, c, "media"); m.Media.Payload != silence {
				t.Errorf("in the gap the agent hears %s", m.Media.Payload)
			}
		}
		chain.Gap(nil, false)
		if m := until(t, ctx, c, "gap"); m.Gap.Away {
			t.Error("the gap does not end")
		}
		chain.Warn(nil, time.Minute)
		if m := until(t, ctx, c, "warning"); m.Warning.LeftMs != "60000" {
			t.Errorf("the warning: %+v", m)
		}
		_ = c.Close(websocket.StatusNormalClosure, "bye")
	})
	sounds, err := NewSounds()
	if err != nil {
		t.Fatal(err)
	}
	c := NewChain(ChainConfig{Links: []Link{{Agent: openStream(t, f.url()), Within: time.Minute}}, Sounds: sounds,
		Log: slog.New(slog.DiscardHandler)})
	chains <- c
	if err := c.Converse(t.Context(), newDeskLine()); err != nil {
		t.Error(err)
	}
}

// TestWhyAnAgentFailed: each failure with its cause, none with the far end's own words, and the
// agent leaves its line.
func TestWhyAnAgentFailed(t *testing.T) {
	t.Parallel()
	status := func(code int) func(t *testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(code)
				_, _ = w.Write([]byte("far end's own words"))
			}))
			t.Cleanup(s.Close)
			return "ws" + strings.TrimPrefix(s.URL, "http")
		}
	}
	talks := func(do func(context.Context, *websocket.Conn)) func(t *testing.T) string {
		return func(t *testing.T) string { return serveAgent(t, do).url() }
	}
	for _, c := range []struct {
		name string
		url  func(t *testing.T) string
		want string
	}{
		{"unauthorised", status(401), "answered 401: the token is wrong"},
		{"not found", status(404), "answered 404: check the path"},
		{"broken", status(503), "answered 503: look into its log"},
		{"a web page", status(200), "answered 200: it does not accept WebSocket"},
		{"a redirect", status(302), "redirect"},
		{"nobody there", func(*testing.T) string { return "ws://127.0.0.1:1/" }, "nothing listens"},
		{"a private network", func(*testing.T) string { return "ws://10.1.2.3/" }, "private or reserved"},
		{"hangs", func(t *testing.T) string {
			gone := make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-gone:
				}
			}))
			t.Cleanup(s.Close)
			t.Cleanup(func() { close(gone) })
			return "ws" + strings.TrimPrefix(s.URL, "http")
		}, "did not answer in time"},
		{"breaks off", talks(func(context.Context, *websocket.Conn) {}), "broke off"},
		{"closes with an error", talks(func(_ context.Context, c *websocket.Conn) {
			_ = c.Close(websocket.StatusInternalError, "far end's own words")
		}), "with the code 1011"},
		{"a frame of 2 MiB", talks(func(ctx context.Context, c *websocket.Conn) {
			say(ctx, c, strings.Repeat("x", 2<<20))
			until(t, ctx, c, "closed")
		}), "more than 1 MiB"},
		{"two hours of sound", talks(func(ctx context.Context, c *websocket.Conn) {
			sound := `{"event":"media","media":{"payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 480_000)) + `"}}`
			for range 120 {
				say(ctx, c, sound)
			}
			until(t, ctx, c, "closed")
		}), "more than 2 minutes"},
		{"marks without end", talks(func(ctx context.Context, c *websocket.Conn) {
			say(ctx, c, `{"event":"media","media":{"payload":"`+base64.StdEncoding.EncodeToString(make([]byte, 80_000))+`"}}`)
			for range marksMost + 10 {
				say(ctx, c, `{"event":"mark","mark":{"name":"x"}}`)
			}
			until(t, ctx, c, "closed")
		}), "4096 marks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			within := time.Minute
			if c.name == "hangs" {
				within = time.Second
			}
			err := result(t, converseWithin(t.Context(), openStream(t, c.url(t)), newDeskLine(), within))
			var f *Failure
			if !errors.As(err, &f) || !strings.Contains(f.Cause, c.want) || strings.Contains(f.Cause, "own words") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// spoilt is a dialect that reads every frame as decode says.
type spoilt struct {
	dialect.Stream
	decode func() dialect.Event
}

func (s spoilt) Decode([]byte, bool) (dialect.Event, error) { return s.decode(), nil }

// fragile is a line on which nothing can be said or pressed.
type fragile struct{ *deskLine }

func (fragile) Say(gateway.Packet) error { panic("oh") }
func (fragile) Press(byte) error         { panic("oh") }

// TestAPanicEndsOneStream: on whichever of its goroutines, it is an error of that call only.
func TestAPanicEndsOneStream(t *testing.T) {
	t.Parallel()
	f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
		say(ctx, c, "{}")
		_, _, _ = c.Read(ctx)
		until(t, ctx, c, "closed")
	})
	for name, decode := range map[string]func() dialect.Event{
		"receive": func() dialect.Event { panic("oh") },
		"pacer":   func() dialect.Event { return dialect.Event{Kind: dialect.Sound, Sound: make([]byte, 160)} },
		"press":   func() dialect.Event { return dialect.Event{Kind: dialect.Digit, Digit: '5'} },
	} {
		a := openStream(t, f.url()).(*streamAgent)
		a.dialect = spoilt{a.dialect, decode}
		if err := result(t, converse(t.Context(), a, fragile{newDeskLine()})); err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
