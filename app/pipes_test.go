package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// nodeOnNATS is a node's part of the bus.
func nodeOnNATS(t *testing.T, s *natstest.Server) *bus.Shared {
	t.Helper()
	b, err := bus.Share(bus.SharedConfig{Servers: []string{s.URL()}, Node: tenants.NewID[tenants.NodeID](time.Now()),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); !b.Away().IsZero(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("NATS does not answer")
		}
	}
	return b
}

// said is a log that passes on its messages.
type said struct {
	slog.Handler
	to chan string
}

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	s.to <- r.Message
	return nil
}

// figuresOfPipes are what newPipes tells, by name and label.
func figuresOfPipes(t *testing.T, b *bus.Shared) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newPipes(&node{others: b, board: &switchboard.Board{}}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			name := f.GetName()
			for _, l := range x.GetLabel() {
				name += " " + l.GetValue()
			}
			found[name] = x.GetCounter().GetValue() + x.GetGauge().GetValue()
		}
	}
	return found
}

// TestPipesEndAfterTheirCalls: a node whose time for calls is over gives the WebSockets between
// nodes their last message, and its metrics count them.
func TestPipesEndAfterTheirCalls(t *testing.T) {
	t.Parallel()
	s, err := natstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	a, b := nodeOnNATS(t, s), nodeOnNATS(t, s)
	first, err := a.Pipe("")
	if err != nil {
		t.Fatal(err)
	}
	last := make(chan struct{}) // the call has ended
	b.Serve(func(context.Context, string, []byte) ([]byte, error) {
		second, err := b.Pipe(first.Name())
		if err == nil {
			second.Serve(func(c net.Conn) {
				<-last
				_, _ = c.Write([]byte("the end"))
			})
		}
		return []byte("1"), err
	})
	if _, err := a.Ask(t.Context(), b.Self(), "open", []byte("1")); err != nil {
		t.Fatal(err)
	}
	client, inner := net.Pipe()
	go func() {
		first.Carry(inner)
		_ = inner.Close()
	}()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel() // the time for calls is over
	log := said{to: make(chan string, 10)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		endPipes(t.Context(), over, b, slog.New(log))
	}()
	if first := <-log.to; !strings.Contains(first, "waiting for WebSockets") {
		t.Error(first)
	}
	close(last)
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "the end" {
		t.Errorf("the agent hears %q, %v", got, err)
	}
	<-ended
	if said := <-log.to; !strings.Contains(said, "no WebSocket passes") {
		t.Errorf("a WebSocket was not waited for: %s", said)
	}
	for err = error(nil); err == nil; {
		_, err = a.Pipe("")
	}
	got1, got2 := figuresOfPipes(t, a), figuresOfPipes(t, b)
	if got1["carillon_pipe_bytes_total sent"] != 5 || got1["carillon_pipe_bytes_total received"] != 7 ||
		got2["carillon_pipe_bytes_total sent"] != 7 || got2["carillon_pipes held"] != 0 || got1["carillon_pipes passed_on"] < 100 ||
		got1["carillon_pipes_refused_total passed_on"] != 1 || got1["carillon_pipes_refused_total ring"] != 0 {
		t.Errorf("the metrics say %v and %v", got1, got2)
	}
}
