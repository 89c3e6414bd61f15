package console

import (
	"context"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// billingPages serve the plan, its usage and its invoices.
type billingPages struct{ *Console }

// entitlement is what the tenant may do, with everything counted.
func (k billingPages) entitlement(ctx context.Context, v *page.Visitor) (tenants.Entitlement, error) {
	e, err := v.Scope.Subscription().Entitlement(ctx)
	if err != nil {
		return e, err
	}
	devices, err := v.Scope.Devices().Count(ctx)
	if err != nil {
		return e, err
	}
	people, err := v.Scope.Members().Count(ctx)
	e.Usage.Devices, e.Usage.People = int64(devices), int64(people)
	return e, err
}

// bills is the page of plan, usage and invoices. Coming back from a checkout shows it like any
// other time: what a browser says about a payment counts nothing.
func (k billingPages) bills(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	sub, err := v.Scope.Subscription().Get(ctx)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	e, err := k.entitlement(ctx, v)
	if err != nil {
		return err
	}
	p := views.BillingPage{
		Plan: "No plan", CanEdit: v.Role.May(mayBilling), Selling: k.Billing != nil,
		Saving: page.Savings(k.Store.Plans().Plans), Zone: v.Zone.String(), Meters: meters(e, v.Zone),
		Offers: k.offers(sub),
		Facts:  k.facts(v, sub, e), Forecast: forecast(e, k.Now().In(v.Zone)), Notices: k.notices(c, v, sub, e),
		Portal: sub.Customer != "", Cancel: k.Billing != nil && sub.Live() && !sub.CancelAtEnd, Resume: k.Billing != nil && sub.Live() &&
			sub.CancelAtEnd,
	}
	if sub.State != "" {
		p.Plan = e.Plan.Name
	}
	p.Owes = sub.Stripe != "" && (sub.State == tenants.SubPastDue || sub.State == tenants.SubPaused)
	if sub.Stripe != "" {
		p.Price = page.Money(e.Plan.Cents(sub.Interval), k.Store.Plans().Currency) + " " + by(sub.Interval)
	}
	if k.Billing != nil && sub.Live() && e.Plan.Overage > 0 {
		p.Overage = &views.OverageForm{On: sub.Overage, Price: page.Money(e.Plan.Overage, k.Store.Plans().Currency) + " for 1,000 rings"}
	}
	q := page.QueryOf(c)
	until, invoices := k.usageUntil(q, v), invoicesOf(q)
	if err := q.Err(); err != nil {
		return err
	}
	if sub.State != "" {
		if err := k.history(ctx, v, q, until, &p); err != nil {
			return err
		}
	}
	if err := k.cost(ctx, v, sub, e, &p); err != nil {
		return err
	}
	k.invoices(ctx, v, q, invoices, &p)
	if p.Shell, err = k.shell(ctx, c, v, at("Billing", views.NavBilling)); err != nil {
		return err
	}
	p.Shell.Alarm = nil // the notices say it here
	if err := web.Page(c, views.Billing(p), fiber.StatusOK); err != nil {
		return err
	}
	k.lookAgain(c, sub)
	k.payable(c)
	return nil
}

// looks is how often the page of a payment that Stripe has not told us about reloads itself.
const looks = 8

// lookAgain lets a browser that comes back from a checkout ask again in three seconds, with or
// without scripts.
func (k billingPages) lookAgain(c *fiber.Ctx, sub tenants.Subscription) {
	if web.Query(c, "checkout") != "done" || sub.Live() || k.Billing == nil {
		return
	}
	n, err := strconv.Atoi("0" + web.Query(c, "look"))
	if err == nil && n < looks {
		c.Set("Refresh", "3; url="+views.PathBilling+"?checkout=done&look="+strconv.Itoa(n+1))
	}
}

// cost is what an answered ring costs.
func (k billingPages) cost(ctx context.Context, v *page.Visitor, sub tenants.Subscription, e tenants.Entitlement,
	p *views.BillingPage) error {
	if sub.State == "" {
		return nil
	}
	if e.Usage.Rings == 0 {
		return nil // what was picked up was rung to try it, and cost nothing
	}
	rows, err := v.Scope.Analytics().Funnel(ctx, e.From, k.Now(), "")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Fact == tenants.FactAnswered && r.Rings > 0 {
			p.Cost = append(p.Cost, views.Row{Name: callsAnsweredLabel, Text: views.Count(int(r.Rings))})
			if cents := e.Plan.Cents(tenants.Monthly); sub.Stripe != "" && e.Standing != tenants.StandingTrial {
				p.Cost = append(p.Cost, views.Row{Name: costPerCallLabel,
					Text: page.Money((cents+r.Rings/2)/r.Rings, k.Store.Plans().Currency)})
			}
		}
	}
	return nil
}

func atMost(n int64) string {
	if n == 0 {
		return "no limit"
	}
	return views.Count(int(n))
}

// notices are what to know first in the page.
func (k billingPages) notices(c *fiber.Ctx, v *page.Visitor, sub tenants.Subscription, e tenants.Entitlement) (out []views.Callout) {
	if web.Query(c, "checkout") == "done" && !sub.Live() && k.Billing != nil {
		out = append(out, views.Callout{Tone: views.ToneInfo, Title: confirmingTitle,
			Cause: confirmingCause,
			Action: views.Button{Text: "Check again", Href: views.PathBilling + "?checkout=done", Icon: views.IconRefresh,
				Kind: views.Quiet}})
	}
	for _, w := range e.Warnings() {
		out = append(out, calloutOf(w))
	}
	if e.Standing == tenants.StandingTrial && sub.Stripe == "" {
		out = append(out, k.trialNotice(v, e))
	}
	return out
}

func calloutOf(w tenants.Warning) views.Callout {
	c := views.Callout{Tone: views.ToneWarn, Title: w.Text, Cure: w.Cure}
	if w.Hard || w.Code == "payment_failed" {
		c.Tone = views.ToneBad
	}
	return c
}

func holds(n int64, one, many string) string {
	if n == 0 {
		return "unlimited " + many
	}
	return views.Plural(int(n), one, many)
}

// owes warns on every page: days left of a trial, and what must not be overlooked.
func owes(e tenants.Entitlement, s *views.Shell) {
	if n := e.TrialDays(); n > 0 {
		s.Trial = strconv.Itoa(n) + " days of trial left"
		if n == 1 {
			s.Trial = trialLastDay
		}
	}
	if w := e.Warnings(); len(w) > 0 {
		c := calloutOf(w[0])
		c.Action = views.Button{Text: "Go to Billing", Href: views.PathBilling, Kind: views.Quiet}
		s.Alarm = &c
	}
}
