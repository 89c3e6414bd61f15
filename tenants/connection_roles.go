package tenants

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// LookupSettings are of the roles crm and mls: whether their system is asked before each ring.
type LookupSettings struct {
	Ask bool   `json:"ask"`           // ask before each ring which caller label to show and which person to ring
	URL string `json:"url,omitempty"` // what is asked; empty = the connection's own address
}

// CalendarSettings are of the role calendar. The connection's address is the feed.
type CalendarSettings struct {
	TimeZone string `json:"time_zone,omitempty"` // of events that name none; empty = the tenant's
}

// AuditSettings are of the role audit, for entries that leave as syslog.
type AuditSettings struct {
	Facility int `json:"facility,omitempty"` // RFC 5424, 6.2.1: 1 to 23; 0 = 13, log audit
}

// SyslogFacility is the facility of the tenant's messages.
func (s AuditSettings) SyslogFacility() int { return cmp.Or(s.Facility, 13) }

// TranscriptSettings are of the role transcript.
type TranscriptSettings struct {
	IDsOnly bool `json:"ids_only"` // leave the text out; industries that keep names private always do
}

// SMSSettings are of the role sms. The connection's address is the base of a Messages API that is
// compatible with Twilio's.
type SMSSettings struct {
	AccountSID string `json:"account_sid"`
	From       string `json:"from,omitempty"`                  // E.164 or a sender name; this or Service
	Service    string `json:"messaging_service_sid,omitempty"` // MG…
	Template   string `json:"template"`                        // see TextFields
	Help       string `json:"help,omitempty"`                  // the answer to HELP
	QuietFrom  string `json:"quiet_from"`                      // 21:00, in the person's time zone
	QuietTo    string `json:"quiet_to"`                        // 08:00; the same as QuietFrom = no quiet hours
	Minutes    int    `json:"minutes_between"`                 // at most one text to a person in so many minutes
	PerDay     int    `json:"per_day"`                         // at most so many texts in 24 hours
}

// TwilioURL is the base address of Twilio's own Messages API.
const TwilioURL = "https://api.twilio.com"

const (
	usualTemplate = "You missed a call at {time}. Reply STOP to get no more texts."
	usualHelp     = "You get a text from us when you miss a call. Reply STOP to get no more, START to get them again."
	maxTemplate   = 320 // characters: two to three parts of a text
)

// textFields are the words in braces that a template may have. Only opaque ones are for industries
// that keep names private: a text is read on a locked screen.
var textFields = []struct {
	name   string
	opaque bool
}{{"time", true}, {"caller", false}, {"agent", false}, {"tenant", false}, {"reference", false}}

// TextFields lists the words in braces that a template may have, with names or without.
func TextFields(opaque bool) (names []string) {
	for _, f := range textFields {
		if f.opaque || !opaque {
			names = append(names, f.name)
		}
	}
	return names
}

// Text fills the template with the values of the fields that may leave; one that may not, or that
// has no value, is left out. The text always says how to stop.
func (s SMSSettings) Text(opaque bool, values map[string]string) string {
	text := s.Template
	allowed := TextFields(opaque)
	for _, f := range textFields {
		value := ""
		if slices.Contains(allowed, f.name) {
			value = values[f.name]
		}
		text = strings.ReplaceAll(text, "{"+f.name+"}", value)
	}
	text = strings.Join(strings.Fields(text), " ")
	if !strings.Contains(strings.ToUpper(text), "STOP") {
		text += " Reply STOP to get no more texts."
	}
	return text
}

// clean returns the settings in their stored form. s may be nil.
func (s *SMSSettings) clean() *SMSSettings {
	made := SMSSettings{}
	if s != nil {
		made = *s
	}
	for _, text := range []*string{&made.AccountSID, &made.From, &made.Service, &made.Template, &made.Help} {
		*text = strings.TrimSpace(*text)
	}
	made.From = cmp.Or(ParsePhoneNumber(made.From), made.From)
	made.Template = cmp.Or(made.Template, usualTemplate)
	made.Help = cmp.Or(made.Help, usualHelp)
	made.QuietFrom = cmp.Or(made.QuietFrom, "21:00")
	made.QuietTo = cmp.Or(made.QuietTo, "08:00")
	made.Minutes = cmp.Or(made.Minutes, 60)
	made.PerDay = cmp.Or(made.PerDay, 200)
	return &made
}

func (s *SMSSettings) check(f *faults) {
	if s == nil {
		return
	}
	f.add(validSID(s.AccountSID, "AC"), "sms.account_sid", "AC and 32 of 0-9 and a-f; copy it from your provider's page")
	f.add((s.From == "") != (s.Service == ""), "sms.from", "give either a sender or a messaging_service_sid")
	f.add(s.From == "" || validSender(s.From), "sms.from",
		"a number such as +4915112345678, or a sender name of 1 to 11 letters and digits")
	f.add(s.Service == "" || validSID(s.Service, "MG"), "sms.messaging_service_sid", "MG and 32 of 0-9 and a-f")
	f.add(ValidText(s.Template, 1, maxTemplate), "sms.template", fmt.Sprintf("1 to %d characters on one line", maxTemplate))
	if name, ok := unknownField(s.Template); ok {
		f.add(false, "sms.template", "there is no field {"+cutText(name, 20)+
			"}; there are {time}, {caller}, {agent}, {tenant}, {reference}")
	}
	f.add(ValidText(s.Help, 1, maxTemplate), "sms.help", fmt.Sprintf("1 to %d characters on one line", maxTemplate))
	f.add(validClock(s.QuietFrom), "sms.quiet_from", "a time of day such as 21:00")
	f.add(validClock(s.QuietTo), "sms.quiet_to", "a time of day such as 08:00")
	f.add(s.Minutes >= 1 && s.Minutes <= 7*24*60, "sms.minutes_between", "1 to 10,080 minutes")
	f.add(s.PerDay >= 1 && s.PerDay <= 10_000, "sms.per_day", "1 to 10,000")
}

// Quiet reports whether at is in the quiet hours, in the zone of at.
func (s SMSSettings) Quiet(at time.Time) bool {
	from, to, now := s.QuietFrom, s.QuietTo, at.Format("15:04")
	if from <= to {
		return from <= now && now < to
	}
	return now >= from || now < to
}

// unknownField finds a word in braces that is no field of a template.
func unknownField(template string) (string, bool) {
	for rest := template; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return "", false
		}
		name, more, ok := strings.Cut(after, "}")
		if !ok || !slices.Contains(TextFields(false), name) {
			return name, true
		}
		rest = more
	}
}

func cutText(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func validSID(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && len(rest) == 32 && strings.Trim(rest, "0123456789abcdef") == ""
}

// validSender takes a number, a short code or a sender name.
func validSender(s string) bool {
	if ParsePhoneNumber(s) == s {
		return true
	}
	return len(s) <= 11 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ") == "" &&
		strings.TrimSpace(s) != ""
}

func validClock(s string) bool {
	t, err := time.Parse("15:04", s)
	return err == nil && t.Format("15:04") == s
}

// ParsePhoneNumber returns a telephone number in the form of E.164: a plus sign and 8 to 15 digits.
// Spaces, hyphens, dots, round brackets and the "(0)" of a national form are taken out. It returns
// "" for anything else, such as a number without its country code.
func ParsePhoneNumber(s string) string {
	s = strings.NewReplacer("(0)", "", " ", "", "\u00a0", "", "-", "", ".", "", "(", "", ")", "").Replace(strings.TrimSpace(s))
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 8 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return s
}

// cleanRole fills in the settings of the connection's role and drops those of other roles.
func (c Connection) cleanRole() Connection {
	lookup, calendar, sms, audit, transcript := c.Lookup, c.Calendar, c.SMS, c.Audit, c.Transcript
	c.Lookup, c.Calendar, c.SMS, c.Audit, c.Transcript = nil, nil, nil, nil, nil
	switch c.Role {
	case RoleCRM, RoleMLS:
		c.Lookup = orNew(lookup)
		c.Lookup.URL = strings.TrimSpace(c.Lookup.URL)
	case RoleCalendar:
		c.Calendar = orNew(calendar)
	case RoleSMS:
		c.SMS = sms.clean()
		c.URL = cmp.Or(c.URL, TwilioURL)
	case RoleAudit:
		c.Audit = orNew(audit)
	case RoleTranscript:
		c.Transcript = orNew(transcript)
	}
	return c
}

// orNew is a copy of the settings, or the defaults.
func orNew[T any](s *T) *T {
	made := new(T)
	if s != nil {
		*made = *s
	}
	return made
}

// checkRole refuses settings of the role that break a rule.
func (c Connection) checkRole(f *faults) {
	if s := c.Lookup; s != nil {
		u, err := url.Parse(s.URL)
		f.add(s.URL == "" || err == nil && u.Host != "" && len(s.URL) <= maxAgentURL && (u.Scheme == "https" || u.Scheme == "http"),
			"lookup.url", "a complete address such as https://example.com/caller, at most 2,048 characters")
	}
	if s := c.Calendar; s != nil {
		f.add(s.TimeZone == "" || validZone(s.TimeZone), "calendar.time_zone", "an IANA time zone such as Europe/Berlin")
	}
	if s := c.Audit; s != nil {
		f.add(s.Facility >= 0 && s.Facility <= 23, "audit.facility", "1 to 23, or 0 for 13, log audit")
	}
	c.SMS.check(f)
}
