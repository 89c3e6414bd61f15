package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// pairPhone: POST /v1/phone/devices, with a pairing code as its bearer token.
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
	d = a.withID(d, t.ID)
	who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorDevice, ID: string(d.ID), Name: d.Name}, IP: web.IP(c),
		RequestID: web.RequestID(c)}
	credential := tenants.NewSecret(tenants.DevicePrefix)
	stored, err := a.Store.For(t.ID).By(who).Pairings().Use(ctx, p.ID, d, credential.Hash(), a.Now())
	if err != nil {
		return err
	}
	if d.PhoneID != "" {
		a.Board.EndMerged(ctx, switchboard.Caller{Tenant: t, Who: who}, stored)
	}
	return reply(c, fiber.StatusCreated, registered(stored, credential))
}

// pairedTo returns the device with the person of the pairing. If the pairing has none, the app may
// set it.
func (q deviceRequest) pairedTo(p tenants.Pairing) (tenants.Device, error) {
	d, err := q.device()
	if err != nil || p.Person == "" {
		return d, err
	}
	if d.Person != "" && d.Person != p.Person {
		return d, invalid([]tenants.Field{{Name: "person", Message: "this pairing code is for another person; leave the field out"}},
			"Please correct the fields of the device.")
	}
	d.Person = p.Person
	return d, nil
}

// paired returns the pairing of the request's code. Codes are short, so wrong ones are counted by
// network and overall; a right one costs nothing.
func (a *API) paired(ctx context.Context, c *fiber.Ctx) (tenants.Tenant, tenants.Pairing, error) {
	text, err := bearer(c, "the pairing code")
	if err != nil {
		return tenants.Tenant{}, tenants.Pairing{}, err
	}
	rates := append(web.NetworkRates(web.IP(c), networkGuesses, widerGuesses), allGuesses)
	if err := a.guesses.Admit(a.Now(), "too_many", rates...); err != nil {
		return tenants.Tenant{}, tenants.Pairing{}, err
	}
	code, ok := tenants.ParseCode(text)
	if !ok {
		return tenants.Tenant{}, tenants.Pairing{}, tenants.Refuse(tenants.Unauthorized, "code_malformed",
			"This is not a pairing code. It has ten letters and digits: XXXXX-XXXXX.")
	}
	t, p, err := a.Store.Tenants().OfPairing(ctx, code.Hash(), a.Now())
	if tenants.KindOf(err) != tenants.Unauthorized { // right, or the store failed
		a.guesses.GiveBack(rates...)
	}
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

// renewToken: PUT /v1/phone/token. The app calls it on every launch, because iOS may change the
// token at any time.
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
	if err := p.scope.Devices().SetToken(ctx, d); err != nil {
		return err
	}
	stored, err := p.scope.Devices().Get(ctx, d.ID)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, showDevice(stored))
}

// phoneRing is a ring as the phone sees it, with what the push may not contain.
type phoneRing struct {
	ID         string      `json:"id"`
	Rings      bool        `json:"rings"` // false = stop ringing
	State      string      `json:"state"`
	Caller     *string     `json:"caller"`
	Reference  *string     `json:"reference"`
	ExpiresAt  string      `json:"expires_at"`
	ICEServers []ICEServer `json:"ice_servers"`
}

// showPhoneRing: GET /v1/phone/rings/{id}.
func (a *API) showPhoneRing(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := web.ID[tenants.RingID](c, "ring")
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
	out := switchboard.Report{Kind: tenants.FactKind(strings.ToLower(q.Kind)), Code: q.Code}
	faults := out.Faults()
	var ok bool
	if out.At, ok = moment(q.At); !ok {
		faults = append(faults, tenants.Field{Name: "at",
			Message: "the time of the fact by the phone's clock, such as 2026-11-24T08:00:00.250Z"})
	}
	if q.SentAt != "" { // without it, the server's clock says when the fact happened
		if out.SentAt, ok = moment(q.SentAt); !ok {
			faults = append(faults, tenants.Field{Name: "sent_at",
				Message: "the time of sending by the phone's clock, such as 2026-11-24T08:00:00.500Z; it may be left out"})
		}
	}
	return out, invalid(faults, "Please correct the fields of the fact.")
}

type factReply struct {
	Recorded bool `json:"recorded"`
}

// reportFact: POST /v1/phone/rings/{id}/facts. Late and repeated facts get 200 too, or phones would
// send them forever.
func (a *API) reportFact(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := web.ID[tenants.RingID](c, "ring")
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

// errOver ends a stream normally: the phone has its final event, or the reader may read no more.
var errOver = errors.New("api: the stream is over")

// followPhoneRing: GET /v1/phone/rings/{id}/events. It tells a phone to stop ringing. A push must
// not do that, because iOS requires every VoIP push to be shown as a call. The stream also ends
// when the device is removed, its credential replaced or its tenant suspended; see followRing.
func (a *API) followPhoneRing(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	if _, err := a.Board.Phone(ctx, p.Device, id); err != nil {
		return err
	}
	return a.follow(c, p.reader, id, func(s *web.Stream, facts []tenants.Fact, r *tenants.Ring) error {
		return sendPhoneEvent(s, r, p.ID, facts)
	})
}

// sendPhoneEvent sends the one event that ends this device's part in the ring, if it is among the
// facts.
func sendPhoneEvent(s *web.Stream, r *tenants.Ring, d tenants.DeviceID, facts []tenants.Fact) error {
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

// phoneEventOf returns the event name of a fact for the device of the attempt, or empty if it does
// not end its part.
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
			return "" // it did not end the attempt
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
