package page

import (
	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/app/web"
)

// LanguageCookie is the cookie with the language that a visitor chose in this browser.
const LanguageCookie = "language"

// SpeakAsAsked names the language of an answer that no route gave, such as a page that says that an
// address does not exist.
func (m *Common) SpeakAsAsked(c *fiber.Ctx) { m.speak(c) }

// speak names the language of an answer: what the visitor chose in this browser, else what the
// browser asks for. A language of the person or of the tenant comes before both, see Visitor.
func (m *Common) speak(c *fiber.Ctx) {
	if m.English {
		return
	}
	tag := c.Cookies(LanguageCookie)
	if !language.Known(tag) {
		tag = language.Asked(web.Header(c, fiber.HeaderAcceptLanguage))
	}
	web.Speak(c, tag)
}

// speakTo names the language of a person who is signed in. Who came through a tenant's provider
// keeps what they chose in this browser.
func (m *Common) speakTo(c *fiber.Ctx, v *Visitor) {
	if v.In.Provider && language.Known(c.Cookies(LanguageCookie)) {
		return
	}
	if tag := v.Language(); tag != "" && !m.English {
		web.Speak(c, tag)
	}
}

// Language is the language that the person chose, else that of the tenant; empty if neither did.
func (v *Visitor) Language() string {
	for _, tag := range []string{v.User.Language, v.Tenant.Language} {
		if language.Known(tag) {
			return tag
		}
	}
	return ""
}
