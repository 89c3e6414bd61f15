package page

import (
	"testing"

	"carillon/tenants"
)

// TestSavings: pages say what a year saves only if it holds for every plan.
func TestSavings(t *testing.T) {
	t.Parallel()
	plan := func(month, year int64) tenants.Plan { return tenants.Plan{MonthCents: month, YearCents: year} }
	for _, c := range []struct {
		want  string
		plans []tenants.Plan
	}{
		{"2 months free", tenants.BuiltinPlans().Plans},
		{"1 month free", []tenants.Plan{plan(100, 1100), plan(300, 3300)}},
		{"", []tenants.Plan{plan(100, 1000), plan(100, 1100)}},
		{"", []tenants.Plan{plan(100, 1200)}},
		{"", []tenants.Plan{plan(100, 1150)}},
		{"", []tenants.Plan{plan(0, 0)}},
		{"", nil},
	} {
		if got := Savings(c.plans); got != c.want {
			t.Errorf("%v: %q, not %q", c.plans, got, c.want)
		}
	}
}
