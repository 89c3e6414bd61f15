package tenants

import (
	"strconv"
	"time"
)

// FactKind is something that can happen to an attempt.
type FactKind string

// The closed list of facts. Each is recorded at most once per attempt, unless it says otherwise.
const (
	FactPlaced       FactKind = "placed"         // the ring was committed; Detail says why a look-up before it brought nothing
	FactSent         FactKind = "sent"           // the push was written to Apple
	FactAccepted     FactKind = "accepted"       // Apple answered 200; the phone does not ring yet
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

	// These may happen several times.
	FactAgentAttached FactKind = "agent_attached" // an agent takes the call; Detail is its name
	FactAgentFailed   FactKind = "agent_failed"   // an agent could not be attached; its name and the cause
	FactAgentLost     FactKind = "agent_lost"     // an agent broke off; its name and the cause
	FactTransferred   FactKind = "transferred"    // the call is given to an agent or a person; to whom
	FactOneWay        FactKind = "one_way"        // one side talked and the other sent no sound; the silent side: phone or agent
	FactMeasured      FactKind = "measured"       // the built-in probe measured the line; Detail is the result
	FactRecording     FactKind = "recording"      // whether the call is recorded, where it may be; Detail says why
)

// factRule is what holds for a kind of fact by itself. What it does to an attempt's state is in
// next.
type factRule struct {
	kind       FactKind
	reportable bool // a phone may report it
	coded      bool // it may carry CallKit's error code: the call was refused, or kept quiet
	ends       bool // Carillon records it to end an attempt
	repeats    bool // it may happen several times, at most maxRepeats
}

// maxRepeats is how often one attempt records a fact that may repeat: a call that is transferred to
// and fro must not fill a table.
const maxRepeats = 20

// factRules has a row for each kind: first the steps of a successful ring in order, then the ways
// it can fail.
var factRules = []factRule{
	{kind: FactPlaced},
	{kind: FactSent},
	{kind: FactAccepted},
	{kind: FactWoke, reportable: true},
	{kind: FactShown, reportable: true},
	{kind: FactAnswered},
	{kind: FactConnected},
	{kind: FactHungUp, ends: true},
	{kind: FactRefused},
	{kind: FactFailedToShow, reportable: true, coded: true},
	{kind: FactSilenced, reportable: true, coded: true},
	{kind: FactDeclined, reportable: true},
	{kind: FactElsewhere, ends: true},
	{kind: FactBusy, reportable: true},
	{kind: FactCancelled, ends: true},
	{kind: FactExpired, ends: true},
	{kind: FactBroken, ends: true},
	{kind: FactRemoved, ends: true},
	{kind: FactAgentAttached, repeats: true},
	{kind: FactAgentFailed, repeats: true},
	{kind: FactAgentLost, repeats: true},
	{kind: FactTransferred, repeats: true},
	{kind: FactOneWay, repeats: true},
	{kind: FactMeasured, repeats: true},
	{kind: FactRecording, repeats: true}, // that it is recorded, and later that it is no more
}

// FactKinds lists every kind, in the order of factRules.
var FactKinds = func() (kinds []FactKind) {
	for _, r := range factRules {
		kinds = append(kinds, r.kind)
	}
	return kinds
}()

// rule is the row of the kind; the zero rule for a word that is no kind.
func (k FactKind) rule() factRule {
	for _, r := range factRules {
		if r.kind == k {
			return r
		}
	}
	return factRule{}
}

// Reportable reports whether a phone may report the kind. The server records the others itself.
func (k FactKind) Reportable() bool { return k.rule().reportable }

// Coded reports whether the kind may carry CallKit's error code.
func (k FactKind) Coded() bool { return k.rule().coded }

// room reports whether an attempt that has n of the kind may record one more.
func (k FactKind) room(n int) bool { return n == 0 || k.rule().repeats && n < maxRepeats }

// ends reports whether the kind ends an attempt and is recorded by Carillon itself.
func (k FactKind) ends() bool { return k.rule().ends }

// Fact is one thing that happened to an attempt.
type Fact struct {
	Seq      int64 // order of record, within the database; set by the store
	Attempt  AttemptID
	Kind     FactKind
	At       time.Time // when it happened, by the server's clock
	Received time.Time // when the server received it
	RawAt    time.Time // the phone's own clock: when it happened; zero if not from a phone
	RawSent  time.Time // the phone's own clock: when it reported
	Detail   string    // a short reason: Apple's reason, CallKit's code, who hung up
	Nth      int       // how many of its kind the attempt had before, where a kind may repeat; set by Fold
}

// ByArrival reports whether a phone reported the fact without saying when it sent the report: At is
// then when the report arrived.
func (f Fact) ByArrival() bool { return !f.RawAt.IsZero() && f.RawSent.IsZero() }

// maxAge bounds how far back a phone may date a fact: a ring takes a minute, a call an hour, and
// the app keeps reports that it could not send.
const maxAge = 24 * time.Hour

// PhoneTime returns when a fact happened by the server's clock: received − (sent − at). The clock
// of a phone may be wrong, but the difference of two of its times is reliable. A difference that is
// negative, or above 24 hours, counts as 0.
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

// MaxCallKitCode is the highest CallKit code that is accepted. Apple has eight today, from 0, and
// adds some with new versions of iOS.
const MaxCallKitCode = 63

// CallKitCode returns the name of a CallKit error code; "code_" and the number for one that Apple
// did not document when this was written.
func CallKitCode(code int) string {
	if name, ok := callKit[code]; ok {
		return name
	}
	return "code_" + strconv.Itoa(code)
}
