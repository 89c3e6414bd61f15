package store

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// newFact is a fact behind the cursor. before and after are when the hops before and after it
// happened, if they were recorded before it was: the latency of a hop is counted once, at whichever
// of its two facts is recorded later.
type newFact struct {
	place
	tenant, ring, attempt uuid
	kind                  string
	at                    int64
	detail                string
	*attemptInfo          // shared with other facts of the attempt, and never changed
	before, after         sql.NullInt64
	first                 bool   // no other phone of the ring took this hop before
	heard                 bool   // the attempt's phone had sent a sound before
	outcome               string // how the ring ended, if this is the fact that ended it
}

// attemptInfo is what is counted of an attempt and its ring; the zero value is that of a ring that
// is gone.
type attemptInfo struct {
	there                bool
	environment, app, os string
	agent, key           uuid // key: which placed the ring
	person               bool // rung on each phone of a person
	test                 bool
	placed, expires      int64 // when the ring was placed, and when its time was up
	state                string
	endedBy              int64 // seq of the fact that ended the ring; 0 = none
}

func (a *attemptInfo) fields() []any {
	return []any{&a.there, &a.environment, &a.app, &a.os, &a.agent, &a.key, &a.person, &a.test, &a.placed, &a.expires, &a.state, &a.endedBy}
}

// talliedColumns are the fields of an attemptInfo. What ended a ring was learnt when it ended; of
// several such, the last one counts.
const talliedColumns = "r.id IS NOT NULL, COALESCE(a.environment, ''), COALESCE(a.app_version, ''), COALESCE(a.os_version, ''), " +
	"r.agent_id, CASE WHEN r.by_kind = 'key' THEN r.by_id END, " +
	"COALESCE(r.to_person, '') <> '' OR COALESCE(r.to_name, '') <> '', " +
	"COALESCE(r.test, FALSE), COALESCE(r.created_at, 0), COALESCE(r.expires_at, 0), " +
	"COALESCE(r.state, ''), CASE WHEN r.ended_at <> 0 THEN COALESCE((SELECT l.seq FROM facts l WHERE l.tenant_id = r.tenant_id AND " +
	"l.ring_id = r.id " +
	"AND l.received_at = r.ended_at AND l.kind IN (" + endings + ") ORDER BY l.xact DESC, l.seq DESC LIMIT 1), 0) ELSE 0 END"

// Buckets of what is counted and not timed: each attempt that took the hop, and each ring once,
// where the first of its phones took it.
const (
	counted     = -1
	ringCounted = -2
)

// endings are the facts that can end a ring, as SQL.
const endings = "'refused', 'failed_to_show', 'silenced', 'busy', 'declined', 'cancelled', 'expired', 'hung_up', 'broken'"

// cell is a key of tallies and of key_tallies.
type cell struct {
	tenant, agent              uuid
	key                        uuid // which key_tallies has, and tallies has not
	fact, environment, app, os string
	hour                       int64
	bucket                     int
}

const hour = int64(time.Hour / time.Microsecond)

// fresh reads the next facts in order. Each attempt and ring is read once, and what was recorded
// earlier only where it can matter: a ring to one device whose first fact is among these has no
// earlier one. A fact whose ring is gone still counts, so that it does not stop the roller.
func (s *core) fresh(ctx context.Context, from place, limit int) ([]newFact, error) {
	past, order, args := s.db.dialect.behind(from)
	rows, err := s.db.through(allTenants).scan(ctx, "SELECT f.xact, f.seq, f.tenant_id, f.ring_id, f.attempt_id, f.kind, f.at, f.detail, "+
		""+talliedColumns+
		" FROM (SELECT xact, seq, tenant_id, ring_id, attempt_id, kind, at, detail, CASE WHEN kind = 'placed' THEN ring_id END AS begun "+
		"FROM facts WHERE "+past+" ORDER BY "+order+" LIMIT ?) f "+
		"LEFT JOIN attempts a ON a.tenant_id = f.tenant_id AND a.ring_id = f.begun AND a.id = f.attempt_id "+
		"LEFT JOIN rings r ON r.tenant_id = f.tenant_id AND r.id = f.begun", append(args, limit)...)
	found, err := collect(rows, err, func(f *newFact) []any {
		f.attemptInfo = &attemptInfo{}
		return append([]any{&f.xact, &f.seq, &f.tenant, &f.ring, &f.attempt, &f.kind, &f.at, &f.detail}, f.attemptInfo.fields()...)
	})
	if err != nil {
		return nil, translate(err)
	}
	slices.SortFunc(found, func(a, b newFact) int { return cmp.Or(cmp.Compare(a.xact, b.xact), cmp.Compare(a.seq, b.seq)) })
	h := newHistory()
	for i := range found {
		if f := &found[i]; f.kind == string(tenants.FactPlaced) {
			h.attempts[f.attemptName()] = f.attemptInfo
		}
	}
	if err := s.earlier(ctx, from, h, h.lacking(found)); err != nil {
		return nil, translate(err)
	}
	for i := range found {
		h.complete(&found[i])
	}
	return found, nil
}

type (
	ringName    struct{ tenant, ring uuid }
	attemptName struct {
		ringName
		attempt uuid
	}
	factName struct {
		attemptName
		kind string
	}
	stepName struct {
		ringName
		kind string
	}
)

func (f *newFact) attemptName() attemptName {
	return attemptName{ringName{f.tenant, f.ring}, f.attempt}
}

// history is what is known of the rings of new facts.
type history struct {
	attempts map[attemptName]*attemptInfo
	facts    map[factName]int64 // when it happened
	steps    map[stepName]bool  // of rings to a person: taken by one of the phones
	hops     map[string][2]string
}

func newHistory() *history {
	h := &history{attempts: map[attemptName]*attemptInfo{}, facts: map[factName]int64{}, steps: map[stepName]bool{},
		hops: map[string][2]string{}}
	for _, hop := range tenants.Hops { // a chain: there is at most one before and one after
		if hop.From == "" {
			continue
		}
		from, to := h.hops[string(hop.From)], h.hops[string(hop.Fact)]
		from[1], to[0] = string(hop.Fact), string(hop.From)
		h.hops[string(hop.From)], h.hops[string(hop.Fact)] = from, to
	}
	return h
}

// lacking are the rings of which the new facts do not hold everything.
func (h *history) lacking(found []newFact) (rings []ringName) {
	seen := map[ringName]bool{}
	for i := range found {
		name := found[i].attemptName()
		if info, ok := h.attempts[name]; ok && !info.person || seen[name.ringName] {
			continue
		}
		seen[name.ringName] = true
		rings = append(rings, name.ringName)
	}
	return rings
}

// complete fills in what the fact's row does not say, and takes it into the history of those behind
// it.
func (h *history) complete(f *newFact) {
	name := f.attemptName()
	f.attemptInfo = h.of(name)
	if !f.there {
		f.ring = ""
	}
	if f.endedBy == f.seq {
		f.outcome = f.state
	}
	hops := h.hops[f.kind]
	f.before, f.after = h.when(name, hops[0]), h.when(name, hops[1])
	f.heard = h.when(name, string(tenants.FactConnected)).Valid
	step := stepName{name.ringName, f.kind}
	f.first = !f.person || !h.steps[step]
	h.add(name, f.kind, f.at, f.person)
}

// of is what is counted of an attempt; nothing where its ring is gone.
func (h *history) of(a attemptName) *attemptInfo {
	if info := h.attempts[a]; info != nil {
		return info
	}
	return &attemptInfo{}
}

func (h *history) add(a attemptName, kind string, at int64, person bool) {
	if _, ok := h.hops[kind]; ok {
		h.facts[factName{a, kind}] = at
	}
	if person {
		h.steps[stepName{a.ringName, kind}] = true
	}
}

func (h *history) when(a attemptName, kind string) sql.NullInt64 {
	if kind == "" {
		return sql.NullInt64{}
	}
	at, ok := h.facts[factName{a, kind}]
	return sql.NullInt64{Int64: at, Valid: ok}
}

// earlier reads rings' attempts and the facts up to a place.
func (s *core) earlier(ctx context.Context, upTo place, h *history, rings []ringName) error {
	for len(rings) > 0 {
		some := rings[:min(len(rings), sizes[0])]
		rings = rings[len(some):]
		if err := s.attemptsOf(ctx, h, some); err != nil {
			return err
		}
		type row struct {
			attemptName
			place
			kind string
			at   int64
		}
		where, args := s.db.dialect.namedRings("f.tenant_id", "f.ring_id", some)
		rows, err := s.db.through(allTenants).scan(ctx,
			"SELECT f.tenant_id, f.ring_id, f.attempt_id, f.xact, f.seq, f.kind, f.at FROM facts "+
				"f WHERE "+where, args...)
		found, err := collect(rows, err, func(r *row) []any {
			return []any{&r.tenant, &r.ring, &r.attempt, &r.xact, &r.seq, &r.kind,
				&r.at}
		})
		if err != nil {
			return err
		}
		for _, r := range found {
			if !upTo.before(r.xact, r.seq) {
				h.add(r.attemptName, r.kind, r.at, h.of(r.attemptName).person)
			}
		}
	}
	return nil
}

func (s *core) attemptsOf(ctx context.Context, h *history, rings []ringName) error {
	type row struct {
		attemptName
		attemptInfo
	}
	where, args := s.db.dialect.namedRings("r.tenant_id", "r.id", rings)
	within, ends := s.db.dialect.within("a.ring_id", rings)
	rows, err := s.db.through(allTenants).scan(ctx, "SELECT a.tenant_id, a.ring_id, a.id, "+talliedColumns+
		" FROM rings r JOIN attempts a ON a.tenant_id = r.tenant_id AND a.ring_id = r.id WHERE "+where+within, append(args, ends...)...)
	found, err := collect(rows, err, func(r *row) []any {
		return append([]any{&r.tenant, &r.ring, &r.attempt}, r.attemptInfo.fields()...)
	})
	for i := range found {
		h.attempts[found[i].attemptName] = &found[i].attemptInfo
	}
	return err
}

// namedRings is the condition of some rings. The last is repeated up to a length of batch.sizes, so
// that few statements are prepared. PostgreSQL plans a list in a tenth of the time of an OR.
func (d dialect) namedRings(tenant, ring string, rings []ringName) (where string, args []any) {
	n := sizeFor(len(rings))
	for i := range n {
		r := rings[min(i, len(rings)-1)]
		args = append(args, r.tenant, r.ring)
	}
	if n > 1 && d.splitsMonths() {
		within, ends := d.within(ring, rings)
		return "(" + tenant + ", " + ring + ") IN (VALUES (CAST(? AS UUID), CAST(? AS UUID))" + strings.Repeat(", (?, ?)", n-1) +
			")" + within, append(args, ends...)
	}
	one := "(" + tenant + " = ? AND " + ring + " = ?)"
	return one + strings.Repeat(" OR "+one, n-1), args
}

// within is the condition that a column is among the ids from the first of some rings to the last,
// with its arguments. Other conditions say it already, but not so that PostgreSQL knows, before it
// plans, that it needs only the tables of a month or two.
func (d dialect) within(column string, rings []ringName) (condition string, args []any) {
	if !d.splitsMonths() {
		return "", nil
	}
	low, high := rings[0].ring, rings[0].ring
	for _, r := range rings {
		low, high = min(low, r.ring), max(high, r.ring)
	}
	return " AND " + column + " >= ? AND " + column + " <= ?", []any{low, high}
}

// namedAttempts is namedRings for attempts, in their own table.
func (d dialect) namedAttempts(attempts []attemptName) (where string, args []any) {
	n := sizeFor(len(attempts))
	for i := range n {
		a := attempts[min(i, len(attempts)-1)]
		args = append(args, a.tenant, a.ring, a.attempt)
	}
	if n > 1 && d.splitsMonths() {
		within, ends := d.within("ring_id", ringsIn(attempts))
		return "(tenant_id, ring_id, id) IN (VALUES (CAST(? AS UUID), CAST(? AS UUID), CAST(? AS UUID))" +
			strings.Repeat(", (?, ?, ?)", n-1) + ")" + within, append(args, ends...)
	}
	const one = "(tenant_id = ? AND ring_id = ? AND id = ?)"
	return one + strings.Repeat(" OR "+one, n-1), args
}

// ringsIn are the rings of attempts.
func ringsIn(attempts []attemptName) []ringName {
	rings := make([]ringName, len(attempts))
	for i, a := range attempts {
		rings[i] = a.ringName
	}
	return rings
}

// sizeFor is the smallest length of batch.sizes that has room for n.
func sizeFor(n int) int {
	least := sizes[0]
	for _, size := range sizes {
		if size >= n {
			least = size
		}
	}
	return least
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
		tenant: f.tenant, fact: kind, environment: f.environment, app: f.app, os: f.os, agent: f.agent, key: f.key, hour: floor(at, hour),
		bucket: bucket,
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

// count adds the fact, and the latencies of the hops that are complete with it. A fact of no
// attempt is none of a phone.
func (f *newFact) count(cells map[cell]int64) {
	if f.attempt == "" {
		return
	}
	cells[f.cell(f.kind, f.at, counted)]++
	if f.first {
		cells[f.cell(f.kind, f.at, ringCounted)]++
	}
	f.steps(func(_ *newFact, kind string, at int64, bucket int) { cells[f.cell(kind, at, bucket)]++ })
}

// steps gives the steps that are complete with the fact: kind is the one at their end.
func (f *newFact) steps(timed func(f *newFact, kind string, at int64, bucket int)) {
	if f.before.Valid {
		timed(f, f.kind, f.at, tenants.Bucket(length(f.at-f.before.Int64)))
	}
	if !f.after.Valid {
		return
	}
	for _, h := range tenants.Hops {
		if string(h.From) == f.kind {
			timed(f, string(h.Fact), f.after.Int64, tenants.Bucket(length(f.after.Int64-f.at)))
		}
	}
}

// tallyTx is the writer's transaction as it counts new facts: tallies, outcomes and usage.
type tallyTx struct{ *tx }

func (t *tx) tallies() tallyTx { return tallyTx{t} }

func (t tallyTx) count(cells map[cell]int64) error {
	keyless := make(map[cell]int64, len(cells))
	for c, n := range cells {
		c.key = ""
		keyless[c] += n
	}
	b := newBatch("tallies", "tenant_id", "hour", "fact", "environment", "app_version", "os_version", "agent_id", "bucket", "n")
	b.expect(len(keyless))
	for c, n := range keyless {
		b.add(c.tenant, c.hour, c.fact, c.environment, c.app, c.os, c.agent, c.bucket, n)
	}
	t.wrote = true
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, fact, environment, app_version, os_version, agent_id, bucket) "+
			"DO UPDATE SET n = tallies.n + excluded.n", args)
		return err
	})
}

type tallyRow struct {
	Hour                                     int64
	Fact, Environment, AppVersion, OSVersion string
	AgentID                                  uuid
	Bucket                                   int
	N                                        int64
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
