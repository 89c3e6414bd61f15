package page

import (
	"time"

	"carillon/views"
)

// Span is the time that was chosen: a period before now, or the days from one date to another, both
// included, in the zone of who looks. Zero times are open ends.
func (q *Query) Span(v *Visitor, now time.Time) (from, to time.Time) {
	today := v.Midnight(now)
	year, month, _ := today.Date()
	first := time.Date(year, month, 1, 0, 0, 0, 0, v.Zone)
	switch q.OneOf("period", "today", "yesterday", "day", "week", "month", "this-month", "last-month", "days") {
	case "today":
		return today, time.Time{}
	case "yesterday":
		return today.AddDate(0, 0, -1), today
	case "day":
		return now.Add(-24 * time.Hour), time.Time{}
	case "week":
		return now.AddDate(0, 0, -7), time.Time{}
	case "month":
		return now.AddDate(0, 0, -30), time.Time{}
	case "this-month":
		return first, time.Time{}
	case "last-month":
		return first.AddDate(0, -1, 0), first
	}
	if from, to = q.day("from", v), q.day("to", v); !to.IsZero() {
		to = to.AddDate(0, 0, 1)
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		q.Fault("to", "a day that is not before the first")
	}
	return from, to
}

// day is a date of the address, as its midnight.
func (q *Query) day(name string, v *Visitor) time.Time {
	s := q.Raw(name)
	if s == "" {
		return time.Time{}
	}
	day, err := time.ParseInLocation(time.DateOnly, s, v.Zone)
	if err != nil || day.Year() < 1970 || day.Year() > 9999 {
		q.Fault(name, "a date, as in 2026-11-24")
		return time.Time{}
	}
	q.Keep(name, s)
	return day
}

// Periods is the filter that Span reads.
func (q *Query) Periods() views.Filter {
	chosen := ""
	if q.set.Get("from")+q.set.Get("to") != "" {
		chosen = "days"
	}
	if p := q.set.Get("period"); p != "" {
		chosen = p
	}
	if chosen == "days" {
		q.dates = &views.Dates{From: q.set.Get("from"), To: q.set.Get("to")}
	}
	return views.Filter{Name: "period", Label: "Period", Choices: Choose(chosen,
		Choice("", "Any time"), Choice("today", "Today"), Choice("yesterday", "Yesterday"),
		Choice("day", "Last 24 hours"), Choice("week", "Last 7 days"), Choice("month", "Last 30 days"),
		Choice("this-month", "This month"), Choice("last-month", "Last month"), Choice("days", "Choose days…"))}
}
