package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestFullDisk: while there is no room every change is refused as something that passes, nothing of
// it is there, reads go on, and once there is room it is as if nothing had been.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var passed atomic.Int64 // since now
	c := config(t)
	c.Now = func() time.Time { return now.Add(time.Duration(passed.Load())) }
	s := storetest.OpenConfig(t, c)
	id := tenants.NewID[tenants.TenantID](now)
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	scope := s.For(id)
	add := func(i int) error {
		return scope.Agents().Add(t.Context(), tenants.Agent{ID: tenants.NewID[tenants.AgentID](now),
			Name: fmt.Sprint(i, strings.Repeat("n", 60)), Kind: tenants.Builtin, CreatedAt: now})
	}
	for round := range 3 {
		if err := s.Bound(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		added, refused := 0, 0
		for refused == 0 || refused < 40 {
			var wg sync.WaitGroup
			for i := range 40 { // many in one group, so that one refusal is everybody's and nobody else's
				wg.Go(func() {
					err := add(i)
					mu.Lock()
					defer mu.Unlock()
					var ours *tenants.Error
					switch {
					case err == nil:
						added++
					case errors.As(err, &ours) && ours.Kind == tenants.Unavailable && ours.Code == "storage_full" && ours.RetryAfter > 0:
						refused++
					default:
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			wg.Wait()
			if t.Failed() || added > 20000 {
				t.Fatalf("%d added, %d refused", added, refused)
			}
		}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("a full disk is ready")
		}
		passed.Add(int64(time.Minute))
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("a minute after the last write without room: %v", err)
		}
		if _, err := scope.Tenant(t.Context()); err != nil {
			t.Errorf("reading: %v", err)
		}
		if err := s.Bound(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := add(0); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	}
}
