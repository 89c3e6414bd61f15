package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/app/billing"
	"carillon/tenants"
	"carillon/tenants/store"
)

// doctorCmd checks configuration, database and Stripe. It changes nothing.
type doctorCmd struct {
	Config
}

// Run prints each finding and fails if one is bad.
func (d *doctorCmd) Run(ctx context.Context, c terminal) error {
	sick := false
	say := func(f billing.Finding) {
		mark := "ok  "
		if !f.OK {
			mark, sick = "BAD ", true
		}
		fmt.Fprintln(c.out, mark, f.Text)
	}
	if _, err := d.check(); err != nil {
		say(billing.Finding{Text: "the configuration has faults:\n" + err.Error()})
	} else {
		say(billing.Finding{OK: true, Text: "the configuration has no faults"})
	}
	for _, f := range d.database(ctx, c) {
		say(f)
	}
	if sick {
		return errors.New("at least one check failed; see above")
	}
	return nil
}

// database checks the database, and Stripe with it.
func (d *doctorCmd) database(ctx context.Context, c terminal) []billing.Finding {
	plans, err := d.PlansFile.read()
	if err != nil {
		return []billing.Finding{{Text: "CARILLON_PLANS_FILE: " + err.Error()}}
	}
	s, err := d.Database.open(ctx, c, plans)
	if err != nil {
		return []billing.Finding{{Text: "the database: " + err.Error()}}
	}
	out := []billing.Finding{{OK: true, Text: "the database answers and its schema is current"}}
	if err := s.CheckIsolation(ctx); err != nil {
		out = append(out, billing.Finding{Text: "row-level security: " + err.Error()})
	}
	out = append(out, retired(ctx, s, plans)...)
	out = append(out, d.money(ctx, c, s)...)
	if err := s.Close(); err != nil {
		out = append(out, billing.Finding{Text: "the database: " + err.Error()})
	}
	return out
}

// retired finds tenants whose plan is no longer in the plans file, so that no limits apply to them.
func retired(ctx context.Context, s *store.Store, plans tenants.Plans) (out []billing.Finding) {
	subs, err := s.Tenants().Subscriptions(ctx)
	if err != nil {
		return []billing.Finding{{Text: "subscriptions: " + err.Error()}}
	}
	for _, x := range subs {
		if _, ok := plans.Plan(x.Plan); !ok {
			out = append(out, billing.Finding{Text: fmt.Sprintf("tenant %s has the plan %q, which the plans file "+
				"does not; it has no limits until the file has it again", x.Tenant, x.Plan)})
		}
	}
	return out
}

func (d *doctorCmd) money(ctx context.Context, c terminal, s *store.Store) []billing.Finding {
	if d.Stripe.Key == "" {
		return []billing.Finding{{OK: true,
			Text: "CARILLON_STRIPE_KEY is empty: no money is taken, and `carillon tenant plan` gives plans by hand"}}
	}
	b, err := d.Stripe.open(c, s, d.PublicURL)
	if err != nil {
		return []billing.Finding{{Text: err.Error()}}
	}
	out := b.Doctor(ctx)
	if at, err := s.StripeEvents().LastHeard(ctx); err == nil && !at.IsZero() {
		out = append(out, billing.Finding{OK: true, Text: "Stripe was last heard at " + at.Format(time.RFC3339)})
	}
	return out
}
