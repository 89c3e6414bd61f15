package console

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// lookPages let an operator of the server look at the console, where the tenant agrees.
type lookPages struct{ *Console }

func (k lookPages) code(c *fiber.Ctx) tenants.Hash {
	return tenants.Secret(web.Param(c, "token")).Hash()
}

// ask shows what the one-time link opens. Only the button uses it up: programs that look at links
// before people do must not.
func (k lookPages) ask(ctx context.Context, c *fiber.Ctx) error {
	l, err := k.Store.Operators().LookCode(ctx, k.code(c))
	if tenants.KindOf(err) == tenants.Gone {
		return web.Page(c, views.Look(views.LookPage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
	}
	if err != nil {
		return err
	}
	return web.Page(c, views.Look(views.LookPage{Theme: page.ThemeOf(c), Tenant: l.Tenant.Name, Name: l.Operator.Name,
		Action: views.LookPath(web.Param(c, "token"))}), fiber.StatusOK)
}

// take uses the link up. The operator looks from then on, in place of who they were in this
// browser.
func (k lookPages) take(ctx context.Context, c *fiber.Ctx) error {
	token := page.NewToken()
	by := store.Who{IP: web.IP(c), RequestID: web.RequestID(c)}
	l, err := k.Store.Operators().TakeLook(ctx, k.code(c), tenants.Secret(token).Hash(), by)
	if tenants.KindOf(err) == tenants.Gone {
		return web.Page(c, views.Look(views.LookPage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
	}
	if err != nil {
		return err
	}
	k.SetCookie(c, k.LookCookie(), token, l.ExpiresAt.Sub(k.Now()), false)
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}

// end ends an operator's look.
func (k lookPages) end(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	k.SetCookie(c, k.LookCookie(), "", 0, false)
	if v.Guest != nil {
		if err := k.Store.Operators().EndLook(ctx, *v.Guest, tenants.Secret(c.Cookies(k.LookCookie())).Hash(), v.Who); err != nil {
			return err
		}
	}
	return k.Done(c, page.FlashLookEnded, views.PathSignIn)
}

// guest lets an operator read pages and search, one entry of the audit log for each, and refuses
// everything else: what changes something, what asks for a proof, what is of a person, and streams,
// which would last longer than the look.
func (k *Console) guest(ctx context.Context, v *page.Visitor, r route, path string) error {
	if r.path == views.PathLookEnd {
		return nil
	}
	if r.method != get || r.stepUp || r.own || r.part && r.path != views.PathPalette {
		if err := v.Scope.Audits().Refused(ctx, "access.refuse", r.method+" "+r.path, "operator"); err != nil {
			return err
		}
		return tenants.Refuse(tenants.Forbidden, "missing_permission", guestsRead)
	}
	return v.Scope.Audits().Add(ctx, "tenant.look_page", path, "")
}

// hoursOfLook are how long an owner can let operators look.
var hoursOfLook = map[string]time.Duration{"0": 0, "1": time.Hour, "24": 24 * time.Hour, "72": 72 * time.Hour}

// setLook lets operators look for some hours, or not any more.
func (k lookPages) setLook(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	span, ok := hoursOfLook[page.FormOf(c).Text("hours")]
	if !ok {
		return tenants.Refuse(tenants.Invalid, "invalid", wrongHours)
	}
	until := time.Time{}
	if span > 0 {
		until = k.Now().Add(span)
	}
	if err := v.Scope.SetLook(ctx, until); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathSettings)
}

func lookOf(v *page.Visitor, now time.Time) views.LookCard {
	card := views.LookCard{May: v.Role.May(tenants.LookWrite)}
	if v.Tenant.LookUntil.After(now) {
		card.Until = v.At(v.Tenant.LookUntil)
	}
	return card
}
