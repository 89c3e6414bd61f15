package console

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// accountPages serve what is a person's own, in every tenant: name, address, password, and where
// they are signed in.
type accountPages struct{ *Console }

// accountEdit is what is wrong with one of the forms of the page, and what was typed into it.
type accountEdit struct {
	status      int
	name, email views.Field // their value and error
	password    views.PasswordForm
}

func (k accountPages) account(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.accountPage(ctx, c, v, accountEdit{status: fiber.StatusOK})
}

func (k accountPages) accountPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, e accountEdit) error {
	p := views.AccountPage{Mail: k.Mail != nil, Password: e.password, Guest: v.In.Provider,
		Name:     views.Field{Name: "name", Label: "Your name", Value: v.User.Name, Max: 80, Autocomplete: "name"},
		Language: languagePick(v.User.Language, ""),
		Email: views.Field{Name: "email", Label: "New email address", Type: "email", Max: 254, Autocomplete: "email",
			Value: e.email.Value, Error: e.email.Error}}
	if e.name.Error != "" {
		p.Name.Value, p.Name.Error = e.name.Value, e.name.Error
	}
	var err error
	if p.Steps, err = k.steps(ctx, v); err != nil {
		return err
	}
	if p.Passkeys, err = k.passkeyRows(ctx, v); err != nil {
		return err
	}
	if p.SignIns, err = k.signInRows(ctx, v); err != nil {
		return err
	}
	if v.Role.ReadsDigest() && k.Mail != nil {
		off, err := v.Scope.Digests().Off(ctx, v.User.ID)
		if err != nil {
			return err
		}
		p.Digest = &views.DigestSetting{Tenant: v.Tenant.Name, Off: off}
	}
	if p.Shell, err = k.shell(ctx, c, v, at(accountTitle, "")); err != nil {
		return err
	}
	return web.Page(c, views.Account(p), e.status)
}

// ownSignIns are those of the person's sign-ins that this one may see and end: all, or, where a
// tenant's provider vouched for it, those that the same provider vouched for. Its tenant chooses
// the provider, and is not to learn where else its people sign in.
func (k accountPages) ownSignIns(ctx context.Context, v *page.Visitor) ([]store.SignIn, error) {
	all, err := k.Store.SignIns().List(ctx, v.User.ID)
	if v.In.Provider {
		all = slices.DeleteFunc(all, func(s store.SignIn) bool { return !s.Provider || s.Tenant != v.In.Tenant })
	}
	return all, err
}

func (k accountPages) signInRows(ctx context.Context, v *page.Visitor) ([]views.SignInRow, error) {
	all, err := k.ownSignIns(ctx, v)
	if err != nil {
		return nil, err
	}
	var rows []views.SignInRow
	for _, s := range all {
		if now := k.Now(); !now.Before(s.ExpiresAt) || !now.Before(s.IdleAt) {
			continue
		}
		rows = append(rows, views.SignInRow{
			ID: hex.EncodeToString(s.Hash[:]), From: orDash(s.IP), With: page.BrowserOf(s.UserAgent), Since: v.At(s.CreatedAt),
			Used: v.At(s.IdleAt.Add(-page.IdleTime)), Here: s.Hash == v.In.Hash,
		})
	}
	return rows, nil
}

func (k accountPages) setName(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	name := page.FormOf(c).Text("name")
	if !tenants.ValidText(name, 1, 80) {
		return k.accountPage(ctx, c, v, accountEdit{status: fiber.StatusUnprocessableEntity,
			name: views.Field{Value: page.Shown(name, 80), Error: wrongName80}})
	}
	if name != v.User.Name {
		if err := k.Store.Users().SetName(ctx, v.Who, v.User.ID, name); err != nil {
			return err
		}
	}
	return k.Done(c, page.FlashSaved, views.PathAccount)
}

// changeEmail mails a link to the new address, and tells the old one at once: somebody else may
// have asked. It answers the same whether or not somebody has the new address: then no link is
// sent.
func (k accountPages) changeEmail(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	typed := page.FormOf(c).Text("email")
	back := func(status int, fault string) error {
		return k.accountPage(ctx, c, v, accountEdit{status: status, email: views.Field{Value: page.Shown(typed, 254), Error: fault}})
	}
	email, ok := tenants.ParseEmail(typed)
	switch {
	case k.Mail == nil:
		return back(fiber.StatusConflict, noMailHere)
	case !ok || !tenants.ValidText(email, 3, 254):
		return back(fiber.StatusUnprocessableEntity, wrongEmail)
	case email == v.User.Email:
		return back(fiber.StatusUnprocessableEntity, sameEmail)
	}
	if err := k.mayChangeEmail(v.User.ID, email); err != nil {
		return page.SlowDown(c, err, func(msg string) error { return back(fiber.StatusTooManyRequests, msg) })
	}
	_, err := k.Store.Users().ByEmail(ctx, email)
	free := tenants.KindOf(err) == tenants.Unknown && err != nil
	if err != nil && !free {
		return err
	}
	token := tenants.NewSecret(tenants.EmailPrefix)
	if err := k.Store.Users().AddEmailChange(ctx, store.EmailChange{Hash: token.Hash(), User: v.User.ID, Email: email,
		ExpiresAt: k.Now().Add(tenants.EmailChangeTTL)}); err != nil {
		return err
	}
	if err := k.Mail.Send(askedEmailMail(v.User, email).In(web.Spoken(c))); err != nil {
		k.Log.Error("a mail about a change of address was not queued", "err", err)
	}
	if free {
		m := newEmailMail(email, v.User.Name, k.PublicURL+views.EmailChangePath(string(token)))
		if err := k.Mail.Send(m.In(web.Spoken(c))); err != nil {
			// an answer would tell that nobody has the address
			k.Log.Error("a mail for a new address was not queued", "err", err)
		}
	}
	return k.Done(c, page.FlashEmailSent, views.PathAccount)
}

// emailChange finds what the link in the path changes, or Gone.
func (k accountPages) emailChange(ctx context.Context, c *fiber.Ctx) (store.EmailChange, views.EmailChangePage, error) {
	token := web.Param(c, "token")
	p := views.EmailChangePage{Theme: page.ThemeOf(c), Action: views.EmailChangePath(token)}
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.EmailPrefix) {
		return store.EmailChange{}, p, tenants.Refuse(tenants.Gone, "email_change_gone", brokenLink)
	}
	e, err := k.Store.Users().OfEmailChange(ctx, tenants.Secret(token).Hash(), k.Now())
	p.Email = e.Email
	return e, p, err
}

// gone shows that a link no longer works, or returns any other error.
func (k accountPages) gone(c *fiber.Ctx, err error) error {
	switch tenants.KindOf(err) {
	case tenants.Gone, tenants.Conflict:
		return web.Page(c, views.EmailChange(views.EmailChangePage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
	}
	return err
}

// newEmail shows what the link does. A click alone changes nothing, because programs open links
// too.
func (k accountPages) newEmail(ctx context.Context, c *fiber.Ctx) error {
	_, p, err := k.emailChange(ctx, c)
	if err != nil {
		return k.gone(c, err)
	}
	return web.Page(c, views.EmailChange(p), fiber.StatusOK)
}

// takeEmail gives the person their new address, and tells the old one.
func (k accountPages) takeEmail(ctx context.Context, c *fiber.Ctx) error {
	e, _, err := k.emailChange(ctx, c)
	if err != nil {
		return k.gone(c, err)
	}
	was, e, err := k.Store.Users().TakeEmailChange(ctx, e.Hash, k.Now(), store.Who{IP: web.IP(c), RequestID: web.RequestID(c)})
	if err != nil {
		return k.gone(c, err)
	}
	if k.Mail != nil {
		if err := k.Mail.Send(oldEmailMail(was, e.Email).In(cmp.Or(was.Language, web.Spoken(c)))); err != nil {
			k.Log.Error("a mail about a changed address was not queued", "err", err)
		}
	}
	return k.Done(c, page.FlashEmailChanged, views.PathSignIn)
}

// setPassword changes the person's own password, under a new token, and ends their other sign-ins.
func (k accountPages) setPassword(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	if _, err := k.TryAs(v); err != nil {
		return err
	}
	ok, err := k.Passwords.Match(ctx, true, f.Raw("current"), v.User.Password)
	if err != nil {
		return err
	}
	back := func(p views.PasswordForm) error {
		return k.accountPage(ctx, c, v, accountEdit{status: fiber.StatusUnprocessableEntity, password: p})
	}
	if !ok {
		return back(views.PasswordForm{Current: wrongCurrentPassword})
	}
	fresh := f.Raw("password")
	if fault := k.CheckPassword(ctx, fresh, page.About{Email: v.User.Email, Name: v.User.Name, Company: v.Tenant.Name}); fault != "" {
		return back(views.PasswordForm{New: fault})
	}
	phc, err := k.Passwords.Hash(ctx, true, fresh)
	if err != nil {
		return err
	}
	if err := k.Store.Users().SetPassword(ctx, v.User.ID, phc); err != nil { // every sign-in ends, this one too
		return err
	}
	u := v.User
	u.Password = phc
	if err := k.Enter(ctx, c, u, v.Tenant.ID, k.Now(), v.In.ExpiresAt); err != nil {
		return err
	}
	if err := v.Scope.Audits().Add(ctx, "user.password", string(v.User.ID), ""); err != nil {
		return err
	}
	return k.Done(c, page.FlashPassword, views.PathAccount)
}

// endSignIn ends one of the person's own sign-ins, or all but this one, of those that it may see.
func (k accountPages) endSignIn(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id := page.FormOf(c).Text("id")
	all, err := k.ownSignIns(ctx, v)
	if err != nil {
		return err
	}
	switch {
	case id == "others" && !v.In.Provider: // also those that began a moment ago
		err = k.Store.SignIns().EndAll(ctx, v.User.ID, v.In.Hash)
	case id == "others":
		for _, s := range all {
			if err == nil && s.Hash != v.In.Hash {
				err = k.Store.SignIns().End(ctx, s.Hash)
			}
		}
	default:
		at := slices.IndexFunc(all, func(s store.SignIn) bool { return hex.EncodeToString(s.Hash[:]) == id })
		if at < 0 {
			return tenants.NoSuch("sign-in")
		}
		err = k.Store.SignIns().End(ctx, all[at].Hash)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSignInsEnded, views.PathAccount)
}
