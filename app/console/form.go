package console

import (
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
	"carillon/views"
)

// form is what was posted. Only the body counts, never the address.
type form struct{ c *fiber.Ctx }

func formOf(c *fiber.Ctx) form { return form{c} }

// raw is a copy of a field as it was sent.
func (f form) raw(name string) string { return string(f.c.Request().PostArgs().Peek(name)) }

// text is raw without blanks around it.
func (f form) text(name string) string { return strings.TrimSpace(f.raw(name)) }

// all are copies of a field's values, at most 32.
func (f form) all(name string) []string {
	var out []string
	for _, v := range f.c.Request().PostArgs().PeekMulti(name) {
		if len(out) < 32 {
			out = append(out, string(v))
		}
	}
	return out
}

// wrong is a refusal as a form shows it: a sentence above, a message at each field.
type wrong struct {
	msg    string
	fields map[string]string
	status int
}

// statuses are the refusals that send a form back; every other one is an error page.
var statuses = map[tenants.Kind]int{
	tenants.Invalid: 400, tenants.Unpaid: 402, tenants.Forbidden: 403, tenants.Conflict: 409, tenants.TooLarge: 413, tenants.Unprocessable: 422, tenants.Unavailable: 503,
}

// wrongOf reads a refusal; ok is false for an error that no form can mend.
func wrongOf(err error) (w wrong, ok bool) {
	var e *tenants.Error
	if !errors.As(err, &e) {
		return w, false
	}
	if w.status, ok = statuses[e.Kind]; !ok {
		return w, false
	}
	w.msg, w.fields = e.Msg, map[string]string{}
	for _, f := range e.Fields {
		w.fields[f.Name] = sentence(f.Message)
	}
	return w, true
}

// unseen is the message, and what is wrong with fields that the form does not have.
func (w wrong) unseen(seen ...string) string {
	msg := w.msg
	for name, text := range w.fields {
		known := false
		for _, s := range seen {
			known = known || s == name
		}
		if !known {
			msg += " " + name + ": " + text
		}
	}
	return msg
}

// sentence makes "1 to 80 characters" into "1 to 80 characters." with a capital.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// shown is what a person typed, fit to be drawn again.
func shown(s string, most int) string { return strings.ToValidUTF8(clip(s, 4*most), "") }

// choose marks the chosen one.
func choose(chosen string, all ...views.Choice) []views.Choice {
	for i := range all {
		all[i].Selected = all[i].Value == chosen
	}
	return all
}

func choice(value, text string) views.Choice { return views.Choice{Value: value, Text: text} }
