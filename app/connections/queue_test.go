package connections

import (
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// TestNobodyWaitsForWhatLeftTheQueue: what is not sent now, because an event of its ring failed or
// because its receiver wants no more, is written as not sent, and the batch does not wait for it.
func TestNobodyWaitsForWhatLeftTheQueue(t *testing.T) {
	t.Parallel()
	f := newFirst()
	l := &line{rings: map[tenants.RingID]bool{}}
	var all []store.NewDelivery
	batch := func() {
		f.sent, f.left, f.ended = map[string]*sentFirst{}, 0, make(chan struct{})
		all, l.queue = nil, nil
		for _, d := range []tenants.Delivery{{Event: "a", Ring: "r"}, {Event: "b", Ring: "r"}, {Event: "c", Ring: "s"}} {
			all = append(all, store.NewDelivery{Event: d.Event, Ring: d.Ring})
			f.sent[d.Event] = &sentFirst{Delivery: d}
			f.left++
			l.queue = append(l.queue, d)
		}
	}
	attempt := func() tenants.Delivery {
		d, _ := l.next()
		f.begin(d)
		return d
	}
	everything := func(tenants.Delivery) bool { return true }
	until := time.Unix(1_700_000_000, 0)
	leased := func() (events string) {
		for _, s := range (&Engine{first: f}).toWrite(all, until) {
			if !s.Until.IsZero() {
				events += s.Event
			}
		}
		return events
	}

	batch()
	d := attempt()
	if held := l.settled(f, d, true); held || f.left != 2 {
		t.Errorf("after a failure: held %v, and %d are awaited", held, f.left)
	}
	f.over(l, &outcome{Outcome: store.Outcome{Delivery: d}})
	l.drop(f, everything)
	select {
	case <-f.ended:
	default:
		t.Errorf("%d are awaited", f.left)
	}
	if got := leased(); got != "a" || len(l.queue) != 0 {
		t.Errorf("as under way: %q, and %d wait", got, len(l.queue))
	}

	batch()
	d = attempt()
	if got := leased(); got != "abc" {
		t.Errorf("as under way: %q", got)
	}
	l.settled(f, d, true) // they are written so already
	l.drop(f, everything)
	for event, x := range f.sent {
		if x.back {
			t.Errorf("%s would come into the queue again", event)
		}
	}
}
