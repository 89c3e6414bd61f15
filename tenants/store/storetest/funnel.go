package storetest

import (
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

var noKey = store.Idempotency{}

// checkFunnel looks at the six facts of testTallies from every side.
func (b *bench) checkFunnel(s *store.Scope, at time.Time) {
	b.Helper()
	ctx := b.Context()
	for by, want := range map[string][]string{
		"": {""}, "environment": {"production"}, "app_version": {"3.2"}, "os_version": {"26.1"},
		"agent": {"0190aaaa-0000-7000-8000-0000000000a1"},
		"hour":  {"2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"}, "day": {"2026-03-01"},
	} {
		rows, err := s.Analytics().Funnel(ctx, at, at.Add(2*time.Hour), by)
		b.must(err)
		equal(b, len(rows), 6, "rows by "+by)
		found := map[string]bool{}
		for _, row := range rows {
			found[row.Group] = true
			equal(b, row.N, 1, "counted")
			equal(b, row.Rings, 1, "rings")
			var timed int64
			for _, n := range row.Buckets {
				timed += n
			}
			if row.Fact == tenants.FactPlaced {
				timed++
			}
			equal(b, timed, 1, "timed "+string(row.Fact))
		}
		for _, g := range want {
			if !found[g] {
				b.Errorf("by %q: no group %q in %v", by, g, found)
			}
		}
		equal(b, len(found), len(want), "groups by "+by)
	}
	byDay, err := s.Analytics().FunnelByDay(ctx, at, at.Add(2*time.Hour), time.FixedZone("ahead by 11 hours", 11*3600))
	b.must(err)
	days := map[string]int64{}
	for _, row := range byDay {
		days[row.Group] += row.N
	}
	equal(b, len(days), 2, "days: midnight lies between the two hours")
	equal(b, days["2026-03-01"]+days["2026-03-02"], 6, "counted by day")
	rows, err := s.Analytics().Funnel(ctx, at.Add(time.Hour), at.Add(2*time.Hour), "")
	b.must(err)
	equal(b, len(rows), 1, "rows of the second hour")
	_, err = s.Analytics().Funnel(ctx, at, at, "tenant_id")
	b.refused(err, tenants.Invalid, "a group that is none")
}
