package store

import (
	"context"
	"slices"
	"strings"

	"carillon/tenants"
)

// Tags are the tags of devices, in order. Devices without one are left out.
func (s Devices) Tags(ctx context.Context, ids []tenants.DeviceID) (map[tenants.DeviceID][]string, error) {
	out := map[tenants.DeviceID][]string{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.reads().query(ctx, "SELECT device_id, tag FROM device_tags WHERE tenant_id = ? AND device_id IN ("+marks(len(ids))+
		") ORDER BY tag", some(s.id, ids)...)
	type row struct {
		device tenants.DeviceID
		tag    string
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{(*uuid)(&r.device), &r.tag} })
	for _, r := range found {
		out[r.device] = append(out[r.device], r.tag)
	}
	return out, translate(err)
}

// tagsListed bounds the tags that a filter offers.
const tagsListed = 200

// AllTags are the tags that the tenant's devices have, in order, at most tagsListed.
func (s Devices) AllTags(ctx context.Context) ([]string, error) {
	rows, err := s.reads().query(ctx, "SELECT DISTINCT tag FROM device_tags WHERE tenant_id = ? ORDER BY tag LIMIT ?",
		uuid(s.id), tagsListed)
	tags, err := collect(rows, err, func(tag *string) []any { return []any{tag} })
	return tags, translate(err)
}

// Tag gives a tag to devices, or takes it from them, in one go. Ids that name none of the tenant's
// are left out. It counts the devices that it changed.
func (s Devices) Tag(ctx context.Context, ids []tenants.DeviceID, tag string, on bool) (changed int, err error) {
	if !tenants.ValidTag(tag) {
		return 0, badTag()
	}
	err = s.write(ctx, func(t *tx) error {
		changed = 0
		for _, id := range ids {
			had, err := t.devices().tags(s.scope, id)
			if err != nil {
				return err
			}
			want := slices.DeleteFunc(slices.Clone(had), func(one string) bool { return one == tag })
			if on {
				want = append(want, tag)
			}
			want, set, err := t.devices().setTags(s.scope, id, had, want)
			if err != nil {
				return err
			}
			if set {
				changed++
				if err := t.record(s.scope, auditEntry{action: "device.tag", target: string(id), detail: strings.Join(want, ", "),
					changes: tagged(had, want)}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return changed, err
}

func badTag() error {
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "This is no tag for a device.", Fields: []tenants.Field{
		{Name: "tags", Message: "each tag has 1 to 40 characters, without commas and semicolons"}}}
}

func (t devicesTx) tags(s *scope, id tenants.DeviceID) ([]string, error) {
	rows, err := t.query(context.Background(), "SELECT tag FROM device_tags WHERE tenant_id = ? AND device_id = ? ORDER BY tag", uuid(s.id),
		uuid(id))
	return collect(rows, err, func(tag *string) []any { return []any{tag} })
}

// setTags writes the tags of a device that differ from what it had, in order, and says whether any
// did. A device that is gone is none of the tenant's: false.
func (t devicesTx) setTags(s *scope, id tenants.DeviceID, had, want []string) ([]string, bool, error) {
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	if slices.Equal(had, want) {
		return want, false, nil
	}
	if err := tenants.CapTags.Check(int64(len(want)) - 1); err != nil {
		return nil, false, err
	}
	if _, err := s.device(t.db(), id); err != nil {
		if tenants.KindOf(err) == tenants.Unknown {
			return nil, false, nil
		}
		return nil, false, err
	}
	if _, err := t.exec("DELETE FROM device_tags WHERE tenant_id = ? AND device_id = ?", uuid(s.id), uuid(id)); err != nil {
		return nil, false, err
	}
	for _, tag := range want {
		if _, err := t.exec("INSERT INTO device_tags (tenant_id, device_id, tag) VALUES (?, ?, ?)", uuid(s.id), uuid(id), tag); err != nil {
			return nil, false, err
		}
	}
	return want, true, nil
}

// tagged is a change of tags as the audit log shows it.
func tagged(had, want []string) changes {
	c := changes{}
	c.set("tags", strings.Join(had, ", "), strings.Join(want, ", "))
	return c
}
