package tenants

import (
	"testing"
	"time"
)

// TestQuietHoursHold: hours over midnight belong to the day on which they begin.
func TestQuietHoursHold(t *testing.T) {
	t.Parallel()
	night := QuietHours{From: 21 * 60, To: 8 * 60, Days: EveryDay}
	friday := QuietHours{From: 21 * 60, To: 8 * 60, Days: 1 << time.Friday}
	noon := QuietHours{From: 12 * 60, To: 13 * 60, Days: EveryDay}
	for _, c := range []struct {
		of   QuietHours
		at   string // 2026-11-27 is a Friday
		want bool
	}{
		{night, "2026-11-27 20:59", false}, {night, "2026-11-27 21:00", true}, {night, "2026-11-27 00:00", true},
		{night, "2026-11-27 07:59", true}, {night, "2026-11-27 08:00", false},
		{friday, "2026-11-27 07:59", false}, {friday, "2026-11-27 23:00", true}, {friday, "2026-11-28 07:59", true},
		{friday, "2026-11-28 08:00", false}, {friday, "2026-11-28 22:00", false},
		{noon, "2026-11-27 12:00", true}, {noon, "2026-11-27 13:00", false}, {noon, "2026-11-27 00:00", false},
		{QuietHours{}, "2026-11-27 00:00", false}, {QuietHours{From: 60, To: 60, Days: EveryDay}, "2026-11-27 01:00", false},
	} {
		at, err := time.Parse("2006-01-02 15:04", c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.of.Hold(at); got != c.want {
			t.Errorf("%+v at %s: %v", c.of, c.at, got)
		}
	}
}

// TestStaleChanges: a stored change that the industry does not allow any more refuses no other
// change, and is named.
func TestStaleChanges(t *testing.T) {
	t.Parallel()
	set := RuleSet{Retention: map[DataKind]Keep{DataRings: {Days: 30, Least: 10, Most: 60}, DataNotes: {Days: 30, Least: 10, Most: 60}}}
	before := &RuleChanges{Retention: map[DataKind]int{DataRings: 400}}
	after := &RuleChanges{Retention: map[DataKind]int{DataRings: 400, DataNotes: 20}}
	if err := set.Check(after.Since(before)); err != nil {
		t.Errorf("a change beside a stale one: %v", err)
	}
	after.Keep(DataRings, 500)
	if set.Check(after.Since(before)) == nil {
		t.Error("a change out of bounds is taken")
	}
	if !after.Since(after).Empty() {
		t.Errorf("nothing changed, and %+v did", after.Since(after))
	}
	var stale []string
	for id, one := range before.Each() {
		if set.Check(one) != nil {
			stale = append(stale, id)
		}
	}
	if len(stale) != 1 || stale[0] != "retention.rings" {
		t.Errorf("stale: %v", stale)
	}
}
