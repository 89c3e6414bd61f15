// Package console serves HTML for people: the public pages with the demo and the trial; to those of a tenant the pages on which they see
// and change what is theirs, from sign-in, rings and devices to billing and the audit log; to partners a room of their own; and in dev
// mode a virtual phone and a storybook.
//
// It turns requests into calls of the store and the switchboard, and what they give into the structs that package views draws. It has
// no rules of its own about rings, knows no SQL and draws nothing. A GET writes nothing but how long a sign-in has been idle, and
// that a partner's link was followed.
//
// Start reading at routes.go (every address, and who may come), then visitor.go (who is there), then any page.
package console

import (
	"carillon/app/page"

	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Rings places, ends and follows rings. *switchboard.Board does.
type Rings interface {
	Place(ctx context.Context, c switchboard.Caller, q tenants.Request, i store.Idempotency) (r *tenants.Ring, repeated bool, err error)
	Cancel(ctx context.Context, c switchboard.Caller, id tenants.RingID) (*tenants.Ring, error)
	Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64, tell func([]tenants.Fact, *tenants.Ring) error) error
	WatchAll(ctx context.Context, t tenants.TenantID, tell func([]tenants.RingID) error) error
}

// Devices takes phones out of use. *switchboard.Board does.
type Devices interface {
	RemoveDevice(ctx context.Context, c switchboard.Caller, id tenants.DeviceID) error
}

// Credentials takes Apple credentials, asks Apple about them, and brings the one before back.
// *health.Credentials does.
type Credentials interface {
	Add(ctx context.Context, t tenants.TenantID, by store.Who, u health.Upload) (tenants.Credential, error)
	Probe(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (health.Probed, error)
	Rollback(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (tenants.Credential, error)
}

// Board is what the console needs of the switchboard.
type Board interface {
	Rings
	Devices
}

// DevPhone is a device that a page in dev mode plays. Its secrets are made up and of this machine only.
type DevPhone struct {
	Slug       string // of its tenant
	Name       string
	App        string // the name over the call
	Token      string
	Credential string
}

// Waker knows the virtual phones of dev mode, and wakes them.
type Waker interface {
	Phones() []DevPhone
	// Listen gives the payloads pushed to a token until stop is called.
	Listen(token string) (payloads <-chan []byte, stop func())
}

// Config is what the console is made of. Common, Board and Credentials are required.
type Config struct {
	*page.Common
	Board       Board
	Credentials Credentials
	Billing     *billing.Billing           // takes money; nil = nobody does, and what leads to it is absent
	Dev         Waker                      // virtual phones; nil = no dev mode, and its routes are absent
	Login       string                     // said on the page of signing in, in dev mode only
	Voice       Voice                      // carries the demo's calls; nil = the demo is closed
	Agent       gateway.Agent              // speaks on them; needed with Voice
	DemoName    string                     // the agent's, if it is a tenant's
	DemoClosed  bool                       // the operator wants no demo
	DemoTime    time.Duration              // how long one may last; 0 = DemoTime
	DemoICE     func() []gateway.ICEServer // STUN and TURN servers of the moment for the demo's calls; nil = none
	Mail        Mailer                     // brings the links of sign-ups; nil = nobody can sign up
	Parts       []Part                     // what the status page asks
	PerSecond   float64                    // rings a second that a tenant may place, said where keys are made; 0 = no limit
}

// Mailer sends mail: soon, and not while the caller waits. *notify.Mailer does.
type Mailer interface {
	Send(notify.Mail) error
}

// Console is the pages of this process.
type Console struct {
	Config
	figures *figures
	judged  *judgements
	demos   *demos
	signups signups
	clicks  clicks
}

// New checks the parts and gives a Console to mount.
func New(c Config) (*Console, error) {
	if c.Common == nil || c.Board == nil {
		return nil, errors.New("console: Common and Board are required")
	}
	if c.Voice != nil && c.Agent == nil {
		return nil, errors.New("console: Voice needs an Agent to speak")
	}
	if c.DemoClosed {
		c.Voice = nil
	}
	if c.DemoTime <= 0 {
		c.DemoTime = DemoTime
	}
	k := &Console{Config: c, figures: newFigures(c.Now), judged: newJudgements(c.Now)}
	var err error
	if k.signups, err = newSignups(c.Now); err != nil {
		return nil, err
	}
	if k.clicks, err = newClicks(c.Now); err != nil {
		return nil, err
	}
	k.demos, err = newDemos(c.Now)
	return k, err
}

// Mount adds every route of the console to r, which stands at the root of an app made by web.New with Console.ErrorPage.
func (k *Console) Mount(r fiber.Router) {
	var all []page.Route
	for _, one := range k.routes() {
		all = append(all, page.Route{Method: one.method, Path: one.path, Serve: k.serve(one)})
	}
	k.Common.Mount(r, all)
}
