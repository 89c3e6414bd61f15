package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// quietBeforeResolve is how long a refusal must not have come back before its alert is resolved.
const quietBeforeResolve = time.Hour

// Review looks at every tenant's credentials and alerts. It warns of certificates that expire
// within 60, 30, 14, 7 and 1 days, with the number of devices that can no longer be rung, and
// resolves the alerts of what works again. Run it once a day or more often; it writes nothing while
// nothing changes.
func (m *Monitor) Review(ctx context.Context) error {
	all, err := m.Store.Tenants().Credentials(ctx)
	if err != nil {
		return err
	}
	byTenant := map[tenants.TenantID][]tenants.Credential{}
	m.noteExpiry(all)
	for _, c := range all {
		byTenant[c.Tenant] = append(byTenant[c.Tenant], c)
	}
	var errs []error
	for t, credentials := range byTenant {
		if ctx.Err() != nil {
			break
		}
		if err := m.reviewTenant(ctx, m.Store.For(t).By(store.Who{Actor: tenants.System}), credentials); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

// noteExpiry keeps the earliest expiry of the certificates in use, of all tenants.
func (m *Monitor) noteExpiry(all []tenants.Credential) {
	first := int64(0)
	for _, c := range all {
		if at := c.NotAfter.Unix(); c.State == tenants.CredentialActive && !c.NotAfter.IsZero() && (first == 0 || at < first) {
			first = at
		}
	}
	m.expiry.Store(first)
}

// NextExpiry returns when the next certificate in use expires, as of the last Review; zero if none
// does. It may be in the past.
func (m *Monitor) NextExpiry() time.Time {
	if at := m.expiry.Load(); at != 0 {
		return time.Unix(at, 0)
	}
	return time.Time{}
}

func (m *Monitor) reviewTenant(ctx context.Context, scope *store.Scope, credentials []tenants.Credential) error {
	open, err := scope.Alerts().List(ctx, false)
	if err != nil {
		return err
	}
	warned := map[string]tenants.Alert{} // the alert about its expiry, by credential
	phones := false
	var agents []tenants.AgentID
	for _, a := range open {
		switch a.Kind {
		case tenants.AlertExpiry:
			warned[a.Target] = a
		case tenants.AlertBlocked, tenants.AlertUnshown, tenants.AlertPhone:
			phones = true
		case tenants.AlertAgent:
			agents = append(agents, tenants.AgentID(a.Target))
		case tenants.AlertConnection, tenants.AlertConnectionOff, tenants.AlertCalendar,
			tenants.AlertDuty, tenants.AlertKeyExpiry, tenants.AlertOfRule, tenants.AlertTargetFails, tenants.AlertUsage,
			tenants.AlertDomain:
			// They are closed where they were raised.
		default:
			if err := m.reviewRefusal(ctx, scope, a, credentials); err != nil {
				return err
			}
		}
	}
	if err := m.reviewAgents(ctx, scope, agents); err != nil {
		return err
	}
	if err := m.warnOfExpiry(ctx, scope, credentials, warned); err != nil || !phones {
		return err
	}
	return m.judgePhones(ctx, scope)
}

// reviewRefusal resolves the alert about a credential that Apple has accepted since and has not
// refused for long. The process that raised the alert may have ended before it could resolve it.
func (m *Monitor) reviewRefusal(ctx context.Context, scope *store.Scope, a tenants.Alert, credentials []tenants.Credential) error {
	for _, c := range credentials {
		works := c.State == tenants.CredentialActive && c.LastUsedAt.After(a.LastAt) && m.Now().Sub(a.LastAt) > quietBeforeResolve
		if string(c.ID) == a.Target && works {
			return ignoreUnknown(scope.Alerts().Resolve(ctx, a.Kind, a.Target))
		}
	}
	return nil
}

// warnOfExpiry warns of certificates that expire soon, where no alert says so already, and resolves
// the warnings about credentials that are out of use.
func (m *Monitor) warnOfExpiry(ctx context.Context, scope *store.Scope, credentials []tenants.Credential,
	warned map[string]tenants.Alert) error {
	for _, c := range credentials {
		days, due := tenants.ExpiryStep(c.NotAfter, m.Now())
		if !due || c.State != tenants.CredentialActive {
			continue
		}
		reach, err := scope.Devices().CountByEnvironment(ctx, c.Bundle)
		if err != nil {
			return err
		}
		detail := tenants.ExpiryWarning(c, days, tenants.DevicesLeftSilent(c, credentials, reach))
		alert, open := warned[string(c.ID)]
		if alert.Detail != detail {
			if _, err := scope.Alerts().Raise(ctx, tenants.AlertExpiry, string(c.ID), detail); err != nil {
				return err
			}
		}
		if open && nearerSinceMail(c, alert, days) { // each step gets its own mail
			if err := scope.Alerts().MailAt(ctx, []tenants.Alert{alert}, m.Now()); err != nil {
				return err
			}
		}
		delete(warned, string(c.ID))
	}
	for id := range warned {
		if err := ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertExpiry, id)); err != nil {
			return err
		}
	}
	return nil
}

// nearerSinceMail says whether the expiry has come one step nearer since people got mail about it.
func nearerSinceMail(c tenants.Credential, alert tenants.Alert, days int) bool {
	if alert.ToldAt.IsZero() {
		return false // the first mail is still to come
	}
	then, due := tenants.ExpiryStep(c.NotAfter, alert.ToldAt)
	return !due || then != days
}
