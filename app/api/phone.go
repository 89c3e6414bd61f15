package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// pairPhone: POST /v1/phone/devices, with a pairing code as its bearer.
func (a *API) pairPhone(ctx context.Context, c *fiber.Ctx) error {
	t, p, err := a.paired(ctx, c)
	if err != nil {
		return err
	}
	var body deviceRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	d, err := body.pairedTo(p)
	if err != nil {
		return err
	}
	d = a.fresh(d, t.ID)
	who := store.Who{Actor: tenants.Actor{Kind: "device", ID: string(d.ID), Name: d.Name}, IP: web.IP(c), RequestID: web.RequestID(c)}
	credential := tenants.NewSecret(tenants.DevicePrefix)
	stored, err := a.Store.For(t.ID).By(who).TakePairing(ctx, p.ID, d, credential.Hash(), a.Now())
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusCreated, registered(stored, credential))
}

// pairedTo is the device of whom the code was made for; a code made for nobody lets the app say who it is.
func (q deviceRequest) pairedTo(p tenants.Pairing) (tenants.Device, error) {
	d, err := q.device()
	if err != nil || p.Person == "" {
		return d, err
	}
	if d.Person != "" && d.Person != p.Person {
		return d, invalid([]tenants.Field{{Name: "person", Message: "this pairing code is for another person; leave the field out"}}, "The device has wrong fields.")
	}
	d.Person = p.Person
	return d, nil
}

// paired finds the pairing whose code came with the request. Codes are short, so that guessing is slowed down.
func (a *API) paired(ctx context.Context, c *fiber.Ctx) (tenants.Tenant, tenants.Pairing, error) {
	text, err := bearer(c, "the pairing code")
	if err != nil {
		return tenants.Tenant{}, tenants.Pairing{}, err
	}
	if wait, ok := a.guesses.Take(web.IP(c)); !ok {
		return tenants.Tenant{}, tenants.Pairing{}, &tenants.Error{Kind: tenants.TooMany, Code: "too_many", RetryAfter: wait,
			Msg: "Too many pairing codes were tried from this address. Wait a moment and try again."}
	}
	code, ok := tenants.ParseCode(text)
	if !ok {
		return tenants.Tenant{}, tenants.Pairing{}, tenants.Refuse(tenants.Unauthorized, "code_malformed", "This is not a pairing code. It has ten letters and digits: XXXXX-XXXXX.")
	}
	t, p, err := a.Store.TenantOfPairing(ctx, code.Hash(), a.Now())
	if err != nil {
		return tenants.Tenant{}, tenants.Pairing{}, err
	}
	return t, p, active(t)
}

type tokenRequest struct {
	Token       string  `json:"token"`
	Environment string  `json:"environment"`
	AppVersion  *string `json:"app_version"`
	OSVersion   *string `json:"os_version"`
}

// renewToken: PUT /v1/phone/token. The app calls it on every launch: tokens change when iOS likes.
func (a *API) renewToken(ctx context.Context, c *fiber.Ctx, p phone) error {
	var body tokenRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	d := p.Device
	d.Token, d.Environment = body.Token, tenants.Environment(body.Environment)
	set(&d.AppVersion, body.AppVersion)
	set(&d.OSVersion, body.OSVersion)
	d = d.Clean()
	if err := d.Check(); err != nil {
		return err
	}
	if err := p.scope.SetToken(ctx, d); err != nil {
		return err
	}
	stored, err := p.scope.Device(ctx, d.ID)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, showDevice(stored))
}

// phoneRing is a ring as a phone that it rings sees it: what the push may not have carried.
type phoneRing struct {
	ID         string      `json:"id"`
	Rings      bool        `json:"rings"` // whether this device still rings: no = stop ringing
	State      string      `json:"state"`
	Caller     *string     `json:"caller"`
	Reference  *string     `json:"reference"`
	ExpiresAt  string      `json:"expires_at"`
	ICEServers []ICEServer `json:"ice_servers"`
}

// showPhoneRing: GET /v1/phone/rings/{id}.
func (a *API) showPhoneRing(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	r, err := a.Board.Phone(ctx, p.Device, id)
	if err != nil {
		return err
	}
	mine, ok := r.AttemptOf(p.ID)
	if !ok {
		return tenants.NoSuch("ring")
	}
	return reply(c, fiber.StatusOK, phoneRing{
		ID: string(r.ID), Rings: r.Live(a.Now()) && !mine.State.Terminal(), State: string(r.State), Caller: opt(r.Caller),
		Reference: opt(r.Reference), ExpiresAt: stamp(r.ExpiresAt), ICEServers: a.iceServers(),
	})
}

type factRequest struct {
	Kind   string `json:"kind"`
	At     string `json:"at"`
	SentAt string `json:"sent_at"`
	Code   *int   `json:"code"`
}

func (q factRequest) report() (switchboard.Report, error) {
	out := switchboard.Report{Kind: tenants.FactKind(q.Kind), Code: q.Code}
	faults := out.Faults()
	var ok bool
	if out.At, ok = moment(q.At); !ok {
		faults = append(faults, tenants.Field{Name: "at", Message: "when it happened by the phone's clock, such as 2026-11-24T08:00:00.250Z"})
	}
	if out.SentAt, ok = moment(q.SentAt); !ok {
		faults = append(faults, tenants.Field{Name: "sent_at", Message: "when it was sent by the phone's clock, such as 2026-11-24T08:00:00.500Z"})
	}
	return out, invalid(faults, "The fact has wrong fields.")
}

type factReply struct {
	Recorded bool `json:"recorded"`
}

// reportFact: POST /v1/phone/rings/{id}/facts. Late and repeated facts are answered 200 too, or phones would send them for ever.
func (a *API) reportFact(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	var body factRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	rep, err := body.report()
	if err != nil {
		return err
	}
	recorded, err := a.Board.Report(ctx, p.Device, id, rep)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, factReply{Recorded: recorded})
}

// phoneEvent is the data of an event of GET /v1/phone/rings/{id}/events.
type phoneEvent struct {
	State  string  `json:"state"`
	Reason *string `json:"reason"`
	At     string  `json:"at"`
}

// errOver ends a stream in good order: the phone was told all that it can use, or the reader may read no more.
var errOver = errors.New("api: the stream is over")

// followPhoneRing: GET /v1/phone/rings/{id}/events. This is how a phone learns to stop ringing; a push must not say so, because iOS
// demands that every VoIP push be shown as a call. The stream of a device that was removed, of a credential that was replaced and of a
// tenant that was suspended ends as a program's does; see followRing.
func (a *API) followPhoneRing(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	after, err := lastEvent(web.Header(c, "Last-Event-ID"))
	if err != nil {
		return err
	}
	if _, err := a.Board.Phone(ctx, p.Device, id); err != nil {
		return err
	}
	return web.SSE(c, p.still, func(ctx context.Context, s *web.Stream) error {
		return a.ended(ctx, a.Board.Watch(ctx, p.Tenant, id, after, func(facts []tenants.Fact, r *tenants.Ring) error {
			if err := allowed(ctx, p.still); err != nil {
				return err
			}
			return tellPhone(s, r, p.ID, facts)
		}))
	})
}

// tellPhone sends the one event that ends this device's part in the ring, if it is among the facts.
func tellPhone(s *web.Stream, r *tenants.Ring, d tenants.DeviceID, facts []tenants.Fact) error {
	mine, ok := r.AttemptOf(d)
	if !ok {
		return errOver
	}
	for _, f := range facts {
		name := phoneEventOf(mine, f)
		if name == "" {
			continue
		}
		data, err := json.Marshal(phoneEvent{State: string(r.State), Reason: opt(string(r.EndReason)), At: stamp(f.At)})
		if err != nil {
			return err
		}
		if err := s.Send(strconv.FormatInt(f.Seq, 10), name, string(data)); err != nil {
			return err
		}
		return errOver
	}
	return nil
}

// phoneEventOf names what a fact means to the device of the attempt: empty when it does not end its part.
func phoneEventOf(mine *tenants.Attempt, f tenants.Fact) string {
	if f.Attempt != mine.ID || !mine.State.Terminal() {
		return ""
	}
	state := tenants.Placed
	for _, g := range mine.Facts {
		was := state
		if state = tenants.Next(state, g.Kind); g.Kind != f.Kind {
			continue
		}
		if was.Terminal() || !state.Terminal() {
			return "" // it changed nothing, or nothing that matters here
		}
		switch state {
		case tenants.Cancelled:
			return "cancelled"
		case tenants.Elsewhere:
			return "answered_elsewhere"
		}
		return "ended"
	}
	return ""
}
