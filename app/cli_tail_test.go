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

// tailServer has two rings that live. One tells its facts over a stream that breaks off once; the
// stream of the other is refused, so its facts are in answers only.
type tailServer struct {
	mu       sync.Mutex
	streamed []string // Last-Event-ID of each stream
	answers  int
}

func (s *tailServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const at = "2026-11-28T05:00:00Z"
	ring := func(id, facts string) string {
		return fmt.Sprintf(`{"id":%q,"state":"ringing","created_at":%q,"expires_at":%q,"ended_at":null,"attempts":[{"device":"d",`+
			`"facts":[%s]}]}`, id, at, at, facts)
	}
	placed := `{"kind":"placed","at":"` + at + `","detail":null}`
	event := func(n int, kind, state string) {
		fmt.Fprintf(w, "id: %d\nevent: %s\ndata: {\"kind\":%q,\"device\":\"d\",\"at\":%q,\"detail\":null,\"state\":%q}\n\n", n, kind, kind,
			at, state)
	}
	switch r.URL.Path {
	case "/v1/rings/one/events":
		last := r.Header.Get("Last-Event-ID")
		s.streamed = append(s.streamed, last)
		w.Header().Set("Content-Type", "text/event-stream")
		if last == "" {
			event(1, "placed", "placed")
			event(2, "sent", "pushed")
			return
		}
		event(3, "shown", "ringing")
		event(4, "declined", "declined")
	case "/v1/rings/two/events":
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"type":"https://ring.example.com/docs/errors#forbidden","title":"x","status":403,"detail":"No."}`)
	case "/v1/rings/one":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, ring("one", placed))
	default:
		w.Header().Set("Content-Type", "application/json")
		facts := placed
		if s.answers++; s.answers > 1 {
			facts += `,{"kind":"woke","at":"` + at + `","detail":null}`
		}
		fmt.Fprintf(w, `{"data":[%s,%s],"next":null}`, ring("two", facts), ring("one", placed))
	}
}

// TestTailReadsStreams: facts come over the stream of a ring, once each, also after the stream
// broke off; a ring whose stream is refused is asked for.
func TestTailReadsStreams(t *testing.T) {
	t.Parallel()
	far := &tailServer{}
	server := httptest.NewServer(far)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &lineWatch{all: cancel, want: []string{"one  sent", "one  shown", "one  declined", "two  woke"}}
	tail := &tailCmd{Every: 200 * time.Millisecond, Since: time.Hour}
	tail.URL, tail.Key = server.URL, "k"
	if err := tail.Run(ctx, terminal{out, io.Discard, time.Now}); err != nil {
		t.Fatal(err)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if len(far.streamed) < 2 || far.streamed[0] != "" || far.streamed[1] != "2" {
		t.Errorf("streams after %q", far.streamed)
	}
	for _, line := range []string{"one  placed", "one  sent", "one  shown", "one  declined", "two  placed", "two  woke"} {
		if n := strings.Count(out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times:\n%s", line, n, out)
		}
	}
}
