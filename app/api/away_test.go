package api

import (
	"fmt"
	"strconv"
	"testing"

	"carillon/tenants/store/storetest"
)

// TestRingsWhilePostgresIsAway: PostgreSQL crashes while rings are placed. What is asked meanwhile
// gets 503 with a time to try again. Afterwards each ring that was accepted is there, and a request
// that was refused or cut off rings once with the same Idempotency-Key.
func TestRingsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	h := openOn(t, server.Migrated(t))
	a := h.tenant("lakeside", "Lakeside")
	place := func(i int) answer {
		return h.do(ask{method: "POST", path: "/v1/rings", key: a.key, body: fmt.Sprintf(`{"to":{"device":%q}}`, a.device),
			header: []string{"Idempotency-Key", fmt.Sprint("k", i)}})
	}
	unavailable := func(what string, got answer) {
		t.Helper()
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		if got.status != 503 || err != nil || wait < 1 || wait > 60 {
			t.Errorf("%s while PostgreSQL is away: %d, again after %q: %s", what, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	rings := map[int]string{} // that were accepted, by key
	stopped := make(chan struct{})
	keys, refused := 0, 0
	for ; refused < 5; keys++ {
		if keys == 10 {
			go func() {
				defer close(stopped)
				server.Stop()
			}()
		}
		got := place(keys)
		if got.status == 201 {
			var r ringView
			got.into(&r)
			rings[keys] = r.ID
			continue
		}
		unavailable(fmt.Sprint("ring ", keys), got)
		refused++
	}
	<-stopped
	for what, got := range map[string]answer{
		"a ring that is read": h.do(ask{method: "GET", path: "/v1/rings/" + rings[0], key: a.key}),
		"the list of rings":   h.do(ask{method: "GET", path: "/v1/rings", key: a.key}),
		"a ring's end":        h.do(ask{method: "POST", path: "/v1/rings/" + rings[0] + "/cancel", key: a.key}),
		"a device":            h.do(ask{method: "PATCH", path: "/v1/devices/" + string(a.device), key: a.key, body: `{"name":"x"}`}),
		"a phone's fact": h.do(ask{method: "POST", path: "/v1/phone/rings/" + rings[0] + "/facts", key: a.phone,
			body: `{"kind":"shown","at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}`}),
	} {
		unavailable(what, got)
	}
	must(t, server.Start())

	seen := map[string]bool{}
	for i := range keys {
		var r ringView
		got := place(i)
		if got.status != 200 && got.status != 201 || rings[i] != "" && got.status != 200 {
			t.Fatalf("key %d once PostgreSQL is back: %d %s", i, got.status, got.body)
		}
		if got.into(&r); rings[i] != "" && r.ID != rings[i] || seen[r.ID] {
			t.Errorf("key %d is ring %s, and was %q", i, r.ID, rings[i])
		}
		seen[r.ID] = true
		h.do(ask{method: "GET", path: "/v1/rings/" + r.ID, key: a.key}).want(200)
	}
	if len(rings) < 10 {
		t.Errorf("only %d rings were accepted before", len(rings))
	}
}
