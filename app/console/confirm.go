package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/views"
)

// confirmation is a question as a page.
type confirmation struct {
	ask   views.Confirm
	title string
	nav   views.Nav
	up    views.Link
}

func (k *Console) confirm(ctx context.Context, c *fiber.Ctx, v *page.Visitor, q confirmation, status int) error {
	s, err := k.shell(ctx, c, v, at(q.title, q.nav, q.up))
	if err != nil {
		return err
	}
	return web.Page(c, views.ConfirmPage(s, q.ask), status)
}

// typed reports whether the name was typed as asked for; if not, the question says so when it is
// asked again.
func typed(c *fiber.Ctx, ask *views.Confirm) bool {
	if views.SameName(page.FormOf(c).Text("confirm"), ask.TypeName) {
		return true
	}
	ask.Error = "The name does not match. Type it exactly as shown above."
	return false
}
