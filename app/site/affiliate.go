package site

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// partners are the pages of partners, who belong to the server and to no tenant.
type partners struct{ *frame }

func (s *partners) routes() []page.Route {
	return []page.Route{
		{Method: get, Path: views.PathAffiliate, Serve: s.affiliate},
		{Method: post, Path: views.PathAffiliate, Serve: s.askPartnerLink},
		{Method: get, Path: views.PartnerEnterPath(":token"), Serve: s.askEnterPartner},
		{Method: post, Path: views.PartnerEnterPath(":token"), Serve: s.enterPartner},
		{Method: get, Path: views.PathPartner, Serve: s.dashboard},
		{Method: get, Path: views.PathPartnerCSV, Serve: s.ledgerCSV},
		{Method: get, Path: views.PathPartnerLedger, Serve: s.ledger},
		{Method: get, Path: views.PathPartnerCustomers, Serve: s.allCustomers},
		{Method: get, Path: views.PathPartnerCustomersCSV, Serve: s.customersCSV},
		{Method: post, Path: views.PathPartnerPayee, Serve: s.setPayee},
		{Method: post, Path: views.PathPartnerSignOut, Serve: s.signOutPartner},
		{Method: get, Path: views.PartnerLinkPath(":code"), Serve: s.followLink},
	}
}

func (s *partners) affiliate(ctx context.Context, c *fiber.Ctx) error {
	p := s.affiliatePage(ctx, c)
	if v, err := s.Visitor(ctx, c); err == nil { // a signed-in person need not type
		p.Name.Value, p.Email.Value = v.User.Name, v.User.Email
	}
	return web.Page(c, views.Affiliate(p), fiber.StatusOK)
}

// affiliatePage says what the plans file says.
func (s *partners) affiliatePage(ctx context.Context, c *fiber.Ctx) views.AffiliatePage {
	plans := s.Store.Plans()
	terms := plans.Affiliate
	_, err := s.partner(ctx, c)
	p := views.AffiliatePage{
		Front: s.front(ctx, c, joinHeading),
		None:  terms.Percent == 0 || terms.Months == 0, Off: s.Mail == nil, NoStripe: !s.Billing, SignedIn: err == nil,
		Percent: views.Count(int(terms.Percent)) + " %", Months: views.Plural(terms.Months, "month",
			"months"), Hold: views.Plural(terms.HoldDays, "day", "days"),
		Name:  views.Field{Name: "name", Label: "Your name", Autocomplete: "name", Max: 80},
		Email: views.Field{Name: "email", Label: "Email", Type: "email", Autocomplete: "email", Max: 254},
	}
	if terms.CookieDays > 0 {
		p.Cookie = views.Plural(terms.CookieDays, "day", "days")
	}
	if !p.None && len(plans.Plans) > 0 {
		s.fillEarnings(&p, plans)
	}
	return p
}

// fillEarnings sets what a partner earns with each plan, and one month of the middle plan line by
// line, by the rules of the ledger.
func (s *partners) fillEarnings(p *views.AffiliatePage, plans tenants.Plans) {
	terms, cash := plans.Affiliate, func(cents int64) string { return page.Cents2(cents, plans.Currency) }
	for _, one := range plans.Plans {
		month := terms.Commission(tenants.Payment{Cents: one.MonthCents, Untaxed: one.MonthCents})
		year := terms.Commission(tenants.Payment{Cents: one.YearCents, Untaxed: one.YearCents})
		p.Earns = append(p.Earns, views.EarnRow{Plan: one.Name, Price: page.Money(one.MonthCents, plans.Currency), Month: cash(month),
			Whole: cash(month * int64(terms.Months)), Year: cash(year)})
	}
	one := plans.Plans[len(plans.Plans)/2]
	p.SlipName, p.Slip = slipOf(one, terms, p.Percent, cash)
}

// askPartnerLink answers everybody in the same words: nobody learns who is a partner.
func (s *partners) askPartnerLink(ctx context.Context, c *fiber.Ctx) error {
	f := page.FormOf(c)
	p := s.affiliatePage(ctx, c)
	name, email := f.Text("name"), ""
	if typed := f.Text("email"); tenants.ValidText(typed, 0, 254) {
		email = strings.ToLower(typed)
	}
	p.Name.Value, p.Email.Value = page.Shown(name, 80), page.Shown(email, 254)
	if p.None || p.Off {
		return web.Page(c, views.Affiliate(p), fiber.StatusServiceUnavailable)
	}
	if !tenants.ValidText(name, 1, 80) {
		p.Name.Error = wrongText
	}
	if _, ok := tenants.ParseEmail(email); !ok || !page.Registered(email) {
		p.Email.Error = wrongEmail
	}
	if p.Name.Error+p.Email.Error != "" {
		p.Error = wrongFields
		return web.Page(c, views.Affiliate(p), fiber.StatusUnprocessableEntity)
	}
	if err := s.maySignUp(email, web.IP(c)); err != nil {
		return page.SlowDown(c, err, func(msg string) error {
			p.Error = msg
			return web.Page(c, views.Affiliate(p), fiber.StatusTooManyRequests)
		})
	}
	link, err := s.sendPartnerLink(ctx, c, name, email)
	if err != nil {
		return err
	}
	sent := views.PartnerSentPage{Front: p.Front, Email: email}
	if s.Dev {
		sent.Link = link
	}
	return web.Page(c, views.PartnerSent(sent), fiber.StatusOK)
}

func (s *partners) sendPartnerLink(ctx context.Context, c *fiber.Ctx, name, email string) (path string, err error) {
	token, now := tenants.NewSecret(tenants.PartnerPrefix), s.Now()
	path = views.PartnerEnterPath(string(token))
	l := store.PartnerLink{Hash: token.Hash(), Email: email, Name: name, CreatedAt: now, ExpiresAt: now.Add(tenants.PartnerLinkTTL)}
	if err := s.Store.Partners().AddLink(ctx, l); err != nil {
		return "", err
	}
	return path, s.send(c, mailPartnerLink(email, s.PublicURL+path))
}

// partnerLink finds what a link stands for. Programs that check mails open links too, so that a GET
// uses nothing up.
func (s *partners) partnerLink(ctx context.Context, c *fiber.Ctx) (store.PartnerLink, error) {
	token := web.Param(c, "token")
	if !tenants.WellFormed(token) || !strings.HasPrefix(token, tenants.PartnerPrefix) {
		return store.PartnerLink{}, tenants.Refuse(tenants.Gone, "link_gone", brokenLink)
	}
	return s.Store.Partners().Link(ctx, tenants.Secret(token).Hash(), s.Now())
}

func (s *partners) enterPage(ctx context.Context, c *fiber.Ctx) views.PartnerEnterPage {
	p := views.PartnerEnterPage{Front: s.front(ctx, c, enterHeading)}
	p.Front.Hidden, p.Front.Path = true, views.PathAffiliate
	return p
}

func (s *partners) askEnterPartner(ctx context.Context, c *fiber.Ctx) error {
	l, err := s.partnerLink(ctx, c)
	p := s.enterPage(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Gone:
		p.Gone = true
		return web.Page(c, views.PartnerEnter(p), fiber.StatusGone)
	case err != nil:
		return err
	}
	p.Email, p.Action = l.Email, views.PartnerEnterPath(web.Param(c, "token"))
	if v, err := s.Visitor(ctx, c); err == nil && v.User.Email == l.Email {
		p.Account = v.User.Name
	}
	return web.Page(c, views.PartnerEnter(p), fiber.StatusOK)
}

// enterPartner signs in the owner of the link's address. A console account with that address can
// open the dashboard from then on: the link proves that the address is theirs, an account alone
// does not.
func (s *partners) enterPartner(ctx context.Context, c *fiber.Ctx) error {
	l, err := s.partnerLink(ctx, c)
	p := s.enterPage(ctx, c)
	if err == nil {
		fresh := NewPartner(s.Store.Plans(), l.Name, l.Email, s.Now())
		if v, err := s.Visitor(ctx, c); err == nil && v.User.Email == l.Email {
			fresh.User = v.User.ID
		}
		token, now := page.NewToken(), s.Now()
		in := store.PartnerSignIn{Hash: tenants.Secret(token).Hash(), CreatedAt: now, ExpiresAt: now.Add(tenants.PartnerSignInTTL)}
		if _, err = s.Store.Partners().Enter(ctx, l.Hash, fresh, in); err == nil {
			s.SetCookie(c, s.partnerCookie(), token, tenants.PartnerSignInTTL, false)
			return c.Redirect(views.PathPartner, fiber.StatusSeeOther)
		}
	}
	if tenants.KindOf(err) != tenants.Gone {
		return err
	}
	p.Gone = true
	return web.Page(c, views.PartnerEnter(p), fiber.StatusGone)
}

// NewPartner is what becomes of an address that is no partner's yet.
func NewPartner(plans tenants.Plans, name, email string, now time.Time) tenants.Partner {
	domain, _ := page.Registrable(email)
	return tenants.Partner{ID: tenants.NewID[tenants.PartnerID](now), Code: tenants.NewPartnerCode(), Email: email, Name: name,
		Key: plans.TrialKey(email, domain), CreatedAt: now}
}
