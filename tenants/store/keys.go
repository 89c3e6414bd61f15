package store

import (
	"context"
	"net/netip"
	"strconv"
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
	ExpiresAt   int64
	Networks    string
	OnlyDevices string
	OnlyPeople  string
	MadeBy      uuid
	Maker       string
	ReplacedBy  uuid
	LastIP      string
	LastClient  string
}

func (keyRow) TableName() string { return "keys" }

func (r keyRow) noun() tenants.Key {
	k := tenants.Key{
		ID: tenants.KeyID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Test: r.Test, Last4: r.Last4,
		PerSecond: int(r.PerSecond), CreatedAt: moment(r.Created), LastUsedAt: moment(r.LastUsedAt), RevokedAt: moment(r.RevokedAt),
		ExpiresAt: moment(r.ExpiresAt), MadeBy: tenants.UserID(r.MadeBy), Maker: r.Maker, ReplacedBy: tenants.KeyID(r.ReplacedBy),
		LastIP: r.LastIP, LastClient: r.LastClient, Permissions: wordsOf[tenants.Permission](r.Permissions),
		Only: tenants.DeviceList{Devices: wordsOf[tenants.DeviceID](r.OnlyDevices), People: wordsOf[string](r.OnlyPeople)},
	}
	k.Networks, _ = tenants.ParseNetworks(r.Networks) // written by networksText
	return k
}

// rowOf is a key as it is stored.
func (s *scope) rowOf(k tenants.Key, h tenants.Hash) keyRow {
	return keyRow{
		TenantID: uuid(s.id), ID: uuid(k.ID), Hash: h[:], Name: k.Name, Test: k.Test, Last4: k.Last4,
		Permissions: wordsText(k.Permissions), PerSecond: int64(k.PerSecond), Created: micros(k.CreatedAt),
		ExpiresAt: micros(k.ExpiresAt), Networks: networksText(k.Networks), OnlyDevices: wordsText(k.Only.Devices),
		OnlyPeople: wordsText(k.Only.People), MadeBy: uuid(k.MadeBy), Maker: k.Maker,
	}
}

// wordsText are words separated by blanks; wordsOf reads them.
func wordsText[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(w))
	}
	return b.String()
}

func wordsOf[T ~string](text string) (out []T) {
	for _, w := range strings.Fields(text) {
		out = append(out, T(w))
	}
	return out
}

func networksText(networks []netip.Prefix) string {
	out := make([]string, len(networks))
	for i, n := range networks {
		out[i] = n.String()
	}
	return strings.Join(out, " ")
}

var keyOrders = orders[keyRow]{"created", map[Sort]order[keyRow]{
	"created": by("created_at, id", func(r keyRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r keyRow) []any { return []any{r.Name, r.ID} }),
	"expires": by("expires_at, id", func(r keyRow) []any { return []any{r.ExpiresAt, r.ID} }),
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

// AddAgain adds a key in place of those that its maker made under the same name before: of them it
// ends each test key that would end by itself no later than the new one.
func (s Keys) AddAgain(ctx context.Context, k tenants.Key, h tenants.Hash) error {
	err := s.write(ctx, func(t *tx) error {
		var before []keyRow
		err := s.in(t.db(), "keys").Where("name = ? AND made_by = ? AND test = ? AND revoked_at = 0 AND expires_at > ? AND expires_at <= ?",
			k.Name, uuid(k.MadeBy), true, micros(s.s.now()), micros(k.ExpiresAt)).Find(&before).Error
		if err != nil {
			return translate(err)
		}
		for _, row := range before {
			if err := t.credentials().revokeKey(s.scope, row); err != nil {
				return err
			}
		}
		return t.credentials().addKey(s.scope, k, h)
	})
	s.revoke(err)
	return err
}

func (t credentialsTx) addKey(s *scope, k tenants.Key, h tenants.Hash) error {
	row := s.rowOf(k, h)
	if err := t.roomForKey(s); err != nil {
		return err
	}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "This key exists already.")
	}
	return t.audit(s, "key.add", string(row.ID), row.Permissions)
}

// roomForKey refuses one more key that works where there are as many as there may be.
func (t credentialsTx) roomForKey(s *scope) error {
	return t.room(s, tenants.CapKeys, "keys", "revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)", micros(s.s.now()))
}

// Change replaces what a key may do: name, permissions, rate, expiry, addresses and devices. A key
// that has ended is refused with Conflict.
func (s Keys) Change(ctx context.Context, k tenants.Key) error {
	err := s.write(ctx, func(t *tx) error {
		old, err := t.credentials().liveKey(s.scope, k.ID)
		if err != nil {
			return err
		}
		row := s.rowOf(k, tenants.Hash{})
		set := keyChanges(old, row)
		if len(set) == 0 {
			return nil
		}
		if old.ReplacedBy != "" { // it has its end from the rotation
			return tenants.Refuse(tenants.Conflict, "key_rotated", "This key was rotated already. Change the key that replaced it.")
		}
		if _, err := t.exec("UPDATE keys SET name = ?, permissions = ?, per_second = ?, expires_at = ?, networks = ?, only_devices = ?, "+
			"only_people = ? WHERE tenant_id = ? AND id = ?", row.Name, row.Permissions, row.PerSecond, row.ExpiresAt, row.Networks,
			row.OnlyDevices, row.OnlyPeople, uuid(s.id), uuid(k.ID)); err != nil {
			return err
		}
		if old.ExpiresAt != row.ExpiresAt { // the next review warns again if the new end is near
			if err := t.alerts().settle(s.scope, string(k.ID)); err != nil {
				return err
			}
		}
		return t.auditChange(s.scope, "key.set", string(k.ID), row.Name, set...)
	})
	s.revoke(err)
	return err
}

// keyChanges are the fields in which a key differs.
func keyChanges(old, row keyRow) (set []tenants.Change) {
	for _, f := range []tenants.Change{
		{Field: "name", Before: old.Name, After: row.Name},
		{Field: "scopes", Before: old.Permissions, After: row.Permissions},
		{Field: "per_second", Before: strconv.FormatInt(old.PerSecond, 10), After: strconv.FormatInt(row.PerSecond, 10)},
		{Field: "expires", Before: dateText(old.ExpiresAt), After: dateText(row.ExpiresAt)},
		{Field: "networks", Before: old.Networks, After: row.Networks},
		{Field: "devices", Before: strings.TrimSpace(old.OnlyDevices + " " + old.OnlyPeople),
			After: strings.TrimSpace(row.OnlyDevices + " " + row.OnlyPeople)},
	} {
		if f.Before != f.After {
			set = append(set, f)
		}
	}
	return set
}

// dateText is a stored moment for the audit log; empty for none.
func dateText(at int64) string {
	if at == 0 {
		return ""
	}
	return moment(at).UTC().Format(time.RFC3339)
}

// liveKey is a key that works now.
func (t credentialsTx) liveKey(s *scope, id tenants.KeyID) (row keyRow, err error) {
	if err := s.in(t.db(), "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return row, missing(err, "key")
	}
	if row.noun().Ended(s.s.now()) {
		return row, tenants.Refuse(tenants.Conflict, "key_ended", "This key has ended. Create a new one.")
	}
	return row, nil
}

// Rotate adds a key that may do what another one may, and ends the other one after overlap; none
// ends it now. While both work, both count against the bound on keys: at the bound only a rotation
// without overlap is possible. A key that was rotated already is refused with Conflict: it has one
// successor.
func (s Keys) Rotate(ctx context.Context, old tenants.KeyID, k tenants.Key, h tenants.Hash, overlap time.Duration) error {
	err := s.write(ctx, func(t *tx) error {
		before, err := t.credentials().liveKey(s.scope, old)
		if err != nil {
			return err
		}
		if before.ReplacedBy != "" {
			return tenants.Refuse(tenants.Conflict, "key_rotated", "This key was rotated already. Rotate the key that replaced it.")
		}
		if overlap > 0 {
			if err := t.credentials().roomForKey(s.scope); err != nil {
				return err
			}
		}
		row, now := s.rowOf(k, h), s.s.now()
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This key exists already.")
		}
		end := micros(now.Add(overlap))
		if before.ExpiresAt != 0 && before.ExpiresAt < end {
			end = before.ExpiresAt
		}
		var revoked int64
		if overlap <= 0 {
			revoked = micros(now)
		}
		if _, err := t.exec("UPDATE keys SET replaced_by = ?, expires_at = ?, revoked_at = ? WHERE tenant_id = ? AND id = ?", row.ID, end,
			revoked, uuid(s.id), uuid(old)); err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(old)); err != nil {
			return err
		}
		if err := t.audit(s.scope, "key.add", string(row.ID), row.Permissions); err != nil {
			return err
		}
		return t.audit(s.scope, "key.rotate", string(old), row.Name)
	})
	s.revoke(err)
	return err
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
		return t.credentials().revokeKey(s.scope, row)
	})
	s.revoke(err)
	return err
}

func (t credentialsTx) revokeKey(s *scope, row keyRow) error {
	_, err := t.exec("UPDATE keys SET revoked_at = ? WHERE tenant_id = ? AND id = ?", micros(s.s.now()), uuid(s.id), row.ID)
	if err != nil {
		return err
	}
	if err := t.alerts().settle(s, string(row.ID)); err != nil {
		return err
	}
	return t.audit(s, "key.revoke", string(row.ID), row.Name) // the row is removed some day; see retire
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
		named, args := s.s.db.dialect.alike(q.Search, "name")
		db = db.Where("("+named+" OR last4 = ?)", append(args, q.Search)...)
	}
	return db
}

// List lists keys, revoked ones among them. They can be sorted by "created", "name",
// "expires" and "used".
func (s Keys) List(ctx context.Context, q Page) ([]tenants.Key, string, error) {
	rows, next, err := list(s.found(ctx, q), q, keyOrders)
	return nouns(rows, keyRow.noun), next, err
}

// Total counts the keys that List finds.
func (s Keys) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }

// grain is how exactly the store remembers when something was last used.
const grain = time.Minute
