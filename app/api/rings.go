package api

import (
	"context"
	"crypto/sha256"
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
