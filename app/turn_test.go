package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestHoldTurn: a loop may last longer than its lease while that is renewed, and stops before
// another node can have its turn.
func TestHoldTurn(t *testing.T) {
	t.Parallel()
	const work = 10 * time.Minute
	for name, c := range map[string]struct {
		mine bool
		err  error
		want time.Duration
	}{
		"renewed":       {mine: true, want: work},
		"taken":         {want: turnLease / 4},
		"no connection": {err: errors.New("away"), want: turnLease - turnSpare},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := holdTurn(t.Context(), func(ctx context.Context) error {
					select {
					case <-ctx.Done():
					case <-time.After(work):
					}
					return ctx.Err()
				}, func(context.Context) (bool, error) { return c.mine, c.err })
				if took := time.Since(start); took != c.want {
					t.Errorf("it ran for %v, want %v", took, c.want)
				}
				if lost := c.want < work; errors.Is(err, errTurnLost) != lost {
					t.Errorf("it said %v", err)
				}
			})
		})
	}
}
