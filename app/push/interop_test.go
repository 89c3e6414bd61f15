package push_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push"
)

// netHTTPServer is an HTTP/2 implementation that is not ours: net/http's server.
func netHTTPServer(t *testing.T, handler http.HandlerFunc) *push.Sender {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	cfg := push.Config{ProductionURL: server.URL, SandboxURL: server.URL, RootCAs: roots, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	patientConfig(&cfg)
	s, err := push.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAgainstNetHTTP(t *testing.T) {
	t.Parallel()
	s := netHTTPServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h := r.Header
		if err != nil || r.ProtoMajor != 2 || r.Method != "POST" || r.URL.Path != "/3/device/"+device || len(body) == 0 ||
			h.Get("apns-topic") != voipTopic || h.Get("apns-push-type") != "voip" || h.Get("apns-priority") != "10" ||
			h.Get("apns-expiration") != "0" || !strings.HasPrefix(h.Get("authorization"), "bearer ") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("apns-id", h.Get("apns-id"))
	})
	k := key(t, nil, team, kid, nil)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			for range 10 {
				if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
					t.Errorf("%+v", w)
				}
			}
		})
	}
	group.Wait()
}

// TestUnusualAnswers: answers that other servers may send, each once, followed by a good answer.
func TestUnusualAnswers(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		answer func(http.ResponseWriter)
		status int
		reason string
		tries  int // with the good answer
	}{
		"early hints": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(200) }, 200, "", 1},
		"a trailer": {func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "X")
			w.WriteHeader(410)
			fmt.Fprint(w, `{"reason":"Unregistered","timestamp":1}`)
			w.Header().Set("X", "y")
		}, 410, "Unregistered", 1},
		"many headers": {func(w http.ResponseWriter) {
			w.Header().Set("X", strings.Repeat("x", 10_000))
			w.Header().Set("Y", strings.Repeat("y", 10_000))
			w.WriteHeader(200)
		}, 200, "", 1},
		"a long page": {func(w http.ResponseWriter) { w.WriteHeader(502); fmt.Fprint(w, strings.Repeat("<p>", 100_000)) }, 200, "", 2},
		"a redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://example.com/")
			w.WriteHeader(307)
		}, 200, "", 2},
		"a lost redirect":  {func(w http.ResponseWriter) { w.WriteHeader(302) }, 200, "", 2},
		"a numeric reason": {func(w http.ResponseWriter) { w.WriteHeader(503); fmt.Fprint(w, `{"reason":7}`) }, 200, "", 2},
		"half of JSON":     {func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprint(w, `{"reason":"Intern`) }, 200, "", 2},
		"an array":         {func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprint(w, `[1,2]`) }, 200, "", 2},
		"a new reason": {func(w http.ResponseWriter) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"reason":"PhoneAsleep"}`)
		}, 400, "PhoneAsleep", 1},
		"a broken stream": {func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, 200, "", 2},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			s := netHTTPServer(t, func(w http.ResponseWriter, r *http.Request) { once.Do(func() { row.answer(w) }) })
			w := s.Push(t.Context(), key(t, nil, team, kid, nil), ring(t, ringTime))
			if w.Err != nil || w.Status != row.status || w.Reason != row.reason || w.Tries != row.tries {
				t.Errorf("%+v", w)
			}
		})
	}
}
