package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// share: two nodes write for the same tenants, in every order. Nothing is lost, no audit seq has a
// gap, and each ring that is due goes to one of them.
func share(t *testing.T, address string) {
	one, two := storetest.OpenConfig(t, store.Config{URL: address}), storetest.OpenConfig(t, store.Config{URL: address})
	now := time.Now()
	const count = 6
	ids := []tenants.TenantID{}
	for i := range count {
		ids = append(ids, tenants.NewID[tenants.TenantID](now))
		err := one.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: ids[i], Slug: fmt.Sprint("t", i), Name: "T",
			Industry: tenants.Legal, State: tenants.TenantActive, TimeZone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
	}
	const each = 20
	key := store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, Name: "bench"}}
	var wait sync.WaitGroup
	for n, s := range []*store.Store{one, two} {
		for i := range count * each {
			wait.Go(func() {
				turn := i
				if n == 1 {
					turn = count*each - i
				}
				r := ring(now, i)
				if _, err := s.For(ids[turn%count]).By(key).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
					t.Error(err)
				} else if _, _, err := one.For(ids[turn%count]).Rings().Change(t.Context(), r.ID, r, r.ExpiresAt, push); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for _, id := range ids {
		list, _, err := two.For(id).Audits().List(t.Context(), store.AuditQuery{Limit: 200})
		if err != nil || len(list) != 1+2*each || list[0].Seq != 1+2*each {
			t.Errorf("audits: %d rows, %v", len(list), err)
		}
	}
	var mu sync.Mutex
	claimed := map[tenants.RingID]int{}
	for _, s := range []*store.Store{one, two, one, two} {
		wait.Go(func() {
			due, err := s.Jobs().Claim(t.Context(), store.ExpiredRings, now.Add(time.Minute), time.Hour, 2*count*each)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range due {
				claimed[d.ID]++
			}
		})
	}
	wait.Wait()
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("ring %s is claimed %d times", id, n)
		}
	}
	if len(claimed) != 2*count*each {
		t.Errorf("claimed %d rings of %d", len(claimed), 2*count*each)
	}
}

// talk: a call that is up on one node counts against the plan on the other, until it ends there.
func talk(t *testing.T, address string) {
	one, other := storetest.OpenConfig(t, store.Config{URL: address}), storetest.OpenConfig(t, store.Config{URL: address})
	id := tenants.NewID[tenants.TenantID](time.Now())
	err := one.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	here, there := one.For(id), other.For(id)
	up := func(want int64) {
		t.Helper()
		if err := there.Subscription().Set(t.Context(), one.Plans().Assigned("", "starter", time.Now(),
			time.Time{})); err != nil { // empties the cache
			t.Fatal(err)
		}
		if e, err := there.Subscription().Entitlement(t.Context()); err != nil || e.Usage.Calls != want {
			t.Errorf("%d calls, %v, want %d", e.Usage.Calls, err, want)
		}
	}
	r := ring(time.Now(), 0)
	if _, err := here.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	up(0)
	step := func(k tenants.FactKind) {
		_, _, err := here.Rings().Change(t.Context(), r.ID, nil, r.ExpiresAt, func(r *tenants.Ring) ([]tenants.Fact, error) {
			if r.Call == nil {
				r.Call = &tenants.Call{Device: r.Attempts[0].Device, AnsweredAt: time.Now()}
			}
			return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: time.Now(), Received: time.Now()}), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	step(tenants.FactAnswered)
	up(1)
	step(tenants.FactHungUp)
	up(0)
}

// lose: a server that restarts, or a proxy that drops connections, costs nobody a write, and a node
// no heartbeat.
func lose(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address})
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	id := tenants.NewID[tenants.TenantID](time.Now())
	err = s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	node := tenants.NewID[tenants.NodeID](time.Now())
	if _, err := s.Nodes().Start(t.Context(), store.Node{ID: node, Name: "n"}); err != nil {
		t.Fatal(err)
	}
	beat := func() {
		t.Helper()
		if lived, err := s.Nodes().Beat(t.Context(), node); err != nil || !lived {
			t.Fatalf("a heartbeat: %v %v", lived, err)
		}
	}
	beat() // on the connection that it keeps
	for i := range 3 {
		_, err := db.ExecContext(t.Context(),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "+
				"pid <> pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
		beat()
		if err := s.For(id).Audits().Add(t.Context(), "test.note", fmt.Sprint(i), ""); err != nil {
			t.Fatalf("a write after the connections were lost: %v", err)
		}
	}
	list, _, err := s.For(id).Audits().List(t.Context(), store.AuditQuery{Action: "test."})
	if err != nil || len(list) != 3 || list[0].Seq != 4 {
		t.Errorf("after the losses: %+v %v", list, err)
	}
}

// rollInOrder: a commit that took a later seq may be there before one that took an earlier one; the
// roller must count both.
func rollInOrder(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address})
	now := time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	early, late := ring(now, 1), ring(now, 2)
	add := func(r *tenants.Ring) {
		t.Helper()
		if _, err := s.For(id).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
	}
	add(early)
	roll := func() int {
		t.Helper()
		n, err := s.Jobs().Roll(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := roll(); n != 1 {
		t.Fatalf("rolled %d, want 1", n)
	}
	// Another node's transaction takes a seq and stays open.
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	slow, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Rollback()
	if _, err = slow.ExecContext(t.Context(), "SELECT set_config('app.tenant', $1, true)", string(id)); err != nil {
		t.Fatal(err)
	}
	_, err = slow.ExecContext(context.WithoutCancel(t.Context()), "INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, "+
		"received_at, raw_at, raw_sent_at, detail) "+
		"VALUES ($1, $2, $3, 'sent', $4, $4, 0, 0, '')", string(id), string(early.ID), string(early.Attempts[0].ID), now.UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	add(late)
	if n := roll(); n != 0 {
		t.Fatalf("rolled %d facts past an open transaction", n)
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := roll(); n != 2 {
		t.Errorf("rolled %d, want the late and the early one", n)
	}
}

// sessions: a connection has the limits and the plans of a server's statements, unless its address
// says something else.
func sessions(t *testing.T, address string) {
	for _, c := range []struct{ more, name, want string }{
		{"", "jit", "off"}, {"", "max_parallel_workers_per_gather", "0"}, {"", "enable_seqscan", "off"},
		{"", "statement_timeout", "1min"},
		{"&jit=on", "jit", "on"}, {"&statement_timeout=7000", "statement_timeout", "7s"},
	} {
		var got string
		s := storetest.OpenConfig(t, store.Config{URL: address + c.more})
		if err := s.Direct(t.Context(), "SHOW "+c.name).Scan(&got); err != nil || got != c.want {
			t.Errorf("%q: %s is %q, want %q, %v", c.more, c.name, got, c.want, err)
		}
	}
}

// beatsBeside: a node whose writer waits for another one still counts as living.
func beatsBeside(t *testing.T, address string) {
	s := storetest.OpenConfig(t, store.Config{URL: address + "&lock_timeout=120000"}) // longer than a heartbeat gets
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := tenants.NewID[tenants.TenantID](time.Now())
	must(s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}))
	node := store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: "a", Shared: true}
	_, err := s.Nodes().Start(t.Context(), node)
	must(err)
	db, err := sql.Open("pgx", address)
	must(err)
	defer db.Close()
	stopped, err := db.BeginTx(t.Context(), nil)
	must(err)
	defer stopped.Rollback()
	_, err = stopped.ExecContext(t.Context(), "SELECT set_config('app.tenant', '*', true)")
	must(err)
	_, err = stopped.ExecContext(t.Context(), "SELECT 1 FROM tenants WHERE id = $1 FOR UPDATE", string(id))
	must(err)
	written := make(chan error, 1)
	go func() { written <- s.For(id).Audits().Add(t.Context(), "test.note", "", "") }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for waits := 0; waits == 0; <-tick.C {
		must(db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND "+
			"wait_event_type = 'Lock'").Scan(&waits))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if lived, err := s.Nodes().Beat(ctx, node.ID); err != nil || !lived {
		t.Errorf("a heartbeat beside a writer that waits: %t %v", lived, err)
	}
	must(stopped.Rollback())
	must(<-written)
}

// oneClock: a server whose own clock is wrong, or is set while it runs, has the database's time.
func oneClock(t *testing.T, address string) {
	var off atomic.Int64
	own := func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }
	off.Store(int64(5 * time.Second))
	s := storetest.OpenConfig(t, store.Config{URL: address, Now: own, ClockOfDatabase: true})
	look := func(when string) {
		t.Helper()
		if d := time.Until(s.Now()).Abs(); d > 2*time.Second { // a machine may stand still between the two
			t.Errorf("%s the store's clock is %v off", when, d)
		}
	}
	look("at its start")
	if ahead := s.ClockOff(); ahead < 4*time.Second || ahead > 6*time.Second {
		t.Errorf("the server's clock is %v ahead", ahead)
	}
	off.Store(-int64(time.Minute)) // without a monotonic clock, the next look finds it
	if err := s.ReadClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	look("after the next look")
	off.Store(-int64(2 * time.Minute)) // as for a machine that was suspended
	if _, err := s.Nodes().Beat(t.Context(), tenants.NewID[tenants.NodeID](time.Now())); err != nil {
		t.Fatal(err)
	}
	look("after a heartbeat")
	was := s.Now()
	if err := s.ReadClock(t.Context()); err != nil || s.Now().Before(was) {
		t.Errorf("it goes back without a reason: %v", err)
	}
}

// paceWithRings: a ring has the turn of its push from its own commit, behind those that another
// node has reserved.
func paceWithRings(t *testing.T, one, two *store.Store, now time.Time) {
	id := tenants.NewID[tenants.TenantID](now)
	err := one.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "paced", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	turns := func(tenants.DeviceID) (time.Time, time.Duration) { return now, 500 * time.Millisecond }
	for i, s := range []*store.Store{one, two, one} {
		r := ring(now, 100+i)
		if _, err := s.For(id).Paced(turns).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
		if got, want := r.Attempts[0].Push.Turn.Sub(now), time.Duration(i)*500*time.Millisecond; got != want {
			t.Errorf("ring %d may push after %v, want %v", i, got, want)
		}
	}
	r := ring(now, 200)
	_, err = two.For(id).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
	if at := r.Attempts[0].Push.Turn; err != nil || !at.IsZero() {
		t.Errorf("a turn that nobody asked for: %v %v", at, err)
	}
	at, err := two.Jobs().Pace(t.Context(), r.Attempts[0].Device, now, 500*time.Millisecond)
	if err != nil || at.Sub(now) != 1500*time.Millisecond {
		t.Errorf("a push behind three rings goes after %v, %v", at.Sub(now), err)
	}
}

// agreeOn: two nodes use one provider token, keep their pushes to a device apart, and know of each
// other.
func agreeOn(t *testing.T, address string) {
	one, two := storetest.OpenConfig(t, store.Config{URL: address}), storetest.OpenConfig(t, store.Config{URL: address})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Truncate(time.Second)
	token := func(s *store.Store, proposed, refused, want time.Time) {
		t.Helper()
		got, err := s.AgreeToken(t.Context(), "key", proposed, refused, now.Add(-time.Hour))
		must(err)
		if !got.Equal(want) {
			t.Errorf("issued %v from now, want %v", got.Sub(now), want.Sub(now))
		}
	}
	first, second := now.Add(-30*time.Minute), now.Add(-10*time.Minute)
	token(one, first, time.Time{}, first)
	token(two, second, time.Time{}, first)
	token(two, second, first, second) // refused
	token(one, now.Add(-time.Minute), first, second)
	token(one, now.Add(time.Hour), second, now.Add(time.Hour))
	token(two, first, time.Time{}, first) // one of the future is used by nobody

	device := tenants.NewID[tenants.DeviceID](now)
	for i, s := range []*store.Store{one, two, two, one} {
		at, err := s.Jobs().Pace(t.Context(), device, now, 500*time.Millisecond)
		must(err)
		if want := time.Duration(i) * 500 * time.Millisecond; at.Sub(now) != want {
			t.Errorf("push %d goes after %v, want %v", i, at.Sub(now), want)
		}
	}
	at, err := two.Jobs().Pace(t.Context(), device, now.Add(time.Minute), time.Second)
	must(err)
	if at.Sub(now) != time.Minute {
		t.Errorf("a late push waits for %v", at.Sub(now))
	}
	paceWithRings(t, one, two, now)

	if one.NodesNow() != 1 {
		t.Errorf("%d nodes before any has started", one.NodesNow())
	}
	a := store.Node{ID: tenants.NewID[tenants.NodeID](now), Name: "a", Shared: true}
	b := store.Node{ID: tenants.NewID[tenants.NodeID](now), Name: "b", Shared: true}
	_, err = one.Nodes().Start(t.Context(), a)
	must(err)
	_, err = two.Nodes().Start(t.Context(), b)
	must(err)
	_, err = one.Nodes().Beat(t.Context(), a.ID)
	must(err)
	if one.NodesNow() != 2 || two.NodesNow() != 2 {
		t.Errorf("two nodes count as %d and %d", one.NodesNow(), two.NodesNow())
	}
	must(two.Nodes().Stop(t.Context(), b.ID))
	_, err = one.Nodes().Beat(t.Context(), a.ID)
	must(err)
	if one.NodesNow() != 1 {
		t.Errorf("%d nodes after the other has stopped", one.NodesNow())
	}
	must(one.Jobs().Forget(t.Context(), now.Add(48*time.Hour)))
}
