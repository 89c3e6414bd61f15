package api

import (
	"context"
	"mime"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
)

// Media answers a phone's calls; *switchboard.Board does. Refusals are *tenants.Error: Conflict
// when another device has answered, Gone when the ring has ended, Invalid or Unprocessable for an
// offer that cannot be answered.
type Media interface {
	Answer(ctx context.Context, d tenants.Device, ring tenants.RingID, sdp string) (gateway.Answer, error)
	Trickle(ctx context.Context, d tenants.Device, ring tenants.RingID, ifMatch, fragment string) (gateway.Trickled, error)
	HangUp(ctx context.Context, d tenants.Device, ring tenants.RingID) error
}

// links are Link header values that list the ICE servers, one for each address (RFC 9725, 4.6).
func links(servers []gateway.ICEServer) []string {
	var list []string
	for _, s := range servers {
		for _, url := range s.URLs {
			link := "<" + url + `>; rel="ice-server"`
			if s.Username != "" {
				link += `; username=` + strconv.Quote(s.Username) +
					`; credential=` + strconv.Quote(s.Credential) + `; credential-type="password"`
			}
			list = append(list, link)
		}
	}
	return list
}

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// textBody reads a body of one media type, at most 64 KiB and not empty.
func textBody(c *fiber.Ctx, want string) (string, error) {
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
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	offer, err := textBody(c, typeSDP)
	if err != nil {
		return err
	}
	answer, err := a.Media.Answer(ctx, p.Device, id, offer)
	if err != nil {
		return err
	}
	return replyAnswer(c, "/v1/phone/rings/"+string(id)+"/leg", answer)
}

// replyAnswer answers an offer (RFC 9725 4.2): the connection is at location from now on.
func replyAnswer(c *fiber.Ctx, location string, answer gateway.Answer) error {
	h := &c.Response().Header
	h.Set(fiber.HeaderLocation, location)
	h.Set("Accept-Patch", typeFragment)
	for _, l := range links(answer.ICEServers) {
		h.Add(fiber.HeaderLink, l)
	}
	return replySDP(c, fiber.StatusCreated, typeSDP, answer.ETag, answer.SDP)
}

// trickle: PATCH /v1/phone/rings/{id}/leg.
func (a *API) trickle(ctx context.Context, c *fiber.Ctx, p phone) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	return trickled(c, func(match, fragment string) (gateway.Trickled, error) {
		return a.Media.Trickle(ctx, p.Device, id, match, fragment)
	})
}

// trickled answers a request with a fragment, which goes to take (RFC 9725 4.3.1).
func trickled(c *fiber.Ctx, take func(ifMatch, fragment string) (gateway.Trickled, error)) error {
	part, err := textBody(c, typeFragment)
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
	t, err := take(match, part)
	if err != nil {
		return err
	}
	// candidates accepted (RFC 9725, 4.3.2): the ICE session, and so the ETag, is the same
	if t.Fragment == "" {
		return replySDP(c, fiber.StatusNoContent, typeFragment, "", "")
	}
	return replySDP(c, fiber.StatusOK, typeFragment, t.ETag, t.Fragment)
}

// replySDP answers with SDP or a fragment of it.
func replySDP(c *fiber.Ctx, status int, kind, etag, body string) error {
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
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	if err := a.Media.HangUp(ctx, p.Device, id); err != nil {
		return err
	}
	c.Status(fiber.StatusOK)
	return nil
}
