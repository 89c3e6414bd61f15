package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started is a `carillon dev` of the program under test, and its one line.
type started struct {
	URL              string
	APIKey           string `json:"api_key"`
	DeviceID         string `json:"device_id"`
	DeviceCredential string `json:"device_credential"`

	process *exec.Cmd
}

func start(t *testing.T, program, data, addr string) *started {
	t.Helper()
	s := &started{process: exec.Command(program, "dev", "--addr", addr, "--data", data, "--no-history", "--json")}
	s.process.Stderr = os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *started) stop() {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = s.process.Wait()
}

// offer is one that the server can answer. No sound ever comes.
var offer = strings.Join([]string{"v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "c=IN IP4 0.0.0.0", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
	"a=fingerprint:sha-256 AB" + strings.Repeat(":AB", 31), "a=setup:actpass", "a=rtcp-mux", "a=sendrecv",
	"a=rtpmap:111 opus/48000/2", "a=rtpmap:0 PCMU/8000", ""}, "\r\n")

// followed follows a ring until Apple has accepted its push: a phone cannot answer sooner. The
// result waits until the ring is over, and gives the kinds of its facts without those of agents.
func followed(t *testing.T, c *Client, id string) func() []string {
	t.Helper()
	var kinds []string
	var failed error
	accepted, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for e, err := range c.Rings.Follow(t.Context(), id) {
			if failed = err; err == nil && !strings.HasPrefix(string(e.Kind), "agent_") {
				kinds = append(kinds, string(e.Kind))
				if e.Kind == "accepted" {
					close(accepted)
				}
			}
		}
	}()
	select {
	case <-accepted:
	case <-over:
		t.Fatalf("the ring is over: %q, %v", kinds, failed)
	}
	return func() []string {
		t.Helper()
		<-over
		if failed != nil {
			t.Fatal(failed)
		}
		return kinds
	}
}

// story is the story of README against the real program.
func story(t *testing.T, program string) {
	data := t.TempDir()
	server := start(t, program, data, "127.0.0.1:0")
	c, err := New(server.URL, server.APIKey)
	if err != nil {
		t.Fatal(err)
	}
	phone, err := NewPhone(server.URL, server.DeviceCredential)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	// A ring is placed, answered and over.
	to := To{Device: &server.DeviceID}
	ring, err := c.Rings.Place(t.Context(), RingRequest{To: to, Reference: new("story")})
	must(err)
	kinds := followed(t, c, ring.ID)
	must(phone.Report(t.Context(), ring.ID, "woke", time.Now()))
	must(phone.Report(t.Context(), ring.ID, "shown", time.Now()))
	if r, err := phone.Ring(t.Context(), ring.ID); err != nil || !r.Rings {
		t.Fatalf("%+v, %v", r, err)
	}
	if sdp, err := phone.Answer(t.Context(), ring.ID, offer); err != nil || !strings.HasPrefix(sdp, "v=0") {
		t.Fatalf("%q, %v", sdp, err)
	}
	must(phone.HangUp(t.Context(), ring.ID))
	if got, want := kinds(), "placed sent accepted woke shown answered hung_up"; strings.Join(got, " ") != want {
		t.Errorf("the facts are %q, want %s", got, want)
	}
	if r, err := c.Rings.Get(t.Context(), ring.ID); err != nil || r.State != RingStateEnded {
		t.Errorf("%+v, %v", r, err)
	}

	// A webhook is verified.
	type webhook struct {
		header http.Header
		body   []byte
	}
	came := make(chan webhook, 8)
	hooks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body) // a body that was cut off does not verify
		came <- webhook{q.Header, body}
	}))
	t.Cleanup(hooks.Close)
	connection, err := c.Connections.Add(t.Context(), ConnectionRequest{
		Name: "Story", Role: new(ConnectionRoleWebhook), URL: &hooks.URL, Events: []EventKind{EventKindRingEnded},
	})
	must(err)
	ring, err = c.Rings.Place(t.Context(), RingRequest{To: to, Reference: new("webhook")})
	must(err)
	must(phone.Report(t.Context(), ring.ID, "declined", time.Now()))
	w := <-came
	must(Verify(*connection.Secret, w.header, w.body))
	if Verify(*connection.Secret, w.header, append(w.body, ' ')) == nil || !strings.Contains(string(w.body), `"ring.ended"`) {
		t.Errorf("the webhook is %s", w.body)
	}
	must(c.Connections.Remove(t.Context(), connection.ID))

	// The example of README.
	readme, err := os.ReadFile("README.md")
	must(err)
	example := filepath.Join(t.TempDir(), "main.go")
	must(os.WriteFile(example, regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)[1], 0o600))
	said := runs(t, ".", []string{"CARILLON_URL=" + server.URL, "CARILLON_API_KEY=" + server.APIKey}, "go", "run", example)
	if !strings.Contains(said, " declined\n") {
		t.Errorf("the example says %q", said)
	}

	// A retry across a restart makes one ring.
	place := func() (Ring, error) {
		return c.Rings.Place(t.Context(), RingRequest{To: to, Reference: new("restart"), TTLS: new(60)}, IdempotencyKey("restart-1"))
	}
	first, err := place()
	must(err)
	kinds = followed(t, c, first.ID)
	server.stop()
	again := make(chan string)
	go func() {
		ring, err := place() // no server answers yet
		again <- fmt.Sprint(ring.ID, err)
	}()
	u, err := url.Parse(server.URL)
	must(err)
	start(t, program, data, u.Host)
	if got := <-again; got != first.ID+"<nil>" {
		t.Errorf("the retry gave %s, want %s", got, first.ID)
	}
	must(phone.Report(t.Context(), first.ID, "declined", time.Now()))
	if got := kinds(); len(got) == 0 || got[len(got)-1] != "declined" {
		t.Errorf("the facts are %q", got)
	}
	var ids []string
	for r, err := range c.Rings.All(t.Context(), ListRingsParams{Q: new("restart")}) {
		must(err)
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{first.ID}) {
		t.Errorf("the retry left the rings %q", ids)
	}
}
