package web

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// heartbeat is how often an idle stream sends a comment. The write that fails also shows that a
// client has left.
const heartbeat = 10 * time.Second

// Stream is one client's event stream (WHATWG HTML, "server-sent events").
type Stream struct {
	mu   sync.Mutex // guards w
	w    *bufio.Writer
	stop context.CancelFunc
}

// SSE answers with an event stream and runs write until it returns. Its ctx ends when the client is
// gone, the server shuts down, or mayRead returns an error: mayRead is called at every heartbeat,
// each ten seconds; nil means that it always may. write runs after the handler has returned, so it
// must not touch c. An error from write only ends the stream, because the status has already been
// sent: refuse before you stream.
func SSE(c *fiber.Ctx, mayRead func(context.Context) error, write func(context.Context, *Stream) error) error {
	return stream(c, pulse{heartbeat, mayRead}, write)
}

// pulse is what a stream does at every heartbeat.
type pulse struct {
	every   time.Duration
	mayRead func(context.Context) error // nil = always
}

func stream(c *fiber.Ctx, p pulse, write func(context.Context, *Stream) error) error {
	h := &c.Response().Header
	h.SetContentType("text/event-stream")
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not buffer events
	if c.Method() == fiber.MethodHead {
		return nil
	}
	// closed when a shutdown begins, before the server waits for its connections
	down := c.Context().Done()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s := &Stream{w: w, stop: cancel}
		var beats sync.WaitGroup
		beats.Go(func() { s.beat(ctx, down, p) })
		if s.comment() == nil { // sends the headers now, not with the first event
			_ = write(ctx, s) // the status has been sent, so the error cannot be reported
		}
		cancel()
		beats.Wait()
	})
	return nil
}

// beat keeps the stream alive, and ends it when the server shuts down or the reader may read no
// more.
func (s *Stream) beat(ctx context.Context, down <-chan struct{}, p pulse) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-down:
			s.stop()
			return
		case <-tick.C:
			if p.mayRead != nil && p.mayRead(ctx) != nil {
				s.stop()
				return
			}
			if s.comment() != nil {
				return
			}
		}
	}
}

// errField refuses an id or a name with a line break, which would start another field.
var errField = errors.New("web: an event's id and name must be single lines")

// Send writes one event and flushes it. id and event may be empty; data may have several lines. An
// error means that the client is gone: return it.
func (s *Stream) Send(id, event, data string) error {
	if strings.ContainsAny(id, "\r\n\x00") || strings.ContainsAny(event, "\r\n") {
		return errField
	}
	var b strings.Builder
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	if event != "" {
		b.WriteString("event: " + event + "\n")
	}
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	return s.write(b.String())
}

func (s *Stream) comment() error { return s.write(":\n\n") }

func (s *Stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.WriteString(text); err != nil {
		s.stop()
		return err
	}
	if err := s.w.Flush(); err != nil {
		s.stop()
		return err
	}
	return nil
}
