package page

import (
	"context"
	"testing"
	"time"

	"carillon/tenants"
)

// TestTheQueueForPasswordsIsBoundedByTime: who would wait too long is refused, and a known browser
// finds a slot beside any number of strangers.
func TestTheQueueForPasswordsIsBoundedByTime(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(0)
	if err != nil {
		t.Fatal(err)
	}
	var leave func()
	for range cap(p.strangers) {
		if leave, err = p.enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.enter(soon, false); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("a stranger who waits too long: %v", err)
	}
	var known func()
	for range cap(p.slots) - cap(p.strangers) {
		if known, err = p.enter(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.enter(soon, true); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("every slot is taken: %v", err)
	}
	leave()
	known()
	if _, err := p.enter(t.Context(), false); err != nil {
		t.Error(err)
	}
}

// TestHashesLeaveRoom: hashes that run at once leave two thirds of a small memory to the rest, and
// those of strangers half of the processors.
func TestHashesLeaveRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		memory                     int64
		processors, all, strangers int
	}{
		{0, 1, 2, 1}, {0, 2, 2, 1}, {0, 3, 3, 1}, {0, 64, 4, 2}, {64 << 20, 64, 2, 1}, {128 << 20, 64, 2, 1}, {200 << 20, 64, 3, 1},
		{230 << 20, 64, 4, 2}, {8 << 30, 64, 4, 2},
	} {
		if all, strangers := slotsFor(c.memory, c.processors); all != c.all || strangers != c.strangers {
			t.Errorf("%+v: %d and %d", c, all, strangers)
		}
	}
}
