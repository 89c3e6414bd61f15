package app

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestAServerTakesOverWhatTheOneBeforeLeft: a ring that was accepted and not pushed when the server
// ended is pushed as the next one starts. Its lease here lasts as long as it does, so nothing else
// would push it.
func TestAServerTakesOverWhatTheOneBeforeLeft(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	data := t.TempDir()
	db := []string{"--data", data}
	s, m := produce(t, db, apple)
	s.furnish(apple, m)
	first := s.place(`{"to":{"person":"front-desk"},"ttl_s":60}`)
	s.until(first.ID, func(r toldRing) bool { return r.State == "pushed" })
	s.stop()

	st, err := store.Open(t.Context(), store.Config{Dir: data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	scope := st.For(m.TenantID)
	r, err := scope.Rings().Get(t.Context(), tenants.RingID(first.ID))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a := r.Attempts[0]
	a.ID, a.State, a.Facts = tenants.NewID[tenants.AttemptID](now), tenants.Placed, nil
	a.Push = tenants.Push{APNsID: tenants.NewRandomID(), Topic: a.Push.Topic, Token: a.Push.Token, Environment: a.Push.Environment}
	left := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), Tenant: r.Tenant, State: tenants.Placed, To: r.To, CreatedAt: now,
		ExpiresAt: now.Add(time.Minute), Attempts: []tenants.Attempt{a}}
	_, err = scope.Rings().Add(t.Context(), left, store.Idempotency{}, left.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	s = serves(t, db, apple)
	s.ready.APIKey = m.APIKey
	s.until(string(left.ID), func(r toldRing) bool { return r.State == "pushed" })
	if !slices.ContainsFunc(apple.Delivered(), func(d apnstest.Delivered) bool { return d.APNsID == a.Push.APNsID }) {
		t.Errorf("Apple got %+v", apple.Delivered())
	}
}
