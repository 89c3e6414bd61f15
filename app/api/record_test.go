package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// recorded says which audit rows each route that changes something writes, the oldest first. An
// action with a * also has what changed, before and after.
var recorded = map[string]string{
	"DELETE /v1/agents/{id}":           "agent.remove",
	"DELETE /v1/connections/{id}":      "connection.remove",
	"DELETE /v1/consents/{id}":         "consent.withdraw",
	"DELETE /v1/credentials/{id}":      "credential.remove",
	"DELETE /v1/devices/{id}":          "device.remove ring.set", // it was ringing
	"DELETE /v1/groups/{id}":           "group.remove",
	"PATCH /v1/agents/{id}":            "agent.set*",
	"PATCH /v1/connections/{id}":       "connection.set*",
	"PATCH /v1/credentials/{id}":       "credential.hedging*",
	"PATCH /v1/devices/{id}":           "device.set*",
	"PATCH /v1/groups/{id}":            "group.set*",
	"PATCH /v1/schedules/{id}":         "schedule.set*",
	"POST /mcp":                        "ring.cancel",
	"POST /v1/agents":                  "agent.add",
	"POST /v1/connections":             "connection.add",
	"POST /v1/connections/{id}/secret": "connection.secret",
	"POST /v1/consents":                "consent.add",
	"POST /v1/credentials/{id}/probe":  "credential.probe",
	"POST /v1/devices":                 "device.add",
	"POST /v1/groups":                  "group.add",
	"POST /v1/pairings":                "pairing.add",
	"POST /v1/rings":                   "ring.place",
	"POST /v1/rings/{id}/cancel":       "ring.cancel",
	"POST /v1/schedules":               "schedule.add",
}

// unrecorded are the other routes for keys, and why this walk sees no row of theirs.
var unrecorded = map[string]string{
	"DELETE /v1/schedules/{id}":          "a group uses it; see schedule.remove in app/console",
	"POST /v1/agents/{id}/announcement":  "the file is no sound; see TestAnnouncement",
	"POST /v1/connections/{id}/replay":   "there is nothing to send again",
	"POST /v1/connections/{id}/test":     "nothing is sent by these tests; see connection.test in app/console",
	"POST /v1/credentials":               "the file is no key; see TestCredentials",
	"POST /v1/credentials/{id}/rollback": "there is no previous one; see credential.rollback in app/console",
	"POST /v1/rings/{id}/join":           "gives a secret for a call; changes nothing",
	"POST /v1/rings/{id}/notes":          "nobody answered; see TestNotes",
	"POST /v1/rings/{id}/transfer":       "nobody answered; see TestTransfer",
}

// TestEveryChangeIsRecorded calls each route that changes something with a key that may, and finds
// in the audit log what recorded says: by the key, with its address and the id of the request, and
// with the changed fields before and after. A new route that is in neither list fails.
func TestEveryChangeIsRecorded(t *testing.T) {
	t.Parallel()
	h := open(t)
	ring, n := "", 0
	for route, r := range isolationCases(func(*tenant) string { return ring }) {
		method, _, _ := strings.Cut(route, " ")
		if method == "GET" || r.caller != byKey || unrecorded[route] != "" {
			continue
		}
		want, known := recorded[route]
		if !known {
			t.Errorf("%s is in neither recorded nor unrecorded: say which audit row it writes", route)
			continue
		}
		n++
		b := h.tenant(fmt.Sprint("t", n), "Beta")
		ring = b.ring("").ID
		last := b.rowsAfter(0)[0].Seq
		a := ask{method: method, path: r.path(b), key: b.key, kind: r.kind}
		if r.body != nil {
			a.body = r.body(b)
		}
		if got := h.do(a); got.status >= 300 {
			t.Errorf("%s: %d %.300s", route, got.status, got.body)
			continue
		}
		var got []string
		rows := b.rowsAfter(last)
		slices.Reverse(rows)
		for i, x := range rows {
			if x.Actor.Kind != tenants.ActorKey || x.Actor.Name != "Beta program" || x.IP == "" || x.RequestID == "" {
				t.Errorf("%s: by %+v from %q in %q", route, x.Actor, x.IP, x.RequestID)
			}
			action := x.Action
			if words := strings.Fields(want); i < len(words) && words[i] == action+"*" && len(x.Changes) > 0 {
				action += "*"
			}
			got = append(got, action)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: recorded %q, want %q", route, got, want)
		}
	}
	rows := isolationCases(func(*tenant) string { return "" })
	for _, list := range []map[string]string{recorded, unrecorded} {
		for route := range list {
			if _, ok := rows[route]; !ok {
				t.Errorf("%s is in a list of this test and is no route", route)
			}
		}
	}
}

// rowsAfter are the newest audit rows of the tenant after a seq, the newest first.
func (t *tenant) rowsAfter(seq int64) []tenants.Audit {
	t.h.Helper()
	rows, _, err := t.scope().Audits().List(t.h.Context(), store.AuditQuery{Limit: 20})
	must(t.h, err)
	return slices.DeleteFunc(rows, func(a tenants.Audit) bool { return a.Seq <= seq })
}
