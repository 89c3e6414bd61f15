package tenants

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Hole is a time in which nobody of a group is on duty.
type Hole struct {
	Until     time.Time // zero = somebody is in no schedule of the next 60 days
	Schedules string    // the ids of those that leave it, in order: groups with the same ones share it
}

// Gap reports whether nobody of a group, and of those that follow it, is on duty at a moment.
//
// A group whose persons all keep the same weekly hours is closed outside of them, as it is meant to
// be. That is no gap: one is a time that several schedules, or a calendar, leave to nobody.
func Gap(now time.Time, g Group, d Duties) (h Hole, gap bool) {
	names, calendars := map[ScheduleID]bool{}, false
	for depth := 0; depth <= MaxEscalations; depth++ {
		for _, m := range g.Members {
			s, timed := d.Schedules[m.Schedule]
			if !timed {
				return Hole{}, false // always on duty
			}
			r := d.Rosters[s.Calendar]
			if on, _ := s.duty(m.Person, now, r); on {
				return Hole{}, false
			}
			names[s.ID], calendars = true, calendars || s.Calendar != ""
			if next := s.next(m.Person, now, r); !next.IsZero() && (h.Until.IsZero() || next.Before(h.Until)) {
				h.Until = next
			}
		}
		var more bool
		if g, more = d.Groups[g.Escalate]; !more {
			break
		}
	}
	h.Until = h.Until.UTC() // holes are compared
	ids := slices.Sorted(maps.Keys(names))
	for _, id := range ids {
		h.Schedules += string(id) + " "
	}
	return h, calendars || len(ids) > 1
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

// groupsNamed is how many groups a warning names where it leaves out some.
const groupsNamed = 10

// GapWarning says in a sentence that nobody is on duty for one or several groups.
func GapWarning(groups []string, until time.Time, zone *time.Location) string {
	who, them := "the group “"+groups[0]+"”", "it"
	if len(groups) > 1 {
		last, rest := "“"+groups[len(groups)-1]+"”", groups[:len(groups)-1]
		if more := len(groups) - groupsNamed; more > 1 { // one more is named
			last, rest = fmt.Sprintf("%d others", more), groups[:groupsNamed]
		}
		who, them = "the groups “"+strings.Join(rest, "”, “")+"” and "+last, "them"
	}
	if until.IsZero() {
		return fmt.Sprintf("Nobody of %s is on duty, and no schedule says when somebody will be. Rings to %s are refused.", who, them)
	}
	return fmt.Sprintf("Nobody of %s is on duty until %s (%s). Rings to %s are refused until then.", who,
		until.In(zone).Format("2 January 2006, 15:04"), zone, them)
}

// SameGap reports whether a warning is about a gap with this end, whichever groups it names. A gap
// without a known end is like no other.
func SameGap(warning string, until time.Time, zone *time.Location) bool {
	if until.IsZero() {
		return false
	}
	_, end, _ := strings.Cut(GapWarning([]string{""}, until, zone), "”")
	end, _, _ = strings.Cut(end, ").") // after the zone
	return strings.Contains(warning, end+").")
}
