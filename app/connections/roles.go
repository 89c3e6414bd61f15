package connections

import (
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
)

// NewRoles returns the roles of this server, which reach tenants' systems through d. A new role is
// one entry.
func NewRoles(d *outbound.Dialer, now func() time.Time) Roles {
	hook := newWebhook(d, answerWithin, now)
	return Roles{
		tenants.RoleWebhook: hook,
		tenants.RoleCRM:     hook,
		tenants.RoleMLS:     hook,
	}
}
