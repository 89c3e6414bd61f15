package console

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// Digest writes the weekly mail. *health.Digest does.
type Digest interface {
	Preview(ctx context.Context, t tenants.Tenant, to string) (notify.Mail, error)
}

// digestPages serve the weekly mail: its preview, and who wants it.
type digestPages struct{ *Console }

func (k digestPages) preview(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	m, err := k.Digest.Preview(ctx, v.Tenant, v.User.Email)
	if err != nil {
		return err
	}
	m = m.In(web.Spoken(c)) // as it comes to this person
	p := views.DigestPage{Lead: digestLead, Subject: m.Subject, Text: m.Text}
	if p.Shell, err = k.shell(ctx, c, v, at("Weekly email", views.NavAlerts, up("Alerts", views.PathAlerts))); err != nil {
		return err
	}
	return web.Page(c, views.DigestPreview(p), fiber.StatusOK)
}

// set turns the weekly mail of the tenant off or on for the person.
func (k digestPages) set(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := v.Scope.Digests().SetOff(ctx, v.User.ID, page.FormOf(c).Raw("digest") == "off"); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathAccount)
}

// off asks whether to turn the mail off (GET) and does so (POST). Mail programs post by themselves
// (RFC 8058), so it asks for no sign-in; a GET changes nothing, because programs follow links.
func (k digestPages) off(ctx context.Context, c *fiber.Ctx) error {
	token := web.Param(c, "token")
	p := views.DigestOffPage{Theme: page.ThemeOf(c), Action: views.DigestOffPath(token)}
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.DigestPrefix) {
		token = ""
	}
	t, user, err := k.Store.Tenants().OfDigest(ctx, tenants.Secret(token).Hash())
	if tenants.KindOf(err) == tenants.Gone {
		p.Gone, p.Action = true, ""
		return web.Page(c, views.DigestOff(p), fiber.StatusGone)
	}
	if err != nil {
		return err
	}
	if p.Tenant = t.Name; c.Method() == fiber.MethodPost {
		who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(user)}, IP: web.IP(c), RequestID: web.RequestID(c)}
		if err := k.Store.For(t.ID).By(who).Digests().SetOff(ctx, user, true); err != nil {
			return err
		}
		p.Done = true
	}
	return web.Page(c, views.DigestOff(p), fiber.StatusOK)
}
