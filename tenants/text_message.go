package tenants

import "time"

// Untexted is why there is no text about a missed ring.
type Untexted string

// The reasons.
const (
	TextSent    Untexted = "sent"     // there is one already
	TextUnknown Untexted = "unknown"  // there may be one already
	TextStopped Untexted = "stopped"  // the person answered STOP
	TextTooSoon Untexted = "too_soon" // they got one a short time ago
	TextTooMany Untexted = "too_many" // the connection has sent its number for today
	TextQuiet   Untexted = "quiet"    // it is night where they are
	TextLate    Untexted = "late"     // the ring was missed long ago
	TextNowhere Untexted = "nowhere"  // no phone number is stored
	TextAnother Untexted = "another"  // the ring was not missed
)

// TextWithin is how long after a missed ring a text still makes sense.
const TextWithin = time.Hour

var untexted = map[Untexted]string{
	TextSent:    "The text about this ring was sent already.",
	TextUnknown: "It is not known whether the text about this ring arrived: the connection broke while it was sent. It is not sent again.",
	TextStopped: "Not sent: the person has answered STOP. They get texts again when they send START.",
	TextTooSoon: "Not sent: the person got a text a short time ago. Change minutes_between of the connection for more.",
	TextTooMany: "Not sent: the connection has sent as many texts in 24 hours as it may. Raise per_day of the connection.",
	TextQuiet:   "Not sent: it is in the quiet hours where the person is.",
	TextLate:    "Not sent: the ring was missed more than an hour ago.",
	TextNowhere: "Not sent: no phone number is stored for the person. Set phone_number of their device.",
	TextAnother: "Not sent: the ring was not missed.",
}

// Sentence says it for people.
func (u Untexted) Sentence() string { return untexted[u] }
