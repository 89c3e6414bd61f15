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
	own    bool // title is a name that somebody gave
}

func at(title string, nav views.Nav, crumbs ...views.Link) place {
	return place{title: title, nav: nav, crumbs: crumbs}
}

// named is a page about what has a name of its own.
func named(title string, nav views.Nav, crumbs ...views.Link) place {
	return place{title: title, nav: nav, crumbs: crumbs, own: true}
}

// shell is what surrounds a page.
func (k *Console) shell(ctx context.Context, c *fiber.Ctx, v *page.Visitor, at place) (views.Shell, error) {
	s := k.bareShell(c, v, at.title)
	s.Current, s.Crumbs, s.Flash, s.Own = at.nav, at.crumbs, k.Flash(c), at.own
	now, err := v.Scope.Summary(ctx)
	if err != nil {
		return s, err
	}
	s.Environment, s.Alerts = reachOf(now), int(now.OpenAlerts)
	owes(now.Entitlement, &s)
	return s, nil
}

// bareShell asks the store nothing: it surrounds refusals too.
func (k *Console) bareShell(c *fiber.Ctx, v *page.Visitor, title string) views.Shell {
	s := views.Shell{
		Title: title, Tenant: v.Tenant.Name, Industry: v.Tenant.File().Name, User: v.User.Name, Email: v.User.Email,
		Role: v.Role.Name(), Preview: v.Role != v.Own, MayRing: v.Role.May(mayRing), MayPair: v.Role.May(mayDevices), Session: v.Session(),
		Guest: guestShown(v),
		Theme: page.ThemeOf(c), Dev: k.Dev != nil, TimeZone: v.Tenant.TimeZone, Environment: views.EnvUnasked,
	}
	if v.Guest != nil {
		s.Session = "" // nothing on the page is live: a stream would last longer than the look
	}
	for _, m := range v.Tenants {
		s.Tenants = append(s.Tenants, views.Choice{Value: string(m.Tenant.ID), Text: m.Tenant.Name, Selected: m.Tenant.ID == v.Tenant.ID})
	}
	return s
}

func up(text, href string) views.Link { return views.Link{Text: text, Href: href} }

// reachOf is which of Apple's environments the working credentials open.
func reachOf(now store.Summary) views.Environment {
	switch {
	case now.Production && now.Sandbox:
		return views.EnvBoth
	case now.Production:
		return views.EnvProduction
	case now.Sandbox:
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
		p.Cure = unknownCure
	}
	c.Response().ResetBody()
	v, ok := visitorOf(c)
	if !ok {
		if status == 404 || status == 405 {
			p.Cure = frontPageCure
		}
		p.Back = views.Link{Text: frontPageText, Href: views.PathHome}
		k.SpeakAsAsked(c)
		return web.Page(c, views.Error(p), status)
	}
	p.Missing = string(v.Missing)
	if v.Tenant.State != tenants.TenantActive {
		p.Cure = suspendedCure
	}
	return web.Page(c, views.ErrorIn(k.bareShell(c, v, title), p), status)
}
