package console

import (
	"strconv"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// weekOrder are the days as people read a week.
var weekOrder = [7]time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

const (
	spansTyped = 6   // of a day, as tenants.Schedule takes them
	datesTyped = 210 // fields of dates that are read: more than a schedule may have, so that its rule refuses them
	datesFree  = 2   // empty rows behind the dates
)

// typedSpan is a pair of times as they were typed.
type typedSpan struct{ from, to string }

// typedDate is an exception as it was typed.
type typedDate struct {
	date, note string
	spans      []typedSpan
}

// typedHours are the hours of a schedule as a form has them.
type typedHours struct {
	days   [7][]typedSpan // by time.Weekday
	dates  []typedDate
	copied bool // Monday was copied, and nothing is to be saved yet
}

// typedOf are kept hours as a form shows them.
func typedOf(s tenants.Schedule) (t typedHours) {
	for day, spans := range s.Weekly {
		t.days[day] = mapped(spans, typeSpan)
	}
	for _, e := range s.Exceptions {
		t.dates = append(t.dates, typedDate{e.Date, e.Note, mapped(e.Spans, typeSpan)})
	}
	return t
}

// typeSpan writes the end of a day as browsers can: 00:00.
func typeSpan(s tenants.Span) typedSpan {
	return typedSpan{tenants.Clock(s.From), tenants.Clock(s.To % tenants.DayMinutes)}
}

// span reads a pair of times. An end at 00:00 is the end of the day.
func (t typedSpan) span() (s tenants.Span, ok bool) {
	var good bool
	s.From, good = tenants.ParseClock(t.from)
	s.To, ok = tenants.ParseClock(t.to)
	if s.To == 0 {
		s.To = tenants.DayMinutes
	}
	return s, ok && good
}

// readSchedule reads the form into a schedule, and checks it. A calendar decides alone: no hours
// are kept beside it.
func readSchedule(f page.Form, s *tenants.Schedule) (typedHours, error) {
	t := readTyped(f)
	s.Name, s.Zone = f.Text("name"), f.Text("time_zone")
	calendar, ok := tenants.ParseID[tenants.ConnectionID](f.Text("calendar"))
	if s.Calendar = calendar; !ok && f.Text("calendar") != "" {
		return t, wrongField("calendar", "there is no such calendar")
	}
	s.Weekly, s.Exceptions = [7][]tenants.Span{}, nil
	if s.Calendar != "" {
		return t, s.Check()
	}
	for day := range t.days {
		if s.Weekly[day], ok = spansTypedIn(t.days[day]); !ok {
			return t, wrongField("weekly", halfSpan(time.Weekday(day).String()))
		}
	}
	for _, d := range t.dates {
		e := tenants.Exception{Date: d.date, Note: d.note}
		if e.Spans, ok = spansTypedIn(d.spans); !ok {
			return t, wrongField("exceptions", halfSpan(d.date))
		}
		s.Exceptions = append(s.Exceptions, e)
	}
	return t, s.Check()
}

func wrongField(name, message string) error {
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
		Fields: []tenants.Field{{Name: name, Message: message}}}
}

func spansTypedIn(typed []typedSpan) (spans []tenants.Span, ok bool) {
	for _, one := range typed {
		s, ok := one.span()
		if !ok {
			return nil, false
		}
		spans = append(spans, s)
	}
	return spans, true
}

func readTyped(f page.Form) (t typedHours) {
	for day := range t.days {
		t.days[day] = readSpans(f, dayKey(time.Weekday(day)))
	}
	for i := range datesTyped {
		key := dateKey(i)
		if !f.Has(key + "-date") {
			break
		}
		d := typedDate{date: f.Text(key + "-date"), note: tenants.TrimLabel(f.Text(key + "-note")), spans: readSpans(f, key)}
		if d.date != "" {
			t.dates = append(t.dates, d)
		}
	}
	if t.copied = f.Has("copy"); t.copied {
		for _, day := range weekOrder[1:5] {
			t.days[day] = t.days[time.Monday]
		}
	}
	return t
}

func readSpans(f page.Form, key string) (spans []typedSpan) {
	for i := range spansTyped {
		name := key + "-" + strconv.Itoa(i)
		if s := (typedSpan{f.Text(name + "-from"), f.Text(name + "-to")}); s != (typedSpan{}) {
			spans = append(spans, s)
		}
	}
	return spans
}

func dayKey(d time.Weekday) string { return "d" + strconv.Itoa(int(d)) }

func dateKey(i int) string { return "x" + strconv.Itoa(i) }

// dayRows are the days with a free pair behind what is there.
func (t typedHours) dayRows() (rows []views.HoursDay) {
	for _, day := range weekOrder {
		rows = append(rows, views.HoursDay{Name: day.String(), Key: dayKey(day), Spans: spanRows(dayKey(day), day.String(), t.days[day])})
	}
	return rows
}

// dateRows are the dates with free rows behind them.
func (t typedHours) dateRows() (rows []views.HoursDate) {
	for i := range len(t.dates) + datesFree {
		d := typedDate{}
		if i < len(t.dates) {
			d = t.dates[i]
		}
		name := "Exception " + strconv.Itoa(i+1)
		rows = append(rows, views.HoursDate{Name: name, Key: dateKey(i), Date: page.Shown(d.date, 20), Note: page.Shown(d.note, 80),
			Spans: spanRows(dateKey(i), name, d.spans)})
	}
	return rows
}

func spanRows(key, of string, typed []typedSpan) (rows []views.HoursSpan) {
	for i := range min(len(typed)+1, spansTyped) {
		s := typedSpan{}
		if i < len(typed) {
			s = typed[i]
		}
		rows = append(rows, views.HoursSpan{Name: key + "-" + strconv.Itoa(i), Of: of, N: i + 1, From: page.Shown(s.from, 8),
			To: page.Shown(s.to, 8)})
	}
	return rows
}
