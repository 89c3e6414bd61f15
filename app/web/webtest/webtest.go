// Package webtest serves an app on a local address in tests.
package webtest

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
)

// Serve serves app on a free port of this machine until the test ends, and returns its URL. It
// fails the test when serving ends with an error.
func Serve(t testing.TB, app *fiber.App) (url string) {
	t.Helper()
	ln := Listen(t)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, app, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	<-ln.Accepts
	return "http://" + ln.Addr().String()
}

// Listener tells when its server is ready, so that a test may also call the app without a socket:
// the app's settings are changed until then.
type Listener struct {
	net.Listener
	Accepts chan struct{} // closed when the server accepts connections, or does not any more
	once    sync.Once
}

// Listen listens on a free port of this machine.
func Listen(t testing.TB) *Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &Listener{Listener: ln, Accepts: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	l.once.Do(func() { close(l.Accepts) })
	return l.Listener.Accept()
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.Accepts) })
	return l.Listener.Close()
}
