package connections

import (
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Add adds the roles that read what they need from s to those of NewRoles. host names this server
// in syslog.
func (r Roles) Add(d *outbound.Dialer, s *store.Store, host string, now func() time.Time) Roles {
	hook := r[tenants.RoleWebhook].(*webhook)
	r[tenants.RoleCRM], r[tenants.RoleMLS] = trade{hook}, trade{hook}
	r[tenants.RoleSMS] = newSMS(d, s, now)
	r[tenants.RoleAudit] = audit{hook, d, host}
	r[tenants.RoleTranscript] = transcript{hook, s}
	return r
}
