package store

import (
	"context"
	"strings"
	"time"

	"carillon/tenants"
)

// tallied is where the tallies of some facts in the hours of [from, to) are read. The hours are
// listed, because only behind the hour does the key of tallies have the fact: of an hour's rows,
// which are a thousand where many rings are placed, those of the other facts are not read.
func (s Analytics) tallied(from, to time.Time, facts ...tenants.FactKind) (cells string, args []any) {
	end := until(to)
	if to.IsZero() {
		end = micros(s.s.now().Add(clocksDiffer)) // nothing is counted later
	}
	args = []any{floor(micros(from), hour), end - hour, uuid(s.id)}
	for _, f := range facts {
		args = append(args, string(f))
	}
	return "(WITH RECURSIVE hours (first) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT first + 3600000000 FROM hours WHERE first < ?) " +
		"SELECT t.hour, t.fact, t.agent_id, t.bucket, t.n FROM hours CROSS JOIN tallies t WHERE t.tenant_id = ? AND t.hour = hours.first " +
		"AND t.fact IN (?" + strings.Repeat(", ?", len(facts)-1) + ")) spans", args
}

// Placed counts the attempts of the hours of [from, now) by agent, the built-in one without an id.
func (s Analytics) Placed(ctx context.Context, from time.Time) (map[tenants.AgentID]int64, error) {
	type row struct {
		agent uuid
		n     int64
	}
	cells, args := s.tallied(from, time.Time{}, tenants.FactPlaced)
	rows, err := s.reads().scan(ctx, "SELECT agent_id, CAST(SUM(n) AS BIGINT) FROM "+cells+" WHERE bucket = ? GROUP BY agent_id",
		append(args, counted)...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.agent, &r.n} })
	out := map[tenants.AgentID]int64{}
	for _, r := range found {
		out[tenants.AgentID(r.agent)] = r.n
	}
	return out, translate(err)
}
