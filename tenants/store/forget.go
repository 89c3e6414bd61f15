package store

import (
	"context"
	"time"
)

// Forget removes what has had its time, of every tenant: idempotency keys after 24 hours, and pairings, invitations and sign-ins
// that have expired.
func (s *Store) Forget(ctx context.Context, now time.Time) error {
	at := micros(now)
	return s.w.do(ctx, func(t *tx) error {
		for _, c := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM idempotency WHERE created_at <= ?", []any{micros(now.Add(-idempotencyFor))}},
			{"DELETE FROM pairings WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM invitations WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM sign_ins WHERE expires_at <= ? OR (idle_at <> 0 AND idle_at <= ?)", []any{at, at}},
		} {
			if _, err := t.exec(c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
