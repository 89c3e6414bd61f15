package tenants_test

import (
	"errors"
	"testing"
	"time"

	"carillon/tenants"
)

func TestRateLimiterTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	var l tenants.RateLimiter
	now := time.Unix(1000, 0)
	tenant, key := tenants.PerSecond("tenant", 2), tenants.Rate{Of: "key", Every: time.Second, Burst: 1, Says: "This key."}
	tenant.Says, tenant.Shared = "The tenant.", true
	admit := func(rates ...tenants.Rate) tenants.Error {
		var e *tenants.Error
		if err := l.Admit(now, "too_many_things", rates...); errors.As(err, &e) {
			return *e
		}
		return tenants.Error{}
	}
	if e := admit(tenant, key); e.Msg != "" {
		t.Fatalf("the first: %+v", e)
	}
	e := admit(tenant, key)
	if e.Msg != "This key." || e.RetryAfter != time.Second || e.Kind != tenants.TooMany || e.Code != "too_many_things" {
		t.Errorf("the key's second: %+v", e)
	}
	for i := range 3 {
		if e := admit(tenant); e.Msg != "" {
			t.Errorf("token %d of the tenant was used up by a refusal", i+2)
		}
	}
	if e := admit(tenant); e.Msg != "The tenant." || e.RetryAfter != 500*time.Millisecond || e.Kind != tenants.Unavailable {
		t.Errorf("the tenant's fifth: %+v", e)
	}
	if e := admit(tenant.For("other")); e.Msg != "" {
		t.Errorf("another tenant: %+v", e)
	}
	l.GiveBack(tenant)
	if e := admit(tenant); e.Msg != "" {
		t.Error("a token that was given back cannot be taken")
	}
}

func TestRateLimiterForgetsFullBuckets(t *testing.T) {
	t.Parallel()
	var l tenants.RateLimiter
	now, rate := time.Unix(1000, 0), tenants.Rate{Every: time.Second, Burst: 3}
	for _, name := range []string{"a", "b"} {
		if err := l.Admit(now, "", rate.For(name)); err != nil {
			t.Error(err)
		}
	}
	if err := l.Admit(now.Add(time.Hour), "", rate.For("c")); err != nil {
		t.Error(err)
	}
	if n := l.Len(); n != 1 {
		t.Errorf("%d buckets in memory after an hour, want 1", n)
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
		if err := l.Admit(now.Add(at), "", tenants.Rate{Every: time.Second, Burst: 1}.For(name)); err != nil {
			t.Error(err)
		}
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

// TestRatesOfSeveralServers: each of three gives out a third, at once and later, and at least one.
func TestRatesOfSeveralServers(t *testing.T) {
	t.Parallel()
	nodes, now := 3, time.Now()
	l := tenants.RateLimiter{Nodes: func() int { return nodes }}
	admitted := func(r tenants.Rate, at time.Time) (n int) {
		for l.Admit(at, "", r) == nil {
			n++
		}
		return n
	}
	rate := tenants.Rate{Of: "thing", Every: time.Second, Burst: 12}.For("a")
	if n := admitted(rate, now); n != 4 {
		t.Errorf("%d of 12 at once by one of three servers", n)
	}
	if n := admitted(rate, now.Add(6*time.Second)); n != 2 {
		t.Errorf("%d in six seconds, a third of one a second is two", n)
	}
	if n := admitted(tenants.Rate{Of: "rare", Every: time.Hour, Burst: 2}.For("a"), now); n != 1 {
		t.Errorf("%d at once, each server gives at least one", n)
	}
	l.GiveBack(rate)
	if n := admitted(rate, now.Add(6*time.Second)); n != 1 {
		t.Errorf("%d after one was given back", n)
	}
	nodes = 1
	if n := admitted(tenants.Rate{Of: "thing", Every: time.Second, Burst: 12}.For("b"), now); n != 12 {
		t.Errorf("%d of 12 by one server alone", n)
	}
}
