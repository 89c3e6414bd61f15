package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// loopsOfTwo: what the background loops of two nodes rely on.
func loopsOfTwo(t *testing.T, address string) {
	keys := storetest.Keys(t)
	one := storetest.OpenConfig(t, store.Config{URL: address, Seal: keys})
	two := storetest.OpenConfig(t, store.Config{URL: address, Seal: keys})
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	raw := func(query string, args ...any) {
		t.Helper()
		tx, err := db.BeginTx(t.Context(), nil)
		if err == nil {
			_, err = tx.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', true)")
		}
		if err == nil {
			_, err = tx.ExecContext(t.Context(), query, args...)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var ids []tenants.TenantID
	for _, slug := range []string{"busy", "quiet"} {
		id := tenants.NewID[tenants.TenantID](time.Now())
		ids = append(ids, id)
		if err := one.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: slug, Name: "T", Industry: tenants.Legal,
			State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("turns", func(t *testing.T) { turns(t, one, two, raw) })
	t.Run("sends", func(t *testing.T) { sendsAreShared(t, two, ids, raw) })
	t.Run("a failed erasure", func(t *testing.T) { failedErasure(t, [2]*store.Store{one, two}, ids[0], raw) })
}

// turns: one of two nodes has the turn of a loop, until it ends it or its lease is over.
func turns(t *testing.T, one, two *store.Store, raw func(string, ...any)) {
	take := func(s *store.Store, want bool) time.Duration {
		t.Helper()
		mine, late, err := s.Jobs().Turn(t.Context(), "loop", time.Minute)
		if err != nil || mine != want {
			t.Errorf("the turn is ours: %t, want %t, %v", mine, want, err)
		}
		return late
	}
	end := func(s *store.Store, next time.Time, want bool) {
		t.Helper()
		if mine, err := s.Jobs().MoveTurn(t.Context(), "loop", next); err != nil || mine != want {
			t.Errorf("moved: %t, want %t, %v", mine, want, err)
		}
	}
	take(one, true)
	take(two, false)
	take(one, false)
	end(two, time.Now(), false) // it is not its turn
	take(two, false)
	end(one, time.Now().Add(time.Hour), true)
	take(two, false)
	end(one, time.Now().Add(-3*time.Second), true)
	if late := take(two, true); late < 3*time.Second || late > time.Minute {
		t.Errorf("%v late, want three seconds", late)
	}
	end(one, time.Now(), false)              // the other has it now
	raw("UPDATE loop_turns SET next_at = 1") // it died, and its lease is over
	var mu sync.Mutex
	var wait sync.WaitGroup
	had := 0
	for _, s := range []*store.Store{one, two, one, two} {
		wait.Go(func() {
			mine, _, err := s.Jobs().Turn(t.Context(), "loop", time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if mine {
				had++
			}
		})
	}
	wait.Wait()
	if had != 1 {
		t.Errorf("%d had the same turn", had)
	}
}

// sendsAreShared: a tenant with many sends due fills no claim.
func sendsAreShared(t *testing.T, s *store.Store, ids []tenants.TenantID, raw func(string, ...any)) {
	now := time.Now()
	add := func(tenant tenants.TenantID, due time.Time) {
		raw("INSERT INTO alert_sends (tenant_id, id, target_id, body, due_at, tries) VALUES ($1, $2, $3, '{}', $4, 0)", string(tenant),
			tenants.NewRandomID(), tenants.NewRandomID(), due.UnixMicro())
	}
	for range 20 {
		add(ids[0], now.Add(-time.Hour))
	}
	add(ids[1], now.Add(-time.Second))
	claimed, err := s.Jobs().ClaimSends(t.Context(), now, time.Minute, 8)
	if err != nil {
		t.Fatal(err)
	}
	of := map[tenants.TenantID]int{}
	for _, x := range claimed {
		of[x.Tenant]++
	}
	if of[ids[0]] != 7 || of[ids[1]] != 1 {
		t.Errorf("claimed %v", of)
	}
	raw("DELETE FROM alert_sends")
}

// failedErasure: one that cannot be opened stops no other one, whichever node does it, and each is
// done once.
func failedErasure(t *testing.T, nodes [2]*store.Store, id tenants.TenantID, raw func(string, ...any)) {
	scope := nodes[0].For(id)
	for i := range 3 {
		person := fmt.Sprint("canary", i)
		now := time.Now()
		d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](now), Tenant: id, Token: strings.Repeat(fmt.Sprint(i), 64),
			Bundle: "com.example.app", Environment: tenants.Production, Person: person, Name: "Phone", RegisteredAt: now, CreatedAt: now,
			SeenAt: now}.Clean()
		if _, _, err := scope.Devices().Add(t.Context(), d, tenants.NewSecret(tenants.DevicePrefix).Hash()); err != nil {
			t.Fatal(err)
		}
		if err := scope.Erasures().Person(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	}
	raw("INSERT INTO erasures (tenant_id, id, kind, sealed, seq, values_gone, created_at) SELECT tenant_id, tenant_id, kind, sealed, 0, " +
		"0, 0 FROM erasures LIMIT 1") // sealed for another id
	var wait sync.WaitGroup
	for _, s := range nodes {
		wait.Go(func() {
			for range 50 {
				left, err := s.Jobs().Erase(t.Context())
				if err == nil || !strings.Contains(err.Error(), string(id)) {
					t.Errorf("the erasure that fails: %v", err)
					return
				}
				if left == 0 {
					return
				}
			}
			t.Error("the erasures do not end")
		})
	}
	wait.Wait()
	if n, err := scope.Erasures().Under(t.Context()); err != nil || n != 1 {
		t.Errorf("%d erasures are left, want the one that fails: %v", n, err)
	}
	list, _, err := scope.Audits().List(t.Context(), store.AuditQuery{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, a := range list {
		if strings.HasSuffix(a.Action, ".erased") {
			done[a.Target]++
		}
	}
	if len(done) != 3 {
		t.Errorf("done in the audit log: %v", done)
	}
	for target, n := range done {
		if n != 1 {
			t.Errorf("erasure %s is in the audit log %d times", target, n)
		}
	}
}
