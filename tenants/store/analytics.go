package store

import (
	"context"
	"strconv"
	"time"

	"carillon/tenants"
)

// FunnelRow is one group's count of one fact, by phone and by ring, with the latencies since the
// hop before it by bucket; see tenants.Percentile.
type FunnelRow struct {
	Group   string // the value grouped by; an hour as RFC 3339, a day as its date, both UTC; empty for the whole
	Fact    tenants.FactKind
	N       int64 // attempts: phones
	Rings   int64 // rings of which at least one phone did; each in the group of the phone that was first
	Buckets map[int]int64
}

// groups are what a funnel can be grouped by, as SQL. Whole numbers divide to whole numbers in both
// dialects.
var groups = map[string]string{
	"": "''", "environment": "environment", "app_version": "app_version", "os_version": "os_version", "agent": "agent_id",
	"hour": "hour", "day": "hour / 86400000000 * 86400000000",
}

// Analytics are the tenant's counts. They read rollups, so that they cost the same however many
// facts there are.
type Analytics struct{ *scope }

// Analytics returns the tenant's Analytics.
func (s *Scope) Analytics() Analytics { return Analytics{&s.scope} }

// Funnel sums the hours in [from, to) by fact and, if by is not empty, by one of hour, day,
// environment, app_version, os_version, agent, key. Rows come ordered by group and fact. Of keys it
// gives the steps of Hops only, the KeysMost that placed most rings, the console, and OtherKeys. It
// reads counts only, so it costs the same whatever the number of facts behind them.
func (s Analytics) Funnel(ctx context.Context, from, to time.Time, by string) ([]FunnelRow, error) {
	if by == "key" {
		return s.funnelByKey(ctx, floor(micros(from), hour), until(to))
	}
	group, ok := groups[by]
	if !ok {
		return nil, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "The funnel cannot be grouped that way.",
			Fields: []tenants.Field{
				{Name: "by", Message: "hour, day, environment, app_version, os_version, agent or key"}}}
	}
	if by == "agent" {
		group = s.s.db.dialect.idDigits("agent_id")
	}
	cells, args := s.span(floor(micros(from), hour), until(to), by)
	return s.sum(ctx, group, cells, args, func(group string) string { return label(by, group) })
}

// sum adds cells up by group, fact and bucket. name turns a group into what is shown.
func (s Analytics) sum(ctx context.Context, group, cells string, args []any, name func(string) string) ([]FunnelRow, error) {
	type sum struct {
		group, fact string
		bucket      int
		n           int64
	}
	rows, err := s.reads().scan(ctx,
		"SELECT CAST("+group+" AS TEXT), fact, bucket, CAST(SUM(n) AS BIGINT) FROM "+cells+" GROUP BY 1, 2, 3 "+
			"ORDER BY 1, 2, 3", args...)
	sums, err := collect(rows, err, func(x *sum) []any { return []any{&x.group, &x.fact, &x.bucket, &x.n} })
	if err != nil {
		return nil, translate(err)
	}
	out := []FunnelRow{}
	for _, x := range sums {
		x.group = name(x.group)
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

// FunnelByDay is Funnel by day, where a day is one of zone. Counts are kept by the hour of UTC:
// where a zone lies half an hour beside it, an hour counts to the day in which it begins. A day on
// which the clock changes may come as two rows. With facts it may leave the others out.
func (s Analytics) FunnelByDay(ctx context.Context, from, to time.Time, zone *time.Location, facts ...tenants.FactKind) (
	[]FunnelRow, error) {
	out := []FunnelRow{}
	for _, part := range offsets(from, to, s.s.now(), zone) {
		if part.offset == 0 {
			rows, err := s.Funnel(ctx, part.from, part.to, "day")
			if err != nil {
				return nil, err
			}
			out = append(out, rows...)
			continue
		}
		cells, args := "tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?",
			[]any{uuid(s.id), floor(micros(part.from), hour), until(part.to)}
		if len(facts) > 0 {
			cells, args = s.tallied(part.from, part.to, facts...)
		}
		rows, err := s.sum(ctx, dayIn(part.offset), cells, args, func(day string) string { return label("day", day) })
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// dayIn is the SQL of the local day of an hour, where clocks are ahead of UTC by offset.
func dayIn(offset time.Duration) string {
	return "(hour + " + strconv.FormatInt(offset.Microseconds(), 10) + ") / 86400000000 * 86400000000"
}

// offsetSpan is a span of time in which a zone is ahead of UTC by the same offset.
type offsetSpan struct {
	from, to time.Time // to is zero for no end
	offset   time.Duration
}

// offsets cuts [from, to) where the clocks of zone change. A zero to has no end.
func offsets(from, to, now time.Time, zone *time.Location) []offsetSpan {
	var out []offsetSpan
	for {
		local := from.In(zone)
		_, seconds := local.Zone()
		_, change := local.ZoneBounds()
		span := offsetSpan{from: from, to: to, offset: time.Duration(seconds) * time.Second}
		if change.IsZero() || !to.IsZero() && !change.Before(to) || to.IsZero() && change.After(now.AddDate(0, 0, 1)) {
			return append(out, span)
		}
		span.to, from = change, change
		out = append(out, span)
	}
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

// span is where the hours in [from, to) are summed from, as SQL. Whole days come from tally_days
// where that table has what is asked for: a month is a few hundred rows for each of its days, and
// else as many for each of its hours.
func (s *scope) span(from, to int64, by string) (cells string, args []any) {
	const hours = "SELECT hour, fact, bucket, n FROM tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?"
	first, last := floor(from+dayLength-hour, dayLength), floor(to, dayLength)
	if by != "" && by != "day" || first >= last {
		return "tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?", []any{uuid(s.id), from, to}
	}
	return "(" + hours + " UNION ALL SELECT day, fact, bucket, n FROM tally_days WHERE tenant_id = ? AND day >= ? AND day < ? UNION ALL " +
			"" + hours + ") spans",
		[]any{uuid(s.id), from, first, uuid(s.id), first, last, uuid(s.id), last, to}
}

// countDays adds the hours' cells up by day. It runs in the roller's transaction.
func (t tallyTx) countDays(cells map[cell]int64) error {
	type daily struct {
		tenant uuid
		fact   string
		day    int64
		bucket int
	}
	days := make(map[daily]int64, len(cells))
	for c, n := range cells {
		days[daily{c.tenant, c.fact, floor(c.hour, dayLength), c.bucket}] += n
	}
	b := newBatch("tally_days", "tenant_id", "day", "fact", "bucket", "n")
	b.expect(len(days))
	for d, n := range days {
		b.add(d.tenant, d.day, d.fact, d.bucket, n)
	}
	t.wrote = true
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
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

// late is what a push that woke the app after its ring had expired is counted as: a ghost ring,
// were it not for the app's own look.
const late = "late"

// ended is what a ring that is over is counted as, in the hour in which it was placed; the detail
// is its state.
const ended = "ended"

// reasoned are the facts whose reasons are counted.
var reasoned = map[string]bool{
	string(tenants.FactRefused): true, string(tenants.FactFailedToShow): true, string(tenants.FactSilenced): true,
}

// countOutcomes counts the reasons of facts, how late pushes arrived, and how rings ended. It runs
// in the roller's transaction.
func (t tallyTx) countOutcomes(facts []newFact) error {
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
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, fact, detail, app_version, bucket) DO UPDATE SET n = outcomes.n + "+
			"excluded.n", args)
		return err
	})
}

// Reason is how often a fact happened for a reason: Apple's word, CallKit's code.
type Reason struct {
	Fact   tenants.FactKind // refused, failed_to_show or silenced
	Detail string           // empty = the phone gave none
	N      int64
}

// Late is how many pushes woke the app after their ring had expired, and how late by bucket; see
// tenants.Percentile.
type Late struct {
	N       int64
	Buckets map[int]int64
}

// Reasons sums the hours in [from, to): why facts happened, the most frequent first, and how late
// pushes came. It reads counts only, so it costs the same whatever the number of facts behind them.
func (s Analytics) Reasons(ctx context.Context, from, to time.Time) ([]Reason, Late, error) {
	type sum struct {
		fact, detail string
		bucket       int
		n            int64
	}
	rows, err := s.reads().scan(ctx, "SELECT fact, detail, bucket, CAST(SUM(n) AS BIGINT) FROM outcomes WHERE tenant_id = ? AND hour >= ? "+
		"AND hour < ? AND fact <> ? "+
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
	Day   string // such as 2026-11-27
	State tenants.State
	N     int64
}

// RingEnds counts the rings placed in the hours of [from, to) that are over, by day of zone and by
// how they ended. A day on which the clock changes may come twice.
func (s Analytics) RingEnds(ctx context.Context, from, to time.Time, zone *time.Location) ([]RingEnd, error) {
	type row struct {
		day, n int64
		state  string
	}
	out := []RingEnd{}
	for _, part := range offsets(from, to, s.s.now(), zone) {
		rows, err := s.reads().scan(ctx, "SELECT "+dayIn(part.offset)+", detail, CAST(SUM(n) AS BIGINT) FROM outcomes "+
			"WHERE tenant_id = ? AND hour >= ? AND hour < ? AND fact = ? GROUP BY 1, 2 ORDER BY 1, 2",
			uuid(s.id), floor(micros(part.from), hour), until(part.to), ended)
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.day, &r.state, &r.n} })
		if err != nil {
			return nil, translate(err)
		}
		for _, r := range found {
			out = append(out, RingEnd{moment(r.day).UTC().Format(time.DateOnly), tenants.State(r.state), r.n})
		}
	}
	return out, nil
}

// Tallies lists the counted cells of the hours in [from, to).
func (s Analytics) Tallies(ctx context.Context, from, to time.Time) ([]tenants.Tally, error) {
	rows, err := s.reads().scan(ctx, "SELECT hour, fact, environment, app_version, os_version, agent_id, bucket, n FROM tallies "+
		"WHERE tenant_id = ? AND hour >= ? AND hour < ? ORDER BY hour, fact, environment, app_version, os_version, agent_id, bucket",
		uuid(s.id), floor(micros(from), hour), until(to))
	found, err := collect(rows, err, (*tallyRow).fields)
	return nouns(found, tallyRow.noun), translate(err)
}
