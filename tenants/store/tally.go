package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"carillon/migrations"
	"carillon/tenants"
)

// newFact is a fact past the watermark. before and after are when the hops before and after it happened, if they were recorded before
// it was: the latency of a hop is counted once, at whichever of its two facts is recorded later.
type newFact struct {
	xact, seq                                 int64
	tenant, kind, environment, app, os, agent string
	at                                        int64
	before, after                             sql.NullInt64
	ring, detail                              string
	expires                                   int64 // when the ring's time was up
	test                                      bool
	first                                     bool   // no other phone of the ring took this hop before
	outcome                                   string // how the ring ended, if this is the fact that ended it
	placed                                    int64  // when the ring was
}

func (f *newFact) fields() []any {
	return []any{&f.xact, &f.seq, &f.tenant, &f.kind, &f.at, &f.environment, &f.app, &f.os, &f.agent, &f.before, &f.after, &f.ring, &f.test,
		&f.detail, &f.expires, &f.first, &f.outcome, &f.placed}
}

// Buckets of what is counted and not timed: each attempt that took the hop, and each ring once, where the first of its phones took it.
const (
	counted     = -1
	ringCounted = -2
)

// endings are the facts that can end a ring, as SQL.
const endings = "'refused', 'failed_to_show', 'silenced', 'busy', 'declined', 'cancelled', 'expired', 'hung_up', 'broken'"

// cell is a key of tallies.
type cell struct {
	tenant, fact, environment, app, os, agent string
	hour                                      int64
	bucket                                    int
}

// mark is how far the roller has read.
type mark struct{ xact, seq int64 }

const hour = int64(time.Hour / time.Microsecond)

// Roll folds up to limit new facts of every tenant into the tallies and says how many. It reads outside of the writer, so that
// rings do not wait for it, and writes only if the watermark is still where it began: two rollers never count a fact twice.
//
// Facts are counted in an order that nobody can insert into any more. On SQLite that is seq, because one writer commits in that
// order. On PostgreSQL a transaction may commit after one that took a later seq; there the order is (transaction, seq), and only
// facts of transactions older than every open one are read.
func (s *Store) Roll(ctx context.Context, limit int) (rolled int, err error) {
	from, err := s.mark(ctx)
	if err != nil {
		return 0, err
	}
	facts, err := s.fresh(ctx, from, limit)
	if err != nil || len(facts) == 0 {
		return 0, err
	}
	cells := map[cell]int64{}
	for i := range facts {
		facts[i].count(cells)
	}
	last := facts[len(facts)-1]
	moved := false
	err = s.w.do(ctx, wholeHouse, func(t *tx) error {
		n, err := t.change("UPDATE watermarks SET xact = ?, seq = ? WHERE name = 'tallies' AND xact = ? AND seq = ?",
			last.xact, last.seq, from.xact, from.seq)
		if moved = n > 0; err != nil || !moved {
			return err
		}
		if err := t.count(cells); err != nil {
			return err
		}
		if err := t.countDays(cells); err != nil {
			return err
		}
		if err := t.countOutcomes(facts); err != nil {
			return err
		}
		return t.meter(s, facts)
	})
	if err != nil || !moved {
		return 0, err
	}
	return len(facts), nil
}

func (s *Store) mark(ctx context.Context) (mark, error) {
	rows, err := s.db.through(noDoor).query(ctx, "SELECT xact, seq FROM watermarks WHERE name = 'tallies'")
	found, err := collect(rows, err, func(m *mark) []any { return []any{&m.xact, &m.seq} })
	if err != nil || len(found) == 0 {
		return mark{}, translate(err)
	}
	return found[0], nil
}

// fresh reads the next facts in order, each with the hop before and after it. A fact whose ring is gone still counts, so that it does
// not stop the roller.
func (s *Store) fresh(ctx context.Context, from mark, limit int) ([]newFact, error) {
	order, earlier, past := "seq", "(%s.seq < f.seq)", "seq > ?"
	args := []any{from.seq, limit}
	if s.db.dialect == migrations.Postgres {
		order, earlier = "xact, seq", "(%[1]s.xact, %[1]s.seq) < (f.xact, f.seq)"
		past = "(xact, seq) > (?, ?) AND xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
		args = []any{from.xact, from.seq, limit}
	}
	before, after := neighbours()
	same := func(as string) string { return as + ".tenant_id = f.tenant_id AND " + as + ".ring_id = f.ring_id" }
	join := func(as, kind string) string {
		return "LEFT JOIN facts " + as + " ON " + same(as) + " AND " + as + ".attempt_id = f.attempt_id AND " + as + ".kind = " + kind + " AND " + fmt.Sprintf(earlier, as) + " "
	}
	// A ring to one device has one attempt, and nothing to look for.
	first := "CASE WHEN COALESCE(r.to_person, '') = '' THEN TRUE ELSE NOT EXISTS (SELECT 1 FROM facts e WHERE " + same("e") + " AND e.kind = f.kind AND " +
		fmt.Sprintf(earlier, "e") + ") END"
	// What ended a ring was learnt when it ended; of several such, the last one counts.
	ended := "CASE WHEN r.ended_at <> 0 AND r.ended_at = f.received_at AND f.kind IN (" + endings + ") AND NOT EXISTS (SELECT 1 FROM facts l WHERE " + same("l") +
		" AND l.received_at = r.ended_at AND l.kind IN (" + endings + ") AND NOT (l.attempt_id = f.attempt_id AND l.kind = f.kind) AND NOT " + fmt.Sprintf(earlier, "l") + ") THEN r.state ELSE '' END"
	rows, err := s.db.through(wholeHouse).scan(ctx, "SELECT f.xact, f.seq, f.tenant_id, f.kind, f.at, COALESCE(a.environment, ''), "+
		"COALESCE(a.app_version, ''), COALESCE(a.os_version, ''), COALESCE(r.agent_id, ''), b.at, n.at, COALESCE(r.id, ''), COALESCE(r.test, FALSE), "+
		"f.detail, COALESCE(r.expires_at, 0), "+first+", "+ended+", COALESCE(r.created_at, 0) "+
		"FROM (SELECT xact, seq, tenant_id, ring_id, attempt_id, kind, at, received_at, detail FROM facts WHERE "+past+" ORDER BY "+order+" LIMIT ?) f "+
		"LEFT JOIN attempts a ON a.tenant_id = f.tenant_id AND a.ring_id = f.ring_id AND a.id = f.attempt_id "+
		"LEFT JOIN rings r ON r.tenant_id = f.tenant_id AND r.id = f.ring_id "+
		join("b", before)+join("n", after)+"ORDER BY f.xact, f.seq", args...)
	found, err := collect(rows, err, (*newFact).fields)
	return found, translate(err)
}

// neighbours are the kinds of the hops before and after f's, as SQL. The funnel is a chain, so there is at most one of each.
func neighbours() (before, after string) {
	before, after = "CASE f.kind", "CASE f.kind"
	for _, h := range tenants.Hops {
		if h.From != "" {
			before += " WHEN '" + string(h.Fact) + "' THEN '" + string(h.From) + "'"
			after += " WHEN '" + string(h.From) + "' THEN '" + string(h.Fact) + "'"
		}
	}
	return before + " END", after + " END"
}

// until is the end of a span; a zero end is open.
func until(to time.Time) int64 {
	if to.IsZero() {
		return math.MaxInt64
	}
	return micros(to)
}

func (f *newFact) cell(kind string, at int64, bucket int) cell {
	return cell{
		tenant: f.tenant, fact: kind, environment: f.environment, app: f.app, os: f.os, agent: f.agent, hour: floor(at, hour), bucket: bucket,
	}
}

// floor is at rounded down to a multiple of step.
func floor(at, step int64) int64 {
	if rest := at % step; rest < 0 {
		return at - rest - step
	} else {
		return at - rest
	}
}

// count adds the fact, and the latencies of the hops that are complete with it.
func (f *newFact) count(cells map[cell]int64) {
	cells[f.cell(f.kind, f.at, counted)]++
	if f.first {
		cells[f.cell(f.kind, f.at, ringCounted)]++
	}
	if f.before.Valid {
		cells[f.cell(f.kind, f.at, tenants.Bucket(length(f.at-f.before.Int64)))]++
	}
	if !f.after.Valid {
		return
	}
	for _, h := range tenants.Hops {
		if string(h.From) == f.kind {
			cells[f.cell(string(h.Fact), f.after.Int64, tenants.Bucket(length(f.after.Int64-f.at)))]++
		}
	}
}

func (t *tx) count(cells map[cell]int64) error {
	b := newBatch("tallies", "tenant_id", "hour", "fact", "environment", "app_version", "os_version", "agent_id", "bucket", "n")
	for c, n := range cells {
		b.add(c.tenant, c.hour, c.fact, c.environment, c.app, c.os, c.agent, c.bucket, n)
	}
	t.wrote = true
	return b.flush(func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, fact, environment, app_version, os_version, agent_id, bucket) "+
			"DO UPDATE SET n = tallies.n + excluded.n", args)
		return err
	})
}

type tallyRow struct {
	Hour                                              int64
	Fact, Environment, AppVersion, OSVersion, AgentID string
	Bucket                                            int
	N                                                 int64
}

func (r *tallyRow) fields() []any {
	return []any{&r.Hour, &r.Fact, &r.Environment, &r.AppVersion, &r.OSVersion, &r.AgentID, &r.Bucket, &r.N}
}

func (r tallyRow) noun() tenants.Tally {
	return tenants.Tally{
		Hour: moment(r.Hour), Fact: tenants.FactKind(r.Fact), Environment: tenants.Environment(r.Environment), AppVersion: r.AppVersion,
		OSVersion: r.OSVersion, Agent: tenants.AgentID(r.AgentID), Bucket: r.Bucket, N: r.N,
	}
}

// Tallies lists the counted cells of the hours in [from, to).
func (s *Scope) Tallies(ctx context.Context, from, to time.Time) ([]tenants.Tally, error) {
	rows, err := s.reads().scan(ctx, "SELECT hour, fact, environment, app_version, os_version, agent_id, bucket, n FROM tallies "+
		"WHERE tenant_id = ? AND hour >= ? AND hour < ? ORDER BY hour, fact, environment, app_version, os_version, agent_id, bucket",
		string(s.id), floor(micros(from), hour), until(to))
	found, err := collect(rows, err, (*tallyRow).fields)
	return nouns(found, tallyRow.noun), translate(err)
}
