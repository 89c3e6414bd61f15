package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// lineWatch is an output that tells when it has a text, and cancels then.
type lineWatch struct {
	mu   sync.Mutex
	text strings.Builder
	want []string
	all  func()
}

func (l *lineWatch) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for _, w := range l.want {
		if !strings.Contains(l.text.String(), w) {
			return len(p), nil
		}
	}
	l.all()
	return len(p), nil
}

func (l *lineWatch) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tailServer has a ring that lives, one that is over, one that ends while tail begins, and a stream
// of all rings that is refused once and breaks off once.
type tailServer struct {
	mu       sync.Mutex
	streamed []string // Last-Event-ID of each stream
	early    bool     // the rings were asked for before the stream
	refused  bool     // the first stream, for a moment
}

func (s *tailServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, old := time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "2026-11-28T05:00:00.000Z"
	event := func(n int, ring, kind, state, at string) {
		fmt.Fprintf(w, "id: 0-%d\nevent: %s\ndata: {\"ring\":%q,\"kind\":%q,\"device\":\"d\",\"at\":%q,\"detail\":null,\"state\":%q}\n\n",
			n, kind, ring, kind, at, state)
	}
	switch r.URL.Path {
	case "/v1/events":
		if !s.refused {
			s.refused = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		last := r.Header.Get("Last-Event-ID")
		s.streamed = append(s.streamed, r.URL.RawQuery+" "+last)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		if last == "" {
			event(1, "one", "placed", "placed", old) // the list of rings has it too
			event(2, "one", "sent", "pushed", at)
			return
		}
		if last != "0-2" {
			return
		}
		event(3, "two", "placed", "placed", at)
		event(4, "one", "declined", "declined", at)
	default:
		s.early = s.early || len(s.streamed) == 0
		w.Header().Set("Content-Type", "application/json")
		ring := func(id, ended string) string {
			return fmt.Sprintf(`{"id":%q,"state":"ringing","created_at":%q,"expires_at":%q,"ended_at":%s,"attempts":[{"device":"d",`+
				`"facts":[{"kind":"placed","at":%q,"detail":null}]}]}`, id, old, old, ended, old)
		}
		ends := time.Now().UTC().Add(time.Hour).Format(time.RFC3339) // after tail began, by any clock
		fmt.Fprintf(w, `{"data":[%s,%s,%s],"next":null}`, ring("over", `"`+old+`"`), ring("late", `"`+ends+`"`), ring("one", "null"))
	}
}

// TestTailFollowsTheAccount: what lives is printed first and then each fact of the stream, once,
// also after the stream broke off. A ring that was over when tail began is not printed.
func TestTailFollowsTheAccount(t *testing.T) {
	t.Parallel()
	far := &tailServer{}
	server := httptest.NewServer(far)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lines := []string{"late  placed", "one  placed", "one  sent", "two  placed", "one  declined"}
	out := &lineWatch{all: cancel, want: lines}
	tail := &tailCmd{Person: "ana"}
	tail.URL, tail.Key = server.URL, "k"
	if err := tail.Run(ctx, terminal{out, io.Discard, time.Now}); err != nil {
		t.Fatal(err)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if far.early || len(far.streamed) < 2 || far.streamed[0] != "person=ana " || far.streamed[1] != "person=ana 0-2" {
		t.Errorf("streams after %q, rings before them: %v", far.streamed, far.early)
	}
	for _, line := range lines {
		if n := strings.Count(out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times:\n%s", line, n, out)
		}
	}
	if strings.Contains(out.String(), "over") {
		t.Errorf("a ring that was over is printed:\n%s", out)
	}
}

// TestTailIsRefused: a stream that is refused ends tail with the exit code of a refusal.
func TestTailIsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"type":"https://ring.example.com/docs/errors#missing_scope","title":"x","status":403,"detail":"No scope."}`)
	}))
	defer server.Close()
	var errs strings.Builder
	code := run(t.Context(), []string{"tail", "--url", server.URL, "--key", "k"}, terminal{io.Discard, &errs, time.Now})
	if code != exitRefused || !strings.Contains(errs.String(), "No scope.") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
