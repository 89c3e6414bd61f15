package tenants

import (
	"fmt"
	"slices"
	"time"
)

// DayMinutes is the minutes of a day by the clock on the wall.
const DayMinutes = 24 * 60

// Span is a part of a day, in minutes from midnight by the clock on the wall. From after To goes
// over midnight: To is then of the next day.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Exception is a date on which other hours hold than every week. No spans = off all day.
type Exception struct {
	Date  string `json:"date"` // 2026-12-24, in the schedule's zone
	Spans []Span `json:"spans"`
	Note  string `json:"note"`
}

// Schedule says when persons are on duty: by weekly hours with exceptions, or by a calendar.
type Schedule struct {
	ID         ScheduleID
	Tenant     TenantID
	Name       string
	Zone       string    // IANA name; hours are by the clock on the wall there
	Weekly     [7][]Span // by time.Weekday
	Exceptions []Exception
	Calendar   ConnectionID // a connection of the role calendar; it then decides alone. Empty = none
	CreatedAt  time.Time
}

// The bounds of a schedule.
const (
	maxSpans      = 6   // of a day
	maxExceptions = 200 // of a schedule
)

// Check refuses a schedule whose fields break a rule, naming every wrong one.
func (s Schedule) Check() error {
	var f faults
	f.add(ValidText(s.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(validZone(s.Zone), "time_zone", "an IANA time zone such as Europe/Berlin")
	hours := false
	for day, spans := range s.Weekly {
		f.add(validSpans(spans), "weekly", time.Weekday(day).String()+": at most 6 spans from 00:00 to 24:00, each with a beginning "+
			"and another end, none of them in another")
		hours = hours || len(spans) > 0
	}
	f.add(s.Calendar == "" || !hours && len(s.Exceptions) == 0, "calendar", "a calendar decides alone: give no hours and no exceptions "+
		"beside it")
	f.add(len(s.Exceptions) <= maxExceptions, "exceptions", "at most 200 dates")
	dates := map[string]bool{}
	for _, e := range s.Exceptions {
		_, err := time.Parse(time.DateOnly, e.Date)
		f.add(err == nil, "exceptions", "a date is written like 2026-12-24")
		f.add(!dates[e.Date], "exceptions", e.Date+" is named twice")
		f.add(validSpans(e.Spans), "exceptions", e.Date+": at most 6 spans, none of them in another")
		f.add(ValidText(e.Note, 0, 80), "exceptions", e.Date+": a note has at most 80 characters")
		dates[e.Date] = true
	}
	return f.err()
}

func validSpans(spans []Span) bool {
	if len(spans) > maxSpans {
		return false
	}
	for i, a := range spans {
		if a.From < 0 || a.From >= DayMinutes || a.To < 0 || a.To > DayMinutes || a.From == a.To {
			return false
		}
		for _, b := range spans[:i] {
			if a.From < b.end() && b.From < a.end() {
				return false
			}
		}
	}
	return true
}

// end is the minute at which the span ends, counted from the midnight before it begins.
func (s Span) end() int {
	if s.To < s.From {
		return DayMinutes + s.To
	}
	return s.To
}

// zone is the schedule's time zone; UTC on a machine without the data of time zones.
func (s Schedule) zone() *time.Location {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return time.UTC // zones were checked when they were set
	}
	return zone
}

// On reports whether the hours hold at a moment. They are by the clock on the wall: an hour that a
// change of the clock skips is no duty, and one that comes twice is duty twice. A calendar is not
// looked at here.
func (s Schedule) On(at time.Time) bool { return s.on(at.In(s.zone())) }

// on is On for a moment in the schedule's zone.
func (s Schedule) on(local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	for _, span := range s.spans(local.Date()) {
		if minute >= span.From && minute < span.end() {
			return true
		}
	}
	year, month, day := local.Date()
	for _, span := range s.spans(year, month, day-1) {
		if minute+DayMinutes < span.end() {
			return true
		}
	}
	return false
}

// spans are the hours that begin on a date. A day outside of its month is brought into it.
func (s Schedule) spans(year int, month time.Month, day int) []Span {
	date := time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
	name := date.Format(time.DateOnly)
	for _, e := range s.Exceptions {
		if e.Date == name {
			return e.Spans
		}
	}
	return s.Weekly[date.Weekday()]
}

// aheadDays is how far a schedule is looked through for its next change: first near, then far.
var aheadDays = []int{1, 8, 60}

// Until returns the next moment after at from which On gives another answer. ok is false if that is
// more than 60 days away.
func (s Schedule) Until(at time.Time) (until time.Time, ok bool) {
	at = at.In(s.zone())
	on := s.on(at)
	for _, days := range aheadDays {
		for _, m := range s.moments(at, days) {
			if s.on(m) != on {
				return m, true
			}
		}
	}
	return time.Time{}, false
}

// moments are those after at, which is in the schedule's zone, and within days, at which On may
// change: the beginnings and ends of spans, midnights, because another date may have other hours,
// and changes of the clock.
func (s Schedule) moments(at time.Time, days int) (all []time.Time) {
	zone := at.Location()
	year, month, day := at.Date()
	for d := day - 1; d <= day+days; d++ {
		minutes := []int{0}
		for _, span := range s.spans(year, month, d) {
			minutes = append(minutes, span.From, span.end())
		}
		for _, minute := range minutes {
			all = append(all, onWall(year, month, d, minute, zone)...)
		}
		_, ends := time.Date(year, month, d, 12, 0, 0, 0, zone).ZoneBounds()
		all = append(all, ends)
	}
	last := time.Date(year, month, day+days+1, 0, 0, 0, 0, zone) // later moments are known in part only
	all = slices.DeleteFunc(all, func(m time.Time) bool { return !m.After(at) || m.After(last) })
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// onWall are the moments at which the clock on the wall shows a minute of a date: none in an hour
// that a change of the clock skips, two in one that comes twice.
func onWall(year int, month time.Month, day, minute int, zone *time.Location) (moments []time.Time) {
	wall := time.Date(year, month, day, 0, minute, 0, 0, time.UTC)
	seen := map[int]bool{}
	for _, hours := range []time.Duration{-26, 0, 26} {
		_, offset := wall.Add(hours * time.Hour).In(zone).Zone()
		if seen[offset] {
			continue
		}
		seen[offset] = true
		m := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, is := m.Zone(); is == offset {
			moments = append(moments, m)
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	return moments
}

// sayTime says a moment as a person would: the time alone today, with the weekday within a week,
// else with the date.
func sayTime(now, at time.Time, zone *time.Location) string {
	now, at = now.In(zone), at.In(zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	switch {
	case at.Before(today.AddDate(0, 0, 1)):
		return at.Format("15:04")
	case at.Before(today.AddDate(0, 0, 7)):
		return at.Format("Monday 15:04")
	}
	return at.Format("2 January 15:04")
}

// rosterStale is the age from which on a calendar's last good copy decides nothing.
const rosterStale = 24 * time.Hour

// duty says whether the schedule has a person on duty, and why. A calendar that could not be read
// for a day leaves nobody out: an emergency must not go unheard because of a broken feed.
func (s Schedule) duty(person string, now time.Time, r Roster) (on bool, why string) {
	if s.Calendar == "" {
		return s.hours(person, now)
	}
	age := now.Sub(r.GoodAt)
	switch {
	case r.GoodAt.IsZero():
		return true, fmt.Sprintf("The calendar of %s was never read: nobody is left out", s.Name)
	case age > rosterStale:
		return true, fmt.Sprintf("The calendar of %s was last read %s ago: nobody is left out", s.Name, sayAge(age))
	}
	note := ""
	if r.Failed > 0 {
		note = fmt.Sprintf(" (by the calendar as it was %s ago)", sayAge(age))
	}
	for _, d := range r.On(now) {
		if d.Person == person {
			why = fmt.Sprintf("%s is on call until %s", person, sayTime(now, d.To, s.zone()))
			return true, why + note
		}
	}
	for _, d := range r.Duties {
		if d.Person == person && d.From.After(now) {
			why = fmt.Sprintf("%s is off until %s", person, sayTime(now, d.From, s.zone()))
			return false, why + note
		}
	}
	return false, fmt.Sprintf("%s is not on call in the next %d days%s", person, RosterDays, note)
}

// hours is duty by the weekly hours.
func (s Schedule) hours(person string, now time.Time) (on bool, why string) {
	until, found := s.Until(now)
	on = s.On(now)
	switch {
	case on && found:
		return true, fmt.Sprintf("%s is on duty until %s", person, sayTime(now, until, s.zone()))
	case on:
		return true, person + " is on duty"
	case found:
		why = fmt.Sprintf("%s is off until %s", person, sayTime(now, until, s.zone()))
	default:
		why = person + " is off"
	}
	year, month, day := now.In(s.zone()).Date()
	today := time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
	for _, e := range s.Exceptions {
		if e.Date == today && e.Note != "" {
			why += " (" + e.Note + ")"
		}
	}
	return false, why
}

// sayAge says how old something is, in minutes or hours.
func sayAge(d time.Duration) string {
	if d < 2*time.Hour {
		return fmt.Sprintf("%d minutes", int(d/time.Minute))
	}
	return fmt.Sprintf("%d hours", int(d/time.Hour))
}
