package store

import (
	"sync"
	"time"
)

// gapMost is how far apart two heartbeats of a steady node may be. After a longer outage of the
// database the others' heartbeats may be so old that they look gone, until they have reached it
// again.
const gapMost = 4 * time.Second

// beats are this node's own heartbeats, by its monotonic clock.
type beats struct {
	mu          sync.Mutex // guards all fields
	began, last time.Time  // of those without a gap; zero = there was none
	gap         bool       // there were others before began
}

// add notes a heartbeat. lived is false where the others had counted this node as gone.
func (b *beats) add(at time.Time, lived bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := b.last.IsZero()
	if first || !lived || at.Sub(b.last) > gapMost {
		b.began, b.gap = at, !first || !lived
	}
	b.last = at
}

// steady reports heartbeats without a gap for so long that the others have sent theirs too.
func (b *beats) steady(at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.last.IsZero() && at.Sub(b.last) <= gapMost && at.Sub(b.began) > NodeGone
}

// returned reports that this node reached the database again a short while ago.
func (b *beats) returned(at time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gap && at.Sub(b.began) <= NodeGone
}

// Steady reports whether this node may find that another one is lost. It may not just after it has
// started, or has reached the database again: perhaps no node did, and all heartbeats are old.
func (s Nodes) Steady() bool { return s.beats.steady(time.Now()) }
