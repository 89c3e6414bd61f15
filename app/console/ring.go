package console

import (
	"carillon/app/page"

	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// ring shows one ring with everything that is known of it.
func (k ringPages) ring(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	p := ringPage(r, n, v)
	if p.Recording, err = recordingCard(ctx, v, r); err != nil {
		return err
	}
	if p.Notes, err = notesCard(ctx, c, v, r); err != nil {
		return err
	}
	if p.Consents, err = consentRows(ctx, v, r, n); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Ring to "+p.To, views.NavRings, up("Rings", views.PathRings))); err != nil {
		return err
	}
	return web.Page(c, views.Ring(p), fiber.StatusOK)
}

// oneRing finds the ring in the path, the names that it speaks of, and how its call sounded.
func (k ringPages) oneRing(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (*tenants.Ring, names, error) {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return nil, names{}, err
	}
	r, err := v.Scope.Rings().Get(ctx, id)
	if err != nil {
		return nil, names{}, err
	}
	n, err := namesOf(ctx, v.Scope, r)
	if err == nil && r.Call != nil {
		n.quality, err = v.Scope.Qualities().Get(ctx, r.ID)
	}
	return r, n, err
}

// ringPage is a ring for its page, without the shell.
func ringPage(r *tenants.Ring, n names, v *page.Visitor) views.RingPage {
	p := views.RingPage{
		ID: string(r.ID), State: views.RingState(r.State), To: n.to(r), Agent: n.agent(r.Agent), Caller: r.Caller, Reference: r.Reference,
		PlacedBy: placedBy(r), Placed: v.At(r.CreatedAt), Expires: v.At(r.ExpiresAt), Ended: v.At(r.EndedAt), Reason: reasonOf(r),
		Problem: problemOf(r), Going: !r.State.Terminal(), CanCancel: !r.State.Terminal() && v.Role.May(mayRing),
		CanTransfer: r.State == tenants.Answered && v.Role.May(mayRing),
	}
	p.Steps = stepRows(r.Steps, stepToCome)
	if r.To.Group != "" {
		p.ToHref = views.GroupPath(string(r.To.Group))
	} else if r.To.Person != "" {
		p.ToHref = views.PathDevices + "?person=" + r.To.Person
	} else if _, ok := n.devices[r.To.Device]; ok {
		p.ToHref = views.DevicePath(string(r.To.Device))
	}
	if _, ok := n.agents[r.Agent]; ok {
		p.AgentHref = views.AgentPath(string(r.Agent))
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		p.Lanes = append(p.Lanes, laneOf(r, a, n, v.Zone))
		if _, ok := n.devices[a.Device]; ok && p.Again == "" && r.State.Terminal() && v.Role.May(mayRing) {
			p.Again = views.PathTestRing + "?device=" + string(a.Device)
		}
	}
	if r.To.Group != "" && r.State.Terminal() && v.Role.May(mayRing) {
		p.Again = views.PathTestRing + "?device=" + groupTarget + string(r.To.Group)
	}
	if r.Call != nil && !r.Call.EndedAt.IsZero() {
		p.Quality = qualityOf(r.Call)
		addSound(p.Quality, n.quality)
	}
	p.Sound = soundOf(n.quality)
	return p
}

// placedBy is who asked for a ring.
func placedBy(r *tenants.Ring) string {
	switch r.By.Kind {
	case "key":
		return "API key " + r.By.Name
	case "user":
		return r.By.Name + " from the console"
	}
	return r.By.Name
}

// The bounds of a call's verdict: what ears begin to notice (ITU-T G.114 for delay, G.113 for loss
// of Opus with concealment).
const (
	clearLoss, choppyLoss = 0.01, 0.05
	clearJitter           = 30 * time.Millisecond
	clearTrip             = 300 * time.Millisecond
)

// qualityOf is how a call sounded.
func qualityOf(c *tenants.Call) *views.Quality {
	q := &views.Quality{Duration: talked(c), Ended: endedBy(c.EndedBy), Setup: "–", Jitter: "–", Loss: "–", Trip: "–", Verdict: "Clear",
		Tone: views.ToneGood}
	if c.ConnectedAt.IsZero() {
		q.Verdict, q.Tone = "No audio", views.ToneBad
		return q
	}
	q.Setup = views.Millis(int(c.ConnectedAt.Sub(c.AnsweredAt).Milliseconds()))
	q.Jitter = views.Millis(int(c.Jitter.Milliseconds()))
	q.Loss = strconv.FormatFloat(c.Loss*100, 'f', 1, 64) + " %"
	if c.RoundTrip > 0 {
		q.Trip = views.Millis(int(c.RoundTrip.Milliseconds()))
	}
	switch {
	case c.Loss >= choppyLoss:
		q.Verdict, q.Tone = "Poor", views.ToneBad
	case c.Loss >= clearLoss || c.Jitter >= clearJitter || c.RoundTrip >= clearTrip:
		q.Verdict, q.Tone = "Sometimes choppy", views.ToneWarn
	}
	return q
}

// errOver ends a stream whose reader may not read any more.
var errOver = errors.New("console: the sign-in is over")

// ringPart draws the part of a ring's page that changes.
func (k ringPages) ringPart(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	if web.Query(c, "view") == "test" {
		return web.Page(c, views.TestHops(k.testLivePage(r, n, v)), fiber.StatusOK)
	}
	return web.Page(c, views.RingFacts(ringPage(r, n, v)), fiber.StatusOK)
}

// reader is a signed-in person as the reader of an event stream.
func (k ringPages) reader(v *page.Visitor) web.Reader {
	return web.Reader{Holder: v.Holder(), MayRead: func(ctx context.Context) error { return k.still(ctx, v) }}
}

// still refuses a reader who signed out, changed to another tenant, was removed, or whose tenant
// was suspended since the stream began. Streams ask at every heartbeat, and before each event.
func (k ringPages) still(ctx context.Context, v *page.Visitor) error {
	in, _, err := k.Store.SignIns().Get(ctx, v.In.Hash, k.Now())
	if err != nil {
		return err
	}
	if in.Tenant != v.Tenant.ID {
		return errOver
	}
	t, err := v.Scope.Tenant(ctx)
	if err == nil && t.State != tenants.TenantActive {
		err = tenants.ErrSuspended
	}
	if err == nil {
		_, err = v.Scope.Members().Get(ctx, v.User.ID)
	}
	return err
}

// askCancel asks before a ring is ended.
func (k ringPages) askCancel(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	p := ringPage(r, n, v)
	s, err := k.shell(ctx, c, v, at("Stop ringing", views.NavRings, up("Rings", views.PathRings), up(p.To, views.RingPath(p.ID))))
	if err != nil {
		return err
	}
	return web.Page(c, views.ConfirmPage(s, views.RingCancel(p)), fiber.StatusOK)
}

// cancel ends a ring or hangs its call up. One that has ended stays as it ended.
func (k ringPages) cancel(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	r, err := k.Board.Cancel(ctx, callerOf(v), id)
	if err != nil {
		return err
	}
	if r.Test && strings.HasSuffix(back(c), "/test") {
		return k.Done(c, page.FlashCancelled, views.RingTestPath(string(r.ID)))
	}
	return k.Done(c, page.FlashCancelled, views.RingPath(string(r.ID)))
}
