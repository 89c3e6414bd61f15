package console

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

func buyerOf(v *page.Visitor) billing.Buyer {
	return billing.Buyer{Tenant: v.Tenant, Email: v.User.Email, Scope: v.Scope}
}

// leads sends the browser to Stripe. Chromium holds a form's redirects to the page's form-action
// too; see payable.
func leads(c *fiber.Ctx, address string, err error) error {
	if err != nil {
		return err
	}
	return c.Redirect(address, fiber.StatusSeeOther)
}

// payable lets the forms of a page lead to Stripe, which the policy of other pages does not.
func (k billingPages) payable(c *fiber.Ctx) {
	if k.Billing == nil {
		return
	}
	h := &c.Response().Header
	policy := string(h.Peek(fiber.HeaderContentSecurityPolicy))
	h.Set(fiber.HeaderContentSecurityPolicy, strings.Replace(policy, "form-action 'self'",
		"form-action 'self' "+strings.Join(k.Billing.Origins(), " "), 1))
}

func (k billingPages) checkout(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	address, err := k.Billing.Checkout(ctx, buyerOf(v), f.Text("plan"), tenants.Interval(f.Text("interval")))
	return leads(c, address, err)
}

func (k billingPages) portal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	address, err := k.Billing.Portal(ctx, buyerOf(v))
	return leads(c, address, err)
}

// previewPlan shows what a change of plan costs.
func (k billingPages) previewPlan(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	code, every := web.Query(c, "plan"), tenants.Interval(web.Query(c, "interval"))
	plan, ok := k.Store.Plans().Plan(code)
	if !ok || every != tenants.Monthly && every != tenants.Yearly {
		return tenants.NoSuch("plan")
	}
	sub, err := v.Scope.Subscription().Get(ctx)
	if err != nil {
		return err
	}
	shown, err := k.Billing.Preview(ctx, buyerOf(v), code, every)
	if err != nil {
		return err
	}
	e, err := k.entitlement(ctx, v)
	if err != nil {
		return err
	}
	old := e.Plan
	p := views.ChangePage{
		From: old.Name + " " + by(sub.Interval), To: plan.Name + " " + by(every), Plan: code, Interval: string(every), At: shown.At.Unix(),
		Note: quoteNote, Due: "Due now: " + page.Money(shown.Due, shown.Currency),
		Warnings: tight(e, plan),
		Then:     thenPays(page.Money(plan.Cents(every), k.Store.Plans().Currency), by(every), renewal(sub, e, every, shown.At).In(v.Zone)),
	}
	if shown.Due < 0 {
		p.Due = creditFor + page.Money(-shown.Due, shown.Currency)
	}
	for _, l := range shown.Lines {
		p.Lines = append(p.Lines, views.Row{Name: l.Text, Text: page.Money(l.Cents, shown.Currency)})
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Change plan", views.NavBilling, up("Billing", views.PathBilling))); err != nil {
		return err
	}
	return web.Page(c, views.BillingChange(p), fiber.StatusOK)
}

// renewal is when the price of a changed plan is charged in full first. A trial goes to its end,
// and a period that is paid keeps its end; another interval begins a period of its own at once.
func renewal(sub tenants.Subscription, e tenants.Entitlement, every tenants.Interval, at time.Time) time.Time {
	switch {
	case e.Standing == tenants.StandingTrial:
		return e.Until
	case sub.Interval == every:
		return sub.PeriodEnd
	case every == tenants.Yearly:
		return at.AddDate(1, 0, 0)
	}
	return at.AddDate(0, 1, 0)
}

func (k billingPages) changePlan(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	at, err := strconv.ParseInt(f.Text("at"), 10, 64)
	if err != nil {
		return tenants.Refuse(tenants.Invalid, "invalid", noPrice)
	}
	if err := k.Billing.Change(ctx, buyerOf(v), f.Text("plan"), tenants.Interval(f.Text("interval")), time.Unix(at, 0)); err != nil {
		return err
	}
	return k.Done(c, page.FlashPlan, views.PathBilling)
}

// cancellation asks about ending the subscription.
func (k billingPages) cancellation(ctx context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	sub, err := v.Scope.Subscription().Get(ctx)
	return confirmation{
		title: "Cancel subscription", nav: views.NavBilling, up: up("Billing", views.PathBilling),
		ask: views.Confirm{ID: "cancel-plan", Title: "Cancel the subscription?", Keep: "Keep subscription",
			Action: views.PathBillingCancel, Button: "Cancel subscription", Back: views.PathBilling,
			Consequence: []string{"Everything works until " + v.At(sub.PeriodEnd).Text + ".",
				afterCancel}},
		do:   func(ctx context.Context) error { return k.Billing.Cancel(ctx, buyerOf(v)) },
		said: page.FlashPlanEnds, next: views.PathBilling,
	}, err
}

func (k billingPages) resumePlan(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := k.Billing.Resume(ctx, buyerOf(v)); err != nil {
		return err
	}
	return k.Done(c, page.FlashPlanGoesOn, views.PathBilling)
}

// setOverage switches rings past the limit. The price is on the subscription all the time; the
// switch is ours alone.
func (k billingPages) setOverage(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	on := page.FormOf(c).Text("overage") == "on"
	err := v.Scope.Subscription().Change(ctx, func(s *tenants.Subscription) error {
		if on && !s.Live() {
			return tenants.Refuse(tenants.Conflict, "not_subscribed", noOverage)
		}
		s.Overage = on
		return nil
	})
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathBilling)
}

func by(every tenants.Interval) string {
	if every == tenants.Yearly {
		return "by the year"
	}
	return "by the month"
}
