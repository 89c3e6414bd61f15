package app

import (
	"errors"
	"path/filepath"
	"time"

	"carillon/app/console"
	"carillon/app/notify"
)

// Post says who brings mail to people.
type Post struct {
	SMTPURL string `name:"smtp-url" help:"smtp://user:password@host:587?from=carillon@example.com, or smtps://…; empty = no mail, and nobody can sign up." env:"CARILLON_SMTP_URL"`
}

func (p Post) check() error {
	if p.SMTPURL == "" {
		return nil
	}
	return notify.Check(p.SMTPURL)
}

// outbox is the folder of dev mode's mail, in the data folder.
const outbox = "outbox"

// mailer sends by SMTP, writes into a folder in dev mode, or is nil.
func (n *node) mailer(c checked, x extras) (console.Mailer, error) {
	switch {
	case c.SMTPURL != "":
		m, err := notify.New(notify.Config{URL: c.SMTPURL, Now: time.Now, Log: n.log})
		if err != nil {
			return nil, err
		}
		n.close = append(n.close, m.Close)
		return m, nil
	case x.dev != nil:
		return notify.NewOutbox(filepath.Join(c.Database.Data, outbox), time.Now, n.log)
	}
	return nil, nil
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
