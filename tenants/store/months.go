package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"carillon/tenants"
)

// monthsAhead is for how many months tables are made ahead, apart from the present one.
const monthsAhead = 3

// Months are the tables of rings and facts on PostgreSQL: of rings, of each table whose rows go
// with their ring, and of facts there is one for each month, UTC, of the moment at which the rings
// were placed. They are most of what is stored, and a table is dropped at once.
//
// The tables of a month go when its last ring was kept for RingsKept, with the rings that are left:
// those of tenants whose rule is RingsKept, so that a ring is stored for MonthMore longer at most.
// Rings of a tenant with a shorter rule, and those that are erased, go row by row, on their day. So
// do rings that are not in the table of their month: those of before the split on their day, others
// after MonthMore. A month also goes once it is empty and every rule lets its last ring go.
//
// Facts go with the table of their month, or, of a ring that went before under a shorter rule, with
// it; so do those of a ring whose month should be gone and is not. The first table of facts holds
// everything of before the split and may stay for a year more, so its facts go with their ring too.
type Months struct{ *core }

// MonthMore is how much longer than RingsKept a ring may be stored where the tables of its month go
// as a whole: the month, and a day for a server that cannot drop them at once.
const MonthMore = 32 * 24 * time.Hour

// RingsMost is how long a ring of a tenant whose rule is RingsKept is stored at most. A shorter
// rule holds to the day.
func (s *Store) RingsMost() time.Duration {
	if s.db.dialect.splitsMonths() {
		return RingsKept + MonthMore
	}
	return RingsKept
}

// Months returns the Months of this database.
func (s *Store) Months() Months { return Months{&s.core} }

// Keep makes the tables of the next months, and drops those whose rings were all kept long enough.
// What there is no table for is kept in another one until there is. On SQLite it does nothing.
func (s Months) Keep(ctx context.Context, now time.Time) error {
	if !s.db.dialect.splitsMonths() {
		return nil
	}
	// Not by the writer, nor by the connection of the heartbeat: a change of the schema may wait.
	conn, err := s.db.reads.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	b := beside{conn, s.db.dialect}
	_, err = one(b.query(ctx, "SELECT carillon_ring_months(carillon_month(now(), ?))", monthsAhead+1))
	_, facts := one(b.query(ctx, "SELECT carillon_fact_months(carillon_month(now(), ?))", monthsAhead+1))
	if err := errors.Join(err, facts); err != nil {
		return err
	}
	all, err := Tenants(s).List(ctx)
	if err != nil {
		return err
	}
	before, err := s.pastEveryRule(ctx, now, all)
	if err != nil {
		return err
	}
	whole := min(before, uuid(tenants.FirstID[tenants.RingID](now.Add(-RingsKept))))
	err = errors.Join(s.drop(ctx, b, "SELECT carillon_drop_ring_table(?)", before), s.dropWhole(ctx, b, now, whole, all))
	if err == nil { // facts stay as long as their rings
		_, err = one(b.query(ctx, "SELECT carillon_drop_fact_months(?)", before))
	}
	return errors.Join(err, s.analyze(ctx, conn))
}

// drop asks for one table after the other until none is left to drop.
func (s Months) drop(ctx context.Context, b beside, query string, arg any) error {
	for {
		rows, err := b.query(ctx, query, arg)
		dropped, err := collect(rows, err, func(name *string) []any { return []any{name} })
		if err != nil || dropped[0] == "" {
			return translate(err)
		}
	}
}

// ringMonth is a month of rings that has tables, such as 2027_01: what is before upper.
type ringMonth struct {
	name  string
	upper uuid
}

// dropWhole drops the tables of the months that are over before an id, with the rings that are left
// in them, once each tenant's audit log says how many go.
func (s Months) dropWhole(ctx context.Context, b beside, now time.Time, before uuid, all []tenants.Tenant) error {
	rows, err := b.query(ctx, "SELECT month, upper FROM carillon_ring_bounds() WHERE month <> 'first' AND upper <= ? ORDER BY upper",
		before)
	months, err := collect(rows, err, func(m *ringMonth) []any { return []any{&m.name, &m.upper} })
	if err != nil {
		return translate(err)
	}
	for _, m := range months {
		for _, t := range all {
			if err := s.record(ctx, now, m, s.of(t.ID)); err != nil {
				return err
			}
		}
		if err := s.drop(ctx, b, "SELECT carillon_drop_ring_month(?)", m.name); err != nil {
			return err
		}
	}
	return nil
}

// record writes into a tenant's audit log how many of its rings go with the tables of a month. It
// does so once: a drop that was broken off goes on later, and finds the entry.
func (s Months) record(ctx context.Context, now time.Time, m ringMonth, of *scope) error {
	begin, err := time.Parse("2006_01", m.name)
	if err != nil {
		return err
	}
	from := uuid(tenants.FirstID[tenants.RingID](begin))
	n, err := one(of.reads().query(ctx, "SELECT COUNT(*) FROM rings WHERE tenant_id = ? AND id >= ? AND id < ?", uuid(of.id), from,
		m.upper))
	if err != nil || n == 0 {
		return err
	}
	recent, err := (Audits{of}).Period(ctx, now.Add(-2*MonthMore), time.Time{}) // by then the rings went row by row
	if err != nil {
		return err
	}
	month := begin.Format("2006-01")
	said, err := one(of.reads().query(ctx, "SELECT COUNT(*) FROM audits WHERE tenant_id = ? AND action = 'retention.remove' AND "+
		"action <> 'ring.place' AND seq > ? AND target = ?", uuid(of.id), recent.After, month)) // as audits_rare asks
	if err != nil || said > 0 {
		return err
	}
	return s.w.do(ctx, of.access(), func(t *tx) error { return t.audit(of, "retention.remove", month, quantity(n, "ring", "rings")) })
}

// firstOfRings is the id before which rings are in the first table, which holds everything of
// before the split; empty if there is none.
func (s Months) firstOfRings(ctx context.Context) (uuid, error) {
	if !s.db.dialect.splitsMonths() {
		return "", nil
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT upper FROM carillon_ring_bounds() WHERE month = 'first'")
	bounds, err := collect(rows, err, func(bound *uuid) []any { return []any{bound} })
	if err != nil || len(bounds) == 0 {
		return "", translate(err)
	}
	return bounds[0], nil
}

// retired is the id before which a tenant's rings go row by row: on their day, or, where they go
// with the tables of their month, when those should be gone. first is that of Months.firstOfRings.
func (s Months) retired(now time.Time, rules tenants.Rules, first uuid) uuid {
	day := func(keep time.Duration) uuid {
		return uuid(tenants.FirstID[tenants.RingID](now.Add(time.Microsecond - keep)))
	}
	keep := sooner(RingsKept, rules, tenants.DataRings)
	if !s.db.dialect.splitsMonths() || keep < RingsKept {
		return day(keep)
	}
	return max(min(day(keep), first), day(keep+MonthMore))
}

// analyze has PostgreSQL look at one of the split tables, each once a day: autovacuum looks only at
// those of the months, and a plan for all months needs more. It may last longer than a statement of
// a server otherwise may.
func (s Months) analyze(ctx context.Context, conn *sql.Conn) (err error) {
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return translate(err)
	}
	for _, query := range []string{"SET LOCAL statement_timeout = '10min'", "SELECT carillon_analyze_months()", commit} {
		if _, err := conn.ExecContext(ctx, query); err != nil {
			_, undone := conn.ExecContext(context.WithoutCancel(ctx), rollback)
			return errors.Join(translate(err), undone)
		}
	}
	return nil
}

// Until is the moment from which on rings and facts have no table of their month yet, and whether
// some that came already are in another table. It is zero on SQLite, which has no such tables.
func (s Months) Until(ctx context.Context) (end time.Time, others bool, err error) {
	if !s.db.dialect.splitsMonths() {
		return end, false, nil
	}
	type found struct {
		end    int64
		others bool
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT CAST(EXTRACT(EPOCH FROM LEAST((SELECT MAX(carillon_time_of(upper)) FROM "+
		"carillon_ring_bounds()), (SELECT MAX(carillon_time_of(upper)) FROM carillon_fact_bounds()))) * 1000000 AS BIGINT), EXISTS "+
		"(SELECT 1 FROM rings_others) OR EXISTS (SELECT 1 FROM facts_others)")
	all, err := collect(rows, err, func(f *found) []any { return []any{&f.end, &f.others} })
	if err != nil {
		return end, false, translate(err)
	}
	return moment(all[0].end), all[0].others, nil
}

// pastEveryRule is the id before which every ring was kept long enough, whatever its tenant's rule
// says. A ring that has not ended stays with its facts.
func (s Months) pastEveryRule(ctx context.Context, now time.Time, all []tenants.Tenant) (uuid, error) {
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

// outsideMonths are those of the rings whose facts go row by row. The first table holds everything
// of before facts were split by month. It goes only when its newest ring was kept long enough, and
// that may be a year later. And a month that should be gone may stay for as long as something
// keeps it, such as a ring that has not ended.
func (s *scope) outsideMonths(ctx context.Context, now time.Time, rings []tenants.RingID) (out []tenants.RingID, err error) {
	before := uuid(tenants.FirstID[tenants.RingID](now.Add(time.Microsecond - RingsKept - MonthMore)))
	rows, err := s.reads().query(ctx, "SELECT upper FROM carillon_fact_bounds() WHERE name = 'facts_first'")
	bounds, err := collect(rows, err, func(bound *uuid) []any { return []any{bound} })
	if err != nil {
		return nil, translate(err)
	}
	if len(bounds) > 0 {
		before = max(before, bounds[0])
	}
	for _, ring := range rings {
		if uuid(ring) < before {
			out = append(out, ring)
		}
	}
	return out, nil
}

// deleteLeftFacts removes the facts of a tenant whose rings went before it, because they had been
// kept long enough; see Months. No index of facts begins with a tenant, so it looks through those
// of all tenants, outside of the writer and an hour of rings at a time.
func (s Jobs) deleteLeftFacts(ctx context.Context, scope *scope) error {
	if !s.db.dialect.splitsMonths() {
		return nil
	}
	type span struct{ from, upto uuid }
	all, end := s.db.through(allTenants), uuid(tenants.FirstID[tenants.RingID](s.now().Add(-RingsKept)))
	for from := uuid(tenants.FirstID[tenants.RingID](time.UnixMilli(0))); from < end; {
		rows, err := all.query(ctx, "SELECT ring_id, carillon_first_id(carillon_time_of(ring_id) + interval '1 hour') FROM facts "+
			"WHERE ring_id >= ? AND ring_id < ? ORDER BY ring_id LIMIT 1", from, end)
		next, err := collect(rows, err, func(n *span) []any { return []any{&n.from, &n.upto} })
		if err != nil || len(next) == 0 {
			return translate(err)
		}
		from = min(end, next[0].upto)
		if err := s.deleteLeftBetween(ctx, scope, next[0].from, from); err != nil {
			return err
		}
	}
	return nil
}

// deleteLeftBetween removes a tenant's facts of the rings from one id on and before another.
func (s Jobs) deleteLeftBetween(ctx context.Context, scope *scope, from, upto uuid) error {
	for {
		rows, err := s.db.through(allTenants).query(ctx, "SELECT DISTINCT ring_id FROM facts WHERE tenant_id = ? AND ring_id >= ? AND "+
			"ring_id < ? ORDER BY ring_id LIMIT ?", uuid(scope.id), from, upto, retireMost)
		rings, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
		if err != nil || len(rings) == 0 {
			return translate(err)
		}
		if err := s.w.yield(ctx, scope.access(), func(t *tx) error {
			_, err := t.exec("DELETE FROM facts WHERE tenant_id = ? AND ring_id IN ("+marks(len(rings))+")", some(scope.id, rings)...)
			return err
		}); err != nil || len(rings) < retireMost {
			return err
		}
		from = uuid(rings[len(rings)-1])
	}
}
