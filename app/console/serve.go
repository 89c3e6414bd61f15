package console

import (
	"context"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// serve lets in the people that a route is for.
func (k *Console) serve(r route) func(context.Context, *fiber.Ctx) error {
	if r.public != nil {
		return r.public
	}
	return func(ctx context.Context, c *fiber.Ctx) error {
		v, err := k.Visitor(ctx, c)
		switch {
		case tenants.KindOf(err) == tenants.Unauthorized && !r.part:
			return toSignIn(c)
		case err != nil:
			return err
		}
		c.Locals(visitorKey{}, v)
		c.SetUserContext(views.Opening(c.UserContext(), func(href string) bool { return k.opens(v.Role, href) }))
		if err := sameSession(c, v, r.part); err != nil {
			return err
		}
		if v.Tenant.State != tenants.TenantActive && !r.out {
			if !v.Tenant.DeleteAt.IsZero() && v.Role.May(mayData) && r.method == get && !r.part {
				return c.Redirect(views.PathDataKeep, fiber.StatusSeeOther)
			}
			if why := v.Tenant.SuspendedWhy; why != "" {
				if !v.Tenant.DeleteAt.IsZero() { // its own owner asked for that, not the operator
					return tenants.Refuse(tenants.Forbidden, "tenant_suspended", "%s", page.Sentence(why))
				}
				return tenants.Refuse(tenants.Forbidden, "tenant_suspended", suspendedBecause, page.Sentence(why))
			}
			return tenants.Refuse(tenants.Forbidden, "tenant_suspended", suspendedAccount)
		}
		if v.Guest != nil {
			if err := k.guest(ctx, v, r, c.Path()); err != nil {
				return err
			}
		}
		if r.needs != "" && !v.Role.May(r.needs) {
			v.Missing = r.needs
			if web.MayWrite(c, v.Holder()) == nil { // a flood of attempts is not recorded one by one
				if err := v.Scope.Audits().Refused(ctx, "access.refuse", r.method+" "+r.path, string(r.needs)); err != nil {
					return err
				}
			}
			return tenants.Refuse(tenants.Forbidden, "missing_permission", lacksPermission, v.Role.Name(), r.needs.Does())
		}
		if v.In.Provider && r.method != get && ofAccount(r.path) {
			return tenants.Refuse(tenants.Forbidden, "through_provider", throughProvider)
		}
		if v.Tenant.TwoSteps && !v.User.TwoSteps && !r.own && !r.out && !v.In.Provider {
			return c.Redirect(views.PathApp, fiber.StatusSeeOther)
		}
		if r.stepUp && !v.Proved(k.Now()) {
			if v.In.Provider {
				return askProvider(c, v, r)
			}
			return askProof(c, r)
		}
		if r.method != get && r.path != views.PathSignOut {
			if err := web.MayWrite(c, v.Holder()); err != nil {
				return err
			}
		}
		return r.member(ctx, c, v)
	}
}

// sameSession refuses a request from a page that was drawn for another sign-in, or another tenant
// of it: the two may follow each other in one browser, and an open tab must not show what belongs
// to the other. The script of our pages says in a header what they were drawn for; an event stream,
// which cannot send one, in its address.
func sameSession(c *fiber.Ctx, v *page.Visitor, part bool) error {
	said := web.Header(c, "Carillon-Session")
	if said == "" && part {
		said = web.Query(c, "session")
	}
	if said == "" || said == v.Session() {
		return nil
	}
	return tenants.Refuse(tenants.Conflict, "session_changed",
		otherSession)
}

// opens reports whether the role may open the page at this address, which may have a query.
func (k *Console) opens(role tenants.Role, href string) bool {
	path, _, _ := strings.Cut(href, "?")
	path, _, _ = strings.Cut(path, "#")
	for _, r := range k.readings {
		if matches(r.path, path) {
			return r.needs == "" || role.May(r.needs)
		}
	}
	return true // not ours, such as a page of the documentation
}

// serves reports whether there is a page at this path. Without Stripe there are no invoices.
func (k *Console) serves(path string) bool {
	return slices.ContainsFunc(k.readings, func(r route) bool { return matches(r.path, path) })
}

// matches reports whether the path has the form of the pattern, such as "/rings/:id".
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if w != got[i] && !(strings.HasPrefix(w, ":") && got[i] != "") {
			return false
		}
	}
	return true
}
