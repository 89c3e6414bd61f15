package operator

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// How long a sign-in lasts. It is shorter than one of a tenant's console: it opens more.
const (
	idleTime   = time.Hour        // when nobody does anything
	signInTime = 12 * time.Hour   // in any case
	halfTime   = 10 * time.Minute // for the code, after the password
	touchEvery = 5 * time.Minute  // how exactly idleness is known
)

// visitor is an operator who is signed in.
type visitor struct {
	operator tenants.Operator
	in       store.OperatorSignIn
	who      store.Who
}

type visitorKey struct{}

// holder is the operator as a holder of what all share.
func (v *visitor) holder() web.Holder {
	return web.Holder{Kind: web.KindPerson, ID: string(v.operator.ID)}
}

// whoOf is an operator as the actor of what a request changes.
func whoOf(c *fiber.Ctx, o tenants.Operator) store.Who {
	return store.Who{Actor: o.Actor(), IP: web.IP(c), RequestID: web.RequestID(c)}
}

// visitor finds who is there by the cookie. Anyone else is Unauthorized, also an operator who still
// has to give a code, and one who was disabled.
func (k *Console) visitor(ctx context.Context, c *fiber.Ctx) (*visitor, error) {
	v, err := k.anyVisitor(ctx, c)
	if err == nil && v.in.Half {
		err = notSignedIn()
	}
	if err != nil {
		return nil, err
	}
	page.HeldBy(c, v.holder())
	if now := k.Now(); v.in.IdleAt.Sub(now) < idleTime-touchEvery {
		return v, k.Store.Operators().Touch(ctx, v.in.Hash, now.Add(idleTime))
	}
	return v, nil
}

// anyVisitor is visitor for a sign-in that may lack its code.
func (k *Console) anyVisitor(ctx context.Context, c *fiber.Ctx) (*visitor, error) {
	token := c.Cookies(k.CookieName())
	if token == "" {
		return nil, notSignedIn()
	}
	in, o, err := k.Store.Operators().Find(ctx, tenants.Secret(token).Hash(), k.Now())
	if err != nil {
		return nil, err
	}
	return &visitor{operator: o, in: in, who: whoOf(c, o)}, nil
}

func notSignedIn() error { return tenants.Refuse(tenants.Unauthorized, "unauthorized", signInFirst) }

// signedIn is how somebody signed in.
type signedIn struct {
	half      bool   // the second step is still to come
	completes bool   // it completes the half that the browser has
	with      string // what the record says of it
}

// admit keeps a new sign-in in place of the one that the browser had. A whole one makes the browser
// a known one, which strangers who guess cannot lock out. It is Unauthorized where the operator's
// password changed since o was read, or where the half that it completes was ended.
func (k *Console) admit(ctx context.Context, c *fiber.Ctx, o tenants.Operator, how signedIn) error {
	now, token := k.Now(), page.NewToken()
	in := store.OperatorSignIn{Hash: tenants.Secret(token).Hash(), Operator: o.ID, Half: how.half, With: how.with, Password: o.Password,
		Completes: how.completes, CreatedAt: now, IdleAt: now.Add(idleTime), ExpiresAt: now.Add(signInTime), IP: web.IP(c),
		UserAgent: page.Clip(web.Header(c, fiber.HeaderUserAgent), 200)}
	if how.half {
		in.ExpiresAt = now.Add(halfTime)
	}
	old := tenants.Secret(c.Cookies(k.CookieName())).Hash()
	if err := k.Store.Operators().SignIn(ctx, whoOf(c, o), in, old); err != nil {
		return err
	}
	if !how.half {
		if err := k.Know(c, o.Email); err != nil {
			return err
		}
	}
	k.SetCookie(c, k.CookieName(), token, in.ExpiresAt.Sub(now), false)
	return nil
}

// ErrorPage draws a refusal: with the navigation for an operator, else alone. It is web.Config's
// hook.
func (k *Console) ErrorPage(c *fiber.Ctx, status int, title, detail, requestID string) error {
	p := views.ErrorPage{Theme: page.ThemeOf(c), Status: status, Title: title, Cause: detail, Cure: cureOf(status), RequestID: requestID,
		Back: views.Link{Text: toSignIn, Href: pages.PathSignIn}}
	c.Response().ResetBody()
	if v, ok := c.Locals(visitorKey{}).(*visitor); ok {
		return web.Page(c, pages.Refused(k.shell(c, v, title, ""), p), status)
	}
	return web.Page(c, views.Error(p), status)
}
