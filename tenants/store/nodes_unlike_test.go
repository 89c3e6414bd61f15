package store_test

import (
	"testing"
	"time"

	"carillon/tenants/store"
)

// TestCompareNodes: clocks more than a second apart, the database's among them, and versions that
// run beside each other for over an hour, whatever restarts meanwhile.
func TestCompareNodes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	node := func(program string, ago, off time.Duration) store.Node {
		return store.Node{Program: program, Started: now.Add(-ago), ClockOff: off}
	}
	ran := func(program string, from, to time.Duration) store.Node {
		return store.Node{Program: program, Started: now.Add(-from), Stopped: now.Add(-to)}
	}
	lost := func(program string, from, to time.Duration) store.Node {
		return store.Node{Program: program, Started: now.Add(-from), Seen: now.Add(-to)}
	}
	const hour = time.Hour
	for name, c := range map[string]struct {
		nodes, gone      []store.Node
		clocks, programs bool
		since            time.Duration // ago; 0 = never
	}{
		"none":          {},
		"alike":         {nodes: []store.Node{node("a", 5*hour, 400*time.Millisecond), node("a", hour, -400*time.Millisecond)}},
		"one is ahead":  {nodes: []store.Node{node("a", hour, 1100*time.Millisecond)}, clocks: true},
		"one is behind": {nodes: []store.Node{node("a", hour, 0), node("a", hour, -1100*time.Millisecond)}, clocks: true},
		"two ways": {nodes: []store.Node{node("a", hour, 600*time.Millisecond), node("a", hour, -600*time.Millisecond)},
			clocks: true},
		"an upgrade": {nodes: []store.Node{node("a", 9*hour, 0), node("b", hour, 0)}, since: hour},
		"one that was left": {nodes: []store.Node{node("a", 9*hour, 0), node("b", hour+time.Second, 0)}, programs: true,
			since: hour + time.Second},
		"and one restarted": {nodes: []store.Node{node("", 9*hour, 0), node("b", 2*hour, 0), node("b", time.Minute, 0)}, programs: true,
			since: 2 * hour},
		"the only one restarted": {nodes: []store.Node{node("a", 9*hour, 0), node("b", time.Minute, 0)},
			gone: []store.Node{ran("b", 2*hour, 2*time.Minute), ran("c", 5*hour, time.Minute)}, programs: true, since: 2 * hour},
		"it restarted again and again": {nodes: []store.Node{node("a", 9*hour, 0), node("b", time.Minute, 0)}, programs: true,
			since: 30 * hour, gone: []store.Node{lost("b", 3*hour, hour), ran("b", 30*hour, 3*hour), ran("b", hour, time.Minute),
				ran("a", 50*hour, 9*hour)}},
		"one was tried and taken back": {nodes: []store.Node{node("a", 40*hour, 0), node("b", time.Minute, 0)}, since: time.Minute,
			gone: []store.Node{ran("b", 20*hour, 20*hour-10*time.Minute)}},
		"one was tried and killed": {nodes: []store.Node{node("a", 40*hour, 0), node("b", time.Minute, 0)}, since: time.Minute,
			gone: []store.Node{lost("b", 20*hour, 2*hour)}},
		"nobody knows when it stopped": {nodes: []store.Node{node("a", 40*hour, 0), node("b", time.Minute, 0)}, since: time.Minute,
			gone: []store.Node{node("b", 20*hour, 0)}},
		"the old one restarted": {nodes: []store.Node{node("a", time.Minute, 0), node("b", 2*hour, 0)},
			gone: []store.Node{lost("a", 9*hour, 3*time.Minute)}, programs: true, since: 2 * hour},
		"a third version came": {nodes: []store.Node{node("a", 9*hour, 0), node("b", 2*hour, 0), node("c", time.Minute, 0)},
			programs: true, since: 2 * hour},
		"an upgrade was brought to its end": {nodes: []store.Node{node("b", hour, 0)}, gone: []store.Node{node("a", 9*hour, 0)}},
	} {
		u := store.Compare(c.nodes, c.gone)
		since := time.Time{}
		if c.since > 0 {
			since = now.Add(-c.since)
		}
		if u.ClocksBad() != c.clocks || u.ProgramsBad(now) != c.programs || !u.Since.Equal(since) {
			t.Errorf("%s: %+v", name, u)
		}
	}
}
