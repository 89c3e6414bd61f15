package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testDays: a funnel over any span of hours is the sum of their tallies, whether it is read from
// days or from hours.
func testDays(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	phones := map[*store.Scope]tenants.Device{s: b.device(s, ""), other: b.device(other, "")}
	start := time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC) // the clocks of Europe change on the 29th
	facts := 0
	for hours := range 100 {
		if hours%3 == 1 {
			continue
		}
		b.clock.set(start.Add(time.Duration(hours) * time.Hour))
		for scope, d := range phones {
			r := b.ring(scope, d)
			r = b.record(scope, r, 0, tenants.FactSent, r.CreatedAt.Add(time.Duration(hours)*time.Second))
			b.record(scope, r, 0, tenants.FactRefused, r.CreatedAt.Add(time.Duration(hours)*time.Second))
			facts += 3
		}
		if hours%40 == 0 { // a day is counted in several turns of the roller
			b.roll(facts)
			facts = 0
		}
	}
	b.roll(facts)
	for _, span := range [][2]int{{0, 0}, {0, 24}, {5, 24}, {24, 48}, {5, 30}, {5, 8}, {5, 90}, {23, 73}, {30, 0}, {95, 0}, {200, 0}} {
		from, to := start.Add(time.Duration(span[0])*time.Hour), time.Time{}
		if span[1] > 0 {
			to = start.Add(time.Duration(span[1]) * time.Hour)
		}
		cells, err := s.Analytics().Tallies(ctx, from, to)
		b.must(err)
		for _, by := range []string{"", "day"} {
			want := map[string]int64{}
			for _, c := range cells {
				group := ""
				if by == "day" {
					group = c.Hour.Format(time.DateOnly)
				}
				want[fmt.Sprint(group, c.Fact, c.Bucket >= 0)] += c.N
			}
			rows, err := s.Analytics().Funnel(ctx, from, to, by)
			b.must(err)
			got := map[string]int64{}
			for _, r := range rows {
				got[fmt.Sprint(r.Group, r.Fact, false)] += r.N + r.Rings
				for _, n := range r.Buckets {
					got[fmt.Sprint(r.Group, r.Fact, true)] += n
				}
			}
			equal(b, fmt.Sprint(got), fmt.Sprint(want), fmt.Sprintf("hours %v by %q", span, by))
			if len(want) == 0 && span[0] < 100 {
				b.Errorf("hours %v: nothing was counted, so nothing is proven", span)
			}
		}
		b.daysOf(s, cells, from, to)
	}
}

// daysOf compares what is shown by day, of several zones, with the cells of the same hours.
func (b *bench) daysOf(s *store.Scope, cells []tenants.Tally, from, to time.Time) {
	b.Helper()
	ctx := b.Context()
	for _, name := range []string{"UTC", "Europe/London", "Pacific/Auckland", "America/Los_Angeles"} {
		zone, err := time.LoadLocation(name)
		b.must(err)
		want, ends, refused := map[string]int64{}, map[string]int64{}, int64(0)
		for _, c := range cells {
			if c.Bucket != -1 {
				continue
			}
			day := c.Hour.In(zone).Format(time.DateOnly)
			want[day+string(c.Fact)] += c.N
			if c.Fact == tenants.FactRefused {
				refused += c.N
				ends[day+string(tenants.Failed)] += c.N
			}
		}
		rows, err := s.Analytics().FunnelByDay(ctx, from, to, zone)
		b.must(err)
		got := map[string]int64{}
		for _, r := range rows {
			got[r.Group+string(r.Fact)] += r.N
		}
		equal(b, fmt.Sprint(got), fmt.Sprint(want), fmt.Sprintf("[%v, %v) by the days of %s", from, to, name))
		some, err := s.Analytics().FunnelByDay(ctx, from, to, zone, tenants.FactRefused)
		b.must(err)
		for _, r := range rows {
			same := func(x store.FunnelRow) bool { return reflect.DeepEqual(x, r) }
			if r.Fact == tenants.FactRefused && !slices.ContainsFunc(some, same) {
				b.Errorf("one fact of [%v, %v) by the days of %s: %v lacks %v", from, to, name, some, r)
			}
		}
		over, err := s.Analytics().RingEnds(ctx, from, to, zone)
		b.must(err)
		got = map[string]int64{}
		for _, e := range over {
			got[e.Day+string(e.State)] += e.N
		}
		equal(b, fmt.Sprint(got), fmt.Sprint(ends), fmt.Sprintf("ends in [%v, %v) by the days of %s", from, to, name))
		reasons, _, err := s.Analytics().Reasons(ctx, from, to)
		b.must(err)
		var n int64
		for _, r := range reasons {
			n += r.N
		}
		equal(b, n, refused, "reasons")
	}
}
