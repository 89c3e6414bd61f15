package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testMerges: an older row of a phone goes, and its rings lead to the newer one.
func testMerges(b *bench) {
	ctx := b.Context()
	s, stranger := b.tenant(), b.tenant()
	devices := s.Devices()
	model := func(d tenants.Device, name, phone string) tenants.Device {
		d.Model, d.Name, d.PhoneNumber = "iPhone17,1", name, phone
		b.must(devices.Set(ctx, d))
		return d
	}
	first := model(b.device(s, "anna"), "Anna's phone", "+4915112345678")
	b.must(devices.Change(ctx, first, &[]string{"front"}))
	both := model(b.device(s, "anna"), "Anna's other phone", "")
	r := b.ring(s, first)
	limited := b.newKey()
	limited.Only.Devices = []tenants.DeviceID{first.ID}
	b.must(s.Keys().Add(ctx, limited, hashOf("limited to the first")))
	b.clock.add(time.Hour)
	second := model(b.device(s, "anna"), "", "")
	b.clock.add(time.Hour)
	third := model(b.device(s, "anna"), "", "")
	b.clock.add(time.Hour)
	b.must(devices.SetToken(ctx, both)) // used since: no older row of the newer ones
	twice := b.newKey()
	twice.Only.Devices = []tenants.DeviceID{first.ID, third.ID}
	b.must(s.Keys().Add(ctx, twice, hashOf("limited to both")))
	pairs, err := devices.LookAlike(ctx)
	b.must(err)
	var found []string
	for _, p := range pairs {
		found = append(found, string(p.Old.ID)+" "+string(p.New.ID))
	}
	equal(b, strings.Join(found, ", "), string(first.ID)+" "+string(third.ID)+", "+string(second.ID)+" "+string(third.ID), "alike")
	none, err := stranger.Devices().LookAlike(ctx)
	b.must(err)
	equal(b, len(none), 0, "a stranger's pairs")

	other := b.newDevice("anna")
	other.Bundle = "com.example.another"
	other, _, err = devices.Add(ctx, other, hashOf("another app"))
	b.must(err)
	b.refused(devices.Merge(ctx, first.ID, other.ID), tenants.Unprocessable, "merging two apps")
	b.refused(devices.Merge(ctx, first.ID, first.ID), tenants.Unprocessable, "merging into itself")
	b.refused(stranger.Devices().Merge(ctx, first.ID, second.ID), tenants.Unknown, "merging another tenant's rows")
	for _, into := range [][2]tenants.DeviceID{{first.ID, second.ID}, {second.ID, third.ID}} {
		b.must(devices.Merge(ctx, into[0], into[1]))
	}
	kept, err := devices.Get(ctx, third.ID)
	b.must(err)
	equal(b, kept.Name+" "+kept.PhoneNumber, "Anna's phone +4915112345678", "what the newer one lacked")
	tags, err := devices.Tags(ctx, []tenants.DeviceID{third.ID})
	b.must(err)
	equal(b, strings.Join(tags[third.ID], ","), "front", "tags")
	rows, err := devices.Earlier(ctx, third.ID)
	b.must(err)
	equal(b, len(rows), 2, "older rows")
	now, err := devices.Now(ctx, first.ID)
	b.must(err)
	equal(b, now, third.ID, "the phone of the first row")
	_, err = stranger.Devices().Now(ctx, first.ID)
	b.refused(err, tenants.Unknown, "another tenant's merged row")
	theirs, err := stranger.Devices().Called(ctx, []tenants.DeviceID{first.ID, third.ID})
	b.must(err)
	more, err := stranger.Devices().Earlier(ctx, third.ID)
	b.must(err)
	equal(b, len(theirs)+len(more), 0, "what a stranger sees")
	called, err := devices.Called(ctx, []tenants.DeviceID{first.ID, third.ID})
	b.must(err)
	equal(b, called[first.ID].ID, third.ID, "who was rung")
	rung, _, err := s.Rings().List(ctx, store.RingQuery{Device: first.ID})
	b.must(err)
	if len(rung) != 1 || rung[0].ID != r.ID {
		b.Errorf("the rings of the first row: %+v", rung)
	}
	for _, k := range []tenants.Key{limited, twice} {
		key, err := s.Keys().Get(ctx, k.ID)
		b.must(err)
		equal(b, fmt.Sprint(key.Only.Devices), fmt.Sprint([]tenants.DeviceID{third.ID}), "devices of the key "+k.Name)
		sets, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "key.set"})
		b.must(err)
		if !slices.ContainsFunc(sets, func(a tenants.Audit) bool {
			return a.Target == string(k.ID) && a.TargetName == k.Name && a.Changes[0].Field == "devices" &&
				strings.Contains(a.Changes[0].Before, string(first.ID))
		}) {
			b.Errorf("audit of the key %s: %+v", k.Name, sets)
		}
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "device.merge"})
	b.must(err)
	if len(audits) != 2 || audits[0].Target != string(third.ID) || audits[0].Changes[0].Before != string(second.ID) {
		b.Errorf("audit of the merges: %+v", audits)
	}
	b.samePhone(s)
	b.must(devices.Remove(ctx, third.ID))
	_, err = devices.Now(ctx, first.ID)
	b.refused(err, tenants.Unknown, "the phone of a removed device")
}

// samePhone: a registration with the id that the app kept merges the earlier rows, of the same app,
// person and model only, and not those of a second phone that has a copy of the id.
func (b *bench) samePhone(s *store.Scope) {
	b.Helper()
	add := func(d tenants.Device) tenants.Device {
		b.Helper()
		d.PhoneID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
		d, _, err := s.Devices().Add(b.Context(), d, hashOf(string(d.ID), b.next()))
		b.must(err)
		return d
	}
	register := func(person, bundle string) tenants.Device {
		d := b.newDevice(person)
		d.Bundle = cmp.Or(bundle, d.Bundle)
		return add(d)
	}
	older := b.device(s, "ben") // its app sends no id yet
	app, cleo := register("ben", "com.example.another"), register("cleo", "")
	first := register("ben", "")
	b.losers()
	second := register("ben", "")
	equal(b, len(b.losers()), 1, "announcements that credentials ended")
	now, err := s.Devices().Now(b.Context(), first.ID)
	b.must(err)
	equal(b, now, second.ID, "the same phone")
	copied := b.newDevice("ben")
	copied.Token = first.Token // it lives, so it has a phone of its own
	copied = add(copied)
	model := b.newDevice("ben")
	model.Model = "iPhone15,2"
	model = add(model)
	for _, d := range []tenants.Device{second, copied, older, second, copied} { // as on each launch
		equal(b, add(d).ID, d.ID, "a known device")
	}
	equal(b, len(b.losers()), 0, "announcements where nothing ended")
	for _, d := range []tenants.Device{app, cleo, second, copied, model, older} {
		_, err := s.Devices().Get(b.Context(), d.ID)
		b.must(err)
	}
}
