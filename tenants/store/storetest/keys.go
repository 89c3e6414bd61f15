package storetest

import (
	"fmt"
	"net/netip"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testKeyLimits: what a key may do is kept, changed and passed on to its successor.
func testKeyLimits(b *bench) {
	ctx, s := b.Context(), b.tenant()
	k := b.newKey()
	k.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	k.Only = tenants.DeviceList{Devices: []tenants.DeviceID{tenants.NewID[tenants.DeviceID](b.clock.Now())}, People: []string{"ana", "b-2"}}
	k.ExpiresAt, k.Maker, k.MadeBy = b.clock.Now().Add(time.Hour), "Ana", tenants.NewID[tenants.UserID](b.clock.Now())
	b.must(s.Keys().Add(ctx, k, hashOf("limits")))
	got, err := s.Keys().Get(ctx, k.ID)
	b.must(err)
	k.Tenant = got.Tenant
	equal(b, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", k), "a key with limits")

	k.Name, k.Networks, k.ExpiresAt = "Renamed", nil, b.clock.Now().Add(2*time.Hour)
	b.must(s.Keys().Change(ctx, k))
	_, got, err = b.s.Tenants().OfKey(ctx, hashOf("limits"))
	b.must(err)
	if got.Name != "Renamed" || len(got.Networks) != 0 || !got.ExpiresAt.Equal(k.ExpiresAt) || got.Maker != "Ana" {
		b.Errorf("changed: %+v", got)
	}
	b.refused(b.tenant().Keys().Change(ctx, k), tenants.Unknown, "another tenant's key")

	next := b.newKey()
	next.ExpiresAt = b.clock.Now().Add(24 * time.Hour)
	b.must(s.Keys().Rotate(ctx, k.ID, next, hashOf("next"), 15*time.Minute))
	b.refused(s.Keys().Rotate(ctx, k.ID, b.newKey(), hashOf("third"), 0), tenants.Conflict, "a second successor")
	for _, h := range []string{"limits", "next"} {
		_, _, err = b.s.Tenants().OfKey(ctx, hashOf(h))
		b.must(err)
	}
	b.clock.add(15 * time.Minute)
	_, _, err = b.s.Tenants().OfKey(ctx, hashOf("limits"))
	b.refused(err, tenants.Unauthorized, "after the overlap, from the cache")
	b.clock.add(time.Minute)
	_, got, err = b.s.Tenants().OfKey(ctx, hashOf("limits"))
	b.refused(err, tenants.Unauthorized, "after the overlap")
	if got.ID != k.ID || got.ReplacedBy != next.ID {
		b.Errorf("an expired key is not named: %+v", got)
	}
	b.refused(s.Keys().Change(ctx, k), tenants.Conflict, "a change of a key that has ended")

	soon, err := b.s.Jobs().KeysWithExpiry(ctx, b.clock.Now())
	b.must(err)
	equal(b, len(soon), 1, "keys that have expired")
	b.must(s.Keys().End(ctx, k.ID))
	b.must(s.Keys().End(ctx, next.ID)) // it has not expired
	got, err = s.Keys().Get(ctx, next.ID)
	b.must(err)
	equal(b, got.RevokedAt.IsZero(), true, "the successor works")
	soon, err = b.s.Jobs().KeysWithExpiry(ctx, b.clock.Now())
	b.must(err)
	equal(b, len(soon), 0, "keys whose end was noted")
	list, _, err := s.Keys().List(ctx, store.Page{Sort: "-expires"})
	b.must(err)
	equal(b, list[0].ID, next.ID, "the latest expiry first")

	b.must(s.Keys().Rotate(ctx, next.ID, b.newKey(), hashOf("now"), 0))
	_, _, err = b.s.Tenants().OfKey(ctx, hashOf("next"))
	b.refused(err, tenants.Unauthorized, "rotated without overlap")
}

// testKeyRotationAtTheBound: two keys that work count as two.
func testKeyRotationAtTheBound(b *bench) {
	ctx, s := b.Context(), b.tenant()
	var last tenants.KeyID
	for range tenants.CapKeys.Most {
		k := b.newKey()
		b.must(s.Keys().Add(ctx, k, hashOf(k.ID)))
		last = k.ID
	}
	next := b.newKey()
	b.refused(s.Keys().Rotate(ctx, last, next, hashOf(next.ID), time.Hour), tenants.Unprocessable, "a rotation that keeps the old key")
	b.must(s.Keys().Rotate(ctx, last, next, hashOf(next.ID), 0))
	b.refused(s.Keys().Add(ctx, b.newKey(), hashOf("more")), tenants.Unprocessable, "one key too many")
}

// testKeyRequests: the latest hundred requests of a key are kept.
func testKeyRequests(b *bench) {
	ctx, s := b.Context(), b.tenant()
	k := b.newKey()
	b.must(s.Keys().Add(ctx, k, hashOf("asks")))
	tenant, err := s.Tenant(ctx)
	b.must(err)
	var all []tenants.KeyRequest
	for i := range tenants.KeyRequestsKept + 30 {
		all = append(all, tenants.KeyRequest{Tenant: tenant.ID, Key: k.ID, At: b.clock.add(time.Millisecond),
			RequestID: fmt.Sprintf("r%d", i), Method: "POST", Route: "/v1/rings", Status: 201, IP: "192.0.2.1", Client: "bot/1",
			Took: 3 * time.Millisecond})
	}
	all = append(all, tenants.KeyRequest{Tenant: tenant.ID, Key: tenants.NewID[tenants.KeyID](b.clock.Now()), At: b.clock.Now()})
	b.must(b.s.Jobs().KeepKeyRequests(ctx, all))
	b.must(b.s.Jobs().KeepKeyRequests(ctx, all[:1])) // the same again, older than what is kept
	got, err := s.Keys().Requests(ctx, k.ID)
	b.must(err)
	equal(b, len(got), tenants.KeyRequestsKept, "requests kept")
	last := all[tenants.KeyRequestsKept+29]
	last.Client = ""
	equal(b, fmt.Sprintf("%+v", got[0]), fmt.Sprintf("%+v", last), "the latest request")
	got, err = b.tenant().Keys().Requests(ctx, k.ID)
	b.must(err)
	equal(b, len(got), 0, "requests of another tenant's key")
	one, err := s.Keys().Get(ctx, k.ID)
	b.must(err)
	if one.LastIP != "192.0.2.1" || one.LastClient != "bot/1" {
		b.Errorf("last used from %q with %q", one.LastIP, one.LastClient)
	}
}

// testRetireKeyRequests: the requests of a key go when they were kept as long as the rules say.
func testRetireKeyRequests(b *bench) {
	ctx, s := b.Context(), b.tenant()
	k := b.newKey()
	b.must(s.Keys().Add(ctx, k, hashOf("requests")))
	tenant, err := s.Tenant(ctx)
	b.must(err)
	keep := time.Duration(tenant.Rules().Retention[tenants.DataRequests]) * 24 * time.Hour
	ask := func(id string) {
		b.must(b.s.Jobs().KeepKeyRequests(ctx, []tenants.KeyRequest{{Tenant: tenant.ID, Key: k.ID, At: b.clock.Now(), RequestID: id,
			Method: "GET"}}))
	}
	ask("old")
	b.clock.add(time.Hour)
	ask("young")
	b.clock.add(keep - time.Hour)
	n, err := b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, n, 1, "keys with requests that were kept long enough")
	n, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, n, 0, "the same again")
	left, err := s.Keys().Requests(ctx, k.ID)
	b.must(err)
	if len(left) != 1 || left[0].RequestID != "young" {
		b.Errorf("left: %+v", left)
	}
	list, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 1})
	b.must(err)
	equal(b, list[0].Detail, "1 key's requests", "the audit row")
}
