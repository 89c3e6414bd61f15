package tenants

// LookupSettings are those of the roles crm and mls.
type LookupSettings struct{}

// CalendarSettings are those of the role calendar.
type CalendarSettings struct{}

// SMSSettings are those of the role sms.
type SMSSettings struct{}

// AuditSettings are those of the role audit.
type AuditSettings struct{}

// TranscriptSettings are those of the role transcript.
type TranscriptSettings struct{}

// cleanRole drops the settings of other roles.
func (c Connection) cleanRole() Connection {
	if c.Role != RoleCRM && c.Role != RoleMLS {
		c.Lookup = nil
	}
	if c.Role != RoleCalendar {
		c.Calendar = nil
	}
	if c.Role != RoleSMS {
		c.SMS = nil
	}
	if c.Role != RoleAudit {
		c.Audit = nil
	}
	if c.Role != RoleTranscript {
		c.Transcript = nil
	}
	return c
}

// checkRole refuses settings of the role that break a rule.
func (c Connection) checkRole(*faults) {}
