package store

import (
	"context"
	"math"
	"time"

	"carillon/tenants"
)

// The spans by which rings are counted, in seconds. Five minutes are for alert rules and are kept
// for a little longer than their longest window.
const (
	slotSpan = int64(300)
	hourSpan = int64(3600)
	daySpan  = int64(86400)

	slotsKept = 9 * 24 * time.Hour
)

const second = int64(time.Second / time.Microsecond)

// slot is the length of a slot.
const slot = slotSpan * second

const countColumns = "rings, answered, missed, declined, cancelled, failed, silent, accepted, refused, agent_failed"

func countFields(c *tenants.Counts) []any {
	return []any{&c.Rings, &c.Answered, &c.Missed, &c.Declined, &c.Cancelled, &c.Failed, &c.Silent, &c.Accepted, &c.Refused,
		&c.AgentFailed}
}

// summed is countColumns, each added up.
const summed = "CAST(SUM(rings) AS BIGINT), CAST(SUM(answered) AS BIGINT), CAST(SUM(missed) AS BIGINT), CAST(SUM(declined) AS BIGINT), " +
	"CAST(SUM(cancelled) AS BIGINT), CAST(SUM(failed) AS BIGINT), CAST(SUM(silent) AS BIGINT), CAST(SUM(accepted) AS BIGINT), " +
	"CAST(SUM(refused) AS BIGINT), CAST(SUM(agent_failed) AS BIGINT)"

// countKey is a key of ring_counts, and timeKey one of step_times.
type (
	countKey struct {
		tenant       uuid
		span         int64
		split, value string
		at           int64
	}
	timeKey struct {
		countKey
		fact   string
		bucket int
	}
)

// newCounts are what new facts add to ring_counts and step_times. It is kept by kin until it is
// written: facts are many, and the kinds of rings few.
type newCounts struct {
	rings map[kin]*tenants.Counts
	times map[kinTime]int64
}

// kin are facts that count in the same rows.
type kin struct {
	tenant, agent, key   uuid
	app, os, environment string
	slot                 int64
}

// kinTime is a step of kin, with how long it took.
type kinTime struct {
	kin
	fact   string
	bucket int
}

func (f *newFact) kin(at int64) kin {
	return kin{f.tenant, f.agent, f.key, f.app, f.os, f.environment, floor(at, slot)}
}

// countsOf adds new facts up.
func countsOf(facts []newFact) newCounts {
	n := newCounts{map[kin]*tenants.Counts{}, map[kinTime]int64{}}
	for i := range facts {
		f := &facts[i]
		if f.kind == string(tenants.FactPlaced) && f.first {
			n.of(f, f.at).Rings++
		}
		if f.outcome != "" {
			f.end(n.of(f, f.placed))
		}
		switch tenants.FactKind(f.kind) {
		case tenants.FactAccepted:
			n.of(f, f.at).Accepted++
		case tenants.FactRefused:
			n.of(f, f.at).Refused++
		case tenants.FactAgentFailed:
			n.of(f, f.at).AgentFailed++
		}
		f.steps(func(f *newFact, kind string, at int64, bucket int) { n.times[kinTime{f.kin(at), kind, bucket}]++ })
	}
	return n
}

// of is where a fact counts.
func (n newCounts) of(f *newFact, at int64) *tenants.Counts {
	k := f.kin(at)
	c := n.rings[k]
	if c == nil {
		c = &tenants.Counts{}
		n.rings[k] = c
	}
	return c
}

// end counts how the ring ended.
func (f *newFact) end(c *tenants.Counts) {
	switch tenants.State(f.outcome) {
	case tenants.Ended:
		c.Answered++
		if !f.heard {
			c.Silent++
		}
	case tenants.Missed:
		c.Missed++
	case tenants.Declined:
		c.Declined++
	case tenants.Cancelled:
		c.Cancelled++
	case tenants.Failed:
		c.Failed++
	}
}

// cuts are the rows in which kin count.
func (k kin) cuts() [6]tenants.Cut {
	return [6]tenants.Cut{{}, {By: tenants.SplitAppVersion, Value: k.app}, {By: tenants.SplitOSVersion, Value: k.os},
		{By: tenants.SplitEnvironment, Value: k.environment}, {By: tenants.SplitAgent, Value: string(k.agent)},
		{By: tenants.SplitKey, Value: string(k.key)}}
}

// ringRows are the rows of ring_counts.
func (n newCounts) ringRows() map[countKey]tenants.Counts {
	rows := map[countKey]tenants.Counts{}
	for k, c := range n.rings {
		for _, cut := range k.cuts() {
			for _, span := range [3]int64{slotSpan, hourSpan, daySpan} {
				key := countKey{k.tenant, span, string(cut.By), cut.Value, floor(k.slot, span*second)}
				rows[key] = rows[key].Add(*c)
			}
		}
	}
	return rows
}

// timeRows are the rows of step_times. Only waking and answering are counted apart, because rules
// ask for them. The days of all rings are in tally_days.
func (n newCounts) timeRows() map[timeKey]int64 {
	rows := make(map[timeKey]int64, 4*len(n.times)) // each in one to eight
	for k, c := range n.times {
		add := func(span int64, cut tenants.Cut) {
			rows[timeKey{countKey{k.tenant, span, string(cut.By), cut.Value, floor(k.slot, span*second)}, k.fact, k.bucket}] += c
		}
		add(hourSpan, tenants.Cut{})
		if k.fact != string(tenants.FactWoke) && k.fact != string(tenants.FactAnswered) {
			continue
		}
		add(slotSpan, tenants.Cut{})
		for _, cut := range k.cuts() {
			if cut.By != "" && cut.By.Timed() {
				add(hourSpan, cut)
				add(daySpan, cut)
			}
		}
	}
	return rows
}

// countRings writes what was counted. It runs in the roller's transaction.
func (t tallyTx) countRings(n newCounts) error {
	all := names(countColumns)
	b := newBatch("ring_counts", append([]string{"tenant_id", "span", "split", "value", "at"}, all...)...)
	for k, c := range n.ringRows() {
		b.add(append([]any{k.tenant, k.span, k.split, k.value, k.at}, values(countFields(&c))...)...)
	}
	grow := ""
	for i, c := range all {
		if i > 0 {
			grow += ", "
		}
		grow += c + " = ring_counts." + c + " + excluded." + c
	}
	t.wrote = true
	err := b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, span, split, value, at) DO UPDATE SET "+grow, args)
		return err
	})
	if err != nil {
		return err
	}
	b = newBatch("step_times", "tenant_id", "span", "split", "value", "fact", "at", "bucket", "n")
	times := n.timeRows()
	b.expect(len(times))
	for k, c := range times {
		b.add(k.tenant, k.span, k.split, k.value, k.fact, k.at, k.bucket, c)
	}
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, span, split, value, fact, at, bucket) DO UPDATE SET n = step_times.n + "+
			"excluded.n", args)
		return err
	})
}

// Hours are the counts of the hours in [from, to), in order; hours without rings are left out. It
// reads one row an hour.
func (s Analytics) Hours(ctx context.Context, cut tenants.Cut, from, to time.Time) ([]tenants.HourCounts, error) {
	type row struct {
		at int64
		tenants.Counts
	}
	rows, err := s.reads().scan(ctx, "SELECT at, "+countColumns+" FROM ring_counts WHERE tenant_id = ? AND span = ? AND split = ? "+
		"AND value = ? AND at >= ? AND at < ? ORDER BY at",
		uuid(s.id), hourSpan, string(cut.By), cut.Value, floor(micros(from), hour), until(to))
	found, err := collect(rows, err, func(r *row) []any { return append([]any{&r.at}, countFields(&r.Counts)...) })
	return nouns(found, func(r row) tenants.HourCounts { return tenants.HourCounts{At: moment(r.at), Counts: r.Counts} }), translate(err)
}

// valuesMost bounds the values of a split that are counted apart.
const valuesMost = 2_000

// Values are the counts of the hours in [from, to) by the values of a split, most rings first, at
// most valuesMost. Whole days are read as days.
func (s Analytics) Values(ctx context.Context, by tenants.Split, from, to time.Time) ([]tenants.ValueCounts, error) {
	start, end := floor(micros(from), hour), until(to)
	first, last := floor(start+dayLength-hour, dayLength), floor(end, dayLength)
	if end == math.MaxInt64 {
		last = floor(micros(s.s.now()), dayLength) // nothing is placed later
	}
	type span struct{ length, from, to int64 }
	spans := []span{{hourSpan, start, end}}
	if first < last {
		spans = []span{{daySpan, first, last}, {hourSpan, start, first}, {hourSpan, last, end}}
	}
	text, args := "", []any{}
	for _, p := range spans {
		if p.from >= p.to {
			continue
		}
		if text != "" {
			text += " UNION ALL "
		}
		// The values come from days, of which there are few, so that the key leads to the rows.
		text += "SELECT value, " + countColumns + " FROM ring_counts WHERE tenant_id = ? AND span = ? AND split = ? AND value IN " +
			"(SELECT DISTINCT value FROM ring_counts WHERE tenant_id = ? AND span = ? AND split = ? AND at >= ? AND at < ?) " +
			"AND at >= ? AND at < ?"
		args = append(args, uuid(s.id), p.length, string(by), uuid(s.id), daySpan, string(by), floor(p.from, dayLength), p.to, p.from, p.to)
	}
	if text == "" {
		return nil, nil
	}
	rows, err := s.reads().scan(ctx, "SELECT value, "+summed+" FROM ("+text+") spans GROUP BY value ORDER BY 2 DESC, value LIMIT ?",
		append(args, valuesMost)...)
	found, err := collect(rows, err, func(r *tenants.ValueCounts) []any { return append([]any{&r.Value}, countFields(&r.Counts)...) })
	return found, translate(err)
}

// StepTimes are how long a step took in the hours of [from, to); with days, by days of UTC. See
// tenants.Split.Timed for the cuts that are timed; of them only waking and answering.
func (s Analytics) StepTimes(ctx context.Context, cut tenants.Cut, fact tenants.FactKind, from, to time.Time, days bool) (
	[]tenants.HourTimes, error) {
	text := "SELECT at, bucket, n FROM step_times WHERE tenant_id = ? AND span = ? AND split = ? AND value = ? AND fact = ? " +
		"AND at >= ? AND at < ? ORDER BY at, bucket"
	args := []any{uuid(s.id), hourSpan, string(cut.By), cut.Value, string(fact), floor(micros(from), hour), until(to)}
	switch {
	case days && cut.By != "":
		args[1], args[5] = daySpan, floor(micros(from), dayLength)
	case days:
		text = "SELECT day, bucket, n FROM tally_days WHERE tenant_id = ? AND day >= ? AND day < ? AND fact = ? AND bucket >= 0 " +
			"ORDER BY day, bucket"
		args = []any{uuid(s.id), floor(micros(from), dayLength), until(to), string(fact)}
	}
	type row struct {
		at, n  int64
		bucket int
	}
	rows, err := s.reads().scan(ctx, text, args...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.bucket, &r.n} })
	var out []tenants.HourTimes
	for _, r := range found {
		if last := len(out) - 1; last < 0 || micros(out[last].At) != r.at {
			out = append(out, tenants.HourTimes{At: moment(r.at), Buckets: map[int]int64{}})
		}
		out[len(out)-1].Buckets[r.bucket] = r.n
	}
	return out, translate(err)
}
