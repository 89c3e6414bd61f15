package storetest

import (
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testCounts: rings are counted by hour and by each property, with how they ended at the time when
// they were placed, whether the roller has them in memory or reads them.
func testCounts(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	d := b.device(s, "")
	key := tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-0000000000b1", Name: "agent"}
	at := b.clock.Now().Truncate(time.Hour).Add(59 * time.Minute)
	facts := 0
	place := func(scope *store.Scope, d tenants.Device, by tenants.Actor, kinds ...tenants.FactKind) {
		b.Helper()
		b.clock.set(at)
		r := b.newRing(d)
		r.By = by
		_, err := scope.Rings().Add(ctx, r, noKey, r.ExpiresAt)
		b.must(err)
		for i, k := range kinds {
			r = b.record(scope, r, 0, k, r.CreatedAt.Add(time.Duration(i+1)*time.Minute)) // most in the next hour
		}
		facts += 1 + len(kinds)
	}
	taken := []tenants.FactKind{tenants.FactSent, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown, tenants.FactAnswered}
	place(s, d, key, append(taken, tenants.FactConnected, tenants.FactHungUp)...)
	place(s, d, tenants.System, append(taken, tenants.FactHungUp)...) // without a sound
	place(s, d, key, tenants.FactSent, tenants.FactRefused)
	place(s, d, key, tenants.FactSent, tenants.FactAccepted, tenants.FactExpired)
	place(other, b.device(other, ""), key, tenants.FactSent)
	b.roll(facts)

	placed, next := at.Truncate(time.Hour), at.Truncate(time.Hour).Add(time.Hour)
	hours, err := s.Analytics().Hours(ctx, tenants.Cut{}, placed, time.Time{})
	b.must(err)
	equal(b, fmt.Sprint(hours), fmt.Sprint([]tenants.HourCounts{
		{At: placed, Counts: tenants.Counts{Rings: 4, Answered: 2, Missed: 1, Failed: 1, Silent: 1}},
		{At: next, Counts: tenants.Counts{Accepted: 3, Refused: 1}},
	}), "hours")
	hours, err = s.Analytics().Hours(ctx, tenants.Cut{By: tenants.SplitKey, Value: key.ID}, placed, next)
	b.must(err)
	equal(b, fmt.Sprint(hours), fmt.Sprint([]tenants.HourCounts{
		{At: placed, Counts: tenants.Counts{Rings: 3, Answered: 1, Missed: 1, Failed: 1}}}), "hours of a key")
	for _, split := range tenants.Splits {
		values, err := s.Analytics().Values(ctx, split, placed, time.Time{})
		b.must(err)
		var sum tenants.Counts
		for _, v := range values {
			sum = sum.Add(v.Counts)
		}
		equal(b, sum, tenants.Counts{Rings: 4, Answered: 2, Missed: 1, Failed: 1, Silent: 1, Accepted: 3, Refused: 1}, string(split))
		wide, err := s.Analytics().Values(ctx, split, placed.AddDate(0, 0, -3), placed.AddDate(0, 0, 3))
		b.must(err)
		equal(b, fmt.Sprint(wide), fmt.Sprint(values), string(split)+" over whole days")
	}
	for _, days := range []bool{false, true} {
		times, err := s.Analytics().StepTimes(ctx, tenants.Cut{}, tenants.FactWoke, placed.AddDate(0, 0, -1), time.Time{}, days)
		b.must(err)
		equal(b, len(times), 1, "hours or days with times")
		equal(b, times[0].Buckets[tenants.Bucket(time.Minute)], int64(2), "times to wake")
	}
	for _, days := range []bool{false, true} {
		times, err := s.Analytics().StepTimes(ctx, tenants.Cut{By: tenants.SplitAppVersion, Value: d.AppVersion}, tenants.FactAnswered,
			placed, time.Time{}, days)
		b.must(err)
		equal(b, times[0].Buckets[tenants.Bucket(time.Minute)], int64(2), "times to answer of one version")
	}
	foreign, err := other.Analytics().StepTimes(ctx, tenants.Cut{}, tenants.FactWoke, placed.AddDate(0, 0, -1), time.Time{}, false)
	b.must(err)
	equal(b, len(foreign), 0, "times of another tenant")
	b.clock.set(at.AddDate(3, 0, 0))
	for removed := 1; removed > 0; {
		removed, err = b.s.Jobs().Retire(ctx, b.clock.Now())
		b.must(err)
	}
	for _, split := range append(tenants.Splits, "") {
		values, err := s.Analytics().Values(ctx, split, placed, time.Time{})
		b.must(err)
		equal(b, len(values), 0, "kept after three years by "+string(split))
	}
}
