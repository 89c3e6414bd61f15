package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// rolePages serve what each role may do, and the console as another role has it.
type rolePages struct{ *Console }

// roles draws the table that the routes, the buttons and the scopes of keys come from.
func (k rolePages) roles(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	p := views.RolesPage{}
	for _, r := range tenants.Roles {
		p.Roles = append(p.Roles, views.RoleColumn{Value: string(r), Name: r.Name(), Text: roleFor[r], Own: r == v.Own,
			Try: r != v.Own && r != v.Role && v.Own.Covers(r)})
	}
	for _, g := range tenants.Grants {
		p.Grants = append(p.Grants, views.GrantRow{Does: g.Does, Has: mapped(tenants.Roles, g.May)})
	}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at(rolesTitle, views.NavPeople, up("People", views.PathPeople))); err != nil {
		return err
	}
	return web.Page(c, views.Roles(p), fiber.StatusOK)
}

// preview shows the console as another role has it, or ends that. The role must be one that may do
// no more than the person's own.
func (k rolePages) preview(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	role := tenants.Role(page.FormOf(c).Text("role"))
	switch {
	case role == v.Own:
		role = ""
	case role != "" && !role.Known():
		return tenants.Refuse(tenants.Invalid, "invalid", noSuchRole)
	case role != "" && !v.Own.Covers(role):
		return tenants.Refuse(tenants.Forbidden, "missing_permission", roleAbove, role.Name())
	}
	if role == v.In.Preview {
		return c.Redirect(views.PathRoles, fiber.StatusSeeOther)
	}
	if err := v.Scope.Members().Preview(ctx, v.In.Hash, role); err != nil {
		return err
	}
	if role == "" {
		return c.Redirect(views.PathRoles, fiber.StatusSeeOther)
	}
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}
