package switchboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// quiet is how long a refusal must not have come back for its alert to be over.
const quiet = time.Hour

// Review goes through every tenant's credentials and alerts. It warns of certificates that end within 60, 30, 14, 7 and 1 days, with
// the number of devices that go silent, and closes alerts of what is well again. Run it once a day or more often; while nothing
// changes it writes nothing.
func (b *Board) Review(ctx context.Context) error {
	all, err := b.Store.Credentials(ctx)
	if err != nil {
		return err
	}
	of := map[tenants.TenantID][]tenants.Credential{}
	for _, c := range all {
		of[c.Tenant] = append(of[c.Tenant], c)
	}
	var errs []error
	for t, mine := range of {
		if ctx.Err() != nil {
			break
		}
		if err := b.review(ctx, b.Store.For(t).By(store.Who{Actor: tenants.System}), mine); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", t, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Board) review(ctx context.Context, scope *store.Scope, mine []tenants.Credential) error {
	open, err := scope.Alerts(ctx, false)
	if err != nil {
		return err
	}
	warned := map[string]tenants.Alert{} // by credential: what is said of its end
	phones := false
	for _, a := range open {
		switch a.Kind {
		case tenants.AlertExpiry:
			warned[a.Target] = a
		case tenants.AlertBlocked, tenants.AlertUnshown:
			phones = true
		default:
			if err := b.reviewRefusal(ctx, scope, a, mine); err != nil {
				return err
			}
		}
	}
	if err := b.expiries(ctx, scope, mine, warned); err != nil || !phones {
		return err
	}
	return b.judge(ctx, scope)
}

// reviewRefusal closes the alert about a credential that Apple has taken since and not refused for long: the process that raised it
// may not live to close it.
func (b *Board) reviewRefusal(ctx context.Context, scope *store.Scope, a tenants.Alert, mine []tenants.Credential) error {
	for _, c := range mine {
		well := c.State == tenants.CredentialActive && c.LastUsedAt.After(a.LastAt) && b.Now().Sub(a.LastAt) > quiet
		if string(c.ID) == a.Target && well {
			return resolved(scope.ResolveAlert(ctx, a.Kind, a.Target))
		}
	}
	return nil
}

// expiries warns of the ends that are near, where that is not said already, and closes the warnings of what is out of use.
func (b *Board) expiries(ctx context.Context, scope *store.Scope, mine []tenants.Credential, warned map[string]tenants.Alert) error {
	for _, c := range mine {
		days, due := tenants.ExpiryStep(c.NotAfter, b.Now())
		if !due || c.State != tenants.CredentialActive {
			continue
		}
		reach, err := scope.Reach(ctx, c.Bundle)
		if err != nil {
			return err
		}
		detail := tenants.ExpiryWarning(c, days, tenants.DevicesLeftSilent(c, mine, reach))
		said, open := warned[string(c.ID)]
		if said.Detail != detail {
			if _, err := scope.Alert(ctx, tenants.AlertExpiry, string(c.ID), detail); err != nil {
				return err
			}
		}
		if open && nearer(c, said, days) { // each step is a letter of its own
			if err := scope.TellAlerts(ctx, []tenants.Alert{said}, b.Now()); err != nil {
				return err
			}
		}
		delete(warned, string(c.ID))
	}
	for id := range warned {
		if err := resolved(scope.ResolveAlert(ctx, tenants.AlertExpiry, id)); err != nil {
			return err
		}
	}
	return nil
}

// nearer says whether the end has come a step nearer since people were written to.
func nearer(c tenants.Credential, said tenants.Alert, days int) bool {
	if said.ToldAt.IsZero() {
		return false // they still will be
	}
	then, due := tenants.ExpiryStep(c.NotAfter, said.ToldAt)
	return !due || then != days
}
