package app

import (
	"context"
	"net/http"
	"os"
)

// agentsCmd keeps the voice agents of a tenant. `carillon agent` runs a sample of one.
type agentsCmd struct {
	List     agentsList     `cmd:"" help:"Agents, newest first."`
	Show     agentsShow     `cmd:"" help:"One agent."`
	Add      agentsAdd      `cmd:"" help:"Add an agent."`
	Change   agentsChange   `cmd:"" help:"Change an agent."`
	Announce agentsAnnounce `cmd:"" help:"Upload what a built-in agent announces: an Ogg Opus file."`
	Remove   agentsRemove   `cmd:"" help:"Remove an agent."`
}

type agentsList struct {
	asking
	paging
	Search string `help:"Part of a name." short:"s"`
}

func (a *agentsList) Run(ctx context.Context, c terminal) error {
	return a.list(ctx, c, a.paging, "/v1/agents", query("q", a.Search), "id", "kind", "name", "caller")
}

type agentsShow struct {
	asking
	one
}

func (a *agentsShow) Run(ctx context.Context, c terminal) error {
	return a.get(ctx, c, idPath("/v1/agents/%s", a.ID), nil)
}

// agentFields are what an agent may be given.
type agentFields struct {
	Caller   *string  `help:"Label that the phone shows if the ring has none."`
	Attach   *string  `help:"When the agent is connected: answered or shown."`
	AttachS  *int     `name:"attach-s" help:"Seconds that it may take, 1 to 20."`
	Next     []string `help:"Ids of agents that take the call if it cannot."`
	Lost     *string  `help:"What happens when no agent is left: message or hang_up."`
	Settings string   `help:"Settings of its kind as JSON, @FILE, or - for standard input." placeholder:"JSON"`
}

func (a *agentFields) body(kind *string) (map[string]any, error) {
	body := fields("kind", kind, "caller", a.Caller, "attach", a.Attach, "attach_s", a.AttachS, "next", a.Next, "lost", a.Lost)
	s, err := settings("settings", a.Settings)
	if s != nil && kind != nil {
		body[*kind] = s
	}
	return body, err
}

type agentsAdd struct {
	asking
	Name string `required:"" help:"What people call it."`
	Kind string `required:"" help:"builtin, stream, webrtc, openai or pipecat."`
	agentFields
}

func (a *agentsAdd) Run(ctx context.Context, c terminal) error {
	body, err := a.body(&a.Kind)
	if err != nil {
		return err
	}
	body["name"] = a.Name
	return a.ask(ctx, c, http.MethodPost, "/v1/agents", nil, body)
}

type agentsChange struct {
	asking
	one
	Name *string `help:"What people call it."`
	Kind *string `help:"Its kind. --settings need it." `
	agentFields
}

// Validate refuses settings of no kind.
func (a *agentsChange) Validate() error {
	if a.Settings != "" && a.Kind == nil {
		return errSettings
	}
	return a.asking.Validate()
}

func (a *agentsChange) Run(ctx context.Context, c terminal) error {
	body, err := a.body(a.Kind)
	if err != nil {
		return err
	}
	if a.Name != nil {
		body["name"] = *a.Name
	}
	return a.ask(ctx, c, http.MethodPatch, idPath("/v1/agents/%s", a.ID), nil, body)
}

type agentsAnnounce struct {
	asking
	one
	File string `arg:"" help:"An Ogg Opus file of at most 2 MiB."`
}

func (a *agentsAnnounce) Run(ctx context.Context, c terminal) error {
	sound, err := os.ReadFile(a.File)
	if err != nil {
		return err
	}
	api, err := a.open()
	if err != nil {
		return err
	}
	agent, err := api.Agents.Announce(ctx, a.ID, sound)
	return a.printed(c, agent, err)
}

type agentsRemove struct {
	asking
	one
}

func (a *agentsRemove) Run(ctx context.Context, c terminal) error {
	return a.ask(ctx, c, http.MethodDelete, idPath("/v1/agents/%s", a.ID), nil, nil)
}
