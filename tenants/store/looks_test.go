package store_test

import (
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestEndLooksCountsOnce: a write that runs again, because another one of its commit failed, ends
// its look once.
func TestEndLooksCountsOnce(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, now := t.Context(), time.Now()
	id, operator := tenants.NewID[tenants.TenantID](now), tenants.NewID[tenants.OperatorID](now)
	must(s.Tenants().Add(ctx, store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}))
	must(s.Operators().Add(ctx, store.Who{}, tenants.Operator{ID: operator, Email: "sam@carillon.test", Name: "Sam", CreatedAt: now},
		store.OperatorLink{Hash: tenants.Hash{1}, ExpiresAt: now.Add(time.Hour)}))
	scope := s.For(id)
	must(scope.SetLook(ctx, now.Add(time.Hour)))
	must(s.Operators().NewLook(ctx, operator, id, tenants.Hash{2}))
	_, err := s.Operators().TakeLook(ctx, tenants.Hash{2}, tenants.Hash{3}, store.Who{})
	must(err)
	must(scope.SetLook(ctx, time.Time{}))

	release := s.Busy()
	defer release()
	queued := func(n int) {
		t.Helper()
		until(t, "the write does not wait", func() bool { return s.Stats().Queue == n })
	}
	type answer struct {
		ended int
		err   error
	}
	ends, fails := make(chan answer, 1), make(chan error, 1)
	go func() {
		n, err := s.Jobs().EndLooks(ctx)
		ends <- answer{n, err}
	}()
	queued(1) // and so it runs first
	go func() {
		_, err := store.WriteAs(ctx, scope, "DELETE FROM no_such_table")
		fails <- err
	}()
	queued(2)
	release()
	if got := <-ends; got.err != nil || got.ended != 1 {
		t.Errorf("%d looks were ended, %v", got.ended, got.err)
	}
	if err := <-fails; err == nil {
		t.Error("the other write did not fail")
	}
	list, _, err := scope.Audits().List(ctx, store.AuditQuery{Action: "tenant.look_end"})
	if err != nil || len(list) != 1 {
		t.Errorf("the record has %+v, %v", list, err)
	}
}
