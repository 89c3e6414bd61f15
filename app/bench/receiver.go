package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Receive serves the receiver of events of `bench events` until ctx is done. It is a process of its
// own: what it costs to take a thousand events a second is not ours, and must not delay the
// goroutines that place and time rings. It shares the processor with the server all the same, so it
// reads just enough HTTP/1.1.
func Receive(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	fmt.Fprintf(out, "receiver of events on %s\n", l.Addr())
	r := &receiver{took: map[string]int{}, beside: &receiver{took: map[string]int{}}}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go r.serve(conn)
	}
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
	beside *receiver // of what another process than the server sends, to the path /elsewhere

	mu   sync.Mutex // guards the rest
	took map[string]int
	late sample
	last time.Time
}

// event is one request, of an event or of what was taken.
type event struct {
	line, id, body []byte
}

// serve answers the requests of one connection until it ends or sends what is no request.
func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	var q event
	for q.read(in) == nil {
		if _, err := conn.Write(r.answer(&q)); err != nil {
			return
		}
	}
}

// read reads a request with a length.
func (q *event) read(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	q.line, q.id = append(q.line[:0], line...), q.id[:0]
	for length := 0; ; {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			if length < 0 || length > 64<<10 {
				return errors.New("too long")
			}
			q.body = append(q.body[:0], make([]byte, length)...)
			_, err = io.ReadFull(in, q.body)
			return err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("Webhook-Id")):
			q.id = append(q.id, value...)
		}
	}
}

var (
	answerTaken  = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	answerFaulty = []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
)

// answer takes an event or says what was taken.
func (r *receiver) answer(q *event) []byte {
	method, path, _ := bytes.Cut(q.line, []byte(" "))
	if string(method) == http.MethodPost {
		to := r
		if bytes.HasPrefix(path, []byte("/elsewhere ")) {
			to = r.beside
		}
		if to.take(q) != nil {
			return answerFaulty
		}
		return answerTaken
	}
	text, err := json.Marshal(r.taken(bytes.HasPrefix(path, []byte("/times "))))
	if err != nil {
		return answerFaulty
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

func (r *receiver) take(q *event) error {
	now := time.Now()
	_, text, found := bytes.Cut(q.body, []byte(`"timestamp":"`))
	text, _, _ = bytes.Cut(text, []byte(`"`))
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if !found || err != nil || len(q.id) == 0 {
		return errors.New("no event")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took[string(q.id)]++
	r.late, r.last = append(r.late, now.Sub(at)), now
	return nil
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
