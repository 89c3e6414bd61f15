package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestBadInput sends invalid requests, and checks that nothing is written or pushed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.tenant("lakeside", "Lakeside"), h.tenant("hillside", canary)
	testKey := a.newKey(true, tenants.Scopes()...)
	deviceOf := func(d tenants.DeviceID) string { return fmt.Sprintf(`{"to":{"device":%q}}`, d) }
	good := deviceOf(a.device)
	with := func(more string) string { return fmt.Sprintf(`{"to":{"device":%q},%s}`, a.device, more) }
	token := strings.Repeat("ab", 32)
	register := func(more string) string { return `{"bundle_id":"com.example.x","token":"` + token + `"` + more + `}` }
	live := a.newDeviceOf(tenants.Production)
	ring := a.ring("")
	ended := a.ring("")
	h.do(ask{method: "POST", path: "/v1/rings/" + ended.ID + "/cancel", key: a.key}).want(202)
	for _, r := range []ringView{ring, ended} {
		story := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: a.key})
		for next(t, story)["event"] != "accepted" {
		}
	}
	rings := func(body string, header ...string) ask {
		return ask{method: "POST", path: "/v1/rings", key: a.key, body: body, header: header}
	}
	facts := func(body string) ask {
		return ask{method: "POST", path: "/v1/phone/rings/" + ring.ID + "/facts", key: a.phone, body: body}
	}
	now := time.Now().Format(time.RFC3339Nano)

	cases := []struct {
		name   string
		ask    ask
		status int
		code   string
		fields string
	}{
		{"no body", rings(""), 415, "unsupported", ""},
		{"empty body", ask{method: "POST", path: "/v1/rings", key: a.key, kind: "application/json"}, 400, "malformed_json", ""},
		{"another media type", ask{method: "POST", path: "/v1/rings", key: a.key, body: good, kind: "text/plain"}, 415, "unsupported", ""},
		{"malformed JSON", rings(`{"to":`), 400, "malformed_json", ""},
		{"a list", rings(`[]`), 400, "malformed_json", ""},
		{"two objects", rings(good + good), 400, "malformed_json", ""},
		{"unknown field", rings(with(`"colour":"red"`)), 400, "invalid", "colour"},
		{"mass assignment", rings(with(`"tenant_id":"` + string(b.id) + `"`)), 400, "invalid", "tenant_id"},
		{"unknown field inside", rings(`{"to":{"device":"x","token":"y"}}`), 400, "invalid", "to.token"},
		{"repeated field", rings(with(`"to":{"person":"x"}`)), 400, "invalid", "to"},
		{"wrong type", rings(with(`"ttl_s":"30"`)), 400, "invalid", "ttl_s"},
		{"1 MiB", rings(with(`"caller":"` + strings.Repeat("x", 1<<20) + `"`)), 413, "too_large", ""},
		{"70 KiB", rings(with(`"caller":"` + strings.Repeat("x", 70<<10) + `"`)), 413, "too_large", ""},
		{"packed", ask{method: "POST", path: "/v1/rings", key: a.key, body: good,
			header: []string{"Content-Encoding", "gzip"}}, 415, "content_encoding", ""},
		{"nobody", rings(`{}`), 400, "invalid", "to"},
		{"both", rings(fmt.Sprintf(`{"to":{"device":%q,"person":"x"}}`, a.device)), 400, "invalid", "to"},
		{"device is no id", rings(`{"to":{"device":"' OR 1=1 --"}}`), 400, "invalid", "to.device"},
		{"unknown device", rings(deviceOf(tenants.NewID[tenants.DeviceID](time.Now()))), 404, "not_found", ""},
		{"foreign device", rings(deviceOf(b.device)), 404, "not_found", ""},
		{"unknown agent", rings(with(`"agent":"` + string(tenants.NewID[tenants.AgentID](time.Now())) + `"`)), 404, "not_found", ""},
		{"foreign agent", rings(with(`"agent":"` + string(b.agent) + `"`)), 404, "not_found", ""},
		{"agent is no id", rings(with(`"agent":""`)), 400, "invalid", "agent"},
		{"person without devices", rings(`{"to":{"person":"nobody"}}`), 422, "no_devices", ""},
		{"foreign person", rings(`{"to":{"person":"person-` + canary + `"}}`), 422, "no_devices", ""},
		{"person with a space", rings(`{"to":{"person":"a b"}}`), 400, "invalid", "to.person"},
		{"empty person", rings(`{"to":{"person":""}}`), 400, "invalid", "to.person"},
		{"ttl 4", rings(with(`"ttl_s":4`)), 400, "invalid", "ttl_s"},
		{"ttl 61", rings(with(`"ttl_s":61`)), 400, "invalid", "ttl_s"},
		{"ttl 0", rings(with(`"ttl_s":0`)), 400, "invalid", "ttl_s"},
		{"ttl that overflows to 30 s", rings(with(`"ttl_s":288230376151711774`)), 400, "invalid", "ttl_s"},
		{"ttl with a fraction", rings(with(`"ttl_s":30.5`)), 400, "invalid", "ttl_s"},
		{"caller too long", rings(with(`"caller":"` + strings.Repeat("é", 65) + `"`)), 400, "invalid", "caller"},
		{"control characters", rings(with(`"caller":"a\u0000b"`)), 400, "invalid", "caller"},
		{"line break", rings(with(`"caller":"a\nb"`)), 400, "invalid", "caller"},
		{"bidirectional override", rings(with(`"caller":"a\u202eb"`)), 400, "invalid", "caller"},
		{"a blank caller", rings(with(`"caller":"  \u00a0"`)), 400, "invalid", "caller"},
		{"a caller of joiners", rings(with(`"caller":"\u200d"`)), 400, "invalid", "caller"},
		{"half a surrogate pair", rings(with(`"caller":"a\ud800"`)), 400, "malformed_json", ""},
		{"a replacement character", rings(with(`"caller":"a\ufffd"`)), 400, "invalid", "caller"},
		{"empty reference", rings(with(`"reference":""`)), 400, "invalid", "reference"},
		{"reference with a slash", rings(with(`"reference":"a/b"`)), 400, "invalid", "reference"},
		{"two wrong fields", rings(with(`"reference":"a/b","ttl_s":1`)), 400, "invalid", "reference ttl_s"},
		{"a test key and a production device", ask{method: "POST", path: "/v1/rings", key: testKey, body: deviceOf(live)},
			403, "test_key", ""},
		{"key in the query", ask{method: "POST", path: "/v1/rings?api_key=" + string(a.key), body: good}, 400, "key_in_query", ""},
		{"key in the query beside one in the header", ask{method: "POST", path: "/v1/rings?x=" + string(a.key), key: a.key,
			body: good}, 400, "key_in_query", ""},
		{"basic authentication", ask{method: "POST", path: "/v1/rings", body: good,
			header: []string{"Authorization", "Basic " + string(a.key)}}, 401, "unauthorized", ""},
		{"two keys", ask{method: "POST", path: "/v1/rings", key: a.key, body: good,
			header: []string{"Authorization", "Bearer " + string(b.key)}}, 400, "header_repeated", ""},
		{"key in a header of its own", ask{method: "POST", path: "/v1/rings", body: good,
			header: []string{"X-Api-Key", string(a.key)}}, 401, "unauthorized", ""},
		{"idempotency key too long", rings(good, "Idempotency-Key", strings.Repeat("k", 256)), 400, "idempotency_key", ""},
		{"idempotency key not ASCII", rings(good, "Idempotency-Key", "é"), 400, "idempotency_key", ""},
		{"two idempotency keys", rings(good, "Idempotency-Key", "a", "Idempotency-Key", "b"), 400, "header_repeated", ""},

		{"a ring by PUT", ask{method: "PUT", path: "/v1/rings", key: a.key, body: good}, 405, "method_not_allowed", ""},
		{"an unknown address", ask{method: "GET", path: "/v1/bells", key: a.key}, 404, "not_found", ""},
		{"a reserved address", ask{method: "POST", path: "/v1/rings/" + ring.ID + "/hold", key: a.key}, 404, "not_found", ""},
		{"an id that is none", ask{method: "GET", path: "/v1/rings/%2e%2e%2fdevices", key: a.key}, 404, "not_found", ""},
		{"limit 0", ask{method: "GET", path: "/v1/rings?limit=0", key: a.key}, 400, "invalid", "limit"},
		{"limit 201", ask{method: "GET", path: "/v1/devices?limit=201", key: a.key}, 400, "invalid", "limit"},
		{"a cursor that is none", ask{method: "GET", path: "/v1/rings?after=x", key: a.key}, 400, "", ""},
		{"a long cursor", ask{method: "GET", path: "/v1/agents?after=" + strings.Repeat("x", 201), key: a.key}, 400, "invalid", "after"},
		{"an unknown state", ask{method: "GET", path: "/v1/rings?state=lost", key: a.key}, 400, "invalid", "state"},
		{"a time that is none", ask{method: "GET", path: "/v1/rings?from=yesterday", key: a.key}, 400, "invalid", "from"},
		{"a year that no clock holds", ask{method: "GET", path: "/v1/rings?from=9999-01-01T00:00:00Z", key: a.key}, 400, "invalid", "from"},
		{"a device filter that is no id", ask{method: "GET", path: "/v1/rings?device=x", key: a.key}, 400, "invalid", "device"},
		{"a search with control characters", ask{method: "GET", path: "/v1/rings?q=%00", key: a.key}, 400, "invalid", "q"},
		{"a Last-Event-ID that is none", ask{method: "GET", path: "/v1/rings/" + ring.ID + "/events", key: a.key,
			header: []string{"Last-Event-ID", "x"}}, 400, "last_event_id", ""},

		{"funnel by colour", ask{method: "GET", path: "/v1/analytics/funnel?by=colour",
			key: a.key}, 400, "invalid", "by"},
		{"funnel backwards", ask{method: "GET", path: "/v1/analytics/funnel?from=2026-02-02T00:00:00Z&to=2026-01-01T00:00:00Z",
			key: a.key}, 400, "invalid", "from"},
		{"funnel of two years", ask{method: "GET", path: "/v1/analytics/funnel?from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
			key: a.key}, 400, "invalid", "from"},
		{"funnel of a year by the hour",
			ask{method: "GET", path: "/v1/analytics/funnel?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&by=hour",
				key: a.key}, 400, "invalid", "from"},

		{"token not hex", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: `{"bundle_id":"com.example.x","token":"` + strings.Repeat("zz", 32) + `"}`}, 400, "invalid", "token"},
		{"token too short", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: `{"bundle_id":"com.example.x","token":"ab"}`}, 400, "invalid", "token"},
		{"token with a path", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: `{"bundle_id":"com.example.x","token":"../../` + token + `"}`}, 400, "invalid", "token"},
		{"bundle with .voip", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: `{"bundle_id":"com.example.voip","token":"` + token + `"}`}, 400, "invalid", "bundle_id"},
		{"unknown platform", ask{method: "POST", path: "/v1/devices", key: a.key, body: register(`,"platform":"android"`)},
			400, "invalid", "platform"},
		{"unknown environment", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: register(`,"environment":"prod"`)}, 400, "invalid", "environment"},
		{"unknown time zone", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: register(`,"time_zone":"../etc/passwd"`)}, 400, "invalid", "time_zone"},
		{"device of another tenant", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: register(`,"tenant_id":"x"`)}, 400, "invalid", "tenant_id"},
		{"device with an id", ask{method: "POST", path: "/v1/devices", key: a.key,
			body: register(`,"id":"` + string(b.device) + `"`)}, 400, "invalid", "id"},
		{"a token by PATCH", ask{method: "PATCH", path: "/v1/devices/" + string(a.device), key: a.key, body: `{"token":"` +
			token + `"}`}, 400, "invalid", "token"},
		{"a wrong name by PATCH", ask{method: "PATCH", path: "/v1/devices/" + string(a.device), key: a.key,
			body: `{"name":"a\u0007"}`}, 400, "invalid", "name"},

		{"a blank name by PATCH", ask{method: "PATCH", path: "/v1/devices/" + string(a.device), key: a.key,
			body: `{"name":" "}`}, 400, "invalid", "name"},
		{"a blank agent", ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"\t ","kind":"builtin"}`}, 400,
			"invalid", "name"},

		{"pairing of a wrong person", ask{method: "POST", path: "/v1/pairings", key: a.key, body: `{"person":""}`}, 400,
			"invalid", "person"},
		{"agent without a name", ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"kind":"builtin"}`}, 400, "invalid", "name"},
		{"agent of an unknown kind", ask{method: "POST", path: "/v1/agents", key: a.key,
			body: `{"name":"x","kind":"parrot"}`}, 400, "invalid", "kind"},
		{"stream agent without an address", ask{method: "POST", path: "/v1/agents", key: a.key,
			body: `{"name":"x","kind":"stream"}`}, 400, "invalid", "url"},
		{"agent without a kind", ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"x"}`}, 400, "invalid", "kind"},

		{"a kind that phones may not report", facts(fact("answered", time.Now())), 400, "invalid", "kind"},
		{"an unknown kind", facts(fact("exploded", time.Now())), 400, "invalid", "kind"},
		{"a fact without times", facts(`{"kind":"woke"}`), 400, "invalid", "at"},
		{"a sending that is no time", facts(`{"kind":"woke","at":"` + now + `","sent_at":"soon"}`), 400, "invalid", "sent_at"},
		{"a fact in the year 9999", facts(`{"kind":"woke","at":"9999-01-01T00:00:00Z","sent_at":"` + now + `"}`), 400, "invalid", "at"},
		{"a code of a kind that has none", facts(`{"kind":"shown","at":"` + now + `","sent_at":"` + now + `","code":3}`),
			400, "invalid", "code"},
		{"a code of a decline", facts(`{"kind":"declined","at":"` + now + `","sent_at":"` + now + `","code":0}`), 400, "invalid", "code"},
		{"a negative code", facts(`{"kind":"failed_to_show","at":"` + now + `","sent_at":"` + now + `","code":-1}`), 400,
			"invalid", "code"},
		{"a code out of range", facts(`{"kind":"failed_to_show","at":"` + now + `","sent_at":"` + now + `","code":64}`),
			400, "invalid", "code"},
		{"a code that is no number", facts(`{"kind":"silenced","at":"` + now + `","sent_at":"` + now + `","code":"3"}`),
			400, "invalid", "code"},
		{"a fact about a foreign ring", ask{method: "POST", path: "/v1/phone/rings/" + ring.ID + "/facts", key: b.phone,
			body: fact("declined", time.Now())}, 404, "not_found", ""},
		{"a token that is none, by the phone", ask{method: "PUT", path: "/v1/phone/token", key: a.phone,
			body: `{"token":"x"}`}, 400, "invalid", "token"},
	}
	before := a.dump() + b.dump()
	pushes := h.apple.count()
	for i, tc := range cases {
		got := h.do(tc.ask)
		if got.status != tc.status {
			t.Errorf("%s: %d %.300s, want %d", tc.name, got.status, got.body, tc.status)
			continue
		}
		code, fields := got.code()
		if tc.code != "" && code != tc.code || strings.Join(fields, " ") != tc.fields {
			t.Errorf("%s: %s %v, want %s %s", tc.name, code, fields, tc.code, tc.fields)
		}
		if strings.Contains(got.body, canary) || strings.Contains(got.body, string(a.key)) {
			t.Errorf("%s: %s", tc.name, got.body)
		}
		if i%10 != 0 && i != len(cases)-1 {
			continue // dump is slow
		}
		if after := a.dump() + b.dump(); after != before {
			t.Fatalf("%s, or one of the nine before: something was written:\n%s\nwas\n%s", tc.name, after, before)
		}
	}
	if n := h.apple.count() - pushes; n != 0 {
		t.Errorf("%d pushes were sent", n)
	}
}

// newDeviceOf is a device in the given environment.
func (t *tenant) newDeviceOf(e tenants.Environment) tenants.DeviceID {
	t.h.Helper()
	id, _ := t.newDevice("")
	d, err := t.scope().Devices().Get(t.h.Context(), id)
	must(t.h, err)
	d.Environment = e
	must(t.h, t.scope().Devices().Set(t.h.Context(), d))
	return id
}
