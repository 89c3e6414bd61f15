package storetest

import (
	"fmt"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testNodes: nodes with a message system live side by side, and one without is alone.
func testNodes(b *bench) {
	ctx, all := b.Context(), b.s.Nodes()
	node := func(name string, shared bool) store.Node {
		return store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: name, Shared: shared, Program: "build of " + name}
	}
	names := func(nodes []store.Node, err error) (list []string) {
		b.Helper()
		b.must(err)
		for _, n := range nodes {
			list = append(list, n.Name)
		}
		return list
	}
	expect := func(what string, got []string, want ...string) {
		b.Helper()
		if !slices.Equal(got, want) {
			b.Errorf("%s are %q, want %q", what, got, want)
		}
	}
	one, two, alone := node("one", true), node("two", true), node("alone", false)
	for _, n := range []store.Node{one, two} {
		_, err := all.Start(ctx, n)
		b.must(err)
	}
	if beside, err := all.Start(ctx, alone); tenants.KindOf(err) != tenants.Conflict || beside.ID != one.ID {
		b.Errorf("one without a message system: %v, beside %s", err, beside.Name)
	}
	expect("the living", names(all.Living(ctx)), "one", "two")
	if lived, err := all.Beat(ctx, one.ID); err != nil || !lived {
		b.Errorf("a heartbeat: %v %v", lived, err)
	}
	living, err := all.Living(ctx)
	b.must(err)
	if !b.s.Leads() {
		b.Errorf("the first node does not lead")
	}
	if _, err := all.Beat(ctx, two.ID); err != nil || b.s.Leads() {
		b.Errorf("the second node leads: %v", err)
	}
	const silent = store.NodeGone + time.Second
	b.must(b.statement(fmt.Sprintf("UPDATE nodes SET seen_at = seen_at - %d WHERE name = 'one'", silent.Microseconds())))
	if _, err := all.Beat(ctx, two.ID); err != nil || !b.s.Leads() {
		b.Errorf("the second node does not lead after the first one is silent: %v", err)
	}
	if lived, err := all.Beat(ctx, one.ID); err != nil || lived || !b.s.Leads() {
		b.Errorf("the first node is back: %v %v", lived, err)
	}
	if n := living[0]; n.Program != "build of one" || n.Step < 68 || b.s.ProgramsNow() != 2 {
		b.Errorf("the first node is %+v, of %d versions", n, b.s.ProgramsNow())
	}
	for _, n := range []store.Node{one, two} {
		b.must(all.Stop(ctx, n.ID))
	}
	stopped, err := all.Gone(ctx)
	b.must(err)
	if n := stopped[0]; !n.Seen.IsZero() || n.Stopped.Before(n.Started) || n.Stopped.Sub(n.Started) > time.Hour {
		b.Errorf("a node that has stopped is %+v", n)
	}
	expect("the living", names(all.Living(ctx)))
	expect("the gone", names(all.Gone(ctx)), "one", "two")
	_, err = all.Start(ctx, alone)
	b.must(err)
	if _, err := all.Start(ctx, node("three", true)); tenants.KindOf(err) != tenants.Conflict {
		b.Errorf("beside one without a message system: %v", err)
	}
	if lived, err := all.Beat(ctx, one.ID); err != nil || lived {
		b.Errorf("the heartbeat of one that counted as gone: %v %v", lived, err)
	}
	b.must(all.Forget(ctx)) // nobody has been gone for a day
	expect("the living", names(all.Living(ctx)), "one", "alone")
	expect("the gone", names(all.Gone(ctx)), "two")
	// Two nodes that ran for days: one was killed a minute ago, the other one two days ago.
	day := int64(24 * time.Hour / time.Microsecond)
	old := "UPDATE nodes SET started_at = started_at - %d, seen_at = started_at - %d WHERE name = '%s'"
	b.must(b.statement(fmt.Sprintf(old, 3*day, int64(time.Minute/time.Microsecond), "two")))
	b.must(b.statement(fmt.Sprintf(old, 3*day, 2*day, "one")))
	expect("the gone", names(all.Gone(ctx)), "two")
	b.must(all.Forget(ctx))
	expect("the gone", names(all.Gone(ctx)), "two")
	for name, want := range map[string]int{"one": 0, "two": 1} {
		rows := b.raw("SELECT id FROM nodes WHERE name = '" + name + "'")
		equal(b, len(rows), want, "rows of "+name)
	}
}

// testHolders: one node holds the sound of a ring, another one once that is gone.
func testHolders(b *bench) {
	ctx, s := b.Context(), b.tenant()
	var nodes []store.Node
	for _, name := range []string{"one", "two"} {
		n := store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: name, Shared: true}
		_, err := b.s.Nodes().Start(ctx, n)
		b.must(err)
		nodes = append(nodes, n)
	}
	follow := b.s.Follow()
	if rings, more, err := follow.Next(ctx, 10); err != nil || more || len(rings) > 0 {
		b.Errorf("the first look gives %v %v %v", rings, more, err)
	}
	r := b.ring(s, b.device(s, "h1"))
	// On PostgreSQL a fact is seen once every transaction that began before it has ended, also the
	// transactions of the tests beside this one.
	var rings []store.Held
	var err error
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); err == nil && len(rings) == 0 && time.Now().Before(end); <-look.C {
		rings, _, err = follow.Next(ctx, 10)
	}
	if err != nil || len(rings) != 1 || rings[0].Ring != r.ID {
		b.Errorf("after a ring was placed: %v %v", rings, err)
	}
	hold := func(n, want store.Node) {
		b.Helper()
		if got, err := s.Rings().Hold(ctx, r.ID, n.ID); err != nil || got != want.ID {
			b.Errorf("held by %s, want %s: %v", got, want.ID, err)
		}
	}
	hold(nodes[0], nodes[0])
	hold(nodes[1], nodes[0])
	stranger := b.tenant().Rings() // changes nothing for the ring's tenant
	_, err = stranger.Hold(ctx, r.ID, nodes[1].ID)
	b.must(err)
	hold(nodes[1], nodes[0])
	b.must(stranger.Release(ctx, r.ID, nodes[1].ID))
	b.must(stranger.Release(ctx, r.ID, nodes[0].ID))
	b.must(s.Rings().Release(ctx, r.ID, nodes[1].ID)) // not its own
	if got, err := b.s.Nodes().Holder(ctx, r.ID); err != nil || got != nodes[0].ID {
		b.Errorf("the holder is %s: %v", got, err)
	}
	gone := func(want int) {
		b.Helper()
		held, err := b.s.Nodes().HeldByGone(ctx, time.Second, 10)
		if err != nil || len(held) != want || want > 0 && held[0].Node != nodes[0].ID {
			b.Errorf("held by nodes that are gone: %v %v", held, err)
		}
	}
	take := func(silent time.Duration, want bool) {
		b.Helper()
		if took, err := s.Rings().TakeOver(ctx, r.ID, nodes[0].ID, nodes[1].ID, silent); err != nil || took != want {
			b.Errorf("taken over: %v %v", took, err)
		}
	}
	if took, err := stranger.TakeOver(ctx, r.ID, nodes[0].ID, nodes[1].ID, 0); err != nil || took {
		b.Errorf("taken over by a stranger: %v %v", took, err)
	}
	take(time.Minute, false)
	gone(0)
	take(-time.Minute, true) // as if it had not been seen
	b.must(s.Rings().Release(ctx, r.ID, nodes[1].ID))
	hold(nodes[0], nodes[0])
	b.must(b.s.Nodes().Stop(ctx, nodes[0].ID))
	gone(0) // nobody talks
	b.record(s, r, 0, tenants.FactAnswered, r.CreatedAt)
	gone(1)
	hold(nodes[1], nodes[1])
	gone(0)
	b.must(b.s.Nodes().ForgetHolders(ctx)) // it has not ended
	if held, err := b.s.Nodes().HeldBy(ctx, nodes[1].ID); err != nil || len(held) != 1 || held[0].Ring != r.ID {
		b.Errorf("the second node holds %v: %v", held, err)
	}
	b.must(s.Rings().Release(ctx, r.ID, nodes[1].ID))
	if got, err := b.s.Nodes().Holder(ctx, r.ID); err != nil || got != "" {
		b.Errorf("the holder is %s: %v", got, err)
	}
}
