package web

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// App is what everything is mounted on; wiring passes it around without knowing Fiber.
type App = fiber.App

const (
	pathAlive = "/healthz"
	pathReady = "/readyz"
)

func isHealth(path string) bool { return path == pathAlive || path == pathReady }

// Health mounts GET /healthz, which answers while the process runs, and GET /readyz, which is 503
// while ready returns an error: with its text if it is a tenants.Error that passes, and without it
// otherwise; the log has it. weak says what does not work on a server that is ready all the same;
// empty = nothing.
func Health(app *App, ready func(context.Context) error, weak func() string) {
	app.Get(pathAlive, func(c *fiber.Ctx) error { return c.SendString("alive\n") })
	app.Get(pathReady, func(c *fiber.Ctx) error {
		ctx, cancel := Deadline(c)
		defer cancel()
		if err := ready(ctx); err != nil {
			var ours *tenants.Error
			if errors.As(err, &ours) && ours.Kind == tenants.Unavailable {
				return err
			}
			return &tenants.Error{Kind: tenants.Unavailable, Code: "not_ready", Msg: "The server is not ready.", Err: err}
		}
		if s := weak(); s != "" {
			return c.SendString("ready, but " + s + "\n")
		}
		return c.SendString("ready\n")
	})
}
