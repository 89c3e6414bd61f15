package console

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"carillon/tenants"
)

// timesKept keeps how long a step took in the hours that are over, added up by the columns of a
// chart: a month of hours has forty thousand rows, of which thirty columns are shown.
type timesKept struct {
	now  func() time.Time
	kept table[timesKey, keptTimes]
}

// mostTimesKept bounds the charts that are kept, of all tenants: one takes up to about 0.2 MB.
const mostTimesKept = 256

type timesKey struct {
	tenant tenants.TenantID
	cut    tenants.Cut
	fact   tenants.FactKind
	step   string
	zone   string
	from   int64
	to     int64 // of chosen dates; 0 = now
}

// keptTimes are those before cut.
type keptTimes struct {
	mu   sync.Mutex      // guards the rest
	old  []map[int]int64 // by column; the maps are read only
	cut  time.Time
	read time.Time // see asOf
}

// columnTimes is how often a step took how long, by the columns of a chart: buckets as of
// tenants.Percentile.
type columnTimes []map[int]int64

// add adds what was counted in [from, to). The maps of the columns from which on it adds become its
// own.
func (c *columnTimes) add(ctx context.Context, a *analytics, from, to time.Time) error {
	found, err := a.v.Scope.Analytics().StepTimes(ctx, a.cut, a.hop.Fact, from, to, a.days)
	own := map[int]bool{}
	for _, h := range found {
		i := max(0, columnOf(a.span.starts, h.At))
		for len(*c) <= i {
			*c = append(*c, nil)
		}
		if !own[i] {
			if own[i], (*c)[i] = true, maps.Clone((*c)[i]); (*c)[i] == nil {
				(*c)[i] = map[int]int64{}
			}
		}
		for b, n := range h.Buckets {
			(*c)[i][b] += n
		}
	}
	return err
}

// of reads the times of the chart.
func (t *timesKept) of(ctx context.Context, a *analytics) (out columnTimes, err error) {
	from, to := a.span.from, a.span.to
	now := t.now()
	over := now.Add(-freshHours).Truncate(time.Hour)
	if a.days {
		over = over.UTC().Truncate(24 * time.Hour)
	}
	if to.Sub(from) < keptFrom || !from.Before(over) {
		err = out.add(ctx, a, from, to)
		return out, err
	}
	key := timesKey{tenant: a.v.Tenant.ID, cut: a.cut, fact: a.hop.Fact, step: a.span.step, zone: a.v.Zone.String(), from: from.Unix()}
	if to.Before(over) {
		key.to = to.Unix()
	}
	e := t.kept.entry(key)
	e.mu.Lock()
	defer e.mu.Unlock()
	if end := minTime(to, over); !e.cut.Equal(end) || !e.read.Equal(asOf(now)) {
		var old columnTimes
		if err := old.add(ctx, a, from, end); err != nil {
			return nil, err
		}
		e.old, e.cut, e.read = old, end, asOf(now)
	}
	out = slices.Clone(e.old)
	if over.Before(to) {
		err = out.add(ctx, a, over, to)
	}
	return out, err
}
