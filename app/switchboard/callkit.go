package switchboard

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// How far back phones are judged, and by how many rings at most, so that judging costs the same whatever happened.
const (
	WatchSpan  = 7 * 24 * time.Hour
	WatchRings = 2000
)

// watch remembers which phones ended badly of late, and which tenants were looked at. The zero value is ready.
type watch struct {
	mu     sync.Mutex // guards both
	bad    map[tenants.DeviceID]int
	looked map[tenants.TenantID]time.Time
}

// again counts one more bad ending of the phone, and says whether its tenant should be looked at now: on the second in a row, and
// once a minute at most.
func (w *watch) again(t tenants.TenantID, d tenants.DeviceID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad == nil || len(w.bad) >= mostKeys {
		w.bad = map[tenants.DeviceID]int{}
	}
	if w.bad[d]++; w.bad[d] < 2 {
		return false
	}
	if last, ok := w.looked[t]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if w.looked == nil || len(w.looked) >= mostKeys {
		w.looked = map[tenants.TenantID]time.Time{}
	}
	w.looked[t] = now
	return true
}

// overlooked looks at a ring that expired: when phones stay silent, or wake and show nothing, again and again, iOS stops waking the
// app, and its makers must hear of it before it spreads.
func (b *Board) overlooked(ctx context.Context, scope *store.Scope, r *tenants.Ring) error {
	look := false
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if r.Test || a.Has(tenants.FactShown) || !a.Has(tenants.FactAccepted) || !a.Has(tenants.FactExpired) {
			continue
		}
		look = b.watch.again(r.Tenant, a.Device, b.Now()) || look
	}
	if !look {
		return nil
	}
	return b.judge(ctx, scope)
}

// CallKit is how the tenant's phones and the versions of its app do: by phone, the worst first, and by version.
func CallKit(ctx context.Context, scope *store.Scope, now time.Time) (phones []tenants.WakeHistory, apps []tenants.WakeHealth, err error) {
	outcomes, err := scope.Watched(ctx, now.Add(-WatchSpan), WatchRings)
	if err != nil {
		return nil, nil, err
	}
	versions, err := scope.Versions(ctx)
	if err != nil {
		return nil, nil, err
	}
	phones = tenants.WakeHistories(outcomes)
	return phones, tenants.WakeHealthByVersion(phones, versions), nil
}

// judge raises an alert for each version of the app that is in trouble, and closes those of versions that are well again.
func (b *Board) judge(ctx context.Context, scope *store.Scope) error {
	_, apps, err := CallKit(ctx, scope, b.Now())
	if err != nil {
		return err
	}
	alerts := map[tenants.Verdict]tenants.AlertKind{tenants.Blocked: tenants.AlertBlocked, tenants.Unshown: tenants.AlertUnshown}
	now := map[string]tenants.Verdict{}
	var errs []error
	for _, a := range apps {
		now[a.AppVersion] = a.Verdict
		if kind, bad := alerts[a.Verdict]; bad {
			_, err := scope.Alert(ctx, kind, a.AppVersion, a.Warning())
			errs = append(errs, err)
		}
	}
	open, err := scope.Alerts(ctx, false)
	errs = append(errs, err)
	for _, a := range open {
		if (a.Kind == tenants.AlertBlocked || a.Kind == tenants.AlertUnshown) && alerts[now[a.Target]] != a.Kind {
			errs = append(errs, resolved(scope.ResolveAlert(ctx, a.Kind, a.Target)))
		}
	}
	return errors.Join(errs...)
}

// resolved is fine with an alert that somebody else has resolved.
func resolved(err error) error {
	if err != nil && tenants.KindOf(err) == tenants.Unknown {
		return nil
	}
	return err
}
