package store_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// restored: a database that was restored from a dump works as before, with its policies and the
// tables of its months. New facts follow those of the dump, also where the server that wrote them
// had had far more transactions than this one, and readers of events come with a place that this
// one never had.
func restored(t *testing.T, server *storetest.Server) {
	address, keys, ctx := server.Migrated(t), storetest.Keys(t), t.Context()
	name := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(u.Path, "/")
	}
	s := storetest.OpenConfig(t, store.Config{URL: address, Seal: keys})
	scope := oneTenant(t, s)
	next := func(c store.Cursor) (facts []store.Committed) {
		t.Helper()
		b, err := c.Next(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		if moved, err := c.Done(ctx, b); err != nil || !moved {
			t.Fatal(moved, err)
		}
		return b.Facts
	}
	place := func(scope *store.Scope) tenants.RingID {
		t.Helper()
		r := ring(time.Now(), 0)
		if _, err := scope.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	first := place(scope)
	// As after years of another server.
	run(t, "pgx", address, "SELECT set_config('app.tenant', '*', false); UPDATE facts SET xact = xact + 1000000000000; "+
		"UPDATE watermarks SET xact = xact + 1000000000000")

	copied, err := server.Restored(ctx, name(address))
	if err != nil {
		t.Fatal(err)
	}
	again := storetest.OpenConfig(t, store.Config{URL: server.URL("carillon", copied), Seal: keys})
	if err := again.CheckIsolation(ctx); err != nil {
		t.Error(err)
	}
	if err := again.Months().Keep(ctx, time.Now()); err != nil {
		t.Error(err)
	}
	tenant, err := scope.Tenant(ctx)
	if err != nil {
		t.Fatal(err)
	}
	there := again.For(tenant.ID)
	if r, err := there.Rings().Get(ctx, first); err != nil || len(r.Facts()) != 1 {
		t.Errorf("the ring of before: %v, %v", r, err)
	}
	c := again.Cursor("test")
	if facts := next(c); len(facts) != 1 || facts[0].Ring != first {
		t.Errorf("the facts of the dump are %v", facts)
	}
	lost, err := there.Feed().Newest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var xact, seq int64
	if _, err := fmt.Sscanf(lost.String(), "%d-%d", &xact, &seq); err != nil {
		t.Fatal(err)
	}
	// After the dump the other server wrote so many facts more.
	if lost, err = there.Feed().Resume(ctx, fmt.Sprintf("%d-%d", xact+1000000, seq+1000000)); err != nil {
		t.Errorf("a place behind what was lost: %v", err)
	}
	second := place(there)
	if facts, _, _, err := there.Feed().Next(ctx, lost); err != nil || len(facts) != 1 || facts[0].Ring != second {
		t.Errorf("behind what was lost: %v, %v", facts, err)
	}
	if facts := next(c); len(facts) != 1 || facts[0].Ring != second {
		t.Errorf("after the ring that was placed here, the facts are %v", facts)
	}
	if n, err := again.Jobs().Roll(ctx, 100); err != nil || n == 0 {
		t.Errorf("%d facts were counted, %v", n, err)
	}

	// A second program finds the order as it is.
	third := storetest.OpenConfig(t, store.Config{URL: server.URL("carillon", copied), Seal: keys})
	last := place(third.For(tenant.ID))
	if facts := next(third.Cursor("test")); len(facts) != 1 || facts[0].Ring != last {
		t.Errorf("after the ring of another program, the facts are %v", facts)
	}
}
