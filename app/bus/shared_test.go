package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/tenants"
)

const (
	tenantA = tenants.TenantID("0190aaaa-0000-7000-8000-00000000000a")
	ringA   = tenants.RingID("0190aaaa-0000-7000-8000-00000000000b")
)

func serveNATS(t *testing.T) *natstest.Server {
	t.Helper()
	s, err := natstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func share(t *testing.T, s *natstest.Server, revoked func(tenants.TenantID)) *bus.Shared {
	t.Helper()
	b, err := bus.Share(bus.SharedConfig{Servers: []string{s.URL()}, Node: tenants.NewID[tenants.NodeID](time.Now()), Revoked: revoked,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// until asks again until done, for what has no signal.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal(what)
		}
	}
}

// connected waits until each node hears the others.
func connected(t *testing.T, all ...*bus.Shared) {
	t.Helper()
	for _, a := range all {
		for _, b := range all {
			until(t, "not connected", func() bool {
				_, err := a.Ask(t.Context(), b.Self(), "", nil)
				return a == b || !errors.Is(err, bus.ErrUnreachable)
			})
		}
	}
}

// TestHintsReachOtherNodes: also those of a revocation, and again after NATS was away.
func TestHintsReachOtherNodes(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	revoked := make(chan tenants.TenantID, 100)
	a, b := share(t, s, nil), share(t, s, func(id tenants.TenantID) { revoked <- id })
	connected(t, a, b)
	one, all := b.Listen(tenantA, ringA), b.Listen(tenantA, "")
	a.Tell(tenantA, ringA)
	for _, l := range []*bus.Listener{one, all} {
		for !slices.Contains(next(t, l), ringA) { // the connection may wake it too
		}
	}
	a.TellSoon(tenantA, ringA)
	for !slices.Contains(next(t, one), ringA) {
	}
	a.Tell(tenantA, "")
	if got := <-revoked; got != tenantA {
		t.Errorf("revoked %s", got)
	}
	for !slices.Contains(next(t, one), "") {
	}
	s.Stop()
	until(t, "nobody noticed that NATS is away", func() bool { return !a.Away().IsZero() && !b.Away().IsZero() })
	mine := a.Listen(tenantA, ringA)
	a.Tell(tenantA, ringA)
	if got := next(t, mine); len(got) != 1 {
		t.Errorf("without NATS the own listener got %v", got)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	connected(t, a, b)
	other := b.Listen(tenantA, ringA)
	a.Tell(tenantA, ringA)
	for !slices.Contains(next(t, other), ringA) { // the connection may wake it too
	}
}

// TestAsk: an answer, a refusal with all that it says, and a node that is not there.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := serveNATS(t)
	a, b := share(t, s, nil), share(t, s, nil)
	connected(t, a, b)
	b.Serve(func(_ context.Context, kind string, body []byte) ([]byte, error) {
		switch kind {
		case "echo":
			return body, nil
		case "refuse":
			return nil, &tenants.Error{Kind: tenants.TooMany, Code: "slow_down", Msg: "Wait.", RetryAfter: 3 * time.Second}
		case "panic":
			panic("of a handler")
		}
		return nil, errors.New("a secret of the database")
	})
	if got, err := a.Ask(t.Context(), b.Self(), "echo", []byte(`{"x":1}`)); err != nil || string(got) != `{"x":1}` {
		t.Errorf("echo gave %s %v", got, err)
	}
	var refused *tenants.Error
	if _, err := a.Ask(t.Context(), b.Self(), "refuse", []byte("1")); !errors.As(err, &refused) || refused.Kind != tenants.TooMany ||
		refused.Code != "slow_down" || refused.Msg != "Wait." || refused.RetryAfter != 3*time.Second {
		t.Errorf("the refusal is %+v", refused)
	}
	for _, kind := range []string{"panic", "other"} {
		if _, err := a.Ask(t.Context(), b.Self(), kind, []byte("1")); tenants.KindOf(err) != tenants.Internal {
			t.Errorf("%s gave %v", kind, err)
		}
	}
	if _, err := a.Ask(t.Context(), "nobody", "echo", []byte("1")); tenants.KindOf(err) != tenants.Unavailable ||
		!errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("a node that is not there gave %v", err)
	}
	if _, err := b.Ask(t.Context(), a.Self(), "echo", []byte("1")); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("a node that is starting gave %v", err)
	}
}
