package console

import (
	"context"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/views"
)

// proofPages ask people who are signed in to prove again who they are, before what is guarded most:
// a browser that was left open then shows no secret and changes no owner.
type proofPages struct{ *Console }

// askProof leads to the page that asks, and from there back. What a form sent is not kept: it may
// hold secrets. The page says that nothing was changed, and leads to where the form is.
func askProof(c *fiber.Ctx, r route) error {
	q := url.Values{"next": {page.OwnPath(c.OriginalURL())}}
	if r.method != get {
		q = url.Values{"next": {back(c)}, "again": {"1"}}
	}
	return c.Redirect(views.PathConfirmMe+"?"+q.Encode(), fiber.StatusSeeOther)
}

func (k proofPages) ask(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.page(ctx, c, v, views.ProofAsk{Next: orOverview(page.OwnPath(web.Query(c, "next"))), Again: web.Query(c, "again") != ""},
		fiber.StatusOK)
}

func (k proofPages) page(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p views.ProofAsk, status int) error {
	if !v.User.TwoSteps {
		p.Password = v.User.Email
	}
	mine, err := k.Store.Factors().Passkeys(ctx, v.User.ID)
	if err != nil {
		return err
	}
	p.Passkey = k.Passkeys != nil && len(mine) > 0
	shell, err := k.shell(ctx, c, v, at(confirmMeTitle, ""))
	if err != nil {
		return err
	}
	return web.Page(c, views.ConfirmMe(views.ConfirmMePage{Shell: shell, ProofAsk: p}), status)
}

// prove checks the password, or, of somebody with a second step, a code: a browser may have kept
// the password. It leads back.
func (k proofPages) prove(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	p := views.ProofAsk{Next: orOverview(page.OwnPath(f.Text("next"))), Again: f.Text("again") != ""}
	try, err := k.TryAs(v)
	answer := f.Raw("credential")
	passkey := answer != "" && k.Passkeys != nil
	switch {
	case err != nil:
	case passkey:
		err = k.TryPasskey(c)
	case v.User.TwoSteps:
		err = k.TryCode(c, v.User)
	}
	if err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return k.page(ctx, c, v, p, fiber.StatusTooManyRequests)
		})
	}
	ok, fault := false, wrongPassword
	switch {
	case passkey:
		_, fault, err = k.byPasskey(ctx, c, forProof+v.In.Origin, answer, v.User)
		if ok = fault == ""; !ok {
			fault = passkeyRefused
		}
	case v.User.TwoSteps:
		fault = wrongCode
		ok, err = k.codeOf(ctx, c, v.User, f.Text("code"))
	default:
		ok, err = k.Passwords.Match(ctx, true, f.Raw("password"), v.User.Password)
	}
	if err != nil {
		return err
	}
	if !ok {
		if !passkey { // byPasskey notes its own failures
			k.Failed(c, v.User.ID, v.User.Email)
		}
		p.Error = fault
		return k.page(ctx, c, v, p, fiber.StatusUnprocessableEntity)
	}
	try.Worked()
	if err := k.Prove(ctx, c, v); err != nil {
		return err
	}
	return c.Redirect(p.Next, fiber.StatusSeeOther)
}

// askProvider leads somebody whom a provider vouches for to it: they may have no password. It must
// ask them again.
func askProvider(c *fiber.Ctx, v *page.Visitor, r route) error {
	next := page.OwnPath(c.OriginalURL())
	if r.method != get {
		next = back(c)
	}
	q := url.Values{"fresh": {"1"}, "next": {next}}
	return c.Redirect(views.OIDCPath(v.Tenant.Slug)+"?"+q.Encode(), fiber.StatusSeeOther)
}

// ofAccount reports whether the address changes the person's account, which is theirs in every
// organisation: one organisation's provider must not be able to.
func ofAccount(path string) bool {
	return strings.HasPrefix(path, "/account") && path != views.PathSignInEnd
}
