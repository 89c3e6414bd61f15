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
	p, err := NewPasswords()
	if err != nil {
		t.Fatal(err)
	}
	var leave func()
	for range hashesAtOnce - 1 {
		if leave, err = p.enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.enter(soon, false); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("a stranger who waits too long: %v", err)
	}
	known, err := p.enter(t.Context(), true)
	if err != nil {
		t.Fatal(err)
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
