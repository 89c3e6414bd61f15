package health

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// PhoneSpan is how far back phones are judged.
const PhoneSpan = 7 * 24 * time.Hour

// phoneRings bounds the rings that are read to judge phones, so that it costs the same at any
// traffic.
const phoneRings = 2000

// silentPhones counts the rings that phones did not show, and remembers which tenants were judged.
// The zero value is ready.
type silentPhones struct {
	mu     sync.Mutex // guards both
	missed map[tenants.DeviceID]int
	judged map[tenants.TenantID]time.Time
}

// missedAgain counts one more missed ring of the phone, and says whether its tenant's phones should
// be judged now: from the phone's second missed ring on, and at most once a minute.
func (s *silentPhones) missedAgain(t tenants.TenantID, d tenants.DeviceID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.missed == nil || len(s.missed) >= mostRemembered {
		s.missed = map[tenants.DeviceID]int{}
	}
	if s.missed[d]++; s.missed[d] < 2 {
		return false
	}
	if last, ok := s.judged[t]; ok && now.Sub(last) < time.Minute {
		return false
	}
	if s.judged == nil || len(s.judged) >= mostRemembered {
		s.judged = map[tenants.TenantID]time.Time{}
	}
	s.judged[t] = now
	return true
}

// Expired looks at rings of one tenant whose time is up. When phones stay silent, or wake and show
// no call, several times, iOS stops waking the app; its developers need to know before more phones
// are affected.
func (m *Monitor) Expired(ctx context.Context, scope *store.Scope, rings []*tenants.Ring) error {
	judge := false
	for _, r := range rings {
		for i := range r.Attempts {
			a := &r.Attempts[i]
			if r.Test || a.Has(tenants.FactShown) || !a.Has(tenants.FactAccepted) || !a.Has(tenants.FactExpired) {
				continue
			}
			judge = m.silent.missedAgain(r.Tenant, a.Device, m.Now()) || judge
		}
	}
	if !judge {
		return nil
	}
	return m.judgePhones(ctx, scope)
}

// Phones judges the tenant's phones and the versions of its app by the rings of the last PhoneSpan:
// phones first by the worst, then versions.
func Phones(ctx context.Context, scope *store.Scope, now time.Time) (phones []tenants.WakeHistory, apps []tenants.WakeHealth, err error) {
	outcomes, err := scope.Outcomes().Since(ctx, now.Add(-PhoneSpan), phoneRings)
	if err != nil {
		return nil, nil, err
	}
	versions, err := scope.Devices().CountByVersion(ctx)
	if err != nil {
		return nil, nil, err
	}
	phones = tenants.WakeHistories(outcomes)
	return phones, tenants.WakeHealthByVersion(phones, versions), nil
}

// judgePhones raises an alert for each version of the app that is in trouble, and resolves the
// alerts of versions that work again.
func (m *Monitor) judgePhones(ctx context.Context, scope *store.Scope) error {
	_, apps, err := Phones(ctx, scope, m.Now())
	if err != nil {
		return err
	}
	alerts := map[tenants.Verdict]tenants.AlertKind{tenants.Blocked: tenants.AlertBlocked, tenants.Unshown: tenants.AlertUnshown}
	verdicts := map[string]tenants.Verdict{}
	var errs []error
	for _, a := range apps {
		verdicts[a.AppVersion] = a.Verdict
		if kind, bad := alerts[a.Verdict]; bad {
			_, err := scope.Alerts().Raise(ctx, kind, a.AppVersion, a.Warning())
			errs = append(errs, err)
		}
	}
	open, err := scope.Alerts().List(ctx, false)
	errs = append(errs, err)
	for _, a := range open {
		if (a.Kind == tenants.AlertBlocked || a.Kind == tenants.AlertUnshown) && alerts[verdicts[a.Target]] != a.Kind {
			errs = append(errs, ignoreUnknown(scope.Alerts().Resolve(ctx, a.Kind, a.Target)))
		}
	}
	return errors.Join(errs...)
}
