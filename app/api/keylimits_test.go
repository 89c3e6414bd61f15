package api

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// limited makes a key with limits.
func (t *tenant) limited(change func(*tenants.Key)) (tenants.Secret, tenants.KeyID) {
	t.h.Helper()
	secret, now := tenants.NewSecret(tenants.LivePrefix), time.Now()
	k := tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Tenant: t.id, Name: "limited", Permissions: tenants.Scopes(), CreatedAt: now}
	change(&k)
	must(t.h, t.scope().Keys().Add(t.h.Context(), k, secret.Hash()))
	return secret, k.ID
}

// refused holds an answer against a code and a word of its sentence.
func refused(t *testing.T, a answer, status int, code, word string) {
	t.Helper()
	if got, _ := a.want(status).code(); got != code || !strings.Contains(a.body, word) {
		t.Errorf("%s, want %s with %q: %s", got, code, word, a.body)
	}
}

// TestKeyLimits: a key is refused from other addresses and for other devices, and its requests are
// recorded, the refused ones too.
func TestKeyLimits(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	other, _ := a.newDevice("somebody")
	mine, _ := a.newDevice("person-Lakeside")
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

	far, _ := a.limited(func(k *tenants.Key) { k.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	refused(t, h.do(ask{method: "GET", path: "/v1/devices", key: far}), 403, "address_not_allowed", "127.0.0.1")

	audits, _, err := a.scope().Audits().List(t.Context(), store.AuditQuery{Refused: true})
	must(t, err)
	if len(audits) != 1 || audits[0].Target != "GET /v1/devices" || audits[0].Detail != "address not allowed" {
		t.Errorf("the refusal is recorded as %+v", audits)
	}

	near, id := a.limited(func(k *tenants.Key) {
		k.Networks, k.Only = local, tenants.DeviceList{Devices: []tenants.DeviceID{a.device}, People: []string{"nobody"}}
	})
	place := func(to string) answer {
		return h.do(ask{method: "POST", path: "/v1/rings", key: near, body: fmt.Sprintf(`{"to":{%s}}`, to)})
	}
	refused(t, place(fmt.Sprintf(`"device":%q`, other)), 403, "device_not_allowed", string(other))
	refused(t, place(`"person":"somebody"`), 403, "device_not_allowed", string(other))
	var r ringView
	place(`"person":"person-Lakeside"`).want(201).into(&r)
	if len(r.Attempts) != 1 || r.Attempts[0].Device != string(a.device) {
		t.Errorf("of the person's devices %s and %s rang %+v", a.device, mine, r.Attempts)
	}
	h.do(ask{method: "GET", path: "/v1/rings/" + r.ID, key: near}).want(200)

	whole, _ := a.limited(func(k *tenants.Key) { k.Only = tenants.DeviceList{People: []string{"person-Lakeside"}} })
	h.do(ask{method: "POST", path: "/v1/rings", key: whole, body: `{"to":{"person":"person-Lakeside"}}`}).want(201).into(&r)
	if len(r.Attempts) != 2 {
		t.Errorf("a person on the list has %d of 2 devices rung", len(r.Attempts))
	}

	old, _ := a.limited(func(k *tenants.Key) { k.ExpiresAt = time.Now().Add(-time.Second) })
	refused(t, h.do(ask{method: "GET", path: "/v1/devices", key: old}), 401, "key_expired", "expired on")

	must(t, h.api.SaveRequests(t.Context()))
	got, err := a.scope().Keys().Requests(t.Context(), id)
	must(t, err)
	want := []string{"GET /v1/rings/:id 200", "POST /v1/rings 201", "POST /v1/rings 403", "POST /v1/rings 403"}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, r := range got {
		if s := fmt.Sprintf("%s %s %d", r.Method, r.Route, r.Status); s != want[i] ||
			r.IP != "127.0.0.1" || r.RequestID == "" || r.Took < 0 {
			t.Errorf("%s, want %s: %+v", s, want[i], r)
		}
	}
	k, err := a.scope().Keys().Get(t.Context(), id)
	must(t, err)
	if k.LastIP != "127.0.0.1" {
		t.Errorf("last used from %q", k.LastIP)
	}
}

// TestRequestLogIsBounded: the latest requests of a key replace the oldest, and keys beyond the
// bound are left out.
func TestRequestLogIsBounded(t *testing.T) {
	t.Parallel()
	var l requestLog
	for i := range 3*tenants.KeyRequestsKept + 7 {
		l.add(tenants.KeyRequest{Key: "one", Status: i})
	}
	for i := range 2 * keysNoted {
		l.add(tenants.KeyRequest{Key: tenants.KeyID(fmt.Sprint("z", i))})
	}
	got := l.take()
	if len(got) != tenants.KeyRequestsKept+keysNoted-1 {
		t.Errorf("%d requests", len(got))
	}
	for i, r := range got[:tenants.KeyRequestsKept] {
		if r.Status != 2*tenants.KeyRequestsKept+7+i {
			t.Fatalf("request %d of one is %d", i, r.Status)
		}
	}
	if len(l.take()) != 0 {
		t.Error("taken twice")
	}
}

func BenchmarkRequestLog(b *testing.B) {
	var l requestLog
	r := tenants.KeyRequest{Key: "0190aaaa-0000-7000-8000-00000000000a", Method: "POST", Route: "/v1/rings", Status: 201}
	b.ReportAllocs()
	for b.Loop() {
		l.add(r)
	}
}
