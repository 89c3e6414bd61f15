package web

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	// writeTimeout limits one write: a client that stops reading is disconnected, and a long stream
	// is not.
	writeTimeout = 30 * time.Second
	// grace is how long Serve waits for running requests when it shuts down.
	grace = 10 * time.Second
)

// Serve serves the app on ln until ctx ends. Then it stops accepting, ends the event streams, waits
// for running requests, and closes what is left after ten seconds. It returns nil unless serving
// failed. A handler whose connection was closed may run on until its own deadline.
func Serve(ctx context.Context, app *fiber.App, ln net.Listener) error {
	return serve(ctx, app, ln, grace)
}

func serve(ctx context.Context, app *fiber.App, ln net.Listener, grace time.Duration) error {
	tracked := &trackedListener{Listener: ln, open: map[*conn]struct{}{}}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(tracked) }()
	select {
	case err := <-ended:
		tracked.closeAll()
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := app.ShutdownWithContext(limit)
	_ = tracked.Close() // Fiber may not know the listener yet; closing twice is harmless
	if err != nil {
		tracked.closeAll()
	}
	return errors.Join(unless(err, context.DeadlineExceeded, net.ErrClosed), unless(<-ended, net.ErrClosed))
}

// unless returns err, or nil if it is one of those.
func unless(err error, those ...error) error {
	for _, t := range those {
		if errors.Is(err, t) {
			return nil
		}
	}
	return err
}

// trackedListener knows its open connections, so that they can be closed.
type trackedListener struct {
	net.Listener
	mu   sync.Mutex // guards open
	open map[*conn]struct{}
}

// Accept implements net.Listener.
func (d *trackedListener) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &conn{Conn: c, listener: d}
	d.mu.Lock()
	d.open[k] = struct{}{}
	d.mu.Unlock()
	return k, nil
}

func (d *trackedListener) closeAll() {
	d.mu.Lock()
	left := make([]*conn, 0, len(d.open))
	for c := range d.open {
		left = append(left, c)
	}
	d.mu.Unlock()
	for _, c := range left {
		_ = c.Conn.Close() // a pending read or write gets the error
	}
}

// conn is a connection whose every write has a deadline.
type conn struct {
	net.Conn
	listener *trackedListener
	unread   atomic.Bool // the client was refused while it was still sending
}

// How long and how much a refused client may still send before its connection is closed.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// linger lets a client that was refused while sending finish. Closing at once would reset the
// connection, and the reset could arrive before the answer (RFC 9112, 9.6).
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // the connection is closed next in any case
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
	if c.unread.CompareAndSwap(true, false) {
		c.linger()
	}
	c.listener.mu.Lock()
	delete(c.listener.open, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
