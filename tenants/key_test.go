package tenants

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestParseNetworks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                 "[]",
		"203.0.113.7":                      "[203.0.113.7/32]",
		"203.0.113.7, 203.0.113.7/32":      "[203.0.113.7/32]",
		"10.1.2.3/8\r\n2001:DB8::1/32":     "[10.0.0.0/8 2001:db8::/32]",
		"::ffff:192.0.2.1":                 "[192.0.2.1/32]",
		"::ffff:192.0.2.0/120;192.0.2.9\t": "[192.0.2.0/24 192.0.2.9/32]",
		"0.0.0.0/0":                        "[0.0.0.0/0]",
	} {
		if got, wrong := ParseNetworks(in); fmt.Sprint(got) != want || wrong != "" {
			t.Errorf("%q: %v, %q is wrong; want %s", in, got, wrong, want)
		}
	}
	for in, want := range map[string]string{
		"203.0.113.7 example.com": "example.com", "10.0.0.0/33": "10.0.0.0/33", "fe80::1%eth0": "fe80::1%eth0", "1.2.3": "1.2.3",
		"::ffff:0.0.0.0/90": "::ffff:0.0.0.0/90",
	} {
		if got, wrong := ParseNetworks(in); wrong != want || got != nil {
			t.Errorf("%q: %v, %q is wrong; want %q", in, got, wrong, want)
		}
	}
}

func TestKeyTakenFrom(t *testing.T) {
	t.Parallel()
	k := Key{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for ip, ok := range map[string]bool{"192.0.2.200": true, "::ffff:192.0.2.1": true, "2001:db8:1::9": true, "192.0.3.1": false,
		"2001:db9::": false, "": false, "unknown": false} {
		if err := k.TakenFrom(ip); (err == nil) != ok || err != nil && KindOf(err) != Forbidden {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if err := (Key{}).TakenFrom("anything"); err != nil {
		t.Error("a key without a list:", err)
	}
}

func TestKeyExpirySteps(t *testing.T) {
	t.Parallel()
	made, day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC), 24*time.Hour
	k := Key{CreatedAt: made, ExpiresAt: made.Add(90 * day)}
	for _, c := range []struct {
		left time.Duration
		days int
		due  bool
	}{{80 * day, 0, false}, {14*day + 1, 0, false}, {14 * day, 14, true}, {3*day + 1, 14, true}, {3 * day, 3, true}, {1, 3, true},
		{0, 0, false}, {-day, 0, false}} {
		if days, due := KeyExpiryStep(k, k.ExpiresAt.Add(-c.left)); days != c.days || due != c.due {
			t.Errorf("%v before the end: %d %v", c.left, days, due)
		}
	}
	short := Key{CreatedAt: made, ExpiresAt: made.Add(10 * day)}
	if _, due := KeyExpiryStep(short, made); due {
		t.Error("a key of ten days is warned of as soon as it is made")
	}
	k.ReplacedBy = "x"
	if _, due := KeyExpiryStep(k, k.ExpiresAt.Add(-day)); due {
		t.Error("a replaced key is warned of")
	}
	if !k.Ended(k.ExpiresAt) || k.Ended(k.ExpiresAt.Add(-1)) || (Key{}).Ended(made) {
		t.Error("the end of a key is not its expiry")
	}
}

func TestDeviceList(t *testing.T) {
	t.Parallel()
	d := Device{ID: "d1", Person: "ana", State: DeviceActive}
	for _, c := range []struct {
		list DeviceList
		ok   bool
	}{{DeviceList{}, true}, {DeviceList{Devices: []DeviceID{"d1"}}, true}, {DeviceList{People: []string{"ana"}}, true},
		{DeviceList{Devices: []DeviceID{"d2"}, People: []string{"ben"}}, false}, {DeviceList{People: []string{""}}, false}} {
		if c.list.Allows(Device{ID: "d1", Person: d.Person}) != c.ok {
			t.Errorf("%+v", c.list)
		}
	}
	if (DeviceList{People: []string{""}}).Allows(Device{ID: "d9"}) {
		t.Error("a device without a person is a device of the empty person")
	}
	err := Decide(Question{Tenant: Tenant{State: TenantActive}, Device: d, Only: DeviceList{People: []string{"ben"}}})
	if e, ok := err.(*Error); !ok || e.Code != "device_not_allowed" {
		t.Error(err)
	}
}

// TestWriteScopesReadAgentsAndCredentials keeps keys working that are older than the read scopes.
func TestWriteScopesReadAgentsAndCredentials(t *testing.T) {
	t.Parallel()
	for write, read := range map[Permission]Permission{AgentsWrite: AgentsRead, CredentialsWrite: CredentialsRead} {
		if k := (Key{Permissions: []Permission{write}}); !k.May(read) || !k.May(write) {
			t.Errorf("a key with %s may not read", write)
		}
		if k := (Key{Permissions: []Permission{read}}); !k.May(read) || k.May(write) {
			t.Errorf("a key with %s may read %v, write %v", read, k.May(read), k.May(write))
		}
	}
	if k := (Key{Permissions: []Permission{DevicesWrite}}); k.May(DevicesRead) {
		t.Error("a key with devices:write may read devices")
	}
}
