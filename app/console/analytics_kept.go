package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"carillon/app/page"
	"carillon/tenants"
)

// hoursKept keeps the hours of long spans that are over, so that a page that is looked at again
// reads only what is new.
type hoursKept struct {
	now  func() time.Time
	kept table[hoursKey, keptHours]
	long table[hoursKey, keptHours] // of more than monthHours
}

// What bounds the spans that are kept, of all tenants: a month of hours takes about 80 KB, a year
// 0.9 MB.
const (
	mostHoursKept = 512
	mostLongKept  = 64
	monthHours    = 40 * 24 * time.Hour
)

// keptFor is how long hours that are over are kept: facts come late, and nobody says which hours
// they change. All that is kept is read again at the same moments, so that a page does not know of
// such a fact in one panel only.
const keptFor = 10 * time.Minute

// asOf says since when what is read now may be kept.
func asOf(now time.Time) time.Time { return now.Truncate(keptFor) }

type hoursKey struct {
	tenant tenants.TenantID
	cut    tenants.Cut
	from   int64
}

// keptFrom is how long a span is that is kept.
const keptFrom = 6 * 24 * time.Hour

// keptHours are the hours before cut.
type keptHours struct {
	mu   sync.Mutex // guards the rest
	old  []tenants.HourCounts
	cut  time.Time
	read time.Time // see asOf
}

// of reads the hours in [from, to).
func (h *hoursKept) of(ctx context.Context, v *page.Visitor, cut tenants.Cut, from, to time.Time) ([]tenants.HourCounts, error) {
	s := v.Scope.Analytics()
	now := h.now()
	over := now.Add(-freshHours).Truncate(time.Hour)
	if to.Sub(from) < keptFrom || !from.Before(over) {
		return s.Hours(ctx, cut, from, to)
	}
	kept := &h.kept
	if to.Sub(from) > monthHours {
		kept = &h.long
	}
	e := kept.entry(hoursKey{v.Tenant.ID, cut, from.Unix()})
	e.mu.Lock()
	defer e.mu.Unlock()
	if end := minTime(to, over); !e.cut.Equal(end) || !e.read.Equal(asOf(now)) {
		old, err := s.Hours(ctx, cut, from, end)
		if err != nil {
			return nil, err
		}
		e.old, e.cut, e.read = old, end, asOf(now)
	}
	if !over.Before(to) {
		return e.old, nil
	}
	fresh, err := s.Hours(ctx, cut, over, to)
	return append(slices.Clip(e.old), fresh...), err
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
