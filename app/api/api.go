// Package api serves /v1: rings, devices, pairings, credentials, agents and analytics for tenants'
// programs, and the phones' side of the same rings. It turns requests into calls of the switchboard
// and the store, and results into JSON. /mcp is the same for language models.
//
// It has no rules of its own: tenants and switchboard decide what may be rung, and the store knows
// what exists. It never waits for a phone, and for Apple only to probe a credential. All shapes of
// JSON are declared here, and openapi.yaml describes each.
//
// Start reading at routes.go (every path and who may call it), then rings.go.
package api

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/app/switchboard"
	"carillon/app/trace"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Rings places and follows rings. *switchboard.Board does.
type Rings interface {
	Decide(ctx context.Context, c switchboard.Caller, q tenants.Request) (*tenants.Ring, error)
	Place(ctx context.Context, c switchboard.Caller, q tenants.Request, i store.Idempotency) (r *tenants.Ring, repeated bool, err error)
	Cancel(ctx context.Context, c switchboard.Caller, id tenants.RingID) (*tenants.Ring, error)
	WouldRing(ctx context.Context, c switchboard.Caller, g tenants.GroupID, at time.Time) (tenants.Group, []tenants.Step, error)
	Transfer(ctx context.Context, c switchboard.Caller, id tenants.RingID, to switchboard.Transfer) (*tenants.Ring, error)
	Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64, tell func([]tenants.Fact, *tenants.Ring) error) error
}

// Feed follows the facts of all rings of a tenant. switchboard.Feed does.
type Feed interface {
	Watch(ctx context.Context, t tenants.TenantID, from store.FeedPlace, tell func(switchboard.News) error) error
}

// Phones records what phones report and shows them their rings.
type Phones interface {
	Report(ctx context.Context, d tenants.Device, id tenants.RingID, r switchboard.Report) (recorded bool, err error)
	Phone(ctx context.Context, d tenants.Device, id tenants.RingID) (*tenants.Ring, error)
}

// Devices takes devices away and ends what rings on them. *switchboard.Board does.
type Devices interface {
	RemoveDevice(ctx context.Context, c switchboard.Caller, id tenants.DeviceID) error
	EndMerged(ctx context.Context, c switchboard.Caller, d tenants.Device)
}

// Credentials takes Apple credentials, asks Apple about them, and brings the one before back.
// *health.Credentials does.
type Credentials interface {
	Add(ctx context.Context, t tenants.TenantID, by store.Who, u health.Upload) (tenants.Credential, error)
	Probe(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (health.Probed, error)
	Rollback(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (tenants.Credential, error)
}

// Board is what the API needs of the switchboard.
type Board interface {
	Rings
	Phones
	Devices
}

// ICEServer is a STUN or TURN server for phones, like RTCIceServer (W3C WebRTC, 4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// iceServers returns the servers for phones; in JSON an empty list, not null.
func (a *API) iceServers() []ICEServer {
	list := []ICEServer{}
	for _, s := range a.ICEServers() {
		list = append(list, ICEServer(s))
	}
	return list
}

// Config configures the API. All but Media, ICEServers and Trace are required.
type Config struct {
	Store           *store.Store
	Board           Board
	Credentials     Credentials
	CheckAgent      func(tenants.Agent) error      // refuses an address that we do not connect to
	CheckConnection func(tenants.Connection) error // the same for a connection
	Events          Events
	Feed            Feed
	Media           Media                      // nil = no media routes
	Joining         Joining                    // nil = agents cannot connect to us
	PublicURL       string                     // for phones: scheme and host, without a final slash
	ICEServers      func() []gateway.ICEServer // servers for phones, called each time; nil = none
	Trace           *trace.Tracer              // nil = no traces
	Now             func() time.Time
	Log             *slog.Logger
}

// API is /v1.
type API struct {
	Config
	guesses tenants.RateLimiter // of wrong pairing codes; see paired

	forged tenants.RateLimiter // of texts with a wrong signature; see takeText

	warned warned // of texts with a wrong signature

	requests  requestLog // of keys; see SaveRequests
	downloads *web.Slots // of recordings
	feeds     *web.Slots // of GET /v1/events
	mcp       *mcpServer
}

const manyGuesses = "Too many wrong pairing codes came from this network. Wait a moment and try again."

// The rates of wrong pairing codes. A code has 50 bits and lives ten minutes.
var (
	networkGuesses = tenants.Rate{Of: "network", Every: 6 * time.Second, Burst: 20, Says: manyGuesses}
	widerGuesses   = tenants.Rate{Of: "network", Every: 2 * time.Second, Burst: 60, Says: manyGuesses}
	allGuesses     = tenants.Rate{Of: "all", Every: 20 * time.Millisecond, Burst: 1000, Shared: true,
		Says: "Too many wrong pairing codes reach this server. Wait a moment and try again."}
)

// New checks the configuration and returns an API to mount.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Board == nil || c.Credentials == nil || c.CheckAgent == nil || c.CheckConnection == nil ||
		c.Events == nil || c.Feed == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("api: Store, Board, Credentials, CheckAgent, CheckConnection, Events, Feed, Now and Log are required")
	}
	if !strings.HasPrefix(c.PublicURL, "http://") && !strings.HasPrefix(c.PublicURL, "https://") {
		return nil, errors.New("api: PublicURL must start with http:// or https://")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.ICEServers == nil {
		c.ICEServers = func() []gateway.ICEServer { return nil }
	}
	a := &API{Config: c, downloads: web.NewSlots(web.DownloadBounds()), feeds: web.NewSlots(feedBounds)}
	a.guesses.Nodes, a.forged.Nodes = c.Store.NodesNow, c.Store.NodesNow
	var err error
	a.mcp, err = newMCP(a)
	return a, err
}

// Mount adds every route of /v1 to r, the root of an app made by web.New.
func (a *API) Mount(r fiber.Router) {
	for _, route := range a.routes() {
		if route.Method == fiber.MethodGet {
			r.Get(route.Path, a.handler(route)) // and HEAD
			continue
		}
		r.Add(route.Method, route.Path, a.handler(route))
	}
}

// handler gives a route its deadline and its trace.
func (a *API) handler(r Route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := web.Deadline(c)
		defer cancel()
		if a.Trace == nil || !r.traced {
			return a.serve(ctx, c, r)
		}
		span := a.Trace.Request(web.Header(c, "traceparent"), r.Method+" "+r.Path)
		defer span.End()
		err := a.serve(trace.With(ctx, span), c, r)
		span.Answered(web.Status(c, err))
		return err
	}
}

// serve authenticates the request and calls its handler.
func (a *API) serve(ctx context.Context, c *fiber.Ctx, r Route) error {
	switch {
	case r.key != nil:
		return a.serveKey(ctx, c, r)
	case r.phone != nil:
		p, err := a.device(ctx, c)
		if err != nil {
			return err
		}
		if r.Method != fiber.MethodGet {
			if err := web.MayWrite(c, p.reader.Holder); err != nil {
				return err
			}
		}
		return r.phone(ctx, c, p)
	}
	return r.open(ctx, c)
}

// serveKey calls a handler for a key, and records the request.
func (a *API) serveKey(ctx context.Context, c *fiber.Ctx, r Route) (err error) {
	began := a.Now()
	k, err := a.caller(ctx, c, r.Needs)
	if k.key.ID != "" {
		defer func() { a.note(c, k.key, r.Method, r.Path, began, err) }()
	}
	if err != nil {
		return err
	}
	if r.Method != fiber.MethodGet && r.Needs != tenants.RingsWrite { // rings have rates of their own
		if err := web.MayWrite(c, k.reader.Holder); err != nil {
			return err
		}
	}
	return r.key(ctx, c, k)
}
