package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// Receive serves the receiver of events of `bench events` until ctx is done. It is a process of its
// own: what it costs to take a thousand events a second is not ours, and must not delay the
// goroutines that place and time rings.
func Receive(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newReceiver(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "receiver of events on %s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// taken is what a receiver has taken.
type taken struct {
	Events   int       `json:"events"` // with an id of their own
	Repeated int       `json:"repeated"`
	Last     time.Time `json:"last"`
	P50      float64   `json:"p50_ms"` // from the fact to the receiver
	P99      float64   `json:"p99_ms"`
}

// receiver takes events. GET /taken says how many, GET /times also how late.
type receiver struct {
	*http.ServeMux
	mu   sync.Mutex // guards the rest
	took map[string]int
	late sample
	last time.Time
}

func newReceiver() *receiver {
	r := &receiver{ServeMux: http.NewServeMux(), took: map[string]int{}}
	r.HandleFunc("POST /", r.take)
	for path, times := range map[string]bool{"GET /taken": false, "GET /times": true} {
		r.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(r.taken(times)) })
	}
	return r
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	now := time.Now()
	var body struct{ Timestamp time.Time }
	text, err := io.ReadAll(io.LimitReader(q.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took[q.Header.Get("webhook-id")]++
	r.late, r.last = append(r.late, now.Sub(body.Timestamp)), now
}

func (r *receiver) taken(times bool) taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := taken{Events: len(r.took), Last: r.last}
	if times {
		t.P50, t.P99 = r.late.at(0.50), r.late.at(0.99)
		for n := range maps.Values(r.took) {
			t.Repeated += n - 1
		}
	}
	return t
}

// takenAt asks the receiver at an address what it has taken.
func takenAt(ctx context.Context, addr, path string) (t taken, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return t, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return t, err
	}
	defer answer.Body.Close()
	return t, json.NewDecoder(answer.Body).Decode(&t)
}
