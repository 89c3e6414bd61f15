package operator

import (
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
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
	all, err := k.certificates(ctx)
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
		Stats: serverStats(s, queues, now), Queues: queueRows(queues, k.Billing != nil, now), NoMail: k.Mails == nil,
		Server: serverRows(s), Writer: writerRows(s, queues), Apple: appleRows(s)}
	teams, mails, ending := k.Teams(), k.failed(), within(all, now.Add(endsShown))
	teams, p.MoreTeams = glance(teams, teamsGlanced, teamWords)
	mails, p.MoreMails = glance(mails, mailsGlanced, mailWords)
	if ending, p.MoreEnding = glance(ending, endingGlanced, endingWords); len(ending) == 0 && len(all) > 0 {
		p.MoreEnding = pages.More{Total: inUse(len(all)), Href: pages.PathEnding + "?ends=" + endsEver}
	}
	p.Teams, p.Mails, p.Ending = teamRows(teams), mailRows(mails), endingRows(ending, now)
	return web.Page(c, pages.Health(p), fiber.StatusOK)
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
	return k.Done(c, page.FlashResent, page.Back(c, pages.PathHealth))
}
