package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"carillon/tenants"
)

// AskDeletion suspends the tenant and has it deleted after a time. Until then KeepTenant undoes it.
// A tenant that will be deleted already gets the new moment. What an operator gave as the reason of
// a suspension stays, so that KeepTenant does not end that suspension.
func (s *Scope) AskDeletion(ctx context.Context, after time.Duration) (at time.Time, err error) {
	at = stored(s.s.now().Add(after))
	return at, s.setDeletion(ctx, "tenant.delete", at)
}

// KeepTenant undoes AskDeletion. It refuses a tenant that is not to be deleted. A tenant that an
// operator suspended stays suspended.
func (s *Scope) KeepTenant(ctx context.Context) error {
	t, err := s.tenant(ctx)
	if err != nil {
		return err
	}
	if t.DeleteAt.IsZero() {
		return tenants.NoSuch("deletion")
	}
	return s.setDeletion(ctx, "tenant.keep", time.Time{})
}

// setDeletion sets when the tenant is deleted; zero is never.
func (s *Scope) setDeletion(ctx context.Context, action string, at time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		var row tenantRow
		if err := t.db().Where("id = ?", uuid(s.id)).Take(&row).Error; err != nil {
			return missing(err, "tenant")
		}
		if err := t.notBeingDeleted(s.id); err != nil {
			return err
		}
		state, why := row.State, row.SuspendedWhy
		if state != string(tenants.TenantSuspended) || why == deletionWhy(moment(row.DeleteAt)) { // no operator's suspension
			state, why = string(tenants.TenantSuspended), deletionWhy(at)
			if at.IsZero() {
				state = string(tenants.TenantActive)
			}
		}
		if _, err := t.exec("UPDATE tenants SET state = ?, suspended_why = ?, delete_at = ? WHERE id = ?", state, why, micros(at),
			uuid(s.id)); err != nil {
			return err
		}
		return t.auditChange(&s.scope, action, string(s.id), row.Name, changedFields(
			tenants.Change{Field: "state", Before: row.State, After: state},
			tenants.Change{Field: "delete_at", Before: day(moment(row.DeleteAt)), After: day(at)})...)
	})
	s.revoke(err)
	return err
}

// deletionWhy is the reason of a suspension that ends with the deletion of the tenant.
func deletionWhy(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "The tenant will be deleted on " + at.UTC().Format("2 January 2006") + "."
}

// notBeingDeleted refuses to change the state of a tenant whose rows are being removed.
func (t *tx) notBeingDeleted(id tenants.TenantID) error {
	var begun int64
	err := t.row("SELECT began_at FROM tenant_deletions WHERE tenant = ?", []any{uuid(id)}, &begun)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = tenants.Refuse(tenants.Gone, "tenant_deleted", "This organisation is being deleted. That cannot be stopped any more.")
	}
	return err
}

func day(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}

// DueDeletions are the tenants whose time is over.
func (s Jobs) DueDeletions(ctx context.Context) ([]tenants.TenantID, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT id FROM tenants WHERE state = 'suspended' AND delete_at > 0 AND "+
		"delete_at <= ? ORDER BY delete_at", micros(s.now()))
	ids, err := collect(rows, err, func(id *tenants.TenantID) []any { return []any{(*uuid)(id)} })
	return ids, translate(err)
}

// deletionSteps remove what does not go with the tenant's own row, or is too much to go with it in
// one commit. Each removes a few rows; a step is over when it finds none.
var deletionSteps = []struct {
	table, keys string
	most        int
}{
	{"recordings", "ring_id", retireRecordings}, {"deliveries", "seq", 500}, {"idempotency", "key", 500},
	{"tallies", "hour, fact, environment, app_version, os_version, agent_id, bucket", 500}, {"tally_days", "day, fact, bucket", 500},
	{"key_tallies", "hour, key_id", 500},
	{"outcomes", "hour, fact, detail, app_version, bucket", 500}, {"call_figures", "hour, figure, bucket", 500},
	{"ring_counts", "span, split, value, at", 500}, {"step_times", "span, split, value, fact, at, bucket", 500},
	{"usage", "period, hour", 500}, {"metered", "ring_id", 500}, {"key_requests", "key_id, at, request_id", 500}, {"devices", "id", 500},
	{"consents", "id", 500}, {"recording_keys", "tenant_id", 1}, {"sign_ins", "hash", 500},
	{"audit_repeats", "seq", 500}, {"audits", "seq", 500},
}

// DeleteTenant removes a few rows of a tenant whose time is over, and reports whether it is gone:
// call it until then, with a breath between. What remains is a row of tenant_deletions and the
// signed end of the audit chain. Accounts of people who are in no other tenant go too. Of a tenant
// that is kept, or gone already, it removes nothing and reports that it is gone.
func (s Jobs) DeleteTenant(ctx context.Context, id tenants.TenantID) (gone bool, err error) {
	if begun, err := s.BeginDeletion(ctx, id); err != nil || !begun {
		return !begun, err
	}
	scope := s.of(id)
	removed, err := s.deleteRings(ctx, scope)
	if err != nil || removed > 0 {
		return false, err
	}
	for _, step := range deletionSteps {
		if step.table == "audits" {
			if err := s.signDeletion(ctx, scope); err != nil {
				return false, err
			}
		}
		err := s.w.do(ctx, scope.access(), func(t *tx) (err error) {
			removed, err = t.change("DELETE FROM "+step.table+" WHERE tenant_id = ? AND ("+step.keys+") IN (SELECT "+step.keys+" FROM "+
				step.table+" WHERE tenant_id = ? LIMIT ?)", uuid(id), uuid(id), step.most)
			if err != nil || removed == 0 {
				return err
			}
			return t.countDeleted(id, removed)
		})
		if err != nil || removed > 0 {
			return false, err
		}
	}
	if err := s.deleteLeftFacts(ctx, scope); err != nil {
		return false, err
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("UPDATE tenant_deletions SET done_at = ? WHERE tenant = ? AND done_at = 0 AND EXISTS (SELECT 1 FROM tenants "+
			"WHERE id = ? AND delete_at > 0)", micros(s.now()), uuid(id), uuid(id))
		if err != nil || n == 0 {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE id IN (SELECT user_id FROM members WHERE tenant_id = ?) AND NOT EXISTS (SELECT 1 "+
			"FROM members m WHERE m.user_id = users.id AND m.tenant_id <> ?) AND NOT EXISTS (SELECT 1 FROM partners p WHERE p.user_id = "+
			"users.id)", uuid(id), uuid(id)); err != nil {
			return err
		}
		_, err = t.exec("DELETE FROM tenants WHERE id = ?", uuid(id)) // the rest goes with it
		return err
	})
	if err == nil {
		scope.revoke(nil)
	}
	return err == nil, err
}

func (t *tx) countDeleted(id tenants.TenantID, n int64) error {
	_, err := t.exec("UPDATE tenant_deletions SET row_count = row_count + ? WHERE tenant = ?", n, uuid(id))
	return err
}

// BeginDeletion claims a tenant whose time is over, after which nobody can keep, suspend or resume
// it. begun is true for one that was claimed before and false for one that is kept or gone: call it
// before anything outside of the database ends, such as the subscription.
func (s Jobs) BeginDeletion(ctx context.Context, id tenants.TenantID) (begun bool, err error) {
	scope, now := s.of(id), micros(s.now())
	err = scope.write(ctx, func(t *tx) error {
		n, err := t.change("INSERT INTO tenant_deletions (tenant, began_at, done_at, row_count, seq, hash, at, key_id, signature) "+
			"SELECT id, ?, 0, 0, 0, ?, 0, '', ? FROM tenants WHERE id = ? AND state = 'suspended' AND delete_at > 0 AND delete_at <= ? "+
			"ON CONFLICT (tenant) DO NOTHING", now, []byte{}, []byte{}, uuid(id), now)
		if err != nil {
			return err
		}
		if n > 0 {
			begun = true
			return t.audit(scope, "tenant.deleting", string(id), "")
		}
		var began int64
		err = t.row("SELECT began_at FROM tenant_deletions WHERE tenant = ?", []any{uuid(id)}, &began)
		if begun = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if tenants.KindOf(err) == tenants.Unknown {
		return false, nil
	}
	return begun && err == nil, err
}

// signDeletion signs the end of the chain as an anchor, so that the database lets its rows go, and
// keeps it. It does so again for each row that came after: a webhook or the end of repeated entries
// may add one while the tenant is deleted.
func (s Jobs) signDeletion(ctx context.Context, scope *scope) error {
	signed, err := one(s.db.through(noTenant).query(ctx, "SELECT seq FROM tenant_deletions WHERE tenant = ?", uuid(scope.id)))
	if err != nil {
		return err
	}
	last, err := scope.whole(ctx)
	if err != nil || last <= signed {
		return err
	}
	if err := scope.sign(ctx, last, true); err != nil {
		return err
	}
	head, err := scope.anchor(ctx)
	if err != nil {
		return err
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("UPDATE tenant_deletions SET seq = ?, hash = ?, at = ?, key_id = ?, signature = ? WHERE tenant = ? AND seq < ?",
			head.Seq, head.Hash[:], micros(head.At), head.Key, head.Signature, uuid(scope.id), head.Seq)
		return err
	})
}

// deleteRings removes some rings with everything that hangs on them. The newest fact of all stays,
// empty: SQLite would give its seq again, and readers resume by seqs.
func (s Jobs) deleteRings(ctx context.Context, scope *scope) (removed int64, err error) {
	rows, err := scope.reads().query(ctx, "SELECT id FROM rings WHERE tenant_id = ? ORDER BY id LIMIT ?", uuid(scope.id), retireMost)
	ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return 0, translate(err)
	}
	return int64(len(ids)), s.w.do(ctx, scope.access(), func(t *tx) error {
		args := some(scope.id, ids)
		if _, err := t.exec("DELETE FROM facts WHERE tenant_id = ? AND ring_id IN ("+marks(len(ids))+")"+s.db.dialect.notNewest(),
			args...); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE facts SET detail = '' WHERE tenant_id = ? AND ring_id IN ("+marks(len(ids))+")", args...); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM recordings WHERE tenant_id = ? AND ring_id IN ("+marks(len(ids))+")", args...); err != nil {
			return err
		}
		n, err := t.change("DELETE FROM rings WHERE tenant_id = ? AND id IN ("+marks(len(ids))+")", args...)
		if err != nil {
			return err
		}
		return t.countDeleted(scope.id, n)
	})
}

// Deletions are what remains of deleted tenants, the newest first.
func (s Tenants) Deletions(ctx context.Context) ([]tenants.Deletion, error) {
	type row struct {
		tenant                     uuid
		began, done, rows, seq, at int64
		key                        string
		hash, signature            []byte
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT tenant, began_at, done_at, row_count, seq, at, key_id, hash, signature FROM "+
		"tenant_deletions ORDER BY began_at DESC LIMIT 1000")
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.tenant, &r.began, &r.done, &r.rows, &r.seq, &r.at, &r.key, &r.hash, &r.signature}
	})
	return nouns(found, func(r row) tenants.Deletion {
		return tenants.Deletion{Tenant: tenants.TenantID(r.tenant), Began: moment(r.began), Done: moment(r.done), Rows: r.rows,
			Head: headRow{r.seq, r.at, true, r.key, r.hash, r.signature}.noun()}
	}), translate(err)
}
