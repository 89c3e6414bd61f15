// Package console serves HTML for the people of a tenant: pages on which they see and change what
// is theirs, from sign-in, rings and devices to billing and the audit log. In dev mode it also
// serves a virtual phone and a storybook. The public pages are in package site.
//
// It turns requests into calls of the store and the switchboard, and their results into the structs
// that package views draws. It has no rules of its own about rings, knows no SQL and draws nothing.
// A GET writes nothing but how long a sign-in has been idle.
//
// Start reading at routes.go (every address, and who may come), then any page. Who is signed in is
// package page's part.
package console

import (
	"carillon/app/factor"
	"carillon/app/oidc"
	"carillon/app/page"
	"carillon/app/web"

	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/app/health"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Rings places, ends and follows rings. *switchboard.Board does.
type Rings interface {
	Place(ctx context.Context, c switchboard.Caller, q tenants.Request, i store.Idempotency) (r *tenants.Ring, repeated bool, err error)
	Cancel(ctx context.Context, c switchboard.Caller, id tenants.RingID) (*tenants.Ring, error)
	WouldRing(ctx context.Context, c switchboard.Caller, g tenants.GroupID, at time.Time) (tenants.Group, []tenants.Step, error)
	Transfer(ctx context.Context, c switchboard.Caller, id tenants.RingID, to switchboard.Transfer) (*tenants.Ring, error)
	Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64, tell func([]tenants.Fact, *tenants.Ring) error) error
	WatchAll(ctx context.Context, t tenants.TenantID, tell func([]tenants.RingID) error) error
}

// Devices takes phones out of use. *switchboard.Board does.
type Devices interface {
	MergeDevice(ctx context.Context, c switchboard.Caller, old, into tenants.DeviceID) error
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

// DevPhone is a device that a page in dev mode plays. Its secrets are made up and of this machine
// only.
type DevPhone struct {
	Slug       string // of its tenant
	Device     tenants.DeviceID
	Name       string
	App        string // the name over the call
	Token      string
	Credential string
}

// DevPush is a push to a DevPhone.
type DevPush struct {
	Slug    string // of the phone
	Payload []byte
}

// Waker knows the virtual phones of dev mode, and wakes them.
type Waker interface {
	Phones() []DevPhone
	// Listen gives what is pushed to the phones until stop is called.
	Listen() (pushes <-chan DevPush, stop func())
}

// Connections sends one event to a connection at once, and says how it went. *connections.Engine
// does.
type Connections interface {
	Try(ctx context.Context, scope *store.Scope, id tenants.ConnectionID, kind tenants.EventKind) (tenants.DeliveryAttempt, error)
}

// Calendars reads a calendar of a tenant at once. *connections.Calendars does.
type Calendars interface {
	ReadNow(ctx context.Context, scope *store.Scope, id tenants.ConnectionID) error
}

// Config is what the console is made of. Common, Board, Credentials, Connections, Calendars,
// CheckAgent, CheckConnection,
// AlertTargets and Digest are required.
type Config struct {
	*page.Common
	Board       Board
	Credentials Credentials
	Connections Connections
	Calendars   Calendars
	CheckAgent  func(tenants.Agent) error // refuses an address that we do not connect to

	CheckConnection func(tenants.Connection) error // the same for a connection
	AlertTargets    AlertTargets                   // where alerts are sent
	Digest          Digest                         // the weekly mail
	OIDC            *oidc.Client                   // speaks to tenants' own providers; nil = nobody signs in through one
	Passkeys        *factor.Passkeys               // nil = the server has no domain name, and nobody has a passkey
	Resolver        health.Resolver                // finds the records that prove domains; required with OIDC

	Exports   ExportFolder     // where the files of exports are
	Mail      Mailer           // nil = no mail: invitations show their link, and nobody resets a password
	Billing   *billing.Billing // takes money; nil = nobody does, and what leads to it is absent
	Dev       Waker            // virtual phones; nil = no dev mode, and its routes are absent
	Login     string           // said on the page of signing in, in dev mode only
	PerSecond float64          // rings a second that a tenant may place, said where keys are made; 0 = no limit
}

// Console is the pages of this process.
type Console struct {
	Config
	figures *figures
	hours   *hoursKept
	times   *timesKept
	judged  *judgements
	mails   tenants.RateLimiter // see mayInvite and mayReset

	downloads *web.Slots // of recordings
	sizes     web.Sizes  // of recordings
	readings  []route    // those that only read, for opens
	verifier  *verifier
}

// New checks the parts and gives a Console to mount.
func New(c Config) (*Console, error) {
	if c.Common == nil || c.Board == nil || c.Credentials == nil || c.Connections == nil || c.Calendars == nil ||
		c.CheckAgent == nil || c.CheckConnection == nil || c.AlertTargets == nil || c.Digest == nil {
		return nil, errors.New("console: Common, Board, Credentials, Connections, Calendars, CheckAgent, CheckConnection, " +
			"AlertTargets and Digest are required")
	}
	if c.OIDC != nil && c.Resolver == nil {
		return nil, errors.New("console: Resolver is required with OIDC")
	}
	k := &Console{Config: c, figures: newFigures(c.Now), judged: newJudgements(c.Now),
		downloads: web.NewSlots(web.DownloadBounds()), verifier: &verifier{}}
	k.mails.Nodes = c.Store.NodesNow
	k.hours = &hoursKept{now: c.Now, kept: table[hoursKey, keptHours]{most: mostHoursKept},
		long: table[hoursKey, keptHours]{most: mostLongKept}}
	k.times = &timesKept{now: c.Now, kept: table[timesKey, keptTimes]{most: mostTimesKept}}
	for _, r := range k.routes() {
		if r.method == get {
			k.readings = append(k.readings, r)
		}
	}
	return k, nil
}

// Mount adds every route of the console to r, which stands at the root of an app made by web.New
// with Console.ErrorPage.
func (k *Console) Mount(r fiber.Router) {
	var all []page.Route
	for _, one := range k.routes() {
		all = append(all, page.Route{Method: one.method, Path: one.path, Serve: k.serve(one)})
	}
	k.Common.Mount(r, all)
}
