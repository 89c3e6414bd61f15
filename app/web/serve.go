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
	// writeTimeout bounds one write: a client that stops reading is cut off, a stream that lasts an hour is not.
	writeTimeout = 30 * time.Second
	// grace is how long Serve waits for requests under way once it is told to end.
	grace = 10 * time.Second
)

// Serve serves the app on ln until ctx ends, then stops accepting, ends the event streams, waits for requests under way, and
// after ten seconds cuts off what is left. It returns nil unless serving failed. A handler that was cut off may run on until its
// own deadline; its client is gone.
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
		_ = c.Conn.Close() // whoever reads or writes it gets the error
	}
}

// conn is a connection whose every write has a deadline.
type conn struct {
	net.Conn
	door   *door
	unread atomic.Bool // the client was refused while it was still sending
}

// Bounds of what a refused client may go on sending before it is cut off.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// linger lets a client that was refused in the middle of its request finish sending: to close at once would reset the connection, and
// the reset would overtake the refusal (RFC 9112, 9.6).
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // however it ends, the connection is closed next
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
	c.door.mu.Lock()
	delete(c.door.open, c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}
