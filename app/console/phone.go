package console

import (
	"carillon/app/page"

	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// devPages serve the browser phone and the storybook of dev mode.
type devPages struct{ *Console }

// anyPhone leads to the virtual phone of the tenant that the visitor looks at. A stranger gets the
// first one.
func (k devPages) anyPhone(ctx context.Context, c *fiber.Ctx) error {
	all := k.Dev.Phones()
	if v, err := k.Visitor(ctx, c); err == nil {
		all = slices.DeleteFunc(all, func(p DevPhone) bool { return p.Slug != v.Tenant.Slug })
	}
	if len(all) == 0 {
		return tenants.Refuse(tenants.Unknown, "no_virtual_phone",
			noVirtualPhone)
	}
	return c.Redirect(views.PhonePath(all[0].Slug), fiber.StatusSeeOther)
}

// phonePath is the page that plays a device; empty if none does.
func (k *Console) phonePath(d tenants.DeviceID) string {
	if k.Dev == nil {
		return ""
	}
	for _, p := range k.Dev.Phones() {
		if p.Device == d {
			return views.PhonePath(p.Slug)
		}
	}
	return ""
}

// phoneOf finds a virtual phone by its tenant's slug.
func (k devPages) phoneOf(c *fiber.Ctx) (DevPhone, error) {
	slug := web.Param(c, "slug")
	for _, p := range k.Dev.Phones() {
		if p.Slug == slug {
			return p, nil
		}
	}
	return DevPhone{}, tenants.NoSuch("phone")
}

// phone plays an iPhone. It needs no sign-in: it is a phone, and lives in dev mode alone.
func (k devPages) phone(_ context.Context, c *fiber.Ctx) error {
	p, err := k.phoneOf(c)
	if err != nil {
		return err
	}
	return web.Page(c, views.PhoneOf(views.PhonePage{
		Theme: page.ThemeOf(c), Name: p.Name, Tenant: p.App, Credential: p.Credential, Token: p.Token,
		Slug: p.Slug, Pushes: views.PathPhonePushes, Console: views.PathOverview,
	}), fiber.StatusOK)
}

// phonePushes wakes the pages that play phones. All phones have one stream, because a browser
// shares it between its tabs: each push that Apple's simulator delivers is an event "push".
func (k devPages) phonePushes(_ context.Context, c *fiber.Ctx) error {
	return web.SSE(c, web.Reader{}, func(ctx context.Context, s *web.Stream) error {
		pushes, stop := k.Dev.Listen()
		defer stop()
		if err := s.Send("", "ready", ""); err != nil {
			return err
		}
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case p := <-pushes:
				if err := s.Send("", "push", p.Slug+" "+string(p.Payload)); err != nil {
					return err
				}
			}
		}
	})
}
