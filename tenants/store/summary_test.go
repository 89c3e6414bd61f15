package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestSummaryIsOneStatement: every page of the console asks for it.
func TestSummaryIsOneStatement(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	c := config(t)
	c.Observe = func(string) { statements.Add(1) }
	s := storetest.OpenConfig(t, c)
	id := tenants.NewID[tenants.TenantID](time.Now())
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.For(id).Subscription().Entitlement(t.Context()); err != nil { // remembered for a second
		t.Fatal(err)
	}
	before := statements.Load()
	if _, err := s.For(id).Summary(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := statements.Load() - before; n != 1 {
		t.Errorf("%d statements", n)
	}
}
