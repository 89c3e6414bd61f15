package connections_test

import (
	"fmt"
	"testing"

	"carillon/app/connections"
	"carillon/tenants"
)

// TestFactsOfACommit: deliveries bound a commit. Facts that nobody wants do not hold up those of
// others, and a batch that is too large is followed by one that fits.
func TestFactsOfACommit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		facts, deliveries, next int
		fits                    bool
	}{
		{500, 0, 500, true}, {500, 30, 500, true}, {500, 60, 250, true}, {500, 200, 75, false}, {75, 30, 75, true},
		{30, 61, 14, false}, {1, 0, 30, true}, {1, 2, 15, true}, {20, 0, 500, true},
		{500, 50_000, 4, false}, {5, 500, 4, false}, {4, 400, 4, true},
	} {
		next, fits := connections.FactsFor(row.facts, row.deliveries)
		if next != row.next || fits != row.fits {
			t.Errorf("%d facts, %d deliveries: %d %v, want %d %v", row.facts, row.deliveries, next, fits, row.next, row.fits)
		}
	}
	for each := range 100 {
		next, _ := connections.FactsFor(500, 500*each)
		if _, fits := connections.FactsFor(next, next*each); !fits {
			t.Errorf("%d deliveries of a fact: %d facts do not fit either", each, next)
		}
	}
}

// TestABacklogOfManyDeliveriesIsFed: more than one commit may have, to several connections.
func TestABacklogOfManyDeliveriesIsFed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	r := w.trust(newReceiver(t, nil))
	for i := range 4 {
		w.connect(fmt.Sprintf("%s/%d", r.URL, i), tenants.EventRingPlaced)
	}
	for range 40 {
		w.place()
	}
	w.start(patience)
	seen := map[string]bool{}
	for len(seen) < 160 {
		seen[r.next(t).header.Get("webhook-id")] = true
	}
}
