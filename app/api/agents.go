package api

import (
	"cmp"
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/web"
	"carillon/tenants"
)

type agentRequest struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind"`
	Caller  string          `json:"caller"`
	Attach  int             `json:"attach_s"`
	Builtin *builtinRequest `json:"builtin"`
	Stream  *streamRequest  `json:"stream"`
	OpenAI  *openAIRequest  `json:"openai"`
	Pipecat *pipecatRequest `json:"pipecat"`
	WebRTC  *webRTCAgent    `json:"webrtc"`
	handover
}

// agentChange is the body of PATCH /v1/agents/{id}: omitted fields stay.
type agentChange struct {
	Name    *string         `json:"name"`
	Kind    *string         `json:"kind"`
	Caller  *string         `json:"caller"`
	Attach  *int            `json:"attach_s"`
	Builtin *builtinRequest `json:"builtin"`
	Stream  *streamRequest  `json:"stream"`
	OpenAI  *openAIRequest  `json:"openai"`
	Pipecat *pipecatRequest `json:"pipecat"`
	WebRTC  *webRTCAgent    `json:"webrtc"`
	handover
}

// handover says when an agent takes a call, and what happens when it does not. Omitted fields stay.
type handover struct {
	When *string   `json:"attach"`
	Next *[]string `json:"next"`
	Lost *string   `json:"lost"`
}

// apply changes the agent. An id that is none is refused as one that no agent has.
func (h handover) apply(a *tenants.Agent) error {
	set((*string)(&a.Attach), h.When)
	set((*string)(&a.Lost), h.Lost)
	if h.Next == nil {
		return nil
	}
	a.Next = nil
	for _, text := range *h.Next {
		id, ok := tenants.ParseID[tenants.AgentID](text)
		if !ok {
			return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
				Fields: []tenants.Field{{Name: "next", Message: "the id of each agent that comes next"}}}
		}
		a.Next = append(a.Next, id)
	}
	return nil
}

// builtinRequest holds the settings of a built-in agent. Omitted fields stay.
type builtinRequest struct {
	Program *string `json:"program"`
}

func (r *builtinRequest) apply(a *tenants.Agent) {
	if r == nil {
		return
	}
	s := tenants.BuiltinAgent{Program: a.Program()}
	if a.Builtin != nil {
		s = *a.Builtin
	}
	set((*string)(&s.Program), r.Program)
	a.Builtin = &s
}

// streamRequest holds the settings of a stream agent. Omitted fields stay.
type streamRequest struct {
	Direction  *string            `json:"direction"`
	URL        *string            `json:"url"`
	Dialect    *string            `json:"dialect"`
	Parameters *map[string]string `json:"parameters"`
	AuthToken  *string            `json:"auth_token"`
}

// apply changes the agent's settings. Wrong values are found by tenants.Agent.Check.
func (r *streamRequest) apply(a *tenants.Agent) error {
	if r == nil {
		return nil
	}
	s := tenants.StreamAgent{}
	if a.Stream != nil {
		s = *a.Stream
	}
	set((*string)(&s.Direction), r.Direction)
	set(&s.URL, r.URL)
	set((*string)(&s.Dialect), r.Dialect)
	set(&s.Parameters, r.Parameters)
	a.Stream = &s
	if a.Kind == tenants.Stream && r.AuthToken != nil {
		a.Secret = r.AuthToken
	}
	return nil
}

// openAIRequest holds the settings of an agent of OpenAI. Omitted fields stay.
type openAIRequest struct {
	Model        *string `json:"model"`
	Voice        *string `json:"voice"`
	Instructions *string `json:"instructions"`
	APIKey       *string `json:"api_key"`
}

func (r *openAIRequest) apply(a *tenants.Agent) {
	if r == nil {
		return
	}
	s := tenants.OpenAIAgent{}
	if a.OpenAI != nil {
		s = *a.OpenAI
	}
	set(&s.Model, r.Model)
	set(&s.Voice, r.Voice)
	set(&s.Instructions, r.Instructions)
	a.OpenAI = &s
	if a.Kind == tenants.OpenAI && r.APIKey != nil {
		a.Secret = r.APIKey
	}
}

// pipecatRequest holds the settings of a bot of pipecat. Omitted fields stay.
type pipecatRequest struct {
	URL     *string            `json:"url"`
	Headers *map[string]string `json:"headers"`
}

func (r *pipecatRequest) apply(a *tenants.Agent) {
	if r == nil {
		return
	}
	s := tenants.PipecatAgent{}
	if a.Pipecat != nil {
		s = *a.Pipecat
	}
	set(&s.URL, r.URL)
	if a.Kind == tenants.Pipecat && r.Headers != nil {
		secret, names := tenants.WriteHeaders(*r.Headers)
		s.Headers, a.Secret = names, &secret
	}
	a.Pipecat = &s
}

type agent struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Caller    *string       `json:"caller"`
	Default   bool          `json:"default"`
	CreatedAt string        `json:"created_at"`
	Attach    string        `json:"attach"`
	AttachS   *int          `json:"attach_s,omitempty"`
	Next      []string      `json:"next"`
	Lost      string        `json:"lost"`
	Builtin   *builtinAgent `json:"builtin,omitempty"`
	Stream    *streamAgent  `json:"stream,omitempty"`
	OpenAI    *openAIAgent  `json:"openai,omitempty"`
	Pipecat   *pipecatAgent `json:"pipecat,omitempty"`
	WebRTC    *webRTCAgent  `json:"webrtc,omitempty"`
}

// webRTCAgent has no settings.
type webRTCAgent struct{}

type builtinAgent struct {
	Program string  `json:"program"`
	Seconds float64 `json:"announcement_s,omitempty"`
}

func builtinOf(a tenants.Agent) *builtinAgent {
	if a.Kind != tenants.Builtin {
		return nil
	}
	shown := builtinAgent{Program: string(a.Program())}
	if a.Builtin != nil {
		shown.Seconds = float64(a.Builtin.SoundMS) / 1000
	}
	return &shown
}

type openAIAgent struct {
	Model        string `json:"model"`
	Voice        string `json:"voice"`
	Instructions string `json:"instructions"`
	HasAPIKey    bool   `json:"has_api_key"`
}

type pipecatAgent struct {
	URL     string   `json:"url"`
	Headers []string `json:"headers"`
}

type streamAgent struct {
	Direction    string            `json:"direction"`
	URL          string            `json:"url"`
	Dialect      string            `json:"dialect"`
	Parameters   map[string]string `json:"parameters"`
	HasAuthToken bool              `json:"has_auth_token"`
}

func streamOf(a tenants.Agent) *streamAgent {
	if a.Stream == nil {
		return nil
	}
	s := streamAgent{
		Direction: string(cmp.Or(a.Stream.Direction, tenants.DirectionDial)), URL: a.Stream.URL, Dialect: string(a.Stream.Dialect),
		Parameters: a.Stream.Parameters, HasAuthToken: a.HasSecret,
	}
	if s.Parameters == nil {
		s.Parameters = map[string]string{}
	}
	return &s
}

func openAIOf(a tenants.Agent) *openAIAgent {
	if a.OpenAI == nil {
		return nil
	}
	return &openAIAgent{Model: a.OpenAI.Model, Voice: a.OpenAI.Voice, Instructions: a.OpenAI.Instructions, HasAPIKey: a.HasSecret}
}

func pipecatOf(a tenants.Agent) *pipecatAgent {
	if a.Pipecat == nil {
		return nil
	}
	return &pipecatAgent{URL: a.Pipecat.URL, Headers: append([]string{}, a.Pipecat.Headers...)}
}

// agentOf returns a function that shows an agent of t, which knows its default agent.
func agentOf(t tenants.Tenant) func(tenants.Agent) agent {
	return func(a tenants.Agent) agent {
		shown := agent{
			ID: string(a.ID), Name: a.Name, Kind: string(a.Kind), Caller: opt(a.Caller), Default: a.ID == t.DefaultAgent,
			CreatedAt: stamp(a.CreatedAt), Attach: string(a.Attach), Next: []string{}, Lost: string(a.Lost), Stream: streamOf(a),
			Builtin: builtinOf(a), OpenAI: openAIOf(a), Pipecat: pipecatOf(a),
		}
		if a.Kind == tenants.WebRTC {
			shown.WebRTC = &webRTCAgent{}
		}
		for _, id := range a.Next {
			shown.Next = append(shown.Next, string(id))
		}
		if a.AttachSeconds > 0 {
			shown.AttachS = &a.AttachSeconds
		}
		return shown
	}
}

// checkAgent refuses an agent that breaks a rule, or whose address we do not connect to.
func (a *API) checkAgent(ctx context.Context, k caller, made tenants.Agent) error {
	if err := made.Check(); err != nil {
		return err
	}
	return connections.NoteRefused(ctx, k.scope, connections.OfAgent, a.CheckAgent(made))
}

// addAgent: POST /v1/agents.
func (a *API) addAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body agentRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	now := a.Now()
	made := tenants.Agent{
		ID: tenants.NewID[tenants.AgentID](now), Tenant: k.Tenant.ID, Name: tenants.TrimLabel(body.Name),
		Kind:   tenants.AgentKind(body.Kind),
		Caller: tenants.TrimLabel(body.Caller), AttachSeconds: body.Attach, CreatedAt: now,
	}
	if err := cmp.Or(body.Stream.apply(&made), body.handover.apply(&made)); err != nil {
		return err
	}
	body.Builtin.apply(&made)
	body.OpenAI.apply(&made)
	body.Pipecat.apply(&made)
	made = made.Clean()
	if err := a.checkAgent(ctx, k, made); err != nil {
		return err
	}
	if err := k.scope.Agents().Add(ctx, made); err != nil {
		return err
	}
	made.HasSecret = made.Secret != nil && *made.Secret != ""
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/agents/"+string(made.ID))
	return reply(c, fiber.StatusCreated, agentOf(k.Tenant)(made))
}

// listAgents: GET /v1/agents.
func (a *API) listAgents(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Agents().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, agentOf(k.Tenant)))
}

// showAgent: GET /v1/agents/{id}.
func (a *API) showAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	found, err := k.scope.Agents().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, agentOf(k.Tenant)(found))
}

// changeAgent: PATCH /v1/agents/{id}.
func (a *API) changeAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	var body agentChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	found, err := k.scope.Agents().Get(ctx, id)
	if err != nil {
		return err
	}
	label(&found.Name, body.Name)
	label(&found.Caller, body.Caller)
	if body.Kind != nil && tenants.AgentKind(*body.Kind) != found.Kind {
		found.Kind, found.Secret, found.HasSecret = tenants.AgentKind(*body.Kind), new(string), false // a secret is of one kind
	}
	set(&found.AttachSeconds, body.Attach)
	if err := cmp.Or(body.Stream.apply(&found), body.handover.apply(&found)); err != nil {
		return err
	}
	body.Builtin.apply(&found)
	body.OpenAI.apply(&found)
	body.Pipecat.apply(&found)
	found = found.Clean()
	if err := a.checkAgent(ctx, k, found); err != nil {
		return err
	}
	if err := k.scope.Agents().Set(ctx, found); err != nil {
		return err
	}
	if found.Secret != nil {
		found.HasSecret = *found.Secret != ""
	}
	return reply(c, fiber.StatusOK, agentOf(k.Tenant)(found))
}

// removeAgent: DELETE /v1/agents/{id}.
func (a *API) removeAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	if err := k.scope.Agents().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
