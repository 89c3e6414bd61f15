// Package api serves /v1: rings, devices, pairings, credentials, agents and analytics for tenants' programs, and the same rings as
// their phones see them. It turns requests into calls of the switchboard and the store, and what they give into JSON.
//
// It has no rules of its own: what may be rung is decided in tenants and switchboard, what exists is known by the store. It never
// waits for a phone, nor for Apple but to probe a credential. The shapes of JSON are declared here and nowhere else, and
// openapi.yaml describes every one.
//
// Start reading at routes.go (every address, and who may call it), then rings.go.
package api

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/trace"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Rings places and follows rings. *switchboard.Board does.
type Rings interface {
	Place(ctx context.Context, c switchboard.Caller, q tenants.Request, i store.Idempotency) (r *tenants.Ring, repeated bool, err error)
	Cancel(ctx context.Context, c switchboard.Caller, id tenants.RingID) (*tenants.Ring, error)
	Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64, tell func([]tenants.Fact, *tenants.Ring) error) error
}

// Phones hears what phones report and shows them their rings.
type Phones interface {
	Report(ctx context.Context, d tenants.Device, id tenants.RingID, r switchboard.Report) (recorded bool, err error)
	Phone(ctx context.Context, d tenants.Device, id tenants.RingID) (*tenants.Ring, error)
}

// Devices takes phones out of use. *switchboard.Board does.
type Devices interface {
	RemoveDevice(ctx context.Context, c switchboard.Caller, id tenants.DeviceID) error
}

// Uploads reads an Apple credential out of a file and keeps it.
type Uploads interface {
	AddCredential(ctx context.Context, c switchboard.Caller, u switchboard.Upload) (tenants.Credential, error)
}

// Board is what the API needs of the switchboard.
type Board interface {
	Rings
	Phones
	Devices
	Uploads
	Desk
}

// ICEServer is a STUN or TURN server that phones are told of, in the manner of RTCIceServer (W3C WebRTC, 4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// iceServers are those that phones are told of now; an empty list in JSON, not null.
func (a *API) iceServers() []ICEServer {
	list := []ICEServer{}
	for _, s := range a.ICEServers() {
		list = append(list, ICEServer(s))
	}
	return list
}

// Config is what the API is made of. All but Media, ICEServers and Trace are required.
type Config struct {
	Store      *store.Store
	Board      Board
	Media      Media                      // the voice of a call; nil = its routes are absent
	PublicURL  string                     // where phones reach this server: scheme and host, no slash at the end
	ICEServers func() []gateway.ICEServer // what phones are told of, asked each time; nil = none
	Trace      *trace.Tracer              // nil = no traces
	Now        func() time.Time
	Log        *slog.Logger
}

// API is /v1.
type API struct {
	Config
	guesses *web.Limiter // of pairing codes, by address
}

// A pairing code has 50 bits and lives ten minutes; an address may try this often.
const (
	guessEvery = 6 * time.Second
	guessBurst = 20
)

// New checks the parts and gives an API to mount.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Board == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("api: Store, Board, Now and Log are required")
	}
	if !strings.HasPrefix(c.PublicURL, "http://") && !strings.HasPrefix(c.PublicURL, "https://") {
		return nil, errors.New("api: PublicURL must start with http:// or https://")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.ICEServers == nil {
		c.ICEServers = func() []gateway.ICEServer { return nil }
	}
	guesses, err := web.NewLimiter(guessEvery, guessBurst, c.Now)
	if err != nil {
		return nil, err
	}
	return &API{Config: c, guesses: guesses}, nil
}

// Mount adds every route of /v1 to r, which stands at the root of an app made by web.New.
func (a *API) Mount(r fiber.Router) {
	for _, route := range a.routes() {
		if route.Method == fiber.MethodGet {
			r.Get(route.Path, a.handler(route)) // and HEAD
			continue
		}
		r.Add(route.Method, route.Path, a.handler(route))
	}
}

// handler lets in whom the route is for, and gives the handler its deadline.
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

// serve finds out who asks and hands the request to its handler.
func (a *API) serve(ctx context.Context, c *fiber.Ctx, r Route) error {
	switch {
	case r.key != nil:
		k, err := a.caller(ctx, c, r.Needs)
		if err != nil {
			return err
		}
		return r.key(ctx, c, k)
	case r.phone != nil:
		p, err := a.caught(ctx, c)
		if err != nil {
			return err
		}
		return r.phone(ctx, c, p)
	}
	return r.open(ctx, c)
}
