package store

import (
	"context"
	"strings"
	"time"

	"carillon/tenants"
)

type keyRow struct {
	TenantID    uuid
	ID          uuid
	Hash        []byte
	Name        string
	Test        bool
	Last4       string
	Permissions string
	PerSecond   int64
	Created     int64 `gorm:"column:created_at"`
	LastUsedAt  int64
	RevokedAt   int64
}

func (keyRow) TableName() string { return "keys" }

func (r keyRow) noun() tenants.Key {
	k := tenants.Key{
		ID: tenants.KeyID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Test: r.Test, Last4: r.Last4,
		PerSecond: int(r.PerSecond), CreatedAt: moment(r.Created), LastUsedAt: moment(r.LastUsedAt), RevokedAt: moment(r.RevokedAt),
	}
	for _, p := range strings.Fields(r.Permissions) {
		k.Permissions = append(k.Permissions, tenants.Permission(p))
	}
	return k
}

func (r keyRow) cursor() cursor { return cursor{r.Created, r.ID} }

// AddKey adds an API key by the hash of its secret.
func (s *Scope) AddKey(ctx context.Context, k tenants.Key, h tenants.Hash) error {
	return s.write(ctx, func(t *tx) error { return t.addKey(s, k, h) })
}

func (t *tx) addKey(s *Scope, k tenants.Key, h tenants.Hash) error {
	permissions := make([]string, len(k.Permissions))
	for i, p := range k.Permissions {
		permissions[i] = string(p)
	}
	row := keyRow{
		TenantID: uuid(s.id), ID: uuid(k.ID), Hash: h[:], Name: k.Name, Test: k.Test, Last4: k.Last4,
		Permissions: strings.Join(permissions, " "), PerSecond: int64(k.PerSecond), Created: micros(k.CreatedAt),
	}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "This key exists already.")
	}
	return t.audit(s, "key.add", string(row.ID), row.Permissions)
}

// RevokeKey ends a key for good. A key that is revoked already stays as it is.
func (s *Scope) RevokeKey(ctx context.Context, id tenants.KeyID) error {
	err := s.write(ctx, func(t *tx) error {
		var row keyRow
		if err := s.in(t.db(), "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "key")
		}
		if row.RevokedAt != 0 {
			return nil
		}
		if _, err := t.exec("UPDATE keys SET revoked_at = ? WHERE tenant_id = ? AND id = ?", micros(s.s.now()), uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.audit(s, "key.revoke", string(id), "")
	})
	s.revoke(err)
	return err
}

// Key is one key, revoked or not.
func (s *Scope) Key(ctx context.Context, id tenants.KeyID) (tenants.Key, error) {
	var row keyRow
	if err := s.read(ctx, "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Key{}, missing(err, "key")
	}
	return row.noun(), nil
}

// Keys lists keys, newest first, revoked ones among them.
func (s *Scope) Keys(ctx context.Context, q Page) ([]tenants.Key, string, error) {
	db := s.read(ctx, "keys")
	if q.Search != "" {
		db = db.Where(`(LOWER(name) LIKE ? ESCAPE '\' OR last4 = ?)`, like("%", q.Search, "%"), q.Search)
	}
	rows, next, err := page(db, q.After, q.Limit, keyRow.cursor)
	return nouns(rows, keyRow.noun), next, err
}

// grain is how exactly the store remembers when something was last used.
const grain = time.Minute

// TenantOfKey finds whose key has the hash: the key and its tenant. An unknown or revoked key is Unauthorized. The answer may be up
// to a second old where another process revoked the key.
func (s *Store) TenantOfKey(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Key, error) {
	if e, ok := recall(s.seen, s.seen.keys, h); ok {
		return e.tenant, e.thing, nil
	}
	turn := s.seen.begin()
	var row keyRow
	if err := s.db.through(wholeHouse).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error; err != nil && !absent(err) {
		return tenants.Tenant{}, tenants.Key{}, translate(err)
	}
	if row.ID == "" || row.RevokedAt != 0 {
		return tenants.Tenant{}, tenants.Key{}, tenants.Refuse(tenants.Unauthorized, "unauthorized",
			"This API key is unknown or revoked. Make a new one under API keys.")
	}
	tenant, err := s.For(tenants.TenantID(row.TenantID)).Tenant(ctx)
	if err != nil {
		return tenants.Tenant{}, tenants.Key{}, err
	}
	key := row.noun()
	keep(s.seen, s.seen.keys, h, entry[tenants.Key]{tenant: tenant, thing: key}, turn)
	if now := s.now(); now.Sub(key.LastUsedAt) >= grain {
		s.w.post(s.For(tenant.ID).door(), func(t *tx) error {
			_, err := t.exec("UPDATE keys SET last_used_at = ? WHERE tenant_id = ? AND id = ? AND last_used_at < ?",
				micros(now), row.TenantID, row.ID, micros(now))
			return err
		})
	}
	return tenant, key, nil
}
