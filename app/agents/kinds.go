// Package agents is the agent's side of a call: it opens an agent by its kind, and the agent talks
// on a gateway.Line until it is done or the line ends. It knows nothing of rings, SQL or HTTP.
//
// Start reading at Kinds; builtin.go is the kind that every server has.
package agents

import (
	"context"
	"fmt"

	"carillon/gateway"
	"carillon/tenants"
)

// Open makes a tenant's agent ready to speak on a line. An error says that it cannot: Open never
// returns another agent instead.
type Open func(context.Context, tenants.Agent) (gateway.Agent, error)

// Kinds holds how each kind of agent is opened. A new kind is one entry.
type Kinds map[tenants.AgentKind]Open

// NewKinds returns the kinds of this server.
func NewKinds(b *Builtin) Kinds {
	return Kinds{
		tenants.Builtin: func(context.Context, tenants.Agent) (gateway.Agent, error) { return b, nil },
	}
}

// Open opens the agent by its kind. A kind that is not in the table is an error.
func (k Kinds) Open(ctx context.Context, a tenants.Agent) (gateway.Agent, error) {
	open, ok := k[a.Kind]
	if !ok {
		return nil, fmt.Errorf("agents: no agent of the kind %q can be opened", a.Kind)
	}
	return open(ctx, a)
}
