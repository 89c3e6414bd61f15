package page

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/tenants"
	"carillon/views"
)

// Form is what was posted. Only the body counts, never the address.
type Form struct{ c *fiber.Ctx }

func FormOf(c *fiber.Ctx) Form { return Form{c} }

// Raw is a copy of a field as it was sent.
func (f Form) Raw(name string) string { return string(f.c.Request().PostArgs().Peek(name)) }

// Has reports whether the form has the field at all.
func (f Form) Has(name string) bool { return f.c.Request().PostArgs().Has(name) }

// Text is raw without blanks around it, its letters composed. A password is not read by it: it was
// hashed as it was typed.
func (f Form) Text(name string) string { return language.Composed(strings.TrimSpace(f.Raw(name))) }

// All are copies of a field's values, at most 32.
func (f Form) All(name string) []string {
	var out []string
	for _, v := range f.c.Request().PostArgs().PeekMulti(name) {
		if len(out) < 32 {
			out = append(out, language.Composed(string(v)))
		}
	}
	return out
}

// Wrong is a refusal as a form shows it: a sentence above, a message at each field.
type Wrong struct {
	Msg    string
	Fields map[string]string
	Status int
}

// statuses are the refusals that send a form back; every other one is an error page.
var statuses = map[tenants.Kind]int{
	tenants.Invalid: 400, tenants.Unpaid: 402, tenants.Forbidden: 403, tenants.Conflict: 409, tenants.TooLarge: 413,
	tenants.Unprocessable: 422, tenants.Unavailable: 503,
}

// WrongOf reads a refusal; ok is false for an error that no form can mend.
func WrongOf(err error) (w Wrong, ok bool) {
	var e *tenants.Error
	if !errors.As(err, &e) {
		return w, false
	}
	if w.Status, ok = statuses[e.Kind]; !ok {
		return w, false
	}
	w.Msg, w.Fields = e.Msg, map[string]string{}
	for _, f := range e.Fields {
		w.Fields[f.Name] = Sentence(f.Message)
	}
	return w, true
}

// Unseen is the message, and what is wrong with fields that the form does not have.
func (w Wrong) Unseen(seen ...string) string {
	msg := w.Msg
	for name, text := range w.Fields {
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

// Sentence makes "1 to 80 characters" into "1 to 80 characters." with a capital.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	_, first := utf8.DecodeRuneInString(s)
	s = strings.ToUpper(s[:first]) + s[first:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// Shown is what a person typed, fit to be drawn again.
func Shown(s string, most int) string { return strings.ToValidUTF8(Clip(s, 4*most), "") }

// Choose marks the chosen one.
func Choose(chosen string, all ...views.Choice) []views.Choice {
	for i := range all {
		all[i].Selected = all[i].Value == chosen
	}
	return all
}

func Choice(value, text string) views.Choice { return views.Choice{Value: value, Text: text} }
