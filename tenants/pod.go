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
	Role ConnectionRole
	Why  string // one sentence for people
}

// pods is what each industry expects, the most useful first.
var pods = map[Industry][]Expected{
	RealEstate: {
		{RoleCRM, "Leads are in the CRM, so it should know how each call with a lead ended."},
		{RoleMLS, "A call about a listing should appear with that listing."},
		{RoleCalendar, "The calendar says which sales agent is on duty."},
		{RoleSMS, "A missed lead can get a text at once, before they ask elsewhere."},
	},
	Healthcare: {
		{RoleCalendar, "The duty roster says which doctor is on call."},
		{RoleSMS, "After a missed ring, a text asks the patient to call back."},
		{RoleAudit, "Records of who changed what belong outside the system that they are about."},
	},
	BehavioralHealth: {
		{RoleCalendar, "The duty roster says which therapist is on call."},
		{RoleAudit, "Records of who changed what belong outside the system that they are about."},
	},
	Legal: {
		{RoleCRM, "Each call belongs to a matter, so your case system should know of it."},
		{RoleCalendar, "The calendar says which lawyer can take a call and who is in court."},
		{RoleAudit, "A record outside this server shows later who changed what."},
	},
	Salon: {
		{RoleCalendar, "The calendar says who works today."},
		{RoleSMS, "After a missed ring, a text can offer the customer another time."},
	},
	Insurance: {
		{RoleCRM, "Each call belongs to a claim, so your claims system should know how it ended."},
		{RoleTranscript, "What was said about a claim should be in its file."},
		{RoleSMS, "After a missed ring, a text asks the customer to call back."},
		{RoleAudit, "A record outside this server shows later who changed what."},
	},
}

// Pod lists the connections that organisations of the industry usually have, the most useful first.
func (i Industry) Pod() []Expected { return pods[i] }
