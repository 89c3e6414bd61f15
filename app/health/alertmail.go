package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"carillon/app/notify"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Mailer delivers one mail and says whether the mail server took it. *notify.Mailer does.
type Mailer interface {
	Deliver(context.Context, notify.Mail) error
}

// AlertMailConfig is what AlertMail is made of. All is required.
type AlertMailConfig struct {
	Store *store.Store
	Mail  Mailer
	Link  func(tenants.Alert) string // the whole address of the page that shows what the alert is about
	Now   func() time.Time
	Log   *slog.Logger
}

// AlertMail writes to a tenant's owners and admins when something is wrong, and of a key that
// expires also to who made it: one mail for each alert, after it is committed. It keeps
// nothing in memory: the alerts' rows say which mail is still to be sent, so a restart repeats and
// loses none, except one that was being delivered when the process died, which is sent again.
type AlertMail struct{ AlertMailConfig }

// NewAlertMail checks the parts.
func NewAlertMail(c AlertMailConfig) (*AlertMail, error) {
	if c.Store == nil || c.Mail == nil || c.Link == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("health: AlertMail needs Store, Mail, Link, Now and Log")
	}
	return &AlertMail{c}, nil
}

const (
	mailsMost   = 3               // to a tenant within mailsSpan; later alerts wait and go in one mail
	mailsSpan   = time.Hour       //
	mailLease   = 5 * time.Minute // until a mail that was not taken is tried again
	mailTimeout = 2 * time.Minute // for one tenant's mail, to all its people
	mailUseful  = 24 * time.Hour  // after its alert; a mail server that works again sends no old news
)

// Send sends the mails that are due.
func (m *AlertMail) Send(ctx context.Context) error {
	due, err := m.Store.Jobs().DueAlerts(ctx, m.Now(), mailLease)
	if err != nil {
		return fmt.Errorf("find alerts without mail: %w", err)
	}
	var errs []error
	for len(due) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(due) && due[n].Tenant == due[0].Tenant {
			n++
		}
		if err := m.sendTenant(ctx, due[:n]); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", due[0].Tenant, err))
		}
		due = due[n:]
	}
	return errors.Join(errs...)
}

// sendTenant writes to one tenant's people about all its new alerts.
func (m *AlertMail) sendTenant(ctx context.Context, alerts []tenants.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	scope, now := m.Store.For(alerts[0].Tenant), m.Now()
	fresh := make([]tenants.Alert, 0, len(alerts))
	for _, a := range alerts {
		if now.Sub(a.LastAt) <= mailUseful {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return scope.Alerts().DropMail(ctx, alerts)
	}
	mails, first, err := scope.Alerts().MailsSince(ctx, now.Add(-mailsSpan))
	if err != nil {
		return err
	}
	if mails >= mailsMost {
		return scope.Alerts().MailAt(ctx, fresh, first.Add(mailsSpan))
	}
	err = m.deliver(ctx, scope, fresh)
	if errors.Is(err, notify.ErrRefused) { // by every address, and for good
		return errors.Join(err, scope.Alerts().DropMail(context.WithoutCancel(ctx), alerts))
	}
	if err != nil {
		return err
	}
	return scope.Alerts().MarkMailed(context.WithoutCancel(ctx), fresh, now)
}

// deliver sends the mail to each of the tenant's managers. It succeeds when one mail was taken: an
// address that refuses mail must not make the other people get the same mail several times. The
// error wraps notify.ErrRefused only if no address can ever get it.
func (m *AlertMail) deliver(ctx context.Context, scope *store.Scope, alerts []tenants.Alert) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	people, err := scope.Members().Managers(ctx)
	if err != nil {
		return err
	}
	people, err = withMakers(ctx, scope, people, alerts)
	if err != nil {
		return err
	}
	subject, text := m.compose(t, alerts)
	var errs, hopeful []error
	for _, to := range people {
		err := m.Mail.Deliver(ctx, spoken(ctx, m.Store, t, notify.Mail{To: to, Subject: subject, Text: text}))
		if err != nil {
			errs = append(errs, err)
		}
		if err != nil && !errors.Is(err, notify.ErrRefused) {
			hopeful = append(hopeful, err)
		}
	}
	if len(errs) < len(people) && len(errs) > 0 {
		m.Log.Error("an alert mail was not delivered to everybody", "tenant", t.ID, "people", len(people), "err", errors.Join(errs...))
		return nil
	}
	if len(hopeful) > 0 {
		return errors.Join(hopeful...)
	}
	return errors.Join(errs...)
}

// spoken is a mail in the language that its reader chose, else in that of the tenant. If it cannot
// be found out who reads it, the tenant's will do: an alert does not wait for it.
func spoken(ctx context.Context, st *store.Store, t tenants.Tenant, m notify.Mail) notify.Mail {
	u, err := st.Users().ByEmail(ctx, m.To)
	if err != nil {
		return m.In(t.Language)
	}
	return m.In(cmp.Or(u.Language, t.Language))
}

// withMakers adds those who made the keys that expire.
func withMakers(ctx context.Context, scope *store.Scope, people []string, alerts []tenants.Alert) ([]string, error) {
	for _, a := range alerts {
		if a.Kind != tenants.AlertKeyExpiry {
			continue
		}
		key, err := scope.Keys().Get(ctx, tenants.KeyID(a.Target))
		if err != nil {
			if err := ignoreUnknown(err); err != nil {
				return nil, err
			}
			continue
		}
		maker, err := scope.Members().Address(ctx, key.MadeBy)
		if err != nil {
			return nil, err
		}
		if maker != "" && !slices.Contains(people, maker) {
			people = append(people, maker)
		}
	}
	return people, nil
}

// compose says what is wrong, why, what to do and where to look.
func (m *AlertMail) compose(t tenants.Tenant, alerts []tenants.Alert) (subject, text string) {
	subject = "Carillon, " + t.Name + ": " + alerts[0].Kind.Title()
	what := "There is a new alert for " + t.Name + "."
	if n := len(alerts); n > 1 {
		subject = fmt.Sprintf("Carillon, %s: %d new alerts", t.Name, n)
		what = fmt.Sprintf("There are %d new alerts for %s.", n, t.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hello,\n\n%s\n", what)
	for _, a := range alerts {
		fmt.Fprintf(&b, "\n%s, since %s.\n%s\nDetails: %s\n",
			a.Kind.Title(), a.FirstAt.In(t.Zone()).Format("2 January, 15:04 MST"), a.Detail, m.Link(a))
	}
	b.WriteString("\nOwners and administrators get an email for each new alert. After three in an hour, the others come in one email.\n")
	return subject, b.String()
}
