package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// monthsAhead is for how many months tables of facts are made ahead, apart from the present one.
const monthsAhead = 3

// Months are the tables of facts on PostgreSQL: one for each month, UTC, of the moment at which the
// rings were placed. Facts are most of what is stored, and a table is dropped at once.
//
// Facts of rings that were removed because RingsKept was over stay until the table of their month
// goes, and nobody can read them. Where a tenant's rule, an erasure or a deletion removes a ring,
// its facts go with it, row by row.
type Months struct{ *core }

// Months returns the Months of this database.
func (s *Store) Months() Months { return Months{&s.core} }

// Keep makes the tables of the next months, and drops those whose rings were all kept long enough.
// A fact for which there is no table is kept in another one until there is. On SQLite it does
// nothing.
func (s Months) Keep(ctx context.Context, now time.Time) error {
	if !s.db.dialect.splitsFacts() {
		return nil
	}
	// Not by the writer, nor by the connection of the heartbeat: a change of the schema may wait.
	conn, err := s.db.reads.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	b := beside{conn, s.db.dialect}
	if _, err := one(b.query(ctx, "SELECT carillon_fact_months(carillon_month(now(), ?))", monthsAhead+1)); err != nil {
		return err
	}
	before, err := s.pastEveryRule(ctx, now)
	if err != nil {
		return err
	}
	_, err = one(b.query(ctx, "SELECT carillon_drop_fact_months(?)", before))
	return err
}

// pastEveryRule is the id before which every ring was kept long enough, whatever its tenant's rule
// says. A ring that has not ended stays with its facts.
func (s Months) pastEveryRule(ctx context.Context, now time.Time) (uuid, error) {
	all, err := Tenants(s).List(ctx)
	if err != nil {
		return "", err
	}
	keep := time.Duration(0)
	for _, t := range all {
		keep = max(keep, sooner(RingsKept, t.Rules(), tenants.DataRings))
	}
	if len(all) == 0 {
		keep = RingsKept
	}
	before := uuid(tenants.FirstID[tenants.RingID](now.Add(-keep)))
	rows, err := s.db.through(allTenants).query(ctx, "SELECT id FROM rings WHERE due_at IS NOT NULL AND id < ? ORDER BY id LIMIT 1", before)
	left, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
	if err == nil && len(left) > 0 {
		before = left[0]
	}
	return before, translate(err)
}

// deleteLeftFacts removes the facts of a tenant whose rings went before it, because they had been
// kept long enough; see Months.
func (s Jobs) deleteLeftFacts(ctx context.Context, scope *scope) error {
	if !s.db.dialect.splitsFacts() {
		return nil
	}
	before := uuid(tenants.FirstID[tenants.RingID](s.now().Add(-RingsKept)))
	return s.w.do(ctx, scope.access(), func(t *tx) error {
		_, err := t.exec("DELETE FROM facts WHERE tenant_id = ? AND ring_id < ?", uuid(scope.id), before)
		return err
	})
}
