package site

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

func (s *Site) pricing(ctx context.Context, c *fiber.Ctx) error {
	plans := s.Store.Plans()
	p := views.PricingPage{
		Front:     s.front(ctx, c, pricingHeading),
		TrialDays: s.trialDays(),
		Grace:     views.Plural(plans.GraceDays, "day", "days"), NoStripe: !s.Billing, NoTrial: s.Mail == nil,
		Saving: page.Savings(plans.Plans),
	}
	for i, one := range plans.Plans {
		p.Plans = append(p.Plans, views.PlanCard{
			Name: one.Name, Month: page.Money(one.MonthCents, plans.Currency), Year: page.Money(one.YearCents, plans.Currency),
			Saving: page.Saving(one), For: suits(one), Limits: limitRows(one, plans.Currency), Marked: i == 1 && len(plans.Plans) > 2,
		})
	}
	return web.Page(c, views.Pricing(p), fiber.StatusOK)
}

func limitRows(p tenants.Plan, currency string) []views.Row {
	rows := []views.Row{
		{Name: "Rings a month", Text: most(p.Rings)}, {Name: "Devices", Text: most(p.Devices)},
		{Name: "Calls at once", Text: most(p.Calls)},
		{Name: peopleLabel, Text: most(p.People)},
		{Name: keptLabel, Text: page.Keeps(p)},
	}
	if p.Overage > 0 {
		rows = append(rows, views.Row{Name: "1,000 more rings (optional)", Text: page.Money(p.Overage, currency)})
	}
	return rows
}

func most(n int64) string {
	if n == 0 {
		return "Unlimited"
	}
	return tenants.FormatCount(n)
}
