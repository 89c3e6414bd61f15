package console

import (
	"strconv"
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// roleParts are the fields of a connection's role. A stored password is never shown.
func roleParts(x tenants.Connection, w page.Wrong, opaque bool) []views.FormPart {
	switch x.Role {
	case tenants.RoleCRM, tenants.RoleMLS:
		return lookupParts(x, w)
	case tenants.RoleCalendar:
		return calendarParts(x, w)
	case tenants.RoleSMS:
		return smsParts(x, w, opaque)
	case tenants.RoleAudit:
		return auditParts(x, w)
	case tenants.RoleTranscript:
		return transcriptParts(x, opaque)
	case tenants.RoleWebhook:
	}
	return nil
}

func input(f views.Field, w page.Wrong, name string) views.FormPart {
	f.Error = w.Fields[name]
	return views.FormPart{Input: &f}
}

func lookupParts(x tenants.Connection, w page.Wrong) []views.FormPart {
	s := tenants.LookupSettings{}
	if x.Lookup != nil {
		s = *x.Lookup
	}
	return []views.FormPart{
		{Tick: &views.Tick{Name: "ask", Value: "1", Checked: s.Ask, Label: "Ask before each ring who is calling",
			Help: "The answer may name the caller and the person to ring. A ring waits for it 0.8 seconds at most."}},
		input(views.Field{Name: "ask_url", Label: "Address to ask", Value: page.Shown(s.URL, 2048), Max: 2048, Mono: true, Optional: true,
			Help: "Leave it empty to ask at the address above."}, w, "lookup.url"),
	}
}

func calendarParts(x tenants.Connection, w page.Wrong) []views.FormPart {
	s := tenants.CalendarSettings{}
	if x.Calendar != nil {
		s = *x.Calendar
	}
	return []views.FormPart{input(views.Field{Name: "feed_zone", Label: "Time zone", Value: page.Shown(s.TimeZone, 64), Max: 64,
		Optional: true, Mono: true, Placeholder: "Europe/Berlin",
		Help: "For events that name none. Empty means the time zone of your organisation."}, w, "calendar.time_zone")}
}

func auditParts(x tenants.Connection, w page.Wrong) []views.FormPart {
	s := tenants.AuditSettings{}
	if x.Audit != nil {
		s = *x.Audit
	}
	return []views.FormPart{{Note: "The audit log is complete: entries have the names and e-mail addresses of people and the titles of " +
		"devices, also where your industry keeps names private."},
		input(views.Field{Name: "facility", Label: "Facility", Value: numberText(s.Facility), Max: 2, Optional: true,
			Help: "For syslog only: 1 to 23. Empty means 13, log audit."}, w, "audit.facility")}
}

func transcriptParts(x tenants.Connection, opaque bool) []views.FormPart {
	if opaque {
		return []views.FormPart{{Note: "Your industry keeps names private, so the text of notes does not leave Carillon. " +
			"Your system gets the ids, and reads the notes through the API."}}
	}
	t := views.Tick{Name: "ids_only", Value: "1", Label: "Send ids only",
		Help: "The text stays here. Your system reads it through the API."}
	t.Checked = x.Transcript != nil && x.Transcript.IDsOnly
	return []views.FormPart{{Tick: &t}}
}

func smsParts(x tenants.Connection, w page.Wrong, opaque bool) []views.FormPart {
	s := tenants.SMSSettings{}
	if x.SMS != nil {
		s = *x.SMS
	}
	token := views.Field{Name: "token", Label: "Auth token", Type: "password", Max: 512, Autocomplete: "new-password",
		Error: w.Fields["token"], Help: "From the page of your provider. It is encrypted before it is stored."}
	if x.HasToken {
		token.Optional, token.Help = true, "A token is stored. Leave this empty to keep it."
	}
	if x.Token != nil && *x.Token != "" && token.Error == "" {
		token.Error = "Enter this again. It was not saved."
	}
	return []views.FormPart{
		input(views.Field{Name: "account_sid", Label: "Account SID", Value: page.Shown(s.AccountSID, 34), Max: 34, Mono: true,
			Placeholder: "AC…"}, w, "sms.account_sid"),
		{Input: &token},
		input(views.Field{Name: "sms_from", Label: "Sender", Value: page.Shown(s.From, 20), Max: 20, Optional: true,
			Placeholder: "+4915112345678", Help: "A number that your provider gave you, or a name of up to 11 letters and digits."}, w,
			"sms.from"),
		input(views.Field{Name: "service_sid", Label: "Messaging service SID", Value: page.Shown(s.Service, 34), Max: 34, Mono: true,
			Optional: true, Placeholder: "MG…", Help: "Instead of a sender."}, w, "sms.messaging_service_sid"),
		input(views.Field{Name: "template", Label: "Text", Value: page.Shown(s.Template, 320), Max: 320, Optional: true,
			Placeholder: "You missed a call at {time}. Reply STOP to get no more texts.",
			Help: "You can use " + braces(tenants.TextFields(opaque)) +
				". If the text does not say how to stop, a sentence is added."}, w, "sms.template"),
		input(views.Field{Name: "sms_help", Label: "Answer to HELP", Value: page.Shown(s.Help, 320), Max: 320, Optional: true}, w,
			"sms.help"),
		input(views.Field{Name: "quiet_from", Label: "No texts from", Type: "time", Value: page.Shown(s.QuietFrom, 5), Optional: true,
			Help: "In the time zone of the person. Empty means 21:00."}, w, "sms.quiet_from"),
		input(views.Field{Name: "quiet_to", Label: "No texts until", Type: "time", Value: page.Shown(s.QuietTo, 5), Optional: true,
			Help: "Empty means 08:00. The same time in both fields means that texts are sent at any hour."}, w, "sms.quiet_to"),
		input(views.Field{Name: "minutes", Label: "Minutes between two texts to one person", Value: numberText(s.Minutes), Max: 5,
			Optional: true, Help: "Empty means 60."}, w, "sms.minutes_between"),
		input(views.Field{Name: "per_day", Label: "Texts a day, at most", Value: numberText(s.PerDay), Max: 5, Optional: true,
			Help: "To all people together, in 24 hours. Empty means 200."}, w, "sms.per_day"),
	}
}

// braces lists fields of a template: "{time} and {caller}".
func braces(names []string) string {
	all := mapped(names, func(n string) string { return "{" + n + "}" })
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// number reads a whole number; an empty field is 0, and what is none is -1, for Check to refuse.
func number(f page.Form, name string) int {
	text := f.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// readRole reads the fields of the connection's role.
func readRole(f page.Form, x *tenants.Connection) {
	switch x.Role {
	case tenants.RoleCRM, tenants.RoleMLS:
		x.Lookup = &tenants.LookupSettings{Ask: f.Text("ask") != "", URL: f.Text("ask_url")}
	case tenants.RoleCalendar:
		x.Calendar = &tenants.CalendarSettings{TimeZone: f.Text("feed_zone")}
	case tenants.RoleAudit:
		x.Audit = &tenants.AuditSettings{Facility: number(f, "facility")}
	case tenants.RoleTranscript:
		x.Transcript = &tenants.TranscriptSettings{IDsOnly: f.Text("ids_only") != ""}
	case tenants.RoleSMS:
		x.SMS = &tenants.SMSSettings{AccountSID: f.Text("account_sid"), From: f.Text("sms_from"), Service: f.Text("service_sid"),
			Template: f.Text("template"), Help: f.Text("sms_help"), QuietFrom: f.Text("quiet_from"), QuietTo: f.Text("quiet_to"),
			Minutes: number(f, "minutes"), PerDay: number(f, "per_day")}
		if token := f.Text("token"); token != "" {
			x.Token = &token
		}
	case tenants.RoleWebhook:
	}
}

// roleFields are the names that faults of a role's settings have.
var roleFields = []string{"lookup.url", "calendar.time_zone", "audit.facility", "token", "sms.account_sid", "sms.from",
	"sms.messaging_service_sid", "sms.template", "sms.help", "sms.quiet_from", "sms.quiet_to", "sms.minutes_between", "sms.per_day"}
