package tenants

import (
	"testing"
	"time"
)

// TestDigestAt: the mail is due from Monday 08:00 in the tenant's zone, also where clocks change.
func TestDigestAt(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]struct {
		week string
		due  bool
		from string
	}{
		"2026-11-23T06:59:59Z": {"2026-11-23", false, "2026-11-15T23:00:00Z"},
		"2026-11-23T07:00:00Z": {"2026-11-23", true, "2026-11-15T23:00:00Z"},
		"2026-11-24T22:59:00Z": {"2026-11-23", true, "2026-11-15T23:00:00Z"},
		"2026-11-25T00:00:00Z": {"2026-11-23", false, "2026-11-15T23:00:00Z"},
		"2026-11-29T22:59:00Z": {"2026-11-23", false, "2026-11-15T23:00:00Z"}, // Sunday, late
		"2026-03-30T06:00:00Z": {"2026-03-30", true, "2026-03-22T23:00:00Z"},  // clocks went forward the day before
		"2026-10-26T07:00:00Z": {"2026-10-26", true, "2026-10-18T22:00:00Z"},  // and back
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got := DigestAt(now, berlin)
		if got.Week != want.week || got.Due != want.due || got.From.UTC().Format(time.RFC3339) != want.from {
			t.Errorf("%s: %+v", at, got)
		}
	}
}
