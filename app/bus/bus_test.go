package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/tenants"
)

func next(t *testing.T, e *bus.Listener) []tenants.RingID {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rings, err := e.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return rings
}

func TestHintsReachTheRightListeners(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	one, all, foreign := b.Listen("t", "r1"), b.Listen("t", ""), b.Listen("u", "")
	b.Tell("t", "r1")
	b.Tell("t", "r1")
	b.Tell("t", "r2")
	if got := next(t, one); len(got) != 1 || got[0] != "r1" {
		t.Errorf("one ring's listener got %v", got)
	}
	if got := next(t, all); len(got) != 2 {
		t.Errorf("the tenant's listener got %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := foreign.Next(ctx); err == nil {
		t.Errorf("another tenant got %v", got)
	}
}

func TestRevocationReachesAllListenersOfTenant(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	one, all, foreign := b.Listen("t", "r1"), b.Listen("t", ""), b.Listen("u", "r1")
	b.Tell("t", "")
	for _, e := range []*bus.Listener{one, all} {
		if got := next(t, e); len(got) != 1 || got[0] != "" {
			t.Errorf("got %v", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := foreign.Next(ctx); err == nil {
		t.Errorf("another tenant got %v", got)
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	b := bus.New()
	e := b.Listen("t", "r")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := e.Next(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("Next gave %v", err)
		}
	})
	b.Close()
	wg.Wait()
	e.Close()
	e.Close()
	if _, err := b.Listen("t", "r").Next(t.Context()); err == nil {
		t.Error("Next returned without an error on a closed bus")
	}
}

func TestConcurrentListenAndTell(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				e := b.Listen("t", "r")
				b.Tell("t", "r")
				next(t, e)
				e.Close()
			}
		})
	}
	wg.Wait()
}
