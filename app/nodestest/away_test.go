package nodestest_test

import (
	"testing"
	"time"

	"carillon/gateway/phonetest"
)

// withoutPostgres: calls go on while PostgreSQL is away for longer than a node may be, and after
// that: all heartbeats are old then, and no node is lost.
func (w *world) withoutPostgres(t *testing.T, a, b *node) {
	calls := map[string]*phonetest.Call{}
	for _, n := range []*node{a, b} {
		id := n.place()
		calls[id] = w.answer(n.leg(id))
	}
	unended := func(when string, pause time.Duration) {
		t.Helper()
		over := time.After(pause)
		for _, call := range calls {
			select {
			case <-call.Closed():
				t.Fatalf("%s: a call has ended", when)
			case <-over:
				over = time.After(0)
			}
		}
	}
	w.server.Stop()
	unended("while PostgreSQL is away", 9*time.Second)
	if err := w.server.Start(); err != nil {
		t.Fatal(err)
	}
	unended("once PostgreSQL is back", 2*time.Second)
	for id, call := range calls {
		b.until(id, "a call after PostgreSQL was away", soon, func(r ring) bool { return r.State == "answered" })
		b.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		if err := closedWithin(call.Closed(), soon); err != nil {
			t.Errorf("a call that was cancelled: %v", err)
		}
	}
}
