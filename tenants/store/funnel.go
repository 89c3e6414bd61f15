package store

import (
	"context"
	"strconv"
	"time"

	"carillon/tenants"
)

// FunnelRow is one group's count of one fact, by phone and by ring, with the latencies since the hop before it by bucket; see
// tenants.Percentile.
type FunnelRow struct {
	Group   string // the value grouped by; an hour as RFC 3339, a day as its date, both UTC; empty for the whole
	Fact    tenants.FactKind
	N       int64 // attempts: phones
	Rings   int64 // rings of which at least one phone did; each in the group of the phone that was first
	Buckets map[int]int64
}

// groups are what a funnel can be grouped by, as SQL. Whole numbers divide to whole numbers in both dialects.
var groups = map[string]string{
	"": "''", "environment": "environment", "app_version": "app_version", "os_version": "os_version", "agent": "agent_id",
	"hour": "hour", "day": "hour / 86400000000 * 86400000000",
}

// Funnel sums the hours in [from, to) by fact and, if by is not empty, by one of hour, day, environment, app_version, os_version,
// agent. Rows come ordered by group and fact. It reads tallies only, so it costs the same whatever the number of facts behind them.
func (s *Scope) Funnel(ctx context.Context, from, to time.Time, by string) ([]FunnelRow, error) {
	group, ok := groups[by]
	if !ok {
		return nil, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "The funnel cannot be grouped that way.", Fields: []tenants.Field{
			{Name: "by", Message: "hour, day, environment, app_version, os_version or agent"}}}
	}
	type sum struct {
		group, fact string
		bucket      int
		n           int64
	}
	if by == "agent" {
		group = s.s.db.dialect.idDigits("agent_id")
	}
	cells, args := s.span(floor(micros(from), hour), until(to), by)
	rows, err := s.reads().scan(ctx, "SELECT CAST("+group+" AS TEXT), fact, bucket, CAST(SUM(n) AS BIGINT) FROM "+cells+" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3", args...)
	sums, err := collect(rows, err, func(x *sum) []any { return []any{&x.group, &x.fact, &x.bucket, &x.n} })
	if err != nil {
		return nil, translate(err)
	}
	out := []FunnelRow{}
	for _, x := range sums {
		x.group = label(by, x.group)
		last := len(out) - 1
		if last < 0 || out[last].Group != x.group || string(out[last].Fact) != x.fact {
			out = append(out, FunnelRow{Group: x.group, Fact: tenants.FactKind(x.fact), Buckets: map[int]int64{}})
			last++
		}
		switch x.bucket {
		case counted:
			out[last].N = x.n
		case ringCounted:
			out[last].Rings = x.n
		default:
			out[last].Buckets[x.bucket] = x.n
		}
	}
	return out, nil
}

// agentOf is the agent's id by its 32 digits; empty for the built-in agent.
func agentOf(digits string) string {
	if len(digits) != 32 {
		return ""
	}
	id := digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
	if id == nilUUID {
		return ""
	}
	return id
}

// span is where the hours in [from, to) are summed from, as SQL. Whole days come from tally_days where what is asked for stands there:
// a month is a few hundred rows for each of its days, and else as many for each of its hours.
func (s *Scope) span(from, to int64, by string) (cells string, args []any) {
	const hours = "SELECT hour, fact, bucket, n FROM tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?"
	first, last := floor(from+dayLength-hour, dayLength), floor(to, dayLength)
	if by != "" && by != "day" || first >= last {
		return "tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?", []any{uuid(s.id), from, to}
	}
	return "(" + hours + " UNION ALL SELECT day, fact, bucket, n FROM tally_days WHERE tenant_id = ? AND day >= ? AND day < ? UNION ALL " + hours + ") spans",
		[]any{uuid(s.id), from, first, uuid(s.id), first, last, uuid(s.id), last, to}
}

// countDays adds the hours' cells up by day. It runs in the roller's transaction.
func (t *tx) countDays(cells map[cell]int64) error {
	type daily struct {
		tenant uuid
		fact   string
		day    int64
		bucket int
	}
	days := map[daily]int64{}
	for c, n := range cells {
		days[daily{c.tenant, c.fact, floor(c.hour, dayLength), c.bucket}] += n
	}
	b := newBatch("tally_days", "tenant_id", "day", "fact", "bucket", "n")
	for d, n := range days {
		b.add(d.tenant, d.day, d.fact, d.bucket, n)
	}
	t.wrote = true
	return b.flush(func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, day, fact, bucket) DO UPDATE SET n = tally_days.n + excluded.n", args)
		return err
	})
}

// label is a group as people and programs read it.
func label(by, group string) string {
	if by == "agent" {
		return agentOf(group)
	}
	if by != "hour" && by != "day" {
		return group
	}
	us, err := strconv.ParseInt(group, 10, 64)
	if err != nil {
		return group
	}
	if by == "day" {
		return moment(us).Format(time.DateOnly)
	}
	return moment(us).Format(time.RFC3339)
}
