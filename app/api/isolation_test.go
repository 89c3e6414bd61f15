package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store/storetest"
)

// callerKind is who may call a route.
type callerKind string

const (
	byKey    callerKind = "an API key"
	byPhone  callerKind = "a device credential"
	byCode   callerKind = "a pairing code"
	byJoin   callerKind = "a join token, or the token of a call"
	everyone callerKind = "nothing"
)

// routeCase is how isolation is tested for one route.
type routeCase struct {
	caller callerKind
	needs  tenants.Permission
	path   func(*tenant) string // the address of one of the tenant's objects
	body   func(*tenant) string // names the tenant's objects; nil = no body
	kind   string
	list   bool // no id: a foreign key sees only its own objects
}

// at returns the address of one of the tenant's objects.
func at(format string, id func(*tenant) string) func(*tenant) string {
	return func(t *tenant) string { return fmt.Sprintf(format, id(t)) }
}

func fixed(s string) func(*tenant) string { return func(*tenant) string { return s } }

// isolationCases has a case for every route. A route without one fails the test: decide who may
// call it before it is served.
func isolationCases(ringOf func(*tenant) string) map[string]routeCase {
	device := func(t *tenant) string { return string(t.device) }
	agent := func(t *tenant) string { return string(t.agent) }
	credential := func(t *tenant) string { return string(t.credential) }
	connection := func(t *tenant) string { return string(t.connection) }
	group := func(t *tenant) string { return string(t.group) }
	schedule := func(t *tenant) string { return string(t.schedule) }
	consent := func(t *tenant) string { return string(t.consent) }
	offer, fragment := "application/sdp", "application/trickle-ice-sdpfrag"
	return map[string]routeCase{
		"GET /v1/openapi.yaml": {caller: everyone, path: fixed("/v1/openapi.yaml"), list: true},
		"POST /v1/rings": {caller: byKey, needs: tenants.RingsWrite, path: fixed("/v1/rings"), body: func(t *tenant) string {
			return fmt.Sprintf(`{"to":{"device":%q},"agent":%q}`, t.device, t.agent)
		}},
		"GET /v1/rings":              {caller: byKey, needs: tenants.RingsRead, path: fixed("/v1/rings?q=" + canary), list: true},
		"GET /v1/rings/{id}":         {caller: byKey, needs: tenants.RingsRead, path: at("/v1/rings/%s", ringOf)},
		"POST /v1/rings/{id}/cancel": {caller: byKey, needs: tenants.RingsWrite, path: at("/v1/rings/%s/cancel", ringOf)},
		"POST /v1/rings/{id}/transfer": {caller: byKey, needs: tenants.RingsWrite, path: at("/v1/rings/%s/transfer", ringOf),
			body: fixed(`{"to":{"person":"nobody-else"}}`)},
		"GET /v1/rings/{id}/events": {caller: byKey, needs: tenants.RingsRead, path: at("/v1/rings/%s/events", ringOf)},
		"GET /v1/events":            {caller: byKey, needs: tenants.RingsRead, path: fixed("/v1/events?device=x"), list: true},
		"POST /v1/rings/{id}/notes": {caller: byKey, needs: tenants.NotesWrite, path: at("/v1/rings/%s/notes", ringOf),
			body: fixed(`{"summary":"stolen"}`)},
		"GET /v1/rings/{id}/notes":     {caller: byKey, needs: tenants.NotesRead, path: at("/v1/rings/%s/notes", ringOf)},
		"GET /v1/rings/{id}/recording": {caller: byKey, needs: tenants.NotesRead, path: at("/v1/rings/%s/recording", ringOf)},
		"POST /v1/devices": {caller: byKey, needs: tenants.DevicesWrite, path: fixed("/v1/devices"), list: true,
			body: fixed(`{"token":"` + strings.Repeat("ab", 32) + `","bundle_id":"com.example.x"}`)},
		"GET /v1/devices":      {caller: byKey, needs: tenants.DevicesRead, path: fixed("/v1/devices"), list: true},
		"GET /v1/devices/{id}": {caller: byKey, needs: tenants.DevicesRead, path: at("/v1/devices/%s", device)},
		"PATCH /v1/devices/{id}": {caller: byKey, needs: tenants.DevicesWrite, path: at("/v1/devices/%s", device),
			body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/devices/{id}": {caller: byKey, needs: tenants.DevicesWrite, path: at("/v1/devices/%s", device)},
		"POST /v1/pairings":       {caller: byKey, needs: tenants.DevicesWrite, path: fixed("/v1/pairings"), body: fixed(`{}`), list: true},
		"POST /v1/credentials": {caller: byKey, needs: tenants.CredentialsWrite, path: fixed("/v1/credentials"), list: true,
			body: fixed("--x\r\nContent-Disposition: form-data; name=\"bundle_id\"\r\n\r\ncom.example.x\r\n--x--\r\n"),
			kind: "multipart/form-data; boundary=x"},
		"GET /v1/credentials":      {caller: byKey, needs: tenants.CredentialsRead, path: fixed("/v1/credentials"), list: true},
		"GET /v1/credentials/{id}": {caller: byKey, needs: tenants.CredentialsRead, path: at("/v1/credentials/%s", credential)},
		"PATCH /v1/credentials/{id}": {caller: byKey, needs: tenants.CredentialsWrite,
			path: at("/v1/credentials/%s", credential), body: fixed(`{"hedging":false}`)},
		"DELETE /v1/credentials/{id}": {caller: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s", credential)},
		"POST /v1/credentials/{id}/probe": {caller: byKey, needs: tenants.CredentialsWrite,
			path: at("/v1/credentials/%s/probe", credential)},
		"POST /v1/credentials/{id}/rollback": {caller: byKey, needs: tenants.CredentialsWrite,
			path: at("/v1/credentials/%s/rollback", credential)},
		"GET /v1/analytics/outcomes": {caller: byKey, needs: tenants.AnalyticsRead,
			path: fixed("/v1/analytics/outcomes"), list: true},
		"GET /v1/analytics/callkit": {caller: byKey, needs: tenants.AnalyticsRead, path: fixed("/v1/analytics/callkit"), list: true},
		"POST /v1/agents": {caller: byKey, needs: tenants.AgentsWrite, path: fixed("/v1/agents"),
			body: fixed(`{"name":"x","kind":"builtin"}`), list: true},
		"GET /v1/agents":      {caller: byKey, needs: tenants.AgentsRead, path: fixed("/v1/agents"), list: true},
		"GET /v1/agents/{id}": {caller: byKey, needs: tenants.AgentsRead, path: at("/v1/agents/%s", agent)},
		"PATCH /v1/agents/{id}": {caller: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s", agent),
			body: fixed(`{"name":"stolen"}`)},
		"POST /v1/agents/{id}/announcement": {caller: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s/announcement", agent),
			body: fixed("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.ogg\"\r\n\r\nOggS\r\n--x--\r\n"),
			kind: "multipart/form-data; boundary=x"},
		"DELETE /v1/agents/{id}": {caller: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s", agent)},
		"POST /v1/groups": {caller: byKey, needs: tenants.GroupsWrite, path: fixed("/v1/groups"), list: true,
			body: fixed(`{"name":"x","members":[{"person":"x"}]}`)},
		"GET /v1/groups":      {caller: byKey, needs: tenants.GroupsRead, path: fixed("/v1/groups"), list: true},
		"GET /v1/groups/{id}": {caller: byKey, needs: tenants.GroupsRead, path: at("/v1/groups/%s", group)},
		"PATCH /v1/groups/{id}": {caller: byKey, needs: tenants.GroupsWrite, path: at("/v1/groups/%s", group),
			body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/groups/{id}":  {caller: byKey, needs: tenants.GroupsWrite, path: at("/v1/groups/%s", group)},
		"GET /v1/groups/{id}/now": {caller: byKey, needs: tenants.GroupsRead, path: at("/v1/groups/%s/now", group)},
		"POST /v1/schedules": {caller: byKey, needs: tenants.GroupsWrite, path: fixed("/v1/schedules"), list: true,
			body: fixed(`{"name":"x"}`)},
		"GET /v1/schedules":      {caller: byKey, needs: tenants.GroupsRead, path: fixed("/v1/schedules"), list: true},
		"GET /v1/schedules/{id}": {caller: byKey, needs: tenants.GroupsRead, path: at("/v1/schedules/%s", schedule)},
		"PATCH /v1/schedules/{id}": {caller: byKey, needs: tenants.GroupsWrite, path: at("/v1/schedules/%s", schedule),
			body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/schedules/{id}": {caller: byKey, needs: tenants.GroupsWrite, path: at("/v1/schedules/%s", schedule)},
		"POST /v1/consents": {caller: byKey, needs: tenants.GroupsWrite, path: fixed("/v1/consents"), list: true,
			body: fixed(`{"person":"x","evidence":"x"}`)},
		"GET /v1/consents":         {caller: byKey, needs: tenants.GroupsRead, path: fixed("/v1/consents"), list: true},
		"GET /v1/consents/{id}":    {caller: byKey, needs: tenants.GroupsRead, path: at("/v1/consents/%s", consent)},
		"DELETE /v1/consents/{id}": {caller: byKey, needs: tenants.GroupsWrite, path: at("/v1/consents/%s", consent)},
		"POST /v1/connections": {caller: byKey, needs: tenants.ConnectionsWrite, path: fixed("/v1/connections"), list: true,
			body: fixed(`{"name":"x","url":"https://example.com/x"}`)},
		"GET /v1/connections":      {caller: byKey, needs: tenants.ConnectionsRead, path: fixed("/v1/connections"), list: true},
		"GET /v1/connections/{id}": {caller: byKey, needs: tenants.ConnectionsRead, path: at("/v1/connections/%s", connection)},
		"PATCH /v1/connections/{id}": {caller: byKey, needs: tenants.ConnectionsWrite, path: at("/v1/connections/%s", connection),
			body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/connections/{id}": {caller: byKey, needs: tenants.ConnectionsWrite, path: at("/v1/connections/%s", connection)},
		"GET /v1/connections/{id}/attempts": {caller: byKey, needs: tenants.ConnectionsRead,
			path: at("/v1/connections/%s/attempts", connection)},
		"POST /v1/connections/{id}/replay": {caller: byKey, needs: tenants.ConnectionsWrite,
			path: at("/v1/connections/%s/replay", connection), body: fixed(`{"from":"2026-01-01T00:00:00Z"}`)},
		"POST /v1/connections/{id}/secret": {caller: byKey, needs: tenants.ConnectionsWrite,
			path: at("/v1/connections/%s/secret", connection)},
		"POST /v1/connections/{id}/test": {caller: byKey, needs: tenants.ConnectionsWrite,
			path: at("/v1/connections/%s/test", connection), body: fixed(`{}`)},
		"GET /v1/analytics/funnel": {caller: byKey, needs: tenants.AnalyticsRead,
			path: fixed("/v1/analytics/funnel?by=app_version"), list: true},
		"POST /mcp": {caller: byKey, path: fixed("/mcp"), list: true, body: func(t *tenant) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"cancel_ring","arguments":`+
				`{"ring":%q,"reason":"theirs"}}}`, ringOf(t))
		}},
		"POST /v1/sms/{id}": {caller: byJoin, path: fixed("/v1/sms/0190aaaa-0000-7000-8000-0000000000c1"),
			body: fixed("From=%2B4915112345678&Body=STOP"), kind: "application/x-www-form-urlencoded"},
		"POST /v1/phone/devices": {caller: byCode, path: fixed("/v1/phone/devices"), body: fixed(`{}`)},
		"PUT /v1/phone/token": {caller: byPhone, path: fixed("/v1/phone/token"),
			body: fixed(`{"token":"` + strings.Repeat("cd", 32) + `"}`), list: true},
		"GET /v1/phone/rings/{id}": {caller: byPhone, path: at("/v1/phone/rings/%s", ringOf)},
		"POST /v1/phone/rings/{id}/facts": {caller: byPhone, path: at("/v1/phone/rings/%s/facts", ringOf),
			body: func(*tenant) string { return fact("declined", time.Now()) }},
		"GET /v1/phone/rings/{id}/events": {caller: byPhone, path: at("/v1/phone/rings/%s/events", ringOf)},
		"POST /v1/rings/{id}/join":        {caller: byKey, needs: tenants.RingsWrite, path: at("/v1/rings/%s/join", ringOf)},
		"POST /v1/rings/{id}/agent":       {caller: byJoin, path: at("/v1/rings/%s/agent", ringOf), body: fixed("v=0"), kind: offer},
		"PATCH /v1/rings/{id}/agent":      {caller: byJoin, path: at("/v1/rings/%s/agent", ringOf), body: fixed("a=x"), kind: fragment},
		"DELETE /v1/rings/{id}/agent":     {caller: byJoin, path: at("/v1/rings/%s/agent", ringOf)},
		"OPTIONS /v1/rings/{id}/agent":    {caller: everyone, path: at("/v1/rings/%s/agent", ringOf)},
		"GET /v1/rings/{id}/stream":       {caller: byJoin, path: at("/v1/rings/%s/stream", ringOf)},
		"POST /2010-04-01/Accounts/{account}/Calls/{call}": {caller: byJoin, path: fixed("/2010-04-01/Accounts/AC1/Calls/CA1.json"),
			body: fixed("Status=completed"), kind: "application/x-www-form-urlencoded"},
		"POST /v1/phone/rings/{id}/answer": {caller: byPhone, path: at("/v1/phone/rings/%s/answer", ringOf),
			body: fixed("v=0"), kind: offer},
		"PATCH /v1/phone/rings/{id}/leg": {caller: byPhone, path: at("/v1/phone/rings/%s/leg", ringOf),
			body: fixed("a=x"), kind: fragment},
		"DELETE /v1/phone/rings/{id}/leg": {caller: byPhone, path: at("/v1/phone/rings/%s/leg", ringOf)},
	}
}

// attempt is a request that must be refused, and the expected refusal.
type attempt struct {
	name   string
	key    tenants.Secret
	target *tenant // whose objects are named
	status int
	code   string // empty = any
}

// TestTenantIsolation calls every route as everyone who must be refused, with real ids of another
// tenant whose every text contains a canary. No answer may contain the canary, and nothing of that
// tenant may change.
func TestTenantIsolation(t *testing.T) {
	t.Parallel()
	isolated(t, open(t))
}

// TestTenantIsolationOnPostgres is the same beside row-level security.
func TestTenantIsolationOnPostgres(t *testing.T) {
	t.Parallel()
	isolated(t, openOn(t, storetest.Postgres(t)))
}

func isolated(t *testing.T, h *fixture) {
	victim, stranger, suspended := h.tenant("victim", canary), h.tenant("stranger", "Stranger"), h.tenant("suspended", "Suspended")
	rings := map[*tenant]string{}
	for _, v := range []*tenant{victim, stranger, suspended} {
		r := v.ring("")
		rings[v] = r.ID
		story := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: v.key})
		// otherwise the push would still be writing during the comparison
		for next(t, story)["event"] != "accepted" {
		}
	}
	keys := map[string]tenants.Secret{"revoked": victim.newKey(false, tenants.Scopes()...), "unscoped": ""}
	revoke(h, victim, keys["revoked"])
	tn, err := suspended.scope().Tenant(t.Context())
	must(t, err)
	tn.State = tenants.TenantSuspended
	must(t, suspended.scope().SetTenant(t.Context(), tn))

	narrow := map[tenants.Permission]tenants.Secret{} // every scope except those that allow one thing
	for _, p := range tenants.Scopes() {
		narrow[p] = victim.newKey(false, slices.DeleteFunc(slices.Clone(tenants.Scopes()),
			func(q tenants.Permission) bool { return tenants.Key{Permissions: []tenants.Permission{q}}.May(p) })...)
	}
	rows := isolationCases(func(t *tenant) string { return rings[t] })
	before := victim.dump()
	pushes := h.apple.count()
	routes := mounted(t, h.app)
	for _, route := range routes {
		r, known := rows[route]
		if !known {
			t.Errorf("%s is not in the isolationCases: add a routeCase that says who may pass", route)
			continue
		}
		delete(rows, route)
		for _, try := range attempts(r, victim, stranger, suspended, keys["revoked"], narrow) {
			method, _, _ := strings.Cut(route, " ")
			a := ask{method: method, path: r.path(try.target), key: try.key, kind: r.kind}
			if r.body != nil {
				a.body = r.body(try.target)
			}
			if (strings.HasSuffix(route, "/leg") || strings.HasSuffix(route, "/agent")) && method == "PATCH" {
				a.header = []string{"If-Match", "*"}
			}
			got := h.do(a)
			hit(t, route, try, got)
		}
	}
	for route := range rows {
		t.Errorf("%s is in the isolationCases and not served", route)
	}
	if after := victim.dump(); after != before {
		t.Errorf("behind the isolationCases something changed:\n%s\nwas\n%s", after, before)
	}
	if n := h.apple.count() - pushes; n != 0 {
		t.Errorf("%d pushes were sent", n)
	}
}

// hit checks one answer.
func hit(t *testing.T, route string, try attempt, got answer) {
	t.Helper()
	if got.status != try.status && !(try.status == 0 && got.status < 500 && got.status != 401 && got.status != 403) {
		t.Errorf("%s as %s: %d %.300s, want %d", route, try.name, got.status, got.body, try.status)
		return
	}
	if try.code != "" {
		if code, _ := got.code(); code != try.code {
			t.Errorf("%s as %s: code %s, want %s", route, try.name, code, try.code)
		}
	}
	all := got.body + fmt.Sprint(got.header)
	if strings.Contains(all, canary) {
		t.Errorf("%s as %s read a canary: %s", route, try.name, all)
	}
	if try.name == "a key without the scope" && !strings.Contains(got.body, "scope "+string(tryScope(route))) {
		t.Errorf("%s: the refusal does not name the scope: %s", route, got.body)
	}
}

func tryScope(route string) tenants.Permission {
	return isolationCases(func(*tenant) string { return "" })[route].needs
}

// attempts lists the refused callers of a route.
func attempts(r routeCase, victim, stranger, suspended *tenant, revoked tenants.Secret,
	narrow map[tenants.Permission]tenants.Secret) []attempt {
	if r.caller == everyone {
		return []attempt{{"anonymous", "", victim, 200, ""}}
	}
	list := []attempt{
		{"anonymous", "", victim, 401, ""},
		{"an unknown key", tenants.NewSecret(tenants.LivePrefix), victim, 401, ""},
		{"an unknown device", tenants.NewSecret(tenants.DevicePrefix), victim, 401, ""},
		{"a mistyped key", victim.key[:len(victim.key)-1] + "!", victim, 401, ""},
		{"a pairing code nobody made", tenants.NewCode(), victim, 401, ""},
	}
	foreign := attempt{"a foreign key", stranger.key, victim, 404, "not_found"}
	if r.list {
		foreign.status, foreign.code = 0, ""
	}
	switch r.caller {
	case byKey:
		if r.needs != "" { // else its tools ask for scopes; see TestMCP
			list = append(list, attempt{"a key without the scope", narrow[r.needs], victim, 403, "missing_scope"})
		}
		list = append(list, foreign,
			attempt{"a revoked key", revoked, victim, 401, ""},
			attempt{"a suspended tenant's key", suspended.key, suspended, 403, "tenant_suspended"},
			attempt{"the tenant's own phone", victim.phone, victim, 401, ""})
	case byPhone:
		foreign.name, foreign.key = "a foreign phone", stranger.phone
		list = append(list, attempt{"the tenant's own key", victim.key, victim, 401, ""},
			attempt{"a suspended tenant's phone", suspended.phone, suspended, 403, "tenant_suspended"})
		if !strings.Contains(r.kind, "sdp") && !strings.HasSuffix(r.path(victim), "/leg") {
			// the switchboard knows the ring, not this stand-in for Media
			list = append(list, foreign)
		}
	case byCode, byJoin:
		list = append(list, attempt{"the tenant's own key", victim.key, victim, 401, ""}, attempt{"a phone", victim.phone, victim, 401, ""})
	}
	return list
}

// revoke revokes a key by its secret.
func revoke(h *fixture, t *tenant, secret tenants.Secret) {
	h.Helper()
	_, key, err := h.store.Tenants().OfKey(h.Context(), secret.Hash())
	must(h, err)
	must(h, t.scope().Keys().Revoke(h.Context(), key.ID))
}

// TestForeignAndUnknownIDsReadTheSame compares whole answers; only the request id may differ.
func TestForeignAndUnknownIDsReadTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	victim, stranger := h.tenant("victim", canary), h.tenant("stranger", "Stranger")
	ring := victim.ring("").ID
	pure := func(a answer) string {
		return fmt.Sprint(a.status, a.body[:strings.Index(a.body, `"request_id"`)], a.header.Get("Content-Type"),
			a.header.Get("Content-Length"))
	}
	for _, tc := range []struct{ method, path, id, body string }{
		{"GET", "/v1/rings/%s", ring, ""},
		{"POST", "/v1/rings/%s/cancel", ring, ""},
		{"POST", "/v1/rings/%s/transfer", ring, `{"to":{"person":"nobody-else"}}`},
		{"GET", "/v1/rings/%s/events", ring, ""},
		{"POST", "/v1/rings/%s/join", ring, ""},
		{"POST", "/v1/rings/%s/notes", ring, `{"summary":"x"}`},
		{"GET", "/v1/rings/%s/notes", ring, ""},
		{"GET", "/v1/devices/%s", string(victim.device), ""},
		{"PATCH", "/v1/devices/%s", string(victim.device), `{"name":"x"}`},
		{"DELETE", "/v1/devices/%s", string(victim.device), ""},
		{"GET", "/v1/credentials/%s", string(victim.credential), ""},
		{"PATCH", "/v1/credentials/%s", string(victim.credential), `{"hedging":false}`},
		{"DELETE", "/v1/credentials/%s", string(victim.credential), ""},
		{"GET", "/v1/agents/%s", string(victim.agent), ""},
		{"PATCH", "/v1/agents/%s", string(victim.agent), `{"name":"x"}`},
		{"POST", "/v1/agents/%s/announcement", string(victim.agent), "x"},
		{"DELETE", "/v1/agents/%s", string(victim.agent), ""},
		{"POST", "/v1/rings", string(victim.device), `{"to":{"device":"%s"}}`},
		{"POST", "/v1/rings", string(victim.agent), `{"to":{"device":"` + string(stranger.device) + `"},"agent":"%s"}`},
	} {
		try := func(id string) string {
			a := ask{method: tc.method, path: tc.path, key: stranger.key, body: tc.body}
			if strings.Contains(a.path, "%s") {
				a.path = fmt.Sprintf(a.path, id)
			}
			if strings.Contains(a.body, "%s") {
				a.body = fmt.Sprintf(a.body, id)
			}
			return pure(h.do(a).want(404))
		}
		foreign, unknown := try(tc.id), try(string(tenants.NewID[tenants.RingID](time.Now())))
		if foreign != unknown {
			t.Errorf("%s %s: foreign %s, unknown %s", tc.method, tc.path, foreign, unknown)
		}
		if strings.Contains(tc.path, "%s") {
			if nonsense := try("nonsense"); nonsense != unknown {
				t.Errorf("%s %s: nonsense %s, unknown %s", tc.method, tc.path, nonsense, unknown)
			}
		}
	}
}
