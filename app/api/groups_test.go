package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("one", "Canary")
	send := func(method, path, body string, status int) string {
		t.Helper()
		return h.do(ask{method: method, path: path, key: a.key, body: body}).want(status).body
	}
	made := send("POST", "/v1/schedules",
		`{"name":" Office ","time_zone":"Europe/Berlin","weekly":{"monday":[{"from":"08:00","to":"24:00"}]},`+
			`"exceptions":[{"date":"2026-12-24","note":"closed"}]}`, 201)
	for _, want := range []string{`"name":"Office"`, `"monday":[{"from":"08:00","to":"24:00"}]`, `"sunday":[]`, `"spans":[]`,
		`"calendar":null`} {
		if !strings.Contains(made, want) {
			t.Errorf("no %s in %s", want, made)
		}
	}
	for body, field := range map[string]string{
		`{"name":"x","weekly":{"someday":[]}}`:                                                           "weekly",
		`{"name":"x","weekly":{"monday":[{"from":"8:00","to":"9:00"}]}}`:                                 "weekly",
		`{"name":"x","weekly":{"monday":[{"from":"08:00","to":"24:01"}]}}`:                               "weekly",
		`{"name":"x","exceptions":[{"date":"24.12.2026"}]}`:                                              "exceptions",
		`{"name":"x","time_zone":"Mars/Base"}`:                                                           "time_zone",
		`{"name":"x","calendar":"feed"}`:                                                                 "calendar",
		`{"name":"x","calendar":"01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e90"}`:                                 "calendar",
		`{"name":"x","weekly":{"monday":[{"from":"08:00","to":"10:00"},{"from":"09:00","to":"11:00"}]}}`: "weekly",
	} {
		if got := send("POST", "/v1/schedules", body, 400); !strings.Contains(got, fmt.Sprintf(`"field":%q`, field)) {
			t.Errorf("%s: %s", body, got)
		}
	}
	person := "person-Canary" // who has a phone
	made = send("POST", "/v1/groups",
		fmt.Sprintf(`{"name":"Line","way":"sequential","step_s":20,"members":[{"person":"nobody"},{"person":%q}]}`,
			person), 201)
	id := between(made, `"id":"`, `"`)
	send("POST", "/v1/groups", `{"name":"x","members":[]}`, 400)
	if got := send("PATCH", "/v1/groups/"+id, fmt.Sprintf(`{"escalate":%q}`, id), 400); !strings.Contains(got, `"field":"escalate"`) {
		t.Errorf("escalates to itself: %s", got)
	}
	if got := send("PATCH", "/v1/groups/"+id, fmt.Sprintf(`{"name":"Night line","escalate":%q}`, a.group), 200); !strings.Contains(got,
		string(a.group)) {
		t.Errorf("changed: %s", got)
	}
	now := send("GET", "/v1/groups/"+id+"/now?at=2026-11-27T12:00:00Z", "", 200)
	if !strings.Contains(now, `"state":"left_out","reason":"nobody is always`) && !strings.Contains(now, `no registered device`) ||
		!strings.Contains(now, fmt.Sprintf(`"person":%q,"state":"planned"`, person)) {
		t.Errorf("who rings: %s", now)
	}
	ring := send("POST", "/v1/rings", fmt.Sprintf(`{"to":{"group":%q}}`, id), 201)
	for _, want := range []string{fmt.Sprintf(`"to":{"group":%q}`, id), `"steps":[{"wave":0`, `"state":"rung"`, `"attempts":[{`} {
		if !strings.Contains(ring, want) {
			t.Errorf("no %s in %s", want, ring)
		}
	}
	if got := send("POST", "/v1/rings", fmt.Sprintf(`{"to":{"group":%q},"ttl_s":20}`, id), 400); !strings.Contains(got, `"field":"ttl_s"`) {
		t.Errorf("with a time: %s", got)
	}
	send("DELETE", "/v1/groups/"+string(a.group), "", 204)
	send("DELETE", "/v1/schedules/"+string(a.schedule), "", 204)

	made = send("POST", "/v1/consents", `{"person":"ana","evidence":"Form 7","given_at":"2026-01-01T00:00:00Z"}`, 201)
	consent := between(made, `"id":"`, `"`)
	send("POST", "/v1/consents", `{"person":"ana","evidence":" "}`, 400)
	send("POST", "/v1/consents", `{"person":"ana","evidence":"x","given_at":"2199-01-01T00:00:00Z"}`, 400)
	send("DELETE", "/v1/consents/"+consent, "", 204)
	if got := send("GET", "/v1/consents/"+consent, "", 200); strings.Contains(got, `"withdrawn_at":null`) {
		t.Errorf("withdrawn: %s", got)
	}
}

// between is what is between two parts of a text.
func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}
