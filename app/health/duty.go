package health

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		scope := m.Store.For(timed[0].Tenant).By(store.Who{Actor: tenants.System})
		if err := m.reviewDuties(ctx, scope, timed[:n], m.holeOf); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", timed[0].Tenant, err))
		}
		timed = timed[n:]
	}
	return errors.Join(errs...)
}

// holeReader gives the gap in which a group is now; without a name it is in none.
type holeReader func(context.Context, *store.Scope, tenants.GroupID) (hole tenants.Hole, name string, err error)

// reviewDuties looks at the groups of a tenant.
func (m *Monitor) reviewDuties(ctx context.Context, scope *store.Scope, timed []store.TimedGroup, read holeReader) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	zone := t.Zone()
	var errs []error
	unread := map[tenants.GroupID]bool{} // nothing is known of these, so their alerts stay as they are
	names, holes := map[tenants.Hole][]string{}, map[tenants.GroupID]tenants.Hole{}
	warned := map[tenants.Hole]tenants.GroupID{} // whose alert is about the hole
	fits := map[tenants.Hole]int{}
	for _, x := range timed {
		hole, name, err := read(ctx, scope, x.Group)
		if err != nil {
			errs, unread[x.Group] = append(errs, fmt.Errorf("group %s: %w", x.Group, err)), true
		}
		if name != "" {
			names[hole], holes[x.Group] = append(names[hole], name), hole
			if n := fit(x, hole, zone); n > fits[hole] {
				warned[hole], fits[hole] = x.Group, n
			}
		}
	}
	for _, x := range timed {
		if unread[x.Group] {
			continue
		}
		hole, gap := holes[x.Group]
		var err error
		switch {
		case gap && warned[hole] == x.Group:
			err = warnOfHole(ctx, scope, x, hole, zone, tenants.GapWarning(names[hole], hole.Until, zone))
		case x.Open:
			err = ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertDuty, string(x.Group)))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", x.Group, err))
		}
	}
	return errors.Join(errs...)
}

// holeOf is a holeReader.
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

// fit says how well the alert of a group suits a gap that the group is in: an open one best, then
// one about the same gap that a person has closed, then any other.
func fit(x store.TimedGroup, hole tenants.Hole, zone *time.Location) int {
	switch {
	case x.Open:
		return 3
	case tenants.SameGap(x.Detail, hole.Until, zone):
		return 2
	}
	return 1
}

// warnOfHole raises the alert of a group, or gives the open one new words. An alert of the same gap
// that a person has closed stays closed, also where other groups have come into the gap since.
func warnOfHole(ctx context.Context, scope *store.Scope, x store.TimedGroup, hole tenants.Hole, zone *time.Location, detail string) error {
	if x.Open && detail == x.Detail || !x.Open && tenants.SameGap(x.Detail, hole.Until, zone) {
		return nil
	}
	_, err := scope.Alerts().Raise(ctx, tenants.AlertDuty, string(x.Group), detail)
	return err
}
