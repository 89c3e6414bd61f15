package storetest

import (
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testNodes: nodes with a message system live side by side, and one without is alone.
func testNodes(b *bench) {
	ctx, all := b.Context(), b.s.Nodes()
	node := func(name string, shared bool) store.Node {
		return store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: name, Shared: shared}
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
	for _, n := range []store.Node{one, two} {
		b.must(all.Stop(ctx, n.ID))
	}
	expect("the living", names(all.Living(ctx)))
	expect("the gone", names(all.Gone(ctx)), "one", "two")
	_, err := all.Start(ctx, alone)
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
}
