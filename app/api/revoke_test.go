package api

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestStreamsEndWhenReadingIsRevoked checks that a reader that loses access gets no further event,
// and that its stream ends at once while the ring continues.
func TestStreamsEndWhenReadingIsRevoked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		phone bool
		take  func(*testing.T, *fixture, *tenant, tenants.Secret)
	}{
		"a revoked key":            {false, func(_ *testing.T, h *fixture, a *tenant, reader tenants.Secret) { revoke(h, a, reader) }},
		"a suspended tenant's key": {false, suspend},
		"a removed device": {true, func(_ *testing.T, h *fixture, a *tenant, _ tenants.Secret) {
			h.do(ask{method: "DELETE", path: "/v1/devices/" + string(a.device), key: a.key}).want(204)
		}},
		"a suspended tenant's phone": {true, suspend},
		"a replaced credential": {true, func(t *testing.T, h *fixture, a *tenant, _ tenants.Secret) {
			d, err := a.scope().Devices().Get(t.Context(), a.device)
			must(t, err)
			second := tenants.NewSecret(tenants.DevicePrefix)
			_, _, err = a.scope().Devices().Add(t.Context(), d, second.Hash())
			must(t, err)
			_, _, err = h.store.Tenants().OfDevice(t.Context(), second.Hash())
			must(t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			a := h.tenant("lakeside", "Lakeside")
			_, other := a.newDevice("person-Lakeside") // keeps the ring alive
			r := a.ring(`{"to":{"person":"person-Lakeside"}}`)
			reader, path := a.newKey(false, tenants.RingsRead), "/v1/rings/"+r.ID+"/events"
			if c.phone {
				reader, path = a.phone, "/v1/phone/rings/"+r.ID+"/events"
			}
			stays := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key})
			stream := h.stream(ask{method: "GET", path: path, key: reader})
			reads := []<-chan map[string]string{stays}
			if !c.phone { // a phone gets only the final event
				reads = append(reads, stream)
			}
			for _, from := range reads { // until nothing is on its way any more
				for accepted := 0; accepted < 2; {
					if next(t, from)["event"] == "accepted" {
						accepted++
					}
				}
			}
			c.take(t, h, a, reader)
			began := time.Now()
			h.do(ask{method: "POST", path: "/v1/phone/rings/" + r.ID + "/facts", key: other, body: fact("shown", time.Now())})
			for e := range stream {
				t.Errorf("event after the end: %v", e)
			}
			// the next heartbeat would end it too
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("the stream ended only after %v", took)
			}
		})
	}
}

func suspend(t *testing.T, _ *fixture, a *tenant, _ tenants.Secret) {
	tn, err := a.scope().Tenant(t.Context())
	must(t, err)
	tn.State = tenants.TenantSuspended
	must(t, a.scope().SetTenant(t.Context(), tn))
}

// TestRemovalEndsTheRing checks that removing a device ends its ring at once.
func TestRemovalEndsTheRing(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	r := a.ring("")
	story := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key})
	h.do(ask{method: "DELETE", path: "/v1/devices/" + string(a.device), key: a.key}).want(204)
	for e := range story {
		if e["event"] == "removed" && stateIn(t, e["data"]) != "failed" {
			t.Errorf("told %v", e)
		}
	}
	h.do(ask{method: "GET", path: "/v1/rings/" + r.ID, key: a.key}).want(200).into(&r)
	if r.State != "failed" || r.Reason == nil || *r.Reason != "device_removed" || r.Detail == nil ||
		!strings.Contains(*r.Detail, "removed") {
		t.Errorf("%s %v %v", r.State, r.Reason, r.Detail)
	}
}
