package api

import (
	"math"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Each percentile of an answer is its own: of a hundred, one in each bucket, the 50th, 95th and
// 99th. What was counted without a time counts for none.
func TestPercentilesAreTheirOwn(t *testing.T) {
	t.Parallel()
	buckets := map[int]int64{-1: 500}
	for b := range 100 {
		buckets[b] = 1
	}
	ms := func(bucket int) float64 {
		return math.Round(float64(tenants.BucketTop(bucket))/float64(time.Millisecond)*1000) / 1000
	}
	got := hop("woke", store.FunnelRow{Buckets: buckets})
	for name, c := range map[string]struct {
		got  *float64
		want float64
	}{"p50": {got.P50, ms(49)}, "p95": {got.P95, ms(94)}, "p99": {got.P99, ms(98)}} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
}

func TestFunnel(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var f funnel
	h.do(ask{method: "GET", path: "/v1/analytics/funnel", key: a.key}).want(200).into(&f)
	if len(f.Groups) != 1 || len(f.Groups[0].Hops) != len(tenants.Hops) || f.Groups[0].Hops[6].Hop != "voice" ||
		f.Groups[0].Hops[0].P50 != nil {
		t.Errorf("an empty funnel: %+v", f)
	}
	r := a.ring("")
	story := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key})
	for next(t, story)["event"] != "accepted" {
	}
	for {
		n, err := h.store.Jobs().Roll(t.Context(), 1000)
		must(t, err)
		if n == 0 {
			break
		}
	}
	for _, by := range []string{"", "hour", "day", "environment", "app_version", "os_version", "key", "agent"} {
		h.do(ask{method: "GET", path: "/v1/analytics/funnel?by=" + by, key: a.key}).want(200).into(&f)
		if len(f.Groups) != 1 || f.By != by || f.Groups[0].Hops[0].Count != 1 || f.Groups[0].Hops[0].Rings != 1 ||
			f.Groups[0].Hops[2].Count != 1 || f.Groups[0].Hops[3].Count != 0 ||
			f.Groups[0].Hops[0].P50 != nil || f.Groups[0].Hops[2].P95 == nil {
			t.Errorf("by %q: %+v", by, f)
		}
	}
	if f.Groups[0].Group != "" {
		t.Errorf("the built-in agent is called %q", f.Groups[0].Group)
	}
}
