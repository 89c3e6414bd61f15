package web

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// App is what everything is mounted on; wiring passes it around without knowing Fiber.
type App = fiber.App

// Health mounts GET /healthz, which answers while the process runs, and GET /readyz, which is 503
// while ready returns an error. The answer never contains the cause; the log does.
func Health(app *App, ready func(context.Context) error) {
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendString("alive\n") })
	app.Get("/readyz", func(c *fiber.Ctx) error {
		ctx, cancel := Deadline(c)
		defer cancel()
		if err := ready(ctx); err != nil {
			return &tenants.Error{Kind: tenants.Unavailable, Code: "not_ready", Msg: "The server is not ready.", Err: err}
		}
		return c.SendString("ready\n")
	})
}
