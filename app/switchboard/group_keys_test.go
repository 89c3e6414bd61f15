package switchboard_test

import (
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// TestLaterStepsKeepTheKeysDevices: a key that may ring one phone of a person rings that one in a
// later step too.
func TestLaterStepsKeepTheKeysDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.clock.Stop()
	ana, cem := w.device("ana"), w.device("cem")
	w.device("cem")
	now := w.clock.Now()
	key := tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Name: "bot", Permissions: tenants.Scopes(), CreatedAt: now,
		Only: tenants.DeviceList{Devices: []tenants.DeviceID{cem.ID}, People: []string{"ana"}}}
	must(t, w.scope.Keys().Add(t.Context(), key, tenants.Secret("x").Hash()))
	c := w.caller
	c.Emergency = true // at any hour
	c.Only, c.Actor = key.Only, tenants.Actor{Kind: tenants.ActorKey, ID: string(key.ID), Name: key.Name}
	r, _, err := w.board.Place(t.Context(), c, w.group(tenants.Sequential, "ana", "cem"), store.Idempotency{})
	must(t, err)
	w.rung(r.ID, 1)
	w.report(ana, r, tenants.FactDeclined)
	if r = w.rung(r.ID, 2); len(r.Attempts) != 2 || r.Attempts[1].Device != cem.ID {
		t.Errorf("%+v", r.Attempts)
	}
}
