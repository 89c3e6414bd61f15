package health

import (
	"context"
	"errors"
	"fmt"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ReviewDuty warns of groups of which nobody is on duty, and closes the warning when somebody is. A
// gap raises one alert, also where a person closes it before the gap ends. Run it every minute; it
// writes nothing while nothing changes.
func (m *Monitor) ReviewDuty(ctx context.Context) error {
	timed, err := m.Store.Jobs().TimedGroups(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, x := range timed {
		if ctx.Err() != nil {
			break
		}
		if err := m.reviewDuty(ctx, m.Store.For(x.Tenant).By(store.Who{Actor: tenants.System}), x); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s, group %s: %w", x.Tenant, x.Group, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Monitor) reviewDuty(ctx context.Context, scope *store.Scope, x store.TimedGroup) error {
	g, err := scope.Groups().Get(ctx, x.Group)
	if err != nil {
		return ignoreUnknown(err) // it was removed just now
	}
	d, err := scope.Groups().Duties(ctx, g)
	if err != nil {
		return err
	}
	until, gap := tenants.Gap(m.Now(), g, d)
	if !gap {
		if !x.Open {
			return nil
		}
		return ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertDuty, string(g.ID)))
	}
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	detail := tenants.GapWarning(g, until, t.Zone())
	if detail == x.Detail && (x.Open || !until.IsZero()) { // of the same gap: its end is in the sentence
		return nil
	}
	_, err = scope.Alerts().Raise(ctx, tenants.AlertDuty, string(g.ID), detail)
	return err
}
