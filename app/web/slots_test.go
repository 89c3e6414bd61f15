package web

import (
	"strings"
	"testing"

	"carillon/tenants"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	s := NewSlots(SlotBounds{Code: "too_many", What: "things open", Cure: "Close one.",
		Each: map[string]int{"API key": 2}, Tenant: 3, Network: 4, All: 5,
	})
	take := func(h Holder) func() {
		t.Helper()
		leave, err := s.Take(h)
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		return leave
	}
	refused := func(kind tenants.Kind, want string, h Holder) {
		t.Helper()
		_, err := s.Take(h)
		if tenants.KindOf(err) != kind || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", h, err, want)
		}
	}
	first := take(Holder{"API key", "1", "a", "n"})
	take(Holder{"API key", "1", "a", "n"})
	refused(tenants.TooMany, "This API key has 2 things open", Holder{"API key", "1", "a", "n"})
	take(Holder{"API key", "2", "a", "n"})
	refused(tenants.TooMany, "Your organisation has 3", Holder{"API key", "3", "a", "m"})
	take(Holder{"", "", "", "n"})
	refused(tenants.TooMany, "Your network address has 4", Holder{"API key", "4", "b", "n"})
	take(Holder{"API key", "4", "b", "m"})
	refused(tenants.Unavailable, "This server has 5", Holder{"API key", "5", "c", "o"})
	first()
	first() // counts once
	take(Holder{"API key", "5", "c", "o"})
	refused(tenants.Unavailable, "This server has 5", Holder{"API key", "5", "c", "o"})
	if s.Len() != 5 {
		t.Errorf("%d slots are taken, want 5", s.Len())
	}
}

// TestSlotsForWhoHasNone: tenants that have many leave some to those that have none.
func TestSlotsForWhoHasNone(t *testing.T) {
	t.Parallel()
	s := NewSlots(SlotBounds{Code: "too_many", What: "things open", Cure: "Close one.", Tenant: 4, All: 8, First: 3})
	for n, tenant := range []string{"a", "a", "a", "a", "b", "c", "d", "e"} { // the last three are first ones
		if _, err := s.Take(Holder{Tenant: tenant}); err != nil {
			t.Fatalf("%d, of %s: %v", n, tenant, err)
		}
		if n < 4 {
			continue
		}
		kind := tenants.TooMany
		if n == 7 {
			kind = tenants.Unavailable
		}
		if _, err := s.Take(Holder{Tenant: "b"}); tenants.KindOf(err) != kind {
			t.Errorf("after %d tenant b gets one more: %v", n+1, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ ip, network, wider string }{
		{"192.0.2.7", "192.0.2.7", "192.0.2.0/24"},
		{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"},
		{"2001:db8:1:2ff:3::4", "2001:db8:1:2ff::/64", "2001:db8:1:200::/56 2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/56 fe80::/48"},
		{"unknown", "unknown", ""},
	} {
		if got := Network(row.ip); got != row.network {
			t.Errorf("network of %s is %s, want %s", row.ip, got, row.network)
		}
		if got := strings.Join(WiderNetworks(row.ip), " "); got != row.wider {
			t.Errorf("networks around %s are %s, want %s", row.ip, got, row.wider)
		}
	}
}
