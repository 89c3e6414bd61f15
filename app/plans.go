package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
)

// plansCmd manages the plans that tenants can buy.
type plansCmd struct {
	Show plansShowCmd `cmd:"" help:"Print the plans file that is in force; change a copy and name it in CARILLON_PLANS_FILE."`
	Sync plansSyncCmd `cmd:"" help:"Make the plans' products and prices at Stripe; run again it changes nothing."`
}

type plansShowCmd struct {
	JSON bool `help:"As a plans file."`
	PlansFile
}

// Run prints the plans.
func (p *plansShowCmd) Run(c terminal) error {
	plans, err := p.read()
	if err != nil {
		return err
	}
	if p.JSON {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		return e.Encode(plans)
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLAN\tMONTH\tYEAR\tDEVICES\tRINGS\tCALLS\tPEOPLE\tKEPT\t1,000 MORE RINGS")
	for _, x := range plans.Plans {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Code, tenants.FormatCents(x.MonthCents),
			tenants.FormatCents(x.YearCents), most(x.Devices), most(x.Rings),
			most(x.Calls), most(x.People), page.Keeps(x), tenants.FormatCents(x.Overage))
	}
	fmt.Fprintf(t, "\nA trial lasts %d days. In %s.\n", plans.TrialDays, strings.ToUpper(plans.Currency))
	return t.Flush()
}

func most(n int64) string {
	if n == 0 {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

type plansSyncCmd struct {
	PlansFile
	Stripe
	Database
	PublicURL string `help:"The https:// address that people use." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
}

// Run makes what is missing at Stripe.
func (p *plansSyncCmd) Run(ctx context.Context, c terminal) error {
	if p.Stripe.Key == "" {
		return errors.New("CARILLON_STRIPE_KEY is empty; give Stripe's secret key")
	}
	plans, err := p.read()
	if err != nil {
		return fmt.Errorf("CARILLON_PLANS_FILE: %w", err)
	}
	return p.Database.with(ctx, c, plans, func(s *store.Store) error {
		b, err := p.Stripe.open(c, s, p.PublicURL)
		if err != nil {
			return err
		}
		done, err := b.SyncPlans(ctx)
		for _, d := range done {
			fmt.Fprintln(c.out, d)
		}
		if err == nil && len(done) == 0 {
			fmt.Fprintln(c.out, "Stripe already has everything; nothing was changed.")
		}
		return err
	})
}

// tenantPlanCmd gives a tenant a plan without Stripe.
type tenantPlanCmd struct {
	Slug  string    `required:"" help:"The tenant."`
	Plan  string    `required:"" help:"Code of a plan; 'trial' = a trial of the smallest; 'none' = no plan and no limits."`
	Until time.Time `help:"Day on which it ends, such as 2027-01-31; empty = until further notice." format:"2006-01-02"`
	PlansFile
	Database
}

// Run gives the plan. It refuses a tenant who pays through Stripe, so that nobody pays for a plan
// that was given.
func (t *tenantPlanCmd) Run(ctx context.Context, c terminal) error {
	plans, err := t.read()
	if err != nil {
		return fmt.Errorf("CARILLON_PLANS_FILE: %w", err)
	}
	return t.Database.with(ctx, c, plans, func(s *store.Store) error {
		said, err := t.give(ctx, s, plans, c.now())
		if err == nil {
			fmt.Fprintln(c.out, said)
		}
		return err
	})
}

func (t *tenantPlanCmd) give(ctx context.Context, s *store.Store, plans tenants.Plans, now time.Time) (said string, err error) {
	who, err := bySlug(ctx, s, t.Slug)
	if err != nil {
		return "", err
	}
	scope := s.For(who.ID).By(commandLine)
	old, err := scope.Subscription().Get(ctx)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return "", err
	}
	if old.Live() {
		return "", errors.New("this tenant pays through Stripe; cancel that subscription there first")
	}
	if t.Plan == "none" {
		return "The tenant " + t.Slug + " has no subscription, so it has no limits.", scope.Subscription().Remove(ctx)
	}
	n := plans.Assigned(who.ID, t.Plan, now, t.Until)
	if t.Plan == "trial" {
		n = plans.Trial(who.ID, plans.Plans[0].Code, now)
	}
	if _, ok := plans.Plan(n.Plan); !ok {
		return "", fmt.Errorf("there is no plan %q; `carillon plans show` lists them", t.Plan)
	}
	n.Customer = old.Customer
	return "The tenant " + t.Slug + " has the plan " + n.Plan + ".", scope.Subscription().Set(ctx, n)
}

func bySlug(ctx context.Context, s *store.Store, slug string) (tenants.Tenant, error) {
	all, err := s.Tenants().List(ctx)
	if err != nil {
		return tenants.Tenant{}, err
	}
	for _, t := range all {
		if t.Slug == slug {
			return t, nil
		}
	}
	return tenants.Tenant{}, fmt.Errorf("there is no tenant %q", slug)
}
