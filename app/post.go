package app

import (
	"context"
	"errors"
	"path/filepath"

	"carillon/app/console"
	"carillon/app/health"
	"carillon/app/notify"
	"carillon/tenants"
	"carillon/views"
)

// Post says who brings mail to people.
type Post struct {
	SMTPURL string `name:"smtp-url" help:"smtp://user:password@host:587?from=carillon@example.com, or smtps://…; empty = no mail: nobody can sign up, and nobody is written to when something is wrong." env:"CARILLON_SMTP_URL"`
}

func (p Post) check() error {
	if p.SMTPURL == "" {
		return nil
	}
	return notify.Check(p.SMTPURL)
}

// outbox is the folder of dev mode's mail, in the data folder.
const outbox = "outbox"

// letterbox is who brings letters, soon or at once.
type letterbox interface {
	console.Mailer
	health.Mailer
}

// mailer sends by SMTP, writes into a folder in dev mode, or is nil.
func (n *node) mailer(c checked, x extras) (letterbox, error) {
	switch {
	case c.SMTPURL != "":
		m, err := notify.New(notify.Config{URL: c.SMTPURL, Now: c.now, Log: n.log})
		if err != nil {
			return nil, err
		}
		n.close = append(n.close, m.Close)
		return m, nil
	case x.dev != nil:
		return notify.NewOutbox(filepath.Join(c.Database.Data, outbox), c.now, n.log)
	}
	return nil, nil
}

// openAlertMail makes the part that mails people about alerts; without mail there is none.
func (n *node) openAlertMail(p letterbox, publicURL string) (err error) {
	if p == nil {
		return nil
	}
	n.alerts, err = health.NewAlertMail(health.AlertMailConfig{Store: n.store, Mail: p, Now: n.now, Log: n.log,
		Link: func(a tenants.Alert) string {
			switch a.Kind {
			case tenants.AlertBlocked, tenants.AlertUnshown:
				return publicURL + views.PathOverview
			case tenants.AlertTrial:
				return publicURL + views.PathBilling
			}
			return publicURL + views.CredentialPath(a.Target)
		}})
	return err
}

// mailAlerts sends the mails about alerts that are due.
func (n *node) mailAlerts(ctx context.Context) error {
	if n.alerts == nil {
		return nil
	}
	return n.alerts.Send(ctx)
}

// errNoApple is what the status page is told when pushes wait for a connection.
var errNoApple = errors.New("no connection to Apple is open, and some are wanted")

// apple says whether pushes can leave: a connection is open, or nobody needs one.
func (n *node) apple() error {
	if s := n.sends.Stats(); s.Pools > 0 && s.Connections == 0 {
		return errNoApple
	}
	return nil
}
