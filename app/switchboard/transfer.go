package switchboard

import (
	"context"
	"time"

	"carillon/app/agents"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Transfer is to whom a call is given: exactly one of the three.
type Transfer struct {
	Agent  tenants.AgentID
	Person string
	Group  tenants.GroupID
}

// Transfer gives a call that an agent talks on to another agent, or rings a person or a group whose
// answer joins the call. Meanwhile the person on the call hears a tone. If a person does not
// answer, the call goes back to the ring's own agent; if an agent cannot take it, the agents that
// it names next do. A ring that is no call of this process is refused with Conflict, and so is one
// that is being transferred already.
func (b *Board) Transfer(ctx context.Context, c Caller, id tenants.RingID, to Transfer) (*tenants.Ring, error) {
	scope := b.scope(c)
	r, err := scope.Rings().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State == tenants.Answered {
		if node, err := (Held{b}).elsewhere(ctx, r.Tenant, id, false); err != nil || node != "" {
			return transfers{b}.pass(ctx, c, r, to, node, err)
		}
	}
	chain := b.chains.find(id)
	if r.State != tenants.Answered || r.Call == nil || chain == nil || !b.calls.has(id, r.Tenant) {
		return nil, tenants.Refuse(tenants.Conflict, "not_in_call", "This ring is not in a call that can be transferred.")
	}
	if to.Person != "" || to.Group != "" {
		return transfers{b}.toPeople(ctx, c, r, chain, tenants.To{Person: to.Person, Group: to.Group})
	}
	named, err := scope.Agents().Get(ctx, to.Agent)
	if err != nil {
		return nil, err
	}
	links, lost, err := agentLinks{b}.links(ctx, r, to.Agent)
	if err != nil {
		return nil, err
	}
	if !chain.Transfer(links, lost) {
		return nil, errBusyLine()
	}
	b.chains.inherit(id, to.Agent)
	return transfers{b}.transferred(ctx, scope, r, "the agent "+named.Name)
}

func errBusyLine() error {
	return tenants.Refuse(tenants.Conflict, "no_agent_talks",
		"No agent talks on this call at the moment: it is being transferred already, or it is about to end.")
}

// transfers are the steps of Transfer.
type transfers struct{ *Board }

// pass passes the transfer on to the node that holds the call, unless that is not known.
func (b transfers) pass(
	ctx context.Context, c Caller, r *tenants.Ring, to Transfer, node tenants.NodeID, unknown error,
) (*tenants.Ring, error) {
	if unknown != nil {
		return nil, unknown
	}
	var none any
	err := Held(b).ask(ctx, node, askTransfer, request{Tenant: r.Tenant, Ring: r.ID, Caller: &c, Transfer: &to}, &none)
	if err != nil {
		return nil, err
	}
	return b.scope(c).Rings().Get(ctx, r.ID)
}

// toPeople rings a person or a group in a ring of its own, whose answer joins the call.
func (b transfers) toPeople(ctx context.Context, c Caller, r *tenants.Ring, chain *agents.Chain, to tenants.To) (*tenants.Ring, error) {
	if to.Person != "" && to.Person == r.To.Person {
		return nil, tenants.Refuse(tenants.Unprocessable, "same_person", "This person is on the call already. Name another one.")
	}
	codec, ok := chain.Codec()
	if !ok {
		return nil, errBusyLine()
	}
	back, lost, err := agentLinks(b).links(ctx, r, r.Agent)
	if err != nil {
		return nil, err
	}
	var called tenants.RingID
	bridge := agents.NewBridge(codec, b.Now, func() { b.pushers.run(b.open, func() { b.giveUp(c, called) }) })
	second, err := b.placeJoining(ctx, c, r, to, bridge, &called)
	if err != nil {
		return nil, err
	}
	name := to.Person + " (a person)"
	if to.Group != "" {
		name = second.To.Name + " (a group)"
	}
	links := append([]agents.Link{{
		Agent: bridge.Caller(), Name: name, Within: second.ExpiresAt.Sub(second.CreatedAt) + unansweredAfter,
	}}, back...)
	if !chain.Transfer(links, lost) {
		bridge.Caller().Close() // gives the second ring up
		return nil, errBusyLine()
	}
	if rec := b.chains.join(r.ID); rec != nil {
		rec.Stop("the call was given to another person")
	}
	return b.transferred(ctx, b.scope(c), r, name+", ring "+string(second.ID))
}

// placeJoining places a ring whose agent is the call of r. Its id is in called before a phone
// rings.
func (b transfers) placeJoining(
	ctx context.Context, c Caller, r *tenants.Ring, to tenants.To, bridge *agents.Bridge, called *tenants.RingID,
) (*tenants.Ring, error) {
	q := tenants.Request{To: to, Agent: r.Agent, Caller: r.Caller, Reference: r.Reference}
	if _, err := b.scope(c).Agents().Get(ctx, r.Agent); tenants.KindOf(err) == tenants.Unknown {
		q.Agent = "" // it was removed; the other call is who speaks
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	if b.draining.begun.Load() {
		return nil, stopping()
	}
	if err := b.admit(c); err != nil {
		return nil, err
	}
	second, err := b.draft(ctx, b.scope(c), &c, q)
	if err != nil {
		return nil, err
	}
	*called = second.ID
	b.chains.keep(second, agents.NewChain(agents.ChainConfig{
		Links: []agents.Link{{Agent: bridge.Called(), Name: "The other call", Within: 5 * time.Second}},
		Lost:  tenants.LostHangUp, Sounds: b.sounds, Log: b.Log.With("ring", second.ID), Note: agentLinks(b).noteOf(second),
	}))
	b.chains.join(second.ID)
	if _, err := Held(b).elsewhere(ctx, second.Tenant, second.ID, true); err != nil { // before a phone can answer on another node
		b.dropChain(second.ID)
		return nil, err
	}
	placed, _, err := b.launch(ctx, c, second, store.Idempotency{})
	if err != nil {
		b.dropChain(second.ID)
	}
	return placed, err
}

// giveUp cancels a ring that nobody waits for any more.
func (b transfers) giveUp(c Caller, id tenants.RingID) {
	ctx, cancel := context.WithTimeout(b.life, 10*time.Second)
	defer cancel()
	c.Who = store.Who{Actor: tenants.System}
	if _, err := b.Cancel(ctx, c, id); err != nil {
		b.Log.Error("cancel the ring of a transfer", "ring", id, "err", err)
	}
}

// transferred records that the call was given away.
func (b transfers) transferred(ctx context.Context, scope *store.Scope, r *tenants.Ring, whom string) (*tenants.Ring, error) {
	now := b.Now()
	changed, facts, err := scope.Rings().Change(ctx, r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		a, ok := r.AttemptOf(r.Call.Device)
		if !ok {
			return nil, nil
		}
		return r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactTransferred, At: now, Received: now, Detail: whom}), nil
	})
	if err != nil {
		return nil, err
	}
	b.tell(changed, facts)
	return changed, nil
}
