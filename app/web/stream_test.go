package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// events reads an event stream and returns each event as one line.
func events(t *testing.T, body io.Reader) <-chan string {
	t.Helper()
	out := make(chan string, 100)
	go func() {
		defer close(out)
		s := bufio.NewScanner(body)
		var lines []string
		for s.Scan() {
			if s.Text() != "" {
				lines = append(lines, s.Text())
				continue
			}
			out <- strings.Join(lines, "|")
			lines = nil
		}
	}()
	return out
}

func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event in time")
	}
	return ""
}

func TestStream(t *testing.T) {
	t.Parallel()
	more, left := make(chan string), make(chan error, 1)
	app := New(Config{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return stream(c, Reader{}, pulse{every: 20 * time.Millisecond, age: time.Hour}, func(ctx context.Context, s *Stream) error {
			if err := s.Send("7", "first", "one"); err != nil {
				return err
			}
			for {
				select {
				case text := <-more:
					if err := s.Send("", "more", text); err != nil {
						left <- err
						return err
					}
				case <-ctx.Done():
					left <- ctx.Err()
					return ctx.Err()
				}
			}
		})
	})
	at := serving(t, app)
	ctx, hangUp := context.WithCancel(t.Context())
	r := request(t, "GET", at+"/v1/events", "").WithContext(ctx)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	from := events(t, resp.Body)
	if got := next(t, from); got != ":" {
		t.Errorf("the stream begins with %q", got)
	}
	for got := next(t, from); got != "id: 7|event: first|data: one"; got = next(t, from) {
		if got != ":" {
			t.Fatalf("got %q", got)
		}
	}
	more <- "two\nlines\r\nthree"
	for got := next(t, from); got != "event: more|data: two|data: lines|data: three"; got = next(t, from) {
		if got != ":" {
			t.Fatalf("got %q", got)
		}
	}
	if got := next(t, from); got != ":" {
		t.Errorf("a heartbeat reads %q", got)
	}
	hangUp()
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Fatal("the stream outlived its client")
	}
}

// TestStreamEndsWhenReadingIsRevoked: the heartbeat at which mayRead fails is the last.
func TestStreamEndsWhenReadingIsRevoked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	mayRead := func(context.Context) error {
		if asked.Add(1) < 3 {
			return nil
		}
		return errors.New("no more")
	}
	app := New(Config{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return stream(c, Reader{MayRead: mayRead}, pulse{every: 5 * time.Millisecond, age: time.Hour},
			func(ctx context.Context, _ *Stream) error {
				<-ctx.Done()
				return ctx.Err()
			})
	})
	resp, err := http.Get(serving(t, app) + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	beats := 0
	for range events(t, resp.Body) {
		beats++
	}
	if beats != 3 || asked.Load() != 3 { // the first comment, and two heartbeats
		t.Errorf("%d comments, asked %d times", beats, asked.Load())
	}
}

func TestStreamRefusesLineBreaks(t *testing.T) {
	t.Parallel()
	s := &Stream{w: bufio.NewWriter(io.Discard), stop: func() {}}
	if s.Send("1\ndata: x", "", "") == nil || s.Send("1", "a\rb", "") == nil || s.Send("1\x00", "", "") == nil {
		t.Error("an id or a name with a line break was accepted")
	}
}

// TestShutdownEndsStreams: an open stream must not delay a shutdown, and its client learns when to
// come back.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	ended := make(chan struct{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return SSE(c, Reader{}, func(ctx context.Context, s *Stream) error {
			defer close(ended)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, app, ln) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	from := events(t, resp.Body)
	if got := next(t, from); got != ":" {
		t.Fatalf("got %q", got)
	}
	start := time.Now()
	cancel()
	if got := next(t, from); !strings.HasPrefix(got, "retry: ") {
		t.Errorf("the last words are %q", got)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the stream delayed the shutdown")
	}
	<-ended
	if took := time.Since(start); took >= grace {
		t.Errorf("shutdown took %v", took)
	}
}

// TestStreamSaysWhenToComeBack: a stream that ends because its node drains says so, and one that is
// over does not.
func TestStreamSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		drains := Query(c, "drains") != ""
		return SSE(c, Reader{}, func(context.Context, *Stream) error {
			if drains {
				return context.Canceled
			}
			return errors.New("it is over")
		})
	})
	at := serving(t, app)
	for query, want := range map[string]bool{"": false, "?drains=1": true} {
		resp, err := http.Get(at + "/v1/events" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || strings.Contains(string(body), "\nretry: ") != want {
			t.Errorf("%q: %q %v", query, body, err)
		}
	}
}

// TestStreamHasAGreatestAge: EventSource connects again by itself, so a server may end a stream.
func TestStreamHasAGreatestAge(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return stream(c, Reader{}, pulse{every: time.Hour, age: 20 * time.Millisecond}, func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
	})
	resp, err := http.Get(serving(t, app) + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil { // hangs if the stream does not end
		t.Error(err)
	}
}

// TestStreamsAreBounded: one reader cannot take what its tenant needs, one tenant or network cannot
// take what all need, and a stream that ends makes room.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	app := New(Config{Connections: 64}) // 32 streams, 8 of a tenant or network, 4 of a reader
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		r := Reader{Holder: Holder{Kind: KindKey, ID: Query(c, "who"), Tenant: Query(c, "tenant")}}
		return SSE(c, r, func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
	})
	at := serving(t, app)
	open := func(query string) (*http.Response, string) {
		t.Helper()
		resp, err := (&http.Client{Transport: &http.Transport{}}).Get(at + "/v1/events?" + query)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if resp.StatusCode == 200 {
			return resp, ""
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "10" || !strings.Contains(string(body), "too_many_streams") {
			t.Errorf("%s: %d, Retry-After %q, %s", query, resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
		return resp, string(body)
	}
	for range 4 {
		if _, refused := open("who=1&tenant=a"); refused != "" {
			t.Fatal(refused)
		}
	}
	if _, refused := open("who=1&tenant=a"); !strings.Contains(refused, "This API key has 4 event streams open") {
		t.Errorf("a fifth stream of a key: %q", refused)
	}
	for range 4 {
		if _, refused := open("who=2&tenant=a"); refused != "" {
			t.Fatal(refused)
		}
	}
	if _, refused := open("who=3&tenant=a"); !strings.Contains(refused, "Your organisation has 8 event streams open") {
		t.Errorf("a ninth stream of a tenant: %q", refused)
	}
	if _, refused := open("who=4&tenant=b"); !strings.Contains(refused, "Your network address has 8 event streams open") {
		t.Errorf("a ninth stream of a network: %q", refused)
	}
	head, err := http.Head(at + "/v1/events?who=1&tenant=a")
	if err != nil {
		t.Fatal(err)
	}
	if head.Body.Close(); head.StatusCode != 200 {
		t.Errorf("HEAD opens no stream, and was answered %d", head.StatusCode)
	}
}

// TestStreamPanics: a panic after the handler has returned ends that stream and nothing else.
func TestStreamPanics(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Get("/v1/write", func(c *fiber.Ctx) error {
		return stream(c, Reader{}, pulse{every: time.Hour, age: time.Hour}, func(context.Context, *Stream) error { panic("write") })
	})
	app.Get("/v1/read", func(c *fiber.Ctx) error {
		r := Reader{MayRead: func(context.Context) error { panic("may read") }}
		return stream(c, r, pulse{every: time.Millisecond, age: time.Hour}, func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
	})
	at := serving(t, app)
	for _, path := range []string{"/v1/write", "/v1/read", "/v1/write"} {
		resp, err := http.DefaultClient.Do(request(t, "GET", at+path, ""))
		if err != nil {
			t.Fatal(path, err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, err)
		}
		_ = resp.Body.Close()
	}
}
