package site

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/static"
	"carillon/tenants"
	"carillon/views"
)

// downloadRoutes are the libraries that developers download.
func (s *Site) downloadRoutes() []page.Route {
	return []page.Route{{Method: get, Path: views.DownloadPath(":file"), Serve: s.download}}
}

// download sends a library as a zip file. Its address stays when its content changes, so browsers
// ask each time, and get 304 for what they have.
func (s *Site) download(_ context.Context, c *fiber.Ctx) error {
	name, zipped := strings.CutSuffix(web.Param(c, "file"), ".zip")
	a, ok, err := static.Archive(name)
	if err != nil {
		return err
	}
	if !ok || !zipped {
		return tenants.NoSuch("file")
	}
	h := &c.Response().Header
	h.Set(fiber.HeaderCacheControl, "public, no-cache")
	h.Set(fiber.HeaderETag, a.ETag)
	if strings.Contains(web.Header(c, fiber.HeaderIfNoneMatch), a.ETag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="carillon-`+name+`.zip"`)
	h.SetContentType(a.Type)
	c.Response().SetBodyRaw(a.Content)
	return nil
}
