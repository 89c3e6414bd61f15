package console

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/switchboard"
	"carillon/views"
)

type visitorKey struct{}

// visitorOf is whom the route let in, for the error page; ok is false on open routes.
func visitorOf(c *fiber.Ctx) (*page.Visitor, bool) {
	v, ok := c.Locals(visitorKey{}).(*page.Visitor)
	return v, ok
}

// callerOf is the visitor for the switchboard. Rings of the console are trials: the test button
// places them.
func callerOf(v *page.Visitor) switchboard.Caller {
	return switchboard.Caller{Tenant: v.Tenant, Trial: true, Who: v.Who}
}

// toSignIn sends a stranger to sign in, and back afterwards if they came to read.
func toSignIn(c *fiber.Ctx) error {
	to := views.PathSignIn
	if next := page.OwnPath(c.OriginalURL()); c.Method() == get && next != "" && next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

// back is where the person came from, if that was one of our pages.
func back(c *fiber.Ctx) string { return page.Back(c, views.PathOverview) }
