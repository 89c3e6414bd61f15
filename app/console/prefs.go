package console

import (
	"carillon/app/page"

	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/views"
)

// doneCookie names the tenant whose checklist is hidden.
const doneCookie = "checklist"

const year = 365 * 24 * time.Hour

// theme keeps the colour scheme in a cookie, so that a page is drawn in it at once.
func (k signInPages) theme(_ context.Context, c *fiber.Ctx) error {
	t := views.Theme(page.FormOf(c).Text("theme"))
	if t != views.ThemeLight && t != views.ThemeDark {
		t = views.ThemeAuto
	}
	k.SetCookie(c, page.ThemeCookie, string(t), year, true)
	return c.Redirect(back(c), fiber.StatusSeeOther)
}

// hideChecklist hides the list of first steps of this tenant, in this browser.
func (k signInPages) hideChecklist(_ context.Context, c *fiber.Ctx, v *page.Visitor) error {
	k.SetCookie(c, doneCookie, string(v.Tenant.ID), year, false)
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}
