package api

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// tool is one thing that a model can do. do gets the arguments as they were sent.
type tool struct {
	needs tenants.Permission
	do    func(context.Context, *conversation, json.RawMessage) (any, error)
}

// list lists the tools that mcp.json describes.
func (m *mcpServer) list() map[string]tool {
	return map[string]tool{
		"ring_person":  {tenants.RingsWrite, m.ringPerson},
		"ring_group":   {tenants.RingsWrite, m.ringGroup},
		"list_groups":  {tenants.GroupsRead, m.listGroups},
		"get_ring":     {tenants.RingsRead, m.getRing},
		"cancel_ring":  {tenants.RingsWrite, m.cancelRing},
		"list_people":  {tenants.DevicesRead, m.listPeople},
		"list_devices": {tenants.DevicesRead, m.listDevices},
		"add_note":     {tenants.NotesWrite, m.addNote},
	}
}

//go:embed mcp.json
var mcpWords []byte

// describedTools reads mcp.json. A tool without a schema of its result answers with a ring.
func describedTools() ([]*mcp.Tool, error) {
	var words struct {
		Ring  json.RawMessage `json:"ring"`
		Tools []*mcp.Tool     `json:"tools"`
	}
	if err := json.Unmarshal(mcpWords, &words); err != nil {
		return nil, fmt.Errorf("mcp.json: %w", err)
	}
	for _, t := range words.Tools {
		if t.OutputSchema == nil {
			t.OutputSchema = words.Ring
		}
	}
	return words.Tools, nil
}

// call runs a tool. A refusal becomes the result of the tool, with cause and cure, because a model
// sees no protocol errors. A panic is one too: it would end the server, on the SDK's goroutine.
func (m *mcpServer) call(name string, t tool) mcp.ToolHandler {
	return func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		c, ok := ctx.Value(conversationKey{}).(*conversation)
		if !ok {
			return nil, errors.New("mcp: a tool was called outside a conversation")
		}
		var result any
		err := web.Recovered(func() (err error) {
			if !c.key.May(t.needs) {
				return c.lacks(name, t.needs)
			}
			result, err = t.do(c.ctx, c, r.Params.Arguments)
			return err
		})
		if err != nil {
			return m.failed(c, name, err), nil
		}
		text, err := json.Marshal(result)
		if err != nil {
			return nil, err
		}
		content := []mcp.Content{&mcp.TextContent{Text: string(text)}}
		return &mcp.CallToolResult{Content: content, StructuredContent: json.RawMessage(text)}, nil
	}
}

// lacks records that the key may not use a tool, and returns the refusal. A flood of attempts is
// not recorded one by one.
func (c *conversation) lacks(tool string, needs tenants.Permission) error {
	why := lacks(needs)
	if c.mayWrite() != nil {
		return why
	}
	if err := c.scope.Audits().Refused(c.ctx, "access.refuse", "tool "+tool, string(needs)); err != nil {
		return err
	}
	return why
}

func (m *mcpServer) failed(c *conversation, tool string, err error) *mcp.CallToolResult {
	refusal := web.Refused(err, m.api.PublicURL, c.Caller.RequestID)
	if refusal.Ours {
		m.api.Log.Error("tool failed", "tool", tool, "request_id", refusal.RequestID, "err", err)
	}
	text, _ := json.Marshal(refusal) // strings and a number always marshal
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: string(text)}}}
}

// arguments reads a tool's arguments. Omitted ones are an empty object.
func arguments(raw json.RawMessage, dst any) error {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	if raw[0] != '{' {
		return wrong("arguments", "an object")
	}
	err := web.ReadJSON(raw, dst)
	var e *tenants.Error
	if errors.As(err, &e) && len(e.Fields) > 0 {
		return invalid(e.Fields, correctArguments)
	}
	return err
}

// correctArguments is the detail of a call with wrong arguments.
const correctArguments = "Correct the arguments that errors names, and call the tool again."

// wrong refuses one argument.
func wrong(name, message string) error {
	return invalid([]tenants.Field{{Name: name, Message: message}}, correctArguments)
}

// flat renames the fields of a refusal of /v1, where to is an object.
func flat(err error) error {
	var e *tenants.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	fields := make([]tenants.Field, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = f
		if f.Name == "to" {
			fields[i].Name = "person"
		}
		fields[i].Name = strings.TrimPrefix(fields[i].Name, "to.")
	}
	return invalid(fields, correctArguments)
}

// reason checks why a model acts.
func reason(s string) (string, error) {
	s = tenants.TrimLabel(s)
	if !tenants.ValidText(s, 1, 200) {
		return "", wrong("reason", "1 to 200 characters that say why you do this, without control characters")
	}
	return s, nil
}

// ringOf reads the id of a ring.
func ringOf(id string) (tenants.RingID, error) {
	ring, ok := tenants.ParseID[tenants.RingID](id)
	if !ok {
		return "", tenants.NoSuch("ring")
	}
	return ring, nil
}

// ringResult is a ring as a model sees it: what matters next, and no detail of Apple's. What is not
// known is left out: a model reads every word.
type ringResult struct {
	Ring       string  `json:"ring"`
	State      string  `json:"state"`
	Meaning    string  `json:"meaning"`
	Next       string  `json:"next"`
	Ended      bool    `json:"ended"`
	EndReason  string  `json:"end_reason,omitempty"`
	EndDetail  string  `json:"end_detail,omitempty"`
	Person     string  `json:"person,omitempty"`
	Group      string  `json:"group,omitempty"`
	Devices    int     `json:"devices"`
	CreatedAt  string  `json:"created_at"`
	ExpiresAt  string  `json:"expires_at"`
	AnsweredAt string  `json:"answered_at,omitempty"`
	EndedAt    string  `json:"ended_at,omitempty"`
	Talked     float64 `json:"talked_s,omitempty"`
	Repeated   bool    `json:"repeated,omitempty"`

	Steps []stepResult `json:"steps,omitempty"`
}

func resultOf(r *tenants.Ring) ringResult {
	words := stateWords[r.State]
	v := ringResult{
		Ring: string(r.ID), State: string(r.State), Meaning: words.meaning, Next: words.next, Ended: r.State.Terminal(),
		EndReason: string(r.EndReason), EndDetail: r.EndReason.Sentence(), Person: r.To.Person, Devices: len(r.Attempts),
		Group: string(r.To.Group), Steps: stepsOf(r),
		CreatedAt: stamp(r.CreatedAt), ExpiresAt: stamp(r.ExpiresAt), EndedAt: known(r.EndedAt),
	}
	if r.Call != nil {
		v.AnsweredAt = known(r.Call.AnsweredAt)
		if talked, ok := r.Call.Talked(); ok {
			v.Talked = talked.Seconds()
		}
	}
	return v
}

// known is a time in JSON, empty if it is zero.
func known(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

// dryResult is what ring_person would do.
type dryResult struct {
	DryRun  bool   `json:"dry_run"`
	Meaning string `json:"meaning"`
	Next    string `json:"next"`
	Person  string `json:"person,omitempty"`
	Group   string `json:"group,omitempty"`
	Devices int    `json:"devices"`
	Caller  string `json:"caller,omitempty"`
	TTL     int    `json:"ttl_s"`

	Steps []stepResult `json:"steps,omitempty"`
}

func (m *mcpServer) ringPerson(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Person         *string `json:"person"`
		Device         *string `json:"device"`
		Reason         string  `json:"reason"`
		Agent          *string `json:"agent"`
		Caller         string  `json:"caller"`
		TTL            *int64  `json:"ttl_s"`
		Reference      *string `json:"reference"`
		IdempotencyKey *string `json:"idempotency_key"`
		DryRun         bool    `json:"dry_run"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	body := ringRequest{Agent: in.Agent, Caller: in.Caller, TTL: in.TTL, Reference: in.Reference}
	body.To.Device, body.To.Person = in.Device, in.Person
	q, err := body.request()
	if err != nil {
		return nil, flat(err)
	}
	return m.place(ctx, c, q, in.Reason, in.IdempotencyKey, in.DryRun)
}

// place rings, or with dry says what would ring. key is that of a repeat, if there is one.
func (m *mcpServer) place(ctx context.Context, c *conversation, q tenants.Request, why string, key *string, dry bool) (_ any, err error) {
	as := c.Caller
	if as.Reason, err = reason(why); err != nil {
		return nil, err
	}
	if dry {
		r, err := m.api.Board.Decide(ctx, as, q)
		if err != nil {
			return nil, err
		}
		v := dryResult{DryRun: true, Meaning: dryMeaning, Next: dryNext, Person: r.To.Person, Devices: len(r.Attempts),
			Caller: r.Caller, TTL: int(r.ExpiresAt.Sub(r.CreatedAt) / time.Second), Group: string(r.To.Group), Steps: stepsOf(r)}
		if v.Group != "" {
			v.Meaning, v.Next = dryGroupMeaning, dryGroupNext
		}
		return v, nil
	}
	var once store.Idempotency
	if key != nil {
		if checkIdempotencyKey(*key) != nil {
			return nil, wrong("idempotency_key", "1 to 255 printable ASCII characters")
		}
		once = store.Idempotency{Key: *key, Body: fingerprint(q)}
	}
	r, repeated, err := m.api.Board.Place(ctx, as, q, once)
	if err != nil {
		return nil, err
	}
	v := resultOf(r)
	v.Repeated = repeated
	return v, nil
}

// getRing reads a ring. With wait_s it waits for another state than the one that the model has
// seen.
func (m *mcpServer) getRing(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Ring string  `json:"ring"`
		Wait float64 `json:"wait_s"`
		Seen string  `json:"seen_state"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	id, err := ringOf(in.Ring)
	if err != nil {
		return nil, err
	}
	var faults []tenants.Field
	if in.Wait < 0 || in.Wait > mostWait.Seconds() {
		faults = append(faults, tenants.Field{Name: "wait_s", Message: "0 to 25 seconds"})
	}
	if _, known := stateWords[tenants.State(in.Seen)]; in.Seen != "" && !known {
		faults = append(faults, tenants.Field{Name: "seen_state", Message: "a state that get_ring or ring_person answered with"})
	}
	if err := invalid(faults, correctArguments); err != nil {
		return nil, err
	}
	if c.patient {
		return m.await(ctx, c, id, time.Duration(in.Wait*float64(time.Second)))
	}
	r, err := c.scope.Rings().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Wait > 0 && !r.State.Terminal() && (in.Seen == "" || in.Seen == string(r.State)) {
		if c.refused != nil {
			return nil, c.refused
		}
		c.waits, c.state = true, r.State
	}
	return resultOf(r), nil
}

// await waits until the ring has another state than c.state. After the time it gives the ring as it
// is. A key that may no longer read gets nothing of it.
func (m *mcpServer) await(ctx context.Context, c *conversation, id tenants.RingID, wait time.Duration) (any, error) {
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var last *tenants.Ring
	err := m.api.Board.Watch(short, c.Tenant.ID, id, 0, func(_ []tenants.Fact, r *tenants.Ring) error {
		if last = r; r.State != c.state {
			return errOver
		}
		return nil
	})
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	if _, _, err := m.api.keyOf(after, c.hash, tenants.RingsRead, c.IP); err != nil {
		return nil, err
	}
	if last == nil && ctx.Err() == nil && short.Err() != nil { // the time was over before the first look
		last, err = c.scope.Rings().Get(after, id)
	}
	if last == nil {
		return nil, cmp.Or(err, context.DeadlineExceeded)
	}
	return resultOf(last), nil
}

func (m *mcpServer) cancelRing(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Ring   string `json:"ring"`
		Reason string `json:"reason"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	id, err := ringOf(in.Ring)
	if err != nil {
		return nil, err
	}
	as := c.Caller
	if as.Reason, err = reason(in.Reason); err != nil {
		return nil, err
	}
	r, err := m.api.Board.Cancel(ctx, as, id)
	if err != nil {
		return nil, err
	}
	return resultOf(r), nil
}

// addNote writes down what was said in a call. It repeats harmlessly, like POST …/notes.
func (m *mcpServer) addNote(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Ring string `json:"ring"`
		notesRequest
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	id, err := ringOf(in.Ring)
	if err != nil {
		return nil, err
	}
	n, err := in.notes()
	if err != nil {
		return nil, flat(err)
	}
	if err := c.mayWrite(); err != nil {
		return nil, err
	}
	all, added, err := c.scope.Notes().Add(ctx, id, n)
	if err != nil {
		return nil, err
	}
	return notesAdded{Ring: string(id), Added: added, Lines: len(all.Lines)}, nil
}
