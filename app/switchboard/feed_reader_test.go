package switchboard

import (
	"context"
	"errors"
	"testing"
)

// TestAFollowerThatLacksReads gets those that are kept, and learns that others are not.
func TestAFollowerThatLacksReads(t *testing.T) {
	t.Parallel()
	r := &feedReader{news: make(chan struct{})}
	for range feedKeep + 4 {
		r.publish(feedRead{})
	}
	for seen, want := range map[int]struct {
		reads int
		lost  bool
	}{r.count() - 1: {1, false}, r.count() - feedKeep: {feedKeep, false}, r.count() - feedKeep - 1: {feedKeep, true}, 0: {feedKeep, true}} {
		reads, lost, err := r.after(t.Context(), seen)
		if len(reads) != want.reads || lost != want.lost || err != nil {
			t.Errorf("after %d: %d reads, lost %t, %v", seen, len(reads), lost, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.after(gone, r.count()); !errors.Is(err, context.Canceled) {
		t.Errorf("a follower that leaves: %v", err)
	}
	why := errors.New("the database is away")
	r.fail(why)
	if _, _, err := r.after(t.Context(), r.count()); !errors.Is(err, why) {
		t.Errorf("after the reader has failed: %v", err)
	}
}
