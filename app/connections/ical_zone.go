package connections

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"
)

const (
	// maxZones bounds the names of time zones that are looked up in one feed.
	maxZones = 200
	// maxZoneParts bounds the changes and rules of a zone that a feed describes.
	maxZoneParts = 100
)

// wallZone says what a clock shows. A time on a clock is written as if it were in UTC.
type wallZone interface {
	at(wall time.Time) time.Time
	wall(at time.Time) time.Time
}

// location is a zone of the IANA database.
type location struct{ *time.Location }

func (l location) at(w time.Time) time.Time {
	return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, l.Location)
}

func (l location) wall(t time.Time) time.Time {
	t = t.In(l.Location)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// zone finds a zone by its name: in the IANA database, also behind a program's own prefix such as
// /mozilla.org/20050126_1/, by Microsoft's name, or as the feed itself describes it.
func (r *feedReading) zone(id string) wallZone {
	if z, ok := r.zones[id]; ok {
		return z
	}
	if len(r.zones) >= maxZones {
		r.note("The feed names more than %d time zones; the times of the others were read in the account's zone.", maxZones)
		return r.home
	}
	z := r.find(id)
	if z == nil {
		r.note("The time zone %q is not known, and the feed does not describe it in a way that can be used; its times were read in "+
			"the account's zone.", cut(oneLine(id), 60))
		z = r.home
	}
	r.zones[id] = z
	return z
}

func (r *feedReading) find(id string) wallZone {
	own := r.own[id]
	names := []string{id, windowsZones[id]}
	if parts := strings.Split(id, "/"); len(parts) > 2 {
		names = append(names, strings.Join(parts[len(parts)-2:], "/"), strings.Join(parts[len(parts)-3:], "/"))
	}
	if own != nil {
		names = append(names, text(own, "X-LIC-LOCATION"))
	}
	for _, n := range names {
		if n == "" || n == "Local" { // which is this server's zone
			continue
		}
		if l, err := time.LoadLocation(n); err == nil {
			return location{l}
		}
	}
	if own == nil {
		return nil
	}
	return r.described(own)
}

// shifts is a zone as a feed describes it: its offsets from each moment on, in order.
type shifts []shift

type shift struct {
	onset time.Time // on the clock before the change
	from  time.Duration
	to    time.Duration
}

func (s shifts) at(w time.Time) time.Time {
	offset := s[0].from
	for _, x := range s {
		if w.Before(x.onset) {
			break
		}
		offset = x.to
	}
	return w.Add(-offset)
}

func (s shifts) wall(t time.Time) time.Time {
	offset := s[0].from
	for _, x := range s {
		if t.Before(x.onset.Add(-x.from)) {
			break
		}
		offset = x.to
	}
	return t.UTC().Add(offset)
}

// described reads a VTIMEZONE (RFC 5545, 3.6.5) with its changes from a year before the time asked
// for to a year after it, and the first one; nil if it cannot be read, or takes too long.
func (r *feedReading) described(c *ical.Component) wallZone {
	if len(c.Children) > maxZoneParts {
		return nil
	}
	var all shifts
	for _, child := range c.Children {
		start, err := time.Parse("20060102T150405", text(child, "DTSTART"))
		before, ok1 := offset(text(child, "TZOFFSETFROM"))
		after, ok2 := offset(text(child, "TZOFFSETTO"))
		if err != nil || !ok1 || !ok2 || r.clock().After(r.until) {
			return nil
		}
		all = append(all, shift{start, before, after})
		p := child.Props.Get("RRULE")
		if p == nil {
			continue
		}
		changes, ok := r.changes(p.Value, start)
		if !ok {
			return nil
		}
		for _, at := range changes {
			all = append(all, shift{at, before, after})
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b shift) int { return a.onset.Compare(b.onset) })
	return all
}

// changes are the moments of a rule of a VTIMEZONE.
func (r *feedReading) changes(rule string, start time.Time) (all []time.Time, ok bool) {
	o, err := rrule.StrToROptionInLocation(strings.ToUpper(rule), time.UTC)
	if err != nil || !comesOften(o, start) {
		return nil, false
	}
	o.Dtstart = start
	made, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, false
	}
	from, to := r.from.AddDate(-1, 0, 0), r.to.AddDate(1, 0, 0)
	next := made.Iterator()
	for range 700 {
		at, more := next()
		if !more || at.After(to) {
			break
		}
		if r.clock().After(r.until) {
			return nil, false
		}
		if at.After(from) {
			all = append(all, at)
		}
	}
	return all, true
}

// comesOften reports whether a rule of a time zone finds a day in each few years. The library looks
// through all years to 9999 for a day that never comes, such as 30 February, and cannot be stopped.
func comesOften(o *rrule.ROption, start time.Time) bool {
	if o.Freq != rrule.YEARLY || o.Interval > 1 || len(o.Bysetpos)+len(o.Byyearday)+len(o.Byweekno)+len(o.Byeaster) > 0 ||
		len(o.Byhour) > 1 || len(o.Byminute) > 1 || len(o.Bysecond) > 1 || len(o.Bymonth) > 1 || len(o.Bymonthday) > 31 {
		return false
	}
	if len(o.Bymonth) == 0 {
		return len(o.Byweekday)+len(o.Bymonthday) == 0 // the day of its start
	}
	days := o.Bymonthday
	if len(days)+len(o.Byweekday) == 0 {
		days = []int{start.Day()}
	}
	last := time.Date(2023, time.Month(o.Bymonth[0])+1, 0, 0, 0, 0, 0, time.UTC).Day() // in a year that is no leap year
	for _, d := range days {
		if d == 0 || max(d, -d) > last {
			return false
		}
	}
	for _, d := range o.Byweekday {
		if n := max(d.N(), -d.N()); n > 4 || n > 0 && len(o.Bymonthday) > 0 {
			return false
		}
	}
	return len(o.Byweekday) <= 7
}

// offset reads +HHMM or +HHMMSS.
func offset(s string) (time.Duration, bool) {
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi((s[1:] + "00")[:6])
	if err != nil || n < 0 {
		return 0, false
	}
	d := time.Duration(n/10000)*time.Hour + time.Duration(n/100%100)*time.Minute + time.Duration(n%100)*time.Second
	if s[0] == '-' {
		d = -d
	}
	return d, d > -24*time.Hour && d < 24*time.Hour
}

// windowsZones are the names that Outlook and Exchange write, of the zones with many people (CLDR,
// windowsZones).
var windowsZones = map[string]string{
	"Dateline Standard Time": "Etc/GMT+12", "Hawaiian Standard Time": "Pacific/Honolulu", "Alaskan Standard Time": "America/Anchorage",
	"Pacific Standard Time": "America/Los_Angeles", "US Mountain Standard Time": "America/Phoenix",
	"Mountain Standard Time": "America/Denver", "Central Standard Time": "America/Chicago",
	"Canada Central Standard Time": "America/Regina", "Central Standard Time (Mexico)": "America/Mexico_City",
	"Eastern Standard Time": "America/New_York", "US Eastern Standard Time": "America/Indianapolis",
	"SA Pacific Standard Time": "America/Bogota", "Atlantic Standard Time": "America/Halifax",
	"Newfoundland Standard Time": "America/St_Johns", "E. South America Standard Time": "America/Sao_Paulo",
	"Argentina Standard Time": "America/Buenos_Aires", "Pacific SA Standard Time": "America/Santiago", "UTC": "UTC",
	"Azores Standard Time": "Atlantic/Azores", "GMT Standard Time": "Europe/London", "Greenwich Standard Time": "Atlantic/Reykjavik",
	"W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest",
	"Romance Standard Time": "Europe/Paris", "Central European Standard Time": "Europe/Warsaw",
	"W. Central Africa Standard Time": "Africa/Lagos", "GTB Standard Time": "Europe/Bucharest",
	"E. Europe Standard Time": "Europe/Chisinau", "FLE Standard Time": "Europe/Kiev", "Israel Standard Time": "Asia/Jerusalem",
	"South Africa Standard Time": "Africa/Johannesburg", "Egypt Standard Time": "Africa/Cairo", "Turkey Standard Time": "Europe/Istanbul",
	"Russian Standard Time": "Europe/Moscow", "Arab Standard Time": "Asia/Riyadh", "E. Africa Standard Time": "Africa/Nairobi",
	"Arabian Standard Time": "Asia/Dubai", "Iran Standard Time": "Asia/Tehran", "Pakistan Standard Time": "Asia/Karachi",
	"India Standard Time": "Asia/Calcutta", "Bangladesh Standard Time": "Asia/Dhaka", "SE Asia Standard Time": "Asia/Bangkok",
	"China Standard Time": "Asia/Shanghai", "Singapore Standard Time": "Asia/Singapore", "Taipei Standard Time": "Asia/Taipei",
	"W. Australia Standard Time": "Australia/Perth", "Tokyo Standard Time": "Asia/Tokyo", "Korea Standard Time": "Asia/Seoul",
	"Cen. Australia Standard Time": "Australia/Adelaide", "AUS Eastern Standard Time": "Australia/Sydney",
	"E. Australia Standard Time": "Australia/Brisbane", "New Zealand Standard Time": "Pacific/Auckland",
}
