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

// asPartner runs do for a signed-in partner. Anyone else is sent to the page for signing in. A
// partner who changes too much is refused, and who has too many downloads under way; see
// page.Common.SendSheet.
func (s *partners) asPartner(ctx context.Context, c *fiber.Ctx, do func(tenants.Partner) error) error {
	p, err := s.partner(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(views.PathAffiliate+"#join", fiber.StatusSeeOther)
	case err != nil:
		return err
	}
	h := web.Holder{Kind: web.KindPartner, ID: string(p.ID)}
	page.HeldBy(c, h)
	if c.Method() == post {
		if err := web.MayWrite(c, h); err != nil {
			return err
		}
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

// rowsShown are the newest customers and ledger entries on the dashboard; lists of their own have
// all.
const rowsShown = 10

// dashboardPage gathers what a partner sees: sums and ledger entries, and an entry without a name
// for each customer they referred.
func (s *partners) dashboardPage(ctx context.Context, c *fiber.Ctx, who tenants.Partner) (views.PartnerPage, error) {
	p := s.emptyDashboard(ctx, c, who)
	lines, err := s.Store.Ledger().Entries(ctx, who.ID)
	if err != nil {
		return p, err
	}
	all, err := s.customers(ctx, who.ID, lines)
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
	fillCustomers(&p, all)
	p.AllLines = len(lines)
	p.Lines = s.linesOf(newestFirst(lines)[:min(rowsShown, len(lines))])
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

// fillCustomers shows the newest customers of a partner and counts all. Refused referrals are
// listed but not counted.
func fillCustomers(p *views.PartnerPage, all []referred) {
	trials, paying := 0, 0
	for i, r := range all {
		if i < rowsShown {
			p.Customers = append(p.Customers, r.row)
		}
		switch r.row.State {
		case customerRefused.State:
		case customerNew.State:
			trials++
		default:
			trials, paying = trials+1, paying+1
		}
	}
	p.AllCustomers, p.Counts = len(all), countsOf(trials, paying)
}

func newestFirst(lines []tenants.Entry) []tenants.Entry {
	lines = slices.Clone(lines)
	slices.Reverse(lines)
	return lines
}

// linesOf says each entry of the ledger in words.
func (s *partners) linesOf(entries []tenants.Entry) []views.PartnerLine {
	now := s.Now()
	out := make([]views.PartnerLine, len(entries))
	for i, e := range entries {
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
		out[i] = l
	}
	return out
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
			if err := s.send(c, mailPayee(who.Email, s.PublicURL)); err != nil {
				return err
			}
		}
		if err := s.Store.Partners().SetPayee(ctx, who.ID, y); err != nil {
			return err
		}
		return s.Done(c, page.FlashSaved, views.PathPartner)
	})
}

// signOutPartner ends the partner's own sign-in; one to the console stays. A token that signs
// nobody in writes nothing.
func (s *partners) signOutPartner(ctx context.Context, c *fiber.Ctx) error {
	if token := c.Cookies(s.partnerCookie()); token != "" {
		hash := tenants.Secret(token).Hash()
		_, err := s.Store.Partners().BySignIn(ctx, hash, s.Now())
		if err == nil {
			err = s.Store.Partners().EndSignIn(ctx, hash)
		}
		if err != nil && tenants.KindOf(err) != tenants.Unauthorized {
			return err
		}
	}
	s.SetCookie(c, s.partnerCookie(), "", 0, false)
	return c.Redirect(views.PathAffiliate, fiber.StatusSeeOther)
}
