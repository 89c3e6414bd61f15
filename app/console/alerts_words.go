package console

import (
	"net/url"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// alertWords say of each kind why it matters and what to do; what happened stands in the alert
// itself.
var alertWords = map[tenants.AlertKind]struct {
	tone      views.Tone
	why, cure string
}{
	tenants.AlertTokensRefused: {views.ToneBad, "When Apple refuses many phones at once, the cause is usually one wrong setting, not the " +
		"phones. No phone was disabled.",
		"Open the credential, choose “Test with Apple now”, and correct the environment and bundle ID."},
	tenants.AlertCredential: {views.ToneBad, "Phones with this app do not ring until this is fixed.",
		"Open it and choose “Test with Apple now”. The result shows what is wrong: key, team, app or environment."},
	tenants.AlertExpiry: {views.ToneWarn, "After it expires, Apple refuses every push that uses it.",
		"Choose “Replace key” on its page."},
	tenants.AlertTooOften: {views.ToneWarn, "Apple slows down senders that make too many requests. Rings may be late for a while.",
		"Wait an hour. If it happens again, check if another server uses the same key."},
	tenants.AlertBlocked: {views.ToneBad, "iOS stops waking an app that did not show its calls. This happens on each phone separately, " +
		"without a message.",
		"Ask people to open the app once, which removes the block. Send your developer to the page “Phone health”."},
	tenants.AlertUnshown: {views.ToneBad, "iOS stops waking an app after a few pushes that did not show a call.",
		"Send your developer to the page “Phone health” before more phones stop ringing."},
	tenants.AlertPhone: {views.ToneWarn, "Calls do not reach the person on this phone. It may be off, offline or without the app, " +
		"or iOS has stopped waking the app on it.",
		"Open the app once on the phone, then start a test ring."},
	tenants.AlertAgent: {views.ToneBad, "People who answer hear a tone and then the next agent, or that nobody can take the call.",
		"Correct what the cause names on the agent’s page or on its server, then start a test ring with the agent. The alert closes when " +
			"the agent takes a call."},
	tenants.AlertConnection: {views.ToneWarn, "Your own system gets no events. They are tried again for three days.",
		"Correct what the error of its latest attempt names. The alert closes with the next delivery."},
	tenants.AlertConnectionOff: {views.ToneBad, "Your own system gets no more events.",
		"Once the receiver works again, make the connection active and send again what failed."},
	tenants.AlertCalendar: {views.ToneWarn, "The schedule is that of the last read that worked, and ages.",
		"Correct what the cause names, in the calendar or on the page of the connection. The alert closes with the next read that works."},
	tenants.AlertDuty: {views.ToneBad, "Programs that ring the group get a refusal, and no phone rings.",
		"Give a person of the group other hours, or choose a group that rings if nobody answers. The alert closes when somebody is on " +
			"duty."},
	tenants.AlertKeyExpiry: {views.ToneWarn, "From then on, requests with the key are refused, and its program cannot call phones.",
		"Open the key and choose “Rotate”, or give it a later date. The alert closes by itself."},
	tenants.AlertOfRule: {views.ToneWarn, "One of your rules watches this figure.",
		"Look at its rings for the cause. The alert closes when the figure is back by a tenth."},
	tenants.AlertTargetFails: {views.ToneWarn, "Alerts are listed here, and do not arrive there.",
		"Open the target, correct what its latest answer names, and choose “Send test”."},
	tenants.AlertUsage: {views.ToneWarn, "Where all of a plan is used, nothing more of it can be added, and phones may not ring.",
		"Choose a larger plan under Billing, allow overage, or remove what is not needed. The alert closes by itself."},
	tenants.AlertDomain: {views.ToneWarn, "Your sign-in provider admits nobody new with its addresses. Members sign in as before.",
		"Add the record to the DNS of the domain again, then choose “Check” under Settings, Sign-in. The alert closes when it is found."},
	tenants.AlertTrial: {views.ToneBad, "When the trial ends, phones stop ringing.",
		"Subscribe before then, so that phones keep ringing."},
}

var alertListWords = page.Words{
	Name: "Alerts", Path: views.PathAlerts, CSV: views.PathAlertsCSV, File: "alerts", Search: "Problem, place or detail",
	One: "alert", Many: "alerts",
	Empty: views.Empty{Icon: views.IconDone, Text: "No open alerts.",
		Action: views.Button{Text: "View phone health", Href: views.PathPhoneHealth, Kind: views.Quiet}},
	Sorts: []page.Sort{{Key: "-last", Text: "Latest first"}, {Key: "last", Text: "Longest ago first"},
		{Key: "-first", Text: "Newest first"}, {Key: "first", Text: "Oldest first"}, {Key: "kind", Text: "By problem"}},
}

// alertPlace is where to look: the page of a credential or phone, the phones with a version of the
// app, an agent, or the billing page. names are those of credentials, phones and agents, by id.
func alertPlace(a tenants.Alert, names map[string]string) views.Link {
	name, known := names[a.Target]
	switch a.Kind {
	case tenants.AlertBlocked, tenants.AlertUnshown:
		link := views.Link{Text: versionName(a.Target), Href: views.PathPhoneHealth}
		if a.Target != "" {
			link.Href += "?q=" + url.QueryEscape(a.Target)
		}
		return link
	case tenants.AlertDomain:
		return views.Link{Text: a.Target, Href: views.PathProvider}
	case tenants.AlertTrial, tenants.AlertUsage:
		return views.Link{Text: "Billing", Href: views.PathBilling}
	case tenants.AlertConnection, tenants.AlertConnectionOff, tenants.AlertCalendar:
		if !known {
			return views.Link{Text: "A connection that was removed"}
		}
		return views.Link{Text: name, Href: views.ConnectionPath(a.Target)}
	case tenants.AlertDuty:
		if !known {
			return views.Link{Text: "A group that was removed"}
		}
		return views.Link{Text: name, Href: views.GroupPath(a.Target)}
	case tenants.AlertKeyExpiry:
		if !known {
			return views.Link{Text: "An API key", Href: views.KeyPath(a.Target)}
		}
		return views.Link{Text: name, Href: views.KeyPath(a.Target)}
	case tenants.AlertOfRule:
		if !known {
			return views.Link{Text: "A rule that was removed"}
		}
		return views.Link{Text: "The rule", Href: views.AlertRulePath(a.Target)}
	case tenants.AlertTargetFails:
		if !known {
			return views.Link{Text: "A target that was removed"}
		}
		return views.Link{Text: name, Href: views.AlertTargetPath(a.Target)}
	case tenants.AlertAgent:
		if !known {
			return views.Link{Text: "An agent that was removed"}
		}
		return views.Link{Text: name, Href: views.AgentPath(a.Target)}
	case tenants.AlertPhone:
		if !known {
			return views.Link{Text: "A phone that was removed"}
		}
		return views.Link{Text: name, Href: views.DevicePath(a.Target)}
	}
	if !known {
		return views.Link{Text: "A credential that was removed"}
	}
	return views.Link{Text: name, Href: views.CredentialPath(a.Target)}
}
