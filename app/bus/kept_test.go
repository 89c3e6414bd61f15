package bus

import (
	"testing"
	"time"

	"carillon/tenants"
)

// TestRevocationsAreKept: one finds room beside too many hints, and waits where it could not be
// sent.
func TestRevocationsAreKept(t *testing.T) {
	t.Parallel()
	b := &Shared{Local: New(), pending: map[topic]struct{}{}, wake: make(chan struct{}, 1)}
	now := time.Now()
	tenant := tenants.NewID[tenants.TenantID](now)
	for range tellMost + 1 {
		b.Tell(tenant, tenants.NewID[tenants.RingID](now))
	}
	b.Tell(tenant, "")
	if n := b.counts.Dropped.Load(); n != 1 {
		t.Errorf("%d hints were dropped, want the one about a ring", n)
	}
	kept := 0
	for _, message := range b.take() {
		kept += b.keep(message)
	}
	if _, waits := b.pending[topic{tenant, ""}]; kept != 1 || len(b.pending) != 1 || !waits {
		t.Errorf("kept %d hints, and %d wait", kept, len(b.pending))
	}
}
