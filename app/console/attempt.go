package console

import (
	"slices"
	"strings"
	"time"

	"carillon/app/push"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/views"
)

// lateFrom is from when on a phone's report is called late.
const lateFrom = 5 * time.Second

// clockwork makes hops of one attempt, in one time zone.
type clockwork struct {
	zone *time.Location
	last time.Time // of the hop before
}

func (w *clockwork) hop(f tenants.Fact, label string, state views.HopState) views.Hop {
	h := views.Hop{Label: label, State: state, At: views.AtSecond(f.At, w.zone), Note: wordsOfFact[f.Kind].note}
	if !w.last.IsZero() {
		h.Delta = views.Millis(max(0, int(f.At.Sub(w.last).Milliseconds()))) // two clocks may differ by a moment
	}
	if !f.RawSent.IsZero() && f.Received.Sub(f.At) >= lateFrom {
		h.Note = "Reported by the phone " + views.Millis(int(f.Received.Sub(f.At).Milliseconds())) + " later."
	}
	if f.ByArrival() {
		h.Note = "When the report arrived; the phone did not say how old it was."
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
	case tenants.FactAgentAttached, tenants.FactAgentFailed, tenants.FactAgentLost, tenants.FactMeasured,
		tenants.FactRecording, tenants.FactPlaced:
		return f.Detail + "."
	case tenants.FactTransferred:
		to, _, _ := strings.Cut(f.Detail, ", ring ")
		return "To " + to + "."
	case tenants.FactOneWay:
		return oneWay[f.Detail]
	}
	return ""
}

// oneWay says which side was silent, and what to do about it.
var oneWay = map[string]string{
	string(gateway.PhoneSide): "The phone sent no sound for 3 seconds while the agent talked. Check that the app may use the microphone, " +
		"and that it starts its audio when CallKit activates the audio session, not before.",
	string(gateway.AgentSide): "The agent sent no sound in the first 3 seconds while the person talked. Check that the agent’s server " +
		"sends audio back, in the format that its protocol names.",
}

// hopsOf is an attempt step by step: what happened, what it waits for, and what did not happen.
func hopsOf(a *tenants.Attempt, zone *time.Location) []views.Hop {
	w := &clockwork{zone: zone}
	by := map[tenants.FactKind]tenants.Fact{}
	for _, f := range a.Facts {
		by[f.Kind] = f
	}
	far := 0 // steps that were reached
	for i, step := range steps {
		if _, ok := by[step.fact]; ok {
			far = i + 1
		}
	}
	var hops []views.Hop
	others := othersOf(a)
	for _, step := range steps[:far] {
		f, ok := by[step.fact]
		switch {
		case ok:
			for len(others) > 0 && others[0].At.Before(f.At) {
				hops, others = append(hops, w.other(others[0])), others[1:]
			}
			hops = append(hops, w.hop(f, step.done, views.HopDone))
		case by[tenants.FactRefused].Kind != "" && step.fact == tenants.FactAccepted: // refused on one try, woke all the same
		default:
			hops = append(hops, views.Hop{Label: step.waiting, State: views.HopSkipped, Note: "Not reported yet."})
		}
	}
	return append(hops, w.after(a, by, others, rest(a, by, far))...)
}

// after are the hops after the last step that was reached: the others that remain, and the steps
// that were not reached. A step that is awaited comes last; one that failed comes before the fact
// that ended the attempt.
func (w *clockwork) after(a *tenants.Attempt, by map[tenants.FactKind]tenants.Fact, others []tenants.Fact, rest []views.Hop) []views.Hop {
	var hops []views.Hop
	for _, f := range others {
		if !wordsOfFact[f.Kind].within && a.State.Terminal() {
			hops, rest = append(hops, rest...), nil
		}
		hops = append(hops, w.other(f))
	}
	hops = append(hops, rest...)
	if _, refused := by[tenants.FactRefused]; refused && !a.Has(tenants.FactWoke) && a.State.Terminal() {
		for _, k := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown} {
			hops = append(hops, views.Hop{Label: wordsOfFact[k].done, State: views.HopSkipped})
		}
	}
	return hops
}

// rest are the steps that were not reached.
func rest(a *tenants.Attempt, by map[tenants.FactKind]tenants.Fact, far int) []views.Hop {
	if !a.State.Terminal() {
		var hops []views.Hop
		for i, step := range steps[far:] {
			state := views.HopWaiting
			if i == 0 {
				state = views.HopNow
			}
			hops = append(hops, views.Hop{Label: step.waiting, State: state})
		}
		return hops
	}
	if _, expired := by[tenants.FactExpired]; expired && far < len(steps) {
		return []views.Hop{{Label: steps[far].waiting, State: views.HopFailed, Note: "Not reached in time."}}
	}
	return nil
}

// othersOf are the facts that are no step of a ring that goes well, by time, and in the order of
// record where the time is the same.
func othersOf(a *tenants.Attempt) []tenants.Fact {
	list := slices.DeleteFunc(slices.Clone(a.Facts), func(f tenants.Fact) bool { return wordsOfFact[f.Kind].waiting != "" })
	slices.SortStableFunc(list, func(a, b tenants.Fact) int { return a.At.Compare(b.At) })
	return list
}

func (w *clockwork) other(f tenants.Fact) views.Hop {
	words, state := wordsOfFact[f.Kind], views.HopEnded
	switch {
	case words.bad:
		state = views.HopFailed
	case words.within:
		state = views.HopDone
	}
	return w.hop(f, words.done, state)
}

// outcome is the state of an attempt, in a word or two. Of one that missed or failed it is the last
// fact in the order of factTable that explains it.
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
	for _, w := range slices.Backward(factTable) {
		if w.result != "" && a.Has(w.fact) {
			return w.tone, w.result
		}
	}
	return views.ToneBad, "Never reached Apple"
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
