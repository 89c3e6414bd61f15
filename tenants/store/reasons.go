package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// late is what a push that woke the app after its ring had expired is counted as: a ghost ring, were it not for the app's own look.
const late = "late"

// ended is what a ring that is over is counted as, in the hour in which it was placed; the detail is its state.
const ended = "ended"

// reasoned are the facts whose reasons are counted.
var reasoned = map[string]bool{
	string(tenants.FactRefused): true, string(tenants.FactFailedToShow): true, string(tenants.FactSilenced): true,
}

// countOutcomes counts the reasons of facts, how late pushes arrived, and how rings ended. It runs in the roller's transaction.
func (t *tx) countOutcomes(facts []newFact) error {
	type cell struct {
		tenant            uuid
		fact, detail, app string
		hour              int64
		bucket            int
	}
	cells := map[cell]int64{}
	for i := range facts {
		f := &facts[i]
		if f.outcome != "" {
			cells[cell{tenant: f.tenant, fact: ended, detail: f.outcome, app: f.app, hour: floor(f.placed, hour), bucket: counted}]++
		}
		if !reasoned[f.kind] && f.kind != string(tenants.FactWoke) {
			continue
		}
		c := cell{tenant: f.tenant, fact: f.kind, detail: f.detail, app: f.app, hour: floor(f.at, hour), bucket: counted}
		if reasoned[f.kind] {
			cells[c]++
		}
		if f.kind == string(tenants.FactWoke) && f.expires != 0 && f.at > f.expires {
			c.fact, c.detail = late, ""
			cells[c]++
			c.bucket = tenants.Bucket(length(f.at - f.expires))
			cells[c]++
		}
	}
	if len(cells) == 0 {
		return nil
	}
	b := newBatch("outcomes", "tenant_id", "hour", "fact", "detail", "app_version", "bucket", "n")
	for c, n := range cells {
		b.add(c.tenant, c.hour, c.fact, c.detail, c.app, c.bucket, n)
	}
	t.wrote = true
	return b.flush(func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, fact, detail, app_version, bucket) DO UPDATE SET n = outcomes.n + excluded.n", args)
		return err
	})
}

// Reason is how often a fact happened for a reason: Apple's word, CallKit's code.
type Reason struct {
	Fact   tenants.FactKind // refused, failed_to_show or silenced
	Detail string           // empty = the phone gave none
	N      int64
}

// Late is how many pushes woke the app after their ring had expired, and how late by bucket; see tenants.Percentile.
type Late struct {
	N       int64
	Buckets map[int]int64
}

// Reasons sums the hours in [from, to): why facts happened, the most frequent first, and how late pushes came. It reads counts
// only, so it costs the same whatever the number of facts behind them.
func (s *Scope) Reasons(ctx context.Context, from, to time.Time) ([]Reason, Late, error) {
	type sum struct {
		fact, detail string
		bucket       int
		n            int64
	}
	rows, err := s.reads().scan(ctx, "SELECT fact, detail, bucket, CAST(SUM(n) AS BIGINT) FROM outcomes WHERE tenant_id = ? AND hour >= ? AND hour < ? AND fact <> ? "+
		"GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3", uuid(s.id), floor(micros(from), hour), until(to), ended)
	sums, err := collect(rows, err, func(x *sum) []any { return []any{&x.fact, &x.detail, &x.bucket, &x.n} })
	reasons, lateness := []Reason{}, Late{Buckets: map[int]int64{}}
	for _, x := range sums {
		switch {
		case x.fact != late:
			reasons = append(reasons, Reason{tenants.FactKind(x.fact), x.detail, x.n})
		case x.bucket < 0:
			lateness.N = x.n
		default:
			lateness.Buckets[x.bucket] = x.n
		}
	}
	return reasons, lateness, translate(err)
}

// RingEnd is how many of the rings that were placed on a day ended in a state.
type RingEnd struct {
	Day   time.Time // UTC
	State tenants.State
	N     int64
}

// RingEnds counts the rings that were placed in the hours of [from, to) by day and by how they ended, in the order of the days. What
// still rings, or is a call, is not among them. It reads counts only.
func (s *Scope) RingEnds(ctx context.Context, from, to time.Time) ([]RingEnd, error) {
	type row struct {
		day, n int64
		state  string
	}
	rows, err := s.reads().scan(ctx, "SELECT hour / 86400000000 * 86400000000, detail, CAST(SUM(n) AS BIGINT) FROM outcomes "+
		"WHERE tenant_id = ? AND hour >= ? AND hour < ? AND fact = ? GROUP BY 1, 2 ORDER BY 1, 2", uuid(s.id), floor(micros(from), hour), until(to), ended)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.day, &r.state, &r.n} })
	return nouns(found, func(r row) RingEnd { return RingEnd{moment(r.day), tenants.State(r.state), r.n} }), translate(err)
}
