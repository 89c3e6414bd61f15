package console

import (
	"carillon/app/page"

	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// invited is an open invitation, found by the token of its link.
type invited struct {
	store.Invitation
	hash   tenants.Hash
	tenant tenants.Tenant
	user   tenants.User // with the invited address; zero when there is none
}

// known reports whether the address has a proven account: then the link alone must not open it.
func (i invited) known() bool { return i.user.ID != "" && !i.user.Unproven }

// invitation finds what a link stands for; one that is mistyped, used or too old is Gone.
func (k peoplePages) invitation(ctx context.Context, c *fiber.Ctx) (i invited, err error) {
	token := web.Param(c, "token")
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.InvitationPrefix) {
		return i, tenants.Refuse(tenants.Gone, "invitation_gone", invitationGone)
	}
	i.hash = tenants.Secret(token).Hash()
	if i.Invitation, err = k.Store.Users().Invitation(ctx, i.hash, k.Now()); err != nil {
		return i, err
	}
	if i.tenant, err = k.Store.For(i.Tenant).Tenant(ctx); err != nil {
		return i, err
	}
	i.user, err = k.Store.Users().ByEmail(ctx, i.Email)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		err = nil
	}
	return i, err
}

func (k peoplePages) welcomePage(c *fiber.Ctx, i invited) views.WelcomePage {
	token := web.Param(c, "token")
	return views.WelcomePage{
		Theme: page.ThemeOf(c), Tenant: i.tenant.Name, Email: i.Email, Token: token, Action: views.InvitationPath(token),
		Known: i.known() && !i.Shown, Shown: i.Shown,
	}
}

// welcome shows an invitation; an expired link is shown as expired.
func (k peoplePages) welcome(ctx context.Context, c *fiber.Ctx) error {
	i, err := k.invitation(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Gone:
		return web.Page(c, views.Welcome(views.WelcomePage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
	case err != nil:
		return err
	}
	return web.Page(c, views.Welcome(k.welcomePage(c, i)), fiber.StatusOK)
}

// join takes an invitation up: a new person chooses name and password, a known one enters theirs.
func (k peoplePages) join(ctx context.Context, c *fiber.Ctx) error {
	i, err := k.invitation(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Gone:
		return web.Page(c, views.Welcome(views.WelcomePage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
	case err != nil:
		return err
	}
	p := k.welcomePage(c, i)
	try, err := k.Try(c, i.Email)
	if err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Welcome(p), fiber.StatusTooManyRequests)
		})
	}
	user, err := k.guest(ctx, c, try, i, &p)
	if err != nil {
		return err
	}
	if user == nil {
		return web.Page(c, views.Welcome(p), fiber.StatusUnprocessableEntity)
	}
	m, err := k.Store.Users().TakeInvitation(ctx, i.hash, *user, k.Now())
	if err != nil {
		return err
	}
	if user.ID != m.User { // two links were taken up at once, and the other one made the account
		return c.Redirect(views.PathSignIn, fiber.StatusSeeOther)
	}
	return k.letIn(ctx, c, *user, m.Tenant, views.PathOverview)
}

// guest is who takes the invitation up; nil when p says what is wrong with what they typed. A link
// that only the address got proves it: then an account that nobody proved gives way to the guest.
// With a link that the inviter saw, the page and its refusals are the same for every address, and
// the account that is there opens only with its password.
func (k peoplePages) guest(ctx context.Context, c *fiber.Ctx, try page.Try, i invited, p *views.WelcomePage) (*tenants.User, error) {
	f := page.FormOf(c)
	password := f.Raw("password")
	if p.Known {
		user, err := k.who(ctx, c, try, i.Email, password)
		if user == nil {
			p.Error = wrongPassword
		}
		return user, err
	}
	name := f.Text("name")
	p.Name.Value = name
	if !tenants.ValidText(name, 1, 80) {
		p.Name.Error = "1 to 80 characters, no control characters"
		return nil, nil
	}
	about := page.About{Email: i.Email, Name: name, Company: i.tenant.Name}
	if i.Shown { // it may be the password of an account, which was not chosen for this company
		about = page.About{Email: i.Email}
	}
	if p.Error = k.CheckPassword(ctx, password, about); p.Error != "" {
		return nil, nil
	}
	if i.Shown && i.user.ID != "" {
		user, err := k.who(ctx, c, try, i.Email, password)
		if user == nil {
			p.Error = unusablePassword
		}
		return user, err
	}
	phc, err := k.Passwords.Hash(ctx, try.Known, password)
	if err != nil {
		return nil, err
	}
	return &tenants.User{ID: tenants.NewID[tenants.UserID](k.Now()), Email: i.Email, Name: name, Password: phc, Theme: "auto",
		CreatedAt: k.Now()}, nil
}
