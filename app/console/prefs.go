package console

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/views"
)

const year = 365 * 24 * time.Hour

// theme keeps the colour scheme in a cookie, so that a page is drawn in it at once.
func (k *Console) theme(_ context.Context, c *fiber.Ctx) error {
	t := views.Theme(formOf(c).text("theme"))
	if t != views.ThemeLight && t != views.ThemeDark {
		t = views.ThemeAuto
	}
	k.setCookie(c, themeCookie, string(t), year, true)
	return c.Redirect(back(c), fiber.StatusSeeOther)
}

func themeOf(c *fiber.Ctx) views.Theme {
	switch t := views.Theme(c.Cookies(themeCookie)); t {
	case views.ThemeLight, views.ThemeDark:
		return t
	}
	return views.ThemeAuto
}

// hideChecklist hides the list of first steps of this tenant, in this browser.
func (k *Console) hideChecklist(_ context.Context, c *fiber.Ctx, v *visitor) error {
	k.setCookie(c, doneCookie, string(v.tenant.ID), year, false)
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}

// flash is what is said once after a change. It travels by its code: a text in a cookie could be anybody's.
type flash string

const (
	flashSaved        flash = "saved"
	flashSignedOut    flash = "signed-out"
	flashRemoved      flash = "removed"
	flashAdded        flash = "added"
	flashRevoked      flash = "revoked"
	flashCancelled    flash = "cancelled"
	flashRole         flash = "role"
	flashPassword     flash = "password"
	flashSignInsEnded flash = "sign-ins"
	flashPaired       flash = "paired"
	flashReplaced     flash = "replaced"
	flashRolledBack   flash = "rolled-back"
	flashHedging      flash = "hedging"
	flashClosed       flash = "closed"
	flashPlan         flash = "plan"
	flashPlanEnds     flash = "plan-ends"
	flashPlanGoesOn   flash = "plan-goes-on"
)

var flashes = map[flash]string{
	flashSaved: "Saved.", flashSignedOut: "You are signed out.", flashRemoved: "Removed.", flashAdded: "Added.", flashRevoked: "The key is revoked.",
	flashCancelled: "Stopped.", flashRole: "The role is changed.", flashPassword: "Your password is changed. Everywhere else you are signed out.",
	flashSignInsEnded: "Signed out there.", flashPaired: "The phone is paired. Ring it once to be sure.",
	flashReplaced:   "Added, and in use from now on. The one before it is kept: “Roll back” on this page brings it back.",
	flashRolledBack: "This credential is in use again. The one that replaced it is kept.",
	flashHedging:    "Changed. It holds from the next ring on.",
	flashClosed:     "The alert is closed. If its cause comes back, so does the alert.",
	flashPlan:       "The plan is changed.", flashPlanEnds: "The subscription is cancelled. Everything goes on until it ends.", flashPlanGoesOn: "The subscription goes on.",
}

// done leads on after a change and says so there.
func (k *Console) done(c *fiber.Ctx, f flash, to string) error {
	k.setCookie(c, flashCookie, string(f), time.Minute, false)
	return c.Redirect(to, fiber.StatusSeeOther)
}

// flash is what there is to say on this page, once.
func (k *Console) flash(c *fiber.Ctx) *views.Flash {
	code := c.Cookies(flashCookie)
	if code == "" {
		return nil
	}
	k.setCookie(c, flashCookie, "", 0, false)
	if text, ok := flashes[flash(code)]; ok {
		return &views.Flash{Tone: views.ToneGood, Text: text}
	}
	return nil
}
