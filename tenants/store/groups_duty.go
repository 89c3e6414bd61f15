package store

import (
	"context"
	"slices"

	"carillon/tenants"
)

// Duties reads what tenants.WhoRings needs for a ring to g, without the refusals: the groups that
// follow it, and the schedules and rosters of their members. Its cost does not depend on how many
// groups the tenant has.
func (s Groups) Duties(ctx context.Context, g tenants.Group) (d tenants.Duties, err error) {
	d.Groups, d.Rosters = map[tenants.GroupID]tenants.Group{}, map[tenants.ConnectionID]tenants.Roster{}
	ring := []tenants.Group{g}
	for next := g.Escalate; next != "" && len(ring) <= tenants.MaxEscalations; next = ring[len(ring)-1].Escalate {
		to, err := s.Get(ctx, next)
		if tenants.KindOf(err) == tenants.Unknown { // it was removed just now
			break
		}
		if err != nil {
			return d, err
		}
		d.Groups[next], ring = to, append(ring, to)
	}
	var named []tenants.ScheduleID
	for _, one := range ring {
		for _, m := range one.Members {
			if m.Schedule != "" && !slices.Contains(named, m.Schedule) {
				named = append(named, m.Schedule)
			}
		}
	}
	if d.Schedules, err = Schedules(s).some(ctx, named); err != nil {
		return d, err
	}
	for _, sched := range d.Schedules {
		if _, read := d.Rosters[sched.Calendar]; read || sched.Calendar == "" {
			continue
		}
		kept, err := Rosters(s).Get(ctx, sched.Calendar)
		if err != nil && tenants.KindOf(err) != tenants.Unknown { // a removed calendar decides nothing
			return d, err
		}
		d.Rosters[sched.Calendar] = kept.Roster
	}
	return d, nil
}

// TimedGroup is a group with a schedule, and the last alert that nobody of it is on duty.
type TimedGroup struct {
	Tenant tenants.TenantID
	Group  tenants.GroupID
	Open   bool   // that alert is open
	Detail string // of the alert, open or not; empty = there was none
}

// TimedGroups are the groups of every active tenant of which a member has a schedule.
func (s Jobs) TimedGroups(ctx context.Context) ([]TimedGroup, error) {
	q := s.db.through(allTenants)
	rows, err := q.query(ctx, "SELECT DISTINCT m.tenant_id, m.group_id FROM group_members m JOIN tenants t ON t.id = m.tenant_id "+
		"WHERE t.state = 'active' AND m.schedule_id <> ? ORDER BY m.tenant_id, m.group_id", uuid(""))
	found, err := collect(rows, err, func(g *TimedGroup) []any { return []any{(*uuid)(&g.Tenant), (*uuid)(&g.Group)} })
	if err != nil || len(found) == 0 {
		return nil, translate(err)
	}
	rows, err = q.query(ctx, "SELECT "+alertColumns+" FROM alerts WHERE kind = ?", string(tenants.AlertDuty))
	alerts, err := collect(rows, err, (*alertRow).fields)
	type key struct{ tenant, group string }
	about := map[key]tenants.Alert{}
	for _, a := range nouns(alerts, alertRow.noun) {
		about[key{string(a.Tenant), a.Target}] = a
	}
	for i := range found {
		g := &found[i]
		a := about[key{string(g.Tenant), string(g.Group)}]
		g.Open, g.Detail = a.Detail != "" && a.ResolvedAt.IsZero(), a.Detail
	}
	return found, translate(err)
}
