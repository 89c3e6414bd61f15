package console

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// figures keeps what was counted, so that a page that many look at is counted once. The hours that
// are over hardly change any more and are kept for an hour; what is fresh is counted again every
// few seconds.
type figures struct {
	now  func() time.Time
	kept table[figure, counted]
}

// figure names a count: how far it reaches and how it is grouped.
type figure struct {
	tenant tenants.TenantID
	back   time.Duration
	by     string
	zone   string // of days, where by is "day"
}

// counted is one count.
type counted struct {
	mu    sync.Mutex        // guards below
	old   []store.FunnelRow // of the hours before cut; read only
	cut   time.Time
	rows  []store.FunnelRow // of all; read only
	until time.Time         // when rows is stale
}

const (
	freshHours = 2 * time.Hour   // facts come late; older hours than these are called over
	freshFor   = 3 * time.Second // how old a figure may be
)

func newFigures(now func() time.Time) *figures {
	return &figures{now: now}
}

// of counts, or gives what was counted a moment ago.
func (f *figures) of(ctx context.Context, s *store.Scope, want figure) ([]store.FunnelRow, error) {
	c := f.kept.entry(want)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := f.now()
	if now.Before(c.until) {
		return c.rows, nil
	}
	cut := now.Add(-freshHours).Truncate(time.Hour)
	if !c.cut.Equal(cut) {
		old, err := want.count(ctx, s, now.Add(-want.back), cut)
		if err != nil {
			return nil, err
		}
		c.old, c.cut = old, cut
	}
	fresh, err := want.count(ctx, s, cut, time.Time{})
	if err != nil {
		return nil, err
	}
	c.rows, c.until = sum(c.old, fresh), now.Add(freshFor)
	return c.rows, nil
}

// dailyFacts are what pages show of each day.
var dailyFacts = []tenants.FactKind{tenants.FactPlaced, tenants.FactWoke, tenants.FactAnswered}

// count counts the hours of [from, to); by day, of dailyFacts only.
func (f figure) count(ctx context.Context, s *store.Scope, from, to time.Time) ([]store.FunnelRow, error) {
	if f.by != "day" {
		return s.Analytics().Funnel(ctx, from, to, f.by)
	}
	zone, err := time.LoadLocation(f.zone)
	if err != nil {
		return nil, err
	}
	return s.Analytics().FunnelByDay(ctx, from, to, zone, dailyFacts...)
}

// sum adds counts of different hours up.
func sum(all ...[]store.FunnelRow) []store.FunnelRow {
	type place struct {
		group string
		fact  tenants.FactKind
	}
	at := map[place]store.FunnelRow{}
	for _, rows := range all {
		for _, r := range rows {
			p := place{r.Group, r.Fact}
			have, ok := at[p]
			if !ok {
				have = store.FunnelRow{Group: r.Group, Fact: r.Fact, Buckets: map[int]int64{}}
			}
			have.N, have.Rings = have.N+r.N, have.Rings+r.Rings
			for b, n := range r.Buckets {
				have.Buckets[b] += n
			}
			at[p] = have
		}
	}
	return slices.SortedFunc(maps.Values(at), func(a, b store.FunnelRow) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Fact, b.Fact))
	})
}
