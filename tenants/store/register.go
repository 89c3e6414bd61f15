package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"carillon/tenants"
)

// registration is what the registration of a device did.
type registration struct {
	device tenants.Device
	known  bool // it was there already, and was brought up to date
	merged bool // earlier rows of the phone are gone, with their credentials
}

// follow forgets what was remembered, and announces that credentials ended if some did: most
// registrations end none, and an announcement empties the memory of every server.
func (r registration) follow(s *scope, err error) {
	if r.merged {
		s.revoke(err)
	} else {
		s.s.seen.forget()
	}
}

func (t devicesTx) register(s *scope, d tenants.Device, credential tenants.Hash) (registration, error) {
	now := s.s.now()
	d = d.Clean()
	d.State, d.DisabledReason, d.RegisteredAt, d.SeenAt = tenants.DeviceActive, "", now, now
	if d.CreatedAt.IsZero() {
		d.CreatedAt = now
	}
	row := rowOfDevice(s.id, d)
	var old deviceRow
	err := s.in(t.db(), "devices").Where("bundle = ? AND token = ? AND (environment = ? OR seen_at = 0)", row.Bundle, row.Token,
		row.Environment).
		Order("CASE WHEN state = 'active' THEN 0 ELSE 1 END, registered_at DESC, id").Take(&old).Error
	known := err == nil
	if !known && !absent(err) {
		return registration{}, err
	}
	since := micros(now)
	if known {
		if old.SeenAt == 0 { // it was imported, by somebody who may not know the environment
			old.Environment, old.Learnt = row.Environment, ""
		} else {
			since = old.Created
		}
		row = renewed(old, row)
	}
	its, err := t.phoneOf(s, row, d.PhoneID, since)
	if err != nil {
		return registration{}, err
	}
	if known {
		err = t.renew(s, old, row)
	} else {
		err = t.add(s, row, its)
	}
	if err == nil {
		row, err = t.samePhone(s, row, its)
	}
	if err == nil {
		err = t.tell(s, tenants.EventDeviceRegistered, "", eventOfDevice(row))
	}
	if err == nil {
		err = t.giveCredential(s, row, credential)
	}
	if err != nil {
		return registration{}, err
	}
	return registration{device: row.noun(), known: known, merged: len(its.earlier) > 0}, nil
}

// renew brings a known device up to date.
func (t devicesTx) renew(s *scope, old, row deviceRow) error {
	if err := t.setDevice(row); err != nil {
		return err
	}
	return t.auditChange(s, "device.register", string(row.ID), "", differ(old, row)...)
}

// add adds a device. One that replaces an earlier row of its phone takes that row's place, so the
// plan needs no room for it.
func (t devicesTx) add(s *scope, row deviceRow, p phone) error {
	if !slices.ContainsFunc(p.earlier, func(r deviceRow) bool { return r.State == string(tenants.DeviceActive) }) {
		if err := t.mayAddDevices(s, 1); err != nil {
			return err
		}
	}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "This device exists already.")
	}
	return t.audit(s, "device.add", string(row.ID), "")
}

func (t devicesTx) giveCredential(s *scope, row deviceRow, credential tenants.Hash) error {
	_, err := t.exec("INSERT INTO device_credentials (tenant_id, device_id, hash, created_at, used_at) VALUES (?, ?, ?, ?, 0)",
		row.TenantID, row.ID, credential[:], micros(s.s.now()))
	if err != nil {
		return taken(err, "This credential exists already.")
	}
	_, err = t.exec("DELETE FROM device_credentials WHERE tenant_id = ? AND device_id = ? AND used_at = 0 AND hash NOT IN"+
		" (SELECT hash FROM (SELECT hash FROM device_credentials WHERE tenant_id = ? AND device_id = ? "+
		"ORDER BY created_at DESC LIMIT ?) AS newest)",
		row.TenantID, row.ID, row.TenantID, row.ID, unusedCredentials)
	return err
}

// unusedCredentials is how many credentials of a device wait for their first use. One that
// registers again and again and uses none keeps the newest.
const unusedCredentials = 20

// renewed is a known device after it registered again: what the registration leaves out stays as it
// was.
func renewed(old, fresh deviceRow) deviceRow {
	row := old
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&row.Person, fresh.Person}, {&row.Name, fresh.Name}, {&row.Model, fresh.Model}, {&row.OSVersion, fresh.OSVersion},
		{&row.AppVersion, fresh.AppVersion}, {&row.TimeZone, fresh.TimeZone}, {&row.Platform, fresh.Platform},
		{&row.PhoneNumber, fresh.PhoneNumber},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	row.State, row.DisabledReason, row.RegisteredAt, row.SeenAt = fresh.State, "", fresh.RegisteredAt, fresh.SeenAt
	return row
}

// SetToken is the phone telling its token, environment and versions, as it does on every launch;
// nothing else of d counts. A token is of one installation of one app, so another device with the
// same one is this phone's past and is disabled. What is empty stays as it was.
func (s Devices) SetToken(ctx context.Context, d tenants.Device) error {
	return s.editDevice(ctx, d.ID, "device.token", func(t *tx, row *deviceRow) error {
		now := micros(s.s.now())
		token, env := strings.ToLower(d.Token), cmp.Or(string(d.Environment), row.Environment)
		if row.Token != token || row.Environment != env {
			row.Learnt = ""
		}
		row.Token, row.Environment = token, env
		row.RegisteredAt, row.SeenAt, row.State, row.DisabledReason = now, now, string(tenants.DeviceActive), ""
		row.AppVersion, row.OSVersion = cmp.Or(d.AppVersion, row.AppVersion), cmp.Or(d.OSVersion, row.OSVersion)
		return t.devices().outdate(s.scope, *row)
	})
}

// outdate disables the other live device with the row's token.
func (t devicesTx) outdate(s *scope, row deviceRow) error {
	var past deviceRow
	err := s.in(t.db(), "devices").Where("bundle = ? AND environment = ? AND token = ? AND state = 'active' AND id <> ?",
		row.Bundle, row.Environment, row.Token, row.ID).Take(&past).Error
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	past.State, past.DisabledReason = string(tenants.DeviceDisabled), "replaced"
	if err := t.setDevice(past); err != nil {
		return err
	}
	return t.audit(s, "device.disable", string(past.ID), "replaced by "+string(row.ID))
}

// phone is what is known of a phone that registers, by the id that its app keeps.
type phone struct {
	hash    []byte      // of the id; nil = the app sent none, or the id is on two phones
	earlier []deviceRow // rows of this phone that the registration replaces
}

// phoneOf finds the earlier rows that the id proves to be this phone: of the same app and model,
// and of the same person or nobody. A keychain item that a backup copied to a new phone gives two
// phones one id; each would take the other's row away in turn. So a row that was seen after since,
// when this one registered first, is another phone, and so is one whose token comes back after its
// row was merged.
func (t devicesTx) phoneOf(s *scope, row deviceRow, id string, since int64) (phone, error) {
	if id == "" {
		return phone{}, nil
	}
	hash, token := sha256.Sum256([]byte(id)), sha256.Sum256([]byte(row.Token))
	type known struct {
		id   tenants.DeviceID
		back int64 // rows with this token that were merged into it
	}
	rows, err := t.query(context.Background(), "SELECT p.device_id, (SELECT COUNT(*) FROM device_merges m WHERE "+
		"m.tenant_id = p.tenant_id AND m.device_id = p.device_id AND m.token_hash = ?) FROM device_phones p "+
		"WHERE p.tenant_id = ? AND p.hash = ? AND p.device_id <> ? ORDER BY p.device_id", token[:], row.TenantID, hash[:], row.ID)
	found, err := collect(rows, err, func(k *known) []any { return []any{(*uuid)(&k.id), &k.back} })
	if err != nil {
		return phone{}, err
	}
	p := phone{hash: hash[:]}
	for _, k := range found {
		if k.back > 0 {
			return phone{}, nil
		}
		from, err := s.device(t.db(), k.id)
		if err != nil {
			return phone{}, err
		}
		if from.Bundle == row.Bundle && (from.Person == "" || from.Person == row.Person) && from.SeenAt <= since &&
			(from.Model == "" || row.Model == "" || from.Model == row.Model) {
			p.earlier = append(p.earlier, from)
		}
	}
	return p, nil
}

// samePhone merges the earlier rows of the phone and records its id. It gives the row as it is
// then.
func (t devicesTx) samePhone(s *scope, row deviceRow, p phone) (deviceRow, error) {
	for _, from := range p.earlier {
		var err error
		if row, err = t.merge(s, from, row); err != nil {
			return row, err
		}
	}
	if p.hash == nil {
		return row, nil
	}
	_, err := t.exec("INSERT INTO device_phones (tenant_id, device_id, hash) VALUES (?, ?, ?) "+
		"ON CONFLICT (tenant_id, device_id) DO UPDATE SET hash = excluded.hash", row.TenantID, row.ID, p.hash)
	return row, err
}
