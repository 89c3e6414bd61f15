// Package operator serves HTML for the people who run the server, on a listener of their own: all
// tenants, the health of the server, Stripe's events, partners, and the record of what operators
// did. Nothing of it is on the public listener, and nothing of the public one is here.
//
// Every page but the sign-in needs an operator who gave a password and a code of an authenticator
// app, or a passkey. What is guarded most needs a proof of the last 15 minutes. Each change is in
// the record of operators, and one that touches a tenant is in the tenant's audit log too.
//
// Start reading at routes.go, then any page.
package operator

import (
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/push"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// Config is what the operator console is made of. Common, Server and Teams are required.
type Config struct {
	*page.Common                           // with a cookie of its own
	ConsoleURL   string                    // scheme and host of the public address
	Server       func() Server             // this process now
	Teams        func() []push.TeamAnswers // Apple's answers to this process
	Mails        Mails                     // nil = no mail is sent
	Billing      Billing                   // nil = the server takes no money
	Passkeys     *factor.Passkeys          // nil = the address has no domain name, and nobody has a passkey
	Dev          func() *Seen              // dev mode: a sign-in that works; nil = no dev mode
}

// Mails are those that failed. *notify.Mailer has them.
type Mails interface {
	Failed() []notify.Failed
	Resend(id string) (notify.Failed, error)
}

// Billing shows and processes the messages of Stripe. billing.Messages does.
type Billing interface {
	Payload(ctx context.Context, id string) (string, error)
	Replay(ctx context.Context, id string) error
}

// Server is this process as it says itself.
type Server struct {
	Name        string // of the machine
	Version     string // empty = not known
	Started     time.Time
	Draining    bool
	NATSAway    time.Time // since when NATS does not answer; zero = it does, or there is none
	NoRoom      string    // what is missing: descriptors, disk or memory; empty = nothing
	Connections int
	Calls       int
	Push        push.Stats
	Store       store.Stats
	DiskFree    int64     // bytes, on the disk of the database; -1 = not known, or PostgreSQL
	Postgres    bool      // whose own tools make backups
	BackupAt    time.Time // of the data folder, the last one; zero = none is known
}

// Seen is a sign-in that dev mode shows to everybody.
type Seen struct{ Email, Password, Code string }

// Console is the pages of this process.
type Console struct {
	Config
	failures tenants.RateLimiter // of the entries about failed sign-ins
}

// New checks the parts and gives a Console to mount.
func New(c Config) (*Console, error) {
	if c.Common == nil || c.Common.Cookie == "" || c.Server == nil || c.Teams == nil {
		return nil, errors.New("operator: Common with a cookie of its own, Server and Teams are required")
	}
	k := &Console{Config: c}
	k.failures.Nodes = c.Store.NodesNow
	return k, nil
}

// Mount adds every route to r, the root of an app made by web.New with Console.ErrorPage.
func (k *Console) Mount(r fiber.Router) {
	var all []page.Route
	for _, one := range k.routes() {
		all = append(all, page.Route{Method: one.method, Path: one.path, Serve: k.serve(one)})
	}
	k.Common.Mount(r, all)
}

// shell is what surrounds a page.
func (k *Console) shell(c *fiber.Ctx, v *visitor, title string, nav pages.Nav, crumbs ...views.Link) pages.Shell {
	return pages.Shell{Title: title, Current: nav, Name: v.operator.Name, Email: v.operator.Email, Theme: page.ThemeOf(c),
		Flash: k.Flash(c), Crumbs: crumbs, Billing: k.Billing != nil}
}

// at is a moment as every page here shows it.
func at(t time.Time) views.Time { return views.At(t, time.UTC) }

// confirmation is a question as a page, and what its button does.
type confirmation struct {
	ask   views.Confirm
	title string
	nav   pages.Nav
	up    []views.Link

	do   func(context.Context) error
	said page.Flash
	next string
}

// confirmed serves both routes of an act that cannot be undone: GET asks, POST does it.
func (k *Console) confirmed(find func(context.Context, *fiber.Ctx, *visitor) (confirmation, error)) handler {
	return func(ctx context.Context, c *fiber.Ctx, v *visitor) error {
		q, err := find(ctx, c, v)
		if err != nil {
			return err
		}
		if c.Method() == fiber.MethodPost {
			if err := q.do(ctx); err != nil {
				return err
			}
			return k.Done(c, q.said, q.next)
		}
		return web.Page(c, pages.Confirm(k.shell(c, v, q.title, q.nav, q.up...), q.ask), fiber.StatusOK)
	}
}

func up(text, href string) views.Link { return views.Link{Text: text, Href: href} }
