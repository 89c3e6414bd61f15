package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
	"carillon/views/operator"
)

// storybook shows every component with made-up data. Dev mode only.
func (k devPages) storybook(_ context.Context, c *fiber.Ctx) error {
	p := views.StorybookOf(k.Now(), views.SamplePath(""))
	for _, s := range operator.Samples(k.Now()) {
		p.Pages = append(p.Pages, views.Link{Text: s.Name, Href: views.SamplePath(s.Name)})
	}
	p.Shell.Theme = page.ThemeOf(c)
	return web.Page(c, views.Storybook(p), fiber.StatusOK)
}

// sample is one made-up page.
func (k devPages) sample(_ context.Context, c *fiber.Ctx) error {
	name := web.Param(c, "name")
	for _, s := range append(views.Samples(k.Now()), operator.Samples(k.Now())...) {
		if s.Name == name {
			return web.Page(c, s.Page, fiber.StatusOK)
		}
	}
	return tenants.NoSuch("sample")
}
