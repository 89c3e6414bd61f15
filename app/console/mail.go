package console

import (
	"errors"
	"time"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
)

// Mailer queues mail. *notify.Mailer does.
type Mailer interface {
	Send(notify.Mail) error
}

// mailLimits bound the mails that people have sent by inviting and by asking for a new password. An
// address is counted whether or not it has an account.
type mailLimits struct{ tenant, network, address, all *web.Limiter }

func newMailLimits(now func() time.Time) (m mailLimits, err error) {
	var errs [4]error
	m.tenant, errs[0] = web.NewLimiter(time.Minute, 30, now)
	m.network, errs[1] = web.NewLimiter(10*time.Minute, 6, now)
	m.address, errs[2] = web.NewLimiter(20*time.Minute, 3, now)
	m.all, errs[3] = web.NewLimiter(2*time.Second, 60, now)
	return m, errors.Join(errs[:]...)
}

// takeInvitation refuses with how long to wait.
func (m mailLimits) takeInvitation(t tenants.TenantID, email string) error {
	return page.TakeAll("Too many invitations were sent. Wait a few minutes and try again.",
		page.Limit{Limiter: m.tenant, Key: string(t)}, page.Limit{Limiter: m.address, Key: "invitation " + email},
		page.Limit{Limiter: m.all})
}

// takeReset refuses with how long to wait.
func (m mailLimits) takeReset(email, ip string) error {
	return page.TakeAll("Too many attempts. Wait a few minutes and try again.", page.Limit{Limiter: m.network, Key: web.Network(ip)},
		page.Limit{Limiter: m.address, Key: "reset " + email}, page.Limit{Limiter: m.all})
}
