package console

import (
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

func headline(r *tenants.Ring, device string) string {
	switch r.State {
	case tenants.Placed, tenants.Pushed:
		return "Calling " + device + "…"
	case tenants.Ringing:
		return "Ringing " + device + "…"
	case tenants.Answered:
		return "The call was answered."
	case tenants.Ended:
		return "It works. The call was answered."
	case tenants.Declined:
		return "It works. The person declined."
	case tenants.Cancelled:
		return "Stopped before anyone answered."
	}
	if t := titles[r.EndReason]; t != "" {
		return strings.TrimSuffix(t, ".")
	}
	return "The phone did not ring."
}

func (n names) device(id tenants.DeviceID) string {
	if d, ok := n.devices[id]; ok {
		return deviceName(d)
	}
	return "A device that was removed"
}

const (
	transferTitle      = "Transfer the call with "
	transferPersonHelp = "As the devices of this person name them."
)

// What a transfer does.
var (
	transferToAgent = []string{"The agent that talks now leaves. The person hears a tone until this one takes the call.",
		"If it cannot take the call, the agents that it names next do."}
	transferToPerson = []string{"All devices of this person ring, as a ring of its own. It counts like any other.",
		"The agent that talks now leaves, and the person on the call hears a tone meanwhile.",
		"Who answers is connected with the call. If nobody answers, the call goes back to the agent of its ring.",
		"When one of the two hangs up, both calls end. From the transfer on nothing is recorded."}
)

// transferToGroup is what a transfer to a group does.
var transferToGroup = append([]string{"The persons of the group ring, as its steps say, as a ring of its own."}, transferToPerson[1:]...)

// emergencyTick offers to ring in quiet hours, to those who may, where there are any.
func emergencyTick(v *page.Visitor, checked bool) *views.Tick {
	quiet := v.Tenant.Rules().Quiet
	if quiet.None() || !v.Role.May(tenants.RingsEmergency) {
		return nil
	}
	return &views.Tick{Name: "emergency", Value: "1", Checked: checked, Label: "Emergency: ring in quiet hours too",
		Help: "Quiet hours are " + quiet.String() + ". The audit log marks such a ring."}
}

const (
	notInCall    = "This ring is not in a call, so there is nothing to transfer."
	nobodyChosen = "Choose an agent, a person or a group to take the call."
)

// builtinAgent is who speaks when nobody else was named.
const builtinAgent = "Bells and echo (built in)"

func (n names) agent(id tenants.AgentID) string {
	if id == "" {
		return builtinAgent
	}
	if a, ok := n.agents[id]; ok {
		return a.Name
	}
	return "An agent that was removed"
}

// reasonOf is why a ring stands as it stands, in a sentence.
func reasonOf(r *tenants.Ring) string {
	if s := r.EndReason.Sentence(); s != "" {
		return s
	}
	switch r.State {
	case tenants.Placed:
		return "The push is on its way to Apple."
	case tenants.Pushed:
		return "Apple accepted the push. Waiting for the phone."
	case tenants.Ringing:
		return "The phone shows the call. No answer yet."
	case tenants.Answered:
		return "In a call."
	}
	return ""
}

var ringWords = page.Words{
	Name: "Rings", Path: views.PathRings, CSV: views.PathRingsCSV, File: "rings",
	Search: "Name, device, reference or id", One: "ring", Many: "rings",
	Empty: views.Empty{Icon: views.IconRing, Text: "No rings yet."},
	Add:   views.Button{Text: "Start test ring", Href: views.PathTestRing, Icon: views.IconRing, Kind: views.Primary},
	Sorts: page.Newest(),
	Columns: []page.Column{
		{Key: "devices", Text: "Devices", Off: true, File: []string{"devices"}},
		{Key: "reason", Text: "What happened", File: []string{"end_reason"}},
		{Key: "duration", Text: "Length of the call", Off: true, File: []string{"call_seconds"}},
		{Key: "caller", Text: "Caller", File: []string{"caller"}},
		{Key: "agent", Text: "Agent", File: []string{"agent"}},
		{Key: "reference", Text: "Reference", File: []string{"reference"}},
		{Key: "apple", Text: "Apple’s answer", Off: true, File: []string{"apple_status", "apple_reason"}},
	},
}

// What pages and refusals say.
const (
	noPhoneChosen = "Choose the phone or the group to ring."
)
