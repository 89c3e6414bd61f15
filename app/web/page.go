package web

import (
	"bytes"
	"compress/gzip"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

// contentPolicy lets a page load only what this server serves: no inline scripts or styles, no frames around it, no forms to elsewhere.
const contentPolicy = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// packFrom is the size from which packing pays.
const packFrom = 1 << 10

// Page renders a component and then sends it: a component that fails leaves nothing half sent, and its error goes to the edge.
func Page(c *fiber.Ctx, page templ.Component, status int) error {
	var body bytes.Buffer
	if err := page.Render(c.UserContext(), &body); err != nil {
		return err
	}
	h := &c.Response().Header
	h.SetContentType("text/html; charset=utf-8")
	h.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderReferrerPolicy, "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(self)")
	h.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	c.Status(status)
	if body.Len() <= packFrom || !takesGzip(Header(c, fiber.HeaderAcceptEncoding)) {
		c.Response().SetBodyRaw(body.Bytes())
		return nil
	}
	packed, err := pack(c, body.Bytes())
	if err != nil {
		return err
	}
	h.Set(fiber.HeaderContentEncoding, "gzip")
	c.Response().SetBodyRaw(packed)
	return nil
}

// pack borrows a writer from the edge: making one costs more than packing a page.
func pack(c *fiber.Ctx, body []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(body) / 3)
	v, ok := visitOf(c)
	var w *gzip.Writer
	if ok {
		w, _ = v.edge.gzips.Get().(*gzip.Writer)
	}
	if w == nil {
		w = gzip.NewWriter(nil)
	}
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if ok {
		v.edge.gzips.Put(w)
	}
	return out.Bytes(), nil
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip must be named and not be given the weight zero.
func takesGzip(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(item, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
