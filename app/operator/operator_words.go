package operator

import (
	"slices"
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

const (
	signInFirst    = "You are not signed in as an operator. Sign in again."
	wrongSignIn    = "Email or password is wrong. Check both and try again."
	wrongCode      = "This code is wrong or was used already. Wait for the next one and try again."
	wrongFirstCode = "This code does not fit the key. Check the time of your phone, and enter the code that the app shows now."
	failedPassword = "wrong address or password"
	failedCode     = "wrong code"
	failedCurrent  = "wrong current password"
	wrongCurrent   = "The current password is wrong. Try again."
	samePassword   = "This is your password already. Choose another one."
	failedPasskey  = "a passkey that was refused"
	passkeyAlone   = "with a passkey"
	passkeyToo     = "with a password and a passkey"
	toSignIn       = "Go to sign in"
	recoveryTitle  = "Recovery codes"
	accountTitle   = "Your account"
	confirmMeTitle = "Confirm that it is you"
	appTitle       = "Connect an authenticator app"
	passwordTitle  = "Change your password"
	tryAgainLater  = "Wait a moment and try again. If it happens again, look at the server’s log for the request ID."
)

// cures say what to do about a refusal, by its status.
var cures = map[int]string{
	400: "Go back, check what you entered, and try again.",
	401: "Sign in again.",
	403: "Open the page here and try again.",
	404: "Choose a page from the menu.",
	405: "Choose a page from the menu.",
	409: "Load the page again: somebody changed it in the meantime.",
	429: "Wait a moment and try again.",
}

func cureOf(status int) string {
	if cure, ok := cures[status]; ok {
		return cure
	}
	return tryAgainLater
}

const (
	passkeyTitle       = "Add a passkey"
	passkeyRemoveTitle = "Remove a passkey"
	passkeyNameHelp    = "So that you know it again, such as the name of the device."
	wrongPasskeyName   = "Give the passkey a name of 1 to 60 characters."
	passkeyLate        = "This took too long, or was sent twice. Try again."
	passkeyRefused     = "This passkey was not accepted. Try again, or use your password and a code."
	passkeyNotMade     = "The browser made no passkey that we can accept. Try again, or try another device."
	passkeysNeedDomain = "Passkeys need an address with a domain name. Set it with CARILLON_OPERATOR_URL."
)

func removalOfPasskey(p store.Passkey) views.Confirm {
	return views.Confirm{ID: "passkey-remove", Title: "Remove the passkey “" + p.Name + "”?", Button: "Remove passkey",
		Action: views.PasskeyRemovePath(string(p.ID)), Back: views.PathAccount,
		Consequence: []string{"It no longer signs in here. Delete it in your browser or password manager too.",
			"You are signed out in all other browsers."}}
}

func accountFacts(o tenants.Operator) []views.Row {
	return []views.Row{{Name: "Name", Text: o.Name, Own: true}, {Name: "Email", Text: o.Email, Own: true},
		{Name: "Added", When: at(o.CreatedAt)}, {Name: "Last sign-in", When: at(o.SeenAt)}}
}

func devSignIn(s Seen) string { return "Dev mode: " + s.Email + ", password: " + s.Password }

func devCode(s Seen) string { return "Dev mode: the code is " + s.Code + " now." }

func newCodes(left int) views.Confirm {
	return views.Confirm{ID: "codes", Title: "Make new recovery codes?",
		Consequence: []string{"You have " + views.Plural(left, "code", "codes") + " left.", "Older codes stop working.",
			"The new ones are shown once."},
		Action: pages.PathCodes, Button: "Make new codes", Back: views.PathAccount}
}

// stateOf is an operator's state in words.
func stateOf(o tenants.Operator) (string, views.Tone, views.Icon) {
	switch stateCode(o) {
	case operatorDisabled:
		return "Disabled", views.ToneBad, views.IconBan
	case operatorInvited:
		return "Link not used yet", views.ToneWarn, views.IconHourglass
	}
	return "Active", views.ToneGood, views.IconCheck
}

// The states of an operator in addresses and files.
const (
	operatorActive   = "active"
	operatorInvited  = "link"
	operatorDisabled = "disabled"
)

func stateCode(o tenants.Operator) string {
	switch {
	case !o.DisabledAt.IsZero():
		return operatorDisabled
	case !o.Ready:
		return operatorInvited
	}
	return operatorActive
}

func operatorStates() []views.Choice {
	return []views.Choice{{Value: "", Text: "Any state"}, {Value: operatorActive, Text: "Active"},
		{Value: operatorInvited, Text: "Link not used yet"}, {Value: operatorDisabled, Text: "Disabled"}}
}

// stepsOf is what an operator signs in with beside the password.
func stepsOf(o tenants.Operator) string {
	var all []string
	if o.App {
		all = append(all, "app")
	}
	if o.Passkeys > 0 {
		all = append(all, views.Plural(o.Passkeys, "passkey", "passkeys"))
	}
	if len(all) == 0 {
		return "–"
	}
	return strings.Join(all, ", ")
}

var operatorWords = page.Words{
	Name: "Operators", Path: pages.PathOperators, CSV: pages.PathOperatorsCSV, File: "operators", Search: "Name or email",
	One: "operator", Many: "operators",
	Sorts: []page.Sort{{Key: "name", Text: "Name, A to Z"}, {Key: "-name", Text: "Name, Z to A"},
		{Key: "-seen", Text: "Last sign-in first"}, {Key: "seen", Text: "Longest away first"},
		{Key: "-created", Text: "Newest first"}, {Key: "created", Text: "Oldest first"}},
	Empty: views.Empty{Icon: views.IconPeople, Text: "No operators."},
}

var auditListWords = page.Words{
	Name: "Audit log", Path: pages.PathAudit, CSV: pages.PathAuditCSV, File: "operator-audit", Search: "Operator, action or tenant",
	One: "entry", Many: "entries", Sorts: page.Newest(),
	Empty: views.Empty{Icon: views.IconAudit, Text: "No entries yet."},
}

// actions say what an operator did. What is not here is shown as it is recorded.
var actions = map[string]string{
	"operator.add":     "added the operator",
	"operator.reset":   "reset the operator",
	"operator.disable": "disabled the operator",
	"operator.enable":  "enabled the operator",
	"operator.enrol":   "chose a password and a second step:",
	"operator.app":     "connected another authenticator app of",

	"operator.password": "changed the password of",

	"operator.passkey":         "added a passkey of",
	"operator.passkey_renamed": "renamed a passkey of",
	"operator.passkey_removed": "removed a passkey of",
	"operator.sign_ins_ended":  "signed out all other browsers of",

	"operator.codes":      "made new recovery codes for",
	"operator.recovered":  "used a recovery code of",
	"operator.proof":      "confirmed who they are:",
	"operator.sign_in":    "signed in:",
	"tenant.suspend":      "suspended the tenant",
	"tenant.resume":       "resumed the tenant",
	"subscription.set":    "changed the plan of the tenant",
	"subscription.remove": "took the plan away from the tenant",
	"tenant.look":         "opened the console of the tenant",
	"tenant.look_end":     "closed the console of the tenant",
	"tenant.look_set":     "changed whether operators may look at",
	"tenant.look_page":    "looked at a page of the tenant",
	"access.refuse":       "asked for what operators may not do, at the tenant",
	"stripe.replay":       "asked to process again the event",
	"partner.paid":        "recorded a payout to the partner",
	"mail.resend":         "sent again an email:",
}

const resultLabel = "Result"

func resultChoices() []views.Choice {
	return []views.Choice{{Value: "", Text: "Any result"}, {Value: tenants.AuditRefused, Text: "Refused only"}}
}

const targetLabel = "Tenant"

// targetChoices are all tenants, and the one whose entries a page shows.
func targetChoices(id, name string) []views.Choice {
	return []views.Choice{{Value: "", Text: "Any tenant"}, {Value: id, Text: name}}
}

// actionsSaying are the actions whose words here have a word that was typed, in lower case.
func actionsSaying(word string) (all []string) {
	for action, text := range actions {
		if strings.Contains(text, word) {
			all = append(all, action)
		}
	}
	slices.Sort(all)
	return all
}

func said(action string) string {
	if word, ok := actions[action]; ok {
		return word
	}
	return action
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return "“" + s + "”"
}

func resultOf(a tenants.Audit) string {
	if a.Refused {
		return tenants.AuditRefused
	}
	return "done"
}

func changesCell(all []tenants.Change) string {
	var lines []string
	for _, c := range all {
		lines = append(lines, c.Field+": "+c.Before+" → "+c.After)
	}
	return strings.Join(lines, "\n")
}

// verdictOf says what a check of the record found.
func verdictOf(entries int64, fault *tenants.AuditFault) views.Callout {
	if fault == nil {
		return views.Callout{Tone: views.ToneGood, Title: "The record is whole: " + views.Plural(int(entries), "entry", "entries") + "."}
	}
	return views.Callout{Tone: views.ToneBad, Title: "The record was changed at entry " + views.Plain(int(fault.Seq)) + ".",
		Cause: fault.Why,
		Cure:  "Somebody with access to the database changed it. Compare it with a backup."}
}
