package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type alertTargetRow struct {
	TenantID                 uuid
	ID                       uuid
	Kind, Name, Roles, Shown string
	Every                    bool
	Secret                   []byte // sealed JSON of targetSecret
	Created                  int64  `gorm:"column:created_at"`
	TriedAt                  int64
	Answer                   string
	Good                     bool
}

func (alertTargetRow) TableName() string { return "alert_targets" }

// targetSecret is sealed: the path of a chat's address is its password.
type targetSecret struct {
	Address string         `json:"address,omitempty"`
	Signing tenants.Secret `json:"signing,omitempty"`
}

func (r alertTargetRow) noun() tenants.AlertTarget {
	t := tenants.AlertTarget{ID: tenants.AlertTargetID(r.ID), Tenant: tenants.TenantID(r.TenantID), Kind: tenants.TargetKind(r.Kind),
		Name: r.Name, All: r.Every, Shown: r.Shown, CreatedAt: moment(r.Created), TriedAt: moment(r.TriedAt), Answer: r.Answer,
		Good: r.Good}
	for _, role := range strings.Fields(r.Roles) {
		t.Roles = append(t.Roles, tenants.Role(role))
	}
	return t
}

// alertTargetOrders: a tenant has at most tenants.CapAlertTargets, so no index is needed to sort
// them.
var alertTargetOrders = orders[alertTargetRow]{"created", map[Sort]order[alertTargetRow]{
	"created": by("created_at, id", func(r alertTargetRow) []any { return []any{r.Created, r.ID} }),
	"tried":   by("tried_at, id", func(r alertTargetRow) []any { return []any{r.TriedAt, r.ID} }),
	"kind":    by("kind, id", func(r alertTargetRow) []any { return []any{r.Kind, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r alertTargetRow) []any { return []any{r.Name, r.ID} }),
}}

// AlertTargets are where the tenant's alerts are sent.
type AlertTargets struct{ *scope }

// AlertTargets returns the tenant's AlertTargets.
func (s *Scope) AlertTargets() AlertTargets { return AlertTargets{&s.scope} }

func (s AlertTargets) sealedAs(id tenants.AlertTargetID) []string {
	return []string{string(s.id), "alert_targets", string(id)}
}

func (s AlertTargets) seal(id tenants.AlertTargetID, secret targetSecret) ([]byte, error) {
	text, err := json.Marshal(secret)
	if err == nil {
		text, err = s.s.seal.Seal(text, s.sealedAs(id)...)
	}
	if err != nil {
		return nil, fmt.Errorf("store: alert target %s: %w", id, err)
	}
	return text, nil
}

// Add adds a target with its address. A webhook gets a signing secret, which is returned: it is
// stored sealed and shown once.
func (s AlertTargets) Add(ctx context.Context, a tenants.AlertTarget, address string) (tenants.Secret, error) {
	secret := targetSecret{Address: address}
	if a.Kind == tenants.TargetWebhook {
		secret.Signing = tenants.NewSigningSecret()
	}
	blob, err := s.seal(a.ID, secret)
	if err != nil {
		return "", err
	}
	row := alertTargetRow{TenantID: uuid(s.id), ID: uuid(a.ID), Kind: string(a.Kind), Name: a.Name, Roles: joined(a.Roles), Every: a.All,
		Shown: tenants.ShownAddress(address), Secret: blob, Created: micros(a.CreatedAt)}
	if a.Kind == tenants.TargetMail {
		row.Shown = ""
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapAlertTargets, "alert_targets", "TRUE"); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This target exists already.")
		}
		return t.audit(s.scope, "alert_target.add", string(a.ID), a.Kind.Name())
	})
	if err != nil {
		return "", err
	}
	return secret.Signing, nil
}

// Set changes the name of a target, its roles and whether it gets every alert. Another address is
// another target.
func (s AlertTargets) Set(ctx context.Context, a tenants.AlertTarget) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.held(t, a.ID)
		if err != nil {
			return err
		}
		c := changedFields(
			tenants.Change{Field: "name", Before: old.Name, After: a.Name},
			tenants.Change{Field: "roles", Before: old.Roles, After: joined(a.Roles)},
			tenants.Change{Field: "every", Before: yesNo(old.Every), After: yesNo(a.All)},
		)
		if len(c) == 0 {
			return nil
		}
		if _, err := t.exec("UPDATE alert_targets SET name = ?, roles = ?, every = ? WHERE tenant_id = ? AND id = ?", a.Name,
			joined(a.Roles), a.All, uuid(s.id), uuid(a.ID)); err != nil {
			return err
		}
		return t.auditChange(s.scope, "alert_target.set", string(a.ID), a.Name, c...)
	})
}

func (s AlertTargets) held(t *tx, id tenants.AlertTargetID) (row alertTargetRow, err error) {
	err = s.in(t.db(), "alert_targets").Where("id = ?", uuid(id)).Take(&row).Error
	return row, missing(err, "alert target")
}

// Remove removes a target, what is still to be sent to it, and its name from the rules.
func (s AlertTargets) Remove(ctx context.Context, id tenants.AlertTargetID) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.held(t, id)
		if err != nil {
			return err
		}
		for _, query := range []string{"DELETE FROM alert_targets WHERE tenant_id = ? AND id = ?",
			"DELETE FROM alert_sends WHERE tenant_id = ? AND target_id = ?"} {
			if _, err := t.exec(query, uuid(s.id), uuid(id)); err != nil {
				return err
			}
		}
		if _, err := t.exec("UPDATE alert_rules SET targets = TRIM(REPLACE(' ' || targets || ' ', ' ' || ? || ' ', ' ')) "+
			"WHERE tenant_id = ?", string(id), uuid(s.id)); err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		return t.auditChange(s.scope, "alert_target.remove", string(id), old.Name)
	})
}

// Get is one target.
func (s AlertTargets) Get(ctx context.Context, id tenants.AlertTargetID) (tenants.AlertTarget, error) {
	var row alertTargetRow
	err := s.read(ctx, "alert_targets").Where("id = ?", uuid(id)).Take(&row).Error
	return row.noun(), missing(err, "alert target")
}

// Open is a target with its address and signing secret, for one send.
func (s AlertTargets) Open(ctx context.Context, id tenants.AlertTargetID) (a tenants.AlertTarget, address string, signing tenants.Secret,
	err error) {
	var row alertTargetRow
	if err := s.read(ctx, "alert_targets").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return a, "", "", missing(err, "alert target")
	}
	var secret targetSecret
	text, err := s.s.seal.Open(row.Secret, s.sealedAs(id)...)
	if err == nil {
		err = json.Unmarshal(text, &secret)
	}
	if err != nil {
		return a, "", "", fmt.Errorf("store: alert target %s: %w", id, err)
	}
	return row.noun(), secret.Address, secret.Signing, nil
}

func (s AlertTargets) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "alert_targets")
	if q.Search != "" {
		found, args := s.s.db.dialect.contains(q.Search).inAny("name", "kind", "shown")
		db = db.Where(found, args...)
	}
	return db
}

// List lists targets. They can be sorted by "created", "tried", "kind" and "name".
func (s AlertTargets) List(ctx context.Context, q Page) ([]tenants.AlertTarget, string, error) {
	rows, next, err := list(s.found(ctx, q), q, alertTargetOrders)
	return nouns(rows, alertTargetRow.noun), next, err
}

// Total counts the targets that List finds.
func (s AlertTargets) Total(ctx context.Context, q Page) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// targetPeopleMost bounds the people of an email target.
const targetPeopleMost = 50

// People are the addresses of the members with some roles who can still sign in, in order.
func (s AlertTargets) People(ctx context.Context, roles []tenants.Role) ([]string, error) {
	if len(roles) == 0 {
		return nil, nil
	}
	args := []any{uuid(s.id)}
	for i := range room(len(roles)) {
		args = append(args, string(roles[min(i, len(roles)-1)]))
	}
	rows, err := s.reads().query(ctx, "SELECT users.email FROM members JOIN users ON users.id = members.user_id WHERE "+
		"members.tenant_id = ? AND members.role IN ("+marks(len(roles))+") AND users.disabled_at = 0 ORDER BY users.email LIMIT ?",
		append(args, targetPeopleMost)...)
	found, err := collect(rows, err, func(email *string) []any { return []any{email} })
	return found, translate(err)
}

// sendsMost bounds what is still to be sent to a tenant's targets. What comes on top is not sent;
// the alert itself is there.
const sendsMost = 1000

// send writes what is to be sent about an alert, for each target that gets it. An alert about a
// target goes to none.
func (t alertsTx) send(s *scope, news tenants.AlertNews) error {
	if news.Alert == tenants.AlertTargetFails {
		return nil
	}
	news.Title, news.At = news.Alert.Title(), s.s.now()
	ids := ""
	if news.Alert == tenants.AlertOfRule {
		rows, err := t.query(context.Background(), "SELECT name, targets FROM alert_rules WHERE tenant_id = ? AND id = ?", uuid(s.id),
			uuid(news.Target))
		type rule struct{ name, targets string }
		found, err := collect(rows, err, func(r *rule) []any { return []any{&r.name, &r.targets} })
		if err != nil {
			return err
		}
		for _, r := range found {
			news.Title, ids = r.name, r.targets
		}
	}
	rows, err := t.query(context.Background(), "SELECT id, every FROM alert_targets WHERE tenant_id = ?", uuid(s.id))
	type target struct {
		id    uuid
		every bool
	}
	all, err := collect(rows, err, func(r *target) []any { return []any{&r.id, &r.every} })
	if err != nil || len(all) == 0 {
		return err
	}
	waiting, err := t.tally("SELECT COUNT(*) FROM alert_sends WHERE tenant_id = ?", uuid(s.id))
	if err != nil {
		return err
	}
	for _, to := range all {
		if waiting >= sendsMost || !to.every && !strings.Contains(ids, string(to.id)) {
			continue
		}
		news.ID = tenants.NewRandomID()
		body, err := json.Marshal(news)
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO alert_sends (tenant_id, id, target_id, body, due_at, tries) VALUES (?, ?, ?, ?, ?, 0)",
			uuid(s.id), uuid(news.ID), to.id, string(body), micros(news.At)); err != nil {
			return err
		}
		waiting++
	}
	return nil
}

// AlertSend is one thing to be sent to a target. Tries counts this one too.
type AlertSend struct {
	Tenant tenants.TenantID
	Target tenants.AlertTargetID
	News   tenants.AlertNews
	Tries  int
}

// ClaimSends takes what is due for targets, of every tenant: the oldest of each, then the next of
// each, so that one with much due keeps no other one waiting. What is not settled within the lease
// is due again.
func (s Jobs) ClaimSends(ctx context.Context, now time.Time, lease time.Duration, limit int) (sends []AlertSend, err error) {
	due, err := one(s.db.through(allTenants).query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM alert_sends WHERE due_at <= ? LIMIT 1) due",
		micros(now)))
	if err != nil || due == 0 {
		return nil, translate(err)
	}
	type row struct {
		tenant, target uuid
		body           string
		tries          int
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		sends = nil // the writer may run this again
		rows, err := t.query(ctx, "WITH due (tenant, send) AS (SELECT tenant_id, id FROM alert_sends WHERE due_at <= ? AND "+
			"(tenant_id, id) IN (SELECT tenant_id, id FROM (SELECT tenant_id, id, due_at, ROW_NUMBER() OVER "+
			"(PARTITION BY tenant_id ORDER BY due_at, id) AS nth FROM alert_sends WHERE due_at <= ?) AS ranked "+
			"ORDER BY nth, due_at LIMIT ?)"+s.db.dialect.holdFree()+") UPDATE alert_sends SET due_at = ?, tries = tries + 1 FROM due "+
			"WHERE tenant_id = tenant AND id = send RETURNING tenant_id, target_id, body, tries", micros(now), micros(now), limit,
			micros(now.Add(lease)))
		t.wrote = true
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.target, &r.body, &r.tries} })
		for _, r := range found {
			send := AlertSend{Tenant: tenants.TenantID(r.tenant), Target: tenants.AlertTargetID(r.target), Tries: r.tries}
			if err := json.Unmarshal([]byte(r.body), &send.News); err != nil {
				return err
			}
			sends = append(sends, send)
		}
		return translate(err)
	})
	return sends, err
}

// Settle notes how a send went: it is done, or tried again at a moment; a zero moment gives it up.
// A target that fails again and again raises an alert, which closes with the next send that
// arrives.
func (s AlertTargets) Settle(ctx context.Context, x AlertSend, good bool, answer string, again time.Time) error {
	return s.write(ctx, func(t *tx) error {
		query, args := "DELETE FROM alert_sends WHERE tenant_id = ? AND id = ?", []any{uuid(s.id), uuid(x.News.ID)}
		if !good && !again.IsZero() {
			query, args = "UPDATE alert_sends SET due_at = ? WHERE tenant_id = ? AND id = ?", append([]any{micros(again)}, args...)
		}
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
		return s.note(t, x.Target, good, answer, tenants.TargetFails(x.Tries))
	})
}

// Tested notes how a test went.
func (s AlertTargets) Tested(ctx context.Context, id tenants.AlertTargetID, good bool, answer string) error {
	return s.write(ctx, func(t *tx) error {
		if err := s.note(t, id, good, answer, false); err != nil {
			return err
		}
		return t.audit(s.scope, "alert_target.test", string(id), answer)
	})
}

func (s AlertTargets) note(t *tx, id tenants.AlertTargetID, good bool, answer string, fails bool) error {
	rows, err := t.query(context.Background(),
		"UPDATE alert_targets SET tried_at = ?, answer = ?, good = ? WHERE tenant_id = ? AND id = ? "+
			"RETURNING name", micros(s.s.now()), answer, good, uuid(s.id), uuid(id))
	t.wrote = true
	names, err := collect(rows, err, func(name *string) []any { return []any{name} })
	if err != nil || len(names) == 0 { // removed meanwhile
		return translate(err)
	}
	if good {
		return t.alerts().settle(s.scope, string(id))
	}
	if fails {
		_, err = t.alerts().alert(s.scope, tenants.AlertTargetFails, string(id), tenants.TargetWarning(names[0], answer))
	}
	return err
}
