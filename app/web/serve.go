package web

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	// writeTimeout bounds one write: a client that stops reading is cut off, a stream that lasts an hour is not.
	writeTimeout = 30 * time.Second
	// grace is how long Serve waits for requests under way once it is told to end.
	grace = 10 * time.Second
)

// Serve serves the app on ln until ctx ends, then stops accepting, ends the event streams, waits for requests under way, and
// after ten seconds cuts off what is left. It returns when everything has ended; nil unless serving failed.
func Serve(ctx context.Context, app *fiber.App, ln net.Listener) error {
	return serve(ctx, app, ln, grace)
}

func serve(ctx context.Context, app *fiber.App, ln net.Listener, grace time.Duration) error {
	door := &door{Listener: ln, open: map[*conn]struct{}{}}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(door) }()
	select {
	case err := <-ended:
		door.cut()
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := app.ShutdownWithContext(limit)
	_ = door.Close() // the server may not have got as far as knowing it; twice does no harm
	if err != nil {
		door.cut()
	}
	return errors.Join(unless(err, context.DeadlineExceeded, net.ErrClosed), unless(<-ended, net.ErrClosed))
}

// unless is err, or nil when it is one of those.
func unless(err error, those ...error) error {
	for _, t := range those {
		if errors.Is(err, t) {
			return nil
		}
	}
	return err
}

// door is a listener that knows its open connections, so that they can be cut off.
type door struct {
	net.Listener
	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &conn{Conn: c, door: d}
	d.mu.Lock()
	d.open[k] = struct{}{}
	d.mu.Unlock()
	return k, nil
}

func (d *door) cut() {
	d.mu.Lock()
	left := make([]*conn, 0, len(d.open))
	for c := range d.open {
		left = append(left, c)
	}
	d.mu.Unlock()
	for _, c := range left {
		_ = c.Close() // whoever reads or writes it gets the error
	}
}

// conn is a connection whose every write has a deadline.
type conn struct {
	net.Conn
	door *door
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.door.mu.Lock()
	delete(c.door.open, c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}
