package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"carillon/tenants"
)

// Merged is an older row of a phone that registered again.
type Merged struct {
	ID       tenants.DeviceID // its rings still name it
	Name     string
	Added    time.Time // when the older row was added
	MergedAt time.Time
}

// mergesMost bounds the older rows of a device that are shown: one for each time that the app was
// installed again.
const mergesMost = 100

// Earlier are the older rows that were merged into a device, the latest first.
func (s Devices) Earlier(ctx context.Context, id tenants.DeviceID) ([]Merged, error) {
	rows, err := s.reads().query(ctx, "SELECT old_id, name, from_at, merged_at FROM device_merges WHERE tenant_id = ? AND device_id = ? "+
		"ORDER BY merged_at DESC, old_id DESC LIMIT ?", uuid(s.id), uuid(id), mergesMost)
	type row struct {
		id         tenants.DeviceID
		name       string
		from, when int64
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{(*uuid)(&r.id), &r.name, &r.from, &r.when} })
	var out []Merged
	for _, r := range found {
		out = append(out, Merged{r.id, r.name, moment(r.from), moment(r.when)})
	}
	return out, translate(err)
}

// Now is the device that the phone of a merged row is today. An id that was never merged is refused
// with Unknown.
func (s Devices) Now(ctx context.Context, old tenants.DeviceID) (tenants.DeviceID, error) {
	found, err := s.merged(ctx, []tenants.DeviceID{old})
	if err != nil {
		return "", err
	}
	id, ok := found[old]
	if !ok {
		return "", tenants.NoSuch("device")
	}
	return id, nil
}

// merged finds what became of rows that are gone.
func (s Devices) merged(ctx context.Context, old []tenants.DeviceID) (map[tenants.DeviceID]tenants.DeviceID, error) {
	rows, err := s.reads().query(ctx, "SELECT old_id, device_id FROM device_merges WHERE tenant_id = ? AND old_id IN ("+
		marks(len(old))+")", some(s.id, old)...)
	type row struct{ old, device tenants.DeviceID }
	found, err := collect(rows, err, func(r *row) []any { return []any{(*uuid)(&r.old), (*uuid)(&r.device)} })
	out := map[tenants.DeviceID]tenants.DeviceID{}
	for _, r := range found {
		out[r.old] = r.device
	}
	return out, translate(err)
}

// Alike is two rows that look like one phone.
type Alike struct{ Old, New tenants.Device }

// AlikeMost bounds the pairs that LookAlike finds at once.
const AlikeMost = 100

// LookAlike finds rows that look like one phone, at most AlikeMost: the same person, app and model,
// and the older row was never seen again since the newer one was added. A person with two phones of
// one model uses both, so they are not found.
func (s Devices) LookAlike(ctx context.Context) ([]Alike, error) {
	rows, err := s.reads().query(ctx, "SELECT o.id, n.id FROM devices o JOIN devices n ON n.tenant_id = o.tenant_id "+
		"AND n.person = o.person AND n.person <> '' AND n.bundle = o.bundle AND n.platform = o.platform AND n.model = o.model "+
		"AND n.state = 'active' AND n.seen_at > 0 AND n.created_at > o.created_at AND n.created_at >= o.seen_at AND n.id > o.id "+
		"WHERE o.tenant_id = ? AND o.person <> '' AND o.model <> '' AND o.seen_at > 0 ORDER BY o.id, n.id DESC LIMIT ?",
		uuid(s.id), AlikeMost)
	type pair struct{ old, latest tenants.DeviceID }
	found, err := collect(rows, err, func(p *pair) []any { return []any{(*uuid)(&p.old), (*uuid)(&p.latest)} })
	if err != nil {
		return nil, translate(err)
	}
	found = slices.CompactFunc(found, func(a, b pair) bool { return a.old == b.old }) // the newest of several
	var ids []tenants.DeviceID
	for _, p := range found {
		ids = append(ids, p.old, p.latest)
	}
	devices, err := s.ByID(ctx, ids)
	var out []Alike
	for _, p := range found {
		o, n := devices[p.old], devices[p.latest]
		if o.ID != "" && n.ID != "" {
			out = append(out, Alike{o, n})
		}
	}
	return out, err
}

// Merge takes the older row of a phone away in favour of the newer one: credentials of the older
// one end, its tags, and the name and number that the newer one lacks, move over, keys that were
// limited to it are limited to the newer one, and its rings stay and lead to the newer one. Two
// rows of different apps are refused with Unprocessable.
func (s Devices) Merge(ctx context.Context, old, into tenants.DeviceID) error {
	err := s.write(ctx, func(t *tx) error {
		from, err := s.device(t.db(), old)
		if err != nil {
			return err
		}
		to, err := s.device(t.db(), into)
		if err != nil {
			return err
		}
		if from.ID == to.ID || from.Bundle != to.Bundle {
			return tenants.Refuse(tenants.Unprocessable, "invalid", "Only two devices with the same app can be one phone.")
		}
		_, err = t.devices().merge(s.scope, from, to)
		return err
	})
	s.revoke(err)
	return err
}

func (t devicesTx) merge(s *scope, from, to deviceRow) (deviceRow, error) {
	had, err := t.tags(s, tenants.DeviceID(to.ID))
	if err != nil {
		return to, err
	}
	more, err := t.tags(s, tenants.DeviceID(from.ID))
	if err != nil {
		return to, err
	}
	all := append(append([]string{}, had...), more...)
	if len(all) > int(tenants.CapTags.Most) {
		all = had
	}
	want, _, err := t.setTags(s, tenants.DeviceID(to.ID), had, all)
	if err != nil {
		return to, err
	}
	kept := to
	kept.Name, kept.Person, kept.PhoneNumber = cmp.Or(to.Name, from.Name), cmp.Or(to.Person, from.Person),
		cmp.Or(to.PhoneNumber, from.PhoneNumber)
	if err := t.setDevice(kept); err != nil {
		return to, err
	}
	if _, err := t.exec("UPDATE device_merges SET device_id = ? WHERE tenant_id = ? AND device_id = ?", kept.ID, kept.TenantID,
		from.ID); err != nil {
		return to, err
	}
	if _, err := t.exec("DELETE FROM devices WHERE tenant_id = ? AND id = ?", from.TenantID, from.ID); err != nil {
		return to, err
	}
	token := sha256.Sum256([]byte(from.Token))
	if _, err := t.exec("INSERT INTO device_merges (tenant_id, old_id, device_id, name, from_at, merged_at, token_hash) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?)", from.TenantID, from.ID, kept.ID, from.title(), from.Created, micros(s.s.now()),
		token[:]); err != nil {
		return to, err
	}
	if err := t.credentials().replaceDevice(s, tenants.DeviceID(from.ID), tenants.DeviceID(kept.ID)); err != nil {
		return to, err
	}
	if err := t.tell(s, tenants.EventDeviceRemoved, "", eventOfDevice(from)); err != nil {
		return to, err
	}
	c := changes{{Field: "earlier_device", Before: string(from.ID), After: string(kept.ID)}}
	c = append(append(c, differ(to, kept)...), tagged(had, want)...)
	return kept, t.auditChange(s, "device.merge", string(kept.ID), "", c...)
}

// replaceDevice limits the keys that were limited to one device to another one instead, each with
// its own audit row: what a key may ring has changed.
func (t credentialsTx) replaceDevice(s *scope, from, to tenants.DeviceID) error {
	var rows []keyRow
	if err := s.in(t.db(), "keys").Where("only_devices LIKE ?", "%"+string(from)+"%").Order("id").Find(&rows).Error; err != nil {
		return err
	}
	for _, old := range rows {
		row, only := old, []tenants.DeviceID{}
		for _, id := range wordsOf[tenants.DeviceID](old.OnlyDevices) {
			if id == from {
				id = to
			}
			if !slices.Contains(only, id) {
				only = append(only, id)
			}
		}
		row.OnlyDevices = wordsText(only)
		if _, err := t.exec("UPDATE keys SET only_devices = ? WHERE tenant_id = ? AND id = ?", row.OnlyDevices, row.TenantID,
			row.ID); err != nil {
			return err
		}
		if err := t.auditChange(s, "key.set", string(row.ID), row.Name, keyChanges(old, row)...); err != nil {
			return err
		}
	}
	return nil
}
