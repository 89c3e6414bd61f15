package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// TenantOverview is what an operator sees of a tenant: figures, and no name of a person, device or
// caller.
type TenantOverview struct {
	Tenant       tenants.Tenant
	Subscription *tenants.Subscription // nil = no plan, and no limits
	Counts       tenants.Counts        // of the rings placed since the moment that was asked for
	Devices      int64                 // active ones
	People       int64
	Alerts       int64     // open ones
	LastRing     time.Time // zero = it never rang
}

// Tenants are all tenants by name, with the counts of rings since the day of a moment, UTC. It
// reads a few sums of each table, not rings.
func (s Operators) Tenants(ctx context.Context, since time.Time) ([]TenantOverview, error) {
	all, err := Tenants(s).List(ctx)
	if err != nil {
		return nil, err
	}
	subs, err := Tenants(s).Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	bought := map[tenants.TenantID]*tenants.Subscription{}
	for i := range subs {
		bought[subs[i].Tenant] = &subs[i]
	}
	counts, err := s.countsOfTenants(ctx, since)
	if err != nil {
		return nil, err
	}
	devices, err := s.perTenant(ctx, "SELECT tenant_id, COUNT(*) FROM devices WHERE state = 'active' GROUP BY tenant_id")
	if err != nil {
		return nil, err
	}
	people, err := s.perTenant(ctx, "SELECT tenant_id, COUNT(*) FROM members GROUP BY tenant_id")
	if err != nil {
		return nil, err
	}
	alerts, err := s.perTenant(ctx, "SELECT tenant_id, COUNT(*) FROM alerts WHERE resolved_at = 0 GROUP BY tenant_id")
	if err != nil {
		return nil, err
	}
	last, err := s.perTenant(ctx, "SELECT t.id, COALESCE((SELECT r.created_at FROM rings r WHERE r.tenant_id = t.id "+
		"ORDER BY r.id DESC LIMIT 1), 0) FROM tenants t")
	if err != nil {
		return nil, err
	}
	out := make([]TenantOverview, len(all))
	for i, t := range all {
		out[i] = TenantOverview{Tenant: t, Subscription: bought[t.ID], Counts: counts[t.ID], Devices: devices[t.ID], People: people[t.ID],
			Alerts: alerts[t.ID], LastRing: moment(last[t.ID])}
	}
	return out, nil
}

// Owners are the addresses of each tenant's owners, by which an operator finds a tenant.
func (s Operators) Owners(ctx context.Context) (map[tenants.TenantID][]string, error) {
	type row struct {
		tenant uuid
		email  string
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT m.tenant_id, u.email FROM members m JOIN users u ON u.id = m.user_id "+
		"WHERE m.role = ? ORDER BY u.email", string(tenants.Owner))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.email} })
	out := map[tenants.TenantID][]string{}
	for _, r := range found {
		out[tenants.TenantID(r.tenant)] = append(out[tenants.TenantID(r.tenant)], r.email)
	}
	return out, translate(err)
}

// perTenant reads one number for each tenant.
func (s Operators) perTenant(ctx context.Context, query string) (map[tenants.TenantID]int64, error) {
	type row struct {
		tenant uuid
		n      int64
	}
	rows, err := s.db.through(allTenants).query(ctx, query)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.n} })
	out := make(map[tenants.TenantID]int64, len(found))
	for _, r := range found {
		out[tenants.TenantID(r.tenant)] = r.n
	}
	return out, translate(err)
}

func (s Operators) countsOfTenants(ctx context.Context, since time.Time) (map[tenants.TenantID]tenants.Counts, error) {
	type row struct {
		tenant uuid
		tenants.Counts
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, "+summed+" FROM ring_counts WHERE span = ? AND split = '' "+
		"AND value = '' AND at >= ? GROUP BY tenant_id", daySpan, floor(micros(since), dayLength))
	found, err := collect(rows, err, func(r *row) []any { return append([]any{&r.tenant}, countFields(&r.Counts)...) })
	out := make(map[tenants.TenantID]tenants.Counts, len(found))
	for _, r := range found {
		out[tenants.TenantID(r.tenant)] = r.Counts
	}
	return out, translate(err)
}

// Suspend refuses every key, device and person of the tenant until Resume. Its people read why; no
// data is deleted, except where a deletion is due: that stays. A tenant that is suspended already
// gets the new reason.
func (s *Scope) Suspend(ctx context.Context, why string) error {
	if !tenants.ValidText(why, 1, tenants.SuspendedWhyMost) {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
			Fields: []tenants.Field{{Name: "why", Message: "say in 1 to 300 characters why; its people read it"}}}
	}
	return s.setState(ctx, "tenant.suspend", tenants.TenantSuspended, why)
}

// Resume lets a suspended tenant work again, and undoes a deletion that has not begun.
func (s *Scope) Resume(ctx context.Context) error {
	return s.setState(ctx, "tenant.resume", tenants.TenantActive, "")
}

func (s *Scope) setState(ctx context.Context, action string, state tenants.TenantState, why string) error {
	err := s.write(ctx, func(t *tx) error {
		var row tenantRow
		if err := t.db().Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
			return missing(err, "tenant")
		}
		if err := t.notBeingDeleted(s.id); err != nil {
			return err
		}
		deleteAt := row.DeleteAt
		if state == tenants.TenantActive {
			deleteAt = 0
		}
		c := changedFields(tenants.Change{Field: "state", Before: row.State, After: string(state)},
			tenants.Change{Field: "reason", Before: row.SuspendedWhy, After: why},
			tenants.Change{Field: "delete_at", Before: day(moment(row.DeleteAt)), After: day(moment(deleteAt))})
		if len(c) == 0 {
			return nil
		}
		if _, err := t.exec("UPDATE tenants SET state = ?, suspended_why = ?, delete_at = ? WHERE id = ?", string(state), why, deleteAt,
			uuid(s.id)); err != nil {
			return err
		}
		return t.auditChange(&s.scope, action, string(s.id), row.Name, c...)
	})
	s.revoke(err)
	return err
}
