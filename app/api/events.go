package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// feedBounds are the bounds of GET /v1/events. The streams of one tenant share a reader, which
// passes over the facts of every tenant. No two tenants can take them all.
var feedBounds = web.SlotBounds{
	Code: "too_many_streams", What: "streams of all rings open", Cure: "Share one between your programs, or close some of them.",
	After: 10 * time.Second, Each: map[string]int{web.KindKey: 4}, Tenant: 16, Network: 16, All: 256, First: 12,
}

// followEvents: GET /v1/events. It begins with the next fact, or behind Last-Event-ID. The stream
// ends as that of followRing, but not with a ring.
func (a *API) followEvents(ctx context.Context, c *fiber.Ctx, k caller) error {
	f := filter{c: c}
	only := feedFilter{person: f.text("person"), device: queryID[tenants.DeviceID](&f, "device"),
		agent: queryID[tenants.AgentID](&f, "agent")}
	if err := f.err(); err != nil {
		return err
	}
	from, err := feedFrom(ctx, k.scope.Feed(), web.Header(c, "Last-Event-ID"))
	if err != nil {
		return err
	}
	reader, tenant, leave := k.reader, k.Tenant.ID, func() {}
	if c.Method() != fiber.MethodHead {
		h := reader.Holder
		h.Network = web.Network(web.IP(c))
		if leave, err = a.feeds.Take(h); err != nil {
			return err
		}
	}
	reader.Over = leave
	err = web.SSE(c, reader, func(ctx context.Context, s *web.Stream) error {
		told := feedTold{now: a.Now}
		return a.ended(ctx, a.Feed.Watch(ctx, tenant, from, func(news switchboard.News) error {
			if err := allowed(ctx, reader.MayRead); err != nil {
				return err
			}
			if err := tellFacts(news, only, s); err != nil {
				return err
			}
			return told.place(s, news.To)
		}))
	})
	if err != nil {
		leave()
	}
	return err
}

// feedTellPlace is how often a stream tells how far it has read, if that moved. A client that gets
// no event would come back with an id that is too old.
const feedTellPlace = time.Minute

// feedTold is when a stream last told how far it has read.
type feedTold struct {
	now func() time.Time
	at  time.Time
}

// place tells the first place at once, and later ones rarely.
func (f *feedTold) place(s interface{ Place(id string) error }, to store.FeedPlace) error {
	now := f.now()
	if now.Sub(f.at) < feedTellPlace {
		return nil
	}
	f.at = now
	return s.Place(to.String())
}

func feedFrom(ctx context.Context, f store.Feed, last string) (store.FeedPlace, error) {
	if last == "" {
		return f.Newest(ctx)
	}
	return f.Resume(ctx, last)
}

// feedFilter is what a stream of all rings leaves out; empty = nothing.
type feedFilter struct {
	person string
	device tenants.DeviceID
	agent  tenants.AgentID
}

func (o feedFilter) wants(r *tenants.Ring) bool {
	if o.person != "" && r.To.Person != o.person || o.agent != "" && r.Agent != o.agent {
		return false
	}
	for i := range r.Attempts {
		if r.Attempts[i].Device == o.device {
			return true
		}
	}
	return o.device == ""
}

// tellFacts sends the facts of rings that are wanted. A ring that was removed meanwhile has none.
// Each comes with the state of its ring after all that is recorded: with several servers a fact may
// come behind a later one of the same ring, and a ring that has ended must not look alive.
func tellFacts(news switchboard.News, only feedFilter, s *web.Stream) error {
	wanted := map[tenants.RingID]*tenants.Ring{}
	for _, r := range news.Rings {
		if only.wants(r) {
			wanted[r.ID] = r
		}
	}
	for _, f := range news.Facts {
		r := wanted[f.Ring]
		if r == nil {
			continue
		}
		e := eventOf(r, f.Fact, r.State)
		e.Ring = string(f.Ring)
		if err := e.send(s, f.Place.String()); err != nil {
			return err
		}
	}
	return nil
}

// ringEvent is the data of one event of GET /v1/rings/{id}/events and of GET /v1/events.
type ringEvent struct {
	Ring    string  `json:"ring,omitempty"` // only where events of several rings come
	Attempt string  `json:"attempt"`
	Device  string  `json:"device"`
	Kind    string  `json:"kind"`
	At      string  `json:"at"`
	Detail  *string `json:"detail"`
	Clock   string  `json:"clock,omitempty"` // as in the ring's JSON
	State   string  `json:"state"`
}

// followRing: GET /v1/rings/{id}/events. The stream ends without a further event when its key is
// revoked or its tenant suspended: at once if this process did it, and within eleven seconds if
// another one did (a heartbeat, plus the second for which the store caches a key).
func (a *API) followRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	if _, err := k.scope.Rings().Get(ctx, id); err != nil {
		return err // before the status is sent
	}
	return a.follow(c, k.reader, id, func(s *web.Stream, facts []tenants.Fact, r *tenants.Ring) error {
		states := statesAfter(r)
		for _, f := range facts {
			if err := eventOf(r, f, states[f.Seq]).send(s, strconv.FormatInt(f.Seq, 10)); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow streams a ring's facts after Last-Event-ID to send, as long as the reader may read.
func (a *API) follow(
	c *fiber.Ctx, who web.Reader, id tenants.RingID, send func(*web.Stream, []tenants.Fact, *tenants.Ring) error,
) error {
	after, err := lastEvent(web.Header(c, "Last-Event-ID"))
	if err != nil {
		return err
	}
	return web.SSE(c, who, func(ctx context.Context, s *web.Stream) error {
		watch := func(facts []tenants.Fact, r *tenants.Ring) error {
			if err := allowed(ctx, who.MayRead); err != nil {
				return err
			}
			return send(s, facts, r)
		}
		return a.ended(ctx, a.Board.Watch(ctx, tenants.TenantID(who.Tenant), id, after, watch))
	})
}

// eventOf is a fact of a ring with the state after it.
func eventOf(r *tenants.Ring, f tenants.Fact, state tenants.State) ringEvent {
	e := ringEvent{Attempt: string(f.Attempt), Kind: string(f.Kind), At: stamp(f.At), Detail: opt(f.Detail), State: string(state)}
	if f.ByArrival() {
		e.Clock = "server"
	}
	for i := range r.Attempts {
		if r.Attempts[i].ID == f.Attempt {
			e.Device = string(r.Attempts[i].Device)
		}
	}
	return e
}

func (e ringEvent) send(s *web.Stream, id string) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.Send(id, e.Kind, string(data))
}

// lastEvent reads a Last-Event-ID: the sequence number of the last fact the client has seen. Empty
// = none.
func lastEvent(id string) (int64, error) {
	if id == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 {
		return 0, tenants.Refuse(tenants.Invalid, "last_event_id", "Last-Event-ID must be the id of an event that this stream sent.")
	}
	return n, nil
}

// allowed checks whether the reader of a stream may still read. If not, the stream ends without a
// reason.
func allowed(ctx context.Context, mayRead func(context.Context) error) error {
	err := mayRead(ctx)
	switch tenants.KindOf(err) {
	case tenants.Unauthorized, tenants.Forbidden, tenants.Unknown:
		return errOver
	}
	return err
}

// ended returns why a stream ended, and logs it if it is our fault; the status has been sent long
// ago. A client that left, a shutdown and a finished ring are not faults.
func (a *API) ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && !errors.Is(err, errOver) && !errors.Is(err, context.Canceled) { // the server stops
		a.Log.Error("event stream failed", "err", err)
	}
	return err
}
