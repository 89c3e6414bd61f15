package api

import (
	"strings"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// TestConnections: a connection is added, read, changed and removed; its secrets go in and only the
// signing secret comes out, once.
func TestConnections(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got connection
	r := h.do(ask{method: "POST", path: "/v1/connections", key: a.key,
		body: `{"name":" Desk ","url":"https://example.com/h","events":["ring.ended"],"headers":{"x-key":"canary"},"token":"canary"}`})
	r.want(201).into(&made)
	if !strings.HasPrefix(made.Secret, "whsec_") || made.Name != "Desk" || made.Role != "webhook" || made.Headers[0] != "X-Key" ||
		!made.HasToken || strings.Contains(r.body, "canary") {
		t.Errorf("%s", r.body)
	}
	path := "/v1/connections/" + made.ID
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"state":"paused","events":[]}`}).want(200).into(&got)
	if got.State != "paused" || len(got.Events) != 0 || got.Secret != "" || !got.HasToken || len(got.Headers) != 1 {
		t.Errorf("%+v", got)
	}
	h.do(ask{method: "POST", path: path + "/replay", key: a.key, body: `{"from":"2026-01-01T00:00:00Z"}`}).want(409)
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"state":"active"}`}).want(200)
	for body, status := range map[string]int{
		`{"name":"x","url":"https://10.0.0.1/h"}`: 400, `{"name":"x","url":"http://example.com/h"}`: 400,
		`{"name":"x","url":"https://example.com/h","role":"fax"}`: 400, `{"name":"","url":"https://example.com/h"}`: 400,
		`{"name":"x","url":"https://example.com/h","headers":{"Webhook-Id":"1"}}`: 400,
	} {
		h.do(ask{method: "POST", path: "/v1/connections", key: a.key, body: body}).want(status)
	}
	h.do(ask{method: "PATCH", path: path, key: a.key, body: `{"state":"ended"}`}).want(400)

	var fresh struct {
		Secret string `json:"secret"`
		Until  string `json:"old_secret_until"`
	}
	h.do(ask{method: "POST", path: path + "/secret", key: a.key}).want(200).into(&fresh)
	if fresh.Secret == made.Secret || fresh.Until == "" {
		t.Errorf("%+v", fresh)
	}

	// An event of a change goes to the connections that want it, and can be sent again.
	d, _ := a.newDevice("someone")
	sentTo, _, err := a.scope().Deliveries().List(t.Context(), store.DeliveryQuery{Connection: tenants.ConnectionID(made.ID)})
	must(t, err)
	if len(sentTo) != 1 || !strings.Contains(string(sentTo[0].Body), string(d)) {
		t.Fatalf("%+v", sentTo)
	}
	must(t, a.scope().Deliveries().Settle(t.Context(), tenants.ConnectionID(made.ID), []store.Outcome{{Delivery: sentTo[0],
		Attempt: tenants.DeliveryAttempt{At: sentTo[0].At, Status: 500, Error: "the receiver answered 500"}}}, false))
	var attempts list[deliveryAttempt]
	h.do(ask{method: "GET", path: path + "/attempts?failed=true&event=" + sentTo[0].Event, key: a.key}).want(200).into(&attempts)
	if len(attempts.Data) != 1 || attempts.Data[0].Delivered || *attempts.Data[0].Status != 500 || attempts.Data[0].Request.Body == "" {
		t.Errorf("%+v", attempts)
	}
	h.do(ask{method: "GET", path: path + "/attempts?failed=perhaps", key: a.key}).want(400)
	var sent struct {
		Count int `json:"count"`
	}
	h.do(ask{method: "POST", path: path + "/replay", key: a.key,
		body: `{"from":"2020-01-01T00:00:00Z","failed":true}`}).want(202).into(&sent)
	if sent.Count != 1 {
		t.Errorf("%d events are sent again", sent.Count)
	}
	h.do(ask{method: "POST", path: path + "/replay", key: a.key, body: `{}`}).want(400)
	h.do(ask{method: "POST", path: path + "/replay", key: a.key, body: `{"event":"` + made.ID + `"}`}).want(404)
	var tried deliveryAttempt
	h.do(ask{method: "POST", path: path + "/test", key: a.key, body: `{"event":"ring.ended"}`}).want(200).into(&tried)
	if !tried.Delivered || tried.Type != "ring.ended" {
		t.Errorf("%+v", tried)
	}
	h.do(ask{method: "GET", path: path, key: a.key}).want(200).into(&got)
	if got.Figures == nil || got.Figures.Attempts != 1 || got.Figures.Failed != 1 || got.Figures.Waiting != 1 {
		t.Errorf("%+v", got.Figures)
	}
	h.do(ask{method: "DELETE", path: path, key: a.key}).want(204)
	h.do(ask{method: "GET", path: path, key: a.key}).want(404)
}
