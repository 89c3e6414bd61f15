package tenants

import (
	"strconv"
	"time"
)

// FactKind is something that can happen to an attempt.
type FactKind string

// The closed list of facts. Each is recorded at most once per attempt.
const (
	FactPlaced       FactKind = "placed"         // the ring was committed
	FactSent         FactKind = "sent"           // the push was written to Apple
	FactAccepted     FactKind = "accepted"       // Apple answered 200, which is not a ring
	FactRefused      FactKind = "refused"        // Apple refused, or could not be reached in time
	FactWoke         FactKind = "woke"           // the app received the push
	FactShown        FactKind = "shown"          // CallKit showed the call
	FactFailedToShow FactKind = "failed_to_show" // CallKit refused the call
	FactSilenced     FactKind = "silenced"       // Focus or the block list kept it quiet
	FactDeclined     FactKind = "declined"       // the person said no
	FactAnswered     FactKind = "answered"       // the person said yes
	FactConnected    FactKind = "connected"      // sound flows
	FactHungUp       FactKind = "hung_up"        // the call is over
	FactElsewhere    FactKind = "elsewhere"      // another device answered
	FactBusy         FactKind = "busy"           // the phone was in another call
	FactCancelled    FactKind = "cancelled"      // the agent gave up, or another device declined
	FactExpired      FactKind = "expired"        // nobody answered in time
	FactBroken       FactKind = "broken"         // SDP or media failed
	FactRemoved      FactKind = "removed"        // the device was removed while it rang
)

// FactKinds lists every kind, in the order of a ring that goes well and then of the ways it may not.
var FactKinds = []FactKind{
	FactPlaced, FactSent, FactAccepted, FactWoke, FactShown, FactAnswered, FactConnected, FactHungUp,
	FactRefused, FactFailedToShow, FactSilenced, FactDeclined, FactElsewhere, FactBusy, FactCancelled, FactExpired, FactBroken, FactRemoved,
}

// Reportable reports whether a phone may report the kind itself; the others are ours to know.
func (k FactKind) Reportable() bool {
	switch k {
	case FactWoke, FactShown, FactFailedToShow, FactSilenced, FactDeclined, FactBusy:
		return true
	}
	return false
}

// ends reports whether the kind is an ending that Carillon itself records.
func (k FactKind) ends() bool {
	switch k {
	case FactHungUp, FactElsewhere, FactCancelled, FactExpired, FactBroken, FactRemoved:
		return true
	}
	return false
}

// Fact is one thing that happened to an attempt.
type Fact struct {
	Seq      int64 // order of record, within the database; set by the store
	Attempt  AttemptID
	Kind     FactKind
	At       time.Time // when it happened, by our clock
	Received time.Time // when we learnt of it
	RawAt    time.Time // the phone's own clock: when it happened; zero if not from a phone
	RawSent  time.Time // the phone's own clock: when it reported
	Detail   string    // a short reason: Apple's reason, CallKit's code, who hung up
}

// maxAge bounds how far back a phone may place a fact: a ring lives a minute, a call an hour, reports are kept for a while.
const maxAge = 24 * time.Hour

// PhoneTime is when a fact happened by our clock: received − (sent − at). Phone clocks lie, their differences hardly ever do.
// A difference that is negative or absurd counts as none.
func PhoneTime(received, at, sent time.Time) time.Time {
	if at.IsZero() || sent.IsZero() {
		return received
	}
	ago := sent.Sub(at)
	if ago < 0 || ago > maxAge {
		return received
	}
	return received.Add(-ago)
}

// CallKit's codes of a call that was not shown: CXErrorCodeIncomingCallError.Code
// (developer.apple.com/documentation/callkit/cxerrorcodeincomingcallerror).
var callKit = map[int]string{
	0: "unknown", 1: "unentitled", 2: "call_uuid_exists", 3: "do_not_disturb", 4: "block_list",
	5: "restricted_sharing", 6: "protected", 7: "sensitive_participants",
}

// Coded reports whether the kind may carry CallKit's error code: the call was refused, or kept quiet.
func (k FactKind) Coded() bool { return k == FactFailedToShow || k == FactSilenced }

// MaxCallKitCode bounds the codes that are taken. Apple has eight today, counted from 0, and has added some with new versions of iOS.
const MaxCallKitCode = 63

// CallKitCode names a CallKit error code; one that Apple did not document when this was written is called code_ and its number.
func CallKitCode(code int) string {
	if name, ok := callKit[code]; ok {
		return name
	}
	return "code_" + strconv.Itoa(code)
}
