package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// dayLength is a day, UTC.
const dayLength = 24 * int64(time.Hour/time.Microsecond)

// meter counts the rings among new facts that Apple accepted: each ring once, test rings and
// tenants without a subscription never. It runs in the roller's transaction, so that a ring is
// counted exactly once, and no ring waits for it.
func (t tallyTx) meter(s *core, facts []newFact) error {
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
		n, err := t.change("INSERT INTO metered (tenant_id, ring_id, at, reported_at) VALUES (?, ?, ?, ?) ON CONFLICT (tenant_id, "+
			"ring_id) DO "+
			"NOTHING",
			f.tenant, f.ring, f.at, reported)
		if err != nil {
			return err
		}
		if n > 0 {
			totals[total{f.tenant, micros(from)}]++
			counts[usageCell{f.tenant, micros(from), floor(f.at, hour)}]++
		}
	}
	return t.addUsage(counts)
}

// buyer is the tenant's subscription, nil without one, read once for a turn of the roller.
func (t tallyTx) buyer(s *core, tenant uuid, seen map[uuid]*tenants.Subscription) (*tenants.Subscription, error) {
	if sub, ok := seen[tenant]; ok {
		return sub, nil
	}
	seen[tenant] = nil
	found, ok, err := s.of(tenants.TenantID(tenant)).subscription(context.Background(), t, "")
	if ok {
		seen[tenant] = &found
	}
	return seen[tenant], err
}

// usageCell is a key of usage.
type usageCell struct {
	tenant       uuid
	period, hour int64
}

func (t tallyTx) addUsage(counts map[usageCell]int64) error {
	for c, n := range counts {
		_, err := t.exec("INSERT INTO usage (tenant_id, period, hour, rings) VALUES (?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id, period, hour) DO UPDATE SET rings = usage.rings + excluded.rings", c.tenant, c.period, c.hour, n)
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

// covered reports whether one more ring must be reported to Stripe's meter: within the plan, or
// past it with overage on. The few rings that slip past a limit before it is noticed cost nobody
// anything. totals remembers what was read.
func (t tallyTx) covered(s *core, sub tenants.Subscription, from time.Time, totals map[total]int64) (bool, error) {
	k := total{uuid(sub.Tenant), micros(from)}
	used, ok := totals[k]
	if !ok {
		var err error
		if used, err = s.of(sub.Tenant).used(context.Background(), t, from); err != nil {
			return false, err
		}
		totals[k] = used
	}
	most := s.plan(sub.Plan).Rings
	return sub.Overage || most == 0 || used < most, nil
}

// UsageDay is the rings that counted on a day.
type UsageDay struct {
	Day   string // such as 2026-11-27
	Rings int64
}

// Metered is a ring that must still be reported to Stripe's meter.
type Metered struct {
	Tenant   tenants.TenantID
	Ring     tenants.RingID
	Customer string
	At       time.Time
}
