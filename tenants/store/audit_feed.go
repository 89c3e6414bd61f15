package store

import (
	"context"

	"carillon/tenants"
)

// AuditFollower is a connection that gets the record of changes, with the entries behind its mark.
type AuditFollower struct {
	DueConnection
	Entries []tenants.Audit

	from int64 // the mark; -1 = there is none yet
	to   int64
}

// AuditFollowers are the active connections of every tenant with the role audit that have new
// entries, up to limit for each. A connection begins with the entry of its own addition. One whose
// receiver is slow gets no more while tenants.AuditBacklog entries wait. The entries of a tenant
// commit in the order of their numbers, so none can appear behind the mark.
func (s Jobs) AuditFollowers(ctx context.Context, limit int) (all []AuditFollower, err error) {
	type row struct {
		tenant, connection uuid
		mark               int64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id, COALESCE(m.seq, -1) FROM connections c "+
		"JOIN tenants t ON t.id = c.tenant_id LEFT JOIN audit_marks m ON m.tenant_id = c.tenant_id AND m.connection_id = c.id "+
		"WHERE c.role = ? AND c.state = 'active' AND t.state = 'active'", string(tenants.RoleAudit))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.connection, &r.mark} })
	if err != nil {
		return nil, translate(err)
	}
	for _, r := range found {
		f := AuditFollower{DueConnection: DueConnection{tenants.TenantID(r.tenant), tenants.ConnectionID(r.connection)}, from: r.mark,
			to: r.mark}
		if err := s.entries(ctx, &f, limit); err != nil {
			return nil, err
		}
		if len(f.Entries) > 0 {
			all = append(all, f)
		}
	}
	return all, nil
}

// entries reads what is behind the mark, if there is room for it.
func (s Jobs) entries(ctx context.Context, f *AuditFollower, limit int) error {
	db := (&scope{s: s.core, id: f.Tenant}).reads()
	waiting, err := one(db.query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND "+
		"due_at > 0 LIMIT ?) AS w", uuid(f.Tenant), uuid(f.Connection), tenants.AuditBacklog))
	if err != nil || waiting >= tenants.AuditBacklog {
		return translate(err)
	}
	if f.from < 0 { // the index audits_rare has both conditions
		f.to, err = one(db.query(ctx, "SELECT COALESCE(MIN(seq) - 1, 0) FROM audits WHERE tenant_id = ? AND action = 'connection.add' AND "+
			"action <> 'ring.place' AND target = ?", uuid(f.Tenant), string(f.Connection)))
		if err != nil {
			return translate(err)
		}
	}
	rows, err := db.query(ctx, "SELECT "+auditColumns+" FROM audits WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
		uuid(f.Tenant), f.to, limit)
	found, err := collect(rows, err, (*auditRow).fields)
	f.Entries = nouns(found, auditRow.noun)
	if len(found) > 0 {
		f.to = found[len(found)-1].Seq
	}
	return translate(err)
}

// FeedAudits moves the mark of a connection behind the entries that were read and writes their
// deliveries, in one commit. It is false, and nothing was written, when another node was faster.
func (s Jobs) FeedAudits(ctx context.Context, f AuditFollower, all []NewDelivery) (moved bool, err error) {
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("UPDATE audit_marks SET seq = ? WHERE tenant_id = ? AND connection_id = ? AND seq = ?", f.to, uuid(f.Tenant),
			uuid(f.Connection), f.from)
		if f.from < 0 {
			n, err = t.change("INSERT INTO audit_marks (tenant_id, connection_id, seq) SELECT tenant_id, id, ? FROM connections WHERE "+
				"tenant_id = ? AND id = ? AND "+there+" ON CONFLICT (tenant_id, connection_id) DO NOTHING", f.to, uuid(f.Tenant),
				uuid(f.Connection))
		}
		if moved = n > 0; err != nil || !moved {
			return err
		}
		now := micros(s.now())
		for _, d := range all {
			if err := t.deliveries().deliver(d, now); err != nil {
				return err
			}
		}
		return nil
	})
	return moved && err == nil, err
}
