package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type alertRow struct {
	TenantID, Kind, Target, Detail     string
	FirstAt, LastAt, Count, ResolvedAt int64
	ToldAt                             int64
}

const alertColumns = "tenant_id, kind, target, detail, first_at, last_at, count, resolved_at, told_at"

func (r *alertRow) fields() []any {
	return []any{&r.TenantID, &r.Kind, &r.Target, &r.Detail, &r.FirstAt, &r.LastAt, &r.Count, &r.ResolvedAt, &r.ToldAt}
}

func (r alertRow) noun() tenants.Alert {
	return tenants.Alert{
		Tenant: tenants.TenantID(r.TenantID), Kind: tenants.AlertKind(r.Kind), Target: r.Target, Detail: r.Detail, FirstAt: moment(r.FirstAt),
		LastAt: moment(r.LastAt), Count: r.Count, ResolvedAt: moment(r.ResolvedAt), ToldAt: moment(r.ToldAt),
	}
}

// told is how long nobody is written to again of an alert that comes and goes.
const told = int64(time.Hour / time.Microsecond)

// Alert raises an alert, and says whether that is news: one that is open already only grows and takes the new detail; one that was
// resolved starts anew.
func (s *Scope) Alert(ctx context.Context, kind tenants.AlertKind, target, detail string) (news bool, err error) {
	now := micros(s.s.now())
	err = s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE alerts SET detail = ?, last_at = ?, count = count + 1 WHERE tenant_id = ? AND kind = ? AND target = ? AND resolved_at = 0",
			detail, now, string(s.id), string(kind), target)
		if news = n == 0; err != nil || !news {
			return err
		}
		_, err = t.exec("INSERT INTO alerts ("+alertColumns+", tell_at) VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0, ?) ON CONFLICT (tenant_id, kind, target) DO UPDATE SET "+
			"detail = excluded.detail, first_at = excluded.first_at, last_at = excluded.last_at, count = 1, resolved_at = 0, "+
			"tell_at = CASE WHEN alerts.told_at + ? > excluded.tell_at THEN alerts.told_at + ? ELSE excluded.tell_at END",
			string(s.id), string(kind), target, detail, now, now, now, told, told)
		if err != nil {
			return err
		}
		return t.audit(s, "alert.raise", target, string(kind))
	})
	return news && err == nil, err
}

// alertsMost bounds a list of alerts; there are few kinds, and few targets that can be in trouble.
const alertsMost = 200

// Alerts lists alerts, the latest first: those that are open, or also those that were resolved.
func (s *Scope) Alerts(ctx context.Context, all bool) ([]tenants.Alert, error) {
	open := " AND resolved_at = 0"
	if all {
		open = ""
	}
	rows, err := s.reads().query(ctx, "SELECT "+alertColumns+" FROM alerts WHERE tenant_id = ?"+open+" ORDER BY last_at DESC, kind, target LIMIT ?",
		string(s.id), alertsMost)
	found, err := collect(rows, err, (*alertRow).fields)
	return nouns(found, alertRow.noun), translate(err)
}

// ResolveAlert closes an open alert.
func (s *Scope) ResolveAlert(ctx context.Context, kind tenants.AlertKind, target string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE alerts SET resolved_at = ?, tell_at = 0 WHERE tenant_id = ? AND kind = ? AND target = ? AND resolved_at = 0",
			micros(s.s.now()), string(s.id), string(kind), target)
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("alert")
		}
		return t.audit(s, "alert.resolve", target, string(kind))
	})
}

// settle closes whatever is open about a target that is gone.
func (t *tx) settle(s *Scope, target string) error {
	_, err := t.exec("UPDATE alerts SET resolved_at = ?, tell_at = 0 WHERE tenant_id = ? AND target = ? AND resolved_at = 0", micros(s.s.now()), string(s.id), target)
	return err
}
