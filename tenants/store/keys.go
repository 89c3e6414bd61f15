package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

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

var keyOrders = orders[keyRow]{"created", map[Sort]order[keyRow]{
	"created": by("created_at, id", func(r keyRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r keyRow) []any { return []any{r.Name, r.ID} }),
	"used":    by("last_used_at, id", func(r keyRow) []any { return []any{r.LastUsedAt, r.ID} }),
}}

// Keys are the tenant's API keys.
type Keys struct{ *scope }

// Keys returns the tenant's Keys.
func (s *Scope) Keys() Keys { return Keys{&s.scope} }

// Add adds an API key by the hash of its secret.
func (s Keys) Add(ctx context.Context, k tenants.Key, h tenants.Hash) error {
	return s.write(ctx, func(t *tx) error { return t.credentials().addKey(s.scope, k, h) })
}

func (t credentialsTx) addKey(s *scope, k tenants.Key, h tenants.Hash) error {
	permissions := make([]string, len(k.Permissions))
	for i, p := range k.Permissions {
		permissions[i] = string(p)
	}
	row := keyRow{
		TenantID: uuid(s.id), ID: uuid(k.ID), Hash: h[:], Name: k.Name, Test: k.Test, Last4: k.Last4,
		Permissions: strings.Join(permissions, " "), PerSecond: int64(k.PerSecond), Created: micros(k.CreatedAt),
	}
	if err := t.room(s, tenants.CapKeys, "keys", "revoked_at = 0"); err != nil {
		return err
	}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "This key exists already.")
	}
	return t.audit(s, "key.add", string(row.ID), row.Permissions)
}

// Revoke ends a key for good. A key that is revoked already stays as it is. It is listed for 90
// days, as one of the 500 that were revoked last.
func (s Keys) Revoke(ctx context.Context, id tenants.KeyID) error {
	err := s.write(ctx, func(t *tx) error {
		var row keyRow
		if err := s.in(t.db(), "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "key")
		}
		if row.RevokedAt != 0 {
			return nil
		}
		if _, err := t.exec("UPDATE keys SET revoked_at = ? WHERE tenant_id = ? AND id = ?", micros(s.s.now()), uuid(s.id),
			uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "key.revoke", string(id), row.Name) // the row is removed some day; see retire
	})
	s.revoke(err)
	return err
}

// Get is one key, revoked or not.
func (s Keys) Get(ctx context.Context, id tenants.KeyID) (tenants.Key, error) {
	var row keyRow
	if err := s.read(ctx, "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Key{}, missing(err, "key")
	}
	return row.noun(), nil
}

func (s Keys) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "keys")
	if q.Search != "" {
		m := s.s.db.dialect.contains(q.Search)
		db = db.Where("("+m.in("name")+" OR last4 = ?)", m.arg(), q.Search)
	}
	return db
}

// List lists keys, revoked ones among them. They can be sorted by "created", "name" and "used".
func (s Keys) List(ctx context.Context, q Page) ([]tenants.Key, string, error) {
	rows, next, err := list(s.found(ctx, q), q, keyOrders)
	return nouns(rows, keyRow.noun), next, err
}

// Total counts the keys that List finds.
func (s Keys) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }

// grain is how exactly the store remembers when something was last used.
const grain = time.Minute
