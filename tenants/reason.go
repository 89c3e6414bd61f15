package tenants

import (
	"maps"
	"slices"
)

// EndReason is the reason why a ring ended, for programs. Sentence says it for people, and Cure
// says what to do about it.
type EndReason string

// The closed list of reasons.
const (
	ReasonHungUp       EndReason = "hung_up"
	ReasonDeclined     EndReason = "declined"
	ReasonCancelled    EndReason = "cancelled"
	ReasonBusy         EndReason = "busy"
	ReasonSilenced     EndReason = "silenced"
	ReasonNoAnswer     EndReason = "no_answer"
	ReasonNeverShown   EndReason = "never_shown"
	ReasonNeverWoke    EndReason = "never_woke"
	ReasonNotPushed    EndReason = "not_pushed"
	ReasonRefused      EndReason = "refused"
	ReasonFailedToShow EndReason = "failed_to_show"
	ReasonBroken       EndReason = "broken"
	ReasonUnheard      EndReason = "unheard"
	ReasonRemoved      EndReason = "device_removed"
	ReasonNobody       EndReason = "nobody_rung"
)

var reasons = map[EndReason]struct{ sentence, cure string }{
	ReasonHungUp:    {"The call was answered and then hung up.", ""},
	ReasonDeclined:  {"The person declined the call.", ""},
	ReasonCancelled: {"The ring was cancelled before anyone answered.", ""},
	ReasonBusy:      {"The phone was in another call.", "Ring again later."},
	ReasonSilenced: {"The phone kept the call quiet: a Focus such as Do Not Disturb is on, or the caller is blocked.",
		"Ask the person to allow calls from your app in the phone's Focus settings."},
	ReasonNoAnswer: {"The phone rang and nobody answered in time.", "Ring again later, or give the ring more time."},
	ReasonNeverShown: {"The app woke, but the phone did not show the call before the ring expired.",
		"The app must report every push to CallKit at once; iOS stops waking an app that does not. See the developer page."},
	ReasonNeverWoke: {"Apple accepted the push, but the app did not wake before the ring expired.",
		"The phone may be off or offline, the app deleted, or iOS has stopped waking it because earlier pushes were not shown. " +
			"Open the app once and ring again."},
	ReasonNotPushed: {"Apple did not take the push before the ring expired.",
		"Ring again. If it happens again, check your Apple credential."},
	ReasonRefused: {"Apple refused the push.", "The ring's page shows Apple's reason and how to fix it."},
	ReasonFailedToShow: {"The app woke, but the phone refused to show the call.",
		"The ring's page shows the code that CallKit gave."},
	ReasonBroken: {"The call could not carry sound.",
		"Check the phone's network. If it happens again, check that the server's voice port " +
			"is reachable."},
	ReasonUnheard: {"The call was answered, and hung up before any sound was heard.",
		"If it happens often: the app must start its audio when CallKit activates it, and the server's voice port must be reachable. " +
			"See the developer page."},
	ReasonNobody: {"Nobody of the group could be rung.",
		"The steps of the ring say why each person was left out. Give the group a person who can be rung, and ring again."},
	ReasonRemoved: {"The phone was removed from the account while it rang.", "Pair the phone again, under Devices, and ring again."},
}

// EndReasons returns every reason, in no order.
func EndReasons() []EndReason { return slices.Collect(maps.Keys(reasons)) }

// Sentence returns the reason as a sentence for people; empty for an empty reason.
func (e EndReason) Sentence() string { return reasons[e].sentence }

// Cure returns what to do about it; empty if nothing is wrong.
func (e EndReason) Cure() string { return reasons[e].cure }

// reason returns why a ring has just ended: the reason of the attempt that decided it, or of the
// one that came furthest if several have that state.
func (r *Ring) reason() EndReason {
	best, far := ReasonCancelled, -1
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.State != r.State || a.declinedElsewhere() {
			continue
		}
		if n := a.progress(); n > far {
			best, far = a.reason(), n
		}
	}
	return best
}

// progress returns how far the attempt came: 5 if sound was heard, 0 if Apple did not accept it.
func (a *Attempt) progress() int {
	for i, k := range []FactKind{FactConnected, FactAnswered, FactShown, FactWoke, FactAccepted} {
		if a.Has(k) {
			return 5 - i
		}
	}
	return 0
}

// reason returns why an attempt has ended, from the fact that ended it.
func (a *Attempt) reason() EndReason {
	switch a.State {
	case Ended:
		if !a.Has(FactConnected) {
			return ReasonUnheard
		}
		return ReasonHungUp
	case Declined:
		return ReasonDeclined
	case Cancelled:
		return ReasonCancelled
	}
	s := Placed
	for _, f := range a.Facts {
		if s = Next(s, f.Kind); s.Terminal() {
			return a.endingOf(f.Kind)
		}
	}
	return ""
}

func (a *Attempt) endingOf(k FactKind) EndReason {
	switch k {
	case FactBusy:
		return ReasonBusy
	case FactSilenced:
		return ReasonSilenced
	case FactRefused:
		return ReasonRefused
	case FactFailedToShow:
		return ReasonFailedToShow
	case FactBroken:
		return ReasonBroken
	case FactRemoved:
		return ReasonRemoved
	case FactExpired:
		return a.expiry()
	}
	return ""
}

// expiry returns why an attempt expired: the first step that is missing is the one that failed.
func (a *Attempt) expiry() EndReason {
	switch {
	case a.Has(FactShown):
		return ReasonNoAnswer
	case a.Has(FactWoke):
		return ReasonNeverShown
	case a.Has(FactAccepted):
		return ReasonNeverWoke
	}
	return ReasonNotPushed
}
