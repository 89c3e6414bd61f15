package api

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func TestProbeAndRollback(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	address := "/v1/credentials/" + string(a.credential)
	var p probed
	h.do(ask{method: "POST", path: address + "/probe", key: a.key}).want(200).into(&p)
	if !p.OK || p.Credential != string(a.credential) || len(p.Verdicts) != 2 || *p.Verdicts[0].Reason != "BadDeviceToken" ||
		p.Verdicts[1].Status != nil ||
		!strings.Contains(p.Summary, "production, and not in sandbox") {
		t.Errorf("%+v", p)
	}
	// three at once, and one more each ten seconds, which a busy machine may take for a few
	for n := 1; ; n++ {
		got := h.do(ask{method: "POST", path: address + "/probe", key: a.key})
		if got.status == 429 {
			if n < 3 || got.header.Get("Retry-After") == "" {
				t.Errorf("refused after %d, Retry-After %q: %s", n, got.header.Get("Retry-After"), got.body)
			}
			break
		}
		if got.want(200); n > 12 {
			t.Fatal("probing has no limit")
		}
	}
	other := h.tenant("hillside", "Hillside")
	// pays for nobody else
	h.do(ask{method: "POST", path: "/v1/credentials/" + string(other.credential) + "/probe", key: other.key}).want(200)

	if code, _ := h.do(ask{method: "POST", path: address + "/rollback", key: a.key}).want(409).code(); code != "no_previous" {
		t.Errorf("code %s", code)
	}
	body, kind := form(t, map[string]string{"bundle_id": "com.example.lakeside", "team_id": "TEAM123456",
		"key_id": "KEY7654321"}, [3]string{"file", "a.p8", string(newP8(t))})
	var fresh, old credential
	h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind}).want(201).into(&fresh)
	h.do(ask{method: "GET", path: address, key: a.key}).want(200).into(&old)
	if fresh.State != "active" || old.State != "previous" {
		t.Errorf("replaced: %s, %s", fresh.State, old.State)
	}
	h.do(ask{method: "POST", path: "/v1/credentials/" + fresh.ID + "/rollback", key: a.key}).want(200)

	// The same file is refused, unless it corrects a mistyped id.
	file := string(newP8(t))
	upload := func(key string) answer {
		body, kind := form(t, map[string]string{"bundle_id": "com.example.lakeside", "team_id": "TEAM123456",
			"key_id": key}, [3]string{"file", "a.p8", file})
		return h.do(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind})
	}
	upload("MISTYPED01").want(201)
	upload("MISTYPED01").want(409)
	upload("KEY7654321").want(201).into(&fresh)
	h.do(ask{method: "POST", path: "/v1/credentials/" + fresh.ID + "/rollback", key: a.key}).want(200).into(&old)
	if *old.KeyID != "MISTYPED01" || old.State != "active" {
		t.Errorf("rolled back to %+v", old)
	}
}

func TestOutcomesAndCallKit(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var o outcomes
	h.do(ask{method: "GET", path: "/v1/analytics/outcomes", key: a.key}).want(200).into(&o)
	if len(o.Outcomes) != 0 || o.Late.Count != 0 || o.Late.P50 != nil || len(o.Late.Histogram) != len(lateSteps) {
		t.Errorf("nothing has happened, and yet: %+v", o)
	}
	var k callKit
	h.do(ask{method: "GET", path: "/v1/analytics/callkit", key: a.key}).want(200).into(&k)
	if len(k.Apps) != 1 || k.Apps[0].Verdict != "untested" || k.Apps[0].Registered != 1 || k.Apps[0].Delegate != 0 || len(k.Devices) != 0 {
		t.Errorf("%+v", k)
	}
	r := a.ring("")
	h.do(ask{method: "POST", path: "/v1/phone/rings/" + r.ID + "/facts", key: a.phone,
		body: `{"kind":"silenced","at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z","code":3}`}).want(200)
	var err error
	for n := 1; n > 0; {
		n, err = h.store.Jobs().Roll(t.Context(), 1000)
		must(t, err)
	}
	h.do(ask{method: "GET", path: "/v1/analytics/outcomes", key: a.key}).want(200).into(&o)
	if len(o.Outcomes) != 1 || o.Outcomes[0].Fact != "silenced" || *o.Outcomes[0].Detail != "do_not_disturb" || o.Outcomes[0].Count != 1 {
		t.Errorf("%+v", o.Outcomes)
	}
	h.do(ask{method: "GET", path: "/v1/analytics/outcomes?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", key: a.key}).want(400)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	steps := histogram(map[int]int64{tenants.Bucket(300 * time.Millisecond): 1, tenants.Bucket(10 * time.Second): 2,
		tenants.Bucket(2 * time.Hour): 4})
	for i, want := range []int64{1, 0, 2, 0, 0, 0, 4} {
		if steps[i].Count != want || (steps[i].UpTo == nil) != (i == 6) {
			t.Errorf("step %d: %+v, want %d", i, steps[i], want)
		}
	}
}

// TestKeyHasItsOwnRate checks that a key's rate limits that key and no other.
func TestKeyHasItsOwnRate(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	slow := tenants.NewSecret(tenants.LivePrefix)
	must(t, a.scope().Keys().Add(t.Context(), tenants.Key{
		ID: tenants.NewID[tenants.KeyID](time.Now()), Name: "slow", Permissions: tenants.Scopes(), PerSecond: 1, CreatedAt: time.Now(),
	}, slow.Hash()))
	body := `{"to":{"device":"` + string(a.device) + `"}}`
	const asks = 12
	refused := 0
	got := make(chan answer, asks)
	for range asks { // at once: a busy machine takes a second for a few, one after the other
		go func() { got <- h.do(ask{method: "POST", path: "/v1/rings", key: slow, body: body}) }()
	}
	for range asks {
		if got := <-got; got.status == 429 {
			refused++
			if code, _ := got.code(); code != "too_many_rings" || got.header.Get("Retry-After") != "1" {
				t.Errorf("%s %v", got.body, got.header)
			}
		}
	}
	if refused < 2 {
		t.Errorf("%d of %d rings at once were refused", refused, asks)
	}
	rings, _, err := a.scope().Rings().List(t.Context(), store.RingQuery{})
	must(t, err)
	if len(rings) != asks-refused {
		t.Errorf("%d rings were written", len(rings))
	}
	h.do(ask{method: "POST", path: "/v1/rings", key: a.key, body: body}).want(201)
}
