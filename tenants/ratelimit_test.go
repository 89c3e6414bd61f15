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
