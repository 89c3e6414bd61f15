package agents

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"carillon/gateway"
)

// TestABridgeJoinsTwoLines: each side hears the other, a key stays where it was pressed, and the
// end of one side is the end of the other. What was said before is not repeated.
func TestABridgeJoinsTwoLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		released := false
		b := NewBridge(gateway.PCMU, time.Now, func() { released = true })
		caller, called := b.Caller(), b.Called()
		one, two := newDeskLine(), newDeskLine()
		attached := make(chan error, 1)
		go func() { attached <- caller.Attach(t.Context()) }()
		synctest.Wait()
		if len(attached) > 0 {
			t.Error("attached before anybody answered")
		}
		ctx, hangUp := context.WithCancel(t.Context())
		second := converse(ctx, called, two)
		if err := <-attached; err != nil {
			t.Error(err)
		}
		first := make(chan error, 1)
		go func() { first <- caller.Converse(t.Context(), one) }()
		synctest.Wait()
		one.hear(gateway.Packet{Source: 1, Payload: []byte{9}, At: time.Now().Add(-time.Second)})
		one.hear(gateway.Packet{Source: 1, Payload: []byte{1}, At: time.Now()})
		one.hear(gateway.Packet{Source: 1, Digit: '5'})
		two.hear(gateway.Packet{Source: 2, Payload: []byte{2}, At: time.Now()})
		if a, b := one.heard(), two.heard(); len(a) != 1 || a[0].Payload[0] != 2 || len(b) != 1 || b[0].Payload[0] != 1 {
			t.Errorf("they hear %v and %v", a, b)
		}
		hangUp()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-first; err != nil {
			t.Errorf("the other side hangs up with %v", err)
		}
		caller.Close()
		if released {
			t.Error("an answered ring was given up")
		}
	})
}

// TestABridgeThatNobodyAnswers: the waiting side learns why, and gives up a ring that is not over,
// once.
func TestABridgeThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(Agent){"declined": func(called Agent) { called.Close() }, "late": func(Agent) {}} {
			released := 0
			b := NewBridge(gateway.Opus, time.Now, func() { released++ })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			end(b.Called())
			var f *Failure
			if err := b.Caller().Attach(ctx); !errors.As(err, &f) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			b.Caller().Close()
			b.Caller().Close()
			if want := map[string]int{"declined": 0, "late": 1}[name]; released != want { // a declined ring is over
				t.Errorf("%s: released %d times, want %d", name, released, want)
			}
			// A phone that answers after all finds nobody.
			if err := b.Called().Converse(t.Context(), newDeskLine()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
