package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type tenantRow struct {
	ID           uuid
	Slug         string
	Name         string
	Industry     string
	State        string
	TimeZone     string
	Language     string
	RingTTL      int64
	DefaultAgent uuid
	TwoSteps     bool
	Created      int64 `gorm:"column:created_at"`
	Rules        string
	SuspendedWhy string
	DeleteAt     int64
	LookUntil    int64
}

func (tenantRow) TableName() string { return "tenants" }

// tenantOf is the row's tenant, with its industry looked up in the files of this server.
func (c *core) tenantOf(r tenantRow) tenants.Tenant {
	return c.industries.Of(tenants.Tenant{
		ID: tenants.TenantID(r.ID), Slug: r.Slug, Name: r.Name, Industry: tenants.Industry(r.Industry), State: tenants.TenantState(r.State),
		TimeZone: r.TimeZone, RingTTL: length(r.RingTTL), DefaultAgent: tenants.AgentID(r.DefaultAgent), TwoSteps: r.TwoSteps,
		CreatedAt: moment(r.Created), Language: r.Language,
		Changes: tenants.ParseRuleChanges(r.Rules), SuspendedWhy: r.SuspendedWhy,
		DeleteAt: moment(r.DeleteAt), LookUntil: moment(r.LookUntil),
	})
}

func rowOfTenant(t tenants.Tenant) tenantRow {
	return tenantRow{
		ID: uuid(t.ID), Slug: t.Slug, Name: t.Name, Industry: string(t.Industry), State: string(t.State), TimeZone: t.TimeZone,
		Language: t.Language, RingTTL: span(t.RingTTL), DefaultAgent: uuid(t.DefaultAgent), TwoSteps: t.TwoSteps,
		Created: micros(t.CreatedAt), Rules: t.Changes.Text(), SuspendedWhy: t.SuspendedWhy,
		DeleteAt: micros(t.DeleteAt), LookUntil: micros(t.LookUntil),
	}
}

// Tenants are all tenants, and the ways to find one.
type Tenants struct{ *core }

// Tenants returns the Tenants of all tenants.
func (s *Store) Tenants() Tenants { return Tenants{&s.core} }

// Add makes a tenant. A slug that is taken is a Conflict.
func (s Tenants) Add(ctx context.Context, who Who, t tenants.Tenant) error {
	return s.w.do(ctx, allTenants, func(x *tx) error { return x.tenants().addTenant(s.of(t.ID).by(who), t) })
}

// tenantsTx is the writer's transaction as it changes tenants and what they buy.
type tenantsTx struct{ *tx }

func (t *tx) tenants() tenantsTx { return tenantsTx{t} }

func (t tenantsTx) addTenant(s *scope, n tenants.Tenant) error {
	row := rowOfTenant(n)
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "There is a tenant with this slug already. Choose another one.")
	}
	return t.audit(s, "tenant.add", string(row.ID), "")
}

// NewTenant is a tenant with what its owner needs to begin: an invitation and a first key.
type NewTenant struct {
	Tenant     tenants.Tenant
	Invitation Invitation
	Key        tenants.Key
	KeyHash    tenants.Hash
	Agents     []tenants.Agent // the first is its default agent
	Who        Who
}

// Open makes a tenant with invitation and key in one write: all of it or nothing. A slug that is
// taken is a Conflict.
func (s Tenants) Open(ctx context.Context, f NewTenant) error {
	scope := s.of(f.Tenant.ID).by(f.Who)
	f.Tenant.DefaultAgent = defaultAgent(f.Agents)
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if err := t.tenants().addTenant(scope, f.Tenant); err != nil {
			return err
		}
		if err := t.tenants().addAgents(scope, f.Agents); err != nil {
			return err
		}
		if err := t.tenants().addRules(scope, f.Tenant); err != nil {
			return err
		}
		if err := t.people().invite(scope, f.Invitation, nil); err != nil {
			return err
		}
		return t.credentials().addKey(scope, f.Key, f.KeyHash)
	})
}

// List lists all tenants, by name.
func (s Tenants) List(ctx context.Context) ([]tenants.Tenant, error) {
	var rows []tenantRow
	if err := s.db.through(allTenants).gorm(ctx).Order("name, id").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return nouns(rows, s.tenantOf), nil
}

// Tenant is the scope's own tenant.
func (s *Scope) Tenant(ctx context.Context) (tenants.Tenant, error) { return s.tenant(ctx) }

func (s *scope) tenant(ctx context.Context) (tenants.Tenant, error) {
	var row tenantRow
	if err := s.reads().gorm(ctx).Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
		return tenants.Tenant{}, missing(err, "tenant")
	}
	return s.s.tenantOf(row), nil
}

// SetTenant changes name, slug, industry, state, time zone, language, time to live and default
// agent. For a person of the tenant slug, industry and state stay as they are: a form is filled
// from a copy, and a suspension that came after it must hold.
func (s *Scope) SetTenant(ctx context.Context, n tenants.Tenant) error {
	err := s.write(ctx, func(t *tx) error {
		var row tenantRow
		if err := t.db().Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
			return missing(err, "tenant")
		}
		old := s.s.tenantOf(row)
		if s.who.Kind == tenants.ActorUser {
			n.Slug, n.Industry, n.State = old.Slug, old.Industry, old.State
		}
		c := changedFields(
			tenants.Change{Field: "slug", Before: old.Slug, After: n.Slug},
			tenants.Change{Field: "name", Before: old.Name, After: n.Name},
			tenants.Change{Field: "industry", Before: string(old.Industry), After: string(n.Industry)},
			tenants.Change{Field: "state", Before: string(old.State), After: string(n.State)},
			tenants.Change{Field: "time_zone", Before: old.TimeZone, After: n.TimeZone},
			tenants.Change{Field: "language", Before: old.Language, After: n.Language},
			tenants.Change{Field: "ring_ttl", Before: old.RingTTL.String(), After: n.RingTTL.String()},
			tenants.Change{Field: "default_agent", Before: string(old.DefaultAgent), After: string(n.DefaultAgent)},
		)
		if len(c) == 0 {
			return nil
		}
		if n.DefaultAgent != "" && n.DefaultAgent != old.DefaultAgent {
			if err := s.in(t.db(), "agents").Where("id = ?", uuid(n.DefaultAgent)).Take(&agentRow{}).Error; err != nil {
				return missing(err, "agent")
			}
		}
		_, err := t.exec("UPDATE tenants SET slug = ?, name = ?, industry = ?, state = ?, time_zone = ?, language = ?, ring_ttl = ?, "+
			"default_agent = ? WHERE id = ?",
			n.Slug, n.Name, string(n.Industry), string(n.State), n.TimeZone, n.Language, span(n.RingTTL), uuid(n.DefaultAgent), uuid(s.id))
		if err != nil {
			return taken(err, "There is a tenant with this slug already. Choose another one.")
		}
		return t.auditChange(&s.scope, "tenant.set", string(s.id), n.Name, c...)
	})
	s.revoke(err)
	return err
}

// Subscriptions lists every tenant's, by tenant.
func (s Tenants) Subscriptions(ctx context.Context) ([]tenants.Subscription, error) {
	rows, err := s.db.through(allTenants).scan(ctx, "SELECT "+subscriptionColumns+" FROM subscriptions ORDER BY tenant_id")
	found, err := collect(rows, err, (*subscriptionRow).fields)
	return nouns(found, subscriptionRow.noun), translate(err)
}

// OfCustomer finds whose Stripe customer it is; nobody's is NoSuch.
func (s Tenants) OfCustomer(ctx context.Context, customer string) (tenants.TenantID, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id FROM subscriptions WHERE customer = ? AND customer <> ''", customer)
	found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
	if err == nil && len(found) == 0 {
		return "", tenants.NoSuch("customer")
	}
	if err != nil {
		return "", translate(err)
	}
	return tenants.TenantID(found[0]), nil
}

// OfPairing finds whose pairing code has the hash. Unknown, used and expired are all Unauthorized.
func (s Tenants) OfPairing(ctx context.Context, h tenants.Hash, now time.Time) (tenants.Tenant, tenants.Pairing, error) {
	var row pairingRow
	err := s.db.through(allTenants).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error
	if err != nil && !absent(err) {
		return tenants.Tenant{}, tenants.Pairing{}, translate(err)
	}
	if err != nil || row.UsedAt != 0 || micros(now) >= row.ExpiresAt {
		return tenants.Tenant{}, tenants.Pairing{}, errPairing
	}
	tenant, err := s.of(tenants.TenantID(row.TenantID)).tenant(ctx)
	return tenant, row.noun(), err
}

// OfKey finds whose key has the hash: the key and its tenant. An unknown or revoked key is
// Unauthorized, and so is an expired one, which is returned beside its refusal. The answer may
// be up to a second old where another process revoked the key.
func (s Tenants) OfKey(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Key, error) {
	if e, ok := recall(s.seen, s.seen.keys, h); ok {
		return e.tenant, e.thing, expired(e.thing, s.now())
	}
	turn := s.seen.begin()
	var row keyRow
	if err := s.db.through(allTenants).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error; err != nil && !absent(err) {
		return tenants.Tenant{}, tenants.Key{}, translate(err)
	}
	if row.ID == "" || row.RevokedAt != 0 {
		return tenants.Tenant{}, tenants.Key{}, tenants.Refuse(tenants.Unauthorized, "unauthorized",
			"This API key is unknown or revoked. Make a new one under API keys.")
	}
	tenant, err := s.of(tenants.TenantID(row.TenantID)).tenant(ctx)
	if err != nil {
		return tenants.Tenant{}, tenants.Key{}, err
	}
	key := row.noun()
	keep(s.seen, s.seen.keys, h, entry[tenants.Key]{tenant: tenant, thing: key}, turn)
	if err := expired(key, s.now()); err != nil {
		return tenant, key, err
	}
	if now := s.now(); now.Sub(key.LastUsedAt) >= grain {
		s.w.post(s.of(tenant.ID).access(), func(t *tx) error {
			_, err := t.exec("UPDATE keys SET last_used_at = ? WHERE tenant_id = ? AND id = ? AND last_used_at < ?",
				micros(now), row.TenantID, row.ID, micros(now))
			return err
		})
	}
	return tenant, key, nil
}

// expired refuses a key that has expired.
func expired(k tenants.Key, now time.Time) error {
	if !k.Ended(now) {
		return nil
	}
	return tenants.Refuse(tenants.Unauthorized, "key_expired", "This API key expired on %s. Use the key that replaced it, or make a new "+
		"one under API keys.", k.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC"))
}

// OfDevice finds whose device credential has the hash. Unknown is Unauthorized. The first use of a
// new credential retires the device's older ones.
func (s Tenants) OfDevice(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Device, error) {
	if e, ok := recall(s.seen, s.seen.devices, h); ok {
		return e.tenant, e.thing, nil
	}
	turn := s.seen.begin()
	var c deviceCredentialRow
	err := s.db.through(allTenants).gorm(ctx).Table("device_credentials").Where("hash = ?", h[:]).Take(&c).Error
	if absent(err) {
		return tenants.Tenant{}, tenants.Device{}, tenants.Refuse(tenants.Unauthorized, "unauthorized",
			"This device credential is unknown or was replaced. Pair the app again.")
	}
	if err != nil {
		return tenants.Tenant{}, tenants.Device{}, translate(err)
	}
	scope := s.of(tenants.TenantID(c.TenantID))
	if c.UsedAt == 0 {
		if err := s.w.do(ctx, scope.access(), func(t *tx) error { return t.devices().firstUse(scope, c.DeviceID, h) }); err != nil {
			return tenants.Tenant{}, tenants.Device{}, err
		}
		scope.revoke(nil)
		turn = s.seen.begin()
	}
	tenant, err := scope.tenant(ctx)
	if err != nil {
		return tenants.Tenant{}, tenants.Device{}, err
	}
	device, err := Devices{scope}.Get(ctx, tenants.DeviceID(c.DeviceID))
	if err != nil {
		return tenants.Tenant{}, tenants.Device{}, err
	}
	scope.see(device)
	keep(s.seen, s.seen.devices, h, entry[tenants.Device]{tenant: tenant, thing: device}, turn)
	return tenant, device, nil
}

// Credentials lists every tenant's credentials without their secrets: the simulator of dev mode
// must know their public keys.
func (s Tenants) Credentials(ctx context.Context) ([]tenants.Credential, error) {
	var rows []credentialRow
	if err := s.db.through(allTenants).gorm(ctx).Select(credentialColumns).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return nouns(rows, credentialRow.noun), nil
}

// SetRules lets change alter what the tenant has changed of its industry's rules. What the industry
// does not allow is refused.
func (s *Scope) SetRules(ctx context.Context, change func(*tenants.RuleChanges)) error {
	err := s.write(ctx, func(t *tx) error {
		var row tenantRow
		if err := t.db().Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
			return missing(err, "tenant")
		}
		old, before, c := s.s.tenantOf(row), tenants.ParseRuleChanges(row.Rules), tenants.ParseRuleChanges(row.Rules)
		if c == nil {
			c = &tenants.RuleChanges{}
		}
		change(c)
		// An earlier change may be outside of the bounds of a newer file. It has no effect, and is
		// no reason to refuse another one.
		if err := old.File().Rules.Check(c.Since(before)); err != nil {
			return err
		}
		next := old
		next.Changes = c
		changed := tenants.CompareRules(old.Rules(), next.Rules())
		if len(changed) == 0 && row.Rules == c.Text() {
			return nil
		}
		if _, err := t.exec("UPDATE tenants SET rules = ? WHERE id = ?", c.Text(), uuid(s.id)); err != nil {
			return translate(err)
		}
		return t.auditChange(&s.scope, "rules.set", string(s.id), next.Name, changed...)
	})
	s.revoke(err)
	return err
}
