package store

import (
	"maps"
	"testing"
)

// TestKeyHopsPacked: what is packed comes out again, added to what was there; what is cut anywhere
// is refused or is less, and never a count that was not there.
func TestKeyHopsPacked(t *testing.T) {
	t.Parallel()
	hops := keyHops{{"placed", ringCounted}: 7, {"placed", counted}: 9, {"woke", 0}: 1, {"woke", 300}: 1 << 40}
	packed := hops.pack()
	twice := keyHops{}
	for range 2 {
		if err := twice.unpack(packed); err != nil {
			t.Fatal(err)
		}
	}
	want := keyHops{}
	want.add(hops)
	want.add(hops)
	if !maps.Equal(twice, want) {
		t.Errorf("packed and added twice: %v, want %v", twice, want)
	}
	refused := 0
	for n := range packed {
		part := keyHops{}
		if part.unpack(packed[:n]) != nil {
			refused++
		}
		for c, got := range part {
			if n, ok := hops[c]; !ok || got > n {
				t.Errorf("of %d bytes came %d of %v", n, got, c)
			}
		}
	}
	if refused < len(packed)/2 {
		t.Errorf("%d of %d cuts were refused", refused, len(packed))
	}
	if (keyHops{}).unpack([]byte{200}) == nil {
		t.Error("a length without its end was read")
	}
}
