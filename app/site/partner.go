package site

import (
	"context"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// partnerCookie is the name of a partner's own cookie, which has nothing to do with that of the
// console.
func (s *partners) partnerCookie() string { return s.CookieName() + "-partner" }

// partner returns the signed-in partner: by their own cookie, or by the account of the console that
// opens their dashboard. Anyone else is Unauthorized.
func (s *partners) partner(ctx context.Context, c *fiber.Ctx) (tenants.Partner, error) {
	if token := c.Cookies(s.partnerCookie()); token != "" {
		p, err := s.Store.Partners().BySignIn(ctx, tenants.Secret(token).Hash(), s.Now())
		if err == nil || tenants.KindOf(err) != tenants.Unauthorized {
			return p, err
		}
	}
	v, err := s.Visitor(ctx, c)
	if err != nil {
		return tenants.Partner{}, err
	}
	p, err := s.Store.Partners().ByUser(ctx, v.User.ID)
	if tenants.KindOf(err) == tenants.Unknown {
		return p, errNotPartner
	}
	return p, err
}

// asPartner runs do for a signed-in partner. Anyone else is sent to the page for signing in.
func (s *partners) asPartner(ctx context.Context, c *fiber.Ctx, do func(tenants.Partner) error) error {
	p, err := s.partner(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(views.PathAffiliate+"#join", fiber.StatusSeeOther)
	case err != nil:
		return err
	}
	return do(p)
}

func (s *partners) dashboard(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		p, err := s.dashboardPage(ctx, c, who)
		if err != nil {
			return err
		}
		if f := s.Flash(c); f != nil {
			p.Note = f.Text
		}
		return web.Page(c, views.Partner(p), fiber.StatusOK)
	})
}

// linesShown are the newest lines of the ledger on the page; the file has all.
const linesShown = 40

// dashboardPage gathers what a partner sees: sums and ledger entries, and an entry without a name
// for each customer they referred.
func (s *partners) dashboardPage(ctx context.Context, c *fiber.Ctx, who tenants.Partner) (views.PartnerPage, error) {
	p := s.emptyDashboard(ctx, c, who)
	lines, err := s.Store.Ledger().Entries(ctx, who.ID)
	if err != nil {
		return p, err
	}
	brought, err := s.Store.Ledger().Referrals(ctx, who.ID)
	if err != nil {
		return p, err
	}
	paid, err := s.Store.Ledger().Payments(ctx, who.ID)
	if err != nil {
		return p, err
	}
	payouts, err := s.Store.Ledger().Payouts(ctx, who.ID)
	if err != nil {
		return p, err
	}
	clicks, err := s.Store.Partners().Clicks(ctx, who.ID)
	if err != nil {
		return p, err
	}
	s.fillSums(&p, lines)
	s.fillCustomers(&p, brought, paid, lines)
	s.fillLines(&p, lines)
	for _, o := range payouts {
		p.Payouts = append(p.Payouts, views.PartnerPayout{At: dated(o.CreatedAt), Sum: s.cash(o.Cents), Reference: o.Reference})
	}
	days, sum := make([]int, 30), 0
	today := s.Now().UTC().Truncate(24 * time.Hour)
	for _, d := range clicks {
		sum += int(d.Clicks)
		if ago := int(today.Sub(d.Day).Hours() / 24); ago >= 0 && ago < len(days) {
			days[len(days)-1-ago] = int(d.Clicks)
		}
	}
	p.Counts = append([]views.Stat{{Label: "Clicks", Value: views.Count(sum), Note: "last 30 days", Days: days}}, p.Counts...)
	return p, nil
}

func (s *partners) emptyDashboard(ctx context.Context, c *fiber.Ctx, who tenants.Partner) views.PartnerPage {
	p := views.PartnerPage{
		Front: s.front(ctx, c, dashboardHeading),
		Name:  who.Name, Email: who.Email, Code: who.Code, Link: s.PublicURL + views.PartnerLinkPath(who.Code),
		Stopped: !who.StoppedAt.IsZero(), NoStripe: !s.Billing,
		Hold: views.Plural(s.Store.Plans().Affiliate.HoldDays, "day", "days"), Unsaid: who.Payee.By == "",
	}
	p.Front.Hidden, p.Front.Path = true, views.PathPartner
	fillPayee(&p, who.Payee)
	return p
}

// cash is a sum with its cents, in the currency of the plans.
func (s *partners) cash(cents int64) string { return page.Cents2(cents, s.Store.Plans().Currency) }

// dated is a moment to the day, in UTC: partners have no time zone of their own.
func dated(t time.Time) views.Time {
	at := views.At(t, time.UTC)
	if !t.IsZero() {
		at.Text = t.UTC().Format("2 Jan 2006")
	}
	return at
}

func (s *partners) fillSums(p *views.PartnerPage, lines []tenants.Entry) {
	b := tenants.BalanceOf(lines, s.Now())
	p.Sums = sumsOf(b, p.Hold, s.cash)
	if b.Owed > 0 {
		p.Owed = s.cash(b.Owed)
	}
}

// nameless is the name under which a partner sees a customer.
func nameless(r tenants.ReferralID) string { return "Customer " + string(r)[:6] }

// fillCustomers lists the customers the partner referred. Refused referrals are listed but not
// counted.
func (s *partners) fillCustomers(p *views.PartnerPage, brought []tenants.Referral, paid map[tenants.ReferralID][]tenants.Payment,
	lines []tenants.Entry) {
	earned := map[tenants.ReferralID]int64{}
	for _, e := range lines {
		earned[e.Referral] += e.Cents
	}
	trials, paying := 0, 0
	for _, r := range brought {
		until := r.Until(paid[r.ID])
		var c views.PartnerCustomer
		switch {
		case r.Refused != "":
			c = customerRefused
		case until.IsZero():
			c, trials = customerNew, trials+1
		case s.Now().Before(until):
			c, trials, paying = customerEarns, trials+1, paying+1
			c.Until = dated(until)
		default:
			c, trials, paying = customerOver, trials+1, paying+1
		}
		c.Name, c.Began, c.Earned = nameless(r.ID), dated(r.CreatedAt), s.cash(earned[r.ID])
		p.Customers = append(p.Customers, c)
	}
	p.Counts = countsOf(trials, paying)
}

func (s *partners) fillLines(p *views.PartnerPage, lines []tenants.Entry) {
	now := s.Now()
	if more := len(lines) - linesShown; more > 0 {
		lines, p.Left = lines[more:], views.Count(more)
	}
	for _, e := range slices.Backward(lines) {
		l := entryStates[e.State(now)]
		l.At, l.Text, l.Customer, l.Sum, l.Less = dated(e.CreatedAt), entryWords[e.Kind], nameless(e.Referral), s.cash(e.Cents), e.Cents < 0
		switch e.State(now) {
		case tenants.EntryHeld:
			l.Payable = dated(e.PayableAt)
		case tenants.EntryPayable:
			if e.Cents < 0 {
				l.State = openClawback
			}
		}
		p.Lines = append(p.Lines, l)
	}
}

// partnerCSV is the whole ledger.
func (s *partners) partnerCSV(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		payouts, err := s.Store.Ledger().Payouts(ctx, who.ID)
		if err != nil {
			return err
		}
		reference := map[tenants.PayoutID]string{}
		for _, o := range payouts {
			reference[o.ID] = o.Reference
		}
		currency, now := s.Store.Plans().Currency, s.Now()
		more := func(ctx context.Context, _ string) (rows [][]string, next string, err error) {
			lines, err := s.Store.Ledger().Entries(ctx, who.ID)
			for _, e := range lines {
				rows = append(rows, []string{page.Stamp(e.CreatedAt), entryWords[e.Kind], string(e.Referral),
					tenants.FormatCents(e.Cents), currency,
					string(e.State(now)), page.Stamp(e.PayableAt), reference[e.Payout]})
			}
			return rows, "", err
		}
		return s.SendSheet(ctx, c, page.Sheet{Name: "commissions", Head: []string{"at", "line", "customer", "sum", "currency", "state",
			"payable_at", "payout"}, More: more})
	})
}

// setPayee stores how the partner is paid and mails them about it, so that nobody can change it
// unnoticed.
func (s *partners) setPayee(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		f := page.FormOf(c)
		y := tenants.Payee{Name: f.Text("payee"), By: tenants.PayBy(f.Text("by")), Account: f.Text("account")}.Clean()
		if w, wrong := page.WrongOf(y.Check()); wrong {
			p, err := s.dashboardPage(ctx, c, who)
			if err != nil {
				return err
			}
			fillPayee(&p, y)
			p.Error, p.Payee.Error, p.By.Error, p.Account.Error = w.Msg, w.Fields["payee"], w.Fields["by"], w.Fields["account"]
			return web.Page(c, views.Partner(p), fiber.StatusUnprocessableEntity)
		}
		if y == who.Payee {
			return s.Done(c, page.FlashSaved, views.PathPartner)
		}
		if s.Mail != nil {
			if err := s.send(mailPayee(who.Email, s.PublicURL)); err != nil {
				return err
			}
		}
		if err := s.Store.Partners().SetPayee(ctx, who.ID, y); err != nil {
			return err
		}
		return s.Done(c, page.FlashSaved, views.PathPartner)
	})
}

// signOutPartner ends the partner's own sign-in; one to the console stays.
func (s *partners) signOutPartner(ctx context.Context, c *fiber.Ctx) error {
	if token := c.Cookies(s.partnerCookie()); token != "" {
		if err := s.Store.Partners().EndSignIn(ctx, tenants.Secret(token).Hash()); err != nil {
			return err
		}
	}
	s.SetCookie(c, s.partnerCookie(), "", 0, false)
	return c.Redirect(views.PathAffiliate, fiber.StatusSeeOther)
}
