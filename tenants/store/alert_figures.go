package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"carillon/tenants"
)

// Figure is the figure of a rule at a moment. It adds up the rows that the page of analytics reads.
func (s AlertRules) Figure(ctx context.Context, r tenants.AlertRule, now time.Time) (tenants.RuleFigure, error) {
	from, to := r.Span(now)
	samples, err := s.Samples(ctx, r, from, to)
	return r.Figure(samples), err
}

// Samples are what was counted for a rule in each of its steps in [from, to), in order. Steps
// without anything are left out.
func (s AlertRules) Samples(ctx context.Context, r tenants.AlertRule, from, to time.Time) ([]tenants.RuleSample, error) {
	m, _ := tenants.MetricNamed(r.Metric)
	switch {
	case m.OfRings():
		return s.ringSamples(ctx, r, m, from, to)
	case m.Detail == tenants.DetailStep:
		times, err := Analytics(s).StepTimes(ctx, r.Cut, r.Hop().Fact, from, to, false)
		return nouns(times, func(h tenants.HourTimes) tenants.RuleSample { return tenants.RuleSample{At: h.At, Buckets: h.Buckets} }), err
	case m.Detail == tenants.DetailReason:
		return s.reasonSamples(ctx, r, from, to)
	}
	return s.factSamples(ctx, r, ringCounted, tenants.FactShown, from, to)
}

func (s AlertRules) ringSamples(ctx context.Context, r tenants.AlertRule, m tenants.AlertMetric, from, to time.Time) (
	[]tenants.RuleSample, error) {
	type row struct {
		at int64
		tenants.Counts
	}
	rows, err := s.reads().scan(ctx, "SELECT at, "+countColumns+" FROM ring_counts WHERE tenant_id = ? AND span = ? AND split = ? "+
		"AND value = ? AND at >= ? AND at < ? ORDER BY at",
		uuid(s.id), int64(r.Step()/time.Second), string(r.Cut.By), r.Cut.Value, micros(from), micros(to))
	found, err := collect(rows, err, func(r *row) []any { return append([]any{&r.at}, countFields(&r.Counts)...) })
	return nouns(found, func(r row) tenants.RuleSample {
		n, of := m.Part(r.Counts)
		return tenants.RuleSample{At: moment(r.at), N: n, Of: of}
	}), translate(err)
}

// factSamples count a fact beside what was placed, from tallies.
func (s AlertRules) factSamples(ctx context.Context, r tenants.AlertRule, bucket int, fact tenants.FactKind, from, to time.Time) (
	[]tenants.RuleSample, error) {
	where, args := "", []any{uuid(s.id), micros(from), micros(to), bucket, string(tenants.FactPlaced), string(fact)}
	if r.Cut.By != "" {
		column, value := string(r.Cut.By), any(r.Cut.Value)
		if r.Cut.By == tenants.SplitAgent {
			column, value = "agent_id", uuid(r.Cut.Value)
		}
		where, args = " AND "+column+" = ?", append(args, value)
	}
	type row struct {
		at, n int64
		fact  string
	}
	rows, err := s.reads().scan(ctx,
		"SELECT hour, fact, CAST(SUM(n) AS BIGINT) FROM tallies WHERE tenant_id = ? AND hour >= ? AND hour < ? "+
			"AND bucket = ? AND fact IN (?, ?)"+where+" GROUP BY hour, fact ORDER BY hour", args...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.fact, &r.n} })
	at := map[int64]*tenants.RuleSample{}
	for _, x := range found {
		sample := at[x.at]
		if sample == nil {
			sample = &tenants.RuleSample{At: moment(x.at)}
			at[x.at] = sample
		}
		if x.fact == string(tenants.FactPlaced) {
			sample.Of = x.n
		} else {
			sample.N = x.n
		}
	}
	return inOrder(at), translate(err)
}

func inOrder(at map[int64]*tenants.RuleSample) []tenants.RuleSample {
	var out []tenants.RuleSample
	for _, k := range slices.Sorted(maps.Keys(at)) {
		out = append(out, *at[k])
	}
	return out
}

// reasonSamples count how often a reason was given, of the phones rung.
func (s AlertRules) reasonSamples(ctx context.Context, r tenants.AlertRule, from, to time.Time) ([]tenants.RuleSample, error) {
	rung, err := s.factSamples(ctx, r, counted, tenants.FactPlaced, from, to)
	if err != nil {
		return nil, err
	}
	at := map[int64]*tenants.RuleSample{}
	for i := range rung {
		at[micros(rung[i].At)] = &rung[i]
	}
	where, args := "", []any{uuid(s.id), micros(from), micros(to), r.Detail}
	if r.Cut.By == tenants.SplitAppVersion {
		where, args = " AND app_version = ?", append(args, r.Cut.Value)
	}
	type row struct{ at, n int64 }
	rows, err := s.reads().scan(ctx, "SELECT hour, CAST(SUM(n) AS BIGINT) FROM outcomes WHERE tenant_id = ? AND hour >= ? AND hour < ? "+
		"AND detail = ? AND bucket < 0 AND fact IN ('refused', 'failed_to_show', 'silenced')"+where+" GROUP BY hour ORDER BY hour", args...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.n} })
	for _, x := range found {
		if at[x.at] == nil {
			at[x.at] = &tenants.RuleSample{At: moment(x.at)}
		}
		at[x.at].N = x.n
	}
	return inOrder(at), translate(err)
}
