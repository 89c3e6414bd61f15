package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// door is who is let in at an address.
type door string

const (
	byKey    door = "an API key"
	byPhone  door = "a device credential"
	byCode   door = "a pairing code"
	everyone door = "nothing"
)

// row is how the wall is tried at one address.
type row struct {
	door  door
	needs tenants.Permission
	path  func(*tenant) string // the address of something of that tenant's
	body  func(*tenant) string // that names things of that tenant's; nil = no body
	kind  string
	list  bool // it names nothing: a foreign key sees its own, and nothing of anybody else
}

// at is the address of one of the tenant's things.
func at(format string, id func(*tenant) string) func(*tenant) string {
	return func(t *tenant) string { return fmt.Sprintf(format, id(t)) }
}

func fixed(s string) func(*tenant) string { return func(*tenant) string { return s } }

// wall has a row for every address. A route without one fails the build: decide who may pass before it is served.
func wall(ringOf func(*tenant) string) map[string]row {
	device := func(t *tenant) string { return string(t.device) }
	agent := func(t *tenant) string { return string(t.agent) }
	credential := func(t *tenant) string { return string(t.credential) }
	offer, fragment := "application/sdp", "application/trickle-ice-sdpfrag"
	return map[string]row{
		"GET /v1/openapi.yaml": {door: everyone, path: fixed("/v1/openapi.yaml"), list: true},
		"POST /v1/rings": {door: byKey, needs: tenants.RingsWrite, path: fixed("/v1/rings"), body: func(t *tenant) string {
			return fmt.Sprintf(`{"to":{"device":%q},"agent":%q}`, t.device, t.agent)
		}},
		"GET /v1/rings":              {door: byKey, needs: tenants.RingsRead, path: fixed("/v1/rings?q=" + canary), list: true},
		"GET /v1/rings/{id}":         {door: byKey, needs: tenants.RingsRead, path: at("/v1/rings/%s", ringOf)},
		"POST /v1/rings/{id}/cancel": {door: byKey, needs: tenants.RingsWrite, path: at("/v1/rings/%s/cancel", ringOf)},
		"GET /v1/rings/{id}/events":  {door: byKey, needs: tenants.RingsRead, path: at("/v1/rings/%s/events", ringOf)},
		"POST /v1/devices": {door: byKey, needs: tenants.DevicesWrite, path: fixed("/v1/devices"), list: true,
			body: fixed(`{"token":"` + strings.Repeat("ab", 32) + `","bundle_id":"com.example.x"}`)},
		"GET /v1/devices":         {door: byKey, needs: tenants.DevicesRead, path: fixed("/v1/devices"), list: true},
		"GET /v1/devices/{id}":    {door: byKey, needs: tenants.DevicesRead, path: at("/v1/devices/%s", device)},
		"PATCH /v1/devices/{id}":  {door: byKey, needs: tenants.DevicesWrite, path: at("/v1/devices/%s", device), body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/devices/{id}": {door: byKey, needs: tenants.DevicesWrite, path: at("/v1/devices/%s", device)},
		"POST /v1/pairings":       {door: byKey, needs: tenants.DevicesWrite, path: fixed("/v1/pairings"), body: fixed(`{}`), list: true},
		"POST /v1/credentials": {door: byKey, needs: tenants.CredentialsWrite, path: fixed("/v1/credentials"), list: true,
			body: fixed("--x\r\nContent-Disposition: form-data; name=\"bundle_id\"\r\n\r\ncom.example.x\r\n--x--\r\n"), kind: "multipart/form-data; boundary=x"},
		"GET /v1/credentials":                {door: byKey, needs: tenants.CredentialsWrite, path: fixed("/v1/credentials"), list: true},
		"GET /v1/credentials/{id}":           {door: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s", credential)},
		"PATCH /v1/credentials/{id}":         {door: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s", credential), body: fixed(`{"hedging":false}`)},
		"DELETE /v1/credentials/{id}":        {door: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s", credential)},
		"POST /v1/credentials/{id}/probe":    {door: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s/probe", credential)},
		"POST /v1/credentials/{id}/rollback": {door: byKey, needs: tenants.CredentialsWrite, path: at("/v1/credentials/%s/rollback", credential)},
		"GET /v1/analytics/outcomes":         {door: byKey, needs: tenants.AnalyticsRead, path: fixed("/v1/analytics/outcomes"), list: true},
		"GET /v1/analytics/callkit":          {door: byKey, needs: tenants.AnalyticsRead, path: fixed("/v1/analytics/callkit"), list: true},
		"POST /v1/agents":                    {door: byKey, needs: tenants.AgentsWrite, path: fixed("/v1/agents"), body: fixed(`{"name":"x","kind":"builtin"}`), list: true},
		"GET /v1/agents":                     {door: byKey, needs: tenants.AgentsWrite, path: fixed("/v1/agents"), list: true},
		"GET /v1/agents/{id}":                {door: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s", agent)},
		"PATCH /v1/agents/{id}":              {door: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s", agent), body: fixed(`{"name":"stolen"}`)},
		"DELETE /v1/agents/{id}":             {door: byKey, needs: tenants.AgentsWrite, path: at("/v1/agents/%s", agent)},
		"GET /v1/analytics/funnel":           {door: byKey, needs: tenants.AnalyticsRead, path: fixed("/v1/analytics/funnel?by=app_version"), list: true},
		"POST /v1/phone/devices":             {door: byCode, path: fixed("/v1/phone/devices"), body: fixed(`{}`)},
		"PUT /v1/phone/token":                {door: byPhone, path: fixed("/v1/phone/token"), body: fixed(`{"token":"` + strings.Repeat("cd", 32) + `"}`), list: true},
		"GET /v1/phone/rings/{id}":           {door: byPhone, path: at("/v1/phone/rings/%s", ringOf)},
		"POST /v1/phone/rings/{id}/facts":    {door: byPhone, path: at("/v1/phone/rings/%s/facts", ringOf), body: func(*tenant) string { return fact("declined", time.Now()) }},
		"GET /v1/phone/rings/{id}/events":    {door: byPhone, path: at("/v1/phone/rings/%s/events", ringOf)},
		"POST /v1/phone/rings/{id}/answer":   {door: byPhone, path: at("/v1/phone/rings/%s/answer", ringOf), body: fixed("v=0"), kind: offer},
		"PATCH /v1/phone/rings/{id}/leg":     {door: byPhone, path: at("/v1/phone/rings/%s/leg", ringOf), body: fixed("a=x"), kind: fragment},
		"DELETE /v1/phone/rings/{id}/leg":    {door: byPhone, path: at("/v1/phone/rings/%s/leg", ringOf)},
	}
}

// attempt is one who tries to pass, and how the refusal must read.
type attempt struct {
	name   string
	key    tenants.Secret
	target *tenant // whose things are named
	status int
	code   string // empty = any
}

// TestWall tries every address as everybody who must not pass, with real ids of the tenant behind the wall, whose every text holds
// a canary. None may read a byte of it, and afterwards nothing of it may have changed.
func TestWall(t *testing.T) {
	t.Parallel()
	h := open(t)
	victim, stranger, suspended := h.tenant("victim", canary), h.tenant("stranger", "Stranger"), h.tenant("suspended", "Suspended")
	rings := map[*tenant]string{}
	for _, v := range []*tenant{victim, stranger, suspended} {
		r := v.ring("")
		rings[v] = r.ID
		story := h.stream(ask{method: "GET", path: "/v1/rings/" + r.ID + "/events", key: v.key})
		for next(t, story)["event"] != "accepted" { // or the push would still be writing while we compare
		}
	}
	keys := map[string]tenants.Secret{"revoked": victim.newKey(false, tenants.Permissions...), "unscoped": ""}
	revoke(h, victim, keys["revoked"])
	tn, err := suspended.scope().Tenant(t.Context())
	must(t, err)
	tn.State = tenants.TenantSuspended
	must(t, suspended.scope().SetTenant(t.Context(), tn))

	narrow := map[tenants.Permission]tenants.Secret{} // everything but one
	for _, p := range tenants.Permissions {
		narrow[p] = victim.newKey(false, slices.DeleteFunc(slices.Clone(tenants.Permissions), func(q tenants.Permission) bool { return q == p })...)
	}
	rows := wall(func(t *tenant) string { return rings[t] })
	before := victim.dump()
	pushes := h.apple.count()
	routes := mounted(t, h.app)
	for _, route := range routes {
		r, known := rows[route]
		if !known {
			t.Errorf("%s is not in the wall: add a row that says who may pass", route)
			continue
		}
		delete(rows, route)
		for _, try := range attempts(r, victim, stranger, suspended, keys["revoked"], narrow) {
			method, _, _ := strings.Cut(route, " ")
			a := ask{method: method, path: r.path(try.target), key: try.key, kind: r.kind}
			if r.body != nil {
				a.body = r.body(try.target)
			}
			if strings.HasSuffix(route, "/leg") && method == "PATCH" {
				a.header = []string{"If-Match", "*"}
			}
			got := h.do(a)
			hit(t, route, try, got)
		}
	}
	for route := range rows {
		t.Errorf("%s is in the wall and not served", route)
	}
	if after := victim.dump(); after != before {
		t.Errorf("behind the wall something changed:\n%s\nwas\n%s", after, before)
	}
	if n := h.apple.count() - pushes; n != 0 {
		t.Errorf("%d pushes were sent", n)
	}
}

// hit looks at one answer.
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
	return wall(func(*tenant) string { return "" })[route].needs
}

// attempts lists who tries the row.
func attempts(r row, victim, stranger, suspended *tenant, revoked tenants.Secret, narrow map[tenants.Permission]tenants.Secret) []attempt {
	if r.door == everyone {
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
	switch r.door {
	case byKey:
		list = append(list, foreign,
			attempt{"a key without the scope", narrow[r.needs], victim, 403, "missing_scope"},
			attempt{"a revoked key", revoked, victim, 401, ""},
			attempt{"a suspended tenant's key", suspended.key, suspended, 403, "tenant_suspended"},
			attempt{"the tenant's own phone", victim.phone, victim, 401, ""})
	case byPhone:
		foreign.name, foreign.key = "a foreign phone", stranger.phone
		list = append(list, attempt{"the tenant's own key", victim.key, victim, 401, ""},
			attempt{"a suspended tenant's phone", suspended.phone, suspended, 403, "tenant_suspended"})
		if !strings.Contains(r.kind, "sdp") && !strings.HasSuffix(r.path(victim), "/leg") {
			list = append(list, foreign) // behind Media it is the switchboard that knows the ring, not the stand-in here
		}
	case byCode:
		list = append(list, attempt{"the tenant's own key", victim.key, victim, 401, ""}, attempt{"a phone", victim.phone, victim, 401, ""})
	}
	return list
}

// revoke revokes a key by its secret.
func revoke(h *house, t *tenant, secret tenants.Secret) {
	h.Helper()
	_, key, err := h.store.TenantOfKey(h.Context(), secret.Hash())
	must(h, err)
	must(h, t.scope().RevokeKey(h.Context(), key.ID))
}

// TestForeignAndUnknownReadTheSame compares whole answers: only the request id may differ.
func TestForeignAndUnknownReadTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	victim, stranger := h.tenant("victim", canary), h.tenant("stranger", "Stranger")
	ring := victim.ring("").ID
	pure := func(a answer) string {
		return fmt.Sprint(a.status, a.body[:strings.Index(a.body, `"request_id"`)], a.header.Get("Content-Type"), a.header.Get("Content-Length"))
	}
	for _, tc := range []struct{ method, path, id, body string }{
		{"GET", "/v1/rings/%s", ring, ""},
		{"POST", "/v1/rings/%s/cancel", ring, ""},
		{"GET", "/v1/rings/%s/events", ring, ""},
		{"GET", "/v1/devices/%s", string(victim.device), ""},
		{"PATCH", "/v1/devices/%s", string(victim.device), `{"name":"x"}`},
		{"DELETE", "/v1/devices/%s", string(victim.device), ""},
		{"GET", "/v1/credentials/%s", string(victim.credential), ""},
		{"PATCH", "/v1/credentials/%s", string(victim.credential), `{"hedging":false}`},
		{"DELETE", "/v1/credentials/%s", string(victim.credential), ""},
		{"GET", "/v1/agents/%s", string(victim.agent), ""},
		{"PATCH", "/v1/agents/%s", string(victim.agent), `{"name":"x"}`},
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
