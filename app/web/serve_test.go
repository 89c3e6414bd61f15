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

// TestShutdownWaitsAndThenCuts: a request under way may finish, one that never does is cut off.
func TestShutdownWaitsAndThenCuts(t *testing.T) {
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
		t.Errorf("a request under way was cut off: %v", err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Serve waits for ever")
	}
	if err := <-answers["long"]; err == nil {
		t.Error("a request was answered that had not finished")
	}
	close(out["long"])
}

func TestServeEndsWhenToldBefore(t *testing.T) {
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
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) { // to listen there again might find another program's
		t.Fatalf("it still listens: %v", err)
	}
}

// TestRefusalReachesWhoIsStillSending: a connection that is closed with bytes unread is reset, and a reset overtakes the answer.
func TestRefusalReachesWhoIsStillSending(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Post("/v1/things", func(c *fiber.Ctx) error { return c.SendString("ok") })
	at := serving(t, app)
	body := strings.Repeat("x", 3<<20)
	for i := range 10 {
		r := request(t, "POST", at+"/v1/things", body)
		if i%2 == 1 { // of unknown length: in chunks
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		}
		if resp, text := do(t, r); resp.StatusCode != 413 || !strings.Contains(text, "too_large") {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
}
