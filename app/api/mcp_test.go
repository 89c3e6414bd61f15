package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"carillon/tenants"
	"carillon/tenants/store"
)

// keyed sends a key with each request.
type keyed struct{ key tenants.Secret }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(k.key))
	return http.DefaultTransport.RoundTrip(r)
}

// model is the SDK's client, which stands for a language model.
type model struct {
	t       *testing.T
	session *mcp.ClientSession
}

func (h *fixture) model(t *testing.T, key tenants.Secret) model {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: h.url + PathMCP,
		HTTPClient: &http.Client{Transport: keyed{key}}, MaxRetries: -1}, nil)
	must(t, err)
	t.Cleanup(func() { session.Close() })
	return model{t, session}
}

// said is what a tool answered: a result or a refusal.
type said struct {
	ringResult
	DryRun bool `json:"dry_run"`
	TTL    int  `json:"ttl_s"`
	Type   string
	Detail string
	Errors []struct{ Field, Message string }
	Data   []map[string]any
	Added  int
	failed bool
}

func (s said) code() string { return s.Type[strings.Index(s.Type, "#")+1:] }

func (s said) fields() (names []string) {
	for _, e := range s.Errors {
		names = append(names, e.Field)
	}
	return names
}

// asks calls a tool with JSON.
func (m model) asks(tool, arguments string) said {
	m.t.Helper()
	s, err := m.tries(m.t.Context(), tool, arguments)
	must(m.t, err)
	return s
}

func (m model) tries(ctx context.Context, tool, arguments string) (s said, err error) {
	m.t.Helper()
	result, err := m.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
	if err != nil {
		return s, err
	}
	if len(result.Content) != 1 {
		m.t.Fatalf("%s %s: %d contents", tool, arguments, len(result.Content))
	}
	text := result.Content[0].(*mcp.TextContent).Text
	must(m.t, json.Unmarshal([]byte(text), &s))
	if s.failed = result.IsError; s.failed == (result.StructuredContent != nil) {
		m.t.Errorf("%s %s: an error with structured content, or a result without: %s", tool, arguments, text)
	}
	return s, nil
}

// watched is a switchboard that says when somebody waits for a ring, and when no longer.
type watched struct {
	Board
	on         atomic.Bool
	came, left chan struct{}
}

func (w *watched) Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64,
	tell func([]tenants.Fact, *tenants.Ring) error) error {
	first := w.on.Load()
	counted := false
	err := w.Board.Watch(ctx, t, id, after, func(f []tenants.Fact, r *tenants.Ring) error {
		err := tell(f, r)
		if first && err == nil {
			first, counted = false, true
			w.came <- struct{}{}
		}
		return err
	})
	if counted {
		w.left <- struct{}{}
	}
	return err
}

// TestMCP is a conversation with the SDK's own client, over HTTP.
func TestMCP(t *testing.T) {
	t.Parallel()
	h := open(t)
	ours, theirs := h.tenant("ours", "Ours"), h.tenant("theirs", canary)
	waits := &watched{Board: h.api.Board, came: make(chan struct{}, 9), left: make(chan struct{}, 9)}
	h.api.Board = waits
	m := h.model(t, ours.key)

	t.Run("lists what the key may do", func(t *testing.T) {
		for key, want := range map[tenants.Secret]string{
			ours.key: "add_note cancel_ring get_ring list_devices list_groups list_people " +
				"ring_group ring_person",
			ours.newKey(true, tenants.RingsRead):   "get_ring",
			ours.newKey(true, tenants.AgentsWrite): "",
		} {
			list, err := h.model(t, key).session.ListTools(t.Context(), nil)
			must(t, err)
			names := []string{}
			for _, tool := range list.Tools {
				names = append(names, tool.Name)
				if len(tool.Description) < 80 || tool.Title == "" || tool.OutputSchema == nil {
					t.Errorf("%s is hardly described: %+v", tool.Name, tool)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("a key sees %q, want %q", got, want)
			}
		}
	})

	t.Run("refuses a tool whose scope the key lacks", func(t *testing.T) {
		reader := h.model(t, ours.newKey(false, tenants.RingsRead))
		for tool, scope := range map[string]string{"ring_person": "rings:write", "cancel_ring": "rings:write",
			"ring_group": "rings:write", "list_groups": "groups:read", "list_people": "devices:read",
			"list_devices": "devices:read", "add_note": "notes:write"} {
			if got := reader.asks(tool, `{}`); got.code() != "missing_scope" || !strings.Contains(got.Detail, scope) {
				t.Errorf("%s: %+v", tool, got)
			}
		}
		audits, _, err := ours.scope().Audits().List(t.Context(), store.AuditQuery{Refused: true})
		must(t, err)
		recorded := map[string]string{}
		for _, a := range audits {
			recorded[a.Target] = a.Detail
		}
		if len(audits) != 7 || recorded["tool ring_person"] != "rings:write" {
			t.Errorf("refused tools are recorded as %v", recorded)
		}
	})

	t.Run("finds people and devices", func(t *testing.T) {
		people := m.asks("list_people", `{"q":"OURS"}`)
		if len(people.Data) != 1 || people.Data[0]["person"] != "person-Ours" || people.Data[0]["active_devices"] != 1.0 {
			t.Errorf("people: %+v", people)
		}
		devices := m.asks("list_devices", `{"person":"person-Ours","limit":1}`)
		if len(devices.Data) != 1 || devices.Data[0]["device"] != string(ours.device) || devices.Data[0]["state"] != "active" {
			t.Errorf("devices: %+v", devices)
		}
	})

	t.Run("decides without ringing", func(t *testing.T) {
		before, pushes := ours.dump(), h.apple.count()
		got := m.asks("ring_person", `{"person":"person-Ours","reason":"test","dry_run":true,"ttl_s":7,"idempotency_key":"k"}`)
		if !got.DryRun || got.Devices != 1 || got.TTL != 7 || got.Ring != "" {
			t.Errorf("dry run: %+v", got)
		}
		if got := m.asks("ring_person", `{"person":"nobody","reason":"test","dry_run":true}`); got.code() != "no_devices" {
			t.Errorf("dry run of nobody: %+v", got)
		}
		if after := ours.dump(); after != before || h.apple.count() != pushes {
			t.Errorf("a dry run wrote or pushed:\n%s\nwas\n%s", after, before)
		}
	})

	t.Run("rings once", func(t *testing.T) {
		ask := `{"person":"person-Ours","reason":"The visitor is at the door.","idempotency_key":"door-1"}`
		before, first := h.apple.count(), m.asks("ring_person", ask)
		again := m.asks("ring_person", ask)
		if first.Ring == "" || again.Ring != first.Ring || first.Repeated || !again.Repeated ||
			first.Meaning == "" || first.Next == "" {
			t.Errorf("first %+v, again %+v", first, again)
		}
		if got := m.asks("ring_person", strings.Replace(ask, "person-Ours", "nobody", 1)); got.code() != "idempotency_mismatch" &&
			got.code() != "no_devices" {
			t.Errorf("the same key for another person: %+v", got)
		}
		audits, _, err := ours.scope().Audits().List(t.Context(), store.AuditQuery{Action: "ring.place", Limit: 9})
		must(t, err)
		if len(audits) != 1 || audits[0].Detail != "The visitor is at the door." {
			t.Errorf("audit: %+v", audits)
		}
		ended := m.asks("cancel_ring", fmt.Sprintf(`{"ring":%q,"reason":"They left."}`, first.Ring))
		if ended.State != "cancelled" || !ended.Ended {
			t.Errorf("cancelled: %+v", ended)
		}
		audits, _, err = ours.scope().Audits().List(t.Context(), store.AuditQuery{Action: "ring.cancel", Limit: 9})
		must(t, err)
		if len(audits) != 1 || !strings.HasSuffix(audits[0].Detail, ": They left.") {
			t.Errorf("audit: %+v", audits)
		}
		if got := m.asks("get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25}`, first.Ring)); got.State != "cancelled" {
			t.Errorf("waiting for an ended ring: %+v", got)
		}
		if n := h.apple.count() - before; n > 1 {
			t.Errorf("%d pushes", n)
		}
	})

	t.Run("waits for a change", func(t *testing.T) {
		ring := m.asks("ring_person", fmt.Sprintf(`{"device":%q,"reason":"test"}`, ours.device)).Ring
		for state := "placed"; state != "pushed"; {
			state = m.asks("get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":"placed"}`, ring)).State
		}
		for _, wait := range []string{"0.01", "1e-9"} { // the second is over before the ring is read
			if got := m.asks("get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":%s,"seen_state":"pushed"}`, ring, wait)); got.State != "pushed" {
				t.Errorf("nothing changed in %s s: %+v", wait, got)
			}
		}
		waits.on.Store(true)
		answered := make(chan said, 1)
		go func() {
			s, err := m.tries(t.Context(), "get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":"pushed"}`, ring))
			if err != nil {
				t.Error(err)
			}
			answered <- s
		}()
		<-waits.came
		if got := m.asks("cancel_ring", fmt.Sprintf(`{"ring":%q,"reason":"test"}`, ring)); got.State != "cancelled" {
			t.Errorf("cancelled: %+v", got)
		}
		if got := <-answered; got.State != "cancelled" || !got.Ended {
			t.Errorf("waited: %+v", got)
		}
		<-waits.left
		waits.on.Store(false)
	})

	t.Run("ends a wait that nobody wants", func(t *testing.T) {
		ring := m.asks("ring_person", fmt.Sprintf(`{"device":%q,"reason":"test","ttl_s":60}`, ours.device)).Ring
		state := m.asks("get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":"placed"}`, ring)).State
		waits.on.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan struct{})
		other := h.model(t, ours.key)
		go func() {
			defer close(left)
			_, _ = other.tries(ctx, "get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":%q}`, ring, state))
		}()
		<-waits.came
		cancel()
		<-left
		<-waits.left
		waits.on.Store(false)
		m.asks("cancel_ring", fmt.Sprintf(`{"ring":%q,"reason":"test"}`, ring))
	})

	t.Run("names what is wrong", func(t *testing.T) {
		foreign := theirs.ring("")
		story := h.stream(ask{method: "GET", path: "/v1/rings/" + foreign.ID + "/events", key: theirs.key})
		for next(t, story)["event"] != "accepted" { // else the push would still be writing during the comparison
		}
		before := theirs.dump()
		long := strings.Repeat("x", 201)
		for _, tc := range []struct{ tool, arguments, code, fields string }{
			{"ring_person", `{}`, "invalid", "person"},
			{"ring_person", `{"person":"a","device":"b","reason":"x"}`, "invalid", "device"},
			{"ring_person", `{"person":"a b","reason":"x"}`, "invalid", "person"},
			{"ring_person", `{"person":"person-Ours"}`, "invalid", "reason"},
			{"ring_person", `{"person":"person-Ours","reason":"` + long + `"}`, "invalid", "reason"},
			{"ring_person", `{"person":"person-Ours","reason":"x","ttl_s":0.5}`, "invalid", "ttl_s"},
			{"ring_person", `{"person":"person-Ours","reason":"x","ttl_s":4}`, "invalid", "ttl_s"},
			{"ring_person", `{"person":"person-Ours","reason":"x","urgent":true}`, "invalid", "urgent"},
			{"ring_person", `{"person":7,"reason":"x"}`, "invalid", "person"},
			{"ring_person", `{"person":"person-Ours","reason":"x","idempotency_key":""}`, "invalid", "idempotency_key"},
			{"ring_person", `{"device":"` + string(theirs.device) + `","reason":"x"}`, "not_found", ""},
			{"get_ring", `{"ring":"nonsense"}`, "not_found", ""},
			{"get_ring", `{"ring":"` + foreign.ID + `"}`, "not_found", ""},
			{"get_ring", `{"ring":"` + foreign.ID + `","wait_s":25}`, "not_found", ""},
			{"get_ring", `{"ring":"x","wait_s":-1}`, "not_found", ""},
			{"get_ring", `{"ring":"` + foreign.ID + `","wait_s":26,"seen_state":"gone"}`, "invalid", "wait_s,seen_state"},
			{"get_ring", `[]`, "invalid", "arguments"},
			{"cancel_ring", `{"ring":"` + foreign.ID + `","reason":"x"}`, "not_found", ""},
			{"list_people", `{"limit":201}`, "invalid", "limit"},
			{"list_devices", `{"person":"a b"}`, "invalid", "person"},
			{"add_note", `{"ring":"` + foreign.ID + `","summary":"x"}`, "not_found", ""},
			{"add_note", `{"ring":"` + foreign.ID + `"}`, "invalid", "lines"},
		} {
			got := m.asks(tc.tool, tc.arguments)
			if !got.failed || got.code() != tc.code || strings.Join(got.fields(), ",") != tc.fields || got.Detail == "" {
				t.Errorf("%s %.90s: %s %v %q, want %s %s", tc.tool, tc.arguments, got.code(), got.fields(), got.Detail, tc.code, tc.fields)
			}
			if strings.Contains(fmt.Sprint(got), canary) {
				t.Errorf("%s %s read a canary: %+v", tc.tool, tc.arguments, got)
			}
		}
		if after := theirs.dump(); after != before {
			t.Errorf("another tenant's rows changed:\n%s\nwas\n%s", after, before)
		}
	})

	t.Run("keeps the rules of the protocol", func(t *testing.T) {
		list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
		for _, tc := range []struct {
			name, method, body, kind string
			header                   []string
			status                   int
			code                     string
		}{
			{"a list", "POST", list, "", nil, 200, ""},
			{"its own origin", "POST", list, "", []string{"Origin", "https://carillon.example"}, 200, ""},
			{"a foreign origin", "POST", list, "", []string{"Origin", "https://evil.example"}, 403, "foreign_origin"},
			{"no origin to speak of", "POST", list, "", []string{"Origin", "null"}, 403, "foreign_origin"},
			{"JSON only", "POST", list, "", []string{"Accept", "application/json"}, 200, ""},
			{"no JSON", "POST", list, "", []string{"Accept", "text/html"}, 400, "mcp_protocol"},
			{"a known version", "POST", list, "", []string{"Mcp-Protocol-Version", "2025-11-25"}, 200, ""},
			{"an unknown version", "POST", list, "", []string{"Mcp-Protocol-Version", "1999-01-01"}, 400, "mcp_protocol"},
			{"a notification", "POST", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "", nil, 202, ""},
			{"a batch", "POST", "[" + list + "]", "", nil, 400, "mcp_batch"},
			{"a subscription", "POST", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}`, "", nil, 404, "mcp_method"},
			{"no JSON at all", "POST", `{`, "", nil, 400, "mcp_protocol"},
			{"a form", "POST", list, "application/x-www-form-urlencoded", nil, 415, "mcp_protocol"},
			{"huge arguments", "POST", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add_note",` +
				`"arguments":{"summary":"` + strings.Repeat("x", 65<<10) + `"}}}`, "", nil, 413, "too_large"},
			{"far more than that", "POST", strings.Repeat(" ", 100<<10), "", nil, 413, "too_large"},
			{"a stream", "GET", "", "", nil, 405, "method_not_allowed"},
			{"the end of a session", "DELETE", "", "", nil, 405, "method_not_allowed"},
		} {
			got := h.do(ask{method: tc.method, path: PathMCP, key: ours.key, body: tc.body, kind: tc.kind, header: tc.header})
			got.want(tc.status)
			if tc.code != "" {
				if code, _ := got.code(); code != tc.code {
					t.Errorf("%s: %s, want %s", tc.name, code, tc.code)
				}
			}
		}
		anonymous := h.do(ask{method: "POST", path: PathMCP, body: list}).want(401)
		if anonymous.header.Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	})

	t.Run("counts a wait as a stream", func(t *testing.T) {
		ring := m.asks("ring_person", fmt.Sprintf(`{"device":%q,"reason":"test","ttl_s":60}`, ours.device)).Ring
		state := m.asks("get_ring", fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":"placed"}`, ring)).State
		full := &conversation{refused: tenants.Refuse(tenants.TooMany, "too_many_streams", "full")}
		_, key, err := h.store.Tenants().OfKey(t.Context(), ours.key.Hash())
		must(t, err)
		full.caller = caller{key: key, scope: ours.scope()}
		wait := fmt.Sprintf(`{"ring":%q,"wait_s":25,"seen_state":%q}`, ring, state)
		_, err = h.api.mcp.getRing(t.Context(), full, json.RawMessage(wait))
		if tenants.KindOf(err) != tenants.TooMany {
			t.Errorf("a wait without a slot: %v", err)
		}
	})

	t.Run("keeps what was said", func(t *testing.T) {
		s := ours.scope()
		ring := m.asks("ring_person", fmt.Sprintf(`{"device":%q,"reason":"test"}`, ours.device)).Ring
		if got := m.asks("add_note", fmt.Sprintf(`{"ring":%q,"summary":"x"}`, ring)); got.code() != "no_call" {
			t.Errorf("notes of a ring that nobody answered: %+v", got)
		}
		ours.pickUp(ring)
		note := fmt.Sprintf(`{"ring":%q,"summary":"They come at nine.","lines":[`+
			`{"who":"person","at":"2026-11-24T08:00:00Z","text":"At nine."}]}`, ring)
		if got := m.asks("add_note", note); got.Added != 1 {
			t.Errorf("note: %+v", got)
		}
		if got := m.asks("add_note", note); got.Added != 0 {
			t.Errorf("the same note: %+v", got)
		}
		n, _, err := s.Notes().Get(t.Context(), tenants.RingID(ring))
		must(t, err)
		if n.Summary != "They come at nine." || len(n.Lines) != 1 {
			t.Errorf("notes: %+v", n)
		}
	})

	t.Run("rings a group", func(t *testing.T) {
		now := h.api.Now()
		team := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Name: "Night line", Way: tenants.Sequential, StepSeconds: 20,
			Members: []tenants.GroupMember{{Person: "nobody"}, {Person: "person-Ours"}}, CreatedAt: now}
		must(t, ours.scope().Groups().Add(t.Context(), team))
		if got := m.asks("list_groups", `{"q":"night"}`); len(got.Data) != 1 || got.Data[0]["group"] != string(team.ID) {
			t.Errorf("groups: %+v", got)
		}
		ask := fmt.Sprintf(`{"group":%q,"reason":"test","dry_run":true}`, team.ID)
		pushes := h.apple.count()
		dry := m.asks("ring_group", ask)
		if !dry.DryRun || dry.TTL != 20 || len(dry.Steps) != 2 || dry.Steps[0].State != "left_out" || h.apple.count() != pushes {
			t.Errorf("dry run of a group: %+v", dry)
		}
		ring := m.asks("ring_group", strings.Replace(ask, "true", "false", 1))
		if ring.Group != string(team.ID) || ring.Devices != 1 || ring.Steps[1].State != "rung" {
			t.Errorf("a ring to a group: %+v", ring)
		}
		m.asks("cancel_ring", fmt.Sprintf(`{"ring":%q,"reason":"test"}`, ring.Ring))
		for _, wrong := range []string{`{"reason":"x"}`, `{"group":"night","reason":"x"}`, `{"group":"x","person":"y","reason":"x"}`} {
			if got := m.asks("ring_group", wrong); got.code() != "invalid" {
				t.Errorf("%s: %+v", wrong, got)
			}
		}
	})
}

// TestStateWords: a model gets a sentence about each state.
func TestStateWords(t *testing.T) {
	t.Parallel()
	for _, s := range tenants.RingStates {
		w := stateWords[s]
		if w.meaning == "" || w.next == "" || strings.Contains(w.next, "wait_s") == s.Terminal() {
			t.Errorf("%s: %+v", s, w)
		}
		if n := strings.Count(string(mcpWords), `"`+string(s)+`"`); n < 2 { // of a ring, and what the model has seen
			t.Errorf("mcp.json has %s %d times", s, n)
		}
	}
	if len(stateWords) != len(tenants.RingStates) {
		t.Error("words about a state that is none")
	}
}

// TestMCPSurvivesNonsense sends every method of the protocol with parameters of every wrong form.
// The SDK reads them on a goroutine of its own: a panic there would end the server.
func TestMCPSurvivesNonsense(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	methods := []string{"initialize", "notifications/initialized", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get",
		"resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
		"completion/complete", "logging/setLevel", "roots/list", "sampling/createMessage", "elicitation/create", "server/discover",
		"subscriptions/listen", "notifications/cancelled", "notifications/progress", "notifications/roots/list_changed",
		"notifications/message", "tasks/get", "", "\u0000"}
	deep := strings.Repeat("[", 2000) + strings.Repeat("]", 2000)
	params := []string{"", "null", "{}", "[]", "7", `"x"`, "true", deep, `{"name":null}`, `{"name":7,"arguments":7}`,
		`{"name":"get_ring","arguments":null}`, `{"name":"get_ring","arguments":"x"}`,
		`{"name":"get_ring","arguments":{"ring":` + deep + `}}`,
		`{"name":"nothing"}`, `{"_meta":null}`, `{"_meta":7}`, `{"_meta":{"progressToken":{}}}`, `{"requestId":{},"reason":7}`,
		`{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}`, `{"protocolVersion":7,"capabilities":[],"clientInfo":"x"}`,
		`{"level":7}`, `{"uri":7}`, `{"ref":{"type":"x"},"argument":null}`, `{"cursor":"\u0000"}`}
	versions := []string{"", "2025-06-18", "2026-07-28"}
	ids := []string{`"id":1,`, `"id":null,`, `"id":{},`, `"id":1.5,`, `"id":"x",`, ""}
	for i, method := range methods {
		for j, p := range params {
			name, err := json.Marshal(method)
			must(t, err)
			body := `{"jsonrpc":"2.0",` + ids[(i+j)%len(ids)] + `"method":` + string(name)
			if p != "" {
				body += `,"params":` + p
			}
			q := ask{method: "POST", path: PathMCP, key: a.key, body: body + "}"}
			if version := versions[(i+j/2)%len(versions)]; version != "" {
				q.header = []string{"Mcp-Protocol-Version", version, "Mcp-Method", strings.Trim(method, "\u0000")}
			}
			nonsense(t, h.url, q)
		}
	}
	for _, body := range []string{`{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":1,"error":null}`, `{"jsonrpc":"1.0"}`,
		`{}`, `null`, `7`, `""`, ``, `{"jsonrpc":"2.0","id":1,"method":7}`, deep, "\xff"} {
		nonsense(t, h.url, ask{method: "POST", path: PathMCP, key: a.key, body: body, kind: "application/json"})
	}
}

// nonsense sends a request that may get any answer but a failure of ours.
func nonsense(t *testing.T, url string, q ask) {
	t.Helper()
	got, err := http.DefaultClient.Do(q.request(t, url))
	must(t, err)
	defer got.Body.Close()
	_, _ = io.Copy(io.Discard, got.Body)
	if got.StatusCode >= 500 {
		t.Errorf("%.300s: %d", q.body, got.StatusCode)
	}
}
