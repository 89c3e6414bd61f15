package page

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/views"
)

// OwnPath is s if it is a path on this server, else empty: a person who follows it stays here.
// Backslashes and control characters are read differently by different browsers, so that none may
// stand in it.
func OwnPath(s string) string {
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

// Back is where the person came from, if that was one of our pages; else otherwise.
func Back(c *fiber.Ctx, otherwise string) string {
	u, err := url.Parse(web.Header(c, fiber.HeaderReferer))
	if err != nil || u.Host != string(c.Request().Host()) {
		return otherwise
	}
	if p := OwnPath(u.RequestURI()); p != "" {
		return p
	}
	return otherwise
}
