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

func next(t *testing.T, e *bus.Ear) []tenants.RingID {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rings, err := e.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return rings
}

func TestHintsReachTheRightEars(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	one, all, foreign := b.Hear("t", "r1"), b.Hear("t", ""), b.Hear("u", "")
	b.Tell("t", "r1")
	b.Tell("t", "r1")
	b.Tell("t", "r2")
	if got := next(t, one); len(got) != 1 || got[0] != "r1" {
		t.Errorf("one ring's ear heard %v", got)
	}
	if got := next(t, all); len(got) != 2 {
		t.Errorf("the tenant's ear heard %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := foreign.Next(ctx); err == nil {
		t.Errorf("another tenant heard %v", got)
	}
}

func TestARevocationReachesTheWholeTenant(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	one, all, foreign := b.Hear("t", "r1"), b.Hear("t", ""), b.Hear("u", "r1")
	b.Tell("t", "")
	for _, e := range []*bus.Ear{one, all} {
		if got := next(t, e); len(got) != 1 || got[0] != "" {
			t.Errorf("heard %v", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := foreign.Next(ctx); err == nil {
		t.Errorf("another tenant heard %v", got)
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	b := bus.New()
	e := b.Hear("t", "r")
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
	if _, err := b.Hear("t", "r").Next(t.Context()); err == nil {
		t.Error("a closed bus still lets listen")
	}
}

func TestTellWhileListenersComeAndGo(t *testing.T) {
	t.Parallel()
	b := bus.New()
	defer b.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				e := b.Hear("t", "r")
				b.Tell("t", "r")
				next(t, e)
				e.Close()
			}
		})
	}
	wg.Wait()
}
