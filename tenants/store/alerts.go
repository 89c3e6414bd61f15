package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type alertRow struct {
	TenantID                           uuid
	Kind, Target, Detail               string
	FirstAt, LastAt, Count, ResolvedAt int64
	ToldAt                             int64
}

const alertColumns = "tenant_id, kind, target, detail, first_at, last_at, count, resolved_at, told_at"

func (r *alertRow) fields() []any {
	return []any{&r.TenantID, &r.Kind, &r.Target, &r.Detail, &r.FirstAt, &r.LastAt, &r.Count, &r.ResolvedAt, &r.ToldAt}
}

func (r alertRow) noun() tenants.Alert {
	return tenants.Alert{
		Tenant: tenants.TenantID(r.TenantID), Kind: tenants.AlertKind(r.Kind), Target: r.Target, Detail: r.Detail,
		FirstAt: moment(r.FirstAt),
		LastAt:  moment(r.LastAt), Count: r.Count, ResolvedAt: moment(r.ResolvedAt), ToldAt: moment(r.ToldAt),
	}
}

// told is how long nobody is written to again of an alert that comes and goes.
const told = int64(time.Hour / time.Microsecond)

// Alerts are what is wrong for the tenant, and the mails about it.
type Alerts struct{ *scope }

// Alerts returns the tenant's Alerts.
func (s *Scope) Alerts() Alerts { return Alerts{&s.scope} }

// Raise raises an alert, and says whether that is news: one that is open already only grows and
// takes the new detail; one that was resolved starts again.
func (s Alerts) Raise(ctx context.Context, kind tenants.AlertKind, target, detail string) (news bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		news, err = t.alerts().alert(s.scope, kind, target, detail)
		return err
	})
	return news && err == nil, err
}

// alertsTx is the writer's transaction as it changes alerts.
type alertsTx struct{ *tx }

func (t *tx) alerts() alertsTx { return alertsTx{t} }

func (t alertsTx) alert(s *scope, kind tenants.AlertKind, target, detail string) (news bool, err error) {
	now := micros(s.s.now())
	n, err := t.change("UPDATE alerts SET detail = ?, last_at = ?, count = count + 1 WHERE tenant_id = ? AND kind = ? AND target = ? AND "+
		"resolved_at = 0",
		detail, now, uuid(s.id), string(kind), target)
	if err == nil && kind == tenants.AlertExpiry { // raised again only when the next warning is due
		err = t.tell(s, tenants.EventCredentialExpiring, "", tenants.CredentialData{Credential: tenants.CredentialID(target)})
	}
	if err != nil || n > 0 {
		return false, err
	}
	_, err = t.exec("INSERT INTO alerts ("+alertColumns+", tell_at) VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0, ?) ON CONFLICT (tenant_id, kind, "+
		"target) DO UPDATE SET "+
		"detail = excluded.detail, first_at = excluded.first_at, last_at = excluded.last_at, count = 1, resolved_at = 0, "+
		"tell_at = CASE WHEN alerts.told_at + ? > excluded.tell_at THEN alerts.told_at + ? ELSE excluded.tell_at END",
		uuid(s.id), string(kind), target, detail, now, now, now, told, told)
	if err != nil {
		return false, err
	}
	if err := t.tell(s, tenants.EventAlertOpened, "", tenants.AlertData{Alert: kind, Target: target, State: "open"}); err != nil {
		return false, err
	}
	if err := t.send(s, tenants.AlertNews{State: "open", Alert: kind, Target: target, Detail: detail}); err != nil {
		return false, err
	}
	return true, t.audit(s, "alert.raise", target, string(kind))
}

// alertsMost bounds the alerts that are looked at together; Alerts.Find reaches all of them.
const alertsMost = 200

// List are the latest alerts, the latest first, at most alertsMost: those that are open, or also
// those that were resolved.
func (s Alerts) List(ctx context.Context, all bool) ([]tenants.Alert, error) {
	open := " AND resolved_at = 0"
	if all {
		open = ""
	}
	rows, err := s.reads().query(ctx,
		"SELECT "+alertColumns+" FROM alerts WHERE tenant_id = ?"+open+" ORDER BY last_at DESC, kind, target "+
			"LIMIT ?",
		uuid(s.id), alertsMost)
	found, err := collect(rows, err, (*alertRow).fields)
	return nouns(found, alertRow.noun), translate(err)
}

// AlertQuery asks for a page of alerts.
type AlertQuery struct {
	Search       string              // part of the detail, the target or the kind
	Kinds        []tenants.AlertKind // what Search means beside: these kinds
	Targets      []string            // and these targets
	Open, Closed bool                // neither = both
	From, To     time.Time           // the latest time in [From, To)
	Sort         Sort                // "last", "first", "kind"
	After, Upto  string
	Limit        int
}

// At is the query for a page; its Search stays.
func (q AlertQuery) At(p Page) AlertQuery {
	q.Sort, q.After, q.Upto, q.Limit = p.Sort, p.After, p.Upto, p.Limit
	return q
}

// alertOrders: alerts are few, one row for each problem.
var alertOrders = orders[alertRow]{"last", map[Sort]order[alertRow]{
	"last":  by("last_at, kind, target", func(r alertRow) []any { return []any{r.LastAt, r.Kind, r.Target} }),
	"first": by("first_at, kind, target", func(r alertRow) []any { return []any{r.FirstAt, r.Kind, r.Target} }),
	"kind":  by("kind, target", func(r alertRow) []any { return []any{r.Kind, r.Target} }),
}}

func (s Alerts) found(ctx context.Context, q AlertQuery) *gorm.DB {
	db := s.read(ctx, "alerts")
	if q.Search != "" {
		found, args := s.s.db.dialect.contains(q.Search).inAny("detail", "target", "kind")
		db = db.Where("("+found+" OR kind IN ? OR target IN ?)", append(args, words(q.Kinds), q.Targets)...)
	}
	switch {
	case q.Open:
		db = db.Where("resolved_at = 0")
	case q.Closed:
		db = db.Where("resolved_at <> 0")
	}
	return between(db, "last_at", q.From, q.To)
}

// Find lists alerts, the latest first unless they are sorted by another key.
func (s Alerts) Find(ctx context.Context, q AlertQuery) ([]tenants.Alert, string, error) {
	rows, next, err := list(s.found(ctx, q).Select(alertColumns), Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit},
		alertOrders)
	return nouns(rows, alertRow.noun), next, err
}

// Total counts the alerts that Find finds.
func (s Alerts) Total(ctx context.Context, q AlertQuery) (Total, error) {
	return totalOf(s.found(ctx, q))
}

func words(kinds []tenants.AlertKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

// Resolve closes an open alert.
func (s Alerts) Resolve(ctx context.Context, kind tenants.AlertKind, target string) error {
	return s.write(ctx, func(t *tx) error { return t.alerts().resolve(s.scope, kind, target) })
}

func (t alertsTx) resolve(s *scope, kind tenants.AlertKind, target string) error {
	n, err := t.change("UPDATE alerts SET resolved_at = ?, tell_at = 0 WHERE tenant_id = ? AND kind = ? AND target = ? AND resolved_at = 0",
		micros(s.s.now()), uuid(s.id), string(kind), target)
	if err != nil {
		return err
	}
	if n == 0 {
		return tenants.NoSuch("alert")
	}
	if err := t.tell(s, tenants.EventAlertResolved, "", tenants.AlertData{Alert: kind, Target: target, State: "resolved"}); err != nil {
		return err
	}
	if err := t.send(s, tenants.AlertNews{State: "resolved", Alert: kind, Target: target}); err != nil {
		return err
	}
	return t.audit(s, "alert.resolve", target, string(kind))
}

// settle closes whatever is open about a target that is gone.
func (t alertsTx) settle(s *scope, target string) error {
	rows, err := t.query(context.Background(), "UPDATE alerts SET resolved_at = ?, tell_at = 0 WHERE tenant_id = ? AND target = ? AND "+
		"resolved_at = 0 RETURNING kind", micros(s.s.now()), uuid(s.id), target)
	closed, err := collect(rows, err, func(kind *string) []any { return []any{kind} })
	if err != nil {
		return err
	}
	for _, kind := range closed {
		data := tenants.AlertData{Alert: tenants.AlertKind(kind), Target: target, State: "resolved"}
		if err := t.tell(s, tenants.EventAlertResolved, "", data); err != nil {
			return err
		}
		if err := t.send(s, tenants.AlertNews{State: "resolved", Alert: data.Alert, Target: target}); err != nil {
			return err
		}
	}
	return nil
}

// setAlerts changes only these very alerts: not those that ended and were raised again.
func (s *scope) setAlerts(ctx context.Context, alerts []tenants.Alert, set string, value int64) error {
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		for _, a := range alerts {
			_, err := t.exec("UPDATE alerts SET "+set+" WHERE tenant_id = ? AND kind = ? AND target = ? AND first_at = ? AND "+
				"resolved_at = 0",
				value, uuid(s.id), string(a.Kind), a.Target, micros(a.FirstAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// MailAt moves the moment at which the tenant's people are written to of alerts; those that were
// resolved meanwhile stay as they are.
func (s Alerts) MailAt(ctx context.Context, alerts []tenants.Alert, at time.Time) error {
	return s.setAlerts(ctx, alerts, "tell_at = ?", micros(at))
}

// MarkMailed notes that the tenant's people were written to of alerts.
func (s Alerts) MarkMailed(ctx context.Context, alerts []tenants.Alert, at time.Time) error {
	return s.setAlerts(ctx, alerts, "tell_at = 0, told_at = ?", micros(at))
}

// DropMail notes that nobody needs to be written to of alerts.
func (s Alerts) DropMail(ctx context.Context, alerts []tenants.Alert) error {
	return s.setAlerts(ctx, alerts, "tell_at = ?", 0)
}

// MailsSince counts the mails about alerts that the tenant's people got since a moment, and says
// when the first of them went.
func (s Alerts) MailsSince(ctx context.Context, since time.Time) (letters int, first time.Time, err error) {
	rows, err := s.reads().query(ctx, "SELECT COUNT(DISTINCT told_at), COALESCE(MIN(told_at), 0) FROM alerts WHERE tenant_id = ? AND "+
		"told_at > ?",
		uuid(s.id), micros(since))
	type sum struct{ n, first int64 }
	found, err := collect(rows, err, func(x *sum) []any { return []any{&x.n, &x.first} })
	if err != nil || len(found) == 0 {
		return 0, time.Time{}, translate(err)
	}
	return int(found[0].n), moment(found[0].first), nil
}
