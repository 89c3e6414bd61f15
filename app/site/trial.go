package site

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// signupCookie marks the browser that signed up: a person who opens the link there need not type
// the password again.
const signupCookie = "signup"

// The rates of sign-ups and partner links: each sends a mail, and a sign-up costs a hash.
var (
	networkSignups = tenants.Rate{Of: "network", Every: 10 * time.Minute, Burst: 6, Says: tooMany}
	widerSignups   = tenants.Rate{Of: "network", Every: 2 * time.Minute, Burst: 18, Says: tooMany}
	addressSignups = tenants.Rate{Of: "address", Every: 20 * time.Minute, Burst: 3, Says: tooMany}
	allSignups     = tenants.Rate{Of: "all", Every: 2 * time.Second, Burst: 60, Says: tooMany}
)

// maySignUp refuses with how long to wait. It does not depend on who has an account.
func (s *frame) maySignUp(email, ip string) error {
	return s.signups.Admit(s.Now(), "too_many_tries",
		append(web.NetworkRates(ip, networkSignups, widerSignups), addressSignups.For(email), allSignups)...)
}

// trials are the pages on which a visitor becomes a tenant.
type trials struct{ *frame }

func (s *trials) routes() []page.Route {
	return []page.Route{
		{Method: get, Path: views.PathTrial, Serve: s.trialForm},
		{Method: post, Path: views.PathTrial, Serve: s.signUp},
		{Method: get, Path: views.TrialPath(":token"), Serve: s.askTrial},
		{Method: post, Path: views.TrialPath(":token"), Serve: s.startTrial},
	}
}

// applicant is what a person typed into the form.
type applicant struct {
	company, name, email, password, zone string
	industry                             tenants.Industry
	code                                 string // of the partner who brought them
}

func (a applicant) about() page.About {
	return page.About{Email: a.email, Name: a.name, Company: a.company}
}

func (s *trials) trialForm(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Trial(s.trialPage(ctx, c, applicant{zone: "UTC", code: s.via(ctx, c)})),
		fiber.StatusOK)
}

func (s *trials) trialPage(ctx context.Context, c *fiber.Ctx, a applicant) views.TrialPage {
	p := views.TrialPage{
		Front: s.front(ctx, c, trialHeading),
		Days:  s.trialDays(),
		Off:   s.Mail == nil,
	}
	s.fillTrialFields(&p, a)
	return p
}

// check marks what is wrong in the form; ok is false if anything is. It asks no other server:
// nothing has bounded the request yet.
func (s *trials) check(a applicant, p *views.TrialPage) (ok bool) {
	_, mail := tenants.ParseEmail(a.email)
	_, domain := page.Registrable(a.email)
	if !tenants.ValidText(a.company, 1, 80) {
		p.Company.Error = wrongText
	}
	if !tenants.ValidText(a.name, 1, 80) {
		p.Name.Error = wrongText
	}
	if !mail || !domain {
		p.Email.Error = wrongEmail
	}
	p.Password.Error = page.NewPassword(a.password, a.about())
	t := s.Store.Industries().Of(tenants.Tenant{Slug: "xx", Name: "x", Industry: a.industry, TimeZone: a.zone, RingTTL: tenants.DefaultTTL})
	if w, wrong := page.WrongOf(t.Check()); wrong {
		p.Zone.Error, p.Industries.Error = w.Fields["time_zone"], w.Fields["industry"]
	}
	if a.industry == "" {
		p.Industries.Error = noIndustry
	}
	for _, e := range []string{p.Company.Error, p.Name.Error, p.Email.Error, p.Password.Error, p.Zone.Error, p.Industries.Error} {
		if e != "" {
			p.Error = wrongFields
			return false
		}
	}
	return true
}

// signUp gives everyone the same answer in the same time. The mail says whether they get a trial.
func (s *trials) signUp(ctx context.Context, c *fiber.Ctx) error {
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
	if ok := s.knownCode(ctx, a.code, &p); !s.check(a, &p) || !ok {
		return web.Page(c, views.Trial(p), fiber.StatusUnprocessableEntity)
	}
	if err := s.maySignUp(a.email, web.IP(c)); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Trial(p), fiber.StatusTooManyRequests)
		})
	}
	if p.Password.Error = s.CheckPassword(ctx, a.password, a.about()); p.Password.Error != "" {
		p.Error = wrongFields
		return web.Page(c, views.Trial(p), fiber.StatusUnprocessableEntity)
	}
	phc, err := s.Passwords.Hash(ctx, false, a.password) // also for a known address, which must cost the same
	if err != nil {
		return err
	}
	browser := page.NewToken()
	m, link, err := s.addSignup(ctx, a, phc, tenants.Secret(browser).Hash())
	if err != nil {
		return err
	}
	if err := s.send(c, m); err != nil {
		return err
	}
	s.SetCookie(c, signupCookie, browser, tenants.SignupTTL, false)
	sent := views.TrialSentPage{Front: p.Front, Email: a.email}
	if s.Dev {
		sent.Link = link
	}
	return web.Page(c, views.TrialSent(sent), fiber.StatusOK)
}

// addSignup stores the sign-up and returns the mail for the person: a link to start the trial, or
// the reason why there is no trial for them.
func (s *trials) addSignup(ctx context.Context, a applicant, phc string, browser tenants.Hash) (m notify.Mail, path string, err error) {
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
