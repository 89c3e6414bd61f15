package console

import (
	"time"

	"carillon/app/page"
	"carillon/views"
)

// period is a span of time of the analytics page and the one before it, cut into hours, days or
// weeks of the tenant's zone. Rings are counted by the hour of UTC: where a zone lies half an hour
// beside it, a day begins with its first whole hour.
type period struct {
	name, words, before string
	from, to            time.Time
	earlier, until      time.Time // the span before
	step                string    // hour, day or week
	starts, startsThen  []time.Time
	zone                *time.Location
}

// spans are what can be looked back on. A year is 52 weeks, so that weekdays meet weekdays.
var spans = []struct {
	name, text, words, before string
	days                      int // 0 = 24 hours
	step                      string
	steps                     []string
}{
	{"day", "24 hours", "The last 24 hours", "the 24 hours before", 0, "hour", []string{"hour"}},
	{"week", "7 days", "The last 7 days", "the 7 days before", 7, "day", []string{"hour", "day"}},
	{"month", "30 days", "The last 30 days", "the 30 days before", 30, "day", []string{"day", "week"}},
	{"quarter", "90 days", "The last 90 days", "the 90 days before", 90, "day", []string{"day", "week"}},
	{"year", "12 months", "The last 12 months", "the 12 months before", 364, "week", []string{"week"}},
}

// datesMost bounds the days of a chosen span: all that is counted, with the span before it.
const datesMost = 366

// periodOf reads the span that an address asks for.
func periodOf(q *page.Query, v *page.Visitor, now time.Time) period {
	p := period{zone: v.Zone, to: now.Truncate(time.Hour).Add(time.Hour)}
	if q.OneOf("range", "day", "week", "month", "quarter", "year", "dates") == "dates" {
		return p.dates(q, v)
	}
	name := q.Raw("range")
	if name == "" {
		name = "month"
	}
	step := q.Raw("step")
	p = spanNamed(name, step, v, now)
	if p.step == step {
		q.Keep("step", step)
	}
	return p
}

// spanNamed is one of spans, by hours, days or weeks where it knows such a step.
func spanNamed(name, step string, v *page.Visitor, now time.Time) period {
	p := period{zone: v.Zone, to: now.Truncate(time.Hour).Add(time.Hour)}
	chosen := spans[2]
	for _, s := range spans {
		if s.name == name {
			chosen = s
		}
	}
	p.name, p.words, p.before = chosen.name, chosen.words, chosen.before
	p.step = chosen.step
	for _, s := range chosen.steps {
		if step == s {
			p.step = s
		}
	}
	if chosen.days == 0 {
		p.from = p.to.Add(-24 * time.Hour)
		p.earlier, p.until = p.from.Add(-24*time.Hour), p.from
	} else {
		first := v.Midnight(now).AddDate(0, 0, 1-chosen.days)
		p.from, p.earlier = wholeHour(first), wholeHour(first.AddDate(0, 0, -chosen.days))
		p.until = wholeHour(p.to.In(v.Zone).AddDate(0, 0, -chosen.days))
	}
	return p.cut()
}

// dates is the span from one date to another, both included.
func (p period) dates(q *page.Query, v *page.Visitor) period {
	day := func(name string) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, q.Raw(name), v.Zone)
		if err != nil || at.Year() < 1970 || at.Year() > 9999 {
			q.Fault(name, "a date, as in 2026-11-24")
			return time.Time{}
		}
		q.Keep(name, q.Raw(name))
		return at
	}
	from, last := day("from"), day("to")
	if from.IsZero() || last.IsZero() {
		return p
	}
	days := int(last.Sub(from).Hours()/24+0.5) + 1
	if days < 1 || days > datesMost {
		q.Fault("to", "a day that is not before the first, and at most 366 days after it")
		return p
	}
	p.name, p.words = "dates", from.Format("2 Jan 2006")+" to "+last.Format("2 Jan 2006")
	p.before = views.Plural(days, "day", "days") + " before"
	if p.before = "the " + p.before; days == 1 {
		p.before = "the day before"
	}
	p.from, p.to = wholeHour(from), wholeHour(last.AddDate(0, 0, 1))
	p.earlier, p.until = wholeHour(from.AddDate(0, 0, -days)), p.from
	switch p.step = "day"; {
	case days <= 2:
		p.step = "hour"
	case days > 100:
		p.step = "week"
	}
	return p.cut()
}

// cut finds where the columns begin.
func (p period) cut() period {
	p.starts = p.columns(p.from, p.to)
	p.startsThen = p.columns(p.earlier, p.until)
	return p
}

func (p period) columns(from, to time.Time) []time.Time {
	var out []time.Time
	if p.step == "hour" {
		for at := from; at.Before(to); at = at.Add(time.Hour) {
			out = append(out, at)
		}
		return out
	}
	days := 1
	if p.step == "week" {
		days = 7
	}
	year, month, day := from.In(p.zone).Date()
	for i := 0; ; i += days {
		at := wholeHour(time.Date(year, month, day+i, 0, 0, 0, 0, p.zone))
		if i == 0 {
			at = from
		}
		if !at.Before(to) {
			return out
		}
		out = append(out, at)
	}
}

// wholeHour is the first whole hour of UTC at or after t.
func wholeHour(t time.Time) time.Time {
	if h := t.Truncate(time.Hour); !h.Equal(t) {
		return h.Add(time.Hour)
	}
	return t
}

// end is where column i ends.
func (p period) end(i int) time.Time {
	if i+1 < len(p.starts) {
		return p.starts[i+1]
	}
	return p.to
}

// endThen is the end of a column of the span before.
func (p period) endThen(i int) time.Time {
	if i+1 < len(p.startsThen) {
		return p.startsThen[i+1]
	}
	return p.until
}

// label is the name of a column.
func (p period) label(at time.Time) string {
	at = at.In(p.zone)
	switch {
	case p.step != "hour":
		return at.Format("2 Jan")
	case len(p.starts) > 48:
		return at.Format("Mon 15:04")
	}
	return at.Format("15:04")
}

// columnOf finds the column of a moment among starts; -1 before the first.
func columnOf(starts []time.Time, at time.Time) int {
	low, high := 0, len(starts)
	for low < high {
		mid := (low + high) / 2
		if starts[mid].After(at) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low - 1
}
