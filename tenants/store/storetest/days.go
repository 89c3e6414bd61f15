package storetest

import (
	"fmt"
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
	start := b.clock.Now().Truncate(24 * time.Hour)
	facts := 0
	for hours := range 100 {
		if hours%3 == 1 {
			continue
		}
		b.clock.set(start.Add(time.Duration(hours) * time.Hour))
		for scope, d := range phones {
			r := b.ring(scope, d)
			b.record(scope, r, 0, tenants.FactSent, r.CreatedAt.Add(time.Duration(hours)*time.Second))
			facts += 2
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
	}
}
