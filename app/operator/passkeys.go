package operator

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// passkeyPages let operators register passkeys, and sign in and prove themselves with one. The
// script passkey.js asks the browser; without it the forms stay hidden.
type passkeyPages struct{ *Console }

func (k *Console) passkeyRoutes() []route {
	x := passkeyPages{k}
	all := []route{
		{method: post, path: views.PathPasskeyAsk, public: x.askAnybody},
		{method: post, path: views.PathPasskeyIn, public: x.signIn},
		{method: post, path: pages.WelcomeAskPath(":token"), public: x.askFirst},
		{method: post, path: views.PathConfirmAsk, operator: x.askProof},
		{method: get, path: views.PathPasskeyAdd, stepUp: true, operator: x.form},
		{method: post, path: views.PathPasskeyAdd, stepUp: true, operator: x.add},
		{method: post, path: views.PathPasskeyNew, stepUp: true, operator: x.askNew},
		{method: post, path: views.PasskeyPath(":id"), stepUp: true, operator: x.rename},
		{method: get, path: views.PasskeyRemovePath(":id"), stepUp: true, operator: k.confirmed(x.removal)},
		{method: post, path: views.PasskeyRemovePath(":id"), stepUp: true, operator: k.confirmed(x.removal)},
	}
	for i, r := range all {
		if r.method != post || k.Passkeys != nil { // the pages say why
			continue
		}
		if r.public != nil {
			all[i].public = func(context.Context, *fiber.Ctx) error { return noPasskeys() }
		} else {
			all[i].operator = func(context.Context, *fiber.Ctx, *visitor) error { return noPasskeys() }
		}
	}
	return all
}

func noPasskeys() error { return tenants.Refuse(tenants.Conflict, "no_passkeys", passkeysNeedDomain) }

// What a challenge was made for: an answer is good for this alone, and for no other console.
const (
	forSignIn  = "operator sign-in"
	forProof   = "operator proof of "    // and the operator
	forNew     = "operator passkey for " // and the operator
	forWelcome = "operator welcome of "  // and the operator
)

// person is an operator with their passkeys.
func (k *Console) person(ctx context.Context, o tenants.Operator) (factor.Person, error) {
	all, err := k.Store.Operators().Passkeys(ctx, o.ID)
	p := factor.Person{ID: tenants.UserID(o.ID), Email: o.Email, Name: o.Name}
	for _, one := range all {
		p.Keys = append(p.Keys, factor.Passkey{ID: one.Credential, Record: one.Record})
	}
	return p, err
}

// byPasskey is whose passkey answered the challenge for a purpose: only's; empty = anybody's. why
// says why none is accepted. Then o is whose passkey it is, if somebody's.
func (k *Console) byPasskey(ctx context.Context, c *fiber.Ctx, purpose, answer string, only tenants.OperatorID) (o tenants.Operator,
	why string, err error) {
	_, fault, err := k.ByPasskey(ctx, c, k.Passkeys, purpose, answer, page.PasskeyKeep{
		Find: func(ctx context.Context, id []byte) (p factor.Person, err error) {
			if o, err = k.Store.Operators().PasskeyOwner(ctx, id); err != nil {
				return p, err
			}
			if only != "" && o.ID != only { // before it counts as used
				return p, tenants.Refuse(tenants.Unauthorized, "unauthorized", passkeyRefused)
			}
			return k.person(ctx, o)
		},
		Use: k.Store.Operators().UsePasskey,
	})
	switch {
	case err != nil || fault == "":
		return o, "", err
	case fault == page.PasskeyLate:
		return o, passkeyLate, nil
	}
	return o, passkeyRefused, nil
}

// ask sends a challenge for a purpose. It is the same for everybody.
func (k *Console) ask(ctx context.Context, c *fiber.Ctx, purpose string) error {
	if err := k.TryPasskey(c); err != nil {
		return err
	}
	options, session, err := k.Passkeys.Ask()
	if err != nil {
		return err
	}
	return k.Challenge(ctx, c, purpose, options, session)
}

func (k passkeyPages) askAnybody(ctx context.Context, c *fiber.Ctx) error {
	return k.ask(ctx, c, forSignIn)
}

func (k passkeyPages) askProof(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.ask(ctx, c, forProof+string(v.operator.ID))
}

// signIn signs in with a passkey, which counts as both steps: the authenticator has checked who
// uses it.
func (k passkeyPages) signIn(ctx context.Context, c *fiber.Ctx) error {
	p := signInPages(k).page(c)
	back := func(status int, why string) error {
		p.Error = why
		return web.Page(c, pages.SignIn(p), status)
	}
	if err := k.TryPasskey(c); err != nil {
		return page.SlowDown(c, err, func(msg string) error { return back(fiber.StatusTooManyRequests, msg) })
	}
	o, why, err := k.byPasskey(ctx, c, forSignIn, page.FormOf(c).Raw("credential"), "")
	if err == nil && why == passkeyRefused {
		err = signInPages(k).refused(ctx, c, o, failedPasskey)
	}
	if err != nil {
		return err
	}
	if why != "" {
		return back(fiber.StatusUnauthorized, why)
	}
	if err := k.admit(ctx, c, o, signedIn{with: passkeyAlone}); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

// askNew gives a challenge for one more passkey of the operator.
func (k passkeyPages) askNew(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.askMore(ctx, c, v.operator, forNew)
}

// askFirst gives a challenge to who has the link of a new operator.
func (k passkeyPages) askFirst(ctx context.Context, c *fiber.Ctx) error {
	_, o, err := signInPages(k).link(ctx, c)
	if err != nil {
		return err
	}
	return k.askMore(ctx, c, o, forWelcome)
}

func (k passkeyPages) askMore(ctx context.Context, c *fiber.Ctx, o tenants.Operator, purpose string) error {
	if err := k.TryPasskey(c); err != nil {
		return err
	}
	of, err := k.person(ctx, o)
	if err != nil {
		return err
	}
	options, session, err := k.Passkeys.Register(of)
	if err != nil {
		return err
	}
	return k.Challenge(ctx, c, purpose+string(o.ID), options, session)
}

// made checks the browser's answer to askMore and gives the new passkey. why says why it is not
// accepted.
func (k *Console) made(ctx context.Context, c *fiber.Ctx, o tenants.Operator, purpose, name string) (fresh store.Passkey, why string,
	err error) {
	of, err := k.person(ctx, o)
	if err != nil {
		return fresh, "", err
	}
	session, err := k.Answered(ctx, c, purpose+string(o.ID))
	if tenants.KindOf(err) == tenants.Gone {
		return fresh, passkeyLate, nil
	}
	if err != nil {
		return fresh, "", err
	}
	one, err := k.Passkeys.Registered(of, session, []byte(page.FormOf(c).Raw("credential")))
	if factor.Refused(err) {
		k.Log.Info("a new passkey was refused", "err", err)
		return fresh, passkeyNotMade, nil
	}
	now := k.Now()
	return store.Passkey{ID: tenants.NewID[tenants.PasskeyID](now), Credential: one.ID, Record: one.Record, Name: name, CreatedAt: now}, "",
		err
}

func (k passkeyPages) form(_ context.Context, c *fiber.Ctx, v *visitor) error {
	return k.addPage(c, v, browserOf(c), "", fiber.StatusOK)
}

func (k passkeyPages) addPage(c *fiber.Ctx, v *visitor, name, fault string, status int) error {
	p := views.PasskeyNew{Error: fault, Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(name, page.MostPasskeyName),
		Max: page.MostPasskeyName, Help: passkeyNameHelp}}
	if k.Passkeys == nil {
		p.Off = passkeysNeedDomain
	}
	return web.Page(c, pages.PasskeyAdd(pages.PasskeyAddPage{Shell: k.shell(c, v, passkeyTitle, "", up(accountTitle, views.PathAccount)),
		PasskeyNew: p}), status)
}

// add keeps a new passkey.
func (k passkeyPages) add(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	name := page.FormOf(c).Text("name")
	back := func(msg string) error { return k.addPage(c, v, name, msg, fiber.StatusUnprocessableEntity) }
	if !tenants.ValidText(name, 1, page.MostPasskeyName) {
		return back(wrongPasskeyName)
	}
	fresh, why, err := k.made(ctx, c, v.operator, forNew, name)
	if err != nil {
		return err
	}
	if why != "" {
		return back(why)
	}
	err = k.Store.Operators().AddPasskey(ctx, v.who, v.operator.ID, fresh, v.in.Hash)
	if w, ok := page.WrongOf(err); ok {
		return back(w.Msg)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashAdded, views.PathAccount)
}

// rename gives one of the operator's passkeys another name.
func (k passkeyPages) rename(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	id, err := web.ID[tenants.PasskeyID](c, "passkey")
	if err != nil {
		return err
	}
	name := page.FormOf(c).Text("name")
	if !tenants.ValidText(name, 1, page.MostPasskeyName) {
		return tenants.Refuse(tenants.Invalid, "invalid", wrongPasskeyName)
	}
	if err := k.Store.Operators().RenamePasskey(ctx, v.who, v.operator.ID, id, name); err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathAccount)
}

func (k passkeyPages) removal(ctx context.Context, c *fiber.Ctx, v *visitor) (confirmation, error) {
	id, err := web.ID[tenants.PasskeyID](c, "passkey")
	if err != nil {
		return confirmation{}, err
	}
	all, err := k.Store.Operators().Passkeys(ctx, v.operator.ID)
	if err != nil {
		return confirmation{}, err
	}
	for _, p := range all {
		if p.ID == id {
			return confirmation{ask: removalOfPasskey(p), title: passkeyRemoveTitle, up: []views.Link{up(accountTitle, views.PathAccount)},
				do: func(ctx context.Context) error {
					return k.Store.Operators().RemovePasskey(ctx, v.who, v.operator.ID, id, v.in.Hash)
				}, said: page.FlashRemoved, next: views.PathAccount}, nil
		}
	}
	return confirmation{}, tenants.NoSuch("passkey")
}
