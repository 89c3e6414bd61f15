package health

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ReviewUsage warns where 80 % of what a plan includes is used, and again where all of it is:
// rings, devices and people. Each warning is sent once in a month of the plan, also if somebody
// closes its alert, and again where another plan has another limit; the alert closes when it is no
// longer true. Of a tenant that is refused nothing is reviewed. Run it a few times an hour; it
// writes nothing while nothing changes.
func (m *Monitor) ReviewUsage(ctx context.Context) error {
	all, err := m.Store.Tenants().Subscriptions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, sub := range all {
		if ctx.Err() != nil {
			break
		}
		if err := m.reviewUsage(ctx, m.Store.For(sub.Tenant).By(store.Who{Actor: tenants.System})); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", sub.Tenant, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Monitor) reviewUsage(ctx context.Context, scope *store.Scope) error {
	e, err := scope.Subscription().Entitlement(ctx)
	if err != nil {
		return err
	}
	if e.Refusal() != nil { // nothing is known to have ended: what is open stays so until the payment comes
		return nil
	}
	devices, err := scope.Devices().Count(ctx)
	if err != nil {
		return err
	}
	people, err := scope.Members().Count(ctx)
	if err != nil {
		return err
	}
	e.Usage.Devices, e.Usage.People = int64(devices), int64(people)
	due := map[string]tenants.Warning{}
	for _, w := range e.Warnings() {
		if strings.HasSuffix(w.Code, "_80") || strings.HasSuffix(w.Code, "_100") {
			due[w.Code] = w
		}
	}
	said, _, err := scope.Alerts().Find(ctx, store.AlertQuery{Search: string(tenants.AlertUsage), Limit: 50})
	if err != nil {
		return err
	}
	for _, a := range said {
		if a.Kind != tenants.AlertUsage {
			continue
		}
		if w, still := due[a.Target]; still && !a.LastAt.Before(e.From) && sameLimit(a, w) {
			delete(due, a.Target)
		} else if a.ResolvedAt.IsZero() { // over, or of an earlier month or plan: it would hide that this is news
			if err := ignoreUnknown(scope.Alerts().Resolve(ctx, a.Kind, a.Target)); err != nil {
				return err
			}
		}
	}
	for code, w := range due {
		if _, err := scope.Alerts().Raise(ctx, tenants.AlertUsage, code, strings.TrimSpace(w.Text+" "+w.Cure)); err != nil {
			return err
		}
	}
	return nil
}

// sameLimit reports whether an alert was about the limit of the warning: after a change of the plan
// it was about another one.
func sameLimit(a tenants.Alert, w tenants.Warning) bool {
	return strings.Contains(a.Detail, " "+tenants.FormatCount(w.Most)+" ")
}
