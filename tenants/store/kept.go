package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// Kept is how much of a kind of data is stored.
type Kept struct {
	Kind   tenants.DataKind
	Total  Total
	Oldest time.Time // zero = there is nothing
}

// Kept says how much of each kind of data is stored of the tenant, in the order of
// tenants.DataKinds.
func (s *Scope) Kept(ctx context.Context) ([]Kept, error) {
	db := s.reads()
	audits, err := Audits{&s.scope}.Total(ctx, AuditQuery{})
	if err != nil {
		return nil, err
	}
	gone, err := s.anchor(ctx)
	if err != nil {
		return nil, err
	}
	first, err := s.auditAt(ctx, gone.Seq+1)
	if err != nil {
		return nil, err
	}
	all := []Kept{{Kind: tenants.DataRings}, {Kind: tenants.DataRecordings}, {Kind: tenants.DataNotes},
		{tenants.DataAudits, audits, moment(first)}, {Kind: tenants.DataRequests}}
	for i, c := range []struct{ count, oldest string }{
		{"rings WHERE tenant_id = ?", "SELECT created_at FROM rings WHERE tenant_id = ? ORDER BY id LIMIT 1"},
		{"recordings WHERE tenant_id = ?", "SELECT r.created_at FROM recordings x JOIN rings r ON r.tenant_id = x.tenant_id " +
			"AND r.id = x.ring_id WHERE x.tenant_id = ? ORDER BY x.ring_id LIMIT 1"},
		{"notes WHERE tenant_id = ?", "SELECT r.created_at FROM notes x JOIN rings r ON r.tenant_id = x.tenant_id AND r.id = x.ring_id " +
			"WHERE x.tenant_id = ? ORDER BY x.ring_id LIMIT 1"},
		{},
		{"key_requests WHERE tenant_id = ?", "SELECT COALESCE(MIN(first), 0) FROM (SELECT (SELECT MIN(r.at) FROM key_requests r WHERE " +
			"r.tenant_id = k.tenant_id AND r.key_id = k.id) AS first FROM keys k WHERE k.tenant_id = ?) AS firsts"},
	} {
		if c.count == "" {
			continue
		}
		n, err := one(db.query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+c.count+" LIMIT ?) AS few", uuid(s.id), totalMost+1))
		if err != nil {
			return nil, err
		}
		all[i].Total = Total{min(n, totalMost), n > totalMost}
		at, err := one(db.query(ctx, c.oldest, uuid(s.id)))
		if err != nil {
			return nil, err
		}
		all[i].Oldest = moment(at)
	}
	return all, nil
}
