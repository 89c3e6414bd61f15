package store_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// databaseOf is the name of the database at an address.
func databaseOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// restored: a database that was restored from a dump works as before, with its policies and the
// tables of its months. New facts follow those of the dump, also where the server that wrote them
// had had far more transactions than this one, and readers of events come with a place that this
// one never had.
func restored(t *testing.T, server *storetest.Server) {
	address, keys, ctx := server.Migrated(t), storetest.Keys(t), t.Context()
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

	copied, err := server.Restored(ctx, databaseOf(t, address))
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

// follower is somebody who follows the events of a tenant, and a loop that reads all facts.
type follower struct {
	t     *testing.T
	scope *store.Scope
	place store.FeedPlace
}

// ring places a ring.
func (f *follower) ring() (id tenants.RingID, err error) {
	r := ring(time.Now(), 0)
	_, err = f.scope.Rings().Add(f.t.Context(), r, store.Idempotency{}, r.ExpiresAt)
	return r.ID, err
}

// rings reads to the end, and gives the rings of the events.
func (f *follower) rings() (all []tenants.RingID) {
	f.t.Helper()
	for more := true; more; {
		var facts []store.Fed
		var err error
		if facts, f.place, more, err = f.scope.Feed().Next(f.t.Context(), f.place); err != nil {
			f.t.Fatal(err)
		}
		for _, fact := range facts {
			all = append(all, fact.Ring)
		}
	}
	return all
}

// TestEventsGoOnAfterAFailover: a standby that lacks the last transactions takes over. Who followed
// the first server as far as those gets each new event, whether it lived on or connects again.
func TestEventsGoOnAfterAFailover(t *testing.T) {
	t.Parallel()
	primary := storetest.StartPostgres(t)
	database := primary.Migrated(t)
	standby := primary.LateStandby(t)
	s := storetest.OpenConfig(t, store.Config{URL: primary.Both(standby, database)})
	f := follower{t: t, scope: oneTenant(t, s)}
	loop := s.Cursor("test")
	pass := func() (rings []tenants.RingID) {
		t.Helper()
		b, err := loop.Next(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loop.Done(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, fact := range b.Facts {
			rings = append(rings, fact.Ring)
		}
		return rings
	}
	kept, err := f.ring()
	if err != nil {
		t.Fatal(err)
	}
	if err := primary.Followed(t.Context()); err != nil {
		t.Fatal(err)
	}
	standby.Stop()
	const lost = 40
	for range lost {
		if _, err := f.ring(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.rings()); n != lost+1 {
		t.Fatalf("%d events before the failover", n)
	}
	if n := len(pass()); n != lost+1 {
		t.Fatalf("a loop has read %d facts before the failover", n)
	}
	primary.Stop()
	if err := standby.Start(); err != nil {
		t.Fatal(err)
	}
	standby.Promote(t)

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	fresh, err := f.ring()
	for late := time.After(time.Minute); err != nil; fresh, err = f.ring() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after the standby took over: %v", err)
		}
	}
	if list, _, err := f.scope.Rings().List(t.Context(), store.RingQuery{Limit: 100}); err != nil || len(list) != 2 {
		t.Fatalf("%d rings are left, %v", len(list), err)
	}
	told := f.place
	if rings := f.rings(); !slices.Equal(rings, []tenants.RingID{fresh}) {
		t.Errorf("who followed as far as what was lost gets %v, not %v", rings, fresh)
	}
	if rings := pass(); !slices.Equal(rings, []tenants.RingID{kept, fresh}) { // its own place was lost too
		t.Errorf("a loop reads %v, not %v and %v", rings, kept, fresh)
	}
	// A client that connects again, and another program.
	other := storetest.OpenConfig(t, store.Config{URL: standby.URL("carillon", databaseOf(t, database))})
	tenant, err := f.scope.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := follower{t: t, scope: other.For(tenant.ID)}
	if again.place, err = again.scope.Feed().Resume(t.Context(), told.String()); err != nil {
		t.Fatalf("the place of what was lost: %v", err)
	}
	if rings := again.rings(); !slices.Equal(rings, []tenants.RingID{fresh}) {
		t.Errorf("who comes again gets %v, not %v", rings, fresh)
	}
}

// TestEventsGoOnInARestoredDump: of a server that wrote more after the dump, in one that has had
// more transactions than the dump and fewer than that server; and in another one after that.
func TestEventsGoOnInARestoredDump(t *testing.T) {
	t.Parallel()
	first, second := storetest.StartPostgres(t), storetest.StartPostgres(t)
	address, keys := first.Migrated(t), storetest.Keys(t)
	f := follower{t: t, scope: oneTenant(t, storetest.OpenConfig(t, store.Config{URL: address, Seal: keys}))}
	if _, err := f.ring(); err != nil {
		t.Fatal(err)
	}
	f.rings()
	tenant, err := f.scope.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var xact, seq int64
	if _, err := fmt.Sscanf(f.place.String(), "%d-%d", &xact, &seq); err != nil {
		t.Fatal(err)
	}
	lost := fmt.Sprintf("%d-%d", xact+1000000, seq+1000000) // the first server went on
	// Each turn of the loop is a transaction in the transaction.
	second.Super(t, "postgres", "CREATE TABLE turns (n int)", "DO $$ BEGIN FOR n IN 1..20000 LOOP BEGIN INSERT INTO turns VALUES (n); "+
		"EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$")
	for _, turn := range []string{"the first", "a second"} {
		name, err := first.RestoredOn(t.Context(), second.Server, databaseOf(t, address))
		if err != nil {
			t.Fatal(err)
		}
		there := follower{t: t, scope: storetest.OpenConfig(t, store.Config{URL: second.URL("carillon", name), Seal: keys}).For(tenant.ID)}
		if there.place, err = there.scope.Feed().Resume(t.Context(), lost); err != nil {
			t.Fatalf("%s time, a place behind what was lost: %v", turn, err)
		}
		fresh, err := there.ring()
		if err != nil {
			t.Fatal(err)
		}
		if rings := there.rings(); !slices.Equal(rings, []tenants.RingID{fresh}) {
			t.Errorf("%s time, behind what was lost: %v", turn, rings)
		}
		lost = there.place.String()
	}
}

// TestEventsGoOnInARestoredFile: SQLite's server wrote more after the backup. The newest fact of it
// comes once more, and those that are new.
func TestEventsGoOnInARestoredFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	storetest.FillFolder(t, dir)
	open := func() *store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), store.Config{Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // it is closed earlier if nothing fails
		return s
	}
	s := open()
	f := follower{t: t, scope: oneTenant(t, s)}
	tenant, err := f.scope.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	loop := func() (n int) {
		t.Helper()
		b, err := s.Cursor("test").Next(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cursor("test").Done(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return len(b.Facts)
	}
	var newest tenants.RingID
	for range 3 {
		if newest, err = f.ring(); err != nil {
			t.Fatal(err)
		}
	}
	f.rings()
	if n := loop(); n != 3 {
		t.Fatalf("%d facts", n)
	}
	if n, err := s.DeviceRings().File(t.Context()); err != nil || n != 0 { // they wait to be filed
		t.Fatal(n, err)
	}
	var xact, seq int64
	if _, err := fmt.Sscanf(f.place.String(), "%d-%d", &xact, &seq); err != nil {
		t.Fatal(err)
	}
	lost := fmt.Sprintf("%d-%d", xact, seq+500)
	for _, turn := range []string{"first", "second"} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := store.ContinueFacts(t.Context(), filepath.Join(dir, store.DatabaseFile), time.Now()); err != nil {
			t.Fatal(err)
		}
		s = open()
		f.scope = s.For(tenant.ID)
		if f.place, err = f.scope.Feed().Resume(t.Context(), lost); err != nil {
			t.Fatalf("the %s time, a place behind what was lost: %v", turn, err)
		}
		fresh, err := f.ring()
		if err != nil {
			t.Fatal(err)
		}
		if rings := f.rings(); !slices.Equal(rings, []tenants.RingID{newest, fresh}) {
			t.Errorf("the %s time, behind what was lost: %v, not %v and %v", turn, rings, newest, fresh)
		}
		if n := loop(); n != 1 {
			t.Errorf("the %s time a loop reads %d facts, and one is new", turn, n)
		}
		newest, lost = fresh, f.place.String()
	}
	if total, err := f.scope.Rings().Total(t.Context(), store.RingQuery{Device: "0190aaaa-0000-7000-8000-000000000000"}); err != nil ||
		total.N != 5 {
		t.Errorf("%d rings of the phone, %v", total.N, err)
	}
}
