package tenants_test

import (
	"testing"
	"time"

	"carillon/tenants"
)

func TestRateLimiterTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	var l tenants.RateLimiter
	now := time.Unix(1000, 0)
	tenant, key := tenants.PerSecond("tenant", 2), tenants.Rate{Name: "key", Every: time.Second, Burst: 1}
	if refused, wait := l.Take(now, tenant, key); refused != "" || wait != 0 {
		t.Fatalf("the first: %s must wait %v", refused, wait)
	}
	if refused, wait := l.Take(now, tenant, key); refused != "key" || wait != time.Second {
		t.Errorf("the key's second: %s must wait %v", refused, wait)
	}
	for i := range 3 {
		if refused, _ := l.Take(now, tenant); refused != "" {
			t.Errorf("token %d of the tenant was used up by a refusal", i+2)
		}
	}
	if refused, wait := l.Take(now, tenant); refused != "tenant" || wait != 500*time.Millisecond {
		t.Errorf("the tenant's fifth: %s must wait %v", refused, wait)
	}
	l.GiveBack(tenant)
	if refused, _ := l.Take(now, tenant); refused != "" {
		t.Error("a token that was given back cannot be taken")
	}
}

func TestRateLimiterForgetsFullBuckets(t *testing.T) {
	t.Parallel()
	var l tenants.RateLimiter
	now := time.Unix(1000, 0)
	for _, name := range []string{"a", "b"} {
		l.Take(now, tenants.Rate{Name: name, Every: time.Second, Burst: 3})
	}
	l.Take(now.Add(time.Hour), tenants.Rate{Name: "c", Every: time.Second, Burst: 3})
	if n := l.Len(); n != 1 {
		t.Errorf("%d names in memory after an hour, want 1", n)
	}
}

// TestRateLimiterForgetsOnceAMinute: names are looked through once a minute and not for each
// request, also after the clock was set back.
func TestRateLimiterForgetsOnceAMinute(t *testing.T) {
	t.Parallel()
	var l tenants.RateLimiter
	now := time.Unix(100_000, 0)
	take := func(at time.Duration, name string, want int) {
		t.Helper()
		l.Take(now.Add(at), tenants.Rate{Name: name, Every: time.Second, Burst: 1})
		if n := l.Len(); n != want {
			t.Errorf("%v later: %d names in memory, want %d", at, n, want)
		}
	}
	take(0, "a", 1)
	take(time.Minute-1, "b", 2)
	take(time.Minute, "c", 2)               // a is full again
	take(2*time.Minute-1, "d", 3)           // b and c are full again
	take(-time.Hour, "e", 4)                // the clock was set back: nobody's bucket is full
	take(-time.Hour+59*time.Second, "f", 5) // e is full again
	take(-time.Hour+60*time.Second, "g", 4) // b, c, d still wait for the clock
	take(2*time.Minute+time.Second, "h", 1) // the clock is right again
	take(2*time.Minute+3*time.Second, "i", 2)
}
