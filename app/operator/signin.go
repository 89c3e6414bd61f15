package operator

import (
	"context"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// signInPages serve signing in and out, and the link of a new operator.
type signInPages struct{ *Console }

func (k signInPages) form(ctx context.Context, c *fiber.Ctx) error {
	if _, err := k.visitor(ctx, c); err == nil {
		return c.Redirect("/", fiber.StatusSeeOther)
	}
	p := k.page(c)
	if f := k.Flash(c); f != nil {
		p.Note = f.Text
	}
	return web.Page(c, pages.SignIn(p), fiber.StatusOK)
}

func (k signInPages) page(c *fiber.Ctx) pages.SignInPage {
	p := pages.SignInPage{Theme: page.ThemeOf(c), Passkeys: k.Passkeys != nil}
	if k.Dev != nil {
		p.Dev = devSignIn(*k.Dev())
	}
	return p
}

// enter checks address and password, and asks for the code then. What it answers to an unknown
// address and to a wrong password is the same and takes as long.
func (k signInPages) enter(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	p := k.page(c)
	p.Email = page.Shown(page.Clip(f.Text("email"), 254), 254)
	email, _ := tenants.ParseEmail(p.Email)
	try, err := k.Try(c, email)
	if err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, pages.SignIn(p), fiber.StatusTooManyRequests)
		})
	}
	o, err := k.Store.Operators().ByEmail(ctx, email)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	phc := ""
	if err == nil && o.Ready && o.DisabledAt.IsZero() {
		phc = o.Password
	}
	ok, err := k.Passwords.Match(ctx, try.Known, f.Raw("password"), phc)
	if err != nil {
		return err
	}
	if ok {
		err := k.admit(ctx, c, o, signedIn{half: true})
		ok = err == nil
		if err != nil && tenants.KindOf(err) != tenants.Unauthorized { // that is a password which was changed meanwhile
			return err
		}
	}
	if !ok {
		if err := k.refused(ctx, c, o, failedPassword); err != nil {
			return err
		}
		p.Error = wrongSignIn
		return web.Page(c, pages.SignIn(p), fiber.StatusUnauthorized)
	}
	try.Worked()
	return c.Redirect(views.PathSecond, fiber.StatusSeeOther)
}

// recordRate is how many failed attempts become entries of the record.
var recordRate = tenants.Rate{Of: "record", Every: 10 * time.Second, Burst: 100, Shared: true}

// failure is a failed attempt as the record has it.
type failure struct {
	who    store.Who
	action string
	of     tenants.Operator
	why    string
}

// failed records a failed attempt. What was typed is not in it, because people type passwords into
// the wrong field. Nobody can remove an entry, so strangers can add few: beyond the rate an attempt
// is only in the server's log.
func (k *Console) failed(ctx context.Context, f failure) error {
	if k.failures.Admit(k.Now(), "too_many_tries", recordRate) != nil {
		k.Log.LogAttrs(ctx, slog.LevelWarn, "failed attempt of an operator, not in the record", slog.String("ip", f.who.IP),
			slog.String("action", f.action), slog.String("operator", string(f.of.ID)), slog.String("why", f.why))
		return nil
	}
	return k.Store.Operators().Record(ctx, f.who, f.action, string(f.of.ID), f.of.Name, f.why, true)
}

// refused records a failed sign-in of somebody who is not known yet. It writes the same for an
// address that nobody has, so that the time of the answer does not tell.
func (k signInPages) refused(ctx context.Context, c *fiber.Ctx, o tenants.Operator, why string) error {
	who := store.Who{Actor: tenants.System, IP: web.IP(c), RequestID: web.RequestID(c)}
	return k.failed(ctx, failure{who: who, action: "operator.sign_in", of: o, why: why})
}

func (k signInPages) codePage(c *fiber.Ctx) pages.SecondPage {
	p := pages.SecondPage{Theme: page.ThemeOf(c), SecondAsk: views.SecondAsk{Passkeys: k.Passkeys != nil}}
	if k.Dev != nil {
		p.Dev = devCode(*k.Dev())
	}
	return p
}

func (k signInPages) askCode(ctx context.Context, c *fiber.Ctx) error {
	v, err := k.anyVisitor(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(pages.PathSignIn, fiber.StatusSeeOther)
	case err != nil:
		return err
	case !v.in.Half:
		return c.Redirect("/", fiber.StatusSeeOther)
	}
	return web.Page(c, pages.Second(k.codePage(c)), fiber.StatusOK)
}

func (k signInPages) giveCode(ctx context.Context, c *fiber.Ctx) error {
	v, err := k.anyVisitor(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(pages.PathSignIn, fiber.StatusSeeOther)
	case err != nil:
		return err
	}
	p := k.codePage(c)
	if err := k.TryCode(c, asUser(v.operator)); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, pages.Second(p), fiber.StatusTooManyRequests)
		})
	}
	ok, err := k.codeOf(ctx, v, page.FormOf(c).Text("code"))
	if err != nil {
		return err
	}
	if !ok {
		if err := k.refused(ctx, c, v.operator, failedCode); err != nil {
			return err
		}
		p.Error = wrongCode
		return web.Page(c, pages.Second(p), fiber.StatusUnauthorized)
	}
	switch err := k.admit(ctx, c, v.operator, signedIn{completes: true}); {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(pages.PathSignIn, fiber.StatusSeeOther)
	case err != nil:
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

// codeOf reports whether an operator has this code now: one of their app, or a recovery code.
// Either is used up by it.
func (k *Console) codeOf(ctx context.Context, v *visitor, typed string) (bool, error) {
	if code, ok := factor.ParseRecoveryCode(typed); ok {
		return k.Store.Operators().UseCode(ctx, v.who, v.operator.ID, code)
	}
	seed, last, err := k.Store.Operators().Authenticator(ctx, v.operator.ID)
	if err != nil || seed == "" {
		return false, err
	}
	step, ok := factor.CheckCode(seed, typed, last, k.Now())
	if !ok {
		return false, nil
	}
	return k.Store.Operators().UseStep(ctx, v.operator.ID, step)
}

func (k signInPages) leave(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	if err := k.Store.Operators().SignOut(ctx, v.in.Hash); err != nil {
		return err
	}
	k.SetCookie(c, k.CookieName(), "", 0, false)
	c.Set("Clear-Site-Data", `"cache"`)
	return k.Done(c, page.FlashSignedOut, pages.PathSignIn)
}

// link is whose link the address has.
func (k signInPages) link(ctx context.Context, c *fiber.Ctx) (tenants.Hash, tenants.Operator, error) {
	h := tenants.Secret(web.Param(c, "token")).Hash()
	o, err := k.Store.Operators().OfLink(ctx, h, k.Now())
	return h, o, err
}

func (k signInPages) welcome(ctx context.Context, c *fiber.Ctx) error {
	_, o, err := k.link(ctx, c)
	if tenants.KindOf(err) == tenants.Gone {
		return linkGone(c)
	}
	if err != nil {
		return err
	}
	return k.welcomePage(c, o, welcomed{passkey: web.Query(c, "with") == "passkey"}, fiber.StatusOK)
}

func linkGone(c *fiber.Ctx) error {
	return web.Page(c, pages.Welcome(pages.WelcomePage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
}

// welcomed is what the page for a new operator shows.
type welcomed struct {
	passkey bool   // in place of an app
	seed    string // empty = a new one
	fault   string
}

func (k signInPages) welcomePage(c *fiber.Ctx, o tenants.Operator, w welcomed, status int) error {
	token := web.Param(c, "token")
	p := pages.WelcomePage{Theme: page.ThemeOf(c), Email: o.Email, Action: pages.WelcomePath(token),
		AppNew: views.AppNew{Error: w.fault}, Passkeys: k.Passkeys != nil}
	if w.passkey && p.Passkeys {
		p.Begin = pages.WelcomeAskPath(token)
		return web.Page(c, pages.Welcome(p), status)
	}
	if p.Seed = w.seed; !factor.ValidSeed(w.seed) {
		p.Seed = factor.NewSeed()
	}
	uri, err := factor.SeedURI(p.Seed, o.Email)
	if err != nil {
		return err
	}
	if p.QR, err = web.QRDots(uri, false); err != nil {
		return err
	}
	return web.Page(c, pages.Welcome(p), status)
}

// enrol keeps password and second step, signs the operator in and shows recovery codes. An app is
// kept once a code shows that it has the seed.
func (k signInPages) enrol(ctx context.Context, c *fiber.Ctx) error {
	h, o, err := k.link(ctx, c)
	if tenants.KindOf(err) == tenants.Gone {
		return linkGone(c)
	}
	if err != nil {
		return err
	}
	f := page.FormOf(c)
	w := welcomed{seed: f.Text("seed"), passkey: k.Passkeys != nil && f.Raw("credential") != ""}
	w.fault = k.CheckPassword(ctx, f.Raw("password"), page.About{Email: o.Email, Name: o.Name})
	e := store.Enrolment{Codes: factor.NewRecoveryCodes()}
	if w.fault == "" {
		if w.fault, err = k.secondStep(ctx, c, o, w, &e); err != nil {
			return err
		}
	}
	if w.fault != "" {
		return k.welcomePage(c, o, w, fiber.StatusUnprocessableEntity)
	}
	if e.Password, err = k.Passwords.Hash(ctx, true, f.Raw("password")); err != nil {
		return err
	}
	if o, err = k.Store.Operators().Enrol(ctx, h, e, whoOf(c, o)); err != nil {
		return err
	}
	o.Password = e.Password
	how := signedIn{}
	if w.passkey {
		how.with = passkeyToo
	}
	if err := k.admit(ctx, c, o, how); err != nil {
		return err
	}
	return showCodes(c, e.Codes)
}

// secondStep reads the app or the passkey of a new operator into e. fault says what is wrong.
func (k signInPages) secondStep(ctx context.Context, c *fiber.Ctx, o tenants.Operator, w welcomed, e *store.Enrolment) (fault string,
	err error) {
	if w.passkey {
		one, why, err := k.made(ctx, c, o, forWelcome, page.Shown(browserOf(c), page.MostPasskeyName))
		e.Passkey = &one
		return why, err
	}
	ok := factor.ValidSeed(w.seed)
	if ok {
		e.Seed = w.seed
		e.Step, ok = factor.CheckCode(w.seed, page.FormOf(c).Text("code"), 0, k.Now())
	}
	if !ok {
		return wrongFirstCode, nil
	}
	return "", nil
}

func showCodes(c *fiber.Ctx, codes []tenants.Secret) error {
	p := pages.CodesPage{Theme: page.ThemeOf(c)}
	for _, one := range codes {
		p.Codes = append(p.Codes, string(one))
	}
	return web.Page(c, pages.Codes(p), fiber.StatusOK)
}

// askCodes asks before the codes of before stop working.
func (k signInPages) askCodes(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	left, err := k.Store.Operators().CodesLeft(ctx, v.operator.ID)
	if err != nil {
		return err
	}
	return web.Page(c, pages.Confirm(k.shell(c, v, recoveryTitle, ""), newCodes(left)), fiber.StatusOK)
}

func (k signInPages) newCodes(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	codes := factor.NewRecoveryCodes()
	if err := k.Store.Operators().SetCodes(ctx, v.who, v.operator.ID, codes); err != nil {
		return err
	}
	return showCodes(c, codes)
}

// theme keeps the colour scheme in a cookie.
func (k signInPages) theme(_ context.Context, c *fiber.Ctx) error {
	t := views.Theme(page.FormOf(c).Text("theme"))
	if t != views.ThemeLight && t != views.ThemeDark {
		t = views.ThemeAuto
	}
	k.SetCookie(c, page.ThemeCookie, string(t), 365*24*time.Hour, true)
	return c.Redirect(k.back(c, "/"), fiber.StatusSeeOther)
}
