package page

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/static"
	"carillon/tenants"
)

// Asset serves a file of package static. Its address holds a hash of its content, so that browsers
// may keep it for ever.
func Asset(_ context.Context, c *fiber.Ctx) error {
	a, ok := static.Open(web.Param(c, "*"), web.Header(c, fiber.HeaderAcceptEncoding))
	if !ok {
		return tenants.NoSuch("file")
	}
	h := &c.Response().Header
	h.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	h.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	h.Set(fiber.HeaderETag, a.ETag)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if strings.Contains(web.Header(c, fiber.HeaderIfNoneMatch), a.ETag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	if a.Encoding != "" {
		h.Set(fiber.HeaderContentEncoding, a.Encoding)
	}
	h.SetContentType(a.Type)
	c.Response().SetBodyRaw(a.Content)
	return nil
}
