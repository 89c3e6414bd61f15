package console

import (
	"carillon/tenants"
	"carillon/views"
)

// factWords is how the console shows one kind of fact. An empty field means that the kind has no
// place there.
type factWords struct {
	fact tenants.FactKind

	// On the page of a ring.
	done    string // once it happened
	waiting string // a step of a ring that goes well: while it has not happened
	bad     bool   // a failure, in red
	within  bool   // something that happened in a call, and did not end it
	note    string // what it means, where the label does not say it all

	// An attempt that was missed or failed: what it came to.
	result string
	tone   views.Tone

	// On the overview.
	funnel  string // a step of the funnel
	means   string // of that step
	lost    string // the state of the rings lost before it: where its link leads
	wait    string // the wait that ends with it, in the chart of waits
	unshown string // a reason why phones showed no call
}

// factTable has one row for each kind of fact: first the steps of a ring that goes well, in order,
// then what else may happen. Where an attempt has several results, the lowest row counts.
var factTable = []factWords{
	{fact: tenants.FactPlaced, done: "The ring was placed", waiting: "Place the ring",
		funnel: "Placed", means: "a program or person asked for it"},
	{fact: tenants.FactSent, done: "Sent to Apple", waiting: "Send to Apple", wait: "Placed → sent to Apple"},
	{fact: tenants.FactAccepted, done: "Apple accepted the push", waiting: "Apple accepts the push",
		note:   "Apple accepts pushes even when the phone is off.",
		result: "The phone did not respond", tone: views.ToneBad,
		funnel: "Accepted", means: "Apple accepted the push", lost: "failed", wait: "Sent → accepted by Apple"},
	{fact: tenants.FactWoke, done: "The phone woke the app", waiting: "The phone wakes the app",
		funnel: "Woke", means: "the phone started the app", lost: "missed", wait: "Accepted → app awake"},
	{fact: tenants.FactShown, done: "The call was on the screen", waiting: "The call is on the screen",
		result: "No answer", tone: views.ToneWarn,
		funnel: "Shown", means: "the call was on the screen", lost: "missed", wait: "App awake → call on screen"},
	{fact: tenants.FactAnswered, done: "A person picked up", waiting: "A person picks up",
		funnel: "Answered", means: "a person picked up", lost: "missed", wait: "On screen → picked up"},
	{fact: tenants.FactConnected, done: "Both could hear each other", waiting: "Both can hear each other",
		funnel: "Voice", means: "both could hear each other", lost: "failed", wait: "Picked up → first sound"},
	{fact: tenants.FactAgentAttached, done: "The agent joined", within: true},
	{fact: tenants.FactAgentFailed, done: "The agent could not join", bad: true},
	{fact: tenants.FactTransferred, done: "The call was transferred", within: true},
	{fact: tenants.FactRecording, done: "It was decided whether to record", within: true},
	{fact: tenants.FactAgentLost, done: "The connection was lost during the call", bad: true},
	{fact: tenants.FactOneWay, done: "Only one side could be heard", bad: true},
	{fact: tenants.FactMeasured, done: "The line was measured", within: true},
	{fact: tenants.FactHungUp, done: "The call was over"},

	{fact: tenants.FactDeclined, done: "The person declined"},
	{fact: tenants.FactElsewhere, done: "Stopped: answered on another device"},
	{fact: tenants.FactCancelled, done: "Stopped before anyone answered"},
	{fact: tenants.FactExpired, done: "No answer in time"},
	{fact: tenants.FactBusy, done: "The phone was in another call", result: "In another call", tone: views.ToneWarn},
	{fact: tenants.FactRemoved, done: "Stopped: the phone was removed", result: "Removed", tone: views.ToneBad},
	{fact: tenants.FactBroken, done: "The audio was lost", bad: true, result: "No audio", tone: views.ToneBad},
	{fact: tenants.FactRefused, done: "Apple refused the push", bad: true, result: "Refused by Apple", tone: views.ToneBad,
		unshown: "Apple refused the push"},
	{fact: tenants.FactFailedToShow, done: "The phone refused to show the call", bad: true,
		result: "Refused by the phone", tone: views.ToneBad, unshown: "The phone refused the call"},
	{fact: tenants.FactSilenced, done: "The phone was silenced", bad: true, result: "Silenced", tone: views.ToneWarn,
		unshown: "The phone silenced the call"},
}

// wordsOfFact is factTable by kind, and steps are its rows of a ring that goes well.
var wordsOfFact, steps = func() (map[tenants.FactKind]factWords, []factWords) {
	by, well := map[tenants.FactKind]factWords{}, []factWords{}
	for _, w := range factTable {
		by[w.fact] = w
		if w.waiting != "" {
			well = append(well, w)
		}
	}
	return by, well
}()
