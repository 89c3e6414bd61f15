package site

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// signup returns the sign-up of a link. Programs that check mails open links too, so a GET does not
// use the link up.
func (s *trials) signup(ctx context.Context, c *fiber.Ctx) (tenants.Signup, error) {
	token := web.Param(c, "token")
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.TrialPrefix) {
		return tenants.Signup{}, tenants.Refuse(tenants.Gone, "signup_gone", brokenLink)
	}
	return s.Store.SignUps().Get(ctx, tenants.Secret(token).Hash(), s.Now())
}

func (s *trials) confirmPage(ctx context.Context, c *fiber.Ctx) views.TrialConfirmPage {
	p := views.TrialConfirmPage{Front: s.front(ctx, c, confirmHeading),
		Days: s.trialDays()}
	p.Front.Hidden, p.Front.Path = true, views.PathTrial
	return p
}

func (s *trials) askTrial(ctx context.Context, c *fiber.Ctx) error {
	n, err := s.signup(ctx, c)
	p := s.confirmPage(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Gone:
		p.Gone = true
		return web.Page(c, views.TrialConfirm(p), fiber.StatusGone)
	case err != nil:
		return err
	}
	return web.Page(c, views.TrialConfirm(s.confirming(c, p, n)), fiber.StatusOK)
}

// confirming fills in what is to be confirmed, and whether the password must be typed.
func (s *trials) confirming(c *fiber.Ctx, p views.TrialConfirmPage, n tenants.Signup) views.TrialConfirmPage {
	p.Company, p.Email, p.Action, p.Ask = n.Company, n.Email, views.TrialPath(web.Param(c, "token")), !sameBrowser(c, n)
	return p
}

// sameBrowser reports whether this is the browser that signed up. Elsewhere the password is asked
// for: a link that somebody opens who did not sign up must not make an account with a stranger's
// password.
func sameBrowser(c *fiber.Ctx, n tenants.Signup) bool {
	is := tenants.Secret(c.Cookies(signupCookie)).Hash()
	return subtle.ConstantTimeCompare(is[:], n.Browser[:]) == 1
}

// startTrial opens the tenant and signs its owner in.
func (s *trials) startTrial(ctx context.Context, c *fiber.Ctx) error {
	n, err := s.signup(ctx, c)
	p := s.confirmPage(ctx, c)
	if err == nil && !sameBrowser(c, n) {
		p = s.confirming(c, p, n)
		if ok, err := s.prove(ctx, c, n, &p); !ok || err != nil {
			return err
		}
	}
	var o store.Opening
	if err == nil {
		o = s.opening(c, n)
		if o.Referral, err = s.referral(ctx, c, n, o.Tenant.ID); err == nil {
			err = s.openTrial(ctx, o)
		}
	}
	switch {
	case tenants.KindOf(err) == tenants.Gone:
		p.Gone = true
		return web.Page(c, views.TrialConfirm(p), fiber.StatusGone)
	case tenants.KindOf(err) == tenants.Conflict: // this may be said: the person here has read the address's mail
		p = s.confirming(c, p, n)
		p.Error = trialTaken
		return web.Page(c, views.TrialConfirm(p), fiber.StatusConflict)
	case err != nil:
		return err
	}
	s.SetCookie(c, signupCookie, "", 0, false)
	if err := s.Admit(ctx, c, o.Owner, o.Tenant.ID); err != nil {
		return err
	}
	return c.Redirect(views.PathOverview, fiber.StatusSeeOther)
}

// prove asks for the password in a browser that did not sign up; when it is not the one, the page
// that says so is sent.
func (s *trials) prove(ctx context.Context, c *fiber.Ctx, n tenants.Signup, p *views.TrialConfirmPage) (ok bool, err error) {
	try, err := s.Try(c, n.Email)
	if err != nil {
		return false, page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.TrialConfirm(*p), fiber.StatusTooManyRequests)
		})
	}
	if ok, err = s.Passwords.Match(ctx, try.Known, page.FormOf(c).Raw("password"), n.Password); err != nil {
		return false, err
	}
	if ok {
		try.Worked()
		return true, nil
	}
	p.Error = wrongTrialPassword
	return false, web.Page(c, views.TrialConfirm(*p), fiber.StatusUnprocessableEntity)
}

// openTrial opens it under a plain slug, or under one with a few letters more when that is taken.
func (s *trials) openTrial(ctx context.Context, o store.Opening) error {
	err := s.Store.SignUps().OpenTrial(ctx, o)
	if tenants.KindOf(err) == tenants.Conflict {
		o.Tenant.Slug += "-" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(page.NewToken()[:6]))
		err = s.Store.SignUps().OpenTrial(ctx, o)
	}
	if err == nil && s.Opened != nil {
		err = s.Opened(ctx, o)
	}
	return err
}

// opening is the tenant that a sign-up becomes.
func (s *trials) opening(c *fiber.Ctx, n tenants.Signup) store.Opening {
	now := s.Now()
	domain, _ := page.Registrable(n.Email)
	plans := s.Store.Plans()
	t := s.Store.Industries().Of(tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: tenants.Slug(n.Company), Name: n.Company, Industry: n.Industry,
		State:    tenants.TenantActive,
		TimeZone: n.TimeZone, RingTTL: tenants.DefaultTTL, CreatedAt: now,
	})
	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: n.Email, Name: n.Name, Password: n.Password,
		Theme: string(views.ThemeAuto), CreatedAt: now}
	return store.Opening{
		Signup: tenants.Secret(web.Param(c, "token")).Hash(), Key: plans.TrialKey(n.Email, domain), Tenant: t, Owner: u,
		Agents:       t.File().NewAgents(t, now),
		Subscription: plans.Trial(t.ID, plans.Plans[0].Code, now.Truncate(time.Microsecond)),
		Who: store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(u.ID), Name: u.Name}, IP: web.IP(c),
			RequestID: web.RequestID(c)},
	}
}
