package tenants

import "time"

// The weekly mail goes from Monday, 08:00 in the tenant's zone. After Tuesday it is old news.
const (
	digestHour   = 8
	digestUseful = 40 * time.Hour
)

// DigestSpan is the week that a weekly mail is about: from Monday to Monday in the tenant's zone.
type DigestSpan struct {
	Week     string // the Monday on which the mail goes, as 2026-11-23
	From, To time.Time
	Due      bool // the mail goes now
}

// DigestAt is the week that is over at a moment.
func DigestAt(now time.Time, zone *time.Location) DigestSpan {
	local := now.In(zone)
	back := (int(local.Weekday()) + 6) % 7 // days since Monday
	year, month, day := local.Date()
	monday := func(weeks, hour int) time.Time { return time.Date(year, month, day-back-7*weeks, hour, 0, 0, 0, zone) }
	at := monday(0, digestHour)
	return DigestSpan{Week: at.Format(time.DateOnly), From: monday(1, 0), To: monday(0, 0),
		Due: !now.Before(at) && now.Sub(at) < digestUseful}
}

// ReadsDigest reports whether people with the role get the weekly mail: it has figures and alerts.
func (r Role) ReadsDigest() bool { return r.May(AnalyticsRead) && r.May(AlertsRead) }
