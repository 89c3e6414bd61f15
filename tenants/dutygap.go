package tenants

import (
	"fmt"
	"time"
)

// Gap reports whether nobody of a group, and of those that follow it, is on duty at a moment, and
// until when: zero = somebody is in no schedule of the next 60 days.
//
// A group whose persons all keep the same weekly hours is closed outside of them, as it is meant to
// be. That is no gap: one is a time that several schedules, or a calendar, leave to nobody.
func Gap(now time.Time, g Group, d Duties) (until time.Time, gap bool) {
	names, calendars := map[ScheduleID]bool{}, false
	for depth := 0; depth <= MaxEscalations; depth++ {
		for _, m := range g.Members {
			s, timed := d.Schedules[m.Schedule]
			if !timed {
				return time.Time{}, false // always on duty
			}
			r := d.Rosters[s.Calendar]
			if on, _ := s.duty(m.Person, now, r); on {
				return time.Time{}, false
			}
			names[s.ID], calendars = true, calendars || s.Calendar != ""
			if next := s.next(m.Person, now, r); !next.IsZero() && (until.IsZero() || next.Before(until)) {
				until = next
			}
		}
		var more bool
		if g, more = d.Groups[g.Escalate]; !more {
			break
		}
	}
	return until, calendars || len(names) > 1
}

// next is when a person who is off comes on duty; zero = not that is known.
func (s Schedule) next(person string, now time.Time, r Roster) time.Time {
	if s.Calendar == "" {
		until, _ := s.Until(now)
		return until
	}
	for _, duty := range r.Duties { // in order
		if duty.Person == person && duty.From.After(now) {
			return duty.From
		}
	}
	return time.Time{}
}

// Timed reports whether a member of the group has a schedule.
func (g Group) Timed() bool {
	for _, m := range g.Members {
		if m.Schedule != "" {
			return true
		}
	}
	return false
}

// GapWarning says in a sentence that nobody is on duty for a group.
func GapWarning(g Group, until time.Time, zone *time.Location) string {
	if until.IsZero() {
		return fmt.Sprintf("Nobody of the group “%s” is on duty, and no schedule says when somebody will be. Rings to it are refused.",
			g.Name)
	}
	return fmt.Sprintf("Nobody of the group “%s” is on duty until %s (%s). Rings to it are refused until then.", g.Name,
		until.In(zone).Format("2 January 2006, 15:04"), zone)
}
