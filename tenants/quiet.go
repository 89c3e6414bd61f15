package tenants

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// dayNames are the words for days in files and stored changes, by time.Weekday.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// quietText is the form of QuietHours in files and stored changes.
type quietText struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Days []string `json:"days"`
}

// MarshalJSON writes {"from":"21:00","to":"08:00","days":["mon",…]}, or "none".
func (q QuietHours) MarshalJSON() ([]byte, error) {
	if q.None() {
		return []byte(`"none"`), nil
	}
	t := quietText{From: Clock(q.From), To: Clock(q.To)}
	for day, name := range dayNames {
		if q.Days.Has(time.Weekday(day)) {
			t.Days = append(t.Days, name)
		}
	}
	return json.Marshal(t)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (q *QuietHours) UnmarshalJSON(text []byte) error {
	if string(text) == `"none"` {
		*q = QuietHours{}
		return nil
	}
	var t quietText
	if all := readStrict(text, &t); len(all) > 0 {
		return errors.Join(all...)
	}
	var ok1, ok2 bool
	read := QuietHours{}
	read.From, ok1 = ParseClock(t.From)
	read.To, ok2 = ParseClock(t.To)
	if !ok1 || !ok2 || read.From == read.To {
		return errors.New("from and to must be two times of day that differ, such as 21:00 and 08:00")
	}
	for _, name := range t.Days {
		day := slices.Index(dayNames, name)
		if day < 0 {
			return fmt.Errorf("days: %q is none of %s", cutText(name, 20), listed(dayNames))
		}
		read.Days |= 1 << day
	}
	if read.Days == 0 {
		return errors.New(`days: give at least one, or "none" in place of the quiet hours`)
	}
	*q = read
	return nil
}

// Clock writes minutes of a day as 21:00.
func Clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// ParseClock reads a time of day such as 21:00 into minutes.
func ParseClock(s string) (minutes int, ok bool) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == 5
}

// valid reports whether these are quiet hours or clearly none.
func (q QuietHours) valid() bool {
	if q == (QuietHours{}) {
		return true
	}
	in := func(m int) bool { return m >= 0 && m < 24*60 }
	return in(q.From) && in(q.To) && q.From != q.To && q.Days > 0 && q.Days <= EveryDay
}

// covers reports whether q is quiet at each minute of the week at which other is.
func (q QuietHours) covers(other QuietHours) bool {
	if other.None() {
		return true
	}
	if q.None() {
		return false
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		for minute := range 24 * 60 {
			if other.hold(day, minute) && !q.hold(day, minute) {
				return false
			}
		}
	}
	return true
}
