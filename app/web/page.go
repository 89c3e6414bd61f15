package web

import (
	"bytes"
	"compress/gzip"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
)

// contentPolicy lets a page load only from this server, without inline scripts or styles, framing,
// or forms to other sites.
const contentPolicy = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; " +
	"worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// gzipFrom is the size in bytes from which compression is worth its cost.
const gzipFrom = 1 << 10

type languageKey struct{}

// Speak names the language of the pages that answer a request. Without it they are in English.
func Speak(c *fiber.Ctx, tag string) { c.Locals(languageKey{}, tag) }

// Spoken is the language that Speak named; empty if it named none.
func Spoken(c *fiber.Ctx) string {
	tag, _ := c.Locals(languageKey{}).(string)
	return tag
}

// Page renders a component and then sends it, in the language that Speak named. If the component
// fails, nothing has been sent, and the edge answers the error.
func Page(c *fiber.Ctx, page templ.Component, status int) error {
	var body bytes.Buffer
	tag := Spoken(c)
	if err := page.Render(language.With(c.UserContext(), tag), &body); err != nil {
		return err
	}
	text := body.Bytes()
	h := &c.Response().Header
	if tag != "" {
		h.Set(fiber.HeaderContentLanguage, tag)
		if catalogue, ok := language.In(tag); ok {
			text = catalogue.WithScripts(catalogue.Page(text))
		}
	}
	h.SetContentType("text/html; charset=utf-8")
	h.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderReferrerPolicy, "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(self)")
	h.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if tag != "" {
		h.Set(fiber.HeaderVary, "Accept-Encoding, Accept-Language, Cookie")
	}
	c.Status(status)
	if len(text) <= gzipFrom || !takesGzip(Header(c, fiber.HeaderAcceptEncoding)) {
		c.Response().SetBodyRaw(text)
		return nil
	}
	compressed, err := compress(c, text)
	if err != nil {
		return err
	}
	h.Set(fiber.HeaderContentEncoding, "gzip")
	c.Response().SetBodyRaw(compressed)
	return nil
}

// compress uses a pooled writer: making one costs more than compressing a page.
func compress(c *fiber.Ctx, body []byte) ([]byte, error) {
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

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip must be named, and its weight must not
// be zero.
func takesGzip(accept string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(item, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
