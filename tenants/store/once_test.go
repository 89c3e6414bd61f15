package store_test

import (
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestGroupIsWrittenOnce: on SQLite, a group of writes that nothing is wrong with is not rolled
// back and run again. That would still store the right rows, at more than twice the price.
func TestGroupIsWrittenOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	c := config(t)
	c.Observe = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		seen[text]++
	}
	s := storetest.OpenConfig(t, c)
	now := time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	r := ring(now, 1)
	if _, err := s.For(id).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen["COMMIT"] == 0 {
		t.Error("no commit was seen")
	}
	for _, text := range []string{"ROLLBACK", "SAVEPOINT job"} {
		if n := seen[text]; n > 0 {
			t.Errorf("%s: %d times", text, n)
		}
	}
}
