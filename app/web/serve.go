package web

import (
	"context"
	"errors"
	"net"
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

// Serve serves the app on ln, which becomes a Listener if it is none, until ctx ends. Then it stops
// accepting, ends the event streams, waits for running requests, and closes what is left after ten
// seconds. It returns nil unless serving failed. A handler whose connection was closed may run on
// until its own deadline.
func Serve(ctx context.Context, app *fiber.App, ln net.Listener) error {
	return serve(ctx, app, ln, grace)
}

func serve(ctx context.Context, app *fiber.App, ln net.Listener, grace time.Duration) error {
	tracked, ok := ln.(*Listener)
	if !ok {
		tracked = NewListener(ln, ListenerConfig{})
	}
	app.Server().ConnState = tracked.state
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
