package store

import (
	"context"
	"strings"
	"time"

	"carillon/tenants"
)

// How long what happened is kept at most. Rings, notes and recordings are removed earlier where the
// tenant's rules say so, and notes and recordings also where its plan does. Audit rows are kept as
// long as the rules say; usage and the ledger are kept for ever. On PostgreSQL rings may be stored
// for longer than RingsKept, see Store.RingsMost.
const (
	RingsKept   = 400 * 24 * time.Hour // rings with attempts, facts and calls: a year, and time to compare with the one before
	TalliesKept = 760 * 24 * time.Hour // what is only counted: two years
	alertsFor   = 400 * 24 * time.Hour // after they were resolved
	revokedFor  = 90 * 24 * time.Hour  // keys, after they were revoked: rings and audit rows have their names
	revokedMost = 500                  // revoked keys of a tenant
	silentFor   = RingsKept            // devices that are disabled, after they were last seen
)

// retireMost bounds the rings of one removal, which holds the writer up for some milliseconds.
const retireMost = 100

// retireRecordings bounds the recordings of one removal: each has up to a thousand chunks.
const retireRecordings = 5

// past is what one removal takes.
type past struct {
	rings             []tenants.RingID
	facts             []tenants.RingID // of rings, those whose facts do not go with the table of their month
	keys              []tenants.KeyID
	devices           []tenants.DeviceID
	notes, recordings []tenants.RingID // rings without them from now on, as the plan says
	tallies, outcomes int64            // the hour to remove; 0 = none
	figures           int64            // the same
	spans             map[string]int64 // of ring_counts and step_times: the moment of a span to remove, by table and length
	alerts            int64
	requests          []tenants.KeyID // keys with requests that were kept long enough
}

func (p past) count() int {
	n := len(p.rings) + len(p.keys) + len(p.devices) + len(p.notes) + len(p.recordings) + len(p.requests) + int(p.alerts)
	if p.tallies != 0 {
		n++
	}
	if p.outcomes != 0 {
		n++
	}
	if p.figures != 0 {
		n++
	}
	return n + len(p.spans)
}

// retire removes what is past. Rings go before an id; see retired.
func (s *scope) retire(ctx context.Context, now time.Time, rules tenants.Rules, rings uuid) (removed int, err error) {
	p, err := s.past(ctx, now, rules, rings)
	if err != nil || p.count() == 0 {
		return 0, err
	}
	return p.count(), s.s.w.do(ctx, s.access(), func(t *tx) error {
		if len(p.rings) > 0 {
			if len(p.facts) > 0 {
				if _, err := t.exec("DELETE FROM facts WHERE tenant_id = ? AND ring_id IN ("+marks(len(p.facts))+")"+
					s.s.db.dialect.notNewest(), some(s.id, p.facts)...); err != nil {
					return err
				}
			}
			// Attempts, calls and how they sounded go with their ring.
			if _, err := t.exec("DELETE FROM rings WHERE tenant_id = ? AND id IN ("+marks(len(p.rings))+")",
				some(s.id, p.rings)...); err != nil {
				return err
			}
		}
		if len(p.keys) > 0 {
			if _, err := t.exec("DELETE FROM keys WHERE tenant_id = ? AND id IN ("+marks(len(p.keys))+")",
				some(s.id, p.keys)...); err != nil {
				return err
			}
		}
		if len(p.devices) > 0 { // one that was registered again meanwhile stays
			if _, err := t.exec("DELETE FROM devices WHERE tenant_id = ? AND id IN ("+marks(len(p.devices))+") AND state = 'disabled'",
				some(s.id, p.devices)...); err != nil {
				return err
			}
		}
		if len(p.notes) > 0 {
			if _, err := t.exec("DELETE FROM notes WHERE tenant_id = ? AND ring_id IN ("+marks(len(p.notes))+")",
				some(s.id, p.notes)...); err != nil {
				return err
			}
		}
		if len(p.recordings) > 0 { // their chunks go too
			if _, err := t.exec("DELETE FROM recordings WHERE tenant_id = ? AND ring_id IN ("+marks(len(p.recordings))+")",
				some(s.id, p.recordings)...); err != nil {
				return err
			}
		}
		if len(p.requests) > 0 {
			if _, err := t.exec("DELETE FROM key_requests WHERE tenant_id = ? AND key_id IN ("+marks(len(p.requests))+") AND at <= ?",
				append(some(s.id, p.requests), micros(requestsBefore(now, rules)))...); err != nil {
				return err
			}
		}
		for what, at := range p.spans {
			if _, err := t.exec("DELETE FROM "+what+" AND at = ? AND tenant_id = ?", at, uuid(s.id)); err != nil {
				return err
			}
		}
		for _, c := range []struct {
			query string
			value int64
			do    bool
		}{
			{"DELETE FROM tallies WHERE tenant_id = ? AND hour = ?", p.tallies, p.tallies != 0},
			{"DELETE FROM key_tallies WHERE tenant_id = ? AND hour = ?", p.tallies, p.tallies != 0},
			{"DELETE FROM outcomes WHERE tenant_id = ? AND hour = ?", p.outcomes, p.outcomes != 0},
			{"DELETE FROM call_figures WHERE tenant_id = ? AND hour = ?", p.figures, p.figures != 0},
			{"DELETE FROM alerts WHERE tenant_id = ? AND resolved_at <> 0 AND resolved_at <= ?", micros(now.Add(-alertsFor)),
				p.alerts != 0},
		} {
			if !c.do {
				continue
			}
			if _, err := t.exec(c.query, uuid(s.id), c.value); err != nil {
				return err
			}
		}
		if what := p.removal(); what != "" {
			return t.audit(s, "retention.remove", "", what)
		}
		return nil
	})
}

// sooner is the shorter of a time and the one that the rules give a kind of data; 0 is for ever.
func sooner(keep time.Duration, rules tenants.Rules, kind tenants.DataKind) time.Duration {
	rule := time.Duration(rules.Retention[kind]) * 24 * time.Hour
	if keep == 0 || rule > 0 && rule < keep {
		return rule
	}
	return keep
}

// requestsBefore is the moment up to which requests of keys are removed; zero = none are. Apart
// from that, each key keeps its newest tenants.KeyRequestsKept.
func requestsBefore(now time.Time, rules tenants.Rules) time.Time {
	keep := sooner(0, rules, tenants.DataRequests)
	if keep == 0 {
		return time.Time{}
	}
	return now.Add(-keep)
}

// removedNouns name what was removed because it had been kept long enough, in its audit row.
var removedNouns = []struct {
	kind      tenants.DataKind // empty = of no kind that a rule is about
	one, many string
	count     func(past) int
}{
	{tenants.DataRings, "ring", "rings", func(p past) int { return len(p.rings) }},
	{tenants.DataNotes, "call's notes", "calls' notes", func(p past) int { return len(p.notes) }},
	{tenants.DataRecordings, "recording", "recordings", func(p past) int { return len(p.recordings) }},
	{"", "device", "devices", func(p past) int { return len(p.devices) }},
	{tenants.DataRequests, "key's requests", "keys' requests", func(p past) int { return len(p.requests) }},
	{tenants.DataAudits, "audit entry", "audit entries", func(past) int { return 0 }}, // see retireAudits
}

// RemovedKind is the kind of data that a noun in the audit row of a removal is about.
func RemovedKind(noun string) tenants.DataKind {
	for _, n := range removedNouns {
		if noun == n.one || noun == n.many {
			return n.kind
		}
	}
	return ""
}

// removal says what was removed, for its audit row; "" where no person would ask.
func (p past) removal() string {
	var parts []string
	for _, n := range removedNouns {
		if count := n.count(p); count > 0 {
			parts = append(parts, quantity(int64(count), n.one, n.many))
		}
	}
	return strings.Join(parts, ", ")
}

// quantity is a number of things, with their noun for one and for many.
func quantity(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return tenants.FormatCount(n) + " " + many
}

// retireAuditsMost bounds the audit rows of one removal.
const retireAuditsMost = 1000

// retireAudits removes audit rows that were kept as long as the rules say, oldest first, once an
// anchor of the last of them is signed. The newest row stays: the next one is chained to it.
func (s *scope) retireAudits(ctx context.Context, now time.Time, rules tenants.Rules) (removed int, err error) {
	keep := sooner(0, rules, tenants.DataAudits)
	if keep == 0 || s.s.seal == nil {
		return 0, nil
	}
	p, err := (Audits{s}).Period(ctx, time.Time{}, now.Add(-keep))
	if err != nil {
		return 0, err
	}
	last, err := s.lastSeq(ctx)
	if err != nil {
		return 0, err
	}
	upto := min(p.Upto, p.After+retireAuditsMost, last-1)
	if upto <= p.After {
		return 0, nil
	}
	if err := s.sign(ctx, upto, true); err != nil {
		return 0, err
	}
	return int(upto - p.After), s.write(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM audits WHERE tenant_id = ? AND seq <= ?", uuid(s.id), upto); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM audit_heads WHERE tenant_id = ? AND seq < ?", uuid(s.id), upto); err != nil {
			return err
		}
		return t.audit(s, "retention.remove", "", tenants.FormatCount(upto-p.After)+" audit entries")
	})
}

// past looks for the tenant's oldest rows, outside of the writer and by indexes.
func (s *scope) past(ctx context.Context, now time.Time, rules tenants.Rules, before uuid) (p past, err error) {
	rows, err := s.reads().query(ctx, "SELECT id FROM rings WHERE tenant_id = ? AND id < ? AND due_at IS NULL ORDER BY id LIMIT ?",
		uuid(s.id), before, retireMost)
	if p.rings, err = collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} }); err != nil {
		return p, translate(err)
	}
	p.facts = p.rings
	if s.s.db.dialect.splitsMonths() && len(p.rings) > 0 && sooner(RingsKept, rules, tenants.DataRings) == RingsKept {
		if p.facts, err = s.outsideMonths(ctx, now, p.rings); err != nil {
			return p, err
		}
	}
	rows, err = s.reads().query(ctx, "SELECT id FROM keys WHERE tenant_id = ? AND revoked_at <> 0 AND (revoked_at <= ? OR revoked_at <= "+
		"(SELECT revoked_at FROM keys WHERE tenant_id = ? AND revoked_at <> 0 ORDER BY revoked_at DESC LIMIT 1 OFFSET ?)) LIMIT ?",
		uuid(s.id), micros(now.Add(-revokedFor)), uuid(s.id), revokedMost, retireMost)
	if p.keys, err = collect(rows, err, func(id *tenants.KeyID) []any { return []any{(*uuid)(id)} }); err != nil {
		return p, translate(err)
	}
	silent := micros(now.Add(-silentFor))
	rows, err = s.reads().query(ctx, "SELECT id FROM devices WHERE tenant_id = ? AND created_at <= ? AND state = 'disabled' "+
		"AND seen_at <= ? AND registered_at <= ? AND NOT EXISTS (SELECT 1 FROM "+s.s.db.dialect.rung()+" a "+
		"WHERE a.tenant_id = devices.tenant_id AND a.device_id = devices.id) LIMIT ?", uuid(s.id), silent, silent, silent, retireMost)
	if p.devices, err = collect(rows, err, func(id *tenants.DeviceID) []any { return []any{(*uuid)(id)} }); err != nil {
		return p, translate(err)
	}
	keep, err := s.retention(ctx)
	if err != nil {
		return p, err
	}
	if keep := sooner(keep, rules, tenants.DataNotes); keep > 0 {
		before := uuid(tenants.FirstID[tenants.RingID](now.Add(time.Microsecond - keep)))
		rows, err = s.reads().query(ctx, "SELECT ring_id FROM notes WHERE tenant_id = ? AND ring_id < ? ORDER BY ring_id LIMIT ?",
			uuid(s.id), before, retireMost)
		if p.notes, err = collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} }); err != nil {
			return p, translate(err)
		}
	}
	if keep := sooner(keep, rules, tenants.DataRecordings); keep > 0 {
		before := uuid(tenants.FirstID[tenants.RingID](now.Add(time.Microsecond - keep)))
		rows, err = s.reads().query(ctx, "SELECT ring_id FROM recordings WHERE tenant_id = ? AND ring_id < ? ORDER BY ring_id LIMIT ?",
			uuid(s.id), before, retireRecordings)
		if p.recordings, err = collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} }); err != nil {
			return p, translate(err)
		}
	}
	if before := requestsBefore(now, rules); !before.IsZero() { // a look into the index for each key
		rows, err = s.reads().query(ctx, "SELECT id FROM keys WHERE tenant_id = ? AND EXISTS (SELECT 1 FROM key_requests r "+
			"WHERE r.tenant_id = keys.tenant_id AND r.key_id = keys.id AND r.at <= ?) LIMIT ?", uuid(s.id), micros(before), retireMost)
		if p.requests, err = collect(rows, err, func(id *tenants.KeyID) []any { return []any{(*uuid)(id)} }); err != nil {
			return p, translate(err)
		}
	}
	for _, c := range []struct {
		query string
		limit int64
		to    *int64
	}{
		{"SELECT COALESCE(MIN(hour), 0) FROM tallies WHERE tenant_id = ? AND hour <= ?", micros(now.Add(-TalliesKept)), &p.tallies},
		{"SELECT COALESCE(MIN(hour), 0) FROM outcomes WHERE tenant_id = ? AND hour <= ?", micros(now.Add(-TalliesKept)), &p.outcomes},
		{"SELECT COALESCE(MIN(hour), 0) FROM call_figures WHERE tenant_id = ? AND hour <= ?", micros(now.Add(-TalliesKept)), &p.figures},
		{"SELECT COUNT(*) FROM alerts WHERE tenant_id = ? AND resolved_at <> 0 AND resolved_at <= ?", micros(now.Add(-alertsFor)),
			&p.alerts},
	} {
		rows, err := s.reads().query(ctx, c.query, uuid(s.id), c.limit)
		found, err := collect(rows, err, func(n *int64) []any { return []any{n} })
		if err != nil {
			return p, translate(err)
		}
		*c.to = found[0]
	}
	p.spans, err = s.pastSpans(ctx, now)
	return p, err
}

// pastSpans looks for the tenant's oldest counts by span.
func (s *scope) pastSpans(ctx context.Context, now time.Time) (map[string]int64, error) {
	out := map[string]int64{}
	for what, kept := range map[string]time.Duration{
		"ring_counts WHERE span = 300": slotsKept, "ring_counts WHERE span = 3600": TalliesKept,
		"ring_counts WHERE span = 86400": TalliesKept,
		"step_times WHERE span = 300":    slotsKept, "step_times WHERE span = 3600": TalliesKept,
		"step_times WHERE span = 86400": TalliesKept,
	} {
		at, err := one(s.reads().query(ctx, "SELECT COALESCE(MIN(at), 0) FROM "+what+" AND at <= ? AND tenant_id = ?",
			micros(now.Add(-kept)), uuid(s.id)))
		if err != nil {
			return nil, err
		}
		if at != 0 {
			out[what] = at
		}
	}
	return out, nil
}
