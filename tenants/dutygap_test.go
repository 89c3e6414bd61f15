package tenants

import (
	"strings"
	"testing"
	"time"
)

func TestGap(t *testing.T) {
	t.Parallel()
	now := wallTime(t, "Europe/Berlin", "2026-11-27 20:00") // a Friday
	hours := func(id ScheduleID, from, to int) Schedule {
		s := Schedule{ID: id, Name: string(id), Zone: "Europe/Berlin"}
		for day := range s.Weekly {
			s.Weekly[day] = []Span{{from * 60, to * 60}}
		}
		return s
	}
	fed := Schedule{ID: "fed", Zone: "Europe/Berlin", Calendar: "feed"}
	d := Duties{Groups: map[GroupID]Group{}, Schedules: map[ScheduleID]Schedule{"day": hours("day", 8, 16), "late": hours("late", 16, 19),
		"night": hours("night", 19, 8), "fed": fed}, Rosters: map[ConnectionID]Roster{"feed": {GoodAt: now, Duties: []Duty{
		{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour), Person: "ana"}, {From: now.Add(3 * time.Hour), To: now.Add(9 * time.Hour),
			Person: "ana"}}}}}
	group := func(schedules ...ScheduleID) Group {
		g := Group{ID: "g", Name: "Line"}
		for _, s := range schedules {
			g.Members = append(g.Members, GroupMember{Person: "ana", Schedule: s})
		}
		return g
	}
	escalates := group("day", "late")
	escalates.Escalate, d.Groups["next"] = "next", group("night")
	never := d
	never.Rosters = map[ConnectionID]Roster{"feed": {GoodAt: now}}
	for name, c := range map[string]struct {
		g     Group
		d     Duties
		gap   bool
		until string
	}{
		"somebody is always on duty":    {group("day", ""), d, false, ""},
		"two schedules with a hole":     {group("day", "late"), d, true, "28 08:00"},
		"the night is covered":          {group("day", "night"), d, false, ""},
		"closed as all of them are":     {group("day", "day"), d, false, "28 08:00"},
		"the next group is on duty":     {escalates, d, false, ""},
		"a calendar with a hole":        {group("fed"), d, true, "27 23:00"},
		"a calendar that names nobody":  {group("fed"), never, true, ""},
		"a calendar that was not read":  {group("fed"), Duties{Schedules: d.Schedules}, false, ""},
		"a schedule that was not found": {group("gone"), d, false, ""},
	} {
		hole, gap := Gap(now, c.g, c.d)
		got := ""
		if !hole.Until.IsZero() {
			got = hole.Until.In(now.Location()).Format("2 15:04")
		}
		if gap != c.gap || got != c.until {
			t.Errorf("%s: %v until %q, want %v until %q", name, gap, got, c.gap, c.until)
		}
	}
	if one, other := group("late", "day"), group("day", "late", "day"); func() bool {
		a, _ := Gap(now, one, d)
		b, _ := Gap(now, other, d)
		c, _ := Gap(now, group("late", "fed"), d)
		return a != b || a.Schedules == c.Schedules
	}() {
		t.Error("groups with the same schedules share their gap, and others do not")
	}
	if s := GapWarning([]string{"A", "B", "C"}, now, now.Location()); !strings.HasPrefix(s,
		"Nobody of the groups “A”, “B” and “C” is on") ||
		!strings.Contains(s, "Rings to them are") {
		t.Error(s)
	}
	if s := GapWarning(strings.Split("abcdefghijklm", ""), now, now.Location()); !strings.Contains(s, "“j” and 3 others is") {
		t.Error(s)
	}
	if s := GapWarning(strings.Split("abcdefghijk", ""), now, now.Location()); !strings.Contains(s, "“j” and “k” is") {
		t.Error(s)
	}
	if one := GapWarning([]string{"Line"}, now, now.Location()); !SameGap(one, now, now.Location()) ||
		!SameGap(GapWarning([]string{"Line", "B"}, now, now.Location()), now, now.Location()) ||
		SameGap(one, now.Add(time.Minute), now.Location()) || SameGap(one, time.Time{}, now.Location()) {
		t.Error("the end tells which gap a warning is about")
	}
	if s := GapWarning([]string{"Line"}, now, now.Location()); !strings.Contains(s, "until 27 November 2026, 20:00 (Europe/Berlin)") {
		t.Error(s)
	}
	if s := GapWarning([]string{"Line"}, time.Time{}, now.Location()); !strings.Contains(s, "no schedule says when") {
		t.Error(s)
	}
	if group("").Timed() || !group("", "day").Timed() {
		t.Error("whether a group has schedules")
	}
}
