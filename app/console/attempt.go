package console

import (
	"slices"
	"strings"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/views"
)

// road is what happens to an attempt that goes well, in order, and how it is said before and after.
var road = []struct {
	kind          tenants.FactKind
	done, waiting string
}{
	{tenants.FactPlaced, "The ring was placed", "Place the ring"},
	{tenants.FactSent, "Sent to Apple", "Send to Apple"},
	{tenants.FactAccepted, "Apple accepted the push", "Apple accepts the push"},
	{tenants.FactWoke, "The phone woke the app", "The phone wakes the app"},
	{tenants.FactShown, "The call was on the screen", "The call is on the screen"},
	{tenants.FactAnswered, "A person picked up", "A person picks up"},
	{tenants.FactConnected, "Both could hear each other", "Both can hear each other"},
}

// turns are what else may happen, and whether it is a failure.
var turns = map[tenants.FactKind]struct {
	text string
	bad  bool
}{
	tenants.FactRefused:      {"Apple refused the push", true},
	tenants.FactFailedToShow: {"The phone refused to show the call", true},
	tenants.FactSilenced:     {"The phone was silenced", true},
	tenants.FactBroken:       {"The audio was lost", true},
	tenants.FactRemoved:      {"Stopped: the phone was removed", false},
	tenants.FactDeclined:     {"The person declined", false},
	tenants.FactBusy:         {"The phone was in another call", false},
	tenants.FactElsewhere:    {"Stopped: answered on another device", false},
	tenants.FactCancelled:    {"Stopped before anyone answered", false},
	tenants.FactExpired:      {"No answer in time", false},
	tenants.FactHungUp:       {"The call was over", false},
}

// notes are what a fact means, where its label does not say it all.
var factNotes = map[tenants.FactKind]string{
	tenants.FactAccepted: "Apple accepts pushes even when the phone is off.",
}

// lateFrom is from when on a phone's report is called late.
const lateFrom = 5 * time.Second

// clockwork makes hops of one attempt, in one time zone.
type clockwork struct {
	zone *time.Location
	last time.Time // of the hop before
}

func (w *clockwork) hop(f tenants.Fact, label string, state views.HopState) views.Hop {
	h := views.Hop{Label: label, State: state, At: views.AtSecond(f.At, w.zone), Note: factNotes[f.Kind]}
	if !w.last.IsZero() {
		h.Delta = views.Millis(max(0, int(f.At.Sub(w.last).Milliseconds()))) // two clocks may differ by a moment
	}
	if !f.RawSent.IsZero() && f.Received.Sub(f.At) >= lateFrom {
		h.Note = "Reported by the phone " + views.Millis(int(f.Received.Sub(f.At).Milliseconds())) + " later."
	}
	if d := detail(f); d != "" {
		h.Note = d
	}
	w.last = f.At
	return h
}

// detail is a fact's own word in a sentence.
func detail(f tenants.Fact) string {
	if f.Detail == "" {
		return ""
	}
	switch f.Kind {
	case tenants.FactRefused:
		return "Apple’s reason: " + f.Detail + "."
	case tenants.FactSilenced, tenants.FactFailedToShow:
		return "CallKit’s reason: " + f.Detail + "."
	case tenants.FactHungUp, tenants.FactBroken:
		return endedBy(f.Detail)
	}
	return ""
}

// hopsOf tells an attempt step by step: what was, what it waits for, and what did not come to pass.
func hopsOf(a *tenants.Attempt, zone *time.Location) []views.Hop {
	w := &clockwork{zone: zone}
	by := map[tenants.FactKind]tenants.Fact{}
	for _, f := range a.Facts {
		by[f.Kind] = f
	}
	far := 0 // hops of the road that were reached
	for i, r := range road {
		if _, ok := by[r.kind]; ok {
			far = i + 1
		}
	}
	var hops []views.Hop
	for i, r := range road[:far] {
		f, ok := by[r.kind]
		switch {
		case ok:
			hops = append(hops, w.hop(f, r.done, views.HopDone))
		case by[tenants.FactRefused].Kind != "" && r.kind == tenants.FactAccepted: // refused on one try, woke all the same
		default:
			hops = append(hops, views.Hop{Label: road[i].waiting, State: views.HopSkipped, Note: "Not reported yet."})
		}
	}
	hops = append(hops, rest(a, by, far)...)
	return append(hops, w.turns(a, by)...)
}

// rest is the road that was not reached.
func rest(a *tenants.Attempt, by map[tenants.FactKind]tenants.Fact, far int) []views.Hop {
	if !a.State.Terminal() {
		var hops []views.Hop
		for i, r := range road[far:] {
			state := views.HopWaiting
			if i == 0 {
				state = views.HopNow
			}
			hops = append(hops, views.Hop{Label: r.waiting, State: state})
		}
		return hops
	}
	if _, expired := by[tenants.FactExpired]; expired && far < len(road) {
		return []views.Hop{{Label: road[far].waiting, State: views.HopFailed, Note: "Not reached in time."}}
	}
	return nil
}

// turns are the other facts, in the order of record, and after a refusal what could not follow.
func (w *clockwork) turns(a *tenants.Attempt, by map[tenants.FactKind]tenants.Fact) []views.Hop {
	var hops []views.Hop
	for _, f := range a.Facts {
		t, ok := turns[f.Kind]
		if !ok {
			continue
		}
		state := views.HopEnded
		if t.bad {
			state = views.HopFailed
		}
		hops = append(hops, w.hop(f, t.text, state))
	}
	if _, refused := by[tenants.FactRefused]; refused && !a.Has(tenants.FactWoke) && a.State.Terminal() {
		for _, r := range road[3:5] {
			hops = append(hops, views.Hop{Label: r.done, State: views.HopSkipped})
		}
	}
	return hops
}

// outcome is how an attempt stands, in a word or two.
func outcome(a *tenants.Attempt) (views.Tone, string) {
	switch a.State {
	case tenants.Placed:
		return views.ToneNeutral, "On its way"
	case tenants.Pushed:
		return views.ToneInfo, "Waiting for the phone"
	case tenants.Ringing:
		return views.ToneBrand, "Ringing"
	case tenants.Answered:
		return views.ToneGood, "In call"
	case tenants.Ended:
		return views.ToneGood, "Answered"
	case tenants.Declined:
		return views.ToneNeutral, "Declined"
	case tenants.Cancelled:
		return views.ToneNeutral, "Cancelled"
	case tenants.Elsewhere:
		return views.ToneNeutral, "Answered elsewhere"
	}
	for _, w := range worst {
		if a.Has(w.fact) {
			return w.tone, w.said
		}
	}
	return views.ToneBad, "Never reached Apple"
}

// worst is what an attempt came to that missed or failed: the first of these facts that it has.
var worst = []struct {
	fact tenants.FactKind
	tone views.Tone
	said string
}{
	{tenants.FactRefused, views.ToneBad, "Refused by Apple"},
	{tenants.FactFailedToShow, views.ToneBad, "Refused by the phone"},
	{tenants.FactBroken, views.ToneBad, "No audio"},
	{tenants.FactRemoved, views.ToneBad, "Removed"},
	{tenants.FactSilenced, views.ToneWarn, "Silenced"},
	{tenants.FactBusy, views.ToneWarn, "In another call"},
	{tenants.FactShown, views.ToneWarn, "No answer"},
	{tenants.FactAccepted, views.ToneBad, "The phone did not respond"},
}

// laneOf is one device's part of a ring.
func laneOf(r *tenants.Ring, a *tenants.Attempt, n names, zone *time.Location) views.Lane {
	l := views.Lane{Device: n.device(a.Device), Model: modelOf(a), Hops: hopsOf(a, zone)}
	if d, ok := n.devices[a.Device]; ok {
		l.Href = views.DevicePath(string(a.Device))
		l.Model = joined(", ", d.Model, modelOf(a))
	}
	l.Tone, l.Result = outcome(a)
	if a.Push.Status != 0 || !a.Push.SentAt.IsZero() {
		l.Pushes = []views.Push{pushOf(a, zone)}
	}
	return l
}

// modelOf is what the device ran when it was rung.
func modelOf(a *tenants.Attempt) string {
	return joined(", ", before("iOS ", a.OSVersion), before("app ", a.AppVersion))
}

// pushOf is Apple's raw answer with what it means.
func pushOf(a *tenants.Attempt, zone *time.Location) views.Push {
	p := views.Push{
		ApnsID: a.Push.APNsID, Status: a.Push.Status, Reason: a.Push.Reason, Environment: envOf(a.Push.Environment),
		Sent: views.AtSecond(a.Push.SentAt, zone), Answered: views.AtSecond(a.Push.AnsweredAt, zone),
	}
	if p.Status != 0 {
		r := push.ReactionTo(a.Push.Status, a.Push.Reason)
		p.Meaning = joined(" ", r.Cause, r.Cure)
	}
	if !a.Push.SentAt.IsZero() && !a.Push.AnsweredAt.IsZero() {
		p.Took = views.Millis(int(a.Push.AnsweredAt.Sub(a.Push.SentAt).Milliseconds()))
	}
	return p
}

// before is prefix and s, or nothing when s is empty.
func before(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// joined leaves out what is empty.
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
