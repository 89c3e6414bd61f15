package page

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/views"
)

func ThemeOf(c *fiber.Ctx) views.Theme {
	switch t := views.Theme(c.Cookies(ThemeCookie)); t {
	case views.ThemeLight, views.ThemeDark:
		return t
	}
	return views.ThemeAuto
}

// Flash is what is said once after a change. It travels by its code: a text in a cookie could be anybody's.
type Flash string

const (
	FlashSaved        Flash = "saved"
	FlashSignedOut    Flash = "signed-out"
	FlashRemoved      Flash = "removed"
	FlashAdded        Flash = "added"
	FlashRevoked      Flash = "revoked"
	FlashCancelled    Flash = "cancelled"
	FlashRole         Flash = "role"
	FlashPassword     Flash = "password"
	FlashSignInsEnded Flash = "sign-ins"
	FlashPaired       Flash = "paired"
	FlashReplaced     Flash = "replaced"
	FlashRolledBack   Flash = "rolled-back"
	FlashHedging      Flash = "hedging"
	FlashClosed       Flash = "closed"
	FlashPlan         Flash = "plan"
	FlashPlanEnds     Flash = "plan-ends"
	FlashPlanGoesOn   Flash = "plan-goes-on"
)

var flashes = map[Flash]string{
	FlashSaved: "Saved.", FlashSignedOut: "You are signed out.", FlashRemoved: "Removed.", FlashAdded: "Added.", FlashRevoked: "The key is revoked.",
	FlashCancelled: "Stopped.", FlashRole: "The role is changed.", FlashPassword: "Your password is changed. Everywhere else you are signed out.",
	FlashSignInsEnded: "Signed out there.", FlashPaired: "The phone is paired. Ring it once to be sure.",
	FlashReplaced:   "Added, and in use from now on. The one before it is kept: “Roll back” on this page brings it back.",
	FlashRolledBack: "This credential is in use again. The one that replaced it is kept.",
	FlashHedging:    "Changed. It holds from the next ring on.",
	FlashClosed:     "The alert is closed. If its cause comes back, so does the alert.",
	FlashPlan:       "The plan is changed.", FlashPlanEnds: "The subscription is cancelled. Everything goes on until it ends.", FlashPlanGoesOn: "The subscription goes on.",
}

// Done leads on after a change and says so there.
func (m *Common) Done(c *fiber.Ctx, f Flash, to string) error {
	m.SetCookie(c, FlashCookie, string(f), time.Minute, false)
	return c.Redirect(to, fiber.StatusSeeOther)
}

// Flash is what there is to say on this page, once.
func (m *Common) Flash(c *fiber.Ctx) *views.Flash {
	code := c.Cookies(FlashCookie)
	if code == "" {
		return nil
	}
	m.SetCookie(c, FlashCookie, "", 0, false)
	if text, ok := flashes[Flash(code)]; ok {
		return &views.Flash{Tone: views.ToneGood, Text: text}
	}
	return nil
}
