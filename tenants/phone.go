package tenants

import (
	"strconv"
	"time"
)

// PhoneState is what is known about a phone, in one word.
type PhoneState string

// The states.
const (
	PhoneRemoved  PhoneState = "removed"       // Apple says that its token is dead
	PhoneBlocked  PhoneState = "blocked"       // silent several times in a row: iOS has probably stopped waking the app
	PhoneUnshown  PhoneState = "not_reporting" // woke several times in a row and showed no call
	PhoneSilenced PhoneState = "silenced"      // the app works, and the phone kept its latest calls quiet
	PhoneNoReply  PhoneState = "no_response"   // the latest ring had no result: it may be off
	PhoneNotSeen  PhoneState = "not_seen"      // the app has sent nothing for long
	PhoneUntested PhoneState = "untested"      // nothing speaks against it, and it was not rung lately
	PhoneReady    PhoneState = "ready"         // its latest ring was shown
)

// PhoneStates lists every state, from the worst to the best.
var PhoneStates = []PhoneState{PhoneRemoved, PhoneBlocked, PhoneUnshown, PhoneSilenced, PhoneNoReply, PhoneNotSeen, PhoneUntested,
	PhoneReady}

// PhoneSilentAfter is after how long without a report a phone may be gone.
const PhoneSilentAfter = 7 * 24 * time.Hour

// PhoneStatus is the verdict about a phone.
type PhoneStatus struct {
	State PhoneState
	Title string // a few words, for a list
	Cause string // a sentence
	Cure  string // what to do; empty if nothing is needed
}

// OK reports whether a ring to the phone is expected to be shown.
func (s PhoneStatus) OK() bool { return s.State == PhoneReady || s.State == PhoneUntested }

// Failing reports whether the phone shows no calls although it is registered: what an alert is for.
func (s PhoneStatus) Failing() bool { return s.State == PhoneBlocked || s.State == PhoneUnshown }

// rungLately is how far back the history of a phone reaches.
const rungLately = 7 * 24 * time.Hour

// StatusOfPhone is the one verdict about a phone: pages, files, the choice of a phone for a test
// ring and alerts all read it, so that they cannot contradict each other. h is the phone's history
// (WakeHistories); the zero history is one that was not rung lately.
func StatusOfPhone(d Device, h WakeHistory, now time.Time) PhoneStatus {
	verdict, cause, cure := h.Describe()
	days := int(now.Sub(d.SeenAt) / (24 * time.Hour))
	switch {
	case d.State == DeviceDisabled:
		return PhoneStatus{PhoneRemoved, "App was removed", "Apple says that the app is no longer on this phone.",
			"Open the app on the phone: it registers again. If the phone is gone, remove it here."}
	case h.Verdict == Blocked:
		return PhoneStatus{PhoneBlocked, "Probably blocked", cause, cure}
	case h.Verdict == Unshown:
		return PhoneStatus{PhoneUnshown, "Shows no call", cause, cure}
	case h.Quiet > 0:
		return PhoneStatus{PhoneSilenced, "Calls silenced", "The app woke, and the phone kept the last " + times(h.Quiet, "call") +
			" quiet: Focus is on, or the caller is blocked.", "Ask the person to allow calls from your app in the phone’s Focus settings."}
	case h.Silent+h.Unshown > 0:
		return PhoneStatus{PhoneNoReply, "No response to the last ring", cause, cure}
	case d.SeenAt.IsZero():
		return PhoneStatus{PhoneNotSeen, "Not registered yet", "The device was imported, and its app has not registered yet.",
			"Open the app on the phone once."}
	case now.Sub(d.SeenAt) >= PhoneSilentAfter:
		return PhoneStatus{PhoneNotSeen, "Not seen for " + strconv.Itoa(days) + " days", "The app was not opened, and no ring reached it.",
			"Open the app on the phone once. If it was replaced, remove it here."}
	case verdict != Fine && h.LastAt.IsZero() && now.Sub(d.CreatedAt) < rungLately:
		return PhoneStatus{PhoneUntested, "Ready, not rung yet", "No ring to this phone has finished yet.", ""}
	case verdict != Fine:
		return PhoneStatus{PhoneUntested, "Ready, not rung lately", "No ring to this phone has finished in the last seven days.", ""}
	}
	return PhoneStatus{PhoneReady, "Ready", cause, ""}
}

// times is "call" or "3 calls": what comes after "the last".
func times(n int, one string) string {
	if n == 1 {
		return one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// Alert is the detail of an alert about a phone that fails; empty for one that does not.
func (s PhoneStatus) Alert(name string, h WakeHistory) string {
	if name == "" {
		name = "A phone without a name"
	}
	switch s.State {
	case PhoneBlocked:
		return name + " did not respond to its last " + times(h.Silent, "ring") + ", although Apple accepted them."
	case PhoneUnshown:
		return name + " woke for its last " + times(h.Unshown, "ring") + " and showed no call."
	}
	return ""
}
