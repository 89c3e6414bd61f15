package tenants

import (
	"testing"
	"time"
)

// TestPushIDs: an apns-id says when its ring was placed to who has the key, and to nobody else.
func TestPushIDs(t *testing.T) {
	t.Parallel()
	ids, err := NewPushIDs([]byte("a key of sixteen"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewPushIDs([]byte("another key: 16."))
	if err != nil {
		t.Fatal(err)
	}
	at, same := time.Date(2026, 11, 28, 5, 30, 1, 234_567_000, time.UTC), 0
	seen := map[string]bool{}
	for range 1000 {
		id := ids.New(at)
		if !ValidID(id) || id[14] != '4' || seen[id[24:]] {
			t.Fatalf("%s is no random UUID, or its end is that of another", id)
		}
		seen[id[24:]] = true
		if got := ids.Placed(id); !got.Equal(at.Truncate(time.Millisecond)) {
			t.Fatalf("%s was placed at %s", id, got)
		}
		if other.Placed(id).Equal(at.Truncate(time.Millisecond)) {
			same++
		}
	}
	if same > 0 {
		t.Error("another key reads the time")
	}
	if !ids.Placed("x").IsZero() {
		t.Error("a time of what is no id")
	}
}
