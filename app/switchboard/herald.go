package switchboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"carillon/app/notify"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Post hands a letter in and says whether it was taken. *notify.Mailer does.
type Post interface {
	Deliver(context.Context, notify.Mail) error
}

// HeraldConfig is what a Herald is made of. All is required.
type HeraldConfig struct {
	Store *store.Store
	Post  Post
	Link  func(tenants.Alert) string // where people see what the alert is about: a whole address
	Now   func() time.Time
	Log   *slog.Logger
}

// Herald writes to the owners and admins of a tenant when something of theirs is wrong: one letter for each alert, once it is
// committed. It holds nothing itself: what is still to be told is in the alerts' rows, so that a restart neither repeats nor loses a
// letter, but for one that was being handed in when the process died: that one comes again.
type Herald struct{ HeraldConfig }

// NewHerald checks the parts.
func NewHerald(c HeraldConfig) (*Herald, error) {
	if c.Store == nil || c.Post == nil || c.Link == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("switchboard: a Herald needs Store, Post, Link, Now and Log")
	}
	return &Herald{c}, nil
}

// The measure of letters.
const (
	lettersMost  = 3               // a tenant's in an hour; what comes after waits and goes in one
	lettersSpan  = time.Hour       //
	letterLease  = 5 * time.Minute // until a letter that was not taken is tried again
	letterTime   = 2 * time.Minute // for one tenant's letter, to all who get it
	letterUseful = 24 * time.Hour  // after its alert; nobody is told of old trouble because mail works at last
)

// Tell writes the letters that are due.
func (h *Herald) Tell(ctx context.Context) error {
	due, err := h.Store.UntoldAlerts(ctx, h.Now(), letterLease)
	if err != nil {
		return fmt.Errorf("find untold alerts: %w", err)
	}
	var errs []error
	for len(due) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(due) && due[n].Tenant == due[0].Tenant {
			n++
		}
		if err := h.tell(ctx, due[:n]); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", due[0].Tenant, err))
		}
		due = due[n:]
	}
	return errors.Join(errs...)
}

// tell writes to one tenant's people of all that is new.
func (h *Herald) tell(ctx context.Context, alerts []tenants.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, letterTime)
	defer cancel()
	scope, now := h.Store.For(alerts[0].Tenant), h.Now()
	fresh := make([]tenants.Alert, 0, len(alerts))
	for _, a := range alerts {
		if now.Sub(a.LastAt) <= letterUseful {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return scope.AlertsDropped(ctx, alerts)
	}
	letters, first, err := scope.LettersSince(ctx, now.Add(-lettersSpan))
	if err != nil {
		return err
	}
	if letters >= lettersMost {
		return scope.TellAlerts(ctx, fresh, first.Add(lettersSpan))
	}
	if err := h.write(ctx, scope, fresh); err != nil {
		return err
	}
	return scope.AlertsTold(context.WithoutCancel(ctx), fresh, now)
}

// write hands the letter in for each of the tenant's managers. Once one was taken it is told: those whose address refuses mail must
// not make the others hear it again and again.
func (h *Herald) write(ctx context.Context, scope *store.Scope, alerts []tenants.Alert) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	people, err := scope.Managers(ctx)
	if err != nil {
		return err
	}
	subject, text := h.letter(t, alerts)
	var errs []error
	for _, to := range people {
		if err := h.Post.Deliver(ctx, notify.Mail{To: to, Subject: subject, Text: text}); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) < len(people) && len(errs) > 0 {
		h.Log.Error("a letter about an alert was not taken for everybody", "tenant", t.ID, "people", len(people), "err", errors.Join(errs...))
		return nil
	}
	return errors.Join(errs...)
}

// letter says what is wrong, why, what cures it and where to look.
func (h *Herald) letter(t tenants.Tenant, alerts []tenants.Alert) (subject, text string) {
	subject = "Carillon, " + t.Name + ": " + alerts[0].Kind.Title()
	what := "Something needs you at " + t.Name + "."
	if n := len(alerts); n > 1 {
		subject = fmt.Sprintf("Carillon, %s: %d things need you", t.Name, n)
		what = fmt.Sprintf("%d things need you at %s.", n, t.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hello,\n\n%s\n", what)
	for _, a := range alerts {
		fmt.Fprintf(&b, "\n%s, since %s UTC.\n%s\nLook at it: %s\n", a.Kind.Title(), a.FirstAt.UTC().Format("2 January, 15:04"), a.Detail, h.Link(a))
	}
	b.WriteString("\nOwners and admins get one letter for each new alert; when there are more than a few in an hour, the rest come in one.\n")
	return subject, b.String()
}
