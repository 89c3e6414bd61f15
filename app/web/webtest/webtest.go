// Package webtest serves an app on a local address in tests.
package webtest

import (
	"context"
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
)

// Serve serves app on a free port of this machine until the test ends, and returns its URL. It
// fails the test when serving ends with an error.
func Serve(t testing.TB, app *fiber.App) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, app, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}
