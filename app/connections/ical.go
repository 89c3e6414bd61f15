package connections

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"carillon/tenants"
)

// The bounds of a feed.
const (
	MaxFeed       = 5 << 20 // bytes
	maxFeedEvents = 20_000
	maxFeedLine   = 2048 // bytes of a line that we use; the libraries take time with the square of it
	maxFeedDepth  = 8    // of components in components
	maxSteps      = 20_000
	maxFeedNotes  = 20
	expandWithin  = 2 * time.Second // all repeats of a feed
)

// feedReading is the reading of one feed.
type feedReading struct {
	from, to time.Time
	home     wallZone // of times that name no zone
	persons  tenants.Persons
	zones    map[string]wallZone
	own      map[string]*ical.Component // VTIMEZONE by TZID
	until    time.Time                  // no repeat is expanded after it, by the machine's clock
	clock    func() time.Time

	duties []tenants.Duty
	notes  []string
}

// ReadFeed reads an iCalendar feed (RFC 5545) into the spans between from and to. Times without a
// zone are in home. An event that cannot be read is left out with a note; only a feed that is no
// calendar, or is too large, is refused, with a sentence for the tenant.
func ReadFeed(feed []byte, from, to time.Time, home *time.Location, persons tenants.Persons) (tenants.Roster, error) {
	r := &feedReading{from: from, to: to, home: location{home}, persons: persons, zones: map[string]wallZone{},
		own: map[string]*ical.Component{}, clock: time.Now}
	r.until = r.clock().Add(expandWithin)
	events, err := r.open(feed)
	if err != nil {
		return tenants.Roster{}, err
	}
	for _, e := range r.single(events) {
		r.event(e)
	}
	slices.SortStableFunc(r.duties, func(a, b tenants.Duty) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	if len(r.duties) > tenants.MaxDuties {
		r.note("There are more than %s spans in the next %d days; the later ones are left out.",
			tenants.FormatCount(tenants.MaxDuties), tenants.RosterDays)
		r.duties = r.duties[:tenants.MaxDuties]
	}
	return tenants.Roster{Duties: r.duties, Notes: r.notes}, nil
}

// note says what was left out, each thing once.
func (r *feedReading) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(r.notes) < maxFeedNotes && !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}

// usedLines are the properties that we read. The rest, such as descriptions and attachments, does
// not reach the decoder.
var usedLines = map[string]bool{
	"BEGIN": true, "END": true, "UID": true, "SUMMARY": true, "ATTENDEE": true, "STATUS": true, "DTSTART": true, "DTEND": true,
	"DURATION": true, "RRULE": true, "RDATE": true, "EXDATE": true, "RECURRENCE-ID": true, "TZID": true, "TZOFFSETFROM": true,
	"TZOFFSETTO": true, "X-LIC-LOCATION": true,
}

// open decodes the feed's calendars and gives their events.
func (r *feedReading) open(feed []byte) (events []*ical.Component, err error) {
	if len(feed) > MaxFeed {
		return nil, errors.New("the feed is larger than 5 MiB; give one with fewer events or a shorter time")
	}
	lean, err := r.lean(feed)
	if err != nil {
		return nil, err
	}
	// The decoder panics on some broken lines; what it read before them is no use either.
	defer func() {
		if p := recover(); p != nil {
			events, err = nil, errors.New("the feed has a line that is no iCalendar; check it with the program that makes it")
		}
	}()
	for d := ical.NewDecoder(bytes.NewReader(lean)); ; {
		calendar, err := d.Decode()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, errors.New("the feed has a line that is no iCalendar; check it with the program that makes it")
		}
		for _, c := range calendar.Children {
			switch c.Name {
			case ical.CompEvent:
				events = append(events, c)
			case ical.CompTimezone:
				r.own[text(c, "TZID")] = c
			}
		}
	}
}

// lean unfolds the lines (RFC 5545, 3.1) and keeps those that we use, within the bounds.
func (r *feedReading) lean(feed []byte) ([]byte, error) {
	feed = bytes.TrimPrefix(feed, []byte("\ufeff"))
	feed = bytes.ReplaceAll(bytes.ReplaceAll(feed, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	feed = bytes.ReplaceAll(bytes.ReplaceAll(feed, []byte("\n "), nil), []byte("\n\t"), nil)
	if start := bytes.TrimSpace(feed); len(start) < 15 || !strings.EqualFold(string(start[:15]), "BEGIN:VCALENDAR") {
		return nil, errors.New("the address does not answer with an iCalendar feed; give the address that ends in .ics, as the " +
			"calendar's settings show it")
	}
	var out bytes.Buffer
	depth, count := 0, 0
	for line := range bytes.SplitSeq(feed, []byte("\n")) {
		line = bytes.TrimSpace(line)
		end := bytes.IndexAny(line, ":;")
		if end < 0 {
			continue
		}
		name := strings.ToUpper(string(line[:end]))
		if !usedLines[name] {
			continue
		}
		switch name {
		case "BEGIN":
			depth++
			if strings.EqualFold(string(line[end:]), ":VEVENT") {
				count++
			}
		case "END":
			depth--
		}
		switch {
		case depth > maxFeedDepth || depth < 0:
			return nil, errors.New("the feed's BEGIN and END lines do not fit together; check it with the program that makes it")
		case count > maxFeedEvents:
			return nil, fmt.Errorf("the feed has more than %s events; give one with fewer events or a shorter time",
				tenants.FormatCount(maxFeedEvents))
		case len(line) > maxFeedLine:
			r.note("A line %s of more than %d characters was left out.", name, maxFeedLine)
			continue
		}
		out.Write(line)
		out.WriteString("\r\n")
	}
	if depth != 0 {
		return nil, errors.New("the feed ends in the middle; it was cut off on its way, or when it was made")
	}
	return out.Bytes(), nil
}

// single drops cancelled events, and marks in a series what other events replace.
func (r *feedReading) single(events []*ical.Component) (all []feedEvent) {
	replaced := map[string]map[time.Time]bool{}
	for _, c := range events {
		e, err := r.parse(c)
		if err != nil {
			r.note("An event was left out: %v.", err)
			continue
		}
		if !e.replaces.IsZero() {
			if replaced[e.uid] == nil {
				replaced[e.uid] = map[time.Time]bool{}
			}
			replaced[e.uid][e.replaces] = true
		}
		if !e.cancelled {
			all = append(all, e)
		}
	}
	for i := range all {
		if all[i].replaces.IsZero() {
			all[i].without = replaced[all[i].uid]
		}
	}
	return all
}

// feedEvent is one VEVENT.
type feedEvent struct {
	uid, summary string
	attendees    []string
	start        wallTime
	length       time.Duration // on the clock if whole days, else as time passes
	replaces     time.Time     // the occurrence of the series that this is instead of
	cancelled    bool
	rule         string
	also         []wallTime
	except       map[time.Time]bool
	exceptDays   map[time.Time]bool // EXDATE;VALUE=DATE of a series with times: the whole day
	without      map[time.Time]bool
}

// wallTime is a time on a clock: the date and time as if they were in UTC, and where the clock is.
type wallTime struct {
	wall time.Time
	zone wallZone
	date bool // a whole day
}

func (w wallTime) instant() time.Time { return w.zone.at(w.wall) }

func (r *feedReading) parse(c *ical.Component) (e feedEvent, err error) {
	e = feedEvent{uid: text(c, "UID"), summary: tenants.TrimLabel(cut(oneLine(text(c, "SUMMARY")), 80)),
		cancelled: strings.EqualFold(text(c, "STATUS"), "CANCELLED"), except: map[time.Time]bool{}, exceptDays: map[time.Time]bool{}}
	start, err := r.times(c, "DTSTART", 1)
	if err != nil || len(start) == 0 {
		return e, cmp.Or(err, errors.New("it has no start"))
	}
	e.start = start[0]
	if e.length, err = r.lengthOf(c, e.start); err != nil {
		return e, err
	}
	for _, p := range c.Props["ATTENDEE"] {
		if len(e.attendees) < 50 {
			e.attendees = append(e.attendees, strings.TrimPrefix(strings.ToLower(p.Value), "mailto:"), p.Params.Get("CN"))
		}
	}
	if p := c.Props.Get("RRULE"); p != nil {
		e.rule = p.Value
	}
	if e.also, err = r.times(c, "RDATE", 1000); err != nil {
		return e, err
	}
	return e, r.exceptions(c, &e)
}

func (r *feedReading) exceptions(c *ical.Component, e *feedEvent) error {
	except, err := r.times(c, "EXDATE", 5000)
	if err != nil {
		return err
	}
	for _, w := range except {
		if w.date && !e.start.date {
			e.exceptDays[w.wall] = true
			continue
		}
		e.except[w.instant()] = true
	}
	replaces, err := r.times(c, "RECURRENCE-ID", 1)
	if err == nil && len(replaces) > 0 {
		e.replaces = replaces[0].instant()
	}
	return err
}

// lengthOf is from DTEND or DURATION; without both a date lasts its day and a time no time at all
// (RFC 5545, 3.6.1).
func (r *feedReading) lengthOf(c *ical.Component, start wallTime) (time.Duration, error) {
	end, err := r.times(c, "DTEND", 1)
	if err != nil {
		return 0, err
	}
	if len(end) > 0 {
		length := end[0].instant().Sub(start.instant())
		if start.date && end[0].date {
			length = end[0].wall.Sub(start.wall)
		}
		if length < 0 {
			return 0, errors.New("it ends before it begins")
		}
		return length, nil
	}
	if p := c.Props.Get("DURATION"); p != nil {
		length, err := p.Duration()
		if err != nil || length < 0 || length > 366*24*time.Hour {
			return 0, fmt.Errorf("its duration %q is none between 0 and a year", cut(oneLine(p.Value), 40))
		}
		return length, nil
	}
	if start.date {
		return 24 * time.Hour, nil
	}
	return 0, nil
}

// times reads every value of a property of dates and times. Of a period it takes the start.
func (r *feedReading) times(c *ical.Component, name string, most int) (all []wallTime, err error) {
	for _, p := range c.Props[name] {
		for value := range strings.SplitSeq(p.Value, ",") {
			if len(all) >= most {
				r.note("An event has more than %d values of %s; the rest was left out.", most, name)
				return all, nil
			}
			value, _, _ = strings.Cut(strings.TrimSpace(value), "/")
			w, err := r.time(value, p.Params.Get("TZID"))
			if err != nil {
				return nil, fmt.Errorf("its %s %q is no date or time", name, cut(oneLine(value), 40))
			}
			all = append(all, w)
		}
	}
	return all, nil
}

func (r *feedReading) time(value, zone string) (w wallTime, err error) {
	w.zone = r.home
	switch {
	case len(value) == 8:
		w.date = true
		w.wall, err = time.Parse("20060102", value)
	case strings.HasSuffix(value, "Z"):
		w.zone = location{time.UTC}
		w.wall, err = time.Parse("20060102T150405Z", value)
	default:
		if zone != "" {
			w.zone = r.zone(zone)
		}
		w.wall, err = time.Parse("20060102T150405", value)
	}
	if err == nil && (w.wall.Year() < 1900 || w.wall.Year() > 2200) {
		err = errors.New("a year outside of 1900 to 2200")
	}
	return w, err
}

// event adds the spans of an event, once or repeated.
func (r *feedReading) event(e feedEvent) {
	defer func() {
		if recover() != nil { // of the library that repeats
			r.note("The event %q does not repeat as it should: its rule cannot be read.", e.summary)
		}
	}()
	if e.rule == "" && len(e.also) == 0 {
		r.add(e, e.start)
		return
	}
	seen := map[time.Time]bool{}
	once := func(w wallTime) {
		if at := w.instant(); !seen[at] {
			seen[at] = true
			r.add(e, w)
		}
	}
	for _, w := range e.also {
		once(w)
	}
	if e.rule == "" {
		once(e.start)
		return
	}
	next, err := r.repeats(e)
	if err != nil {
		r.note("The event %q does not repeat as it should: %v.", e.summary, err)
		once(e.start)
		return
	}
	for step := 0; ; step++ {
		wall, ok := next()
		switch {
		case !ok:
			return
		case step >= maxSteps || r.clock().After(r.until):
			r.note("The event %q repeats too often to be followed from its start; give it a later start.", e.summary)
			return
		}
		w := wallTime{wall, e.start.zone, e.start.date}
		if !w.instant().Before(r.to) {
			return
		}
		once(w)
	}
}

// repeats is the rule of an event as an iterator over times on its own clock, so that 9 o'clock
// stays 9 o'clock when the clocks change.
func (r *feedReading) repeats(e feedEvent) (rrule.Next, error) {
	if r.clock().After(r.until) {
		return nil, errors.New("the feed repeats more than can be calculated")
	}
	o, err := rrule.StrToROptionInLocation(strings.ToUpper(e.rule), time.UTC)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its rule %q cannot be read", cut(oneLine(e.rule), 60))
	case o.Freq > rrule.DAILY:
		return nil, errors.New("it repeats by the hour, minute or second; a duty repeats by the day at most")
	case o.Interval > 1000 || len(o.Byhour)*max(1, len(o.Byminute))*max(1, len(o.Bysecond)) > 48 || len(o.Byminute) > 48 ||
		len(o.Bysecond) > 48 || max(1, len(o.Byminute))*max(1, len(o.Bysecond)) > 48 || o.Until.Year() > 9000:
		return nil, fmt.Errorf("its rule %q is beyond what a duty needs", cut(oneLine(e.rule), 60))
	}
	if strings.Contains(strings.ToUpper(e.rule), "UNTIL=") && strings.HasSuffix(untilOf(e.rule), "Z") {
		o.Until = e.start.zone.wall(o.Until)
	} else if len(untilOf(e.rule)) == 8 {
		o.Until = o.Until.Add(24*time.Hour - time.Second) // the whole last day
	}
	o.Dtstart = e.start.wall
	rule, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, fmt.Errorf("its rule %q cannot be read", cut(oneLine(e.rule), 60))
	}
	return rule.Iterator(), nil
}

func untilOf(rule string) string {
	_, after, _ := strings.Cut(strings.ToUpper(rule), "UNTIL=")
	value, _, _ := strings.Cut(after, ";")
	return value
}

// add adds one span, unless it is outside of the time asked for, excepted or replaced.
func (r *feedReading) add(e feedEvent, start wallTime) {
	at := start.instant()
	day := start.wall.Truncate(24 * time.Hour)
	if e.except[at] || e.exceptDays[day] || e.without[at] || len(r.duties) > 2*tenants.MaxDuties {
		return
	}
	end := at.Add(e.length)
	if start.date {
		end = start.zone.at(start.wall.Add(e.length))
	}
	if !end.After(r.from) || !at.Before(r.to) || !end.After(at) {
		return
	}
	r.duties = append(r.duties, tenants.Duty{From: at.UTC(), To: end.UTC(), Who: e.summary,
		Person: r.persons.Match(e.attendees, e.summary)})
}

// text is a property's text. Escapes that are none, which many programs write, stay as they are.
func text(c *ical.Component, name string) string {
	p := c.Props.Get(name)
	if p == nil {
		return ""
	}
	return strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(p.Value)
}
