package api

import (
	"testing"

	"carillon/tenants/store"
)

// TestPrivateAddressesAreRecorded: a key that gives an address of our own network is refused, and
// the audit log has the attempt with its host and nothing else of it, for each thing that has an
// address, when it is added and when it is changed.
func TestPrivateAddressesAreRecorded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("alpha", "Alpha")
	connection, agent := map[string]any{}, map[string]any{}
	h.do(ask{method: "POST", path: "/v1/connections", key: a.key, body: `{"name":"x","role":"crm","url":"https://crm.example/hook"}`}).
		want(201).into(&connection)
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"x","kind":"builtin"}`}).want(201).into(&agent)
	for _, c := range []struct{ method, path, body, recorded string }{
		{"POST", "/v1/connections", `{"name":"a","url":"https://10.0.0.1/h-secret"}`, "connection 10.0.0.1"},
		{"POST", "/v1/connections", `{"name":"b","role":"calendar","url":"https://localhost/feed"}`, "connection localhost"},
		{"POST", "/v1/connections", `{"name":"c","role":"audit","url":"syslog+tls://192.168.0.9:6514"}`, "connection 192.168.0.9"},
		{"PATCH", "/v1/connections/" + connection["id"].(string), `{"url":"https://127.0.0.1/hook"}`, "connection 127.0.0.1"},
		{"PATCH", "/v1/connections/" + connection["id"].(string), `{"lookup":{"ask":true,"url":"https://[::1]/who"}}`, "connection ::1"},
		{"POST", "/v1/agents", `{"name":"d","kind":"stream","stream":{"url":"wss://172.16.0.1/"}}`, "agent 172.16.0.1"},
		{"POST", "/v1/agents", `{"name":"e","kind":"pipecat","pipecat":{"url":"https://printer.local/offer"}}`, "agent printer.local"},
		{"PATCH", "/v1/agents/" + agent["id"].(string), `{"kind":"stream","stream":{"url":"wss://100.64.0.1/"}}`, "agent 100.64.0.1"},
	} {
		h.do(ask{method: c.method, path: c.path, key: a.key, body: c.body}).want(400)
		rows, _, err := a.scope().Audits().List(t.Context(), store.AuditQuery{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if r := rows[0]; r.Action != "address.refuse" || !r.Refused || r.Target+" "+r.Detail != c.recorded || r.Actor.Kind != "key" {
			t.Errorf("%s %s %s: recorded %+v", c.method, c.path, c.body, r)
		}
	}
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"f","kind":"stream","stream":{"url":"http://bot.example/"}}`}).
		want(400)
	rows, _, err := a.scope().Audits().List(t.Context(), store.AuditQuery{Action: "address.refuse", Limit: 100})
	if err != nil || len(rows) != 8 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
