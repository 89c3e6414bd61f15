package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// TestShutdownWaitsThenDisconnects: a running request may finish; one that does not is
// disconnected.
func TestShutdownWaitsThenDisconnects(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	in, out := make(chan string, 2), map[string]chan struct{}{"short": make(chan struct{}), "long": make(chan struct{})}
	app.Get("/:name", func(c *fiber.Ctx) error {
		name := Param(c, "name")
		in <- name
		<-out[name]
		return c.SendString(name)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, app, ln, 8*time.Second) }()
	answers := map[string]chan error{}
	for name := range out {
		got := make(chan error, 1)
		answers[name] = got
		go func() {
			resp, err := http.Get("http://" + ln.Addr().String() + "/" + name)
			if err == nil {
				resp.Body.Close()
			}
			got <- err
		}()
		<-in
	}
	cancel()
	close(out["short"])
	if err := <-answers["short"]; err != nil {
		t.Errorf("a running request was disconnected: %v", err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Serve did not return")
	}
	if err := <-answers["long"]; err == nil {
		t.Error("a request was answered that had not finished")
	}
	close(out["long"])
}

func TestServeWithEndedContext(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, New(Config{}), ln); err != nil {
		t.Error(err)
	}
	// listening on the port again could meet another program
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("it still listens: %v", err)
	}
}

// TestRefusalReachesClientStillSending: closing a connection with unread bytes resets it, and the
// client may lose the answer.
func TestRefusalReachesClientStillSending(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Post("/v1/things", func(c *fiber.Ctx) error { return c.SendString("ok") })
	at := serving(t, app)
	body := strings.Repeat("x", 3<<20)
	for i := range 10 {
		r := request(t, "POST", at+"/v1/things", body)
		if i%2 == 1 { // in chunks, without a length
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		}
		if resp, text := do(t, r); resp.StatusCode != 413 || !strings.Contains(text, "too_large") {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
}
