package console

import (
	"math"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// The chart's percentiles are those of the API: the 50th, 95th and 99th of a hundred.
func TestLatencyPercentilesAreTheirOwn(t *testing.T) {
	t.Parallel()
	buckets := map[int]int64{}
	for b := range 100 {
		buckets[b] = 1
	}
	h := tenants.Hops[1]
	row := latencyOf(counts{h.Fact: store.FunnelRow{Buckets: buckets}}, "today").Hops[0]
	for name, c := range map[string]struct{ got, bucket int }{"p50": {row.P50, 49}, "p95": {row.P95, 94}, "p99": {row.P99, 98}} {
		if want := int(math.Round(tenants.BucketTop(c.bucket).Seconds() * 1000)); c.got != want {
			t.Errorf("%s = %d ms, want %d", name, c.got, want)
		}
	}
}
