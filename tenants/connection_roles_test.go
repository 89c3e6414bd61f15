package tenants_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

func textConnection(change func(*tenants.SMSSettings)) tenants.Connection {
	s := tenants.SMSSettings{AccountSID: "AC0123456789abcdef0123456789abcdef", From: "+49 151 1234567"}
	change(&s)
	return tenants.Connection{Name: "Texts", Role: tenants.RoleSMS, SMS: &s}.Clean()
}

func TestTextSettings(t *testing.T) {
	t.Parallel()
	c := textConnection(func(*tenants.SMSSettings) {})
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if c.URL != tenants.TwilioURL || c.SMS.From != "+491511234567" || c.SMS.QuietFrom != "21:00" || c.SMS.Minutes != 60 {
		t.Errorf("defaults: %+v, %+v", c, *c.SMS)
	}
	for field, change := range map[string]func(*tenants.SMSSettings){
		"sms.account_sid":           func(s *tenants.SMSSettings) { s.AccountSID = "AC1" },
		"sms.from":                  func(s *tenants.SMSSettings) { s.From = "" },
		"sms.messaging_service_sid": func(s *tenants.SMSSettings) { s.From, s.Service = "", "MG1" },
		"sms.template":              func(s *tenants.SMSSettings) { s.Template = "Hello {name}" },
		"sms.help":                  func(s *tenants.SMSSettings) { s.Help = strings.Repeat("x", 321) },
		"sms.quiet_from":            func(s *tenants.SMSSettings) { s.QuietFrom = "9 pm" },
		"sms.quiet_to":              func(s *tenants.SMSSettings) { s.QuietTo = "24:00" },
		"sms.minutes_between":       func(s *tenants.SMSSettings) { s.Minutes = -1 },
		"sms.per_day":               func(s *tenants.SMSSettings) { s.PerDay = 10_001 },
	} {
		var refused *tenants.Error
		err := textConnection(change).Check()
		if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Name != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	s := tenants.SMSSettings{Template: "{tenant}: {caller} called at {time}."}
	values := map[string]string{"tenant": "Dr. May", "caller": "Ann", "time": "14:05"}
	if got := s.Text(false, values); got != "Dr. May: Ann called at 14:05. Reply STOP to get no more texts." {
		t.Errorf("open: %q", got)
	}
	got := s.Text(true, values)
	if strings.Contains(got, "May") || strings.Contains(got, "Ann") || !strings.Contains(got, "14:05") {
		t.Errorf("opaque: %q", got)
	}
	if got := tenants.TextFields(true); !slices.Equal(got, []string{"time"}) {
		t.Errorf("fields of an opaque industry: %v", got)
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to, at string
		want         bool
	}{
		{"21:00", "08:00", "20:59", false}, {"21:00", "08:00", "21:00", true}, {"21:00", "08:00", "03:00", true},
		{"21:00", "08:00", "08:00", false}, {"12:00", "14:00", "13:00", true}, {"12:00", "14:00", "14:00", false},
		{"00:00", "00:00", "00:00", false},
	} {
		at, _ := time.Parse("15:04", c.at)
		if got := (tenants.SMSSettings{QuietFrom: c.from, QuietTo: c.to}).Quiet(at); got != c.want {
			t.Errorf("%s to %s at %s: %v", c.from, c.to, c.at, got)
		}
	}
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"+4915112345678": "+4915112345678", " +49 (0)151 123-456 78 ": "+4915112345678", "+1 (212) 555.0100": "+12125550100",
		"015112345678": "", "+0491511234": "", "+49": "", "+1234567890123456": "", "+49151x234567": "", "": "",
	} {
		if got := tenants.ParsePhoneNumber(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestRoleSettings(t *testing.T) {
	t.Parallel()
	c := tenants.Connection{Name: "x", Role: tenants.RoleAudit, URL: "syslog+tls://logs.example.com:6514"}.Clean()
	if err := c.Check(); err != nil || c.Audit == nil || c.Audit.SyslogFacility() != 13 || c.SMS != nil {
		t.Errorf("audit: %v, %+v", err, c)
	}
	for field, c := range map[string]tenants.Connection{
		"audit.facility":     {Role: tenants.RoleAudit, Audit: &tenants.AuditSettings{Facility: 24}},
		"lookup.url":         {Role: tenants.RoleCRM, Lookup: &tenants.LookupSettings{Ask: true, URL: "crm.example.com"}},
		"calendar.time_zone": {Role: tenants.RoleCalendar, Calendar: &tenants.CalendarSettings{TimeZone: "Berlin"}},
	} {
		c.Name, c.URL = "x", "https://example.com/"
		var refused *tenants.Error
		if err := c.Clean().Check(); !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Name != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
