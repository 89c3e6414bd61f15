package api

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
	"carillon/tenants/store"
)

// funnel counts rings and attempts per hop, with the time from the hop before.
type funnel struct {
	From   string        `json:"from"`
	To     string        `json:"to"`
	By     string        `json:"by"`
	Groups []funnelGroup `json:"groups"`
}

type funnelGroup struct {
	Group string      `json:"group"`
	Hops  []funnelHop `json:"hops"`
}

type funnelHop struct {
	Hop   string   `json:"hop"`
	Rings int64    `json:"rings"`
	Count int64    `json:"count"`  // attempts
	P50   *float64 `json:"p50_ms"` // null where nothing was timed
	P95   *float64 `json:"p95_ms"`
	P99   *float64 `json:"p99_ms"`
}

// The longest spans, so that an answer stays small: a year, or a month by the hour.
const (
	maxSpan       = 366 * 24 * time.Hour
	maxSpanByHour = 31 * 24 * time.Hour
)

// span reads from and to. Facts are counted by the hour, so both are rounded out to whole hours, as
// the answer says.
func (a *API) span(f *filter, by string) (from, to time.Time) {
	from, to = f.time("from"), f.time("to")
	if to.IsZero() {
		to = a.Now().UTC()
	}
	if from.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	if end := to.Truncate(time.Hour); !end.Equal(to) {
		to = end.Add(time.Hour)
	}
	from = from.Truncate(time.Hour)
	switch {
	case !from.Before(to):
		f.fault("from", "before to")
	case to.Sub(from) > maxSpan+time.Hour:
		f.fault("from", "at most 366 days before to")
	case by == "hour" && to.Sub(from) > maxSpanByHour+time.Hour:
		f.fault("from", "at most 31 days before to, when by=hour")
	}
	return from, to
}

// funnel: GET /v1/analytics/funnel.
func (a *API) funnel(ctx context.Context, c *fiber.Ctx, k caller) error {
	f := filter{c: c}
	by := f.oneOf("by", "hour", "day", "environment", "app_version", "os_version", "agent", "key")
	from, to := a.span(&f, by)
	if err := f.err(); err != nil {
		return err
	}
	rows, err := k.scope.Analytics().Funnel(ctx, from, to, by)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, funnel{From: stamp(from), To: stamp(to), By: by, Groups: groups(rows, by)})
}

// groups sorts the counts: groups by name, hops in the order of a ring, with zero for hops that no
// ring reached.
func groups(rows []store.FunnelRow, by string) []funnelGroup {
	cells := map[string]map[tenants.FactKind]store.FunnelRow{}
	if by == "" {
		cells[""] = nil // the one group is there even when nothing happened
	}
	for _, r := range rows {
		if cells[r.Group] == nil {
			cells[r.Group] = map[tenants.FactKind]store.FunnelRow{}
		}
		cells[r.Group][r.Fact] = r
	}
	out := make([]funnelGroup, 0, len(cells))
	for _, name := range slices.Sorted(maps.Keys(cells)) {
		g := funnelGroup{Group: name, Hops: make([]funnelHop, 0, len(tenants.Hops))}
		for _, h := range tenants.Hops {
			g.Hops = append(g.Hops, hop(h.Name, cells[name][h.Fact]))
		}
		out = append(out, g)
	}
	return out
}

func hop(name string, r store.FunnelRow) funnelHop {
	out := funnelHop{Hop: name, Rings: r.Rings, Count: r.N}
	out.P50, out.P95, out.P99 = percentiles(r.Buckets)
	return out
}

// percentiles are in milliseconds, nil where nothing was timed.
func percentiles(buckets map[int]int64) (p50, p95, p99 *float64) {
	of := func(p float64) *float64 {
		at := tenants.Percentile(buckets, p)
		if at == 0 {
			return nil
		}
		ms := math.Round(millis(at)*1000) / 1000
		return &ms
	}
	return of(0.50), of(0.95), of(0.99)
}
