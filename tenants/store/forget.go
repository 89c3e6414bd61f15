package store

import (
	"context"
	"time"
)

// How long what was counted or done is remembered, so that it is not counted or done again.
const (
	meteredFor = 40 * 24 * time.Hour // Stripe takes no report of a ring after 35 days
	eventsFor  = 90 * 24 * time.Hour // Stripe lists events for 30 days
)

// Forget removes what has had its time, of every tenant: idempotency keys after 24 hours, and pairings, invitations and sign-ins
// that have expired, those of partners too, and sign-ups that nobody confirmed; counted rings and Stripe's messages when nobody can
// bring them again.
func (s *Store) Forget(ctx context.Context, now time.Time) error {
	at := micros(now)
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		for _, c := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM idempotency WHERE created_at <= ?", []any{micros(now.Add(-idempotencyFor))}},
			{"DELETE FROM pairings WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM invitations WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM signups WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM partner_links WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM partner_sign_ins WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM metered WHERE at <= ? AND reported_at <> 0", []any{micros(now.Add(-meteredFor))}},
			{"DELETE FROM stripe_events WHERE received_at <= ? AND done_at <> 0", []any{micros(now.Add(-eventsFor))}},
			{"DELETE FROM sign_ins WHERE expires_at <= ? OR (idle_at <> 0 AND idle_at <= ?)", []any{at, at}},
		} {
			if _, err := t.exec(c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
