package storetest

import (
	"bytes"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func testDevices(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "anna")
	got, err := s.Devices().Get(ctx, d.ID)
	b.must(err)
	equal(b, got, d, "device")
	b.device(s, "bob")
	for want, q := range map[string]store.DeviceQuery{
		"anna": {Person: "anna"}, "bob": {Person: "bob"}, "anna,bob": {Bundle: d.Bundle}, "": {State: tenants.DeviceDisabled},
		"anna,bob,": {Host: d.Host()},
		"anna,":     {Search: "NNA"}, "anna,,": {Search: string(d.ID[:20])}, "anna,,,": {Search: d.Token[:68]},
	} {
		list, _, err := s.Devices().List(ctx, q)
		b.must(err)
		people := []string{}
		for _, x := range list {
			people = append([]string{x.Person}, people...)
		}
		equal(b, strings.Join(people, ","), strings.TrimRight(want, ","), "devices found")
	}

	b.device(s, "bob")
	people, next, err := s.Devices().People(ctx, store.PersonQuery{Limit: 1})
	b.must(err)
	if len(people) != 1 || people[0].Name != "anna" || people[0].Active != 1 || next != "anna" {
		b.Errorf("people: %+v, next %q", people, next)
	}
	people, next, err = s.Devices().People(ctx, store.PersonQuery{Search: "O", After: next, Limit: 1})
	b.must(err)
	if len(people) != 1 || people[0].Name != "bob" || people[0].Devices != 2 || people[0].SeenAt.IsZero() || next != "" {
		b.Errorf("people after anna: %+v, next %q", people, next)
	}
	bobs, _, err := s.Devices().List(ctx, store.DeviceQuery{Person: "bob", Limit: 1})
	b.must(err)
	b.must(s.Devices().Remove(ctx, bobs[0].ID))

	d.Name, d.Person, d.Token = "Renamed", "carl", strings.ToUpper(d.Token)
	b.must(s.Devices().Set(ctx, d))
	got, err = s.Devices().Get(ctx, d.ID)
	b.must(err)
	if got.Name != "Renamed" || got.Person != "carl" || got.Token != strings.ToLower(d.Token) || got.RegisteredAt != d.RegisteredAt {
		b.Errorf("changed device: %+v", got)
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "device.set"})
	b.must(err)
	if len(audits) != 1 || audits[0].Detail != "person, name" || audits[0].Target != string(d.ID) {
		b.Errorf("audit of the change: %+v", audits)
	}
	n, err := s.Devices().Count(ctx)
	b.must(err)
	equal(b, n, 2, "devices")

	// A known token comes back as the same device, revived, and keeps what the registration does
	// not say.
	done, err := s.Devices().Disable(ctx, d.ID, "Unregistered", b.clock.add(time.Second))
	b.must(err)
	equal(b, done, true, "disabled")
	n, err = s.Devices().Count(ctx)
	b.must(err)
	equal(b, n, 1, "devices that are rung")
	fresh := b.newDevice("")
	fresh.Token, fresh.Name, fresh.AppVersion = d.Token, "", "4.0"
	back, known, err := s.Devices().Add(ctx, fresh, hashOf("again"))
	b.must(err)
	if !known || back.ID != d.ID || back.State != tenants.DeviceActive || back.DisabledReason != "" || back.Name != "Renamed" ||
		back.AppVersion != "4.0" || back.Person != "carl" || back.RegisteredAt != b.clock.Now() {
		b.Errorf("registered again: %v %+v", known, back)
	}
	done, err = s.Devices().Disable(ctx, d.ID, "Unregistered", back.RegisteredAt.Add(-time.Second))
	b.must(err)
	equal(b, done, false, "disabled by an answer older than the registration")

	b.must(s.Devices().LearnEnvironment(ctx, d.ID, tenants.Sandbox))
	got, err = s.Devices().Get(ctx, d.ID)
	b.must(err)
	equal(b, got.Learnt, tenants.Sandbox, "learnt")
	b.must(s.Devices().Remove(ctx, d.ID))
	b.refused(s.Devices().Remove(ctx, d.ID), tenants.Unknown, "removing twice")
	b.refused(s.Devices().Set(ctx, d), tenants.Unknown, "changing a removed device")
	_, _, err = b.s.Tenants().OfDevice(ctx, hashOf("again"))
	b.refused(err, tenants.Unauthorized, "a removed device's credential")
}

func testTokens(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	old, d := b.device(s, "anna"), b.device(s, "anna")
	b.clock.add(time.Minute)
	b.must(s.Devices().SetToken(ctx, tenants.Device{ID: d.ID, Token: strings.ToUpper(old.Token), AppVersion: "9.9"}))
	got, err := s.Devices().Get(ctx, d.ID)
	b.must(err)
	if got.Token != old.Token || got.AppVersion != "9.9" || got.OSVersion != d.OSVersion || got.RegisteredAt != b.clock.Now() ||
		got.SeenAt != b.clock.Now() {
		b.Errorf("after the new token: %+v", got)
	}
	past, err := s.Devices().Get(ctx, old.ID)
	b.must(err)
	equal(b, past.State, tenants.DeviceDisabled, "the phone's past")
	before, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	b.must(s.Devices().SetToken(ctx, tenants.Device{ID: d.ID, Token: old.Token, Environment: tenants.Production, AppVersion: "9.9"}))
	after, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	equal(b, len(after), len(before), "audit rows after telling the same")
	b.must(s.Devices().SetToken(ctx, tenants.Device{ID: d.ID, Token: old.Token, Environment: tenants.Sandbox, OSVersion: "27.0"}))
	got, err = s.Devices().Get(ctx, d.ID)
	b.must(err)
	equal(b, got.Environment, tenants.Sandbox, "environment")
	b.refused(s.Devices().SetToken(ctx, tenants.Device{ID: "nobody", Token: old.Token}), tenants.Unknown, "an unknown device's token")

	third := b.device(s, "carl")
	third.Token, third.Environment = got.Token, got.Environment
	b.refused(s.Devices().Set(ctx, third), tenants.Conflict, "another device's token")
	// The same token in another tenant is another device.
	twin := b.newDevice("anna")
	twin.Token = got.Token
	_, known, err := b.tenant().Devices().Add(ctx, twin, hashOf("twin"))
	b.must(err)
	equal(b, known, false, "another tenant's token is known")
}

func testDeviceCredentials(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "anna")
	first := hashOf("device", d.ID)
	_, got, err := b.s.Tenants().OfDevice(ctx, first)
	b.must(err)
	equal(b, got.ID, d.ID, "device of the credential")
	_, _, err = b.s.Tenants().OfDevice(ctx, hashOf("no"))
	b.refused(err, tenants.Unauthorized, "an unknown credential")

	b.clock.add(time.Second)
	second, third := hashOf("second"), hashOf("third")
	for _, h := range []tenants.Hash{second, third} {
		_, known, err := s.Devices().Add(ctx, d, h)
		b.must(err)
		equal(b, known, true, "known")
		b.clock.add(time.Second)
	}
	_, _, err = b.s.Tenants().OfDevice(ctx, first)
	b.must(err) // the old one lasts until the new one is first used
	_, _, err = b.s.Tenants().OfDevice(ctx, second)
	b.must(err)
	_, _, err = b.s.Tenants().OfDevice(ctx, first)
	b.refused(err, tenants.Unauthorized, "a credential that was replaced")
	_, _, err = b.s.Tenants().OfDevice(ctx, third)
	b.must(err) // made after the one that was used
	_, _, err = b.s.Tenants().OfDevice(ctx, second)
	b.refused(err, tenants.Unauthorized, "the second after the third")

	at := b.clock.add(2 * time.Minute)
	_, _, err = b.s.Tenants().OfDevice(ctx, third)
	b.must(err)
	b.must(b.s.Ready(ctx))
	got, err = s.Devices().Get(ctx, d.ID)
	b.must(err)
	equal(b, got.SeenAt, at, "seen")
	_, _, err = s.Devices().Add(ctx, b.newDevice(""), third)
	b.refused(err, tenants.Conflict, "a credential twice")
}

func testPairings(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	now := b.clock.Now()
	p := tenants.Pairing{
		ID: tenants.NewID[tenants.PairingID](now), Person: "anna", By: tenants.Actor{Kind: tenants.ActorUser,
			ID:   "0190aaaa-0000-7000-8000-00000000000d",
			Name: "U"}, CreatedAt: now,
		ExpiresAt: now.Add(tenants.PairingTTL),
	}
	h := hashOf("code")
	b.must(s.Pairings().Add(ctx, p, h))
	_, got, err := b.s.Tenants().OfPairing(ctx, h, now)
	b.must(err)
	p.Tenant = got.Tenant
	equal(b, got, p, "pairing")
	_, _, err = b.s.Tenants().OfPairing(ctx, h, p.ExpiresAt)
	b.refused(err, tenants.Unauthorized, "an expired code")
	_, err = s.Pairings().Use(ctx, p.ID, b.newDevice(""), hashOf("d1"), p.ExpiresAt)
	b.refused(err, tenants.Unauthorized, "taking an expired code")

	d, err := s.Pairings().Use(ctx, p.ID, b.newDevice("liar"), hashOf("d2"), now)
	b.must(err)
	equal(b, d.Person, "anna", "the pairing's person")
	got, err = s.Pairings().Get(ctx, p.ID)
	b.must(err)
	equal(b, got.Device, d.ID, "device of the pairing")
	equal(b, got.UsedAt, now, "used")
	_, err = s.Pairings().Use(ctx, p.ID, b.newDevice(""), hashOf("d3"), now)
	b.refused(err, tenants.Unauthorized, "a code twice")
	_, _, err = b.s.Tenants().OfPairing(ctx, h, now)
	b.refused(err, tenants.Unauthorized, "a used code")
	_, who, err := b.s.Tenants().OfDevice(ctx, hashOf("d2"))
	b.must(err)
	equal(b, who.ID, d.ID, "device of the new credential")
}

func testCredentials(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	c := b.credential(s)
	tenant, err := s.Tenant(ctx)
	b.must(err)
	got, secret, err := s.Credentials().Open(ctx, c.ID)
	b.must(err)
	if !bytes.Equal(secret, []byte("secret of "+c.ID)) || got.Tenant != tenant.ID || len(got.Topics) != 2 || got.CreatedAt != c.CreatedAt {
		b.Errorf("credential: %+v %q", got, secret)
	}
	again := c
	again.ID = tenants.NewID[tenants.CredentialID](b.clock.Now())
	b.refused(s.Credentials().Add(ctx, again, []byte("x")), tenants.Conflict, "the same key twice")

	at := b.clock.Now()
	b.must(s.Credentials().NoteRefusal(ctx, c.ID, "InvalidProviderToken", false, at))
	b.must(s.Credentials().NoteRefusal(ctx, c.ID, "InvalidProviderToken", false, at))
	got, err = s.Credentials().Get(ctx, c.ID)
	b.must(err)
	if got.State != tenants.CredentialActive || got.LastError != "InvalidProviderToken" || got.LastErrorAt != at {
		b.Errorf("trouble: %+v", got)
	}
	b.must(s.Credentials().NoteRefusal(ctx, c.ID, "InvalidProviderToken", true, at))
	got, err = s.Credentials().Get(ctx, c.ID)
	b.must(err)
	equal(b, got.State, tenants.CredentialDisabled, "disabled")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "credential."})
	b.must(err)
	equal(b, len(audits), 3, "audit rows: added, trouble once, disabled")
	b.must(s.Credentials().Add(ctx, again, []byte("x"))) // a dead one is no obstacle

	b.must(s.Credentials().NoteUse(ctx, c.ID, at))
	b.must(s.Credentials().NoteUse(ctx, c.ID, at.Add(30*time.Second)))
	got, err = s.Credentials().Get(ctx, c.ID)
	b.must(err)
	equal(b, got.LastUsedAt, at, "last used, to the minute")
	list, _, err := s.Credentials().List(ctx, store.Page{Search: "key123"})
	b.must(err)
	equal(b, len(list), 2, "credentials")
	all, err := b.s.Tenants().Credentials(ctx)
	b.must(err)
	equal(b, len(all), 2, "every tenant's")
	for _, on := range []bool{false, true} {
		b.must(s.Credentials().SetHedging(ctx, c.ID, on))
		got, err = s.Credentials().Get(ctx, c.ID)
		b.must(err)
		equal(b, got.NoHedge, !on, "no hedge")
	}
	equal(b, got.Profile, tenants.ProfileCarillon, "profile of a new credential")
	b.must(s.Credentials().SetProfile(ctx, c.ID, tenants.ProfileFlutter))
	got, err = s.Credentials().Get(ctx, c.ID)
	b.must(err)
	equal(b, got.Profile, tenants.ProfileFlutter, "profile")
	b.refused(s.Credentials().SetProfile(ctx, c.ID, "twilio"), tenants.Invalid, "an unknown profile")
	b.must(s.Credentials().Remove(ctx, c.ID))
	b.refused(s.Credentials().Remove(ctx, c.ID), tenants.Unknown, "removing twice")
}

func testTargets(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	_, err := s.Rings().Targets(ctx, tenants.To{Device: "nobody"})
	b.refused(err, tenants.Unknown, "an unknown device")
	none, err := s.Rings().Targets(ctx, tenants.To{Person: "anna"})
	b.must(err)
	equal(b, len(none), 0, "a person without devices")

	d, second := b.device(s, "anna"), b.device(s, "anna")
	nobodys := b.device(s, "")
	one := func(to tenants.To) store.Target {
		b.Helper()
		list, err := s.Rings().Targets(ctx, to)
		b.must(err)
		equal(b, len(list), 1, "targets")
		return list[0]
	}
	if got := one(tenants.To{Device: nobodys.ID}); got.Credential != nil {
		b.Error("a credential out of nothing")
	}
	add := func(env tenants.Environment, notAfter time.Time, bundle string) tenants.Credential {
		b.Helper()
		c := b.newCredential()
		c.Environment, c.NotAfter, c.Bundle = env, notAfter, bundle
		b.must(s.Credentials().Add(ctx, c, []byte("x")))
		return c
	}
	want := func(c tenants.Credential, what string) {
		b.Helper()
		if got := one(tenants.To{Device: d.ID}); got.Credential == nil || got.Credential.ID != c.ID {
			b.Errorf("%s: got %+v", what, got.Credential)
		}
	}
	expired := add(tenants.Auto, b.clock.Now().Add(-time.Hour), d.Bundle)
	want(expired, "an expired one, so that policy can say why")
	add(tenants.Sandbox, time.Time{}, d.Bundle)
	want(expired, "not one of the other environment")
	works := add(tenants.Production, time.Time{}, d.Bundle)
	want(works, "one that works")
	add(tenants.Production, b.clock.Now(), d.Bundle)
	add(tenants.Auto, time.Time{}, "com.example.other")
	want(works, "newer ones that are expired or another app's")
	newest := add(tenants.Auto, time.Time{}, d.Bundle)
	want(newest, "the newest that works")
	b.must(s.Credentials().NoteRefusal(ctx, newest.ID, "InvalidProviderToken", true, b.clock.Now()))
	want(works, "a disabled one is passed over")

	list, err := s.Rings().Targets(ctx, tenants.To{Person: "anna"})
	b.must(err)
	equal(b, len(list), 2, "a person's devices")
	_, err = s.Devices().Disable(ctx, second.ID, "Unregistered", b.clock.add(time.Second))
	b.must(err)
	equal(b, one(tenants.To{Person: "anna"}).Device.ID, d.ID, "a person's live device")
	_, err = s.Devices().Disable(ctx, d.ID, "Unregistered", b.clock.Now())
	b.must(err)
	list, err = s.Rings().Targets(ctx, tenants.To{Person: "anna"})
	b.must(err)
	equal(b, len(list), 2, "a person's dead devices, so that policy can say why")
}

// testNames: people are found by parts of their names in any order, whatever the case and accents.
func testNames(b *bench) {
	ctx, s := b.Context(), b.tenant()
	for _, name := range []string{"Zoë Núñez", "Ana Ruiz", "Ngô Thị Hạnh", "Ärger 50%", "Дмитрий", "İbrahim Işık", "กุหลาบ",
		"कुमार", "دَاوُد", "דָּוִד", "Garci\u0301a"} {
		b.device(s, name)
	}
	for typed, want := range map[string]string{
		"zoe": "Zoë Núñez", "ZOË": "Zoë Núñez", "nunez zo": "Zoë Núñez", "úñE": "Zoë Núñez", "uiz": "Ana Ruiz", "ruíz ana": "Ana Ruiz",
		"hanh ngo": "Ngô Thị Hạnh", "arger": "Ärger 50%", "50%": "Ärger 50%", "5_%": "", "Д": "Дмитрий", "дМИТ": "Дмитрий", "ana nunez": "",
		"[az]oe": "", "*": "", "İbrahim": "İbrahim Işık", "ibra IŞIK": "İbrahim Işık", "isik": "İbrahim Işık", "ışık": "İbrahim Işık",
		"กุหลาบ": "กุหลาบ", "กหลาบ": "", "कुमार": "कुमार", "कमार": "", "دَاوُد": "دَاوُد", "דָּוִד": "דָּוִד",
		"garci\u0301a": "Garci\u0301a", "GARCI\u0301A": "Garci\u0301a", "\u0301 uiz": "Ana Ruiz",
	} {
		people, _, err := s.Devices().People(ctx, store.PersonQuery{Search: typed, Limit: 9})
		b.must(err)
		devices, _, err := s.Devices().List(ctx, store.DeviceQuery{Search: typed})
		b.must(err)
		var names []string
		for _, p := range people {
			names = append(names, p.Name)
		}
		for _, d := range devices {
			if !strings.Contains(want, d.Person) {
				b.Errorf("%q finds the device of %q", typed, d.Person)
			}
		}
		if strings.Join(names, "|") != want || len(devices) != len(people) {
			b.Errorf("%q finds %q and %d devices, wanted %q", typed, names, len(devices), want)
		}
	}
}
