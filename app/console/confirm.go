package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/views"
)

// confirmation is a question as a page, and what its button does.
type confirmation struct {
	ask   views.Confirm
	title string
	nav   views.Nav
	up    views.Link

	do   func(context.Context) error
	said page.Flash // what the next page says
	next string     // the next page
}

// member is a handler for a signed-in person, as the route table has it.
type member = func(context.Context, *fiber.Ctx, *page.Visitor) error

// confirmed serves both routes of a destructive act: GET asks, POST does it. Where the question
// wants a name typed, a POST with another name changes nothing and asks again (422).
func (k *Console) confirmed(find func(context.Context, *fiber.Ctx, *page.Visitor) (confirmation, error)) member {
	return func(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
		q, err := find(ctx, c, v)
		switch {
		case err != nil:
			return err
		case c.Method() != fiber.MethodPost:
			return k.confirm(ctx, c, v, q, fiber.StatusOK)
		case q.ask.TypeName != "" && !views.SameName(page.FormOf(c).Text("confirm"), q.ask.TypeName):
			q.ask.Error = wrongName
			return k.confirm(ctx, c, v, q, fiber.StatusUnprocessableEntity)
		}
		if err := q.do(ctx); err != nil {
			return err
		}
		return k.Done(c, q.said, q.next)
	}
}

func (k *Console) confirm(ctx context.Context, c *fiber.Ctx, v *page.Visitor, q confirmation, status int) error {
	s, err := k.shell(ctx, c, v, at(q.title, q.nav, q.up))
	if err != nil {
		return err
	}
	return web.Page(c, views.ConfirmPage(s, q.ask), status)
}
