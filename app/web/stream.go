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

// heartbeat is how often a silent stream says that it lives. It is also how a client that went away is noticed: by the write
// that fails.
const heartbeat = 10 * time.Second

// Stream is one client's event stream (WHATWG HTML, "server-sent events").
type Stream struct {
	mu   sync.Mutex // guards w
	w    *bufio.Writer
	stop context.CancelFunc
}

// SSE answers with an event stream and runs tell until it returns or ctx ends, which it does when the client is gone, the server
// shuts down, or still says no: it is asked at every heartbeat, ten seconds apart, whether the reader may read on. Nil = yes. tell
// runs after the handler has returned: it must not touch c. What tell returns ends the stream; there is no status left to say it
// with, so callers refuse before they stream.
func SSE(c *fiber.Ctx, still func(context.Context) error, tell func(context.Context, *Stream) error) error {
	return stream(c, pulse{heartbeat, still}, tell)
}

// pulse is what happens again and again on a stream.
type pulse struct {
	every time.Duration
	still func(context.Context) error // whether the reader may read on; nil = yes
}

func stream(c *fiber.Ctx, p pulse, tell func(context.Context, *Stream) error) error {
	h := &c.Response().Header
	h.SetContentType("text/event-stream")
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	if c.Method() == fiber.MethodHead {
		return nil
	}
	down := c.Context().Done() // closed when the server begins to shut down, before it waits for its connections
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s := &Stream{w: w, stop: cancel}
		var beats sync.WaitGroup
		beats.Go(func() { s.beat(ctx, down, p) })
		if s.comment() == nil { // headers leave now, not with the first event
			_ = tell(ctx, s) // it ends the stream, and there is nobody left to tell
		}
		cancel()
		beats.Wait()
	})
	return nil
}

// beat ends the stream with the server or with the reader's right to read, and otherwise keeps it alive.
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
			if p.still != nil && p.still(ctx) != nil {
				s.stop()
				return
			}
			if s.comment() != nil {
				return
			}
		}
	}
}

// errField refuses an id or a name that would break out of its line.
var errField = errors.New("web: an event's id and name are single lines")

// Send writes one event and flushes it. id and event may be empty; data may have several lines. An error means that the client is
// gone: return it.
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
