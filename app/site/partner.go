package site

import (
	"carillon/app/page"

	"context"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// partnerCookie is the name of a partner's own cookie, which has nothing to do with that of the
// console.
func (s *Site) partnerCookie() string { return s.CookieName() + "-partner" }

// partner finds which partner is there: by their own cookie, or by the account of the console that
// opens their room. Anyone else is Unauthorized.
func (s *Site) partner(ctx context.Context, c *fiber.Ctx) (tenants.Partner, error) {
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
		return p, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in as a partner.")
	}
	return p, err
}

// inRoom lets a partner in and sends everybody else to the page on which one becomes one.
func (s *Site) inRoom(ctx context.Context, c *fiber.Ctx, do func(tenants.Partner) error) error {
	p, err := s.partner(ctx, c)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		return c.Redirect(views.PathAffiliate+"#join", fiber.StatusSeeOther)
	case err != nil:
		return err
	}
	return do(p)
}

func (s *Site) partnerRoom(ctx context.Context, c *fiber.Ctx) error {
	return s.inRoom(ctx, c, func(who tenants.Partner) error {
		p, err := s.room(ctx, c, who)
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

// room gathers what a partner sees: sums and lines, and, for each customer they referred, only that
// there is somebody.
func (s *Site) room(ctx context.Context, c *fiber.Ctx, who tenants.Partner) (views.PartnerPage, error) {
	p := s.bareRoom(ctx, c, who)
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

func (s *Site) bareRoom(ctx context.Context, c *fiber.Ctx, who tenants.Partner) views.PartnerPage {
	p := views.PartnerPage{
		Front: s.front(ctx, c, "Your partner dashboard", "Your link, what came of it, and what it earned you."),
		Name:  who.Name, Email: who.Email, Code: who.Code, Link: s.PublicURL + views.PartnerLinkPath(who.Code),
		Stopped: !who.StoppedAt.IsZero(), NoStripe: !s.Billing,
		Hold: views.Plural(s.Store.Plans().Affiliate.HoldDays, "day", "days"), Unsaid: who.Payee.By == "",
	}
	p.Front.Hidden, p.Front.Path = true, views.PathPartner
	fillPayee(&p, who.Payee)
	return p
}

func fillPayee(p *views.PartnerPage, y tenants.Payee) {
	p.Payee = views.Field{Name: "payee", Label: "Payee", Value: page.Shown(y.Name, 100), Autocomplete: "name", Max: 100,
		Help: "As registered with your bank or PayPal."}
	p.By = views.Pick{Name: "by", Label: "By", Choices: []views.Choice{
		page.Choice(string(tenants.PayByIBAN), "Bank transfer (IBAN)"), page.Choice(string(tenants.PayByPayPal),
			"PayPal"), page.Choice(string(tenants.PayByMail), "As agreed by email"),
	}}
	page.Choose(string(y.By), p.By.Choices...)
	p.Account = views.Field{Name: "account", Label: "IBAN or PayPal email", Value: page.Shown(y.Account, 254), Max: 254, Optional: true,
		Mono: true, Autocomplete: "off",
		Help: "Leave empty if we agree by email."}
}

// cash is a sum with its cents, in the currency of the plans.
func (s *Site) cash(cents int64) string { return page.Cents2(cents, s.Store.Plans().Currency) }

// dated is a moment to the day, in UTC: partners have no time zone of their own.
func dated(t time.Time) views.Time {
	at := views.At(t, time.UTC)
	if !t.IsZero() {
		at.Text = t.UTC().Format("2 Jan 2006")
	}
	return at
}

func (s *Site) fillSums(p *views.PartnerPage, lines []tenants.Entry) {
	b := tenants.BalanceOf(lines, s.Now())
	p.Sums = []views.Stat{
		{Label: "Held", Value: s.cash(b.Held), Note: "for " + p.Hold + " after each payment"},
		{Label: "Payable", Value: s.cash(b.Payable), Note: "goes into the next payout"},
		{Label: "Paid", Value: s.cash(b.Paid), Note: "sent to you so far"},
	}
	if b.Owed > 0 {
		p.Owed = s.cash(b.Owed)
	}
}

// nameless is what a partner calls somebody whom they brought.
func nameless(r tenants.ReferralID) string { return "Customer " + string(r)[:6] }

// fillCustomers lists whom the partner brought and does not count whom they may not bring.
func (s *Site) fillCustomers(p *views.PartnerPage, brought []tenants.Referral, paid map[tenants.ReferralID][]tenants.Payment,
	lines []tenants.Entry) {
	earned := map[tenants.ReferralID]int64{}
	for _, e := range lines {
		earned[e.Referral] += e.Cents
	}
	trials, paying := 0, 0
	for _, r := range brought {
		c := views.PartnerCustomer{Name: nameless(r.ID), Began: dated(r.CreatedAt), Earned: s.cash(earned[r.ID])}
		switch until := r.Until(paid[r.ID]); {
		case r.Refused != "":
			c.State, c.Tone, c.Icon = "Your own account, no commission", views.ToneWarn, views.IconBan
		case until.IsZero():
			c.State, c.Tone, c.Icon, trials = "Not paying yet", views.ToneNeutral, views.IconHourglass, trials+1
		case s.Now().Before(until):
			c.State, c.Tone, c.Icon, c.Until, trials, paying = "Earns", views.ToneGood, views.IconCheck, dated(until), trials+1, paying+1
		default:
			c.State, c.Tone, c.Icon, trials, paying = "Period ended", views.ToneNeutral, views.IconDone, trials+1, paying+1
		}
		p.Customers = append(p.Customers, c)
	}
	p.Counts = []views.Stat{
		{Label: "Trials", Value: views.Count(trials), Note: "began by your link or code"}, {Label: "Paying customers",
			Value: views.Count(paying), Note: "paid at least once"},
	}
}

// The words of the ledger.
var (
	entryWords = map[tenants.EntryKind]string{tenants.EntryCommission: "Commission", tenants.EntryClawback: "Clawback",
		tenants.EntryRestored: "Restored"}
	entryStates = map[tenants.EntryState]views.PartnerLine{
		tenants.EntryHeld:    {State: "Held", Tone: views.ToneNeutral, Icon: views.IconHourglass},
		tenants.EntryPayable: {State: "Payable", Tone: views.ToneInfo, Icon: views.IconClock},
		tenants.EntryPaid:    {State: "Paid", Tone: views.ToneGood, Icon: views.IconDone},
	}
)

func (s *Site) fillLines(p *views.PartnerPage, lines []tenants.Entry) {
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
				l.State = "Open" // it goes against what is payable
			}
		}
		p.Lines = append(p.Lines, l)
	}
}

// partnerCSV is the whole ledger.
func (s *Site) partnerCSV(ctx context.Context, c *fiber.Ctx) error {
	return s.inRoom(ctx, c, func(who tenants.Partner) error {
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

// setPayee says how the partner is paid, and tells them by mail: nobody else is to do it unseen.
func (s *Site) setPayee(ctx context.Context, c *fiber.Ctx) error {
	return s.inRoom(ctx, c, func(who tenants.Partner) error {
		f := page.FormOf(c)
		y := tenants.Payee{Name: f.Text("payee"), By: tenants.PayBy(f.Text("by")), Account: f.Text("account")}.Clean()
		if w, wrong := page.WrongOf(y.Check()); wrong {
			p, err := s.room(ctx, c, who)
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
			m := notify.Mail{To: who.Email, Subject: "Your payout details at Carillon were changed",
				Text: "Hello,\n\nyour payout details were changed in your partner dashboard. If it was you, you do not need to do " +
					"anything. If not, " +
					"check\n\n" +
					s.PublicURL + views.PathPartner + "\n\nand write to the operator of this server before the next payout.\n"}
			if err := s.send(m); err != nil {
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
func (s *Site) signOutPartner(ctx context.Context, c *fiber.Ctx) error {
	if token := c.Cookies(s.partnerCookie()); token != "" {
		if err := s.Store.Partners().EndSignIn(ctx, tenants.Secret(token).Hash()); err != nil {
			return err
		}
	}
	s.SetCookie(c, s.partnerCookie(), "", 0, false)
	return c.Redirect(views.PathAffiliate, fiber.StatusSeeOther)
}
