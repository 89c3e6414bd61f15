package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// script answers each request with the next of its handlers and keeps what came.
type script struct {
	t        *testing.T
	handlers []http.HandlerFunc

	mu    sync.Mutex // guards what follows
	heard []string   // method, path and Idempotency-Key or Last-Event-ID of each request
	body  []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	s.mu.Lock()
	n := len(s.heard)
	s.heard = append(s.heard, q.Method+" "+q.URL.RequestURI()+" "+q.Header.Get("Idempotency-Key")+q.Header.Get("Last-Event-ID"))
	s.body = append(s.body, string(body))
	s.mu.Unlock()
	if n >= len(s.handlers) {
		s.t.Errorf("unexpected request %s %s", q.Method, q.URL)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.handlers[n](w, q)
}

// at gives a client of a server with this script. It never waits between retries; waits are kept.
func at(t *testing.T, handlers ...http.HandlerFunc) (*Client, *script, *[]time.Duration) {
	t.Helper()
	s := &script{t: t, handlers: handlers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	waits := &[]time.Duration{}
	c, err := New(server.URL, "crl_test_x", func(s *sender) {
		s.pause = func(ctx context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return ctx.Err()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if heard, _ := s.requests(); len(heard) != len(handlers) {
			t.Errorf("%d requests came, want %d: %q", len(heard), len(handlers), heard)
		}
	})
	return c, s, waits
}

// requests gives what came so far: of each its method, path and key or last event, and its body.
func (s *script) requests() (heard, body []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard), slices.Clone(s.body)
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// cut drops the connection in place of an answer.
func cut(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

const ringing = `{"id":"r1","state":"ringing","to":{"person":"ana"},"created_at":"2026-11-27T08:00:00Z"}`

func TestPlaceIsRepeatedUnderOneKey(t *testing.T) {
	t.Parallel()
	busy := `{"type":"https://ring.example.com/docs/errors#idempotency_in_flight","title":"x","status":409,"detail":"x"}`
	c, s, waits := at(t, cut, says(503, "{}", "Retry-After", "3"), says(409, busy), says(429, "{}", "Retry-After", "2"),
		says(200, ringing))
	ring, err := c.Rings.Place(t.Context(), RingRequest{To: To{Person: new("ana")}})
	if err != nil || ring.ID != "r1" || ring.State != RingStateRinging {
		t.Fatalf("%+v, %v", ring, err)
	}
	heard, body := s.requests()
	if len(slices.Compact(heard)) != 1 || strings.HasSuffix(heard[0], " ") || len(slices.Compact(body)) != 1 {
		t.Errorf("requests differ: %q %q", heard, body)
	}
	if w := *waits; w[0] <= 0 || w[1] != 3*time.Second || w[3] != 2*time.Second {
		t.Errorf("waited %v", w)
	}
}

func TestKeyOfTheCallerIsSent(t *testing.T) {
	t.Parallel()
	c, s, _ := at(t, says(201, ringing))
	if _, err := c.Rings.Place(t.Context(), RingRequest{}, IdempotencyKey("lead-4711")); err != nil {
		t.Fatal(err)
	}
	if heard, _ := s.requests(); heard[0] != "POST /v1/rings lead-4711" {
		t.Errorf("%q", heard)
	}
}

func TestOnlyWhatIsSafeIsRepeated(t *testing.T) {
	t.Parallel()
	// A lost answer of a transfer may have been carried out.
	c, _, _ := at(t, cut)
	if _, err := c.Rings.Transfer(t.Context(), "r1", TransferRequest{}); err == nil {
		t.Error("a lost answer was no error")
	}
	// 429 says that nothing was begun.
	c, _, _ = at(t, says(429, "{}", "Retry-After", "1"), says(202, ringing))
	if _, err := c.Rings.Transfer(t.Context(), "r1", TransferRequest{}); err != nil {
		t.Error(err)
	}
	// An hour is the caller's to wait for.
	c, _, _ = at(t, says(429, `{"type":"https://ring.example.com/docs/errors#quota","detail":"Wait.","status":429}`, "Retry-After", "3600"))
	var p *Problem
	if _, err := c.Rings.Place(t.Context(), RingRequest{}); !errors.As(err, &p) || p.Code() != "quota" {
		t.Errorf("%v", err)
	}
	// The attempt whose answer was lost has removed it.
	c, _, _ = at(t, cut, says(404, "{}"))
	if err := c.Devices.Remove(t.Context(), "d1"); err != nil {
		t.Error(err)
	}
	c, _, _ = at(t, says(404, "{}"))
	if err := c.Devices.Remove(t.Context(), "d1"); err == nil {
		t.Error("removing what does not exist was no error")
	}
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	c, _, waits := at(t, cut, cut, cut, cut, cut, cut)
	if _, err := c.Rings.Get(t.Context(), "r1"); err == nil || len(*waits) != 5 {
		t.Errorf("%v after %v", err, *waits)
	}
}

func TestProblemsSayWhatToDo(t *testing.T) {
	t.Parallel()
	c, _, _ := at(t, says(400, `{"type":"https://ring.example.com/docs/errors#invalid","title":"Invalid request","status":400,
		"detail":"The ring has wrong fields.","request_id":"q1","errors":[{"field":"ttl_s","message":"5 to 60 seconds"}]}`))
	_, err := c.Rings.Place(t.Context(), RingRequest{})
	var p *Problem
	if !errors.As(err, &p) || p.Code() != "invalid" || p.RequestID != "q1" || p.Errors[0].Field != "ttl_s" {
		t.Fatalf("%#v", err)
	}
	if got := err.Error(); got != "The ring has wrong fields.; ttl_s: 5 to 60 seconds" {
		t.Error(got)
	}
	c, _, _ = at(t, says(301, "", "Location", "https://ring.example.com/v1/rings"))
	if _, err = c.Rings.Place(t.Context(), RingRequest{}); err == nil || !strings.Contains(err.Error(), "https://ring.example.com") {
		t.Errorf("a redirect said %v", err)
	}
	c, _, _ = at(t, says(500, "<html>", "Content-Type", "text/html"))
	if _, err = c.Rings.Get(t.Context(), "r1"); err == nil || !strings.Contains(err.Error(), "not as Carillon does") {
		t.Errorf("a page of a proxy said %v", err)
	}
	if _, err := New("ring.example.com", "x"); err == nil {
		t.Error("an address without a scheme was taken")
	}
	if _, err := New("https://ring.example.com", ""); err == nil {
		t.Error("an empty key was taken")
	}
}

func TestPagesAreFollowed(t *testing.T) {
	t.Parallel()
	c, s, _ := at(t, says(200, `{"data":[{"id":"d1"},{"id":"d2"}],"next":"b 2"}`), says(200, `{"data":[{"id":"d3"}],"next":null}`))
	var ids []string
	for d, err := range c.Devices.All(t.Context(), ListDevicesParams{Person: new("ana")}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
	}
	heard, _ := s.requests()
	if !slices.Equal(ids, []string{"d1", "d2", "d3"}) || heard[1] != "GET /v1/devices?person=ana&after=b+2 " {
		t.Errorf("%q by %q", ids, heard)
	}
}

// stream sends events and then ends, or is cut.
func stream(end bool, events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": hello\n\n", strings.Join(events, ""))
		if !end {
			w.(http.Flusher).Flush()
			cut(w, q)
		}
	}
}

func event(id int, kind, state string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"kind\":%q,\"state\":%q,\"at\":\"2026-11-27T08:00:00Z\"}\n\n", id, kind, kind, state)
}

func TestFollowMissesNothing(t *testing.T) {
	t.Parallel()
	c, s, _ := at(t,
		stream(false, event(1, "placed", "placed"), event(2, "sent", "pushed"), "id: 3\nevent: half"), says(200, ringing),
		cut, stream(true), says(200, strings.Replace(ringing, `"ringing"`, `"declined","ended_at":"2026-11-27T08:00:09Z"`, 1)),
		stream(true, event(3, "shown", "ringing"), event(4, "declined", "declined")))
	var kinds []string
	for e, err := range c.Rings.Follow(t.Context(), "r1") {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.ID+" "+string(e.Kind))
	}
	if want := []string{"1 placed", "2 sent", "3 shown", "4 declined"}; !slices.Equal(kinds, want) {
		t.Errorf("followed %q, want %q", kinds, want)
	}
	if heard, _ := s.requests(); heard[2] != "GET /v1/rings/r1/events 2" {
		t.Errorf("continued with %q", heard[2])
	}
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	// A caller that leaves the loop ends the request.
	c, _, _ := at(t, stream(true, event(1, "placed", "placed"), event(2, "sent", "pushed")))
	for e, err := range c.Rings.Follow(t.Context(), "r1") {
		if err != nil || e.Kind != FactKindPlaced {
			t.Fatal(e, err)
		}
		break
	}
	// A revoked key ends it with the problem.
	c, _, _ = at(t, stream(true), says(401, `{"type":"https://ring.example.com/docs/errors#unauthorized","detail":"The key was revoked.","status":401}`))
	var last error
	for _, err := range c.Rings.Follow(t.Context(), "r1") {
		last = err
	}
	var p *Problem
	if !errors.As(last, &p) || p.Status != 401 {
		t.Errorf("%v", last)
	}
	// So does the context.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _, _ = at(t, stream(true, event(1, "placed", "placed")))
	for _, err := range c.Rings.Follow(ctx, "r1") {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("%v", last)
	}
}

// TestEventsMissNothing: the stream of all rings is opened again behind its last event, also when
// the server ends it, and a refusal ends it.
func TestEventsMissNothing(t *testing.T) {
	t.Parallel()
	c, s, _ := at(t,
		stream(true), stream(false, strings.Replace(event(1, "placed", "placed"), "id: 1", "id: 0-1", 1), "id: 3\nevent: half"),
		cut, stream(true, strings.Replace(event(2, "ended", "ended"), "id: 2", "id: 0-2", 1)),
		says(410, `{"type":"https://ring.example.com/docs/errors#event_too_old","detail":"Too old.","status":410}`))
	var kinds []string
	var last error
	for e, err := range c.Events.Follow(t.Context(), FollowEventsParams{Person: new("ana")}) {
		if last = err; err == nil {
			kinds = append(kinds, e.ID+" "+string(e.Kind))
		}
	}
	if want := []string{"0-1 placed", "0-2 ended"}; !slices.Equal(kinds, want) {
		t.Errorf("followed %q, want %q", kinds, want)
	}
	var p *Problem
	if !errors.As(last, &p) || p.Status != 410 {
		t.Errorf("%v", last)
	}
	if heard, _ := s.requests(); heard[1] != "GET /v1/events?person=ana " || heard[4] != "GET /v1/events?person=ana 0-2" {
		t.Errorf("asked for %q", heard)
	}
	c, _, _ = at(t, cut, cut)
	c.Events.s.retries = 0
	for _, last = range c.Events.Follow(t.Context(), FollowEventsParams{}) {
	}
	if last == nil || errors.As(last, &p) && p.Status == 410 {
		t.Errorf("without a server: %v", last)
	}
}

// TestQuietFollowersComeBack: an id without an event is kept, so a follower that heard nothing
// comes back behind it, and it waits while the server still counts the stream that it lost.
func TestQuietFollowersComeBack(t *testing.T) {
	t.Parallel()
	full := says(429, `{"type":"https://ring.example.com/docs/errors#too_many_streams","detail":"Full.","status":429}`)
	c, s, waits := at(t, stream(false, "id: 0-6\n\n", "id: 0-7\n\n"), full, full,
		stream(true, "id: 0-7\n\n", strings.Replace(event(9, "ended", "ended"), "id: 9", "id: 0-9", 1), "id: 0-12\n\n"),
		says(410, `{"type":"https://ring.example.com/docs/errors#event_too_old","detail":"Too old.","status":410}`))
	c.Events.s.retries = 0
	var kinds []string
	opened := 0
	for e, err := range c.Events.FollowOpened(t.Context(), FollowEventsParams{}, func() { opened++ }) {
		if err == nil {
			kinds = append(kinds, e.ID+" "+string(e.Kind))
		}
	}
	heard, _ := s.requests()
	want := []string{"GET /v1/events ", "GET /v1/events 0-7", "GET /v1/events 0-7", "GET /v1/events 0-7", "GET /v1/events 0-12"}
	if !slices.Equal(heard, want) || !slices.Equal(kinds, []string{"0-9 ended"}) || opened != 2 {
		t.Errorf("asked for %q, heard %q, opened %d", heard, kinds, opened)
	}
	if len(*waits) != 4 || (*waits)[1] != longestPause || (*waits)[2] != longestPause {
		t.Errorf("waited %v", *waits)
	}
	c, _, _ = at(t, full)
	c.Events.s.retries = 0
	var p *Problem
	for _, err := range c.Events.Follow(t.Context(), FollowEventsParams{}) {
		if !errors.As(err, &p) || p.Status != 429 {
			t.Errorf("the first stream is refused with %v", err)
		}
	}
	if p == nil {
		t.Error("the first stream was not refused")
	}
}

func TestSilentStreamsAreCut(t *testing.T) {
	t.Parallel()
	called := false
	body := io.MultiReader(strings.NewReader("data: 1\r\ndata: 2\r\n\r\ndata: lost"))
	var got []string
	err := events(time.Minute, func() { called = true }, body, func(id, data string) (bool, error) {
		got = append(got, data)
		return true, nil
	})
	if err != nil || called || !slices.Equal(got, []string{"1\n2"}) {
		t.Errorf("%q, %v", got, err)
	}
	if err := events(time.Minute, func() {}, strings.NewReader(strings.Repeat("x", longestLine+1)), nil); err == nil {
		t.Error("a line without end was taken")
	}
	// The caller did not cancel, so the error must not say so.
	silent := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-q.Context().Done()
	}
	c, _, _ := at(t, silent, says(200, ringing), silent)
	c.Rings.s.retries, c.Rings.s.silence = 0, time.Millisecond
	for _, last := range c.Rings.Follow(t.Context(), "r1") {
		err = last
	}
	if !errors.As(err, new(*AnswerError)) || !strings.Contains(err.Error(), "the server was silent") || errors.Is(err, context.Canceled) {
		t.Errorf("after a silence: %v", err)
	}
}

// TestLostAnswers: what came in part, or cannot be read, is one kind of error.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	short := says(200, ringing[:9], "Content-Length", "99")
	c, _, _ := at(t, short, says(200, "<html>"), short, stream(true, "data: {\n\n"), says(200, ringing), stream(true, "data: {\n\n"))
	c.Rings.s.retries = 0
	for range 2 {
		if _, err := c.Rings.Get(t.Context(), "r1"); !errors.As(err, new(*AnswerError)) {
			t.Errorf("%v", err)
		}
	}
	file, _, err := c.Rings.Recording(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.ReadAll(file); !errors.As(err, new(*AnswerError)) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	for _, last := range c.Rings.Follow(t.Context(), "r1") {
		err = last
	}
	if !errors.As(err, new(*AnswerError)) {
		t.Errorf("%v", err)
	}
}

// The example of the specification of Standard Webhooks, and what must not pass.
func TestVerify(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body := []byte(`{"test": 2432232314}`)
	header := http.Header{}
	header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("webhook-timestamp", "1614265330")
	const good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	header.Set("webhook-signature", "v1a,bm90aGluZw== v1,bm90aGluZw== "+good)
	sent := time.Unix(1614265330, 0)
	if err := verify(secret, header, body, sent.Add(4*time.Minute)); err != nil {
		t.Error(err)
	}
	refuses := func(what, says string, secret string, body []byte, now time.Time) {
		t.Helper()
		if err := verify(secret, header, body, now); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refuses("old", "check this machine's clock", secret, body, sent.Add(6*time.Minute))
	refuses("from the future", "check this machine's clock", secret, body, sent.Add(-6*time.Minute))
	refuses("another body", "no signature", secret, []byte(`{}`), sent)
	refuses("another secret", "no signature", "whsec_"+base64.StdEncoding.EncodeToString([]byte("other")), body, sent)
	refuses("no secret", "copy it again", "", body, sent)
	header.Set("webhook-timestamp", "soon")
	refuses("no time", "not a number", secret, body, sent)
	header.Set("webhook-timestamp", "1"+strings.Repeat("0", 400))
	refuses("a time without end", "not a number", secret, body, sent)
	header.Del("webhook-signature")
	refuses("no signature", "is missing", secret, body, sent)
}
