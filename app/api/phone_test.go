package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestPhonesAreReadLiberally: a fact in any letter case and without the time of its sending, and a
// token in upper case.
func TestPhonesAreReadLiberally(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	id := a.ring("").ID
	report := func(body string) {
		h.do(ask{method: "POST", path: "/v1/phone/rings/" + id + "/facts", key: a.phone, body: body}).want(200)
	}
	report(`{"kind":"WOKE","at":"2001-01-01T00:00:00Z"}`)
	report(`{"kind":"Shown","at":"2001-01-01T00:00:00Z","sent_at":"2001-01-01T00:00:00.02Z"}`)
	got := h.do(ask{method: "GET", path: "/v1/rings/" + id, key: a.key}).want(200)
	var r ringView
	got.into(&r)
	clocks := map[string]string{}
	for _, f := range r.Attempts[0].Facts {
		clocks[f.Kind] = f.Clock
		if at, err := time.Parse(time.RFC3339, f.At); err != nil || time.Since(at) > time.Minute {
			t.Errorf("%s at %s", f.Kind, f.At)
		}
	}
	if woke, ok := clocks["woke"]; !ok || woke != "server" || clocks["shown"] != "" || clocks["accepted"] != "" {
		t.Errorf("clocks %v in %s", clocks, got.body)
	}
	story := h.stream(ask{method: "GET", path: "/v1/rings/" + id + "/events", key: a.key})
	for range r.Attempts[0].Facts {
		var e ringEvent
		data := next(t, story)["data"]
		must(t, json.Unmarshal([]byte(data), &e))
		if want, known := clocks[e.Kind]; !known || e.Clock != want || e.Clock == "" && strings.Contains(data, `"clock"`) {
			t.Errorf("the ring has the clock %q, its event is %s", want, data)
		}
	}

	token := strings.Repeat("5F0C4D1B", 8)
	h.do(ask{method: "PUT", path: "/v1/phone/token", key: a.phone,
		body: fmt.Sprintf(`{"token":%q,"environment":"sandbox"}`, token)}).want(200)
	d, err := h.store.For(a.id).Devices().Get(t.Context(), a.device)
	if err != nil || d.Token != strings.ToLower(token) || d.Environment != tenants.Sandbox {
		t.Errorf("%v: %s in %s", err, d.Token, d.Environment)
	}
}
