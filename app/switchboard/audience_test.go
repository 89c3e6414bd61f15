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

// TestWatchBeginsAgainBehindWhatWasLost: a reader has come as far as a fact that the database has
// lost. New facts may have its number and those before it, so it gets all facts of the ring.
func TestWatchBeginsAgainBehindWhatWasLost(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, nil)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	w.report(d, r, tenants.FactDeclined)
	ended := w.state(r.ID, tenants.Declined)
	all := ended.Facts()
	for after, want := range map[int64]int{
		0: len(all), all[0].Seq: len(all) - 1, all[len(all)-1].Seq: 0, all[len(all)-1].Seq + 1000: len(all),
	} {
		var told []tenants.Fact
		must(t, w.board.Watch(t.Context(), r.Tenant, r.ID, after, func(fs []tenants.Fact, _ *tenants.Ring) error {
			told = append(told, fs...)
			return nil
		}))
		if len(told) != want {
			t.Errorf("behind %d: %d facts of %d, want %d", after, len(told), len(all), want)
		}
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
