package health

import (
	"context"
	"errors"
	"fmt"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ReviewDuty warns of groups of which nobody is on duty, and closes the warning when somebody is. A
// gap raises one alert, also where a person closes it before the gap ends; groups whose schedules
// leave the same gap share the alert. Run it every minute; it writes nothing while nothing changes.
func (m *Monitor) ReviewDuty(ctx context.Context) error {
	timed, err := m.Store.Jobs().TimedGroups(ctx) // by tenant
	if err != nil {
		return err
	}
	var errs []error
	for len(timed) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(timed) && timed[n].Tenant == timed[0].Tenant {
			n++
		}
		if err := m.reviewDuties(ctx, m.Store.For(timed[0].Tenant).By(store.Who{Actor: tenants.System}), timed[:n]); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", timed[0].Tenant, err))
		}
		timed = timed[n:]
	}
	return errors.Join(errs...)
}

// reviewDuties looks at the groups of a tenant.
func (m *Monitor) reviewDuties(ctx context.Context, scope *store.Scope, timed []store.TimedGroup) error {
	var errs []error
	names, holes := map[tenants.Hole][]string{}, map[tenants.GroupID]tenants.Hole{}
	warned := map[tenants.Hole]tenants.GroupID{} // whose alert is about the hole: an open one, else that of the first group
	open := map[tenants.Hole]bool{}
	for _, x := range timed {
		hole, name, err := m.holeOf(ctx, scope, x.Group)
		if err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", x.Group, err))
		}
		if name != "" {
			names[hole], holes[x.Group] = append(names[hole], name), hole
			if warned[hole] == "" || x.Open && !open[hole] {
				warned[hole], open[hole] = x.Group, x.Open
			}
		}
	}
	for _, x := range timed {
		hole, gap := holes[x.Group]
		var err error
		switch {
		case gap && warned[hole] == x.Group:
			err = m.warnOfHole(ctx, scope, x, names[hole], hole)
		case x.Open:
			err = ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertDuty, string(x.Group)))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", x.Group, err))
		}
	}
	return errors.Join(errs...)
}

// holeOf is the gap in which a group is now; without a name it is in none.
func (m *Monitor) holeOf(ctx context.Context, scope *store.Scope, id tenants.GroupID) (hole tenants.Hole, name string, err error) {
	g, err := scope.Groups().Get(ctx, id)
	if err != nil {
		return hole, "", ignoreUnknown(err) // it was removed just now
	}
	d, err := scope.Groups().Duties(ctx, g)
	if err != nil {
		return hole, "", err
	}
	hole, gap := tenants.Gap(m.Now(), g, d)
	if !gap {
		return hole, "", nil
	}
	return hole, g.Name, nil
}

func (m *Monitor) warnOfHole(ctx context.Context, scope *store.Scope, x store.TimedGroup, groups []string, hole tenants.Hole) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	detail := tenants.GapWarning(groups, hole.Until, t.Zone())
	if detail == x.Detail && (x.Open || !hole.Until.IsZero()) { // of the same gap: its end is in the sentence
		return nil
	}
	_, err = scope.Alerts().Raise(ctx, tenants.AlertDuty, string(x.Group), detail)
	return err
}
