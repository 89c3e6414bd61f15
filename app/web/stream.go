package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// heartbeat is how often an idle stream sends a comment. The write that fails also shows that a
// client has left.
const heartbeat = 4 * time.Second

// Stream is one client's event stream (WHATWG HTML, "server-sent events").
type Stream struct {
	mu   sync.Mutex // guards w
	w    *bufio.Writer
	stop context.CancelFunc
	sign string      // what shows that it is alive
	shut atomic.Bool // the server stops
}

// Reader is who reads a stream, and whether they still may.
type Reader struct {
	Holder                              // its Network is filled in from the request
	MayRead func(context.Context) error // called at every heartbeat; nil = always
	Over    func()                      // called when a stream that was not refused has ended; nil = nothing
}

// streamAge is how long a stream lasts at most, plus up to a quarter: clients that came at the same
// time do not all come back at the same time. EventSource connects again by itself.
const streamAge = 30 * time.Minute

// streamBounds leaves half of the connections to everything that is no stream. No tenant and no
// network can take more than a quarter of the streams, nor one reader half of its tenant's.
func streamBounds(connections int) SlotBounds {
	all := max(1, connections/2)
	tenant := max(1, min(1024, all/4))
	most := func(n int) int { return max(1, min(n, tenant/2)) }
	return SlotBounds{
		Code: "too_many_streams", What: "event streams open", Cure: "Close some of them and try again.", After: 10 * time.Second,
		Each:   map[string]int{KindPerson: most(64), KindKey: most(512), KindDevice: most(16)},
		Tenant: tenant, Network: max(1, min(2048, all/4)), All: all,
	}
}

// SSE answers with an event stream and runs write until it returns. It refuses before anything is
// sent where too many streams are open; see streamBounds. The ctx of write ends when the client is
// gone, the server shuts down, the stream is streamAge old, or MayRead returns an error: it is
// called at every heartbeat, each four seconds. write runs after the handler has returned, so it
// must not touch c. An error from write only ends the stream, because the status has already been
// sent: refuse before you stream. Where the server shuts down, or write returns context.Canceled
// although its ctx goes on, the last line has the client connect again within a second.
func SSE(c *fiber.Ctx, r Reader, write func(context.Context, *Stream) error) error {
	age := streamAge + rand.N(streamAge/4)
	return stream(c, r, pulse{every: heartbeat, age: age}, write)
}

// Late answers 200 with JSON that takes up to wait to be ready. Until then it sends a line break
// every second, which JSON allows before a value: a write that fails shows that the client has
// left, and no proxy cuts the connection. A late answer counts as an event stream, and answer gets
// the same ctx as the write of SSE. Its JSON is sent also when that ctx has ended.
func Late(c *fiber.Ctx, r Reader, wait time.Duration, answer func(context.Context) []byte) error {
	return stream(c, r, pulse{every: lateBeat, age: wait, json: true}, func(ctx context.Context, s *Stream) error {
		return s.write(string(answer(ctx)))
	})
}

// lateBeat is shorter than heartbeat: what a client waits for holds work that only it needs.
const lateBeat = time.Second

// pulse is how often a stream shows that it is alive, and how long it lives.
type pulse struct {
	every, age time.Duration
	json       bool // one JSON value after blank lines, instead of events
}

func stream(c *fiber.Ctx, r Reader, p pulse, write func(context.Context, *Stream) error) error {
	leave, log := func() {}, slog.New(slog.DiscardHandler)
	if v, ok := visitOf(c); ok && c.Method() != fiber.MethodHead {
		log = v.edge.Log
		r.Network = Network(IP(c))
		var err error
		if leave, err = v.edge.streams.Take(r.Holder); err != nil {
			return err
		}
	}
	h := &c.Response().Header
	sign := ":\n\n"
	h.SetContentType("text/event-stream")
	if p.json {
		sign = "\n"
		h.SetContentType(fiber.MIMEApplicationJSON)
	}
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not buffer events
	if c.Method() == fiber.MethodHead {
		return nil
	}
	// closed when a shutdown begins, before the server waits for its connections
	down := c.Context().Done()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer leave()
		if r.Over != nil {
			defer r.Over() // not left to write, which does not run where the client has left already
		}
		ctx, cancel := context.WithTimeout(context.Background(), p.age)
		defer cancel()
		s := &Stream{w: w, stop: cancel, sign: sign}
		var beats sync.WaitGroup
		beats.Go(func() { s.beat(ctx, down, p.every, r.MayRead) })
		if s.comment() == nil { // sends the headers now, not with the first event
			// The status has been sent, so an error cannot be reported.
			err := Recovered(func() error { return write(ctx, s) })
			if errors.Is(err, errPanic) {
				log.LogAttrs(ctx, slog.LevelError, "event stream cut off", slog.String("err", err.Error()))
			}
			if !p.json && (s.shut.Load() || errors.Is(err, context.Canceled) && ctx.Err() == nil) {
				_ = s.write(comeBack()) // a client that has left needs none
			}
		}
		cancel()
		beats.Wait()
	})
	return nil
}

// comeBack has the client of a server that stops connect again soon. The time differs, so that not
// all of them come to another server in the same moment.
func comeBack() string {
	return fmt.Sprintf("retry: %d\n\n", 200+rand.IntN(800))
}

// beat keeps the stream alive, and ends it when the server shuts down or the reader may read no
// more.
func (s *Stream) beat(ctx context.Context, down <-chan struct{}, every time.Duration, mayRead func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-down:
			s.shut.Store(true)
			s.stop()
			return
		case <-tick.C:
			if mayRead != nil && Recovered(func() error { return mayRead(ctx) }) != nil {
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

// Place tells the client an id that it comes back with, without an event.
func (s *Stream) Place(id string) error {
	if strings.ContainsAny(id, "\r\n\x00") {
		return errField
	}
	return s.write("id: " + id + "\n\n")
}

func (s *Stream) comment() error { return s.write(s.sign) }

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
