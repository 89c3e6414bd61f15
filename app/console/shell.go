package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// place is where in the console a page stands.
type place struct {
	title  string
	nav    views.Nav
	crumbs []views.Link
}

func at(title string, nav views.Nav, crumbs ...views.Link) place { return place{title, nav, crumbs} }

// shell is what surrounds a page.
func (k *Console) shell(ctx context.Context, c *fiber.Ctx, v *page.Visitor, at place) (views.Shell, error) {
	s := k.bareShell(c, v, at.title)
	s.Current, s.Crumbs, s.Flash = at.nav, at.crumbs, k.Flash(c)
	credentials, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return s, err
	}
	s.Environment = reachOf(credentials)
	open, err := v.Scope.Alerts().CountOpen(ctx)
	if err != nil {
		return s, err
	}
	s.Alerts = int(open)
	if err := k.owes(ctx, v, &s); err != nil {
		return s, err
	}
	return s, nil
}

// bareShell asks the store nothing: it surrounds refusals too.
func (k *Console) bareShell(c *fiber.Ctx, v *page.Visitor, title string) views.Shell {
	s := views.Shell{
		Title: title, Tenant: v.Tenant.Name, Industry: v.Tenant.Industry.Name(), User: v.User.Name, Email: v.User.Email,
		Role: roleName(v.Role), CanEdit: v.Role.May(), Session: v.Session(),
		Theme: page.ThemeOf(c), Dev: k.Dev != nil, TimeZone: v.Tenant.TimeZone, Environment: views.EnvUnasked,
	}
	for _, m := range v.Tenants {
		s.Tenants = append(s.Tenants, views.Choice{Value: string(m.Tenant.ID), Text: m.Tenant.Name, Selected: m.Tenant.ID == v.Tenant.ID})
	}
	return s
}

func up(text, href string) views.Link { return views.Link{Text: text, Href: href} }

func roleName(r tenants.Role) string {
	switch r {
	case tenants.Owner:
		return "Owner"
	case tenants.Admin:
		return "Administrator"
	case tenants.Viewer:
		return "Viewer"
	}
	return string(r)
}

// reachOf is which of Apple's environments the working credentials open.
func reachOf(all []tenants.Credential) views.Environment {
	var production, sandbox bool
	for _, c := range all {
		if c.State != tenants.CredentialActive {
			continue
		}
		production = production || c.Environment != tenants.Sandbox
		sandbox = sandbox || c.Environment != tenants.Production
	}
	switch {
	case production && sandbox:
		return views.EnvBoth
	case production:
		return views.EnvProduction
	case sandbox:
		return views.EnvSandbox
	}
	return views.EnvNone
}

func envOf(e tenants.Environment) views.Environment { return views.Environment(e) }

// deviceName is how a device is called: by its own name, its person, its model.
func deviceName(d tenants.Device) string { return d.Title() }

// ErrorPage draws a refusal: within the console for whom a route let in, else alone. It is
// web.Config's hook.
func (k *Console) ErrorPage(c *fiber.Ctx, status int, title, detail, requestID string) error {
	p := views.ErrorPage{Theme: page.ThemeOf(c), Status: status, Title: title, Cause: detail, Cure: errorCures[status],
		RequestID: requestID}
	if p.Cure == "" {
		p.Cure = "Try again in a minute. If it happens again, send this request ID to the operator of this server."
	}
	c.Response().ResetBody()
	v, ok := visitorOf(c)
	if !ok {
		if status == 404 || status == 405 {
			p.Cure = "Go to the front page."
		}
		p.Back = views.Link{Text: "Go to the front page", Href: views.PathHome}
		return web.Page(c, views.Error(p), status)
	}
	p.Missing = v.Missing
	if v.Tenant.State != tenants.TenantActive {
		p.Cure = "Switch to another of your organisations, or sign out."
	}
	return web.Page(c, views.ErrorIn(k.bareShell(c, v, title), p), status)
}
