package operator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
	pages "carillon/views/operator"
)

// healthPages serve the health of the server.
type healthPages struct{ *Console }

// How soon a certificate is shown, and how long a queue may wait before it is late.
const (
	endsShown = 60 * 24 * time.Hour
	lateAfter = 30 * time.Second
)

func (k healthPages) health(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	now, s := k.Now(), k.Server()
	queues, err := k.Store.Operators().Queues(ctx, now)
	if err != nil {
		return err
	}
	ending, err := k.ending(ctx, now)
	if err != nil {
		return err
	}
	nodes, err := k.Store.Nodes().Living(ctx)
	if err != nil {
		return err
	}
	gone, err := k.Store.Nodes().Gone(ctx)
	if err != nil {
		return err
	}
	p := pages.HealthPage{Shell: k.shell(c, v, healthTitle, pages.NavHealth),
		Notices: append(troubles(s, queues, now), apart(nodes, gone, now)...), Nodes: nodeRows(nodes),
		Stats: serverStats(s, queues, now), Queues: queueRows(queues, k.Billing != nil, now), Teams: teamRows(k.Teams()),
		NoMail: k.Mails == nil, Server: serverRows(s), Writer: writerRows(s, queues), Apple: appleRows(s), Ending: ending}
	if k.Mails != nil {
		for _, m := range k.Mails.Failed() {
			p.Mails = append(p.Mails, pages.MailRow{ID: m.ID, To: m.To, Subject: m.Subject, Why: m.Why, At: at(m.At),
				Tries: triesOf(m.Tries)})
		}
	}
	return web.Page(c, pages.Health(p), fiber.StatusOK)
}

// ending are the certificates in use that end soon, the next one first.
func (k healthPages) ending(ctx context.Context, now time.Time) (rows []views.Row, err error) {
	all, err := k.Store.Tenants().Credentials(ctx)
	if err != nil {
		return nil, err
	}
	of, err := k.Store.Tenants().List(ctx)
	if err != nil {
		return nil, err
	}
	names := map[tenants.TenantID]string{}
	for _, t := range of {
		names[t.ID] = t.Name
	}
	slices.SortFunc(all, func(a, b tenants.Credential) int { return a.NotAfter.Compare(b.NotAfter) })
	for _, one := range all {
		if one.State == tenants.CredentialActive && !one.NotAfter.IsZero() && one.NotAfter.Sub(now) < endsShown {
			rows = append(rows, views.Row{Name: names[one.Tenant], Text: endsOn(one.NotAfter, now),
				Href: pages.TenantPath(string(one.Tenant))})
		}
	}
	return rows, nil
}

// resend queues a mail that failed once more.
func (k healthPages) resend(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	if k.Mails == nil {
		return tenants.NoSuch("email")
	}
	m, err := k.Mails.Resend(web.Param(c, "id"))
	if errors.Is(err, notify.ErrNotFailed) {
		return tenants.NoSuch("email")
	}
	if err != nil {
		return &tenants.Error{Kind: tenants.Unavailable, Code: "mail_full", Msg: mailFull, Err: err}
	}
	if err := k.Store.Operators().Record(ctx, v.who, "mail.resend", "", m.Subject, m.To, false); err != nil {
		return err
	}
	return k.Done(c, page.FlashResent, pages.PathHealth)
}
