package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// passkeyPages let people register passkeys, and sign in and prove themselves with one. The script
// passkey.js asks the browser; without it the forms stay hidden.
type passkeyPages struct{ *Console }

func (k *Console) passkeyRoutes() []route {
	x := passkeyPages{k}
	all := []route{
		{method: post, path: views.PathPasskeyAsk, part: true, public: x.askAnybody},
		{method: post, path: views.PathPasskeyIn, public: x.signIn},
		{method: post, path: views.PathConfirmAsk, part: true, own: true, member: x.askProof},
		{method: get, path: views.PathPasskeyAdd, sample: "passkey-add", stepUp: true, own: true, member: x.form},
		{method: post, path: views.PathPasskeyAdd, stepUp: true, own: true, member: x.add},
		{method: post, path: views.PathPasskeyNew, part: true, stepUp: true, own: true, member: x.askNew},
		{method: post, path: views.PasskeyPath(":id"), own: true, stepUp: true, member: x.rename},
		{method: get, path: views.PasskeyRemovePath(":id"), sample: "passkey-remove", stepUp: true, own: true,
			member: k.confirmed(x.removal)},
		{method: post, path: views.PasskeyRemovePath(":id"), stepUp: true, own: true, member: k.confirmed(x.removal)},
	}
	for i, r := range all {
		if r.method == post && k.Passkeys == nil { // the page says why
			all[i].public, all[i].member = refusePasskeys(r)
		}
	}
	return all
}

// refusePasskeys answers for a route where the server cannot have passkeys.
func refusePasskeys(r route) (public func(context.Context, *fiber.Ctx) error, own member) {
	err := tenants.Refuse(tenants.Conflict, "no_passkeys", passkeysNeedDomain)
	if r.public != nil {
		return func(context.Context, *fiber.Ctx) error { return err }, nil
	}
	return nil, func(context.Context, *fiber.Ctx, *page.Visitor) error { return err }
}

// What a challenge was made for: an answer is good for this alone.
const (
	forSignIn = "sign-in"
	forProof  = "proof of "    // and the sign-in
	forNew    = "passkey for " // and the person
)

// person is somebody with their passkeys.
func (k *Console) person(ctx context.Context, u tenants.User) (factor.Person, error) {
	all, err := k.Store.Factors().Passkeys(ctx, u.ID)
	return factor.Person{ID: u.ID, Email: u.Email, Name: u.Name, Keys: mapped(all, func(p store.Passkey) factor.Passkey {
		return factor.Passkey{ID: p.Credential, Record: p.Record}
	})}, err
}

// byPasskey is whose passkey answered the challenge for a purpose: only's; empty = anybody's. why
// says why none is accepted.
func (k *Console) byPasskey(ctx context.Context, c *fiber.Ctx, purpose, answer string, only tenants.User) (u tenants.User, why string,
	err error) {
	_, fault, err := k.ByPasskey(ctx, c, k.Passkeys, purpose, answer, page.PasskeyKeep{
		Find: func(ctx context.Context, id []byte) (p factor.Person, err error) {
			if u, err = k.Store.Factors().PasskeyOwner(ctx, id); err != nil {
				return p, err
			}
			if only.ID != "" && u.ID != only.ID { // before it counts as used
				return p, tenants.Refuse(tenants.Unauthorized, "unauthorized", passkeyRefused)
			}
			return k.person(ctx, u)
		},
		Use: k.Store.Factors().UsePasskey,
	})
	switch {
	case err != nil:
		return u, "", err
	case fault == page.PasskeyLate:
		return u, passkeyLate, nil
	case fault != "":
		if only.ID != "" {
			u = only
		}
		if u.ID != "" {
			k.Failed(c, u.ID, u.Email)
		}
		return u, passkeyRefused, nil
	}
	return u, "", nil
}

// askAnybody gives a challenge to somebody who wants to sign in. It is the same for everybody.
func (k passkeyPages) askAnybody(ctx context.Context, c *fiber.Ctx) error {
	if err := k.TryPasskey(c); err != nil {
		return err
	}
	options, session, err := k.Passkeys.Ask()
	if err != nil {
		return err
	}
	return k.Challenge(ctx, c, forSignIn, options, session)
}

// signIn signs in with a passkey, which counts as both steps: the authenticator has checked who
// uses it.
func (k passkeyPages) signIn(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	p := signInPages(k).signInForm(c, page.OwnPath(f.Text("next")))
	if err := k.TryPasskey(c); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.SignIn(p), fiber.StatusTooManyRequests)
		})
	}
	user, why, err := k.byPasskey(ctx, c, forSignIn, f.Raw("credential"), tenants.User{})
	if err != nil {
		return err
	}
	if p.Error = why; why != "" {
		return web.Page(c, views.SignIn(p), fiber.StatusUnauthorized)
	}
	first, why, err := k.firstTenant(ctx, user.ID)
	if err != nil {
		return err
	}
	if p.Error = why; first == "" {
		return web.Page(c, views.SignIn(p), fiber.StatusForbidden)
	}
	k.SetCookie(c, k.halfCookie(), "", 0, false)
	if err := k.Admit(ctx, c, user, first); err != nil {
		return err
	}
	return c.Redirect(orOverview(p.Next), fiber.StatusSeeOther)
}

// askProof gives a challenge to somebody who must prove again who they are.
func (k passkeyPages) askProof(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := k.TryPasskey(c); err != nil {
		return err
	}
	options, session, err := k.Passkeys.Ask()
	if err != nil {
		return err
	}
	return k.Challenge(ctx, c, forProof+v.In.Origin, options, session)
}

func (k passkeyPages) form(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.addPage(ctx, c, v, page.BrowserOf(v.In.UserAgent), "", fiber.StatusOK)
}

func (k passkeyPages) addPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, name, fault string, status int) error {
	s, err := k.shell(ctx, c, v, at(passkeyTitle, "", up(accountTitle, views.PathAccount)))
	if err != nil {
		return err
	}
	p := views.PasskeyNew{Error: fault,
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(name, page.MostPasskeyName), Max: page.MostPasskeyName,
			Help: passkeyNameHelp}}
	if k.Passkeys == nil {
		p.Off = passkeysNeedDomain
	}
	return web.Page(c, views.PasskeyAdd(views.PasskeyAddPage{Shell: s, PasskeyNew: p}), status)
}

// askNew gives a challenge for one more passkey of the person.
func (k passkeyPages) askNew(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := k.TryPasskey(c); err != nil {
		return err
	}
	of, err := k.person(ctx, v.User)
	if err != nil {
		return err
	}
	options, session, err := k.Passkeys.Register(of)
	if err != nil {
		return err
	}
	return k.Challenge(ctx, c, forNew+string(v.User.ID), options, session)
}

// add keeps a new passkey. The first second step comes with recovery codes.
func (k passkeyPages) add(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	name := f.Text("name")
	back := func(msg string) error { return k.addPage(ctx, c, v, name, msg, fiber.StatusUnprocessableEntity) }
	if !tenants.ValidText(name, 1, page.MostPasskeyName) {
		return back(wrongPasskeyName)
	}
	of, err := k.person(ctx, v.User)
	if err != nil {
		return err
	}
	session, err := k.Answered(ctx, c, forNew+string(v.User.ID))
	if tenants.KindOf(err) == tenants.Gone {
		return back(passkeyLate)
	}
	if err != nil {
		return err
	}
	fresh, err := k.Passkeys.Registered(of, session, []byte(f.Raw("credential")))
	if factor.Refused(err) {
		k.Log.Info("a new passkey was refused", "err", err)
		return back(passkeyNotMade)
	}
	if err != nil {
		return err
	}
	now := k.Now()
	err = k.Store.Factors().AddPasskey(ctx, v.Who, store.Passkey{ID: tenants.NewID[tenants.PasskeyID](now), User: v.User.ID,
		Credential: fresh.ID, Record: fresh.Record, Name: name, CreatedAt: now}, v.In.Hash)
	if w, ok := page.WrongOf(err); ok {
		return back(w.Msg)
	}
	if err != nil {
		return err
	}
	return secondPages(k).codesOnce(ctx, c, v)
}

// rename gives one of the person's passkeys another name.
func (k passkeyPages) rename(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.PasskeyID](c, "passkey")
	if err != nil {
		return err
	}
	name := page.FormOf(c).Text("name")
	if !tenants.ValidText(name, 1, page.MostPasskeyName) {
		return tenants.Refuse(tenants.Invalid, "invalid", wrongPasskeyName)
	}
	if err := k.Store.Factors().RenamePasskey(ctx, v.User.ID, id, name); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathAccount)
}

func (k passkeyPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	id, err := web.ID[tenants.PasskeyID](c, "passkey")
	if err != nil {
		return confirmation{}, err
	}
	all, err := k.Store.Factors().Passkeys(ctx, v.User.ID)
	if err != nil {
		return confirmation{}, err
	}
	for _, p := range all {
		if p.ID == id {
			return confirmation{ask: removalOfPasskey(p), title: passkeyRemoveTitle, up: up(accountTitle, views.PathAccount),
				do: func(ctx context.Context) error {
					return k.Store.Factors().RemovePasskey(ctx, v.Who, v.User.ID, id, v.In.Hash)
				}, said: page.FlashRemoved, next: views.PathAccount}, nil
		}
	}
	return confirmation{}, tenants.NoSuch("passkey")
}

// passkeyRows are the person's passkeys on their account page.
func (k *Console) passkeyRows(ctx context.Context, v *page.Visitor) (p views.Passkeys, err error) {
	if p.Off = k.Passkeys == nil; p.Off {
		p.Why = passkeysNeedDomain
		return p, nil
	}
	all, err := k.Store.Factors().Passkeys(ctx, v.User.ID)
	for _, one := range all {
		p.Rows = append(p.Rows, views.PasskeyRow{ID: string(one.ID), Name: one.Name, Added: v.At(one.CreatedAt), Used: v.At(one.UsedAt),
			Unused: one.UsedAt.IsZero()})
	}
	return p, err
}
