package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ReviewKeys warns of API keys that expire within 14 and 3 days, and notes the end of those that
// have expired. Run it a few times an hour; it writes nothing while nothing changes.
func (m *Monitor) ReviewKeys(ctx context.Context) error {
	now := m.Now()
	keys, err := m.Store.Jobs().KeysWithExpiry(ctx, now.AddDate(0, 0, tenants.KeyExpirySteps[len(tenants.KeyExpirySteps)-1]+1))
	if err != nil {
		return err
	}
	var errs []error
	for _, k := range keys {
		if ctx.Err() != nil {
			break
		}
		if err := m.reviewKey(ctx, m.Store.For(k.Tenant).By(store.Who{Actor: tenants.System}), k, now); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s, key %s: %w", k.Tenant, k.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Monitor) reviewKey(ctx context.Context, scope *store.Scope, k tenants.Key, now time.Time) error {
	if k.Ended(now) {
		return scope.Keys().End(ctx, k.ID)
	}
	days, due := tenants.KeyExpiryStep(k, now)
	if !due {
		return nil
	}
	alert, known, err := alertAbout(ctx, scope, k)
	if err != nil {
		return err
	}
	then, was := tenants.KeyExpiryStep(k, alert.LastAt)
	if known && was && then == days { // said at this step, and perhaps closed by a person since
		return nil
	}
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	news, err := scope.Alerts().Raise(ctx, tenants.AlertKeyExpiry, string(k.ID), tenants.KeyExpiryWarning(k, t.Zone()))
	if err != nil || news || alert.ToldAt.IsZero() {
		return err
	}
	return scope.Alerts().MailAt(ctx, []tenants.Alert{alert}, now) // each step gets its own mail
}

// alertAbout is the alert about the expiry of a key, open or not.
func alertAbout(ctx context.Context, scope *store.Scope, k tenants.Key) (a tenants.Alert, known bool, err error) {
	found, _, err := scope.Alerts().Find(ctx, store.AlertQuery{Search: string(k.ID), Limit: 10})
	for _, a := range found {
		if a.Kind == tenants.AlertKeyExpiry && a.Target == string(k.ID) {
			return a, true, err
		}
	}
	return a, false, err
}
