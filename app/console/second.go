package console

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// secondPages ask for a second proof at sign-in, and let people set one up.
type secondPages struct{ *Console }

func (k *Console) secondRoutes() []route {
	x := secondPages{k}
	return []route{
		{method: get, path: views.PathSecond, sample: "second", public: x.ask},
		{method: post, path: views.PathSecond, public: x.prove},
		{method: post, path: views.PathTwoSteps, needs: maySettings, stepUp: true, member: x.setRule},
		{method: get, path: views.PathApp, sample: "app", stepUp: true, own: true, member: x.appForm},
		{method: post, path: views.PathApp, stepUp: true, own: true, member: x.setApp},
		{method: get, path: views.PathAppRemove, sample: "app-remove", stepUp: true, own: true, member: k.confirmed(x.appRemoval)},
		{method: post, path: views.PathAppRemove, stepUp: true, own: true, member: k.confirmed(x.appRemoval)},
		{method: get, path: views.PathRecovery, sample: "recovery", stepUp: true, own: true, member: x.recoveryForm},
		{method: post, path: views.PathRecovery, stepUp: true, own: true, member: x.newRecovery},
	}
}

// halfTime is how long the second proof may take.
const halfTime = 10 * time.Minute

func (k *Console) halfCookie() string { return k.CookieName() + "-half" }

// letIn signs a person in whose password was right, or asks for the second proof first.
func (k *Console) letIn(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID, next string) error {
	if !u.TwoSteps {
		if err := k.Admit(ctx, c, u, t); err != nil {
			return err
		}
		return c.Redirect(next, fiber.StatusSeeOther)
	}
	token := page.NewToken()
	if err := k.Store.Factors().AddHalf(ctx, store.HalfSignIn{Hash: tenants.Secret(token).Hash(), User: u.ID, Tenant: t,
		ExpiresAt: k.Now().Add(halfTime), Password: u.Password}); err != nil {
		return err
	}
	k.SetCookie(c, k.halfCookie(), token, halfTime, false)
	return c.Redirect(views.PathSecond+"?next="+url.QueryEscape(next), fiber.StatusSeeOther)
}

// half is whose second proof this browser owes; Unauthorized when nobody's.
func (k secondPages) half(ctx context.Context, c *fiber.Ctx) (store.HalfSignIn, tenants.User, error) {
	return k.Store.Factors().Half(ctx, tenants.Secret(c.Cookies(k.halfCookie())).Hash(), k.Now())
}

func (k secondPages) ask(ctx context.Context, c *fiber.Ctx) error {
	if _, _, err := k.half(ctx, c); tenants.KindOf(err) == tenants.Unauthorized && err != nil {
		return c.Redirect(views.PathSignIn, fiber.StatusSeeOther)
	} else if err != nil {
		return err
	}
	return web.Page(c, views.Second(k.secondPage(c, web.Query(c, "next"))), fiber.StatusOK)
}

func (k secondPages) secondPage(c *fiber.Ctx, next string) views.SecondPage {
	return views.SecondPage{Theme: page.ThemeOf(c), SecondAsk: views.SecondAsk{Next: orOverview(page.OwnPath(next)),
		Passkeys: k.Passkeys != nil}}
}

func (k secondPages) prove(ctx context.Context, c *fiber.Ctx) error {
	in, user, err := k.half(ctx, c)
	if tenants.KindOf(err) == tenants.Unauthorized && err != nil {
		return c.Redirect(views.PathSignIn, fiber.StatusSeeOther)
	} else if err != nil {
		return err
	}
	f := page.FormOf(c)
	p := k.secondPage(c, f.Text("next"))
	if err := k.TryCode(c, user); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Second(p), fiber.StatusTooManyRequests)
		})
	}
	ok, err := k.codeOf(ctx, c, user, f.Text("code"))
	if err != nil {
		return err
	}
	if !ok {
		k.Failed(c, user.ID, user.Email)
		p.Error = wrongCode
		return web.Page(c, views.Second(p), fiber.StatusUnauthorized)
	}
	if ended, err := k.Store.Factors().EndHalf(ctx, in.Hash); err != nil || !ended {
		return c.Redirect(views.PathSignIn, fiber.StatusSeeOther)
	}
	k.SetCookie(c, k.halfCookie(), "", 0, false)
	if err := k.Admit(ctx, c, user, in.Tenant); err != nil {
		return err
	}
	return c.Redirect(p.Next, fiber.StatusSeeOther)
}

// codeOf reports whether a person has this code now: one of their app, or a recovery code. Either
// is used up by it.
func (k *Console) codeOf(ctx context.Context, c *fiber.Ctx, u tenants.User, typed string) (bool, error) {
	if code, ok := factor.ParseRecoveryCode(typed); ok {
		return k.Store.Factors().UseRecoveryCode(ctx, page.WhoOf(c, u), u.ID, code)
	}
	seed, last, err := k.Store.Factors().Authenticator(ctx, u.ID)
	if err != nil || seed == "" {
		return false, err
	}
	step, ok := factor.CheckCode(seed, typed, last, k.Now())
	if !ok {
		return false, nil
	}
	return k.Store.Factors().UseStep(ctx, u.ID, step)
}

// appForm shows a new seed. Nothing is kept until a code has confirmed it: the form carries the
// seed, so that reading the page writes nothing.
func (k secondPages) appForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.appPage(ctx, c, v, factor.NewSeed(), "", fiber.StatusOK)
}

func (k secondPages) appPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, seed, fault string, status int) error {
	uri, err := factor.SeedURI(seed, v.User.Email)
	if err != nil {
		return err
	}
	p := views.AppPage{AppNew: views.AppNew{Seed: seed, Error: fault}, Required: v.Tenant.TwoSteps && !v.User.TwoSteps}
	if p.QR, err = web.QRDots(uri, false); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at(appTitle, "", up(accountTitle, views.PathAccount))); err != nil {
		return err
	}
	return web.Page(c, views.App(p), status)
}

// setApp keeps the seed once a code shows that the app has it. The first second step comes with
// recovery codes.
func (k secondPages) setApp(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	seed := f.Text("seed")
	if !factor.ValidSeed(seed) {
		seed = factor.NewSeed()
	}
	step, ok := factor.CheckCode(seed, f.Text("code"), 0, k.Now())
	if !ok {
		return k.appPage(ctx, c, v, seed, wrongFirstCode, fiber.StatusUnprocessableEntity)
	}
	if err := k.Store.Factors().SetAuthenticator(ctx, v.Who, v.User.ID, seed, step, v.In.Hash); err != nil {
		return err
	}
	return k.codesOnce(ctx, c, v)
}

// codesOnce leads on after a second step was added: to recovery codes if the person has none.
func (k secondPages) codesOnce(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	n, err := k.Store.Factors().RecoveryCodes(ctx, v.User.ID)
	if err != nil {
		return err
	}
	if n > 0 {
		return k.Done(c, page.FlashSaved, views.PathAccount)
	}
	return k.newRecovery(ctx, c, v)
}

func (k secondPages) appRemoval(_ context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	return confirmation{ask: removalOfApp(), title: appRemoveTitle, up: up(accountTitle, views.PathAccount),
		do: func(ctx context.Context) error {
			return k.Store.Factors().RemoveAuthenticator(ctx, v.Who, v.User.ID, v.In.Hash)
		}, said: page.FlashRemoved, next: views.PathAccount}, nil
}

// recoveryForm asks before the codes of before stop working.
func (k secondPages) recoveryForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.confirm(ctx, c, v, confirmation{ask: newCodes(), title: recoveryTitle, up: up(accountTitle, views.PathAccount)},
		fiber.StatusOK)
}

// newRecovery makes ten codes and shows them once.
func (k secondPages) newRecovery(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if u, err := k.Store.Users().Get(ctx, v.User.ID); err != nil || !u.TwoSteps {
		if err != nil {
			return err
		}
		return c.Redirect(views.PathApp, fiber.StatusSeeOther)
	}
	codes := factor.NewRecoveryCodes()
	if err := k.Store.Factors().SetRecoveryCodes(ctx, v.Who, v.User.ID, codes); err != nil {
		return err
	}
	p := views.RecoveryPage{}
	for _, one := range codes {
		p.Codes = append(p.Codes, string(one))
	}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at(recoveryTitle, "", up(accountTitle, views.PathAccount))); err != nil {
		return err
	}
	return web.Page(c, views.Recovery(p), fiber.StatusOK)
}

// steps is what the account page says of the person's second step.
func (k *Console) steps(ctx context.Context, v *page.Visitor) (s views.Steps, err error) {
	seed, _, err := k.Store.Factors().Authenticator(ctx, v.User.ID)
	if err != nil {
		return s, err
	}
	n, err := k.Store.Factors().RecoveryCodes(ctx, v.User.ID)
	s = views.Steps{On: v.User.TwoSteps, App: seed != "", Required: v.Tenant.TwoSteps, Codes: views.PathRecovery}
	if s.On {
		s.Left = strconv.Itoa(n)
	}
	return s, err
}

// setRule says whether everybody of the tenant needs a second step. An owner without one would lock
// themselves out of changing it back, and is refused.
func (k secondPages) setRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	on := page.FormOf(c).Text("two_steps") != ""
	switch {
	case v.Role != tenants.Owner:
		return mayRank(v, tenants.Owner)
	case on && !v.User.TwoSteps:
		return tenants.Refuse(tenants.Conflict, "no_second_step", ownStepFirst)
	}
	if err := v.Scope.RequireTwoSteps(ctx, on); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathSettings)
}
