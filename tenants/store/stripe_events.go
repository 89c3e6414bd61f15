package store

import (
	"context"
	"database/sql"
	"time"
)

// StripeEvent is a message of Stripe as it is kept: not what it says, only what it is about.
type StripeEvent struct {
	ID, Type, APIVersion string
	Live                 bool
	Object               string // id of what it is about
}

// eventLease is how long the process that claimed an event has to handle it.
const eventLease = time.Minute

// StripeEvents are the webhook messages of Stripe that were received.
type StripeEvents struct{ *core }

// StripeEvents returns the StripeEvents of all tenants.
func (s *Store) StripeEvents() StripeEvents { return StripeEvents{&s.core} }

// Claim keeps an event once and takes it up. It is mine for the one who should act on it: nobody
// has before, or somebody began more than a minute ago and never said that it was done.
func (s StripeEvents) Claim(ctx context.Context, e StripeEvent) (mine bool, err error) {
	now := s.now()
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("INSERT INTO stripe_events (id, type, api_version, live, object, received_at, claimed_at, done_at, tries, "+
			"error) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1, '') ON CONFLICT (id) DO NOTHING",
			e.ID, e.Type, e.APIVersion, e.Live, e.Object, micros(now), micros(now))
		if mine = n > 0; err != nil || mine {
			return err
		}
		n, err = t.change("UPDATE stripe_events SET claimed_at = ?, tries = tries + 1 WHERE id = ? AND done_at = 0 AND claimed_at <= ?",
			micros(now), e.ID, micros(now.Add(-eventLease)))
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}

// End notes that the event was acted on, or why it could not be; then the next one to claim it has
// it at once.
func (s StripeEvents) End(ctx context.Context, id string, failed error) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if failed == nil {
			_, err := t.exec("UPDATE stripe_events SET done_at = ?, error = '' WHERE id = ?", micros(s.now()), id)
			return err
		}
		_, err := t.exec("UPDATE stripe_events SET claimed_at = 0, error = ? WHERE id = ? AND done_at = 0", failed.Error(), id)
		return err
	})
}

// LastHeard is when the last event came; zero = never.
func (s StripeEvents) LastHeard(ctx context.Context) (time.Time, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT MAX(received_at) FROM stripe_events")
	found, err := collect(rows, err, func(n *sql.NullInt64) []any { return []any{n} })
	if err != nil || len(found) == 0 {
		return time.Time{}, translate(err)
	}
	return moment(found[0].Int64), nil
}
