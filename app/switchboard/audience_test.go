package switchboard_test

import (
	"slices"
	"sync"
	"testing"

	"carillon/app/switchboard"
	"carillon/tenants"
)

func TestWatchTellsAllInOrderAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	told := make(chan tenants.Fact, 32)
	done := make(chan error, 1)
	go func() {
		done <- w.board.Watch(t.Context(), w.caller.Tenant.ID, r.ID, 0, func(fs []tenants.Fact, _ *tenants.Ring) error {
			for _, f := range fs {
				told <- f
			}
			return nil
		})
	}()
	w.state(r.ID, tenants.Pushed)
	for _, k := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown, tenants.FactDeclined} {
		w.report(d, r, k)
	}
	must(t, <-done)
	close(told)
	var last int64
	var kinds []tenants.FactKind
	for f := range told {
		if f.Seq <= last {
			t.Errorf("%s out of order", f.Kind)
		}
		last = f.Seq
		kinds = append(kinds, f.Kind)
	}
	if len(kinds) != 6 || kinds[5] != tenants.FactDeclined {
		t.Errorf("told %v", kinds)
	}
}

// heardFacts is an audience that keeps what it gets.
type heardFacts struct {
	name string
	mu   *sync.Mutex // guards all
	all  *[]string
}

func (h heardFacts) Recorded(_ *tenants.Ring, facts []tenants.Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range facts {
		*h.all = append(*h.all, h.name+" "+string(f.Kind))
	}
}

// TestAudiencesGetCommittedFactsInOrder: every audience gets every fact, and a refused or repeated
// report reaches none.
func TestAudiencesGetCommittedFactsInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	w, _ := scripted(t, func(c *switchboard.Config) {
		c.Audiences = []switchboard.Audience{heardFacts{"first", &mu, &all}, heardFacts{"second", &mu, &all}}
	})
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	for range 2 {
		w.report(d, r, tenants.FactDeclined)
	}
	want := []string{
		"first placed", "second placed", "first sent", "first accepted", "second sent", "second accepted",
		"first declined", "second declined",
	}
	if !slices.Equal(all, want) {
		t.Errorf("heard %v, want %v", all, want)
	}
}
