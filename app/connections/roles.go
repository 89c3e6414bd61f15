package connections

import (
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

// NewRoles returns the roles of this server, which reach tenants' systems through d and read what
// they need from s. host names this server in syslog. A new role is one entry.
func NewRoles(d *outbound.Dialer, s *store.Store, host string, now func() time.Time) Roles {
	hook := newWebhook(d, answerWithin, now)
	return Roles{
		tenants.RoleWebhook:    hook,
		tenants.RoleCRM:        trade{hook},
		tenants.RoleMLS:        trade{hook},
		tenants.RoleSMS:        newSMS(d, s, now),
		tenants.RoleAudit:      audit{hook, d, host},
		tenants.RoleTranscript: transcript{hook, s},
	}
}
