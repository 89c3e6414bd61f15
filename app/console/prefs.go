package console

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// doneCookie names the tenant whose checklist is hidden.
const doneCookie = "checklist"

const year = 365 * 24 * time.Hour

// theme keeps the colour scheme in a cookie, so that a page is drawn in it at once.
func (k signInPages) theme(_ context.Context, c *fiber.Ctx) error {
	t := views.Theme(page.FormOf(c).Text("theme"))
	if t != views.ThemeLight && t != views.ThemeDark {
		t = views.ThemeAuto
	}
	k.SetCookie(c, page.ThemeCookie, string(t), year, true)
	return c.Redirect(back(c), fiber.StatusSeeOther)
}

// language keeps the language in this browser, and in the account of a person who signed in here.
// Whom a tenant's provider vouches for has it in the browser only: the account is not the tenant's.
// An empty one, or one that we do not have, leaves it to the tenant and the browser.
func (k signInPages) language(ctx context.Context, c *fiber.Ctx) error {
	tag := page.FormOf(c).Text("language")
	if !language.Known(tag) {
		tag = ""
	}
	v, err := k.Visitor(ctx, c)
	if err != nil && tenants.KindOf(err) != tenants.Unauthorized {
		return err
	}
	if err == nil && v.Guest == nil && !v.In.Provider && v.User.Language != tag {
		if err := web.MayWrite(c, v.Holder()); err != nil {
			return err
		}
		if err := k.Store.Users().SetLanguage(ctx, v.Who, v.User.ID, tag); err != nil {
			return err
		}
	}
	age := time.Duration(0)
	if tag != "" {
		age = year
	}
	k.SetCookie(c, page.LanguageCookie, tag, age, false)
	return c.Redirect(back(c), fiber.StatusSeeOther)
}

// hideChecklist hides the list of first steps of this tenant, in this browser.
func (k signInPages) hideChecklist(_ context.Context, c *fiber.Ctx, v *page.Visitor) error {
	k.SetCookie(c, doneCookie, string(v.Tenant.ID), year, false)
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}
