package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// developers shows the tenant's own values, and leads to the documentation.
func (k *Console) developers(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	p := views.DevelopersPage{BaseURL: k.PublicURL, Bundle: "com.example.app", Device: "DEVICE_ID"}
	credentials, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: 1})
	if err != nil {
		return err
	}
	devices, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{State: tenants.DeviceActive, Limit: 1})
	if err != nil {
		return err
	}
	for _, x := range credentials {
		p.Bundle = x.Bundle
	}
	for _, d := range devices {
		p.Device = string(d.ID)
	}
	if p.Shell, err = k.shell(ctx, c, v, at("For developers", views.NavDevelopers)); err != nil {
		return err
	}
	return web.Page(c, views.Developers(p), fiber.StatusOK)
}
