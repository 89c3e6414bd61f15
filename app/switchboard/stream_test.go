package switchboard_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestUnknownRequestOfAnotherNode: what this version does not know has a code of its own, so that
// no other fault is taken for it.
func TestUnknownRequestOfAnotherNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	_, err := switchboard.NewHeld(w.board).Asked(t.Context(), "sing", []byte("{}"))
	refusedWith(t, "a request that nobody knows", err, tenants.Conflict, "other_node")
}

func refusedWith(t *testing.T, what string, err error, kind tenants.Kind, code string) {
	t.Helper()
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Errorf("%s: %v", what, err)
	}
}

// holder is the other nodes, which all answer with err.
type holder struct {
	*bus.Shared
	err error
}

func (h *holder) Ask(context.Context, tenants.NodeID, string, []byte) ([]byte, error) {
	return []byte("null"), h.err
}

// TestPassStream: a node passes on so many WebSockets of one ring, and more once one has ended. It
// gives the holder's refusal as it is, and passes nothing on while it drains.
func TestPassStream(t *testing.T) {
	t.Parallel()
	s, err := natstest.New()
	must(t, err)
	t.Cleanup(s.Stop)
	w := newWorld(t, tenants.RealEstate)
	shared, err := bus.Share(bus.SharedConfig{Servers: []string{s.URL()}, Node: tenants.NewID[tenants.NodeID](w.clock.Now()),
		Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { must(t, shared.Close()) })
	w.eventually("NATS is there", func() bool { return shared.Away().IsZero() })
	h := &holder{Shared: shared}
	w.config.Peers = h
	w.reopen()
	ring, other := tenants.NewID[tenants.RingID](time.Now()), tenants.NewID[tenants.RingID](time.Now())
	pass := func(id tenants.RingID) (func(net.Conn), error) { return w.board.PassStream(t.Context(), id) }

	h.err = &tenants.Error{Kind: tenants.Internal}
	for range 50 { // those that were refused are not counted
		_, err = pass(ring)
		refusedWith(t, "the holder has a fault", err, tenants.Internal, "")
	}
	h.err = nil
	first, err := pass(ring)
	must(t, err)
	for n := 1; err == nil; n++ {
		if _, err = pass(ring); n > 100 {
			t.Fatal("there is no bound")
		}
	}
	refusedWith(t, "one too many", err, tenants.TooMany, "too_many_agents")
	if of, _ := switchboard.NewJoining(w.board).Refused(); of != 1 {
		t.Errorf("%d are counted as refused", of)
	}
	_, err = pass(other)
	must(t, err)
	conn, agent := net.Pipe()
	must(t, agent.Close())
	first(conn)
	w.eventually("there is room again", func() bool {
		_, err := pass(ring)
		return err == nil
	})

	w.board.Drain()
	_, err = pass(other)
	refusedWith(t, "a node that drains", err, tenants.Unavailable, "draining")
}
