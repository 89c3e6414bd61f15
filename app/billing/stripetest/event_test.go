package stripetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// TestMessageIsRetried checks that a message answered with an error is sent again unchanged before
// the next one, and that one that is never accepted is dropped.
func TestMessageIsRetried(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	fails := 1
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, string(body)); err != nil || fails > 0 {
			fails--
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(door.Close)
	s, err := New(Config{Webhook: door.URL, Secret: Secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tell := func(kinds ...string) {
		s.mu.Lock()
		for _, kind := range kinds {
			s.happened(kind, map[string]any{"id": "cus_1", "object": "customer"})
		}
		s.mu.Unlock()
		s.tell()
	}
	tell("customer.created", "customer.updated")
	events := s.Events("")
	first, second := string(events[0].Body), string(events[1].Body)
	if !slices.Equal(got, []string{first, first, second}) {
		t.Errorf("a failure is answered by %d messages: %q", len(got), got)
	}
	got, fails = nil, sends
	tell("customer.deleted")
	tell("customer.created")
	if events = s.Events(""); len(got) != sends+1 || got[sends] != string(events[3].Body) {
		t.Errorf("a door that stays shut gets %d messages: %q", len(got), got)
	}
}
