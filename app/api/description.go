package api

import (
	"context"
	_ "embed"

	"github.com/gofiber/fiber/v2"
)

// openapi describes /v1 in OpenAPI 3.1. Tests compare it with the routes and with every answer.
//
//go:embed openapi.yaml
var openapi []byte

// Description returns openapi.yaml.
func Description() []byte { return openapi }

// description: GET /v1/openapi.yaml.
func (a *API) description(_ context.Context, c *fiber.Ctx) error {
	c.Response().Header.SetContentType("application/yaml")
	c.Response().Header.Set(fiber.HeaderCacheControl, "public, max-age=300")
	c.Response().SetBody(openapi)
	return nil
}
