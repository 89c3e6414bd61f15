package tenants

// Name returns the role's name for people.
func (r ConnectionRole) Name() string {
	switch r {
	case RoleWebhook:
		return "Webhook"
	case RoleCRM:
		return "CRM"
	case RoleMLS:
		return "MLS (listings)"
	case RoleCalendar:
		return "Calendar feed"
	case RoleSMS:
		return "Text messages"
	case RoleAudit:
		return "Audit log"
	case RoleTranscript:
		return "Transcripts"
	}
	return string(r)
}

// Expected is a connection that organisations of an industry usually have.
type Expected struct {
	Role ConnectionRole `json:"role"`
	Why  string         `json:"why"` // one sentence for people
}
