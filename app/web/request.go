package web

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/tenants"
)

// Param is a copy of a path parameter.
func Param(c *fiber.Ctx, name string) string { return strings.Clone(c.Params(name)) }

// ID reads the id in the path. A malformed one names nothing: it is answered like one that does not
// exist, 404 "no such what".
func ID[T ~string](c *fiber.Ctx, what string) (T, error) {
	id, ok := tenants.ParseID[T](Param(c, "id"))
	if !ok {
		return "", tenants.NoSuch(what)
	}
	return id, nil
}

// Query is a copy of a query parameter, empty when absent. Its letters are composed: who searches
// for a name finds it, whichever way the accents were typed.
func Query(c *fiber.Ctx, name string) string {
	return language.Composed(string(c.Request().URI().QueryArgs().Peek(name)))
}

// Header is a copy of a request header, empty when absent.
func Header(c *fiber.Ctx, name string) string { return string(c.Request().Header.Peek(name)) }

// OneHeader is a copy of a header that may be sent once. given is false when it is absent. A
// repeated header is refused, because two readers could each use a different one.
func OneHeader(c *fiber.Ctx, name string) (value string, given bool, err error) {
	all := c.Request().Header.PeekAll(name)
	switch len(all) {
	case 0:
		return "", false, nil
	case 1:
		return string(all[0]), true, nil
	}
	return "", true, tenants.Refuse(tenants.Invalid, "header_repeated", "The header %s may be sent once.", name)
}

// RequestID is the id of this request, as in its answer and its log lines.
func RequestID(c *fiber.Ctx) string {
	if v, ok := visitOf(c); ok {
		return v.id
	}
	return ""
}

// Deadline limits a handler to ten seconds. Fiber cancels nothing when a client hangs up, so
// without it a query could run forever. The caller must call cancel.
func Deadline(c *fiber.Ctx) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.UserContext(), handlerTime)
}
