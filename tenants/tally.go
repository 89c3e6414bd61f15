package tenants

import (
	"math"
	"time"
)

// Hop is one step of a ring. The funnel counts the attempts that took it and the rings with at
// least one such attempt, and measures the time since the hop before.
type Hop struct {
	Fact FactKind
	From FactKind // the hop before; empty for the first
	Name string
}

// Hops is the funnel, in order.
var Hops = []Hop{
	{FactPlaced, "", "placed"},
	{FactSent, FactPlaced, "sent"},
	{FactAccepted, FactSent, "accepted"},
	{FactWoke, FactAccepted, "woke"},
	{FactShown, FactWoke, "shown"},
	{FactAnswered, FactShown, "answered"},
	{FactConnected, FactAnswered, "voice"},
}

// Buckets of latency: eight to each doubling, from 1/16 ms, so that a percentile read from them is
// off by at most 9 %.
const (
	bucketsPerDoubling = 8
	firstBucket        = 62500 * time.Nanosecond
	lastBucket         = 200
)

// Bucket is the index of the bucket that holds d. A negative d counts as zero: clocks differ a
// little even after correction.
func Bucket(d time.Duration) int {
	if d <= firstBucket {
		return 0
	}
	n := int(math.Ceil(math.Log2(float64(d)/float64(firstBucket)) * bucketsPerDoubling))
	return min(n, lastBucket)
}

// BucketTop returns the upper bound of a bucket.
func BucketTop(n int) time.Duration {
	return time.Duration(float64(firstBucket) * math.Exp2(float64(n)/bucketsPerDoubling))
}

// Percentile returns the p-th percentile (0 < p < 1) of counts by bucket; zero if there are none.
// What was counted without a time, in a bucket below zero, is left out.
func Percentile(counts map[int]int64, p float64) time.Duration {
	b, ok := PercentileBucket(counts, p)
	if !ok {
		return 0
	}
	return BucketTop(b)
}

// PercentileBucket returns the bucket that holds the p-th percentile (0 < p < 1); false if nothing
// was counted.
func PercentileBucket(counts map[int]int64, p float64) (int, bool) {
	var total int64
	for b, n := range counts {
		if b >= 0 {
			total += n
		}
	}
	if total == 0 {
		return 0, false
	}
	need, seen := int64(math.Ceil(p*float64(total))), int64(0)
	for b := 0; b <= lastBucket; b++ {
		if seen += counts[b]; seen >= need {
			return b, true
		}
	}
	return lastBucket, true
}

// Tally is one counter: how many attempts with these properties recorded the fact in the hour, by
// bucket of the time since the hop before. Bucket −1 counts attempts without a time; −2 counts
// rings, by their first attempt that took the hop.
type Tally struct {
	Hour        time.Time
	Fact        FactKind
	Environment Environment
	AppVersion  string
	OSVersion   string
	Agent       AgentID
	Bucket      int
	N           int64
}
