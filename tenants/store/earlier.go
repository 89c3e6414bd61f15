package store

import (
	"context"

	"carillon/tenants"
)

// EarlierRing is the ring that the idempotency key with this very body placed within its 24 hours; nil when there is none.
func (s *Scope) EarlierRing(ctx context.Context, i Idempotency) (*tenants.Ring, error) {
	rows, err := s.reads().query(ctx, "SELECT ring_id FROM idempotency WHERE tenant_id = ? AND key = ? AND body = ? AND created_at > ?",
		uuid(s.id), i.Key, i.Body[:], micros(s.s.now().Add(-idempotencyFor)))
	ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return nil, translate(err)
	}
	return s.Ring(ctx, ids[0])
}
