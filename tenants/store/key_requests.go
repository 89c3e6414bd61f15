package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type keyRequestRow struct {
	TenantID, KeyID          uuid
	At                       int64
	RequestID, Method, Route string
	Status                   int64
	IP                       string
	Took                     int64
}

const keyRequestColumns = "tenant_id, key_id, at, request_id, method, route, status, ip, took"

func (r *keyRequestRow) fields() []any {
	return []any{&r.TenantID, &r.KeyID, &r.At, &r.RequestID, &r.Method, &r.Route, &r.Status, &r.IP, &r.Took}
}

func (r keyRequestRow) noun() tenants.KeyRequest {
	return tenants.KeyRequest{
		Tenant: tenants.TenantID(r.TenantID), Key: tenants.KeyID(r.KeyID), At: moment(r.At), RequestID: r.RequestID, Method: r.Method,
		Route: r.Route, Status: int(r.Status), IP: r.IP, Took: length(r.Took),
	}
}

// Requests are the latest requests of a key, the latest first, at most tenants.KeyRequestsKept.
func (s Keys) Requests(ctx context.Context, id tenants.KeyID) ([]tenants.KeyRequest, error) {
	rows, err := s.reads().query(ctx, "SELECT "+keyRequestColumns+" FROM key_requests WHERE tenant_id = ? AND key_id = ? "+
		"ORDER BY at DESC, request_id DESC LIMIT ?", uuid(s.id), uuid(id), tenants.KeyRequestsKept)
	found, err := collect(rows, err, (*keyRequestRow).fields)
	return nouns(found, keyRequestRow.noun), translate(err)
}

// keyRequestsAtOnce bounds the rows of one write, which holds the writer up for a few milliseconds.
const keyRequestsAtOnce = 100

// KeepKeyRequests stores requests of keys, in the order of their times, and removes the oldest
// beyond tenants.KeyRequestsKept of each key. Requests of a key that is gone are left out.
func (s Jobs) KeepKeyRequests(ctx context.Context, all []tenants.KeyRequest) error {
	for len(all) > 0 {
		n := min(len(all), keyRequestsAtOnce)
		if err := s.w.do(ctx, allTenants, func(t *tx) error { return t.credentials().keepRequests(all[:n]) }); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (t credentialsTx) keepRequests(all []tenants.KeyRequest) error {
	type key struct {
		tenant tenants.TenantID
		id     tenants.KeyID
	}
	latest := map[key]tenants.KeyRequest{}
	for _, r := range all {
		n, err := t.change("INSERT INTO key_requests ("+keyRequestColumns+") SELECT tenant_id, id, ?, ?, ?, ?, ?, ?, ? FROM keys "+
			"WHERE tenant_id = ? AND id = ? ON CONFLICT DO NOTHING", micros(r.At), r.RequestID, r.Method, r.Route, int64(r.Status), r.IP,
			span(r.Took), uuid(r.Tenant), uuid(r.Key))
		if err != nil {
			return err
		}
		if n > 0 {
			latest[key{r.Tenant, r.Key}] = r
		}
	}
	for k, r := range latest {
		if _, err := t.exec("DELETE FROM key_requests WHERE tenant_id = ? AND key_id = ? AND at < (SELECT at FROM key_requests "+
			"WHERE tenant_id = ? AND key_id = ? ORDER BY at DESC LIMIT 1 OFFSET ?)", uuid(k.tenant), uuid(k.id), uuid(k.tenant), uuid(k.id),
			tenants.KeyRequestsKept-1); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE keys SET last_ip = ?, last_client = ? WHERE tenant_id = ? AND id = ?", r.IP, r.Client,
			uuid(k.tenant), uuid(k.id)); err != nil {
			return err
		}
	}
	return nil
}

// KeysWithExpiry lists, of every tenant, the keys that work and expire before a moment.
func (s Jobs) KeysWithExpiry(ctx context.Context, before time.Time) ([]tenants.Key, error) {
	var rows []keyRow
	err := s.db.through(allTenants).gorm(ctx).Where("revoked_at = 0 AND expires_at <> 0 AND expires_at < ?", micros(before)).
		Order("tenant_id, id").Find(&rows).Error
	return nouns(rows, keyRow.noun), translate(err)
}

// End notes that a key has expired: it is listed as ended and no longer counts against the bound
// on keys. The key was refused from its expiry on.
func (s Keys) End(ctx context.Context, id tenants.KeyID) error {
	return s.write(ctx, func(t *tx) error {
		var row keyRow
		if err := s.in(t.db(), "keys").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "key")
		}
		if row.RevokedAt != 0 || row.ExpiresAt == 0 || row.ExpiresAt > micros(s.s.now()) {
			return nil
		}
		if _, err := t.exec("UPDATE keys SET revoked_at = expires_at WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "key.expire", string(id), row.Name) // the row is removed some day
	})
}
