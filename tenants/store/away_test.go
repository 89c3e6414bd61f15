package store_test

import (
	"errors"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

func oneTenant(t *testing.T, s *store.Store) *store.Scope {
	t.Helper()
	id := tenants.NewID[tenants.TenantID](time.Now())
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	return s.For(id)
}

// away: while the database is gone, rings and reads are refused at once with a time to try again,
// and no ring that was taken before is lost. Once it is back, everything works on new connections.
func away(t *testing.T, server *storetest.Server) {
	s := storetest.OpenConfig(t, store.Config{URL: server.Migrated(t)})
	scope := oneTenant(t, s)
	add := func() (*tenants.Ring, error) {
		r := ring(time.Now(), 0)
		_, err := scope.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
		return r, err
	}
	before, err := add()
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	started := time.Now()
	for range 3 {
		_, err := add()
		_, read := scope.Audits().Verify(t.Context(), store.AuditKey{}, nil)
		for what, err := range map[string]error{"a ring": err, "a read": read} {
			var ours *tenants.Error
			if !errors.As(err, &ours) || ours.Kind != tenants.Unavailable || ours.RetryAfter <= 0 {
				t.Errorf("%s while the database is gone: %v", what, err)
			}
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("the refusals took %v", took)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	after, err := add()
	if err != nil {
		t.Fatalf("once the database is back: %v", err)
	}
	for _, r := range []*tenants.Ring{before, after} {
		if _, err := scope.Rings().Get(t.Context(), r.ID); err != nil {
			t.Errorf("ring %s: %v", r.ID, err)
		}
	}
}

// TestPostgresFailsOver: the primary crashes and its standby takes over. With both in the address,
// and commits that wait for the standby, rings are refused meanwhile with a time to try again, and
// no ring that was taken is lost.
func TestPostgresFailsOver(t *testing.T) {
	t.Parallel()
	primary := storetest.StartPostgres(t)
	database := primary.Migrated(t)
	standby := primary.Standby(t)
	s := storetest.OpenConfig(t, store.Config{URL: primary.Both(standby, database)})
	scope := oneTenant(t, s)
	var taken []tenants.RingID
	add := func() error {
		r := ring(time.Now(), len(taken))
		_, err := scope.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
		if err == nil {
			taken = append(taken, r.ID)
		}
		return err
	}
	for range 20 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	primary.Stop()
	refused := func(when string) {
		t.Helper()
		var ours *tenants.Error
		if err := add(); !errors.As(err, &ours) || ours.Kind != tenants.Unavailable || ours.RetryAfter <= 0 {
			t.Errorf("a ring %s: %v", when, err)
		}
	}
	refused("after the crash")
	refused("beside a standby")
	standby.Promote(t)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	promoted := time.Now()
	for late := time.After(time.Minute); ; {
		err := add()
		if err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after the standby took over: %v", err)
		}
	}
	t.Logf("the first ring %v after the standby took over", time.Since(promoted).Round(time.Millisecond))
	for range 5 {
		if err := add(); err != nil {
			t.Error(err)
		}
	}
	for _, id := range taken {
		if r, err := scope.Rings().Get(t.Context(), id); err != nil || len(r.Facts()) == 0 {
			t.Errorf("ring %s after the failover: %v", id, err)
		}
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
}
