package tenants

import (
	"strconv"
	"time"
)

// Rules are what a tenant's industry asks for, with the tenant's own changes.
type Rules struct {
	Payload   Payload
	Quiet     QuietHours // by the clock of the person who would be rung
	Consent   Consent
	Reason    bool             // calls are recorded only with a written reason
	Retention map[DataKind]int // days; 0 = for ever
}

// Opaque reports whether names stay on this server: they would show that someone is a patient or a
// client.
func (r Rules) Opaque() bool { return r.Payload == PayloadOpaque }

// Payload is what a push may say about the caller.
type Payload string

const (
	PayloadLabel  Payload = "label"  // ids and a caller label
	PayloadOpaque Payload = "opaque" // ids only
)

// Consent is whether a person must have agreed to be called.
type Consent string

const (
	ConsentNone     Consent = "none"
	ConsentRecorded Consent = "recorded" // a person is rung only with a recorded consent
)

// DataKind is a kind of data that is kept for a time.
type DataKind string

const (
	DataRings      DataKind = "rings" // with attempts, facts and calls
	DataRecordings DataKind = "recordings"
	DataNotes      DataKind = "notes"
	DataAudits     DataKind = "audits"
	DataRequests   DataKind = "requests" // requests of API keys
)

// DataKinds in the order they are shown.
var DataKinds = []DataKind{DataRings, DataRecordings, DataNotes, DataAudits, DataRequests}

// QuietHours are the hours of a day in which nobody is rung. Without days there are none.
type QuietHours struct {
	From, To int // minutes of the day; From after To = over midnight, and To is of the next day
	Days     Weekdays
}

// Weekdays is a set of days: bit n is time.Weekday n.
type Weekdays uint8

// EveryDay is the set of all seven.
const EveryDay Weekdays = 1<<7 - 1

// Has reports whether the day is in the set.
func (w Weekdays) Has(d time.Weekday) bool { return w>>d&1 == 1 }

// None reports whether there are no quiet hours.
func (q QuietHours) None() bool { return q.Days == 0 || q.From == q.To }

// Hold reports whether a moment is in the quiet hours. The moment is in the zone of the person who
// would be rung. Hours over midnight belong to the day on which they begin.
func (q QuietHours) Hold(at time.Time) bool {
	if q.None() {
		return false
	}
	return q.hold(at.Weekday(), at.Hour()*60+at.Minute())
}

func (q QuietHours) hold(day time.Weekday, minute int) bool {
	if q.From < q.To {
		return q.Days.Has(day) && minute >= q.From && minute < q.To
	}
	return q.Days.Has(day) && minute >= q.From || q.Days.Has((day+6)%7) && minute < q.To
}

// CompareRules says what differs, for the audit log.
func CompareRules(before, after Rules) (changed []Change) {
	add := func(field, was, is string) {
		if was != is {
			changed = append(changed, Change{Field: field, Before: was, After: is})
		}
	}
	add("payload", string(before.Payload), string(after.Payload))
	add("quiet_hours", before.Quiet.String(), after.Quiet.String())
	add("consent", string(before.Consent), string(after.Consent))
	add("recording_reason", strconv.FormatBool(before.Reason), strconv.FormatBool(after.Reason))
	for _, kind := range DataKinds {
		add("retention."+string(kind), strconv.Itoa(before.Retention[kind]), strconv.Itoa(after.Retention[kind]))
	}
	return changed
}

// String is "none", or the hours with their days: "21:00–08:00 fri sat".
func (q QuietHours) String() string {
	if q.None() {
		return "none"
	}
	s := Clock(q.From) + "–" + Clock(q.To)
	if q.Days == EveryDay {
		return s
	}
	for day, name := range dayNames {
		if q.Days.Has(time.Weekday(day)) {
			s += " " + name
		}
	}
	return s
}
