package console

import (
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// auditWords say an action as a person would. What is not here is shown as it is recorded.
var auditWords = map[string]string{
	"user.passkey":         "added a passkey of",
	"user.passkey_removed": "removed a passkey of",

	"ring.place":          "placed the ring",
	"ring.cancel":         "cancelled the ring",
	"ring.transfer":       "transferred the call of",
	"ring.hang_up":        "hung up the call of",
	"ring.set":            "changed the ring",
	"note.add":            "added notes to the ring",
	"note.read":           "read the notes of the ring",
	"note.erase":          "erased the notes of the person called in the ring",
	"recording.policy":    "set the recording of calls of",
	"recording.listen":    "listened to the recording of the ring",
	"recording.download":  "downloaded the recording of the ring",
	"device.add":          "added the device",
	"device.register":     "updated the registration of",
	"device.set":          "changed the device",
	"device.remove":       "removed the device",
	"device.token":        "renewed the push token of",
	"device.disable":      "disabled the device",
	"device.revive":       "enabled the device again",
	"device.tag":          "set the tags of",
	"device.import":       "imported devices:",
	"device.merge":        "merged an older entry into",
	"device.learn":        "detected the Apple environment for",
	"pairing.add":         "created a pairing code",
	"pairing.take":        "used the pairing code for",
	"credential.add":      "added the credential",
	"credential.remove":   "removed the credential",
	"credential.trouble":  "got a refusal from Apple for the credential",
	"credential.disable":  "disabled the credential",
	"credential.confine":  "detected the Apple environment for",
	"credential.probe":    "tested with Apple",
	"credential.rollback": "rolled back to the credential",
	"credential.profile":  "changed the push fields of",
	"credential.hedging":  "changed the retry setting of",
	"alert.raise":         "raised an alert about",
	"alert.resolve":       "closed the alert about",
	"alert_rule.add":      "added the alert rule",
	"alert_rule.set":      "changed the alert rule",
	"alert_rule.remove":   "removed the alert rule",
	"alert_target.add":    "added the alert target",
	"alert_target.set":    "changed the alert target",
	"alert_target.remove": "removed the alert target",
	"alert_target.test":   "sent a test to the alert target",
	"agent.add":           "added the agent",
	"agent.set":           "changed the agent",
	"agent.remove":        "removed the agent",
	"connection.add":      "added the connection",
	"connection.set":      "changed the connection",
	"connection.remove":   "removed the connection",
	"connection.secret":   "made a new signing secret for the connection",
	"connection.pause":    "paused the connection",
	"connection.resume":   "resumed the connection",
	"connection.disable":  "disabled the connection after five days of failure:",
	"connection.end":      "ended the connection, because its receiver answered 410 Gone:",
	"connection.test":     "sent a test event to the connection",
	"connection.replay":   "sent events again to the connection",
	"text.stop":           "answered STOP to a text:",
	"text.start":          "wants texts again:",
	"group.add":           "added the group",
	"group.set":           "changed the group",
	"group.remove":        "removed the group",
	"schedule.add":        "added the schedule",
	"schedule.set":        "changed the schedule",
	"schedule.remove":     "removed the schedule",
	"consent.add":         "recorded the consent of",
	"consent.withdraw":    "noted the withdrawal of the consent of",
	"view.add":            "saved the view",
	"view.remove":         "removed the view",
	"key.add":             "created the API key",
	"key.revoke":          "revoked the API key",
	"key.set":             "changed the API key",
	"key.rotate":          "rotated the API key",
	"key.expire":          "noted the expiry of the API key",
	"member.add":          "joined as",
	"member.role":         "changed the role of",
	"member.remove":       "removed the person",
	"invitation.add":      "invited",
	"invitation.revoke":   "cancelled the invitation for",
	"invitation.resend":   "sent the invitation again to",
	"tenant.add":          "created the organisation",
	"tenant.set":          "changed the organisation",
	"tenant.suspend":      "suspended the organisation",
	"tenant.resume":       "resumed the organisation",
	"tenant.look":         "began to look at the console of",
	"tenant.look_end":     "stopped looking at the console of",
	"tenant.look_page":    "looked at the page",
	"tenant.look_set":     "changed whether operators may look at the console of",
	"rules.set":           "changed the rules",
	"subscription.set":    "changed the subscription to",
	"subscription.remove": "ended the subscription of",
	"user.sign_in":        "signed in",
	"provider.set":        "set up signing in through",
	"provider.remove":     "removed the provider of",
	"provider.domain":     "proved the domain",
	"provider.lost":       "found no proof any more of the domain",
	"role.preview":        "looked at the console in another role:",
	"role.preview_end":    "returned to their own role:",
	"user.sign_in_failed": "recorded failed sign-ins of",
	"user.password":       "changed the password of",
	"tenant.two_steps":    "changed whether two-step sign-in is required by",
	"user.app":            "set up an authenticator app for",
	"user.app_removed":    "removed the authenticator app of",
	"user.recovery":       "made new recovery codes for",
	"user.recovered":      "used a recovery code of",
	"user.steps_cleared":  "removed the second steps of",
	"user.email":          "changed the email address of",
	"user.digest":         "turned the weekly email on or off for",
	"user.name":           "changed the name of",
	"user.language":       "changed the language of",
	"user.reset":          "reset the password of",
	"user.prove":          "proved the email address of",
	"retention.remove":    "removed what was kept long enough:",
	"audit.verify":        "verified the audit log",
	"audit.review":        "signed off the audit log up to entry",
	"audit.evidence":      "downloaded evidence of entries",
	"tenant.delete":       "asked to delete",
	"tenant.keep":         "undid the deletion of",
	"tenant.deleting":     "began to delete",
	"member.erase":        "asked to erase a person",
	"member.erased":       "erased a person:",
	"person.erase":        "asked to erase a person",
	"person.erased":       "erased a person:",
	"export.ask":          "asked for an export of everything",
	"export.begin":        "began to write the export",
	"export.ready":        "completed the export:",
	"export.fail":         "could not write the export:",
	"export.download":     "downloaded the export of everything",
	"export.remove":       "removed the export",
	"export.expire":       "removed the export, whose time was over",
	"access.refuse":       "asked without permission for",
	"address.refuse":      "gave a private address for the",
}

// operatorsShown names the people who run the server, among those who may have changed something.
const operatorsShown = "Operators of this server"

// auditFields say the changed fields of an entry. What is not here is shown as it is recorded.
var auditFields = map[string]string{
	"name": "name", "kind": "kind", "caller": "name shown on the phone", "token": "push token", "bundle_id": "app",
	"environment": "Apple environment",
	"person":      "belongs to", "role": "role", "model": "model", "os_version": "version of iOS", "app_version": "version of the app",
	"time_zone": "time zone", "phone_number": "phone number", "platform": "platform",
	"state": "state", "slug": "short name", "industry": "industry", "ring_ttl": "how long a phone rings", "default_agent": "default agent",
	"plan": "plan", "interval": "month or year", "period": "period", "trial_end": "end of the trial", "trial_cut": "early end of the trial",
	"cancel_at_end": "cancellation", "past_due_since": "failed payment", "overage": "overage", "customer": "customer at Stripe",
	"stripe": "subscription at Stripe", "scopes": "permissions", "per_second": "rings a second", "expires": "expiry",
	"period_start": "start of the period", "period_end": "end of the period", "quantity": "quantity", "tags": "tags",
	"hedging": "sending again when Apple is silent", "payload_profile": "fields of a push", "recording": "recording of calls",
	"look_until": "operators may look until", "earlier_device": "older entry", "events": "events", "url": "address", "headers": "headers",
	"settings": "settings", "issuer": "sign-in provider", "client_id": "client ID", "domains": "email domains",
	"first_role": "role at the first sign-in", "only_way": "the only way to sign in",
	"networks": "allowed addresses", "devices": "allowed devices", "reason": "reason",
}

// auditDetail says the detail of an entry as a person would. Files have it as it is recorded.
func auditDetail(a tenants.Audit) string {
	switch noun, verb, _ := strings.Cut(a.Action, "."); {
	case noun == "alert":
		if title := tenants.AlertKind(a.Detail).Title(); title != "" {
			return title
		}
	case a.Action == "key.add":
		return scopesShown(a.Detail)
	case noun == "member" || noun == "invitation" || noun == "role":
		return roleShown(a.Detail)
	case noun == "key" && verb == "set",
		noun == "device" && (verb == "set" || verb == "register" || verb == "learn" || verb == "token"), noun == "agent",
		noun == "tenant", noun == "subscription":
		fields := strings.Split(a.Detail, ", ")
		for i, f := range fields {
			if word, ok := auditFields[f]; ok {
				fields[i] = word
			}
		}
		return strings.Join(fields, ", ")
	}
	return a.Detail
}

// saidChange says the values of fields that hold words of ours.
var saidChange = map[string]func(string) string{"scopes": scopesShown, "role": roleShown, "first_role": roleShown}

// scopesShown says a list of permissions, each after a blank.
func scopesShown(list string) string {
	var may []string
	for s := range strings.FieldsSeq(list) {
		may = append(may, scopeWord(tenants.Permission(s)))
	}
	return strings.Join(may, "; ") // some of them have a comma
}

// roleShown is the name of a role, or what else is in its place.
func roleShown(s string) string {
	if r := tenants.Role(s); r.Known() {
		return r.Name()
	}
	return s
}

// changeShown says one change as a person would.
func changeShown(a tenants.Audit, c tenants.Change, known map[string]views.Link) views.AuditChange {
	name := c.Field
	if word, ok := auditFields[name]; ok {
		name = word
	}
	said := saidChange[c.Field]
	shown := func(s string) string {
		if s == "" {
			return views.AuditNothing
		}
		if said != nil {
			return said(s)
		}
		if l, ok := known[s]; ok && l.Text != "" {
			return "“" + l.Text + "”"
		}
		return "“" + s + "”"
	}
	return views.AuditChange{Field: name, Before: shown(c.Before), After: shown(c.After), Said: said != nil}
}

// changesCell is the changes in a file.
func changesCell(all []tenants.Change) string {
	var lines []string
	for _, c := range all {
		lines = append(lines, c.Field+": "+c.Before+" → "+c.After)
	}
	return strings.Join(lines, "\n")
}

func resultOf(a tenants.Audit) string {
	if a.Refused {
		return tenants.AuditRefused
	}
	return "done"
}

var auditListWords = page.Words{
	Name: "Audit log", Path: views.PathAudit, CSV: views.PathAuditCSV, File: "audit", Search: "Person, name, detail or any ID",
	One: "entry", Many: "entries",
	Empty: views.Empty{Icon: views.IconAudit, Text: "No changes yet.",
		Action: views.Button{Text: "Go to the overview", Href: views.PathOverview}},
	Sorts: page.Newest(),
	Columns: []page.Column{
		{Key: "from", Text: "From", File: []string{"ip"}},
		{Key: "request", Text: "Request", File: []string{"request_id"}},
	},
}
