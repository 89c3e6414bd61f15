package switchboard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

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
	chain     *agents.Chain
	tenant    tenants.TenantID
	early     bool              // its first agent is attached, or will be, before anybody has answered
	until     time.Time         // when it is forgotten if nobody answers
	recording *agents.Recording // of the ring's call; nil = none
	between   bool              // the call is one between two persons, who are not recorded
	heir      tenants.AgentID   // the agent that the call was transferred to last; "" = none
}

// Agents that are attached before an answer, of one tenant and of all. Each holds a connection for
// as long as a phone rings. Beyond these, agents are attached when the phone answers.
const (
	earlyMost  = 50
	earlyTotal = 500
)

// unansweredAfter is how long after its time a ring is given to end before its agent is released.
const unansweredAfter = 10 * time.Second

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
	c.of[r.ID] = kept{chain: chain, tenant: r.Tenant, until: r.ExpiresAt.Add(unansweredAfter)}
	return chain
}

// keepEarly remembers the chain of a ring that nobody has answered; false if it has one already, or
// too many wait.
func (c *chains) keepEarly(r *tenants.Ring, chain *agents.Chain) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, own := 0, 0
	for _, k := range c.of {
		if k.early {
			all++
			if k.tenant == r.Tenant {
				own++
			}
		}
	}
	if _, has := c.of[r.ID]; has || own >= earlyMost || all >= earlyTotal {
		return false
	}
	if c.of == nil {
		c.of = map[tenants.RingID]kept{}
	}
	c.of[r.ID] = kept{chain: chain, tenant: r.Tenant, early: true, until: r.ExpiresAt.Add(unansweredAfter)}
	return true
}

// recording is that of the ring's call; nil = it has none. between means that it must not get one.
func (c *chains) recording(id tenants.RingID) (has *agents.Recording, between bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[id].recording, c.of[id].between
}

// record remembers the recording of the ring's call, unless it has one, and returns the one that it
// has: two answers of one phone make one call, and only what is known here can be stopped. nil
// means that the call must not be recorded.
func (c *chains) record(id tenants.RingID, r *agents.Recording) *agents.Recording {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.of[id]
	switch {
	case !ok || k.between:
		return nil
	case k.recording != nil:
		return k.recording
	}
	k.recording = r
	c.of[id] = k
	return r
}

// join notes that the ring's call is, or will be, one between two persons. It returns the recording
// that has to stop; nil = there is none.
func (c *chains) join(id tenants.RingID) *agents.Recording {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.of[id]
	if ok {
		k.between = true
		c.of[id] = k
	}
	return k.recording
}

// isBetween reports whether the ring's call is one between two persons.
func (c *chains) isBetween(id tenants.RingID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[id].between
}

// inherit notes that the ring's call was transferred to an agent.
func (c *chains) inherit(id tenants.RingID, to tenants.AgentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.of[id]; ok {
		k.heir = to
		c.of[id] = k
	}
}

// heir is the agent that the ring's call was transferred to; "" = none.
func (c *chains) heir(id tenants.RingID) tenants.AgentID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[id].heir
}

// answered notes that the ring's chain serves a call.
func (c *chains) answered(id tenants.RingID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.of[id]; ok {
		k.early, k.until = false, time.Time{}
		c.of[id] = k
	}
}

// over are the rings of chains that nobody answered in time.
func (c *chains) over(now time.Time) (rings []tenants.RingID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.of {
		if !k.until.IsZero() && now.After(k.until) {
			rings = append(rings, id)
		}
	}
	return rings
}

// all are the rings of all chains.
func (c *chains) all() []tenants.RingID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.of))
}

// take forgets the ring's chain and returns it; nil = it has none.
func (c *chains) take(id tenants.RingID) *agents.Chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	has := c.of[id]
	delete(c.of, id)
	return has.chain
}

// dropChain releases the agents of a ring that has ended, also those that joined and were not
// needed. It does not wait: an agent that was attached takes a moment to say goodbye.
func (b *Board) dropChain(id tenants.RingID) {
	if c := b.chains.take(id); c != nil {
		b.pushers.run(b.open, c.Close)
	}
	if b.Joins == nil {
		return
	}
	if away := b.Joins.Dismiss(id); away != nil {
		b.pushers.run(b.open, away)
	}
}

// attachEarly attaches the agent of a ring that a phone shows, if the agent asks for it.
func (b *Board) attachEarly(r *tenants.Ring) {
	if b.Media == nil || r.Agent == "" || !r.Live(b.Now()) || b.draining.begun.Load() || b.chains.find(r.ID) != nil {
		return
	}
	b.pushers.run(b.open, func() {
		ctx, cancel := context.WithTimeout(b.open, 5*time.Second)
		defer cancel()
		a, err := b.Store.For(r.Tenant).Agents().Get(ctx, r.Agent)
		if err != nil || a.Attach != tenants.AttachShown {
			return
		}
		if to, err := (Held{b}).elsewhere(ctx, r.Tenant, r.ID, true); err != nil || to != "" {
			if err == nil {
				Held{b}.post(to, askAttach, request{Tenant: r.Tenant, Ring: r.ID})
			}
			return
		}
		chain, err := agentLinks{b}.chain(ctx, r)
		if err == nil && b.chains.keepEarly(r, chain) {
			chain.Begin()
		}
	})
}

// guestsMost bounds the rings that one sweep reads for agents that joined.
const guestsMost = 32

// sweepChains releases agents that were attached, or joined, for rings which ended elsewhere.
func (b *Board) sweepChains(ctx context.Context) error {
	for _, id := range b.chains.over(b.Now()) {
		b.dropChain(id)
	}
	if b.Joins == nil {
		return nil
	}
	for _, g := range b.Joins.Waiting(guestsMost) {
		r, err := b.Store.For(g.Tenant).Rings().Get(ctx, g.Ring)
		switch {
		case err != nil && tenants.KindOf(err) != tenants.Unknown:
			return fmt.Errorf("find the ring of an agent that joined: %w", err)
		case err != nil || r.State.Terminal() && !b.calls.has(g.Ring, g.Tenant):
			b.dropChain(g.Ring)
		}
	}
	return nil
}

// agentLinks opens the agents that speak on the line of a ring.
type agentLinks struct{ *Board }

// chain is the ring's chain, or a new one that holds nothing yet.
func (b agentLinks) chain(ctx context.Context, r *tenants.Ring) (*agents.Chain, error) {
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
func (b agentLinks) links(ctx context.Context, r *tenants.Ring, first tenants.AgentID) ([]agents.Link, tenants.Lost, error) {
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
func (b agentLinks) noteOf(r *tenants.Ring) agents.Note {
	id, tenant := r.ID, r.Tenant
	return func(kind tenants.FactKind, detail string) {
		now := b.Now()
		fold := func(r *tenants.Ring) []tenants.Fact {
			if r.Call == nil {
				return nil
			}
			a, ok := r.AttemptOf(r.Call.Device)
			if !ok {
				return nil
			}
			return r.Fold(tenants.Fact{Attempt: a.ID, Kind: kind, At: now, Received: now, Detail: detail})
		}
		if kind == tenants.FactAgentAttached { // as a rule when the call is set up
			Held(b).writeSoon(tenant, id, false, fold)
		} else {
			b.write(tenant, id, fold)
		}
	}
}

// link opens one agent for the ring.
func (b agentLinks) link(ctx context.Context, r *tenants.Ring, a tenants.Agent) agents.Link {
	l := agents.Link{Name: a.Name, Within: a.AttachWithin()}
	if l.Name == "" {
		l.Name = "The built-in agent"
	}
	if a.ID != "" {
		l.Tried = func(err error) { b.tried(r.Tenant, a, err) }
	}
	l.Agent, l.Err = b.Agents(ctx, a, agents.Call{
		Tenant: r.Tenant, Ring: r.ID, Reference: r.Reference, Person: r.To.Person, Agent: a.Name, Caller: r.Caller,
		Note: b.noteOf(r),
	})
	return l
}

// tried tells the monitor how attaching an agent went.
func (b agentLinks) tried(t tenants.TenantID, a tenants.Agent, failed error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(b.life), 10*time.Second)
	defer done()
	cause := ""
	if failed != nil {
		cause = agents.CauseOf(failed)
	}
	if err := b.Health.Attached(ctx, b.Store.For(t), a, cause); err != nil {
		b.Log.Error("react to an agent that was attached or failed", "tenant", t, "agent", a.ID, "err", err)
	}
}
