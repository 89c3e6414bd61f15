package console

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// forgotPages let people choose a new password by a link that is mailed to them.
type forgotPages struct{ *Console }

func (k forgotPages) form(_ context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Forgot(k.forgotPage(c)), fiber.StatusOK)
}

func (k forgotPages) forgotPage(c *fiber.Ctx) views.ForgotPage {
	return views.ForgotPage{Theme: page.ThemeOf(c), Off: k.Mail == nil}
}

// send mails a link. It answers the same, and takes the same time, whether or not the address has
// an account: the row is always written, and the mail is only queued.
func (k forgotPages) send(ctx context.Context, c *fiber.Ctx) error {
	p := k.forgotPage(c)
	if p.Off {
		return web.Page(c, views.Forgot(p), fiber.StatusConflict)
	}
	typed := page.FormOf(c).Text("email")
	p.Email.Value = page.Shown(typed, 254)
	email, ok := tenants.ParseEmail(typed)
	if !ok || !tenants.ValidText(email, 3, 254) {
		p.Email.Error = wrongEmail
		return web.Page(c, views.Forgot(p), fiber.StatusUnprocessableEntity)
	}
	if err := k.mayReset(email, web.IP(c)); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Forgot(p), fiber.StatusTooManyRequests)
		})
	}
	user, err := k.Store.Users().ByEmail(ctx, email)
	known := err == nil && user.DisabledAt.IsZero()
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	token, now := tenants.NewSecret(tenants.ResetPrefix), k.Now()
	if err := k.Store.Users().AddReset(ctx, store.Reset{Hash: token.Hash(), Email: email, CreatedAt: now,
		ExpiresAt: now.Add(tenants.ResetTTL)}); err != nil {
		return err
	}
	if known {
		m := resetMail(email, k.PublicURL+views.ResetPath(string(token)))
		if err := k.Mail.Send(m.In(cmp.Or(user.Language, web.Spoken(c)))); err != nil {
			// an answer would tell that there is an account
			k.Log.Error("a mail for a new password was not queued", "err", err)
		}
	}
	p.Sent = true
	return web.Page(c, views.Forgot(p), fiber.StatusOK)
}

// former leads from where these pages were to where they are: mails with such links are out.
func (k forgotPages) former(_ context.Context, c *fiber.Ctx) error {
	to := views.PathForgot
	if token := web.Param(c, "token"); token != "" {
		to = views.ResetPath(url.PathEscape(token))
	}
	c.Set(fiber.HeaderReferrerPolicy, "same-origin") // as web.Page
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Redirect(to, fiber.StatusPermanentRedirect)
}

// reset finds whose password the link in the path sets, or Gone.
func (k forgotPages) reset(ctx context.Context, c *fiber.Ctx) (tenants.Hash, views.ResetPage, tenants.User, error) {
	token := web.Param(c, "token")
	p := views.ResetPage{Theme: page.ThemeOf(c), Action: views.ResetPath(token)}
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.ResetPrefix) {
		return tenants.Hash{}, p, tenants.User{}, tenants.Refuse(tenants.Gone, "reset_gone",
			brokenLink)
	}
	hash := tenants.Secret(token).Hash()
	u, err := k.Store.Users().OfReset(ctx, hash, k.Now())
	p.Email = u.Email
	return hash, p, u, err
}

// gone shows that a link no longer works, or returns any other error.
func (k forgotPages) gone(c *fiber.Ctx, err error) error {
	if tenants.KindOf(err) != tenants.Gone {
		return err
	}
	return web.Page(c, views.Reset(views.ResetPage{Theme: page.ThemeOf(c), Gone: true}), fiber.StatusGone)
}

func (k forgotPages) choose(ctx context.Context, c *fiber.Ctx) error {
	_, p, _, err := k.reset(ctx, c)
	if err != nil {
		return k.gone(c, err)
	}
	return web.Page(c, views.Reset(p), fiber.StatusOK)
}

// set sets the new password. The person then signs in with it.
func (k forgotPages) set(ctx context.Context, c *fiber.Ctx) error {
	hash, p, user, err := k.reset(ctx, c)
	if err != nil {
		return k.gone(c, err)
	}
	password := page.FormOf(c).Raw("password")
	if p.Error = k.CheckPassword(ctx, password, page.About{Email: user.Email, Name: user.Name}); p.Error != "" {
		return web.Page(c, views.Reset(p), fiber.StatusUnprocessableEntity)
	}
	phc, err := k.Passwords.Hash(ctx, true, password) // the link is used up by it, so nobody floods this
	if err != nil {
		return err
	}
	_, err = k.Store.Users().TakeReset(ctx, hash, phc, k.Now(), store.Who{IP: web.IP(c), RequestID: web.RequestID(c)})
	if err != nil {
		return k.gone(c, err)
	}
	return k.Done(c, page.FlashReset, views.PathSignIn)
}
