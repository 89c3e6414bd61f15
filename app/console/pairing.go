package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

func (k devicePages) pairForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.pairPage(ctx, c, v, views.PairPage{Person: personField("", page.Wrong{})}, fiber.StatusOK)
}

func (k devicePages) pairPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p views.PairPage, status int) error {
	s, err := k.shell(ctx, c, v, at("Pair a device", views.NavDevices, up("Devices", views.PathDevices)))
	if err != nil {
		return err
	}
	p.Shell = s
	return web.Page(c, views.Pair(p), status)
}

// pair makes a code and shows it, once. The QR code holds where to go and the code, for the app to
// read.
func (k devicePages) pair(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	person := page.FormOf(c).Text("person")
	if person != "" && !tenants.ValidReference(person) {
		w := page.Wrong{Fields: map[string]string{"person": personRule}}
		return k.pairPage(ctx, c, v, views.PairPage{Person: personField(person, w)}, fiber.StatusBadRequest)
	}
	now, code := k.Now(), tenants.NewCode()
	p := tenants.Pairing{ID: tenants.NewID[tenants.PairingID](now), Tenant: v.Tenant.ID, Person: person, By: v.Who.Actor, CreatedAt: now,
		ExpiresAt: now.Add(tenants.PairingTTL)}
	if err := v.Scope.Pairings().Add(ctx, p, code.Hash()); err != nil {
		return err
	}
	dots, err := web.QRDots(k.PublicURL+views.PathPairHere+"#"+string(code), false) // behind #: no browser sends it, no log keeps it
	if err != nil {
		return err
	}
	return k.pairPage(ctx, c, v, views.PairPage{
		Code: string(code), QR: dots, Expires: v.At(p.ExpiresAt), For: person, Wait: views.PairWaitPath(string(p.ID)),
	}, fiber.StatusOK)
}

// pairHere is for a person who scans a code with the camera instead of the app.
func (k devicePages) pairHere(_ context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.PairHere(page.ThemeOf(c)), fiber.StatusOK)
}

// statusStop tells htmx to stop asking (htmx.org/docs/#polling).
const statusStop = 286

// pairWait is asked every two seconds by the page that shows a code.
func (k devicePages) pairWait(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.PairingID](c, "pairing")
	if err != nil {
		return err
	}
	p, err := v.Scope.Pairings().Get(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case p.Device != "":
		k.SetCookie(c, page.FlashCookie, string(page.FlashPaired), page.TouchEvery, false)
		c.Set("HX-Redirect", views.DevicePath(string(p.Device)))
		return c.SendStatus(fiber.StatusOK)
	case !k.Now().Before(p.ExpiresAt):
		c.Set("HX-Redirect", views.PathPair)
		return c.SendStatus(statusStop)
	}
	return c.SendStatus(fiber.StatusNoContent)
}
