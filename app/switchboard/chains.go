package switchboard

import (
	"context"
	"sync"

	"carillon/app/agents"
	"carillon/tenants"
)

// chains are the agents of the rings of this process, each from the moment at which it may hold
// something until its call is over.
type chains struct {
	mu sync.Mutex // guards of
	of map[tenants.RingID]kept
}

type kept struct {
	chain  *agents.Chain
	tenant tenants.TenantID
}

// find is the ring's chain; nil = it has none yet.
func (c *chains) find(id tenants.RingID) *agents.Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[id].chain
}

// keep remembers the ring's chain, unless it has one, and returns the one that it has.
func (c *chains) keep(r *tenants.Ring, chain *agents.Chain) *agents.Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	if has, ok := c.of[r.ID]; ok {
		return has.chain
	}
	if c.of == nil {
		c.of = map[tenants.RingID]kept{}
	}
	c.of[r.ID] = kept{chain, r.Tenant}
	return chain
}

// drop closes the ring's chain and forgets it.
func (c *chains) drop(id tenants.RingID) {
	c.mu.Lock()
	has, ok := c.of[id]
	delete(c.of, id)
	c.mu.Unlock()
	if ok {
		has.chain.Close()
	}
}

// chain is the ring's chain, or a new one that holds nothing yet.
func (b *Board) chain(ctx context.Context, r *tenants.Ring) (*agents.Chain, error) {
	if c := b.chains.find(r.ID); c != nil {
		return c, nil
	}
	links, lost, err := b.links(ctx, r, r.Agent)
	if err != nil {
		return nil, err
	}
	return agents.NewChain(agents.ChainConfig{
		Links: links, Lost: lost, Sounds: b.sounds, Log: b.Log.With("ring", r.ID), Note: b.noteOf(r),
	}), nil
}

// links are the agents that speak on the ring's line, the first one first. A ring whose agent was
// removed after it was placed gets the built-in one, as openapi.yaml says (removeAgent). An agent
// that cannot be opened is a link that says why. The error is of the store.
func (b *Board) links(ctx context.Context, r *tenants.Ring, first tenants.AgentID) ([]agents.Link, tenants.Lost, error) {
	a := tenants.Agent{Tenant: r.Tenant, Kind: tenants.Builtin}.Clean()
	if first != "" {
		named, err := b.Store.For(r.Tenant).Agents().Get(ctx, first)
		switch {
		case err == nil:
			a = named
		case tenants.KindOf(err) != tenants.Unknown:
			return nil, "", err
		default:
			b.Log.Warn("the ring's agent was removed; the built-in one speaks", "ring", r.ID, "tenant", r.Tenant, "agent", first)
		}
	}
	links := []agents.Link{b.link(ctx, r, a)}
	others, err := b.Store.For(r.Tenant).Agents().ByID(ctx, a.Next)
	if err != nil {
		return nil, "", err
	}
	for _, id := range a.Next { // the lists of these do not count, so there is no loop
		if next, ok := others[id]; ok {
			links = append(links, b.link(ctx, r, next))
		}
	}
	return links, a.Lost, nil
}

// noteOf writes facts about agents on the attempt that became the call. A fact that comes later
// than the end of the ring is kept too.
func (b *Board) noteOf(r *tenants.Ring) agents.Note {
	id, tenant := r.ID, r.Tenant
	return func(kind tenants.FactKind, detail string) {
		now := b.Now()
		b.write(tenant, id, func(r *tenants.Ring) []tenants.Fact {
			if r.Call == nil {
				return nil
			}
			a, ok := r.AttemptOf(r.Call.Device)
			if !ok {
				return nil
			}
			return r.Fold(tenants.Fact{Attempt: a.ID, Kind: kind, At: now, Received: now, Detail: detail})
		})
	}
}

// link opens one agent for the ring.
func (b *Board) link(ctx context.Context, r *tenants.Ring, a tenants.Agent) agents.Link {
	l := agents.Link{Name: a.Name, Within: a.AttachWithin()}
	if l.Name == "" {
		l.Name = "The built-in agent"
	}
	l.Agent, l.Err = b.Agents(ctx, a, agents.Call{
		Tenant: r.Tenant, Ring: r.ID, Reference: r.Reference, Person: r.To.Person, Agent: a.Name, Caller: r.Caller,
		Note: b.noteOf(r),
	})
	return l
}
