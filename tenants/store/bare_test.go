package store_test

import (
	"testing"

	"carillon/tenants/store"
)

// TestBare: each ring that was placed is answered in the next commit, and takes room.
func TestBare(t *testing.T) {
	t.Parallel()
	b, err := store.OpenBare(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 50, 50} {
		if n, err := b.Write(100); err != nil || n != want {
			t.Errorf("turn %d: %d rings, %v; want %d", i, n, err, want)
		}
	}
	if n, err := b.Write(1); err != nil || n != 1 { // the 50 of before went with the first of its two commits
		t.Errorf("a caller alone: %d rings, %v", n, err)
	}
	if perRing, err := b.Close(); err != nil || perRing < 100 || perRing > 10_000 {
		t.Errorf("%.0f bytes a ring, %v", perRing, err)
	}
}
