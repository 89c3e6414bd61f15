package web

import (
	"bytes"
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// Webhook mounts POST path for the messages of another system, which signs each in a header. take
// gets the body as it came, because the signature is over its bytes. It returns nil for a message
// that is done with (200), an error of kind tenants.Invalid for one that is refused for good (400),
// and any other error when the sender should try again later.
func Webhook(r fiber.Router, path, header string, take func(ctx context.Context, body []byte, signature string) error) {
	r.Post(path, func(c *fiber.Ctx) error {
		ctx, cancel := Deadline(c)
		defer cancel()
		err := take(ctx, bytes.Clone(c.Request().Body()), Header(c, header))
		switch {
		case tenants.KindOf(err) == tenants.Invalid:
			return Problem(c, err) // as JSON: no person reads it
		case err != nil:
			return err
		}
		return c.SendStatus(fiber.StatusOK)
	})
}
