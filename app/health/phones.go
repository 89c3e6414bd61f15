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

// phoneAlerts bounds the phones of one tenant that have an alert of their own.
const phoneAlerts = 20

// versionAlerts are the alerts about a version of the app, by what is wrong with it.
var versionAlerts = map[tenants.Verdict]tenants.AlertKind{tenants.Blocked: tenants.AlertBlocked, tenants.Unshown: tenants.AlertUnshown}

// alertKey names an open alert.
type alertKey struct {
	kind   tenants.AlertKind
	target string
}

// judgePhones raises an alert for each version of the app that is in trouble, and for each phone
// that is in trouble while its version is not. It resolves the alerts of what works again.
func (m *Monitor) judgePhones(ctx context.Context, scope *store.Scope) error {
	phones, apps, err := Phones(ctx, scope, m.Now())
	if err != nil {
		return err
	}
	wanted, failing := map[alertKey]string{}, map[string]bool{}
	for _, a := range apps {
		if kind, bad := versionAlerts[a.Verdict]; bad {
			wanted[alertKey{kind, a.AppVersion}], failing[a.AppVersion] = a.Warning(), true
		}
	}
	if err := m.wantPhones(ctx, scope, phones, failing, wanted); err != nil {
		return err
	}
	var errs []error
	for alert, detail := range wanted {
		_, err := scope.Alerts().Raise(ctx, alert.kind, alert.target, detail)
		errs = append(errs, err)
	}
	open, err := scope.Alerts().List(ctx, false)
	errs = append(errs, err)
	for _, a := range open {
		switch a.Kind {
		case tenants.AlertBlocked, tenants.AlertUnshown, tenants.AlertPhone:
			if _, still := wanted[alertKey{a.Kind, a.Target}]; !still {
				errs = append(errs, ignoreUnknown(scope.Alerts().Resolve(ctx, a.Kind, a.Target)))
			}
		}
	}
	return errors.Join(errs...)
}

// wantPhones adds the alerts about single phones to wanted, the worst phones first.
func (m *Monitor) wantPhones(ctx context.Context, scope *store.Scope, phones []tenants.WakeHistory, failing map[string]bool,
	wanted map[alertKey]string) error {
	bad := map[tenants.DeviceID]tenants.WakeHistory{}
	ids := []tenants.DeviceID{}
	for _, h := range phones {
		if h.Verdict != tenants.Fine && !failing[h.AppVersion] && len(ids) < phoneAlerts {
			bad[h.Device], ids = h, append(ids, h.Device)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	devices, err := scope.Devices().ByID(ctx, ids)
	for id, d := range devices {
		status := tenants.StatusOfPhone(d, bad[id], m.Now())
		if status.Failing() {
			wanted[alertKey{tenants.AlertPhone, string(id)}] = status.Alert(d.Name, bad[id])
		}
	}
	return err
}
