package tenants

import (
	"strings"
	"time"
)

// Duty is a span of time in which somebody is on duty, by a calendar.
type Duty struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Who    string    `json:"who"`    // what the calendar says: the summary of the event
	Person string    `json:"person"` // the person that this is; empty = nobody's reference is in the event
}

// Roster is what was read of a calendar.
type Roster struct {
	Connection ConnectionID
	Duties     []Duty    // by From, of the next RosterDays; of the last read that worked
	Notes      []string  // what was left out or read in another way, and why
	ReadAt     time.Time // the last try; zero = none yet
	GoodAt     time.Time // the last read that worked
	Failed     int       // reads in a row that failed
	Cause      string    // why the last one failed; empty = it worked
}

const (
	// RosterDays is how far ahead a roster is known.
	RosterDays = 60
	// MaxDuties bounds a roster: eighty spans a day.
	MaxDuties = 5000
	// RosterEvery is the time between two reads of a feed.
	RosterEvery = 15 * time.Minute
	// RosterAlertAfter is how many reads in a row fail before there is an alert.
	RosterAlertAfter = 3
)

// On lists who is on duty at a moment.
func (s Roster) On(at time.Time) (on []Duty) {
	for _, d := range s.Duties {
		if !d.From.After(at) && d.To.After(at) {
			on = append(on, d)
		}
	}
	return on
}

// Persons finds a person by what a calendar calls them.
type Persons map[string]string

// NewPersons indexes the references of a tenant's persons.
func NewPersons(references []string) Persons {
	p := make(Persons, len(references))
	for _, r := range references {
		p[strings.ToLower(r)] = r
	}
	return p
}

// Match finds the person that an event names: the reference is the local part of an attendee's
// address, an attendee's name with dots for spaces, the summary, or a word of it, in any case of
// letters. The first of these that fits decides; "" is nobody.
func (p Persons) Match(attendees []string, summary string) string {
	for _, a := range attendees {
		a = strings.ToLower(strings.TrimSpace(a))
		local, _, _ := strings.Cut(a, "@")
		for _, name := range []string{local, strings.ReplaceAll(a, " ", ".")} {
			if found := p[name]; found != "" {
				return found
			}
		}
	}
	summary = strings.ToLower(strings.TrimSpace(summary))
	words := strings.FieldsFunc(summary, func(r rune) bool { return strings.ContainsRune(" \t,;:/()[]", r) })
	for _, word := range append([]string{summary}, words...) {
		if found := p[word]; found != "" {
			return found
		}
	}
	return ""
}
