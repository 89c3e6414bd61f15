package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// claimed bounds the tenants of one claim.
const claimed = 50

// How long what was counted or done is remembered, so that it is not counted or done again.
const (
	meteredFor        = 40 * 24 * time.Hour // Stripe takes no report of a ring after 35 days
	providerTokensFor = 24 * time.Hour      // Apple takes one for an hour
	eventsFor         = 90 * 24 * time.Hour // Stripe lists events for 30 days
)

// Jobs is the work of the background loops. It looks across all tenants.
type Jobs struct{ *core }

// Jobs returns the Jobs of all tenants.
func (s *Store) Jobs() Jobs { return Jobs{&s.core} }

// Unreported lists, of every tenant, the oldest rings that Stripe's meter has not heard of.
func (s Jobs) Unreported(ctx context.Context, limit int) ([]Metered, error) {
	type row struct {
		tenant, ring uuid
		customer     string
		at           int64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT m.tenant_id, m.ring_id, s.customer, m.at FROM metered m JOIN subscriptions s "+
		"ON s.tenant_id = m.tenant_id "+
		"WHERE m.reported_at = 0 AND s.customer <> '' ORDER BY m.at LIMIT ?", limit)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.ring, &r.customer, &r.at} })
	return nouns(found, func(r row) Metered {
		return Metered{tenants.TenantID(r.tenant), tenants.RingID(r.ring), r.customer, moment(r.at)}
	}), translate(err)
}

// Reported notes that Stripe's meter has heard of the rings.
func (s Jobs) Reported(ctx context.Context, rings []Metered) error {
	at := micros(s.now())
	return s.w.do(ctx, allTenants, func(t *tx) error {
		for _, m := range rings {
			if _, err := t.exec("UPDATE metered SET reported_at = ? WHERE tenant_id = ? AND ring_id = ?", at, uuid(m.Tenant),
				uuid(m.Ring)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Roll folds up to limit new facts of every tenant into the tallies and says how many. It reads
// outside of the writer, so that rings do not wait for it, and writes only if the cursor is still
// where it began: two rollers never count a fact twice.
func (s Jobs) Roll(ctx context.Context, limit int) (rolled int, err error) {
	c := s.cursor("tallies")
	from, more, err := c.at(ctx)
	if err != nil || !more {
		return 0, err
	}
	facts, here := s.w.recent.after(from.seq, limit)
	if !here {
		facts, err = s.fresh(ctx, from, limit)
	}
	if err != nil || len(facts) == 0 {
		return 0, err
	}
	cells := map[cell]int64{}
	for i := range facts {
		facts[i].count(cells)
	}
	counts := countsOf(facts)
	last := facts[len(facts)-1]
	moved := false
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		moved, err = c.move(t, from, last.place)
		if err != nil || !moved {
			return err
		}
		if err := t.tallies().count(cells); err != nil {
			return err
		}
		if err := t.tallies().countDays(cells); err != nil {
			return err
		}
		if err := t.tallies().countKeys(cells); err != nil {
			return err
		}
		if err := t.tallies().countOutcomes(facts); err != nil {
			return err
		}
		if err := t.tallies().countRings(counts); err != nil {
			return err
		}
		return t.tallies().meter(s.core, facts)
	})
	if err != nil || !moved {
		return 0, err
	}
	s.w.recent.forget(last.seq)
	return len(facts), nil
}

// Retire removes a little of what has been kept long enough, of each tenant, and says how many
// rings, notes, recordings, hours of counts, alerts, revoked keys and disabled devices that was:
// call it until that is nothing, with a breath between, so that rings never wait for it. Each
// tenant's part is a commit of its own.
func (s Jobs) Retire(ctx context.Context, now time.Time) (removed int, err error) {
	all, err := Tenants(s).List(ctx)
	if err != nil {
		return 0, err
	}
	first, err := Months(s).firstOfRings(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		rules, scope := t.Rules(), s.of(t.ID)
		n, err := scope.retire(ctx, now, rules, Months(s).retired(now, rules, first))
		if removed += n; err != nil {
			return removed, err
		}
		if n, err = scope.retireAudits(ctx, now, rules); err != nil {
			return removed + n, err
		}
		removed += n
		if n, err = (Deliveries{scope}).retire(ctx, now); err != nil {
			return removed + n, err
		}
		removed += n
	}
	return removed, nil
}

// DueAlerts claims the open alerts whose people are still to be written to, of some tenants and
// ordered by tenant, by moving their moment to now + lease: nobody else gets them before that, and
// if this process dies they come back then.
func (s Jobs) DueAlerts(ctx context.Context, now time.Time, lease time.Duration) (alerts []tenants.Alert, err error) {
	const due = " FROM alerts WHERE tell_at <> 0 AND tell_at <= ? AND resolved_at = 0"
	rows, err := s.db.through(allTenants).query(ctx, "SELECT DISTINCT tenant_id"+due+" ORDER BY tenant_id LIMIT ?", micros(now), claimed)
	ids, err := collect(rows, err, func(id *tenants.TenantID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return nil, translate(err)
	}
	args := append([]any{micros(now.Add(lease)), micros(now)}, some(ids[0], ids)[1:]...)
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		rows, err := t.query(context.Background(),
			"UPDATE alerts SET tell_at = ? WHERE (tenant_id, kind, target) IN (SELECT tenant_id, kind, "+
				"target"+
				due+" AND tenant_id IN ("+marks(len(ids))+")"+s.db.dialect.holdFree()+") RETURNING "+alertColumns, args...)
		found, err := collect(rows, err, (*alertRow).fields)
		alerts = nouns(found, alertRow.noun)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(alerts, func(a, b tenants.Alert) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), a.FirstAt.Compare(b.FirstAt),
			strings.Compare(string(a.Kind)+a.Target, string(b.Kind)+b.Target))
	})
	return alerts, nil
}

// Forget removes what has had its time, of every tenant: idempotency keys after 24 hours, and
// pairings, invitations and sign-ins that have expired, those of partners too, and sign-ups that
// nobody confirmed; counted rings and Stripe's messages when nobody can bring them again.
func (s Jobs) Forget(ctx context.Context, now time.Time) error {
	at := micros(now)
	return s.w.do(ctx, allTenants, func(t *tx) error {
		for _, c := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM idempotency WHERE created_at <= ?", []any{micros(now.Add(-idempotencyFor))}},
			{"DELETE FROM pairings WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM oidc_starts WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM invitations WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM signups WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM password_resets WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM email_changes WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM half_sign_ins WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM passkey_challenges WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM operator_links WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM operator_sign_ins WHERE expires_at <= ? OR idle_at <= ?", []any{at, at}},
			{"DELETE FROM device_paces WHERE free_at <= ?", []any{micros(now.Add(-time.Hour))}},
			{"DELETE FROM provider_tokens WHERE issued_at <= ?", []any{micros(now.Add(-providerTokensFor))}},
			{"DELETE FROM digests WHERE sent_at <= ?", []any{micros(now.Add(-digestsFor))}},
			{"DELETE FROM partner_links WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM partner_sign_ins WHERE expires_at <= ?", []any{at}},
			{"DELETE FROM metered WHERE at <= ? AND reported_at <> 0", []any{micros(now.Add(-meteredFor))}},
			{"DELETE FROM stripe_events WHERE received_at <= ? AND done_at <> 0", []any{micros(now.Add(-eventsFor))}},
			{"DELETE FROM sign_ins WHERE expires_at <= ? OR (idle_at <> 0 AND idle_at <= ?)", []any{at, at}},
		} {
			if _, err := t.exec(c.query, c.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
