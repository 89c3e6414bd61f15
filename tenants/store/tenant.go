package store

import (
	"context"

	"carillon/tenants"
)

type tenantRow struct {
	ID           uuid
	Slug         string
	Name         string
	Industry     string
	State        string
	TimeZone     string
	RingTTL      int64
	DefaultAgent uuid
	AuditSeq     int64
	Created      int64 `gorm:"column:created_at"`
}

func (tenantRow) TableName() string { return "tenants" }

func (r tenantRow) noun() tenants.Tenant {
	return tenants.Tenant{
		ID: tenants.TenantID(r.ID), Slug: r.Slug, Name: r.Name, Industry: tenants.Industry(r.Industry), State: tenants.TenantState(r.State),
		TimeZone: r.TimeZone, RingTTL: length(r.RingTTL), DefaultAgent: tenants.AgentID(r.DefaultAgent), CreatedAt: moment(r.Created),
	}
}

func rowOfTenant(t tenants.Tenant) tenantRow {
	return tenantRow{
		ID: uuid(t.ID), Slug: t.Slug, Name: t.Name, Industry: string(t.Industry), State: string(t.State), TimeZone: t.TimeZone,
		RingTTL: span(t.RingTTL), DefaultAgent: uuid(t.DefaultAgent), Created: micros(t.CreatedAt),
	}
}

// AddTenant makes a tenant. A slug that is taken is a Conflict.
func (s *Store) AddTenant(ctx context.Context, who Who, t tenants.Tenant) error {
	return s.w.do(ctx, wholeHouse, func(x *tx) error { return x.addTenant(s.For(t.ID).By(who), t) })
}

func (t *tx) addTenant(s *Scope, n tenants.Tenant) error {
	row := rowOfTenant(n)
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "There is a tenant with this slug already. Choose another one.")
	}
	return t.audit(s, "tenant.add", string(row.ID), "")
}

// Founding is a tenant with what its owner needs to begin: an invitation and a first key.
type Founding struct {
	Tenant     tenants.Tenant
	Invitation Invitation
	Key        tenants.Key
	KeyHash    tenants.Hash
	Who        Who
}

// OpenTenant makes a tenant with invitation and key in one write: all of it or nothing. A slug that is taken is a Conflict.
func (s *Store) OpenTenant(ctx context.Context, f Founding) error {
	scope := s.For(f.Tenant.ID).By(f.Who)
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		if err := t.addTenant(scope, f.Tenant); err != nil {
			return err
		}
		if err := t.invite(scope, f.Invitation); err != nil {
			return err
		}
		return t.addKey(scope, f.Key, f.KeyHash)
	})
}

// Tenants lists all tenants, by name.
func (s *Store) Tenants(ctx context.Context) ([]tenants.Tenant, error) {
	var rows []tenantRow
	if err := s.db.through(wholeHouse).gorm(ctx).Order("name, id").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return nouns(rows, tenantRow.noun), nil
}

// Tenant is the scope's own tenant.
func (s *Scope) Tenant(ctx context.Context) (tenants.Tenant, error) {
	var row tenantRow
	if err := s.reads().gorm(ctx).Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
		return tenants.Tenant{}, missing(err, "tenant")
	}
	return row.noun(), nil
}

// SetTenant changes name, slug, industry, state, time zone, time to live and default agent.
func (s *Scope) SetTenant(ctx context.Context, n tenants.Tenant) error {
	err := s.write(ctx, func(t *tx) error {
		var row tenantRow
		if err := t.db().Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
			return missing(err, "tenant")
		}
		old, c := row.noun(), changes{}
		c.add("slug", old.Slug != n.Slug)
		c.add("name", old.Name != n.Name)
		c.add("industry", old.Industry != n.Industry)
		c.add("state", old.State != n.State)
		c.add("time_zone", old.TimeZone != n.TimeZone)
		c.add("ring_ttl", old.RingTTL != n.RingTTL)
		c.add("default_agent", old.DefaultAgent != n.DefaultAgent)
		if len(c) == 0 {
			return nil
		}
		if n.DefaultAgent != "" && n.DefaultAgent != old.DefaultAgent {
			if err := s.in(t.db(), "agents").Where("id = ?", uuid(n.DefaultAgent)).Take(&agentRow{}).Error; err != nil {
				return missing(err, "agent")
			}
		}
		_, err := t.exec("UPDATE tenants SET slug = ?, name = ?, industry = ?, state = ?, time_zone = ?, ring_ttl = ?, default_agent = ? WHERE id = ?",
			n.Slug, n.Name, string(n.Industry), string(n.State), n.TimeZone, span(n.RingTTL), uuid(n.DefaultAgent), uuid(s.id))
		if err != nil {
			return taken(err, "There is a tenant with this slug already. Choose another one.")
		}
		return t.audit(s, "tenant.set", string(s.id), c.String())
	})
	s.revoke(err)
	return err
}
