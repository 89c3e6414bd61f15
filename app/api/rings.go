package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// ringRequest is the body of POST /v1/rings. Pointers tell omitted fields from empty ones.
type ringRequest struct {
	To struct {
		Device *string `json:"device"`
		Person *string `json:"person"`
		Group  *string `json:"group"`
	} `json:"to"`
	Agent     *string `json:"agent"`
	Caller    string  `json:"caller"`
	TTL       *int64  `json:"ttl_s"`
	Reference *string `json:"reference"`
}

// request converts the body for the switchboard. It checks only the form; tenants.Request.Check has
// the rules.
func (q ringRequest) request() (tenants.Request, error) {
	out := tenants.Request{Caller: tenants.TrimLabel(q.Caller)}
	var faults []tenants.Field
	fault := func(name, message string) { faults = append(faults, tenants.Field{Name: name, Message: message}) }
	if q.To.Device != nil {
		id, ok := tenants.ParseID[tenants.DeviceID](*q.To.Device)
		if out.To.Device = id; !ok {
			fault("to.device", "a device id: a UUID")
		}
	}
	if q.To.Person != nil {
		if out.To.Person = *q.To.Person; out.To.Person == "" {
			fault("to.person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
		}
	}
	if q.To.Group != nil {
		id, ok := tenants.ParseID[tenants.GroupID](*q.To.Group)
		if out.To.Group = id; !ok {
			fault("to.group", "a group id: a UUID")
		}
	}
	if q.Agent != nil {
		id, ok := tenants.ParseID[tenants.AgentID](*q.Agent)
		if out.Agent = id; !ok {
			fault("agent", "an agent id: a UUID")
		}
	}
	if q.Reference != nil {
		if out.Reference = *q.Reference; out.Reference == "" {
			fault("reference", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
		}
	}
	if q.TTL != nil {
		// checked before the multiplication, which could overflow
		if out.TTL = -1; *q.TTL > 0 && *q.TTL <= 3600 {
			out.TTL = time.Duration(*q.TTL) * time.Second
		}
	}
	if len(faults) == 0 {
		return out, out.Check()
	}
	return out, invalid(faults, "Please correct the fields of the ring.")
}

// idempotency reads the Idempotency-Key and binds it to the parsed request, so that spaces and the
// order of fields make no difference.
func idempotency(c *fiber.Ctx, q tenants.Request) (store.Idempotency, error) {
	key, given, err := web.OneHeader(c, "Idempotency-Key")
	if err != nil || !given {
		return store.Idempotency{}, err
	}
	if err := checkIdempotencyKey(key); err != nil {
		return store.Idempotency{}, err
	}
	return store.Idempotency{Key: key, Body: fingerprint(q)}, nil
}

func checkIdempotencyKey(key string) error {
	ok := len(key) >= 1 && len(key) <= 255
	for _, b := range []byte(key) {
		ok = ok && b >= ' ' && b <= '~'
	}
	if !ok {
		return tenants.Refuse(tenants.Invalid, "idempotency_key", "Idempotency-Key must have 1 to 255 printable ASCII characters.")
	}
	return nil
}

// fingerprint is equal only for equal requests: every part is quoted.
func fingerprint(q tenants.Request) [32]byte {
	b := make([]byte, 0, 256)
	for _, s := range []string{string(q.To.Device), q.To.Person, string(q.Agent), q.Caller, q.Reference} {
		b = append(strconv.AppendQuote(b, s), ',')
	}
	b = strconv.AppendInt(b, int64(q.TTL), 10)
	if q.To.Group != "" { // a request without a group has the fingerprint of the versions before groups
		b = strconv.AppendQuote(b, string(q.To.Group))
	}
	return sha256.Sum256(b)
}

// placeRing: POST /v1/rings.
func (a *API) placeRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body ringRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	q, err := body.request()
	if err != nil {
		return err
	}
	i, err := idempotency(c, q)
	if err != nil {
		return err
	}
	r, repeated, err := a.Board.Place(ctx, k.Caller, q, i)
	if err != nil {
		return err
	}
	status := fiber.StatusCreated
	if repeated {
		status = fiber.StatusOK
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/rings/"+string(r.ID))
	return replyRing(c, status, r)
}

func replyRing(c *fiber.Ctx, status int, r *tenants.Ring) error {
	return replyRaw(c, status, appendRing(make([]byte, 0, 1024), r, nil))
}

// showRing: GET /v1/rings/{id}.
func (a *API) showRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	r, err := k.scope.Rings().Get(ctx, id)
	if err != nil {
		return err
	}
	var q *tenants.CallQuality
	if r.Call != nil {
		if q, err = k.scope.Qualities().Get(ctx, id); err != nil {
			return err
		}
	}
	return replyRaw(c, fiber.StatusOK, appendRing(make([]byte, 0, 1024), r, q))
}

// ringQuery reads the filters of a list of rings.
func ringQuery(c *fiber.Ctx) (store.RingQuery, error) {
	f := filter{c: c}
	states := make([]string, len(tenants.RingStates))
	for i, s := range tenants.RingStates {
		states[i] = string(s)
	}
	q := store.RingQuery{
		State: tenants.State(f.oneOf("state", states...)), Device: queryID[tenants.DeviceID](&f, "device"), Person: f.text("person"),
		Agent: queryID[tenants.AgentID](&f, "agent"), Search: f.text("q"), From: f.time("from"), To: f.time("to"),
		After: f.cursor(), Limit: f.limit(),
	}
	return q, f.err()
}

// listRings: GET /v1/rings.
func (a *API) listRings(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := ringQuery(c)
	if err != nil {
		return err
	}
	rings, next, err := k.scope.Rings().List(ctx, q)
	if err != nil {
		return err
	}
	b := append(make([]byte, 0, 1024*(1+len(rings))), `{"data":[`...)
	for i, r := range rings {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRing(b, r, nil)
	}
	b = appendOpt(append(b, `],"next":`...), next)
	return replyRaw(c, fiber.StatusOK, append(b, '}'))
}

// cancelRing: POST /v1/rings/{id}/cancel. The answer is the ring afterwards. A ring that had ended
// does not change.
func (a *API) cancelRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	r, err := a.Board.Cancel(ctx, k.Caller, id)
	if err != nil {
		return err
	}
	return replyRing(c, fiber.StatusAccepted, r)
}

// ringEvent is the data of one event of GET /v1/rings/{id}/events.
type ringEvent struct {
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
			if err := sendFact(s, r, f, states[f.Seq]); err != nil {
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

func sendFact(s *web.Stream, r *tenants.Ring, f tenants.Fact, state tenants.State) error {
	e := ringEvent{Attempt: string(f.Attempt), Kind: string(f.Kind), At: stamp(f.At), Detail: opt(f.Detail), State: string(state)}
	if f.ByArrival() {
		e.Clock = "server"
	}
	for i := range r.Attempts {
		if r.Attempts[i].ID == f.Attempt {
			e.Device = string(r.Attempts[i].Device)
		}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.Send(strconv.FormatInt(f.Seq, 10), string(f.Kind), string(data))
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
