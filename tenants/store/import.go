package store

import (
	"cmp"
	"context"
	"slices"

	"carillon/tenants"
)

// importAtOnce bounds the devices that one transaction adds: it holds the writer up for some
// milliseconds, and rings wait for it.
const importAtOnce = 200

// importKey is what makes a device known: a token belongs to one installation of one app.
func importKey(bundle, token string) string { return bundle + " " + token }

// Known finds which devices of a file the tenant has already, by the line of the file.
func (s Devices) Known(ctx context.Context, file []tenants.FileDevice) (map[int]tenants.Device, error) {
	out := map[int]tenants.Device{}
	for part := range slices.Chunk(file, importAtOnce) {
		have, err := s.known(ctx, s.reads(), part)
		if err != nil {
			return nil, err
		}
		for _, d := range part {
			if row, ok := have[importKey(d.Device.Bundle, d.Device.Token)]; ok {
				out[d.Line] = row.noun()
			}
		}
	}
	return out, nil
}

// known reads the active devices with the tokens of a part of a file; devices_token is the index.
func (s Devices) known(ctx context.Context, from querier, part []tenants.FileDevice) (map[string]deviceRow, error) {
	bundles, tokens := map[string]bool{}, []any{}
	for _, d := range part {
		bundles[d.Device.Bundle] = true
		tokens = append(tokens, d.Device.Token)
	}
	args := []any{uuid(s.id)}
	for bundle := range bundles {
		args = append(args, bundle)
	}
	rows, err := from.query(ctx, "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND bundle IN ("+marks(len(bundles))+
		") AND environment IN ('auto', 'sandbox', 'production') AND token IN ("+marks(len(tokens))+") AND state = 'active'",
		append(args, tokens...)...)
	found, err := collect(rows, err, (*deviceRow).fields)
	out := map[string]deviceRow{}
	for _, r := range found {
		out[importKey(r.Bundle, r.Token)] = r
	}
	return out, translate(err)
}

// Room refuses n more devices that the plan, or the tenant's most, has no room for.
func (s Devices) Room(ctx context.Context, n int) error {
	have, err := s.Count(ctx)
	if err != nil || n == 0 {
		return err
	}
	if err := tenants.CapDevices.Check(int64(have + n - 1)); err != nil {
		return err
	}
	e, err := (&Scope{scope: *s.scope}).Subscription().Entitlement(ctx)
	if err != nil {
		return err
	}
	e.Usage.Devices = int64(have + n - 1)
	return e.Device()
}

// Import adds the devices of a file and leaves out those that are known. A device has no credential
// and was never seen until its app registers with the same token: see Add. It adds them in parts,
// so that rings need not wait; where one part fails, added says how many are there, and the same
// file can be imported again.
func (s Devices) Import(ctx context.Context, file []tenants.FileDevice) (added int, err error) {
	for part := range slices.Chunk(file, importAtOnce) {
		n := 0
		err := s.write(ctx, func(t *tx) (err error) {
			n, err = t.devices().addAll(ctx, s, part)
			return err
		})
		s.s.seen.forget()
		if err != nil {
			return added, err
		}
		added += n
	}
	return added, nil
}

func (t devicesTx) addAll(ctx context.Context, s Devices, part []tenants.FileDevice) (int, error) {
	have, err := s.known(ctx, t.tx, part)
	if err != nil {
		return 0, err
	}
	part = slices.DeleteFunc(slices.Clone(part), func(d tenants.FileDevice) bool {
		_, ok := have[importKey(d.Device.Bundle, d.Device.Token)]
		return ok
	})
	if len(part) == 0 {
		return 0, nil
	}
	if err := t.mayAddDevices(s.scope, len(part)); err != nil {
		return 0, err
	}
	var told []any
	devices, tags, now := newBatch("devices", names(deviceColumns)...), newBatch("device_tags", "tenant_id", "device_id", "tag"), s.s.now()
	for _, d := range part {
		row := rowOfDevice(s.id, d.Device.Clean())
		row.ID = cmp.Or(row.ID, uuid(tenants.NewID[tenants.DeviceID](now)))
		row.State, row.RegisteredAt, row.Created, row.SeenAt = string(tenants.DeviceActive), micros(now), micros(now), 0
		devices.add(values(row.fields())...)
		told = append(told, eventOfDevice(row))
		for _, tag := range d.Tags {
			tags.add(row.TenantID, row.ID, tag)
		}
	}
	add := func(text string, args []any, _ int) error {
		_, err := t.exec(text, args...)
		return taken(err, "A device of this file was added a moment ago. Check the file again.")
	}
	if err := devices.flush(t.d.dialect, add); err != nil {
		return 0, err
	}
	if err := tags.flush(t.d.dialect, add); err != nil {
		return 0, err
	}
	if err := t.tell(s.scope, tenants.EventDeviceRegistered, "", told...); err != nil {
		return 0, err
	}
	return len(part), t.audit(s.scope, "device.import", tenants.FormatCount(len(part)), "")
}
