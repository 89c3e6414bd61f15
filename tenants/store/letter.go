package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// claimed bounds the tenants of one claim.
const claimed = 50

// UntoldAlerts claims the open alerts whose people are still to be written to, of some tenants and ordered by tenant, by moving their
// moment to now + lease: nobody else gets them before that, and if this process dies they come back then.
func (s *Store) UntoldAlerts(ctx context.Context, now time.Time, lease time.Duration) (alerts []tenants.Alert, err error) {
	const due = " FROM alerts WHERE tell_at <> 0 AND tell_at <= ? AND resolved_at = 0"
	rows, err := s.db.through(wholeHouse).query(ctx, "SELECT DISTINCT tenant_id"+due+" ORDER BY tenant_id LIMIT ?", micros(now), claimed)
	ids, err := collect(rows, err, func(id *tenants.TenantID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return nil, translate(err)
	}
	args := append([]any{micros(now.Add(lease)), micros(now)}, some(ids[0], ids)[1:]...)
	err = s.w.do(ctx, wholeHouse, func(t *tx) error {
		rows, err := t.query(context.Background(), "UPDATE alerts SET tell_at = ? WHERE (tenant_id, kind, target) IN (SELECT tenant_id, kind, target"+
			due+" AND tenant_id IN ("+marks(len(ids))+")"+s.db.dialect.holdFree()+") RETURNING "+alertColumns, args...)
		found, err := collect(rows, err, (*alertRow).fields)
		alerts = nouns(found, alertRow.noun)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(alerts, func(a, b tenants.Alert) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), a.FirstAt.Compare(b.FirstAt), strings.Compare(string(a.Kind)+a.Target, string(b.Kind)+b.Target))
	})
	return alerts, nil
}

// TellAlerts moves the moment at which the tenant's people are written to of alerts; those that were resolved meanwhile stay as they are.
func (s *Scope) TellAlerts(ctx context.Context, alerts []tenants.Alert, at time.Time) error {
	return s.setAlerts(ctx, alerts, "tell_at = ?", micros(at))
}

// AlertsTold notes that the tenant's people were written to of alerts.
func (s *Scope) AlertsTold(ctx context.Context, alerts []tenants.Alert, at time.Time) error {
	return s.setAlerts(ctx, alerts, "tell_at = 0, told_at = ?", micros(at))
}

// AlertsDropped notes that nobody needs to be written to of alerts.
func (s *Scope) AlertsDropped(ctx context.Context, alerts []tenants.Alert) error {
	return s.setAlerts(ctx, alerts, "tell_at = ?", 0)
}

// setAlerts touches alerts that are the very ones: not those that ended and were raised anew.
func (s *Scope) setAlerts(ctx context.Context, alerts []tenants.Alert, set string, value int64) error {
	return s.s.w.do(ctx, s.door(), func(t *tx) error {
		for _, a := range alerts {
			_, err := t.exec("UPDATE alerts SET "+set+" WHERE tenant_id = ? AND kind = ? AND target = ? AND first_at = ? AND resolved_at = 0",
				value, uuid(s.id), string(a.Kind), a.Target, micros(a.FirstAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// LettersSince counts the letters about alerts that the tenant's people got since a moment, and says when the first of them went.
func (s *Scope) LettersSince(ctx context.Context, since time.Time) (letters int, first time.Time, err error) {
	rows, err := s.reads().query(ctx, "SELECT COUNT(DISTINCT told_at), COALESCE(MIN(told_at), 0) FROM alerts WHERE tenant_id = ? AND told_at > ?",
		uuid(s.id), micros(since))
	type sum struct{ n, first int64 }
	found, err := collect(rows, err, func(x *sum) []any { return []any{&x.n, &x.first} })
	if err != nil || len(found) == 0 {
		return 0, time.Time{}, translate(err)
	}
	return int(found[0].n), moment(found[0].first), nil
}

// Managers are the addresses of the tenant's owners and admins who can still sign in, in order.
func (s *Scope) Managers(ctx context.Context) ([]string, error) {
	rows, err := s.reads().query(ctx, "SELECT users.email FROM members JOIN users ON users.id = members.user_id WHERE members.tenant_id = ? "+
		"AND members.role IN (?, ?) AND users.disabled_at = 0 ORDER BY users.email", uuid(s.id), string(tenants.Owner), string(tenants.Admin))
	found, err := collect(rows, err, func(email *string) []any { return []any{email} })
	return found, translate(err)
}
