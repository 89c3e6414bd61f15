package console

import (
	"time"

	"carillon/app/notify"
	"carillon/app/web"
	"carillon/tenants"
)

// Mailer queues mail. *notify.Mailer does.
type Mailer interface {
	Send(notify.Mail) error
}

const (
	manyInvitations = "Too many invitations were sent. Wait a few minutes and try again."
	manyResets      = "Too many attempts. Wait a few minutes and try again."
)

// The rates of the mails that people have sent by inviting and by asking for a new password. An
// address is counted whether or not it has an account.
var (
	tenantInvites = tenants.Rate{Of: "tenant", Every: time.Minute, Burst: 30, Says: manyInvitations}
	invitesTo     = tenants.Rate{Of: "invited", Every: 20 * time.Minute, Burst: 3, Says: manyInvitations}
	networkResets = tenants.Rate{Of: "network", Every: 10 * time.Minute, Burst: 6, Says: manyResets}
	widerResets   = tenants.Rate{Of: "network", Every: 2 * time.Minute, Burst: 18, Says: manyResets}
	resetsOf      = tenants.Rate{Of: "reset", Every: 20 * time.Minute, Burst: 3, Says: manyResets}
	newEmailsOf   = tenants.Rate{Of: "person", Every: 20 * time.Minute, Burst: 5, Says: manyResets}
	allMails      = tenants.Rate{Of: "all", Every: 2 * time.Second, Burst: 60,
		Says: "This server sends as many emails as it can. Wait a few minutes and try again."}
)

// mayInvite refuses with how long to wait.
func (k *Console) mayInvite(t tenants.TenantID, email string) error {
	return k.mails.Admit(k.Now(), "too_many_tries", tenantInvites.For(string(t)), invitesTo.For(email), allMails)
}

// mayChangeEmail refuses with how long to wait.
func (k *Console) mayChangeEmail(u tenants.UserID, email string) error {
	return k.mails.Admit(k.Now(), "too_many_tries", newEmailsOf.For(string(u)), resetsOf.For(email), allMails)
}

// mayReset refuses with how long to wait.
func (k *Console) mayReset(email, ip string) error {
	return k.mails.Admit(k.Now(), "too_many_tries",
		append(web.NetworkRates(ip, networkResets, widerResets), resetsOf.For(email), allMails)...)
}
