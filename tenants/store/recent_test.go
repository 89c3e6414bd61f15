package store_test

import (
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestALearntEnvironmentCountsFromTheStart: the roller counts the facts of one turn alike, whether
// it has them from memory or reads them. What Apple's answer says of a phone's environment is true
// of the facts before it too.
func TestALearntEnvironmentCountsFromTheStart(t *testing.T) {
	t.Parallel()
	for _, stops := range []bool{false, true} {
		c := config(t)
		storetest.FillFolder(t, c.Dir)
		s := storetest.OpenConfig(t, c)
		for _, id := range []string{"0190bbbb-0000-7000-8000-000000000001", "0190bbbb-0000-7000-8000-000000000002"} {
			at := time.Now()
			tenant := tenants.Tenant{ID: tenants.TenantID(id), Slug: "t" + id[35:], Name: "T", Industry: tenants.RealEstate,
				State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: at}
			if err := s.Tenants().Add(t.Context(), store.Who{}, tenant); err != nil {
				t.Fatal(err)
			}
			pushedTo(t, s.For(tenant.ID), ring(at, 1), tenants.Sandbox)
			pushedTo(t, s.For(tenant.ID), ring(at, 2), tenants.Production)
		}
		if stops { // a store that starts has nothing in memory
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = storetest.OpenConfig(t, c)
		}
		if n, err := s.Jobs().Roll(t.Context(), 1000); err != nil || n != 12 {
			t.Fatalf("rolled %d facts, %v; want 12", n, err)
		}
		all, err := s.For("0190bbbb-0000-7000-8000-000000000001").Analytics().Tallies(t.Context(), time.Now().Add(-time.Hour), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[tenants.Tally]int64{}
		for _, x := range all {
			if x.Bucket == -1 {
				got[tenants.Tally{Fact: x.Fact, Environment: x.Environment}] += x.N
			}
		}
		for _, e := range []tenants.Environment{tenants.Sandbox, tenants.Production} {
			for _, k := range []tenants.FactKind{tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted} {
				if n := got[tenants.Tally{Fact: k, Environment: e}]; n != 1 {
					t.Errorf("read from the database: %v; %s in %s: %d, want 1", stops, k, e, n)
				}
			}
		}
	}
}

// pushedTo places a ring to a phone that is thought to be in production, and records that Apple
// took its push in an environment.
func pushedTo(t *testing.T, s *store.Scope, r *tenants.Ring, e tenants.Environment) {
	t.Helper()
	if _, err := s.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Rings().Change(t.Context(), r.ID, r, r.ExpiresAt, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Attempts[0].Push.Environment = e
		return push(r)
	})
	if err != nil {
		t.Fatal(err)
	}
}
