package console

import (
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants/store"
	"carillon/views"
)

// paletteMost bounds the devices, agents and connections that the palette offers, each by itself.
const paletteMost = 20

// palette answers with the links of the Ctrl-K palette. The browser asks for them when the palette
// is opened first, so that no page reads things that it does not show.
func (k *Console) palette(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	links := views.PaletteLinks()
	devices, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{Limit: paletteMost})
	if err != nil {
		return err
	}
	for _, d := range devices {
		links = append(links, views.Link{Text: deviceName(d), Href: views.DevicePath(string(d.ID)), Hint: "Device", Icon: views.IconDevice})
	}
	agents, _, err := v.Scope.Agents().List(ctx, store.Page{Limit: paletteMost})
	if err != nil {
		return err
	}
	for _, a := range agents {
		links = append(links, views.Link{Text: a.Name, Href: views.AgentPath(string(a.ID)), Hint: "Agent", Icon: views.IconAgent})
	}
	connections, _, err := v.Scope.Connections().List(ctx, store.Page{Limit: paletteMost})
	if err != nil {
		return err
	}
	for _, x := range connections {
		links = append(links, views.Link{Text: x.Name, Href: views.ConnectionPath(string(x.ID)), Hint: "Connection", Icon: views.IconPlug})
	}
	links = slices.DeleteFunc(links, func(l views.Link) bool { return !k.opens(v.Role, l.Href) })
	return web.Page(c, views.PaletteItems(links), fiber.StatusOK)
}
