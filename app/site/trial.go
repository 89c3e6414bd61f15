package site

import (
	"carillon/app/page"

	"context"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// signupCookie marks the browser that signed up: a person who opens the link there need not type
// the password again.
const signupCookie = "signup"

// signups slow sign-ups down: each makes a mail, and costs a hash.
type signups struct{ network, address, all *web.Limiter }

func newSignups(now func() time.Time) (s signups, err error) {
	var errs [3]error
	s.network, errs[0] = web.NewLimiter(10*time.Minute, 6, now)
	s.address, errs[1] = web.NewLimiter(20*time.Minute, 3, now)
	s.all, errs[2] = web.NewLimiter(2*time.Second, 60, now)
	return s, errors.Join(errs[:]...)
}

// take refuses with how long to wait. It knows nothing of who has an account.
func (s signups) take(email, ip string) error {
	return page.TakeAll("Too many attempts. Wait a few minutes and try again.", page.Limit{Limiter: s.network, Key: web.Network(ip)},
		page.Limit{Limiter: s.address, Key: email}, page.Limit{Limiter: s.all, Key: ""})
}

// applicant is who fills the form in.
type applicant struct {
	company, name, email, password, zone string
	industry                             tenants.Industry
	code                                 string // of the partner who brought them
}

func (s *Site) trialForm(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Trial(s.trialPage(ctx, c, applicant{zone: "UTC", industry: tenants.RealEstate, code: s.via(ctx, c)})),
		fiber.StatusOK)
}

func (s *Site) trialPage(ctx context.Context, c *fiber.Ctx, a applicant) views.TrialPage {
	p := views.TrialPage{
		Front: s.front(ctx, c, "Start a trial", "Try Carillon with everything it does: your own tenant, the built-in agent and your "+
			"phones. No card."),
		Days:    s.trialDays(),
		Off:     s.Mail == nil,
		Company: views.Field{Name: "company", Label: "Company", Value: page.Shown(a.company, 80), Autocomplete: "organization", Max: 80},
		Name:    views.Field{Name: "name", Label: "Your name", Value: page.Shown(a.name, 80), Autocomplete: "name", Max: 80},
		Email: views.Field{Name: "email", Label: "Work email", Type: "email", Value: page.Shown(a.email, 254), Autocomplete: "username",
			Max: 254},
		Password: views.Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password",
			Help: "At least 12 characters. A short sentence is easy to remember and hard to guess."},
		Zone: views.Field{Name: "time_zone", Label: "Time zone", Value: page.Shown(a.zone, 64), Max: 64, Help: "Example: Europe/Berlin."},
		Code: codeField(a.code),
	}
	p.Industries = views.Pick{Name: "industry", Label: "Industry", Help: "Controls what notifications may show."}
	for _, i := range tenants.Industries {
		p.Industries.Choices = append(p.Industries.Choices, page.Choice(string(i), i.Name()))
	}
	page.Choose(string(a.industry), p.Industries.Choices...)
	return p
}

// check marks what is wrong in the form; ok is false when something is.
func (a applicant) check(p *views.TrialPage) (ok bool) {
	_, mail := tenants.ParseEmail(a.email)
	_, domain := page.Registrable(a.email)
	if !tenants.ValidText(a.company, 1, 80) {
		p.Company.Error = "1 to 80 characters, no control characters."
	}
	if !tenants.ValidText(a.name, 1, 80) {
		p.Name.Error = "1 to 80 characters, no control characters."
	}
	if !mail || !domain {
		p.Email.Error = "Enter an email address, such as you@example.com."
	}
	p.Password.Error = page.NewPassword(a.password, page.About{Email: a.email, Name: a.name, Company: a.company})
	t := tenants.Tenant{Slug: "xx", Name: "x", Industry: a.industry, TimeZone: a.zone, RingTTL: tenants.DefaultTTL}
	if w, wrong := page.WrongOf(t.Check()); wrong {
		p.Zone.Error, p.Industries.Error = w.Fields["time_zone"], w.Fields["industry"]
	}
	for _, e := range []string{p.Company.Error, p.Name.Error, p.Email.Error, p.Password.Error, p.Zone.Error, p.Industries.Error} {
		if e != "" {
			p.Error = "Please correct the fields below."
			return false
		}
	}
	return true
}

// signUp answers everybody in the same words and the same time. Who may try gets a link; who may
// not gets the reason by mail.
func (s *Site) signUp(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	a := applicant{f.Text("company"), f.Text("name"), "", f.Raw("password"), f.Text("time_zone"), tenants.Industry(f.Text("industry")),
		strings.ToUpper(f.Text("code"))}
	if typed := f.Text("email"); tenants.ValidText(typed, 0, 254) {
		a.email = strings.ToLower(typed)
	}
	p := s.trialPage(ctx, c, a)
	if p.Off {
		return web.Page(c, views.Trial(p), fiber.StatusServiceUnavailable)
	}
	if ok := s.knownCode(ctx, a.code, &p); !a.check(&p) || !ok {
		return web.Page(c, views.Trial(p), fiber.StatusUnprocessableEntity)
	}
	if err := s.signups.take(a.email, web.IP(c)); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Trial(p), fiber.StatusTooManyRequests)
		})
	}
	phc, err := s.Passwords.Hash(ctx, false, a.password) // also for a known address, which must cost the same
	if err != nil {
		return err
	}
	browser := page.NewToken()
	letter, link, err := s.letter(ctx, a, phc, tenants.Secret(browser).Hash())
	if err != nil {
		return err
	}
	if err := s.send(letter); err != nil {
		return err
	}
	s.SetCookie(c, signupCookie, browser, tenants.SignupTTL, false)
	sent := views.TrialSentPage{Front: p.Front, Email: a.email}
	if s.Dev {
		sent.Link = link
	}
	return web.Page(c, views.TrialSent(sent), fiber.StatusOK)
}

// letter keeps the sign-up of a person who may try, and writes what that person, or one who may
// not, gets to read.
func (s *Site) letter(ctx context.Context, a applicant, phc string, browser tenants.Hash) (m notify.Mail, path string, err error) {
	domain, _ := page.Registrable(a.email)
	u, err := s.Store.Users().ByEmail(ctx, a.email)
	known := err == nil && !u.Unproven // the link that follows proves the address
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return m, "", err
	}
	tried, err := s.Store.SignUps().HadTrial(ctx, s.Store.Plans().TrialKey(a.email, domain))
	if err != nil {
		return m, "", err
	}
	token, now := tenants.NewSecret(tenants.TrialPrefix), s.Now()
	n := tenants.Signup{
		Hash: token.Hash(), Browser: browser, Email: a.email, Name: a.name, Password: phc, Company: a.company, Industry: a.industry,
		TimeZone: a.zone, Code: a.code,
		CreatedAt: now, ExpiresAt: now.Add(tenants.SignupTTL),
	}
	path = views.TrialPath(string(token))
	m = mailLink(a.email, s.PublicURL+path)
	switch {
	case known:
		m, path = mailKnown(a.email, s.PublicURL), views.PathSignIn
	case tried:
		m, path = mailTried(a.email, s.PublicURL), views.PathSignIn
	}
	if known || tried { // a row all the same, or the time it takes would tell; nobody gets its link, and it is over already
		n.Password, n.ExpiresAt = "", now
	}
	return m, path, s.Store.SignUps().Add(ctx, n)
}

func mailLink(to, link string) notify.Mail {
	return notify.Mail{To: to, Subject: "Start your trial of Carillon",
		Text: "Hello,\n\nopen this link to confirm your email address and " +
			"start your trial:\n\n" + link +
			"\n\nThe link works once, within 24 hours. If you did not sign up, you can ignore this email.\n"}
}

func mailKnown(to, base string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your account at Carillon", Text: "Hello,\n\nsomeone, probably you, asked for a trial with this " +
		"email address. It already has an account. Sign in at\n\n" +
		base + views.PathSignIn + "\n\nIf it was not you, you can ignore this email. Nothing was changed.\n"}
}

func mailTried(to, base string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your company already has a Carillon trial",
		Text: "Hello,\n\nyou asked for a trial. Your company has already had one, and each company gets one. Ask a colleague to " +
			"invite you " +
			"under People, then sign in at\n\n" +
			base + views.PathSignIn + "\n\nIf it was not you, you can ignore this email. Nothing was changed.\n"}
}
