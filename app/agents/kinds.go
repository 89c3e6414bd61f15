// Package agents is the agent's side of a call: it opens an agent by its kind, and the agent talks
// on a gateway.Line until it is done or the line ends. It knows nothing of SQL or HTTP servers.
//
// Start reading at Kinds. builtin.go is the kind that every server has. stream.go is the kind that
// talks over a WebSocket: pacer.go plays what it says, timeline.go and outbox.go hold what it
// hears.
package agents

import (
	"context"
	"fmt"

	"carillon/gateway"
	"carillon/tenants"
)

// Call is what an agent may know about the ring that was answered.
type Call struct {
	Tenant    tenants.TenantID
	Ring      tenants.RingID
	Reference string // the tenant's own id of the ring
	Person    string // whom the ring is for, as the tenant names them; empty for a ring to a device
	Agent     string // the agent's name
	Caller    string // the label that the person sees
}

// Open makes a tenant's agent ready to speak on a line. An error says that it cannot: Open never
// returns another agent instead.
type Open func(context.Context, tenants.Agent, Call) (gateway.Agent, error)

// Secrets opens the stored token of an agent; "" = it has none.
type Secrets func(context.Context, tenants.Agent) (string, error)

// Kinds holds how each kind of agent is opened. A new kind is one entry.
type Kinds map[tenants.AgentKind]Open

// NewKinds returns the kinds of this server.
func NewKinds(b *Builtin, s *Streams, secrets Secrets) Kinds {
	return Kinds{
		tenants.Builtin: func(context.Context, tenants.Agent, Call) (gateway.Agent, error) { return b, nil },
		tenants.Stream: func(ctx context.Context, a tenants.Agent, c Call) (gateway.Agent, error) {
			token, err := secrets(ctx, a)
			if err != nil {
				return nil, err
			}
			return s.open(a, token, c)
		},
	}
}

// Open opens the agent by its kind. A kind that is not in the table is an error.
func (k Kinds) Open(ctx context.Context, a tenants.Agent, c Call) (gateway.Agent, error) {
	open, ok := k[a.Kind]
	if !ok {
		return nil, fmt.Errorf("agents: no agent of the kind %q can be opened", a.Kind)
	}
	return open(ctx, a, c)
}
