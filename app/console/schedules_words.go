package console

import (
	"fmt"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	schedulesLead = "A schedule says when people of a group are on duty: by weekly hours with exceptions, or by a calendar."
	calendarHelp  = "If you choose a calendar, the hours and exceptions below are deleted."
	dutyLabel     = "Who is on duty"
	byHours       = "By the hours below"
	byCalendar    = "By the calendar "
	dutyDays      = 7  // that the page of a schedule looks ahead
	rosterMost    = 40 // rows of a calendar on it
)

var scheduleWords = page.Words{
	Name: "Schedules", Path: views.PathSchedules, CSV: views.PathSchedulesCSV, File: "schedules", Search: "Name",
	One: "schedule", Many: "schedules",
	Empty: views.Empty{Icon: views.IconClock, Text: "Without a schedule, everybody in a group is always on duty."},
	Add:   views.Button{Text: "Add schedule", Href: views.PathScheduleAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"}),
}

func halfSpan(of string) string {
	return of + ": give each span a beginning and an end, such as 08:00 and 16:00"
}

func zonedNote(s tenants.Schedule) string { return "Times in " + s.Zone + "." }

// scheduleGoes is what happens when a schedule is removed.
func scheduleGoes(uses []store.ScheduleUse) []string {
	if len(uses) == 0 {
		return []string{"No group uses it. Nobody’s hours change."}
	}
	return []string{"It is used by " + usersText(uses) + ".", "It can be removed once their members have another schedule, or none."}
}

func usersText(uses []store.ScheduleUse) string {
	return strings.Join(mapped(uses, func(u store.ScheduleUse) string { return u.Name }), ", ")
}

// hoursText says the weekly hours in a line; days that follow each other with the same hours are
// one part of it.
func hoursText(s tenants.Schedule) string {
	if s.Calendar != "" {
		return "By a calendar"
	}
	var parts []string
	for i := 0; i < len(weekOrder); i++ {
		first, text := weekOrder[i], spansText(s.Weekly[weekOrder[i]])
		if text == "" {
			continue
		}
		last := first
		for i+1 < len(weekOrder) && spansText(s.Weekly[weekOrder[i+1]]) == text {
			i++
			last = weekOrder[i]
		}
		days := first.String()[:3]
		if last != first {
			days += "–" + last.String()[:3]
		}
		parts = append(parts, days+" "+text)
	}
	if len(parts) == 0 {
		return "No weekly hours"
	}
	return strings.Join(parts, "; ")
}

func spansText(spans []tenants.Span) string {
	return strings.Join(mapped(spans, func(s tenants.Span) string { return tenants.Clock(s.From) + "–" + tenants.Clock(s.To) }), ", ")
}

func exceptionsText(s tenants.Schedule) string {
	return strings.Join(mapped(s.Exceptions, func(e tenants.Exception) string {
		hours := spansText(e.Spans)
		if hours == "" {
			hours = "off"
		}
		return joined(" ", e.Date, hours, e.Note)
	}), "; ")
}

// weekRows say for each of the next days when the hours hold, by the clock on the wall.
func weekRows(s tenants.Schedule, now time.Time) (rows []views.Row) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC // zones were checked when they were set
	}
	year, month, day := now.In(zone).Date()
	for i := range dutyDays {
		begin, end := time.Date(year, month, day+i, 0, 0, 0, 0, zone), time.Date(year, month, day+i+1, 0, 0, 0, 0, zone)
		rows = append(rows, views.Row{Name: begin.Format("Mon 2 Jan"), Text: dayText(s, begin, end)})
	}
	return rows
}

// dayText is when the hours hold on one day.
func dayText(s tenants.Schedule, begin, end time.Time) string {
	text := "Off"
	if shifts := s.Ahead(begin, end); len(shifts) > 0 {
		text = strings.Join(mapped(shifts, func(x tenants.Shift) string {
			to := x.To.Format("15:04")
			if x.To.Equal(end) {
				to = "24:00"
			}
			return x.From.Format("15:04") + "–" + to
		}), ", ")
	}
	if e, ok := s.ExceptionOn(begin.Format(time.DateOnly)); ok {
		text += " (" + orElse(e.Note, "an exception") + ")"
	}
	if hours := int(end.Sub(begin) / time.Hour); hours != 24 {
		text += fmt.Sprintf(". The clock changes: the day has %d hours", hours)
	}
	return text
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// rosterRows say who is on call in the next days.
func rosterRows(s tenants.Schedule, r tenants.Roster, now time.Time) (rows []views.Row) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	for _, d := range r.Duties {
		if !d.To.After(now) || !d.From.Before(now.AddDate(0, 0, dutyDays)) || len(rows) == rosterMost {
			continue
		}
		from := d.From.In(zone).Format("Mon 2 Jan, 15:04")
		if !d.From.After(now) {
			from = "Now"
		}
		who := d.Person
		if who == "" {
			who = d.Who + " (no person has this reference)"
		}
		rows = append(rows, views.Row{Name: from, Text: who + ", until " + d.To.In(zone).Format("Mon 2 Jan, 15:04")})
	}
	if r.GoodAt.IsZero() {
		return []views.Row{{Name: "Unknown", Text: "The calendar was never read."}}
	}
	if len(rows) == 0 {
		rows = append(rows, views.Row{Name: "Nobody", Text: "The calendar names nobody in the next 7 days."})
	}
	return rows
}

// rosterCard says how a calendar was read.
func rosterCard(feed tenants.Connection, r tenants.Roster, v *page.Visitor) *views.RosterCard {
	c := &views.RosterCard{Tone: views.ToneGood, Word: "Read", Facts: []views.Row{
		{Name: "Calendar", Text: feed.Name, Href: views.ConnectionPath(string(feed.ID))},
		{Name: "Last read", Text: "Not yet", When: v.At(r.ReadAt)}}}
	switch {
	case r.ReadAt.IsZero():
		c.Tone, c.Word = views.ToneNeutral, "Not read yet"
	case r.Failed > 0:
		c.Tone, c.Word = views.ToneBad, "Cannot be read"
		c.Facts = append(c.Facts, views.Row{Name: "Last read that worked", Text: "None", When: v.At(r.GoodAt)})
		c.Problem = &views.Callout{Tone: views.ToneBad, Title: page.Sentence(r.Cause), Cause: calendarCounts(r), Cure: calendarCure}
	}
	for _, note := range r.Notes {
		c.Facts = append(c.Facts, views.Row{Name: "Note", Text: page.Sentence(note)})
	}
	return c
}

const calendarCure = "Correct the address or the headers on the page of the calendar, then choose “Read now”."

// calendarCounts says what a calendar that cannot be read means for rings.
func calendarCounts(r tenants.Roster) string {
	if r.GoodAt.IsZero() {
		return "It was never read, so nobody is left out because of it."
	}
	return "Its last good copy counts for 24 hours. After that nobody is left out because of it."
}

func removedCalendar() *views.RosterCard {
	return &views.RosterCard{Tone: views.ToneBad, Word: "Removed", Problem: &views.Callout{Tone: views.ToneBad,
		Title: "The calendar of this schedule was removed.", Cause: "Nobody is left out because of it.",
		Cure: "Choose another calendar, or weekly hours."}}
}
