package operator

import (
	"context"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
	pages "carillon/views/operator"
)

// accountPages show operators what they sign in with, and ask them to prove again who they are.
type accountPages struct{ *Console }

func (k *Console) accountRoutes() []route {
	x, in := accountPages{k}, signInPages{k}
	return []route{
		{method: get, path: views.PathAccount, operator: x.account},
		{method: post, path: views.PathSignInEnd, operator: x.endOthers},
		{method: get, path: views.PathConfirmMe, operator: x.ask},
		{method: post, path: views.PathConfirmMe, operator: x.prove},
		{method: get, path: views.PathPassword, stepUp: true, operator: x.passwordForm},
		{method: post, path: views.PathPassword, stepUp: true, operator: x.setPassword},
		{method: get, path: views.PathApp, stepUp: true, operator: x.appForm},
		{method: post, path: views.PathApp, stepUp: true, operator: x.setApp},
		{method: get, path: pages.PathCodes, stepUp: true, operator: in.askCodes},
		{method: post, path: pages.PathCodes, stepUp: true, operator: in.newCodes},
	}
}

func (k accountPages) account(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	left, err := k.Store.Operators().CodesLeft(ctx, v.operator.ID)
	if err != nil {
		return err
	}
	p := pages.AccountPage{Shell: k.shell(c, v, accountTitle, ""), Facts: accountFacts(v.operator),
		Steps: views.Steps{On: true, App: v.operator.App, Kept: true, Left: views.Count(left), Codes: pages.PathCodes}}
	if p.Passkeys, err = k.passkeyRows(ctx, v); err != nil {
		return err
	}
	all, err := k.Store.Operators().SignIns(ctx, v.operator.ID, k.Now())
	if err != nil {
		return err
	}
	for _, in := range all {
		p.SignIns = append(p.SignIns, views.SignInRow{From: in.IP, With: page.BrowserOf(in.UserAgent), Since: at(in.CreatedAt),
			Here: in.Hash == v.in.Hash})
	}
	return web.Page(c, pages.Account(p), fiber.StatusOK)
}

func (k *Console) passkeyRows(ctx context.Context, v *visitor) (p views.Passkeys, err error) {
	if p.Off = k.Passkeys == nil; p.Off {
		p.Why = passkeysNeedDomain
		return p, nil
	}
	all, err := k.Store.Operators().Passkeys(ctx, v.operator.ID)
	for _, one := range all {
		p.Rows = append(p.Rows, views.PasskeyRow{ID: string(one.ID), Name: one.Name, Added: at(one.CreatedAt), Used: at(one.UsedAt),
			Unused: one.UsedAt.IsZero()})
	}
	return p, err
}

// endOthers ends the operator's sign-ins in other browsers.
func (k accountPages) endOthers(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	if err := k.Store.Operators().EndSignIns(ctx, v.who, v.operator.ID, v.in.Hash); err != nil {
		return err
	}
	return k.Done(c, page.FlashSignInsEnded, views.PathAccount)
}

// askProof leads to the page that asks, and from there back. What a form sent is not kept; the page
// says that nothing was changed.
func (k *Console) askProof(c *fiber.Ctx, r route) error {
	q := url.Values{"next": {page.OwnPath(c.OriginalURL())}}
	if r.method != get {
		q = url.Values{"next": {k.back(c, pages.PathTenants)}, "again": {"1"}}
	}
	return c.Redirect(views.PathConfirmMe+"?"+q.Encode(), fiber.StatusSeeOther)
}

func (k accountPages) ask(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.confirmPage(ctx, c, v, views.ProofAsk{Next: orTenants(page.OwnPath(web.Query(c, "next"))),
		Again: web.Query(c, "again") != ""}, fiber.StatusOK)
}

func (k accountPages) confirmPage(ctx context.Context, c *fiber.Ctx, v *visitor, p views.ProofAsk, status int) error {
	mine, err := k.Store.Operators().Passkeys(ctx, v.operator.ID)
	if err != nil {
		return err
	}
	p.Passkey = k.Passkeys != nil && len(mine) > 0
	if k.Dev != nil {
		p.Dev = devCode(*k.Dev())
	}
	return web.Page(c, pages.ConfirmMe(pages.ConfirmMePage{Shell: k.shell(c, v, confirmMeTitle, ""), ProofAsk: p}), status)
}

// prove checks a code or a passkey, and leads back.
func (k accountPages) prove(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	f := page.FormOf(c)
	p := views.ProofAsk{Next: orTenants(page.OwnPath(f.Text("next"))), Again: f.Text("again") != ""}
	answer := f.Raw("credential")
	passkey := answer != "" && k.Passkeys != nil
	var err error
	if passkey {
		err = k.TryPasskey(c)
	} else {
		err = k.TryCode(c, asUser(v.operator))
	}
	if err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return k.confirmPage(ctx, c, v, p, fiber.StatusTooManyRequests)
		})
	}
	if p.Error, err = k.proof(ctx, c, v, passkey, answer, f.Text("code")); err != nil {
		return err
	}
	if p.Error != "" {
		return k.confirmPage(ctx, c, v, p, fiber.StatusUnprocessableEntity)
	}
	if err := k.proved(ctx, c, v); err != nil {
		return err
	}
	return c.Redirect(p.Next, fiber.StatusSeeOther)
}

// proof checks a passkey or a code. why says why it is none; the record has that too.
func (k accountPages) proof(ctx context.Context, c *fiber.Ctx, v *visitor, passkey bool, answer, code string) (why string, err error) {
	if passkey {
		_, why, err = k.byPasskey(ctx, c, forProof+string(v.operator.ID), answer, v.operator.ID)
		if err != nil || why != passkeyRefused {
			return why, err
		}
		return why, k.failed(ctx, failure{who: v.who, action: "operator.proof", of: v.operator, why: failedPasskey})
	}
	ok, err := k.codeOf(ctx, v, code)
	if err != nil || ok {
		return "", err
	}
	return wrongCode, k.failed(ctx, failure{who: v.who, action: "operator.proof", of: v.operator, why: failedCode})
}

// proved notes that an operator proved again who they are, and gives their sign-in a new token.
func (k *Console) proved(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	now, token := k.Now(), page.NewToken()
	if err := k.Store.Operators().Prove(ctx, v.in.Hash, tenants.Secret(token).Hash(), now); err != nil {
		return err
	}
	k.SetCookie(c, k.CookieName(), token, v.in.ExpiresAt.Sub(now), false)
	return nil
}

// appForm shows a new seed. Nothing is kept until a code has confirmed it.
func (k accountPages) appForm(_ context.Context, c *fiber.Ctx, v *visitor) error {
	return k.appPage(c, v, factor.NewSeed(), "", fiber.StatusOK)
}

func (k accountPages) appPage(c *fiber.Ctx, v *visitor, seed, fault string, status int) error {
	uri, err := factor.SeedURI(seed, v.operator.Email)
	if err != nil {
		return err
	}
	p := pages.AppPage{Shell: k.shell(c, v, appTitle, "", up(accountTitle, views.PathAccount)),
		AppNew: views.AppNew{Seed: seed, Error: fault}, Had: v.operator.App}
	if p.QR, err = web.QRDots(uri, false); err != nil {
		return err
	}
	return web.Page(c, pages.App(p), status)
}

// setApp keeps the seed once a code shows that the app has it.
func (k accountPages) setApp(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	f := page.FormOf(c)
	seed := f.Text("seed")
	if !factor.ValidSeed(seed) {
		seed = factor.NewSeed()
	}
	step, ok := factor.CheckCode(seed, f.Text("code"), 0, k.Now())
	if !ok {
		return k.appPage(c, v, seed, wrongFirstCode, fiber.StatusUnprocessableEntity)
	}
	if err := k.Store.Operators().SetAuthenticator(ctx, v.who, v.operator.ID, seed, step, v.in.Hash); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathAccount)
}

func (k accountPages) passwordForm(_ context.Context, c *fiber.Ctx, v *visitor) error {
	return k.passwordPage(c, v, pages.PasswordPage{}, fiber.StatusOK)
}

func (k accountPages) passwordPage(c *fiber.Ctx, v *visitor, p pages.PasswordPage, status int) error {
	p.Shell = k.shell(c, v, passwordTitle, "", up(accountTitle, views.PathAccount))
	return web.Page(c, pages.Password(p), status)
}

// setPassword changes the operator's own password, for who knows the one of before. Their sign-ins
// end but this one, which gets a new token.
func (k accountPages) setPassword(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	f := page.FormOf(c)
	back := func(p pages.PasswordPage) error { return k.passwordPage(c, v, p, fiber.StatusUnprocessableEntity) }
	if _, err := k.TryAs(&page.Visitor{User: asUser(v.operator)}); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			return k.passwordPage(c, v, pages.PasswordPage{Current: msg}, fiber.StatusTooManyRequests)
		})
	}
	current, fresh := f.Raw("current"), f.Raw("password")
	ok, err := k.Passwords.Match(ctx, true, current, v.operator.Password)
	if err != nil {
		return err
	}
	if !ok {
		if err := k.failed(ctx, failure{who: v.who, action: "operator.password", of: v.operator, why: failedCurrent}); err != nil {
			return err
		}
		return back(pages.PasswordPage{Current: wrongCurrent})
	}
	fault := k.CheckPassword(ctx, fresh, page.About{Email: v.operator.Email, Name: v.operator.Name})
	if fault == "" && fresh == current {
		fault = samePassword
	}
	if fault != "" {
		return back(pages.PasswordPage{New: fault})
	}
	phc, err := k.Passwords.Hash(ctx, true, fresh)
	if err != nil {
		return err
	}
	token := page.NewToken()
	if err := k.Store.Operators().SetPassword(ctx, v.who, v.operator.ID, phc, v.in.Hash, tenants.Secret(token).Hash()); err != nil {
		return err
	}
	k.SetCookie(c, k.CookieName(), token, v.in.ExpiresAt.Sub(k.Now()), false)
	return k.Done(c, page.FlashPassword, views.PathAccount)
}

func orTenants(next string) string {
	if next == "" {
		return pages.PathTenants
	}
	return next
}

// asUser is an operator for limits that know people.
func asUser(o tenants.Operator) tenants.User {
	return tenants.User{ID: tenants.UserID(o.ID), Email: o.Email}
}

// browserOf says what the browser claims to be.
func browserOf(c *fiber.Ctx) string { return page.BrowserOf(web.Header(c, fiber.HeaderUserAgent)) }
