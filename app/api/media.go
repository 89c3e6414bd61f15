package api

import (
	"context"
	"mime"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// Media is the voice of a call, as a phone asks for it. Refusals are *tenants.Error: Conflict when another device has answered,
// Gone when the ring has ended, Invalid or Unprocessable for an offer that cannot be answered.
type Media interface {
	// Answer turns the ring into a call. links are whole Link header values (RFC 9725, 4.6); etag is quoted.
	Answer(ctx context.Context, d tenants.Device, ring tenants.RingID, sdp string) (answer, etag string, links []string, err error)
	// Trickle adds candidates (204) or restarts ICE (200, with a fragment and an etag) (RFC 9725, 4.3).
	Trickle(ctx context.Context, d tenants.Device, ring tenants.RingID, ifMatch, fragment string) (status int, etag, answer string, err error)
	HangUp(ctx context.Context, d tenants.Device, ring tenants.RingID) error
}

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// text is a body of one media type, at most 64 KiB, not empty.
func text(c *fiber.Ctx, want string) (string, error) {
	kind, _, err := mime.ParseMediaType(string(c.Request().Header.ContentType()))
	if err != nil || kind != want {
		return "", tenants.Refuse(tenants.Unsupported, "unsupported", "Send the body as %s.", want)
	}
	body := c.Request().Body()
	switch {
	case len(body) > web.MaxBody:
		return "", tenants.Refuse(tenants.TooLarge, "too_large", "The body is larger than 64 KiB.")
	case len(body) == 0:
		return "", tenants.Refuse(tenants.Invalid, "invalid", "The body is empty.")
	}
	return string(body), nil
}

// answerRing: POST /v1/phone/rings/{id}/answer.
func (a *API) answerRing(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	offer, err := text(c, typeSDP)
	if err != nil {
		return err
	}
	answer, etag, links, err := a.Media.Answer(ctx, p.Device, id, offer)
	if err != nil {
		return err
	}
	h := &c.Response().Header
	h.Set(fiber.HeaderLocation, "/v1/phone/rings/"+string(id)+"/leg")
	h.Set("Accept-Patch", typeFragment)
	for _, l := range links {
		h.Add(fiber.HeaderLink, l)
	}
	return fragment(c, fiber.StatusCreated, typeSDP, etag, answer)
}

// trickle: PATCH /v1/phone/rings/{id}/leg.
func (a *API) trickle(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	part, err := text(c, typeFragment)
	if err != nil {
		return err
	}
	match, given, err := web.OneHeader(c, fiber.HeaderIfMatch)
	if err != nil {
		return err
	}
	if !given || match == "" {
		return tenants.Refuse(tenants.Unmatched, "if_match_required", "Send If-Match with the ETag of the answer, or * to restart ICE.")
	}
	status, etag, answer, err := a.Media.Trickle(ctx, p.Device, id, match, part)
	if err != nil {
		return err
	}
	return fragment(c, status, typeFragment, etag, answer)
}

// fragment answers with SDP or a part of it.
func fragment(c *fiber.Ctx, status int, kind, etag, body string) error {
	if etag != "" {
		c.Response().Header.Set(fiber.HeaderETag, etag)
	}
	c.Status(status)
	if body != "" {
		c.Response().Header.SetContentType(kind)
		c.Response().SetBodyString(body)
	}
	return nil
}

// hangUp: DELETE /v1/phone/rings/{id}/leg.
func (a *API) hangUp(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := idOf[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	if err := a.Media.HangUp(ctx, p.Device, id); err != nil {
		return err
	}
	c.Status(fiber.StatusOK)
	return nil
}
