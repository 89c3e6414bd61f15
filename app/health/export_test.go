package health

import (
	"context"
	"errors"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ReviewDutyBut is ReviewDuty for one tenant where a group can’t be read.
func (m *Monitor) ReviewDutyBut(ctx context.Context, scope *store.Scope, unread tenants.GroupID) error {
	timed, err := m.Store.Jobs().TimedGroups(ctx)
	if err != nil {
		return err
	}
	return m.reviewDuties(ctx, scope, timed, func(ctx context.Context, s *store.Scope, id tenants.GroupID) (tenants.Hole, string, error) {
		if id == unread {
			return tenants.Hole{}, "", errors.New("not read")
		}
		return m.holeOf(ctx, s, id)
	})
}
