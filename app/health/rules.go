package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// rulePause is how often a rule is looked at.
	rulePause = time.Minute
	// rulesAtOnce bounds the rules of one turn.
	rulesAtOnce = 200
)

// ReviewRules looks at the alert rules that are due, of every tenant: it raises the alerts of those
// whose figure passed its threshold, and closes those whose figure came back.
func (m *Monitor) ReviewRules(ctx context.Context) error {
	var errs []error
	for ctx.Err() == nil {
		rules, err := m.Store.Jobs().ClaimRules(ctx, m.Now(), rulePause, rulesAtOnce)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, r := range rules {
			if err := m.reviewRule(ctx, r); err != nil {
				errs = append(errs, fmt.Errorf("tenant %s: alert rule %s: %w", r.Tenant, r.ID, err))
			}
		}
		if len(rules) < rulesAtOnce {
			break
		}
	}
	return errors.Join(errs...)
}

func (m *Monitor) reviewRule(ctx context.Context, r tenants.AlertRule) error {
	rules, now := m.Store.For(r.Tenant).By(store.Who{Actor: tenants.System}).AlertRules(), m.Now()
	figure, err := rules.Figure(ctx, r, now)
	if err != nil {
		return err
	}
	return rules.Enter(ctx, r, r.Judge(figure, now), r.Fired(figure))
}
