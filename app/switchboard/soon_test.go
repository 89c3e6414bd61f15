package switchboard

import (
	"slices"
	"testing"

	"carillon/tenants"
)

// TestWhatWaitsIsStoredFirst: in one write with what comes later, in order, and what comes while it
// is stored waits for its end.
func TestWhatWaitsIsStoredFirst(t *testing.T) {
	t.Parallel()
	var s soonWrites
	var all [][]string
	named := func(name string) lateWrite {
		return lateWrite{ring: "r", held: name == "b", change: func(*tenants.Ring) []tenants.Fact { return []tenants.Fact{{Detail: name}} }}
	}
	behind := make(chan struct{})
	var write func(lateWrite)
	write = func(w lateWrite) {
		var names []string
		for _, f := range w.change(nil) {
			names = append(names, f.Detail)
		}
		if all = append(all, names); len(all) == 1 {
			if !w.held {
				t.Error("it would be stored although another node holds the call")
			}
			if s.add(named("d")) {
				t.Error("it looks as if nothing of the ring waited")
			}
			e := named("e")
			go func() {
				defer close(behind)
				s.store("r", &e, write)
			}()
		}
	}
	if !s.add(named("a")) || s.add(named("b")) {
		t.Error("the first of a ring is not known as the first")
	}
	c := named("c")
	s.store("r", &c, write)
	<-behind
	if !slices.Equal(all[0], []string{"a", "b", "c"}) || !slices.Equal(slices.Concat(all[1:]...), []string{"d", "e"}) {
		t.Errorf("stored as %q", all)
	}
	if s.find("r") != nil {
		t.Error("the ring is kept")
	}
	s.store("r", nil, write)
	s.store("r", &c, write)
	if n := len(all); !slices.Equal(all[n-1], []string{"c"}) {
		t.Errorf("with nothing that waits: %q", all[n-1])
	}
}

// TestSomebodysOwnChangeKeepsItsPlace: it is stored alone, behind what happened before and before
// what happened later.
func TestSomebodysOwnChangeKeepsItsPlace(t *testing.T) {
	t.Parallel()
	var s soonWrites
	var all []string
	named := func(name string) lateWrite {
		return lateWrite{ring: "r", change: func(*tenants.Ring) []tenants.Fact { return []tenants.Fact{{Detail: name}} }}
	}
	write := func(w lateWrite) {
		if w.own != nil {
			w.own()
			return
		}
		one := ""
		for _, f := range w.change(nil) {
			one += f.Detail
		}
		all = append(all, one)
	}
	own := func(name string) lateWrite { return lateWrite{ring: "r", own: func() { all = append(all, name) }} }
	for _, w := range []lateWrite{named("a"), named("b"), own("C"), own("D"), named("e")} {
		s.add(w)
	}
	f := named("f")
	s.store("r", &f, write)
	if !slices.Equal(all, []string{"ab", "C", "D", "ef"}) {
		t.Errorf("stored as %q", all)
	}
	s.add(own("G"))
	s.store("r", nil, write)
	if n := len(all); all[n-1] != "G" || s.find("r") != nil {
		t.Errorf("stored as %q", all)
	}
}
