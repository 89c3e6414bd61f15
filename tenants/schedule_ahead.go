package tenants

import "time"

// Shift is a time in which the hours of a schedule hold without a break.
type Shift struct{ From, To time.Time }

// Change is by how much a change of the clock makes the shift longer than the clock on the wall
// says; negative where it is shorter.
func (s Shift) Change() time.Duration {
	_, before := s.From.Zone()
	_, after := s.To.Zone()
	return time.Duration(before-after) * time.Second
}

// Ahead lists the shifts by the weekly hours and exceptions that touch the time between two
// moments, in order, by the clock of the schedule's zone. They are cut to that time.
func (s Schedule) Ahead(from, to time.Time) (shifts []Shift) {
	from, to = from.In(s.zone()), to.In(s.zone())
	for at := from; at.Before(to); {
		until, ok := s.Until(at)
		if !ok || until.After(to) {
			until = to
		}
		if s.on(at) {
			shifts = append(shifts, Shift{at, until.In(s.zone())})
		}
		at = until.In(s.zone())
	}
	return shifts
}

// ExceptionOn is the exception of a date, such as 2026-12-24.
func (s Schedule) ExceptionOn(date string) (e Exception, ok bool) {
	for _, e := range s.Exceptions {
		if e.Date == date {
			return e, true
		}
	}
	return e, false
}
