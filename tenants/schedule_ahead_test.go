package tenants

import (
	"strings"
	"testing"
	"time"
)

func TestScheduleAhead(t *testing.T) {
	t.Parallel()
	night := Schedule{Zone: "Europe/Berlin", Exceptions: []Exception{{Date: "2026-10-26", Note: "closed"}}}
	for day := range night.Weekly {
		night.Weekly[day] = []Span{{22 * 60, 6 * 60}}
	}
	show := func(s Schedule, from, to string) string {
		var out []string
		for _, x := range s.Ahead(wallTime(t, s.Zone, from), wallTime(t, s.Zone, to)) {
			line := x.From.Format("2 15:04") + "-" + x.To.Format("2 15:04")
			if x.Change() != 0 {
				line += " " + x.Change().String()
			}
			out = append(out, line)
		}
		return strings.Join(out, ", ")
	}
	always := Schedule{Zone: "America/New_York"}
	for day := range always.Weekly {
		always.Weekly[day] = []Span{{0, DayMinutes}}
	}
	for _, c := range []struct {
		s              Schedule
		from, to, want string
	}{
		// The clock goes back on the 25th; on the 26th nobody is on duty.
		{night, "2026-10-24 03:00", "2026-10-28 00:00",
			"24 03:00-24 06:00, 24 22:00-25 06:00 1h0m0s, 25 22:00-26 06:00, 27 22:00-28 00:00"},
		// It goes forward on the 28th of March.
		{night, "2026-03-28 12:00", "2026-03-29 12:00", "28 22:00-29 06:00 -1h0m0s"},
		{always, "2026-11-01 00:00", "2026-11-03 00:00", "1 00:00-3 00:00 1h0m0s"},
		{Schedule{Zone: "UTC"}, "2026-11-01 00:00", "2026-11-03 00:00", ""},
		{always, "2026-11-03 00:00", "2026-11-03 00:00", ""},
	} {
		if got := show(c.s, c.from, c.to); got != c.want {
			t.Errorf("from %s to %s: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	if e, ok := night.ExceptionOn("2026-10-26"); !ok || e.Note != "closed" {
		t.Error("the exception of a date")
	}
	if _, ok := night.ExceptionOn("2026-10-27"); ok || time.Duration(0) != (Shift{}).Change() {
		t.Error("a date without an exception")
	}
}
