package app

import (
	"context"
	"errors"
	"path/filepath"

	"carillon/app/connections"
	"carillon/app/console"
	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/site"
	"carillon/tenants"
	"carillon/views"
)

// Mail configures how mail is sent.
type Mail struct {
	SMTPURL string `name:"smtp-url" help:"smtp://user:password@host:587?from=carillon@example.com, or smtps://…; empty = no mail: no sign-ups, no alerts by mail." env:"CARILLON_SMTP_URL"`
}

func (m Mail) check() error {
	if m.SMTPURL == "" {
		return nil
	}
	return notify.Check(m.SMTPURL)
}

// outbox is the folder of dev mode's mail, in the data folder.
const outbox = "outbox"

// mailSender sends mail from the console and about alerts.
type mailSender interface {
	site.Mailer
	health.Mailer
}

// openMail returns a sender that uses SMTP, or in dev mode a folder. It is nil where there is
// neither.
func (n *node) openMail(c checked, x extras) (mailSender, error) {
	switch {
	case c.SMTPURL != "":
		m, err := notify.New(notify.Config{URL: c.SMTPURL, Now: c.now, Log: n.log})
		if err != nil {
			return nil, err
		}
		n.close = append(n.close, m.Close)
		n.mailer = m
		return m, nil
	case x.dev != nil:
		return notify.NewOutbox(filepath.Join(c.Database.Data, outbox), c.now, n.log)
	}
	return nil, nil
}

// openAlertMail makes the part that mails people about alerts; without mail there is none.
func (n *node) openAlertMail(m mailSender, publicURL string) (err error) {
	if m == nil {
		return nil
	}
	n.alerts, err = health.NewAlertMail(health.AlertMailConfig{Store: n.store, Mail: m, Now: n.now, Log: n.log,
		Link: func(a tenants.Alert) string {
			switch a.Kind {
			case tenants.AlertBlocked, tenants.AlertUnshown:
				return publicURL + views.PathPhoneHealth
			case tenants.AlertPhone:
				return publicURL + views.DevicePath(a.Target)
			case tenants.AlertConnection, tenants.AlertConnectionOff, tenants.AlertCalendar:
				return publicURL + views.ConnectionPath(a.Target)
			case tenants.AlertAgent:
				return publicURL + views.AgentPath(a.Target)
			case tenants.AlertDuty:
				return publicURL + views.GroupPath(a.Target)
			case tenants.AlertKeyExpiry:
				return publicURL + views.KeyPath(a.Target)
			case tenants.AlertOfRule:
				return publicURL + views.AlertRulePath(a.Target)
			case tenants.AlertTargetFails:
				return publicURL + views.AlertTargetPath(a.Target)
			case tenants.AlertDomain:
				return publicURL + views.PathProvider
			case tenants.AlertTrial, tenants.AlertUsage:
				return publicURL + views.PathBilling
			}
			return publicURL + views.CredentialPath(a.Target)
		}})
	return err
}

// openAlertTargets makes the part that sends alerts to tenants' targets. Without mail, those by
// mail say so.
func (n *node) openAlertTargets(m mailSender, publicURL string) (err error) {
	c := health.TargetsConfig{Store: n.store, Dialer: n.targets, Sign: connections.Sign, Link: publicURL + views.PathAlerts, Now: n.now,
		Log: n.log}
	if m != nil {
		c.Mail = m
	}
	if n.sendsNews, err = health.NewTargets(c); err == nil {
		n.close = append(n.close, n.sendsNews.Close)
	}
	return err
}

// openDigest makes the part that sends the weekly mail. Without mail it only shows a preview.
func (n *node) openDigest(m mailSender, publicURL string) (err error) {
	c := health.DigestConfig{Store: n.store, Words: console.ReasonWords, Now: n.now, Log: n.log, Pages: health.DigestPages{
		Analytics: publicURL + views.PathAnalytics, Alerts: publicURL + views.PathAlerts,
		Silent: publicURL + views.PathDevices + "?health=silent", Account: publicURL + views.PathAccount,
		Off: func(token string) string { return publicURL + views.DigestOffPath(token) }}}
	if m != nil {
		c.Mail = m
	}
	n.digest, err = health.NewDigest(c)
	return err
}

// mailAlerts sends the mails about alerts that are due.
func (n *node) mailAlerts(ctx context.Context) error {
	if n.alerts == nil {
		return nil
	}
	return n.alerts.Send(ctx)
}

// errNoApple is the error on the status page while pushes wait for a connection.
var errNoApple = errors.New("no connection to Apple is open, and some are wanted")

// reachesApple says whether pushes can leave: a connection is open, or nobody needs one.
func (n *node) reachesApple() error {
	if s := n.sends.Stats(); s.Pools > 0 && s.Connections == 0 {
		return errNoApple
	}
	return nil
}
