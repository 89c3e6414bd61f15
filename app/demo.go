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
	agent  func() gateway.Agent // opens the agent of one call
	name   string               // of a tenant's agent; empty = the built-in one
	closed bool
}

// find looks the agent up and opens it. Its name is shown on the page. An agent that cannot be
// opened is an error: the server does not start with another one in its place.
func (d DemoAgent) find(ctx context.Context, n *node) (speaker, error) {
	sounds, err := agents.NewSounds()
	if err != nil {
		return speaker{}, err
	}
	id, named := tenants.ParseID[tenants.AgentID](d.Demo)
	if !named {
		agent, err := n.opener(ctx, sounds, tenants.Agent{Kind: tenants.Builtin}, agents.Call{})
		return speaker{agent: agent, closed: d.Demo == demoNone}, err
	}
	all, err := n.store.Tenants().List(ctx)
	if err != nil {
		return speaker{}, err
	}
	for _, t := range all {
		a, err := n.store.For(t.ID).Agents().Get(ctx, id)
		if err == nil {
			agent, err := n.opener(ctx, sounds, a, agents.Call{Tenant: t.ID, Agent: a.Name})
			return speaker{agent: agent, name: a.Name}, err
		}
		if tenants.KindOf(err) != tenants.Unknown {
			return speaker{}, err
		}
	}
	return speaker{}, errors.New("CARILLON_DEMO_AGENT: no tenant has an agent of this id")
}

// opener opens an agent once, to see that it can be opened, and returns how each call opens it.
func (n *node) opener(ctx context.Context, s *agents.Sounds, a tenants.Agent, c agents.Call) (func() gateway.Agent, error) {
	if _, err := n.agents.Open(ctx, a, c); err != nil {
		return nil, err
	}
	return func() gateway.Agent {
		l := agents.Link{Name: a.Name, Within: a.AttachWithin()}
		l.Agent, l.Err = n.agents.Open(context.WithoutCancel(ctx), a, c)
		return agents.NewChain(agents.ChainConfig{Links: []agents.Link{l}, Lost: tenants.LostMessage, Sounds: s, Log: n.log})
	}, nil
}
