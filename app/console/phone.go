package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// devPages serve the browser phone and the storybook of dev mode.
type devPages struct{ *Console }

// anyPhone leads to the virtual phone of the tenant that the visitor looks at, or to the first one.
func (k devPages) anyPhone(ctx context.Context, c *fiber.Ctx) error {
	all := k.Dev.Phones()
	if len(all) == 0 {
		return tenants.NoSuch("phone")
	}
	slug := all[0].Slug
	if v, err := k.Visitor(ctx, c); err == nil {
		for _, p := range all {
			if p.Slug == v.Tenant.Slug {
				slug = p.Slug
			}
		}
	}
	return c.Redirect(views.PhonePath(slug), fiber.StatusSeeOther)
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
		Events: views.PhoneEventsPath(p.Slug), Console: views.PathOverview,
	}), fiber.StatusOK)
}

// phoneEvents wakes the page: each push that Apple's simulator delivers to its token is an event
// "push" with the payload.
func (k devPages) phoneEvents(_ context.Context, c *fiber.Ctx) error {
	p, err := k.phoneOf(c)
	if err != nil {
		return err
	}
	return web.SSE(c, web.Reader{}, func(ctx context.Context, s *web.Stream) error {
		payloads, stop := k.Dev.Listen(p.Token)
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case b, ok := <-payloads:
				if !ok {
					return nil
				}
				if err := s.Send("", "push", string(b)); err != nil {
					return err
				}
			}
		}
	})
}
