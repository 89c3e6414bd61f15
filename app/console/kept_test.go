package console

import "testing"

// TestAFullTableDropsTheFirst: the other entries stay.
func TestAFullTableDropsTheFirst(t *testing.T) {
	t.Parallel()
	kept := table[int, int]{most: 3}
	for i := range 10 {
		*kept.entry(i) = i + 1
		if i > 1 && (*kept.entry(i - 1) != i || *kept.entry(i - 2) != i-1) || len(kept.kept) > 3 || len(kept.order) > 3 {
			t.Fatalf("after %d: %d entries in order %v", i, len(kept.kept), kept.order)
		}
	}
	if *kept.entry(6) != 0 {
		t.Error("the first entry stayed")
	}
}
