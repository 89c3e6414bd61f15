package console

import (
	"cmp"
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// signInPages serve signing in and out, and what the browser remembers.
type signInPages struct{ *Console }

func (k signInPages) signInPage(ctx context.Context, c *fiber.Ctx) error {
	next := page.OwnPath(web.Query(c, "next"))
	if _, err := k.Visitor(ctx, c); err == nil {
		return c.Redirect(orOverview(next), fiber.StatusSeeOther)
	}
	p := k.signInForm(c, next)
	if f := k.Flash(c); f != nil {
		p.Note = f.Text
	}
	return web.Page(c, views.SignIn(p), fiber.StatusOK)
}

func (k signInPages) signInForm(c *fiber.Ctx, next string) views.SignInPage {
	p := views.SignInPage{Theme: page.ThemeOf(c), Next: next, Providers: k.OIDC != nil, Passkeys: k.Passkeys != nil}
	if k.Dev != nil {
		p.Dev = k.Login
	}
	return p
}

func orOverview(next string) string {
	if next == "" {
		return views.PathOverview
	}
	return next
}

// signIn checks address and password. What it answers to an unknown address and to a wrong password
// is the same and takes as long.
func (k signInPages) signIn(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	p := k.signInForm(c, page.OwnPath(f.Text("next")))
	p.Email = page.Clip(f.Text("email"), 254)
	if !tenants.ValidText(p.Email, 0, 254) {
		p.Email = ""
	}
	email, _ := tenants.ParseEmail(p.Email)
	try, err := k.Try(c, email)
	if err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.SignIn(p), fiber.StatusTooManyRequests)
		})
	}
	user, err := k.who(ctx, c, try, email, f.Raw("password"))
	if err != nil {
		return err
	}
	if user == nil {
		p.Error = wrongSignIn
		return web.Page(c, views.SignIn(p), fiber.StatusUnauthorized)
	}
	first, why, err := k.firstTenant(ctx, user.ID)
	if err != nil {
		return err
	}
	if first == "" {
		p.Error = why
		return web.Page(c, views.SignIn(p), fiber.StatusForbidden)
	}
	return k.letIn(ctx, c, *user, first, orOverview(p.Next))
}

// who is the person with this address and password; nil when there is none, which is noted as a
// failed sign-in.
func (k *Console) who(ctx context.Context, c *fiber.Ctx, try page.Try, email, password string) (*tenants.User, error) {
	u, err := k.Store.Users().ByEmail(ctx, email)
	known := err == nil && u.DisabledAt.IsZero()
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return nil, err
	}
	phc := ""
	if known {
		phc = u.Password
	}
	ok, err := k.Passwords.Match(ctx, try.Known, password, phc)
	if err != nil {
		return nil, err
	}
	if !ok {
		k.Failed(c, u.ID, email)
		return nil, nil
	}
	try.Worked()
	return &u, nil
}

// firstTenant is the tenant to begin with: the one the person joined first of those that they may
// enter with a password, a suspended one only if there is no other. If there is none, why
// says how they get in.
func (k *Console) firstTenant(ctx context.Context, u tenants.UserID) (first tenants.TenantID, why string, err error) {
	all, err := k.Store.Users().Memberships(ctx, u)
	if err != nil || len(all) == 0 {
		return "", memberOfNone, err
	}
	slices.SortFunc(all, func(a, b store.Membership) int {
		return cmp.Or(
			cmp.Compare(suspended(a), suspended(b)),
			a.Since.Compare(b.Since),
			cmp.Compare(a.Tenant.ID, b.Tenant.ID))
	})
	for _, m := range all {
		only := false
		if m.Role != tenants.Owner {
			if only, err = k.Store.For(m.Tenant.ID).Providers().OnlyWay(ctx); err != nil {
				return "", "", err
			}
		}
		if !only {
			return m.Tenant.ID, "", nil
		}
	}
	return "", noWayIn, nil
}

func suspended(m store.Membership) int {
	if m.Tenant.State == tenants.TenantActive {
		return 0
	}
	return 1
}

func (k signInPages) signOut(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := k.Store.SignIns().End(ctx, v.In.Hash); err != nil {
		return err
	}
	k.SetCookie(c, k.CookieName(), "", 0, false)
	c.Set("Clear-Site-Data", `"cache"`)
	return k.Done(c, page.FlashSignedOut, views.PathSignIn)
}

// switchTenant turns the sign-in to another tenant of the person, under a new token.
func (k signInPages) switchTenant(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	want, _ := tenants.ParseID[tenants.TenantID](page.FormOf(c).Text("tenant"))
	for _, m := range v.Tenants {
		if m.Tenant.ID == want && v.In.Provider { // a new sign-in would lose the mark that it opens this tenant only
			return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
		}
		if m.Tenant.ID == want {
			if err := k.Enter(ctx, c, v.User, want, v.In.ProvedAt, v.In.ExpiresAt); err != nil {
				return err
			}
			return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
		}
	}
	return tenants.NoSuch("organisation")
}
