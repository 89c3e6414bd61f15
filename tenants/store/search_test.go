package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestSearchAmongManyHits takes the way that looks through the rings, which only a tenant with
// thousands of hits goes.
func TestSearchAmongManyHits(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	now := time.Now()
	tenant := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: "many", Name: "Many", Industry: tenants.Salon, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}
	who := store.Who{Actor: tenants.System}
	if err := s.Tenants().Add(t.Context(), who, tenant); err != nil {
		t.Fatal(err)
	}
	scope := s.For(tenant.ID).By(who)
	const many = 5200
	var wg sync.WaitGroup
	errs := make(chan error, many)
	for w := range 100 {
		wg.Go(func() {
			for i := w; i < many; i += 100 {
				at := now.Add(time.Duration(i) * time.Second)
				_, err := scope.Rings().Add(t.Context(), &tenants.Ring{
					ID: tenants.NewID[tenants.RingID](at), To: tenants.To{Person: "ada"}, Reference: fmt.Sprintf("Lead-%04d",
						i), CreatedAt: at, ExpiresAt: at.Add(time.Minute),
				}, store.Idempotency{}, time.Time{})
				if err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	for search, want := range map[string]struct {
		first string
		n     int
	}{"lead-": {"Lead-5199", 50}, "ADA": {"Lead-5199", 50}, "lead-51": {"Lead-5199", 50}, "lead-0007": {"Lead-0007", 1}, "ead-": {"", 0}} {
		rings, _, err := scope.Rings().List(t.Context(), store.RingQuery{Search: search})
		if err != nil {
			t.Fatal(err)
		}
		if len(rings) != want.n || want.n > 0 && rings[0].Reference != want.first {
			t.Errorf("%q found %d", search, len(rings))
		}
	}
}
