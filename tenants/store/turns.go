package store

import (
	"context"
	"time"
)

// Turn takes the turn of a loop if it is due: for as long as the lease, or until MoveTurn, no other
// server gets it. late is how long after its moment it was taken. The first turn is due at once.
func (s Jobs) Turn(ctx context.Context, loop string, lease time.Duration) (mine bool, late time.Duration, err error) {
	now := s.now()
	rows, err := s.db.through(noTenant).query(ctx, "SELECT next_at FROM loop_turns WHERE name = ?", loop)
	next, err := collect(rows, err, func(us *int64) []any { return []any{us} })
	if err != nil || len(next) > 0 && next[0] > micros(now) {
		return false, 0, translate(err)
	}
	if len(next) > 0 {
		late = now.Sub(moment(next[0]))
	}
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("INSERT INTO loop_turns (name, next_at, held_by) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "+
			"next_at = excluded.next_at, held_by = excluded.held_by WHERE loop_turns.next_at <= ?", loop, micros(now.Add(lease)), s.self,
			micros(now))
		mine = n > 0
		return err
	})
	return mine && err == nil, late, err
}

// MoveTurn ends a turn of this server and says when the next one is due, or keeps it until then. It
// changes nothing and gives false if the lease was over and another server has the turn.
func (s Jobs) MoveTurn(ctx context.Context, loop string, next time.Time) (mine bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE loop_turns SET next_at = ? WHERE name = ? AND held_by = ?", micros(next), loop, s.self)
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}
