package store

import (
	"context"
	"math"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type alertRuleRow struct {
	TenantID             uuid
	ID                   uuid
	Name, Metric, Detail string
	Split, Value         string
	Above                bool
	Threshold            int64
	WindowS              int64
	Least                int64
	QuietS               int64
	Mail                 bool
	Targets              string
	Active               bool
	Created              int64 `gorm:"column:created_at"`
	DueAt                int64
	Firing               bool
	FiredAt              int64
}

func (alertRuleRow) TableName() string { return "alert_rules" }

const alertRuleColumns = "tenant_id, id, name, metric, detail, split, value, above, threshold, window_s, least, quiet_s, mail, targets, " +
	"active, created_at, due_at, firing, fired_at"

func (r *alertRuleRow) fields() []any {
	return []any{&r.TenantID, &r.ID, &r.Name, &r.Metric, &r.Detail, &r.Split, &r.Value, &r.Above, &r.Threshold, &r.WindowS, &r.Least,
		&r.QuietS, &r.Mail, &r.Targets, &r.Active, &r.Created, &r.DueAt, &r.Firing, &r.FiredAt}
}

func (r alertRuleRow) noun() tenants.AlertRule {
	a := tenants.AlertRule{ID: tenants.AlertRuleID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Metric: r.Metric,
		Detail: r.Detail, Cut: tenants.Cut{By: tenants.Split(r.Split), Value: r.Value}, Above: r.Above,
		Threshold: float64(r.Threshold) / 1000,
		Window:    time.Duration(r.WindowS) * time.Second, Least: r.Least, Quiet: time.Duration(r.QuietS) * time.Second, Mail: r.Mail,
		Active: r.Active, CreatedAt: moment(r.Created),
		RuleState: tenants.RuleState{Firing: r.Firing, FiredAt: moment(r.FiredAt)}}
	for _, id := range strings.Fields(r.Targets) {
		a.Targets = append(a.Targets, tenants.AlertTargetID(id))
	}
	return a
}

func rowOfRule(s *scope, r tenants.AlertRule) alertRuleRow {
	return alertRuleRow{TenantID: uuid(s.id), ID: uuid(r.ID), Name: r.Name, Metric: r.Metric, Detail: r.Detail, Split: string(r.Cut.By),
		Value: r.Cut.Value, Above: r.Above, Threshold: int64(math.Round(r.Threshold * 1000)), WindowS: int64(r.Window / time.Second),
		Least: r.Least, QuietS: int64(r.Quiet / time.Second), Mail: r.Mail, Targets: joined(r.Targets), Active: r.Active,
		Created: micros(r.CreatedAt), DueAt: micros(s.s.now())}
}

// joined are words separated by blanks.
func joined[T ~string](words []T) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return strings.Join(all, " ")
}

// alertRuleOrders: a tenant has at most tenants.CapAlertRules, so no index is needed to sort them.
var alertRuleOrders = orders[alertRuleRow]{"created", map[Sort]order[alertRuleRow]{
	"created": by("created_at, id", func(r alertRuleRow) []any { return []any{r.Created, r.ID} }),
	"fired":   by("fired_at, id", func(r alertRuleRow) []any { return []any{r.FiredAt, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r alertRuleRow) []any { return []any{r.Name, r.ID} }),
}}

// AlertRules are the tenant's rules that raise alerts when a figure passes a threshold.
type AlertRules struct{ *scope }

// AlertRules returns the tenant's AlertRules.
func (s *Scope) AlertRules() AlertRules { return AlertRules{&s.scope} }

// Add adds a rule. It refuses targets that the tenant does not have.
func (s AlertRules) Add(ctx context.Context, r tenants.AlertRule) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapAlertRules, "alert_rules", "TRUE"); err != nil {
			return err
		}
		if err := s.haveTargets(t, r.Targets); err != nil {
			return err
		}
		row := rowOfRule(s.scope, r)
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This rule exists already.")
		}
		return t.audit(s.scope, "alert_rule.add", string(r.ID), r.Says())
	})
}

// addRules adds the rules that a new tenant begins with.
func (t tenantsTx) addRules(s *scope, n tenants.Tenant) error {
	for _, r := range n.File().NewAlertRules(n, n.CreatedAt) {
		row := rowOfRule(s, r)
		if err := t.db().Create(&row).Error; err != nil {
			return err
		}
		if err := t.audit(s, "alert_rule.add", string(r.ID), r.Says()); err != nil {
			return err
		}
	}
	return nil
}

func (s AlertRules) haveTargets(t *tx, ids []tenants.AlertTargetID) error {
	if len(ids) == 0 {
		return nil
	}
	var n int64
	if err := s.in(t.db(), "alert_targets").Where("id IN ?", uuids(ids)).Count(&n).Error; err != nil {
		return translate(err)
	}
	if int(n) == len(ids) {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
		Fields: []tenants.Field{{Name: "targets", Message: "there is no such target"}}}
}

// Set changes a rule. One whose figure, threshold or window changes is looked at as if it had never
// fired, and so is one that is paused: its open alert is closed.
func (s AlertRules) Set(ctx context.Context, r tenants.AlertRule) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.held(t, r.ID)
		if err != nil {
			return err
		}
		if err := s.haveTargets(t, r.Targets); err != nil {
			return err
		}
		row, was := rowOfRule(s.scope, r), old.noun()
		c := changedFields(
			tenants.Change{Field: "name", Before: old.Name, After: r.Name},
			tenants.Change{Field: "rule", Before: was.Says(), After: r.Says()},
			tenants.Change{Field: "rings", Before: cutText(was.Cut), After: cutText(r.Cut)},
			tenants.Change{Field: "quiet", Before: was.Quiet.String(), After: r.Quiet.String()},
			tenants.Change{Field: "mail", Before: yesNo(was.Mail), After: yesNo(r.Mail)},
			tenants.Change{Field: "targets", Before: old.Targets, After: row.Targets},
			tenants.Change{Field: "active", Before: yesNo(was.Active), After: yesNo(r.Active)},
		)
		if len(c) == 0 {
			return nil
		}
		row.Firing, row.FiredAt = old.Firing, old.FiredAt
		if !r.Active || was.Says() != r.Says() || was.Cut != r.Cut {
			row.Firing, row.FiredAt = false, 0
			if err := t.alerts().settle(s.scope, string(r.ID)); err != nil {
				return err
			}
		}
		_, err = t.exec("UPDATE alert_rules SET name = ?, metric = ?, detail = ?, split = ?, value = ?, above = ?, threshold = ?, "+
			"window_s = ?, least = ?, quiet_s = ?, mail = ?, targets = ?, active = ?, due_at = ?, firing = ?, fired_at = ? "+
			"WHERE tenant_id = ? AND id = ?", row.Name, row.Metric, row.Detail, row.Split, row.Value, row.Above, row.Threshold, row.WindowS,
			row.Least, row.QuietS, row.Mail, row.Targets, row.Active, row.DueAt, row.Firing, row.FiredAt, row.TenantID, row.ID)
		if err != nil {
			return err
		}
		return t.auditChange(s.scope, "alert_rule.set", string(r.ID), r.Name, c...)
	})
}

func cutText(c tenants.Cut) string {
	if c.By == "" {
		return "all"
	}
	return string(c.By) + ": " + c.Value
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s AlertRules) held(t *tx, id tenants.AlertRuleID) (row alertRuleRow, err error) {
	err = s.in(t.db(), "alert_rules").Where("id = ?", uuid(id)).Take(&row).Error
	return row, missing(err, "alert rule")
}

// Remove removes a rule and closes its open alert.
func (s AlertRules) Remove(ctx context.Context, id tenants.AlertRuleID) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.held(t, id)
		if err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM alert_rules WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.auditChange(s.scope, "alert_rule.remove", string(id), old.Name)
	})
}

// Get is one rule.
func (s AlertRules) Get(ctx context.Context, id tenants.AlertRuleID) (tenants.AlertRule, error) {
	var row alertRuleRow
	err := s.read(ctx, "alert_rules").Where("id = ?", uuid(id)).Take(&row).Error
	return row.noun(), missing(err, "alert rule")
}

func (s AlertRules) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "alert_rules")
	if q.Search != "" {
		found, args := s.s.db.dialect.contains(q.Search).inAny("name", "metric", "detail")
		db = db.Where(found, args...)
	}
	return db
}

// List lists rules. They can be sorted by "created", "fired" and "name".
func (s AlertRules) List(ctx context.Context, q Page) ([]tenants.AlertRule, string, error) {
	rows, next, err := list(s.found(ctx, q), q, alertRuleOrders)
	return nouns(rows, alertRuleRow.noun), next, err
}

// Total counts the rules that List finds.
func (s AlertRules) Total(ctx context.Context, q Page) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// Enter notes what Judge said of a rule: it raises the alert with its detail, or closes it. A rule
// that was changed or removed meanwhile is left alone.
func (s AlertRules) Enter(ctx context.Context, r tenants.AlertRule, to tenants.RuleState, detail string) error {
	if r.RuleState == to {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE alert_rules SET firing = ?, fired_at = ? WHERE tenant_id = ? AND id = ? AND firing = ? AND "+
			"fired_at = ? AND active", to.Firing, micros(to.FiredAt), uuid(s.id), uuid(r.ID), r.Firing, micros(r.FiredAt))
		if err != nil || n == 0 {
			return err
		}
		if !to.Firing {
			err := t.alerts().resolve(s.scope, tenants.AlertOfRule, string(r.ID))
			if tenants.KindOf(err) == tenants.Unknown { // a person closed it
				return nil
			}
			return err
		}
		if _, err := t.alerts().alert(s.scope, tenants.AlertOfRule, string(r.ID), detail); err != nil || r.Mail {
			return err
		}
		_, err = t.exec("UPDATE alerts SET tell_at = 0 WHERE tenant_id = ? AND kind = ? AND target = ?", uuid(s.id),
			string(tenants.AlertOfRule), string(r.ID))
		return err
	})
}

// ClaimRules takes rules that are due, of every active tenant, and makes them due again after a
// pause. Another node does not get them until then.
func (s Jobs) ClaimRules(ctx context.Context, now time.Time, pause time.Duration, limit int) (rules []tenants.AlertRule, err error) {
	const where = "active AND due_at <= ? AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = alert_rules.tenant_id AND t.state = 'active')"
	due, err := one(s.db.through(allTenants).query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM alert_rules WHERE "+where+" LIMIT 1) due",
		micros(now)))
	if err != nil || due == 0 {
		return nil, translate(err)
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		rows, err := t.query(ctx, "WITH due (tenant, rule) AS (SELECT tenant_id, id FROM alert_rules WHERE "+where+" ORDER BY due_at "+
			"LIMIT ?"+s.db.dialect.holdFree()+") UPDATE alert_rules SET due_at = ? FROM due WHERE tenant_id = tenant AND id = rule "+
			"RETURNING "+alertRuleColumns, micros(now), limit, micros(now.Add(pause)))
		t.wrote = true
		found, err := collect(rows, err, (*alertRuleRow).fields)
		rules = nouns(found, alertRuleRow.noun)
		return translate(err)
	})
	return rules, err
}
