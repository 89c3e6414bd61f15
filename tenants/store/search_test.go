package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestSearchAmongManyHits takes the ways that only a tenant with thousands of hits goes: along the
// hits where they are few enough to be sorted, and else through the rings.
func TestSearchAmongManyHits(t *testing.T) {
	t.Parallel()
	scope, oldest := manyRings(t, 5200)
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
	// What else is asked of the hits may hold for the last of them only: pages lead there.
	for name, q := range map[string]store.RingQuery{
		"of a reference":         {Search: "lead-", Agent: oldest.Agent},
		"of a person":            {Person: "ada", Agent: oldest.Agent},
		"of every way":           {Search: "ada", Agent: oldest.Agent},
		"of an agent":            {Agent: oldest.Agent},
		"from the oldest":        {Search: "lead-", Agent: oldest.Agent, Sort: "created"},
		"until the oldest":       {Search: "lead-", To: oldest.CreatedAt.Add(time.Millisecond)},
		"of a person until then": {Person: "ada", To: oldest.CreatedAt.Add(time.Millisecond)},
	} {
		var found []*tenants.Ring
		pages := 0
		for next := "start"; next != ""; pages++ {
			if q.After = next; pages == 0 {
				q.After = ""
			}
			rings, on, err := scope.Rings().List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			found, next = append(found, rings...), on
		}
		if len(found) != 1 || found[0].ID != oldest.ID || pages > 4 {
			t.Errorf("%s: %d rings on %d pages", name, len(found), pages)
		}
	}
	for name, x := range map[string]struct {
		q    store.RingQuery
		want store.Total
	}{
		"a reference":       {store.RingQuery{Search: "lead-"}, store.Total{N: 5200}},
		"a part of them":    {store.RingQuery{Search: "lead-51"}, store.Total{N: 100}},
		"every way":         {store.RingQuery{Search: "ada"}, store.Total{N: 5200}},
		"a person":          {store.RingQuery{Person: "ada"}, store.Total{N: 5200}},
		"and another thing": {store.RingQuery{Search: "lead-", Agent: oldest.Agent}, store.Total{More: true}},
	} {
		if got, err := scope.Rings().Total(t.Context(), x.q); err != nil || got != x.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// manyRings is a tenant with n rings, and the oldest of them, which alone has another agent. Each
// is to a person, from a caller and on a phone with the same name.
func manyRings(t *testing.T, n int) (*store.Scope, *tenants.Ring) {
	t.Helper()
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
	device := tenants.Device{ID: tenants.NewID[tenants.DeviceID](now), Token: strings.Repeat("ab", 32), Bundle: "com.example.many",
		Environment: tenants.Production, Name: "Ada's phone", RegisteredAt: now, SeenAt: now, CreatedAt: now}.Clean()
	if _, _, err := scope.Devices().Add(t.Context(), device, tenants.NewSecret(tenants.DevicePrefix).Hash()); err != nil {
		t.Fatal(err)
	}
	rings := make([]*tenants.Ring, n)
	for i := range rings {
		at := now.Add(time.Duration(i) * time.Second)
		rings[i] = &tenants.Ring{
			ID: tenants.NewID[tenants.RingID](at), To: tenants.To{Person: "ada"}, Caller: "Ada", Reference: fmt.Sprintf("Lead-%04d", i),
			CreatedAt: at, ExpiresAt: at.Add(time.Minute),
		}
		attempt := tenants.NewID[tenants.AttemptID](at)
		rings[i].Attempts = []tenants.Attempt{{ID: attempt, Ring: rings[i].ID, Device: device.ID,
			Facts: []tenants.Fact{{Attempt: attempt, Kind: tenants.FactPlaced, At: at, Received: at}}}}
	}
	rings[0].Agent = tenants.NewID[tenants.AgentID](now)
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				_, errs[w] = scope.Rings().Add(t.Context(), rings[i], store.Idempotency{}, time.Time{})
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return scope, rings[0]
}
