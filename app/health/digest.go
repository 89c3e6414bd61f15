package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"carillon/app/notify"
	"carillon/tenants"
	"carillon/tenants/store"
)

// DigestConfig is what a Digest is made of. Mail may be nil: then nothing is sent.
type DigestConfig struct {
	Store *store.Store
	Mail  Mailer
	Words func(store.Reason) (cause, cure string) // a reason in sentences
	Pages DigestPages
	Now   func() time.Time
	Log   *slog.Logger
}

// DigestPages are whole addresses in the mail.
type DigestPages struct {
	Analytics, Alerts, Silent, Account string
	Off                                func(token string) string // turns the mail off
}

// Digest writes to a tenant's people once a week: how rings went, and what needs a look.
type Digest struct{ DigestConfig }

// NewDigest checks the parts.
func NewDigest(c DigestConfig) (*Digest, error) {
	if c.Store == nil || c.Words == nil || c.Pages.Off == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("health: a Digest needs Store, Words, Pages, Now and Log")
	}
	return &Digest{c}, nil
}

const (
	// digestTime bounds the mails of one tenant.
	digestTime = 5 * time.Minute
	// digestFailures is after how many failures in a row the mail server counts as away. The rest
	// is sent at the next turn.
	digestFailures = 3
)

// Send sends the weekly mails that are due. It claims a person's mail of a week in the database
// before it sends it, so that two nodes never both send it, and takes the claim back only where the
// mail server did not say that it took the mail. If the process dies between the two, that mail is
// lost: the next comes in a week, and nobody gets the same one at each restart. A mail server that
// takes a mail but breaks off before it says so gets it again.
//
// One mailbox that fails keeps the mail from nobody else. Each turn takes tenants and people in
// another order, so that some bad mailboxes in a row do not always end it at the same place.
func (d *Digest) Send(ctx context.Context) error {
	if d.Mail == nil {
		return nil
	}
	all, err := d.Store.Tenants().List(ctx)
	if err != nil {
		return err
	}
	shuffle(all)
	var errs []error
	failures := 0
	for _, t := range all {
		span := tenants.DigestAt(d.Now(), t.Zone())
		if ctx.Err() != nil || failures >= digestFailures || !span.Due || t.State != tenants.TenantActive || !t.CreatedAt.Before(span.To) {
			continue
		}
		if err := d.sendTenant(ctx, t, span, &failures); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: weekly mail: %w", t.ID, err))
		}
	}
	return errors.Join(errs...)
}

func shuffle[T any](all []T) {
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}

// sendTenant counts failures in a row.
func (d *Digest) sendTenant(ctx context.Context, t tenants.Tenant, span tenants.DigestSpan, failures *int) error {
	ctx, cancel := context.WithTimeout(ctx, digestTime)
	defer cancel()
	digests := d.Store.For(t.ID).By(store.Who{Actor: tenants.System}).Digests()
	people, err := digests.Due(ctx, span.Week)
	if err != nil || len(people) == 0 {
		return err
	}
	week, err := d.read(ctx, t, span)
	if err != nil {
		return err
	}
	shuffle(people)
	var errs []error
	for _, p := range people {
		if *failures >= digestFailures {
			break
		}
		token := tenants.NewSecret(tenants.DigestPrefix)
		mine, err := digests.Claim(ctx, span.Week, p.User, token.Hash())
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if !mine {
			continue
		}
		err = d.Mail.Deliver(ctx, spoken(ctx, d.Store, t, d.compose(week, p.Email, d.Pages.Off(string(token)))))
		if err == nil || errors.Is(err, notify.ErrRefused) {
			*failures = 0
			if err != nil {
				d.Log.Error("a weekly mail was refused", "tenant", t.ID, "err", err)
			}
			continue
		}
		*failures++
		errs = append(errs, err, digests.Release(context.WithoutCancel(ctx), span.Week, p.User))
	}
	return errors.Join(errs...)
}

// Preview is the mail of the week that is over, as it would go to an address.
func (d *Digest) Preview(ctx context.Context, t tenants.Tenant, to string) (notify.Mail, error) {
	week, err := d.read(ctx, t, tenants.DigestAt(d.Now(), t.Zone()))
	return d.compose(week, to, d.Pages.Account), err
}

// How many of each thing the mail lists.
const (
	digestReasons = 3
	digestPhones  = 10
	digestAlerts  = 10
)

// digestWeek is what a weekly mail says.
type digestWeek struct {
	tenant      tenants.Tenant
	span        tenants.DigestSpan
	now, before tenants.Counts
	reasons     []store.Reason
	silent      []tenants.Device
	moreSilent  bool
	alerts      []tenants.Alert
}

// read adds the week up from the counts that the page of analytics reads.
func (d *Digest) read(ctx context.Context, t tenants.Tenant, span tenants.DigestSpan) (w digestWeek, err error) {
	w.tenant, w.span = t, span
	s := d.Store.For(t.ID)
	sum := func(from, to time.Time) (all tenants.Counts) {
		hours, failed := s.Analytics().Hours(ctx, tenants.Cut{}, from, to)
		err = errors.Join(err, failed)
		for _, h := range hours {
			all = all.Add(h.Counts)
		}
		return all
	}
	w.now, w.before = sum(span.From, span.To), sum(span.From.AddDate(0, 0, -7), span.From)
	if err != nil {
		return w, err
	}
	if w.reasons, _, err = s.Analytics().Reasons(ctx, span.From, span.To); err != nil {
		return w, err
	}
	w.reasons = w.reasons[:min(len(w.reasons), digestReasons)]
	var next string
	w.silent, next, err = s.Devices().List(ctx, store.DeviceQuery{Silent: d.Now().Add(-tenants.PhoneSilentAfter), Limit: digestPhones})
	if err != nil {
		return w, err
	}
	w.moreSilent = next != ""
	w.alerts, _, err = s.Alerts().Find(ctx, store.AlertQuery{Open: true, Limit: digestAlerts})
	return w, err
}
