package console

import (
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

var connectionWords = page.Words{
	Name: "Connections", Path: views.PathConnections, CSV: views.PathConnectionsCSV, File: "connections", Search: "Name or address",
	One: "connection", Many: "connections",
	Empty: views.Empty{Icon: views.IconPlug, Text: "Nothing is connected yet. Your other systems do not learn what happens here."},
	Add:   views.Button{Text: "Add connection", Href: views.PathConnectionAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "address", Text: "Address, A to Z"}, page.Sort{Key: "-address", Text: "Address, Z to A"},
		page.Sort{Key: "state", Text: "On first"}, page.Sort{Key: "-state", Text: "Paused first"},
		page.Sort{Key: "-delivered", Text: "Last delivered first"}, page.Sort{Key: "delivered", Text: "Longest silent first"}),
	Columns: []page.Column{
		{Key: "address", Text: "Address"},
		{Key: "state", Text: "State"},
		{Key: "failed", Text: "Failed, 24 h"},
		{Key: "latency", Text: "p95"},
		{Key: "delivered", Text: "Last delivered"},
	},
}

// roleWord is what a role does.
type roleWord struct {
	does        string
	address     string // placeholder of the address
	addressHelp string
}

var roleWords = map[tenants.ConnectionRole]roleWord{
	tenants.RoleWebhook: {"Sends a signed HTTPS request to your program for each event.",
		"https://example.com/hooks/carillon",
		"Carillon sends a POST request to this address. Your program answers it with any status from 200 to 299."},
	tenants.RoleCRM: {"Tells your CRM how each call ended. Before a ring, it can ask the CRM who is calling.",
		"https://crm.example.com/hooks/carillon", "Where your CRM, or a program in front of it, takes HTTPS requests."},
	tenants.RoleMLS: {"Tells your listing system about calls, each with the listing it was about.",
		"https://mls.example.com/hooks/carillon", "Where your listing system, or a program in front of it, takes HTTPS requests."},
	tenants.RoleCalendar: {"Reads a calendar feed (iCalendar), so that Carillon knows who is on call.",
		"https://calendar.example.com/on-call.ics", "The private address of the calendar in iCal format. It is read every 15 minutes."},
	tenants.RoleSMS: {"Sends one text message after a missed ring.",
		"https://api.twilio.com", "Twilio, or a service with the same Messages API."},
	tenants.RoleAudit: {"Sends every change in your organisation to your log system.",
		"syslog+tls://logs.example.com:6514", "An https:// address gets JSON lines, a syslog+tls:// address gets syslog (RFC 5424) over TLS."},
	tenants.RoleTranscript: {"Sends the notes that agents write about calls.",
		"https://example.com/hooks/notes", "Carillon sends a POST request to this address for each set of notes."},
}

// eventGroups are the events of the form, under titles.
var eventGroups = []struct {
	title  string
	events []tenants.EventKind
}{
	{"Rings", []tenants.EventKind{tenants.EventRingPlaced, tenants.EventRingAccepted, tenants.EventRingShown, tenants.EventRingAnswered,
		tenants.EventRingEnded}},
	{"Calls", []tenants.EventKind{tenants.EventCallConnected, tenants.EventCallEnded, tenants.EventNoteAdded}},
	{"Devices", []tenants.EventKind{tenants.EventDeviceRegistered, tenants.EventDeviceRemoved}},
	{"Problems", []tenants.EventKind{tenants.EventCredentialExpiring, tenants.EventAlertOpened, tenants.EventAlertResolved}},
}

// eventWords say when an event happens.
var eventWords = map[tenants.EventKind]string{
	tenants.EventRingPlaced: "A ring is asked for", tenants.EventRingAccepted: "Apple takes the push",
	tenants.EventRingShown: "A phone shows the call", tenants.EventRingAnswered: "A person answers",
	tenants.EventRingEnded: "A ring is over, with its reason", tenants.EventCallConnected: "Phone and agent hear each other",
	tenants.EventCallEnded: "A call is over, with its length", tenants.EventNoteAdded: "An agent writes notes of a call",
	tenants.EventDeviceRegistered: "A phone is paired", tenants.EventDeviceRemoved: "A phone is removed",
	tenants.EventCredentialExpiring: "An Apple credential ends soon", tenants.EventAlertOpened: "An alert opens",
	tenants.EventAlertResolved: "An alert closes",
}

// eventsText says which events a connection sends; empty for a role without.
func eventsText(c tenants.Connection) string {
	takes := c.Role.Takes()
	switch {
	case len(takes) == 0:
		return ""
	case len(c.Events) == 0 && len(takes) == 1:
		return string(takes[0])
	case len(c.Events) == 0:
		return "All events"
	case len(c.Events) == 1:
		return string(c.Events[0])
	}
	return views.Count(len(c.Events)) + " of " + views.Count(len(takes)) + " events"
}

// connectionState is how a connection does, in a word with its colour.
func connectionState(c tenants.Connection) badge {
	switch {
	case c.State == tenants.ConnectionPaused:
		return badge{views.ToneNeutral, "Paused"}
	case c.State == tenants.ConnectionDisabled:
		return badge{views.ToneBad, "Off"}
	case c.State == tenants.ConnectionEnded:
		return badge{views.ToneWarn, "Ended"}
	case !c.FailingSince.IsZero():
		return badge{views.ToneBad, "Failing"}
	case c.LastDelivered.IsZero():
		return badge{views.ToneNeutral, "Not used yet"}
	}
	return badge{views.ToneGood, "Working"}
}

// onAgain says what a connection that is not active is sent once it is turned on again.
func onAgain(c tenants.Connection) string {
	switch {
	case c.Role == tenants.RoleAudit:
		return "Each entry of the audit log since it stopped is sent then."
	case c.State == tenants.ConnectionPaused:
		return "Events that happened while it was paused were not kept for it."
	case c.State == tenants.ConnectionEnded:
		return "New events are sent again. Events that happened after it ended were not kept for it."
	}
	return "New events are sent again. What was missed in the last seven days can be sent with “Send events again”."
}

// onPause says what becomes of events while a connection is paused.
func onPause(c tenants.Connection) string {
	if c.Role == tenants.RoleAudit {
		return "Nothing is sent while it is paused. What it misses is sent once it is on again."
	}
	return "Nothing is sent while it is paused, and new events are not kept for it. Rings are not affected."
}

// connectionProblem says what is wrong with a connection, why, and what to do; nil when nothing is.
// last is why the latest attempt failed.
func connectionProblem(c tenants.Connection, last string) *views.Callout {
	switch {
	case c.State == tenants.ConnectionPaused && c.Role == tenants.RoleAudit:
		return &views.Callout{Tone: views.ToneInfo, Title: "This connection is paused",
			Cause: "Nothing is sent. Each entry of the audit log that it misses is sent once it is on again."}
	case c.State == tenants.ConnectionPaused:
		return &views.Callout{Tone: views.ToneInfo, Title: "This connection is paused",
			Cause: "Nothing is sent, and new events are not kept for it."}
	case c.State == tenants.ConnectionDisabled && c.Role == tenants.RoleAudit:
		return &views.Callout{Tone: views.ToneBad, Title: "This connection was turned off after five days without a success",
			Cause: last, Cure: "Find the cause in your system, then turn the connection on again on this page. Each entry of the " +
				"audit log since it was turned off is then sent. To send those that failed before, choose “Send events again”."}
	case c.State == tenants.ConnectionDisabled:
		return &views.Callout{Tone: views.ToneBad, Title: "This connection was turned off after five days without a success",
			Cause: last, Cure: "Find the cause in your system, then turn the connection on again on this page. " +
				"Of what it missed, the newest 10,000 events of the last seven days can still be sent: choose “Send events again”."}
	case c.State == tenants.ConnectionEnded:
		return &views.Callout{Tone: views.ToneWarn, Title: "Your system ended this connection",
			Cause: "It answered 410 (Gone), which means that nothing more should be sent there.",
			Cure:  "If that was a mistake, turn the connection on again. If not, remove it."}
	case !c.FailingSince.IsZero():
		return &views.Callout{Tone: views.ToneBad, Title: "This connection is failing", Cause: last,
			Cure: failingCure(c)}
	}
	return nil
}

// failingCure says what becomes of a connection that fails.
func failingCure(c tenants.Connection) string {
	if !sends(c.Role) {
		return "Check the address. Carillon tries again by itself."
	}
	return "Look at the latest attempt below. Carillon tries each event again for three days. After five days without a success it " +
		"turns the connection off and writes to the owners."
}

func removalOfConnection(c tenants.Connection) views.Confirm {
	says := []string{"Your system is not informed any more.", "What was sent, and what still waits, is deleted."}
	switch c.Role {
	case tenants.RoleCalendar:
		says = []string{"The schedule that was read from it is deleted."}
	case tenants.RoleSMS:
		says = append(says, "Nobody gets a text after a missed ring.")
	case tenants.RoleWebhook, tenants.RoleCRM, tenants.RoleMLS, tenants.RoleAudit, tenants.RoleTranscript:
	}
	return views.Confirm{
		ID: "remove-connection", Title: "Remove " + c.Name + "?", TypeName: c.Name, Button: "Remove connection", Consequence: says,
		Action: views.ConnectionRemovePath(string(c.ID)), Back: views.ConnectionPath(string(c.ID)),
	}
}

func rotationOfSecret(c tenants.Connection) views.Confirm {
	return views.Confirm{
		ID: "rotate-secret", Title: "Rotate the signing secret of " + c.Name + "?", Button: "Rotate secret",
		Consequence: []string{"The new secret is shown once.", "For 24 hours each request carries a signature of both secrets. " +
			"After that, only the new one signs.", "A secret that was rotated less than 24 hours ago stops signing now."},
		Action: views.ConnectionSecretPath(string(c.ID)), Back: views.ConnectionPath(string(c.ID)),
	}
}

// testWords say what a test of a connection does. A calendar, which is read, has none.
var testWords = map[tenants.ConnectionRole]string{
	tenants.RoleWebhook: testOfRing,
	tenants.RoleCRM:     testOfRing,
	tenants.RoleMLS:     testOfRing,
	tenants.RoleSMS:     "Asks the provider whether it knows the account, and shows the answer. No text is sent.",
	tenants.RoleAudit:   "Sends the newest entry of your audit log now and shows what your system answers.",
	tenants.RoleTranscript: "Sends one event now and shows what your system answers. It is of a ring that does not exist, and has " +
		"no notes.",
}

// testButton names the button of a test. again says that there was one just now.
func testButton(r tenants.ConnectionRole, again bool) string {
	switch {
	case r == tenants.RoleSMS:
		return "Ask the provider"
	case again:
		return "Send another test event"
	}
	return "Send a test event"
}

// What pages and refusals say.
const (
	newSecretTitle = "Your signing secret"
	newSecretNote  = "Store it in your program now. With it, the program checks that requests come from Carillon. " +
		"We cannot show it again."
	nobodyOnCall   = "Nobody is in the calendar for the next 60 days."
	notReadYet     = "The calendar was not read yet. That takes up to 15 minutes."
	headersHelp    = "One a line, as Name: value. Sent with each request, for a system that asks for them."
	headersAgain   = "Enter the headers again. They were not saved."
	headersKept    = ". Leave this empty to keep them. What you enter replaces all."
	headersForget  = "Remove the stored headers"
	verifyTitle    = "Check a signature (Python)"
	rotateTitle    = "Rotate the signing secret"
	replayFailed   = "Only what did not arrive"
	replayKept     = ". Events are kept for seven days."
	oldSecretUntil = "Old secret signs until"

	incomingTexts    = "Answers to your texts"
	incomingTextsSub = "Set this address as the webhook for incoming messages at your provider. Carillon then learns who answered STOP " +
		"or START, and answers HELP."
	incomingAddress = "Address"

	testOfRing = "Sends one event now and shows what your system answers. It is of your newest ring, or of a ring that " +
		"does not exist."

	connectionNoName = "Shown in this console only."
)

// verifyProgram checks a signature of Standard Webhooks with nothing but Python's own library.
var verifyProgram = strings.TrimSpace(`
import base64, hashlib, hmac, time

def check(secret, headers, body):  # body: the bytes as they came
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mine = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if abs(time.time() - int(headers["webhook-timestamp"])) > 300:
        raise ValueError("this request is older than five minutes")
    if not any(hmac.compare_digest(mine, s) for s in headers["webhook-signature"].split()):
        raise ValueError("this request was not signed with our secret")
`)
