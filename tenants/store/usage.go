package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// dayLength is a day of usage, UTC.
const dayLength = 24 * int64(time.Hour/time.Microsecond)

// meter counts the rings among new facts that Apple accepted: each ring once, test rings and tenants without a subscription never.
// It runs in the roller's transaction, so that a ring is counted exactly once, and no ring waits for it.
func (t *tx) meter(s *Store, facts []newFact) error {
	subs := map[uuid]*tenants.Subscription{}
	counts, totals := map[usageCell]int64{}, map[total]int64{}
	for i := range facts {
		f := &facts[i]
		if f.kind != string(tenants.FactAccepted) || f.test || f.ring == "" {
			continue
		}
		sub, err := t.buyer(s, f.tenant, subs)
		if err != nil {
			return err
		}
		if sub == nil {
			continue
		}
		from, _ := sub.Month(moment(f.at))
		covered, err := t.covered(s, *sub, from, totals)
		if err != nil {
			return err
		}
		reported := int64(-1)
		if covered && sub.Customer != "" && sub.Live() {
			reported = 0
		}
		n, err := t.change("INSERT INTO metered (tenant_id, ring_id, at, reported_at) VALUES (?, ?, ?, ?) ON CONFLICT (tenant_id, ring_id) DO NOTHING",
			f.tenant, f.ring, f.at, reported)
		if err != nil {
			return err
		}
		if n > 0 {
			totals[total{f.tenant, micros(from)}]++
			counts[usageCell{f.tenant, micros(from), floor(f.at, dayLength)}]++
		}
	}
	return t.addUsage(counts)
}

// buyer is the tenant's subscription, nil without one, read once for a turn of the roller.
func (t *tx) buyer(s *Store, tenant uuid, seen map[uuid]*tenants.Subscription) (*tenants.Subscription, error) {
	if sub, ok := seen[tenant]; ok {
		return sub, nil
	}
	seen[tenant] = nil
	found, ok, err := s.For(tenants.TenantID(tenant)).subscription(context.Background(), t, "")
	if ok {
		seen[tenant] = &found
	}
	return seen[tenant], err
}

// usageCell is a key of usage.
type usageCell struct {
	tenant      uuid
	period, day int64
}

func (t *tx) addUsage(counts map[usageCell]int64) error {
	for c, n := range counts {
		_, err := t.exec("INSERT INTO usage (tenant_id, period, day, rings) VALUES (?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id, period, day) DO UPDATE SET rings = usage.rings + excluded.rings", c.tenant, c.period, c.day, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// total names a month of usage of a tenant.
type total struct {
	tenant uuid
	period int64
}

// covered reports whether a ring more is one that Stripe's meter is to hear of: within the plan, or past it with overage on. The few
// rings that slip past a limit before it is noticed cost nobody anything. totals remembers what was read.
func (t *tx) covered(s *Store, sub tenants.Subscription, from time.Time, totals map[total]int64) (bool, error) {
	k := total{uuid(sub.Tenant), micros(from)}
	used, ok := totals[k]
	if !ok {
		var err error
		if used, err = s.For(sub.Tenant).used(context.Background(), t, from); err != nil {
			return false, err
		}
		totals[k] = used
	}
	most := s.plan(sub.Plan).Rings
	return sub.Overage || most == 0 || used < most, nil
}

// UsageDay is the rings that counted on a day, UTC.
type UsageDay struct {
	Day   time.Time
	Rings int64
}

// UsageDays lists the days in [from, to) on which rings counted, in order.
func (s *Scope) UsageDays(ctx context.Context, from, to time.Time) ([]UsageDay, error) {
	type row struct{ day, rings int64 }
	rows, err := s.reads().scan(ctx, "SELECT day, CAST(SUM(rings) AS BIGINT) FROM usage WHERE tenant_id = ? AND day >= ? AND day < ? GROUP BY day ORDER BY day",
		uuid(s.id), floor(micros(from), dayLength), until(to))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.day, &r.rings} })
	return nouns(found, func(r row) UsageDay { return UsageDay{Day: moment(r.day), Rings: r.rings} }), translate(err)
}

// Metered is a ring that Stripe's meter is still to hear of.
type Metered struct {
	Tenant   tenants.TenantID
	Ring     tenants.RingID
	Customer string
	At       time.Time
}

// Unreported lists, of every tenant, the oldest rings that Stripe's meter has not heard of.
func (s *Store) Unreported(ctx context.Context, limit int) ([]Metered, error) {
	type row struct {
		tenant, ring uuid
		customer     string
		at           int64
	}
	rows, err := s.db.through(wholeHouse).query(ctx, "SELECT m.tenant_id, m.ring_id, s.customer, m.at FROM metered m JOIN subscriptions s ON s.tenant_id = m.tenant_id "+
		"WHERE m.reported_at = 0 AND s.customer <> '' ORDER BY m.at LIMIT ?", limit)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.ring, &r.customer, &r.at} })
	return nouns(found, func(r row) Metered {
		return Metered{tenants.TenantID(r.tenant), tenants.RingID(r.ring), r.customer, moment(r.at)}
	}), translate(err)
}

// Reported notes that Stripe's meter has heard of the rings.
func (s *Store) Reported(ctx context.Context, rings []Metered) error {
	at := micros(s.now())
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		for _, m := range rings {
			if _, err := t.exec("UPDATE metered SET reported_at = ? WHERE tenant_id = ? AND ring_id = ?", at, uuid(m.Tenant), uuid(m.Ring)); err != nil {
				return err
			}
		}
		return nil
	})
}
