package bus_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/tenants"
)

// carried opens a pipe between two nodes. client is the connection that a passes on, and b
// serves the other end.
func carried(t *testing.T, a, b *bus.Shared, serve func(net.Conn)) (client net.Conn, ended chan struct{}) {
	t.Helper()
	first, err := a.Pipe("")
	if err != nil {
		t.Fatal(err)
	}
	b.Serve(func(context.Context, string, []byte) ([]byte, error) {
		second, err := b.Pipe(first.Name())
		if err == nil {
			second.Serve(serve)
		}
		return []byte("1"), err
	})
	if _, err := a.Ask(t.Context(), b.Self(), "open", []byte("1")); err != nil {
		t.Fatal(err)
	}
	client, inner := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		first.Carry(inner)
		_ = inner.Close()
	}()
	return client, ended
}

// is waits for the end of something.
func is(t *testing.T, what string, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal(what)
	}
}

// TestPipe: more bytes than fit in the window pass both ways in order, also past a reader that
// takes its time, and the last words arrive before the end.
func TestPipe(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	a, b := share(t, s, nil), share(t, s, nil)
	connected(t, a, b)
	sent := bytes.Repeat([]byte("sixteen letters."), 200_000) // 3.2 MB
	served := make(chan struct{})
	client, ended := carried(t, a, b, func(c net.Conn) {
		defer close(served)
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("what came differs: %v", err)
		}
		if _, err := c.Write(append(got, "the end"...)); err != nil {
			t.Error(err)
		}
	})
	if _, err := client.Write(sent); err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(back, append(sent, "the end"...)) {
		t.Errorf("%d bytes came back: %v", len(back), err)
	}
	is(t, "the serving end goes on", served)
	is(t, "the passing end goes on", ended)
	a.PipesEnd(t.Context())
	b.PipesEnd(t.Context())
}

// TestPipeEndsAtBothEnds: where the client leaves, NATS goes away, a node closes, and where the
// first end never carried anything.
func TestPipeEndsAtBothEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *natstest.Server, a, b *bus.Shared, client net.Conn){
		"the client leaves":      func(_ *natstest.Server, _, _ *bus.Shared, client net.Conn) { _ = client.Close() },
		"NATS goes away":         func(s *natstest.Server, _, _ *bus.Shared, _ net.Conn) { s.Stop() },
		"the passing node stops": func(_ *natstest.Server, a, _ *bus.Shared, _ net.Conn) { _ = a.Close() },
		"the serving node stops": func(_ *natstest.Server, _, b *bus.Shared, _ net.Conn) { _ = b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveNATS(t)
			a, b := share(t, s, nil), share(t, s, nil)
			connected(t, a, b)
			served, came := make(chan struct{}), make(chan struct{})
			client, ended := carried(t, a, b, func(c net.Conn) {
				defer close(served)
				_, _ = io.ReadFull(c, make([]byte, 2))
				close(came)
				_, _ = io.Copy(io.Discard, c)
			})
			if _, err := client.Write([]byte("hi")); err != nil {
				t.Fatal(err)
			}
			is(t, "the greeting does not arrive", came)
			end(s, a, b, client)
			is(t, "the serving end goes on", served)
			is(t, "the passing end goes on", ended)
		})
	}
}

// TestPipeWithAGap: a pipe of which a message was lost ends, and is counted as such.
func TestPipeWithAGap(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	a, b := share(t, s, nil), share(t, s, nil)
	connected(t, a, b)
	_, ended := carried(t, a, b, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	between, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer between.Close()
	spoken := make(chan *nats.Msg, 100)
	if _, err := between.ChanSubscribe("carillon.pipe.>", spoken); err != nil {
		t.Fatal(err)
	}
	m := <-spoken // an end shows that it lives
	if err := between.Publish(m.Subject, append([]byte{'d', 0, 0, 0, 9}, "late"...)); err != nil {
		t.Fatal(err)
	}
	is(t, "the pipe goes on", ended)
	if n := a.Counts().PipesCut.Load() + b.Counts().PipesCut.Load(); n != 1 {
		t.Errorf("%d gaps are counted", n)
	}
}

// TestPipesAreBounded: a node passes on so many and no more, and again once one is closed. There is
// room for those that others pass on to it all the same, up to a bound too.
func TestPipesAreBounded(t *testing.T) {
	t.Parallel()
	a := share(t, serveNATS(t), nil)
	connected(t, a)
	until(t, "not connected", func() bool { return a.Away().IsZero() })
	first, err := a.Pipe("")
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for n := 1; last == nil; n++ {
		if _, last = a.Pipe(""); n > 10_000 {
			t.Fatal("there is no bound")
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Unavailable || e.Code != "too_many_agents" || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("one too many", last)
	last = nil
	for n := 0; last == nil; n++ {
		if _, last = a.Pipe(strconv.Itoa(n)); n == 0 && last != nil {
			t.Fatalf("no room for what another node passes on: %v", last)
		}
		if n > 10_000 {
			t.Fatal("there is no bound")
		}
	}
	refused("one too many from another node", last)
	if c := a.Counts(); c.PassingFull.Load() != 1 || c.HoldingFull.Load() != 1 {
		t.Errorf("%d and %d are counted as refused", c.PassingFull.Load(), c.HoldingFull.Load())
	}
	first.Close()
	first.Close()
	if _, err := a.Pipe(""); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	if _, err := a.Pipe(""); err == nil {
		t.Error("closing twice made room for two")
	}
	open := a.Pipes()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := a.Pipe(""); tenants.KindOf(err) != tenants.Unavailable || a.Pipes() > open {
		t.Errorf("once it is closed: %v, %d pipes of %d", err, a.Pipes(), open)
	}
}

// TestSubjectsNameNoTenant: nothing in the subjects shows whose calls are on these nodes.
func TestSubjectsNameNoTenant(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	a, b := share(t, s, nil), share(t, s, nil)
	connected(t, a, b)
	listener, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	heard := make(chan *nats.Msg, 1000)
	if _, err := listener.ChanSubscribe(">", heard); err != nil {
		t.Fatal(err)
	}
	if err := listener.Flush(); err != nil {
		t.Fatal(err)
	}
	a.Tell(tenantA, ringA)
	a.Post(b.Self(), "end", []byte(`{"tenant":"`+string(tenantA)+`","ring":"`+string(ringA)+`"}`))
	client, ended := carried(t, a, b, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	if _, err := client.Write([]byte(tenantA)); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	is(t, "the pipe goes on", ended)
	missing := map[string]bool{"carillon.hints": true, "carillon.ask.": true, "carillon.pipe.": true}
	for late := time.After(time.Minute); len(missing) > 0; {
		select {
		case m := <-heard:
			plain := strings.ReplaceAll(m.Subject, "-", "")
			for _, id := range []string{string(tenantA), string(ringA)} {
				if strings.Contains(plain, strings.ReplaceAll(id, "-", "")) {
					t.Errorf("the subject %s holds %s", m.Subject, id)
				}
			}
			for kind := range missing {
				if strings.HasPrefix(m.Subject, kind) {
					delete(missing, kind)
				}
			}
		case <-late:
			t.Fatalf("not heard: %v", missing)
		}
	}
}
