package console

import (
	"carillon/app/page"

	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
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
	if next := ownPath(c.OriginalURL()); c.Method() == get && next != "" && next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

// ownPath is s if it is a path on this server, else empty: a person who follows it stays here.
// Backslashes and control characters are read differently by different browsers, so that none may
// stand in it.
func ownPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 1000 {
		return ""
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f || r > 0x7e }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, views.PathSignIn) {
		return ""
	}
	return s
}

// back is where the person came from, if that was one of our pages.
func back(c *fiber.Ctx) string {
	u, err := url.Parse(web.Header(c, fiber.HeaderReferer))
	if err != nil || u.Host != string(c.Request().Host()) {
		return views.PathOverview
	}
	if p := ownPath(u.RequestURI()); p != "" {
		return p
	}
	return views.PathOverview
}
