package console

import (
	"strings"

	"carillon/app/page"
	"carillon/app/push"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/views"
)

// howToReport says what an app has to do with each push.
var howToReport = views.DocPath("ios") + "#report-every-push-to-callkit"

// titles name the hop at which a ring stopped, for people.
var titles = map[tenants.EndReason]string{
	tenants.ReasonRefused:      "Stopped at Apple: the push was refused",
	tenants.ReasonNotPushed:    "Stopped before Apple: the push could not be delivered in time",
	tenants.ReasonNeverWoke:    "Stopped on the way to the phone: the app did not wake",
	tenants.ReasonNeverShown:   "Stopped in the app: the call was not shown",
	tenants.ReasonFailedToShow: "Stopped at CallKit: the phone refused to show the call",
	tenants.ReasonSilenced:     "The phone silenced the call",
	tenants.ReasonNoAnswer:     "The phone rang, but nobody answered",
	tenants.ReasonBusy:         "The phone was in another call",
	tenants.ReasonBroken:       "The call had no audio",
	tenants.ReasonUnheard:      "The call ended before any audio was heard",
	tenants.ReasonRemoved:      "The phone was removed while it rang",
	tenants.ReasonNobody:       "Nobody of the group could be rung",
}

// problemOf is what went wrong with a ring, why, and what to do; nil when nothing did.
func problemOf(r *tenants.Ring) *views.Callout {
	title, ok := titles[r.EndReason]
	if !ok {
		return nil
	}
	p := &views.Callout{Tone: views.ToneBad, Title: title, Cause: r.EndReason.Sentence(), Cure: r.EndReason.Cure()}
	switch r.EndReason {
	case tenants.ReasonNoAnswer, tenants.ReasonBusy, tenants.ReasonSilenced, tenants.ReasonUnheard, tenants.ReasonRemoved,
		tenants.ReasonNobody:
		p.Tone = views.ToneWarn
	}
	if r.EndReason == tenants.ReasonNobody {
		p.Action = views.Button{Text: "View group", Href: views.GroupPath(string(r.To.Group)), Kind: views.Quiet, Icon: views.IconPeople}
	}
	a := decisive(r)
	if a == nil {
		return p
	}
	p.Action = views.Button{Text: "View device", Href: views.DevicePath(string(a.Device)), Kind: views.Quiet, Icon: views.IconDevice}
	switch r.EndReason {
	case tenants.ReasonRefused:
		refused(p, a)
	case tenants.ReasonFailedToShow:
		p.Cause, p.Cure = callKit(a)
		p.Action = views.Button{Text: "How to report a push", Href: howToReport, Kind: views.Quiet,
			Icon: views.IconDocs}
	case tenants.ReasonNeverShown:
		p.Action = views.Button{Text: "How to report a push", Href: howToReport, Kind: views.Quiet,
			Icon: views.IconDocs}
	case tenants.ReasonNotPushed:
		p.Action = views.Button{Text: "View credential", Href: views.CredentialPath(string(a.Credential)), Kind: views.Quiet,
			Icon: views.IconCredential}
	case tenants.ReasonRemoved:
		p.Action = views.Button{Text: "Pair a phone", Href: views.PathDevices, Kind: views.Quiet, Icon: views.IconDevice}
	case tenants.ReasonBroken:
		if s := gateway.EndReason(factOf(a, tenants.FactBroken).Detail).Sentence(); s != "" {
			p.Cause = s
		}
	}
	return p
}

// refused says what Apple's refusal means, and where it can be mended.
func refused(p *views.Callout, a *tenants.Attempt) {
	r := push.ReactionTo(a.Push.Status, a.Push.Reason)
	p.Cause, p.Cure = r.Cause, r.Cure
	if a.Push.Reason != "" {
		p.Title = "Stopped at Apple: " + a.Push.Reason
	}
	switch r.Credential {
	case push.KeepCredential, push.HealthyCredential, push.WatchMass, push.CoolDown:
		return
	}
	p.Action = views.Button{Text: "View credential", Href: views.CredentialPath(string(a.Credential)), Kind: views.Quiet,
		Icon: views.IconCredential}
}

// callKitWords are CallKit's refusals in sentences: cause and cure.
var callKitWords = map[string][2]string{
	"unknown": {"CallKit refused the call without saying why.",
		"Ring again. If it stays, look at the phone’s log for the provider’s error."},
	"unentitled": {"The app is not entitled to show calls.",
		"Switch on the background mode “Voice over IP” in Xcode and build again."},
	"call_uuid_exists": {"CallKit shows a call with this id already.",
		"Use the ring’s id as CallKit’s UUID, and report each push once."},
	"do_not_disturb": {"A Focus such as Do Not Disturb is on.",
		"Ask the person to allow calls from your app in the phone’s Focus settings."},
	"block_list": {"The caller is on the phone’s block list.", "Ask the person to take the caller off the block list."},
	"restricted_sharing": {"The phone is shared by its Guest or SharePlay settings and shows no calls.",
		"Ask the person to end sharing and ring again."},
	"protected": {"The phone’s data is locked: it was not unlocked since it was switched on.",
		"Ask the person to unlock the phone once."},
	"sensitive_participants": {"The phone holds the call back because of who takes part.",
		"Ask the person to check the phone’s communication limits."},
}

func callKit(a *tenants.Attempt) (cause, cure string) {
	f := factOf(a, tenants.FactFailedToShow)
	if w, ok := callKitWords[f.Detail]; ok {
		return w[0], w[1]
	}
	return "The phone refused to show the call" + before(" with the code ", f.Detail) + ".",
		"Look the code up in Apple’s documentation of CallKit, or ask your developer."
}

func factOf(a *tenants.Attempt, k tenants.FactKind) tenants.Fact {
	for _, f := range a.Facts {
		if f.Kind == k {
			return f
		}
	}
	return tenants.Fact{}
}

// decisive is the attempt that stands as the ring does and came furthest; nil when there is none.
func decisive(r *tenants.Ring) *tenants.Attempt {
	var best *tenants.Attempt
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.State == r.State && (best == nil || len(a.Facts) > len(best.Facts)) {
			best = a
		}
	}
	return best
}

// endedBy is who or what ended a call.
func endedBy(reason string) string {
	if code, cause, ok := strings.Cut(reason, ": "); ok && code == string(gateway.AgentFailed) {
		return "The agent did not take part in the call: " + cause + "."
	}
	switch reason {
	case "cancelled":
		return "Cancelled by the sender."
	case "server_restarted":
		return "The server restarted during the call."
	case "node_lost":
		return "The server that carried the call stopped working."
	case "sdp":
		return "The phone sent a call offer that the server could not use."
	}
	if s := gateway.EndReason(reason).Sentence(); s != "" {
		return s
	}
	return page.Sentence(reason)
}
