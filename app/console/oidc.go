package console

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/oidc"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// oidcPages sign people in through their organisation's provider.
type oidcPages struct{ *Console }

// startTime is how long somebody may take at the provider.
const startTime = 10 * time.Minute

// How often a network may begin a sign-in at providers, and how often a tenant's people may.
var (
	providerStarts = tenants.Rate{Of: "provider", Every: 5 * time.Second, Burst: 30, Says: manyResets}
	widerStarts    = tenants.Rate{Of: "provider", Every: time.Second, Burst: 120, Says: manyResets}
	tenantStarts   = tenants.Rate{Of: "provider of", Every: 200 * time.Millisecond, Burst: 300, Says: manyStarts}
)

// oidcCookie is the name of the cookie that holds the secret of a sign-in under way.
func (k oidcPages) oidcCookie() string { return k.CookieName() + "-oidc" }

func (k oidcPages) callback() string { return k.PublicURL + views.PathOIDCBack }

// find asks for an address.
func (k oidcPages) find(_ context.Context, c *fiber.Ctx) error {
	return k.findPage(c, "", page.OwnPath(web.Query(c, "next")), "", fiber.StatusOK)
}

func (k oidcPages) findPage(c *fiber.Ctx, email, next, says string, status int) error {
	return web.Page(c, views.Organisation(views.OrganisationPage{Theme: page.ThemeOf(c), Next: next, Error: says,
		Email: views.Field{Name: "email", Label: "Email", Type: "email", Value: page.Shown(email, 254), Max: 254,
			Autocomplete: "username", Focus: true}}), status)
}

// lead goes to the provider of an address's domain. Whether the address has an account is not
// looked at, so the answer says nothing of it.
func (k oidcPages) lead(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	next := page.OwnPath(f.Text("next"))
	if err := k.mayStart(c); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			return k.findPage(c, f.Text("email"), next, msg, fiber.StatusTooManyRequests)
		})
	}
	email, ok := tenants.ParseEmail(f.Text("email"))
	if !ok {
		return k.findPage(c, f.Text("email"), next, wrongEmail, fiber.StatusBadRequest)
	}
	id, err := k.Store.ProviderOf(ctx, tenants.DomainOf(email))
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return k.findPage(c, email, next, noProviderOfDomain, fiber.StatusNotFound)
	}
	if err != nil {
		return err
	}
	t, err := k.Store.For(id).Tenant(ctx)
	if err != nil {
		return err
	}
	return k.depart(ctx, c, t, next, time.Time{})
}

// mayStart bounds how often a network begins.
func (k oidcPages) mayStart(c *fiber.Ctx) error {
	return k.mails.Admit(k.Now(), "too_many_tries", web.NetworkRates(web.IP(c), providerStarts, widerStarts)...)
}

// tenantOf is the tenant with a provider whose short name is in the path.
func (k oidcPages) tenantOf(ctx context.Context, c *fiber.Ctx) (tenants.Tenant, error) {
	id, err := k.Store.ProviderAt(ctx, web.Param(c, "slug"))
	if err != nil {
		return tenants.Tenant{}, err
	}
	return k.Store.For(id).Tenant(ctx)
}

// ask shows who signs in where, with a button. A visit alone begins nothing: any site can make a
// browser visit this address, and would so choose the organisation that the person ends up in.
func (k oidcPages) ask(ctx context.Context, c *fiber.Ctx) error {
	t, err := k.tenantOf(ctx, c)
	if err != nil {
		return err
	}
	return web.Page(c, views.ProviderStart(views.ProviderStartPage{Theme: page.ThemeOf(c), Tenant: t.Name, Action: views.OIDCPath(t.Slug),
		Next: page.OwnPath(web.Query(c, "next")), Fresh: web.Query(c, "fresh") != ""}), fiber.StatusOK)
}

// start begins a sign-in in the tenant with this short name. With fresh the provider must ask the
// person again, which counts as a proof of who they are.
func (k oidcPages) start(ctx context.Context, c *fiber.Ctx) error {
	if err := k.mayStart(c); err != nil {
		return err
	}
	t, err := k.tenantOf(ctx, c)
	if err != nil {
		return err
	}
	f, fresh := page.FormOf(c), time.Time{}
	if f.Text("fresh") != "" {
		fresh = k.Now()
	}
	return k.depart(ctx, c, t, page.OwnPath(f.Text("next")), fresh)
}

// depart notes the sign-in and sends the browser to the provider. The note is found by a secret
// that only this browser holds.
func (k oidcPages) depart(ctx context.Context, c *fiber.Ctx, t tenants.Tenant, next string, fresh time.Time) error {
	if err := k.mails.Admit(k.Now(), "too_many_tries", tenantStarts.For(string(t.ID))); err != nil {
		return err
	}
	p, err := k.Store.For(t.ID).Providers().Get(ctx)
	if err != nil {
		return err
	}
	if t.State != tenants.TenantActive {
		return tenants.ErrSuspended
	}
	secret := tenants.Secret(page.NewToken())
	to, err := k.OIDC.Start(ctx, p, oidc.Flow{Secret: secret, Callback: k.callback(), Fresh: fresh})
	if err != nil {
		return k.refused(ctx, c, t, err)
	}
	err = k.Store.StartAtProvider(ctx, store.ProviderStart{Hash: secret.Hash(), Tenant: t.ID, Next: next, Fresh: fresh,
		Expires: k.Now().Add(startTime), Network: web.Network(web.IP(c))})
	if err != nil {
		return err
	}
	k.SetCookie(c, k.oidcCookie(), string(secret), startTime, false)
	// No redirect: Chromium holds the redirects of a form to the page's form-action, which is
	// 'self'.
	c.Set("Refresh", "0; url="+to)
	return web.Page(c, views.ProviderLeave(views.ProviderLeavePage{Theme: page.ThemeOf(c), Tenant: t.Name, To: to}), fiber.StatusOK)
}

// arrive takes the browser back from the provider. The state must be of the flow that this browser
// began, and each flow works once.
func (k oidcPages) arrive(ctx context.Context, c *fiber.Ctx) error {
	secret := tenants.Secret(c.Cookies(k.oidcCookie()))
	k.SetCookie(c, k.oidcCookie(), "", 0, false)
	flow := oidc.Flow{Secret: tenants.Secret(string(append([]byte(nil), secret...))), Callback: k.callback()}
	if secret == "" || subtle.ConstantTimeCompare([]byte(flow.State()), []byte(web.Query(c, "state"))) != 1 {
		return tenants.Refuse(tenants.Gone, "sign_in_gone", otherFlow)
	}
	began, err := k.Store.FinishAtProvider(ctx, flow.Secret.Hash())
	if err != nil {
		return err
	}
	flow.Fresh = began.Fresh
	t, err := k.Store.For(began.Tenant).Tenant(ctx)
	if err != nil {
		return err
	}
	p, err := k.Store.For(t.ID).Providers().Get(ctx)
	switch {
	case err != nil:
		return err
	case t.State != tenants.TenantActive:
		return tenants.ErrSuspended
	case web.Query(c, "error") != "" || web.Query(c, "code") == "":
		return k.refused(ctx, c, t, &oidc.Refused{Why: providerSaidNo})
	case !oidc.SameIssuer(p, web.Query(c, "iss")):
		return k.refused(ctx, c, t, &oidc.Refused{Why: otherProvider})
	}
	who, err := k.OIDC.Finish(ctx, p, flow, web.Query(c, "code"))
	if err != nil {
		return k.refused(ctx, c, t, err)
	}
	user, err := k.Store.For(t.ID).By(strangerOf(c, who.Email)).Providers().Welcome(ctx, p, who)
	if err != nil {
		return k.refused(ctx, c, t, err)
	}
	if err := k.AdmitThrough(ctx, c, user, t.ID, who.At); err != nil {
		return err
	}
	return c.Redirect(orOverview(began.Next), fiber.StatusSeeOther)
}

// strangerOf is somebody whom a provider speaks of and who is not signed in yet.
func strangerOf(c *fiber.Ctx, email string) store.Who {
	return store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, Name: cmp.Or(email, "Somebody")}, IP: web.IP(c),
		RequestID: web.RequestID(c)}
}

// refused says why a sign-in was refused, and writes it into the tenant's record, where its
// administrators find it.
func (k oidcPages) refused(ctx context.Context, c *fiber.Ctx, t tenants.Tenant, err error) error {
	why := ""
	var no *oidc.Refused
	var ours *tenants.Error
	switch {
	case errors.As(err, &no):
		why = no.Why
		err = &tenants.Error{Kind: tenants.Forbidden, Code: "provider_refused", Msg: why, Err: err}
	case errors.As(err, &ours) && ours.Kind != tenants.Unavailable:
		why = ours.Msg
	default:
		return err
	}
	if e := k.Store.For(t.ID).By(strangerOf(c, "")).Audits().Refused(ctx, "user.sign_in", "provider", why); e != nil {
		return errors.Join(err, e)
	}
	return err
}
