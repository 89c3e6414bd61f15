package console

import (
	"carillon/app/page"

	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

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
		Plan: "No plan", CanEdit: v.Role.May(), Selling: k.Billing != nil, Zone: v.Zone.String(), Meters: meters(e, v.Zone),
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
			p.Cost = append(p.Cost, views.Row{Name: "Calls answered this month", Text: views.Count(int(r.Rings))})
			if cents := e.Plan.Cents(tenants.Monthly); sub.Stripe != "" && e.Standing != tenants.StandingTrial {
				p.Cost = append(p.Cost, views.Row{Name: "Cost per answered call, including test rings",
					Text: page.Money((cents+r.Rings/2)/r.Rings, k.Store.Plans().Currency)})
			}
		}
	}
	return nil
}

// meters are the limits and what is used of them.
func meters(e tenants.Entitlement, zone *time.Location) []views.Meter {
	var out []views.Meter
	if e.Standing != tenants.StandingOpen {
		out = append(out, views.Meter{Label: "Rings this month", Used: int(e.Usage.Rings), Most: int(e.Plan.Rings),
			Note: "Counted from " + e.From.In(zone).Format("2 January, 15:04") + " to " + e.To.In(zone).Format("2 January, 15:04") +
				". Earlier rings and test rings do not count."})
	}
	return append(out, views.Meter{Label: "Devices", Used: int(e.Usage.Devices), Most: int(e.Plan.Devices)},
		views.Meter{Label: "People and invitations", Used: int(e.Usage.People), Most: int(e.Plan.People)})
}

// forecast is where the rings lead by the end of the month, once a day of it has passed.
func forecast(e tenants.Entitlement, now time.Time) string {
	gone, whole := now.Sub(e.From), e.To.Sub(e.From)
	if e.Standing == tenants.StandingOpen || gone < 24*time.Hour || whole <= 0 || e.Usage.Rings == 0 {
		return ""
	}
	n := int(float64(e.Usage.Rings) * float64(whole) / float64(gone))
	s := "At this pace about " + views.Plural(n, "ring", "rings") + " by " + e.To.In(now.Location()).Format("2 January")
	if e.Plan.Rings > 0 && int64(n) > e.Plan.Rings {
		return s + ", more than your plan includes."
	}
	return s + "."
}

// facts are the subscription in words.
func (k billingPages) facts(v *page.Visitor, sub tenants.Subscription, e tenants.Entitlement) []views.Row {
	rows := []views.Row{{Name: "State", Text: standings[e.Standing]}}
	cancelled := e.Standing == tenants.StandingEnding && !sub.WasCut()
	switch {
	case cancelled:
		rows[0].Text += e.Until.In(v.Zone).Format("2 Jan")
	case e.Standing == tenants.StandingEnding:
		rows[0].Text = "Trial, ends early"
	}
	switch {
	case e.Standing == tenants.StandingOpen:
		return append(rows, views.Row{Name: "Limits", Text: "none"})
	case cancelled:
	case e.Standing == tenants.StandingTrial && sub.Stripe != "":
		rows = append(rows, views.Row{Name: "First payment", When: v.At(e.Until)})
	case e.Standing == tenants.StandingTrial, e.Standing == tenants.StandingEnding, e.Standing == tenants.StandingOver && !e.Until.IsZero():
		rows = append(rows, views.Row{Name: "Ends", When: v.At(e.Until)})
	case e.Standing == tenants.StandingGrace:
		rows = append(rows, views.Row{Name: "Phones ring until", When: v.At(e.Until)})
	case sub.Stripe != "":
		rows = append(rows, views.Row{Name: "Renews", When: v.At(sub.PeriodEnd)})
	}
	if sub.ByHand() {
		rows = append(rows, views.Row{Name: "Given by", Text: "the operator of this server"})
	}
	if sub.OddQuantity() { // the operator is alerted; see package billing
		rows = append(rows, views.Row{Name: "Quantity at Stripe",
			Text: fmt.Sprintf("%d. The limits are those of one plan. Ask the operator of this server.", sub.Quantity)})
	}
	return append(rows, views.Row{Name: "Calls at once", Text: atMost(e.Plan.Calls)})
}

func atMost(n int64) string {
	if n == 0 {
		return "no limit"
	}
	return views.Count(int(n))
}

var standings = map[tenants.Standing]string{
	tenants.StandingOpen: "No subscription, no limits", tenants.StandingTrial: "Trial", tenants.StandingPaid: "Active",
	tenants.StandingGrace:  "A payment failed",
	tenants.StandingEnding: "Cancelled, active until ", tenants.StandingOver: "Ended. Phones do not ring.",
}

// notices are what to know first in the page.
func (k billingPages) notices(c *fiber.Ctx, v *page.Visitor, sub tenants.Subscription, e tenants.Entitlement) (out []views.Callout) {
	if web.Query(c, "checkout") == "done" && !sub.Live() && k.Billing != nil {
		out = append(out, views.Callout{Tone: views.ToneInfo, Title: "Stripe is confirming your payment.",
			Cause: "This takes a few seconds. Your plan changes when Stripe confirms it.",
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

// trialNotice says when the trial ends, and what becomes of it when somebody subscribes before.
func (k billingPages) trialNotice(v *page.Visitor, e tenants.Entitlement) views.Callout {
	n := views.Callout{Tone: views.ToneInfo, Title: "The trial ends on " + e.Until.In(v.Zone).Format("2 January 2006") + "."}
	switch {
	case k.Billing == nil:
		n.Cure = "Ask the operator of this server for a plan before then. Nothing is deleted if it ends."
	case e.Until.Sub(k.Now()) <= 48*time.Hour:
		n.Cause = "Less than two days are left, so a subscription is charged immediately."
		n.Cure = "Choose a plan before then. Nothing is deleted if the trial ends first."
	default:
		n.Cause = "One trial per card. If this card has had a trial, this one ends within a day. You are not charged."
		n.Cure = "Choose a plan before then. You are charged when the trial ends. Nothing is deleted if it ends first."
	}
	return n
}

func calloutOf(w tenants.Warning) views.Callout {
	c := views.Callout{Tone: views.ToneWarn, Title: w.Text, Cure: w.Cure}
	if w.Hard || w.Code == "payment_failed" {
		c.Tone = views.ToneBad
	}
	return c
}

// offers are the plans to choose from.
func (k billingPages) offers(sub tenants.Subscription) (out []views.Offer) {
	plans := k.Store.Plans()
	for _, p := range plans.Plans {
		o := views.Offer{Code: p.Code, Name: p.Name, Month: page.Money(p.MonthCents, plans.Currency),
			Year: page.Money(p.YearCents, plans.Currency), Change: sub.Live(),
			Limits: []string{holds(p.Devices, "device", "devices"), holds(p.Rings, "ring", "rings") + " a month",
				holds(p.Calls, "call", "calls") + " at once",
				holds(p.People, "person", "people")}}
		if p.Overage > 0 {
			o.More = "Overage, if you allow it: " + page.Money(p.Overage, plans.Currency) + " for 1,000"
		}
		has := sub.Plan == p.Code && (sub.Live() || sub.ByHand())
		o.NowMonth, o.NowYear = has && sub.Interval != tenants.Yearly, has && sub.Interval == tenants.Yearly
		out = append(out, o)
	}
	return out
}

func holds(n int64, one, many string) string {
	if n == 0 {
		return "unlimited " + many
	}
	return views.Plural(int(n), one, many)
}

// owes warns on every page: days left of a trial, and what must not be overlooked.
func (k *Console) owes(ctx context.Context, v *page.Visitor, s *views.Shell) error {
	e, err := v.Scope.Subscription().Entitlement(ctx)
	if err != nil {
		return err
	}
	if n := e.TrialDays(); n > 0 {
		s.Trial = strconv.Itoa(n) + " days of trial left"
		if n == 1 {
			s.Trial = "Last day of the trial"
		}
	}
	if w := e.Warnings(); len(w) > 0 {
		c := calloutOf(w[0])
		c.Action = views.Button{Text: "Go to Billing", Href: views.PathBilling, Kind: views.Quiet}
		s.Alarm = &c
	}
	return nil
}
