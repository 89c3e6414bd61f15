package app

import (
	"context"
	"errors"
	"fmt"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/tenants"
)

// DemoAgent says who speaks on the page where a visitor tries a call.
type DemoAgent struct {
	Demo string `name:"demo-agent" help:"Agent on /demo: builtin, an agent's id, or none." default:"builtin" env:"CARILLON_DEMO_AGENT"`
}

// The values that are no agent's id.
const (
	demoBuiltin = "builtin"
	demoNone    = "none"
)

func (d DemoAgent) check() error {
	if d.Demo == "" || d.Demo == demoBuiltin || d.Demo == demoNone {
		return nil
	}
	if _, ok := tenants.ParseID[tenants.AgentID](d.Demo); !ok {
		return fmt.Errorf("%q is not builtin, none or the id of an agent; the id is on the agent's page and in GET /v1/agents", d.Demo)
	}
	return nil
}

// speaker is who speaks in the demo.
type speaker struct {
	agent  gateway.Agent
	name   string // of a tenant's agent; empty = the built-in one
	closed bool
}

// find looks the agent up and opens it. Its name is shown on the page. An agent that cannot be
// opened is an error: the server does not start with another one in its place.
func (d DemoAgent) find(ctx context.Context, n *node) (speaker, error) {
	id, named := tenants.ParseID[tenants.AgentID](d.Demo)
	if !named {
		agent, err := n.agents.Open(ctx, tenants.Agent{Kind: tenants.Builtin}, agents.Call{})
		return speaker{agent: agent, closed: d.Demo == demoNone}, err
	}
	all, err := n.store.Tenants().List(ctx)
	if err != nil {
		return speaker{}, err
	}
	for _, t := range all {
		a, err := n.store.For(t.ID).Agents().Get(ctx, id)
		if err == nil {
			agent, err := n.agents.Open(ctx, a, agents.Call{Tenant: t.ID, Agent: a.Name})
			return speaker{agent: agent, name: a.Name}, err
		}
		if tenants.KindOf(err) != tenants.Unknown {
			return speaker{}, err
		}
	}
	return speaker{}, errors.New("CARILLON_DEMO_AGENT: no tenant has an agent of this id")
}
