package switchboard

import (
	"context"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// The rates of what agents that connect to us do. A join is one connection of one agent.
var (
	joins          = joinWork("joins", "asks for join tokens", 2*time.Second, 8)
	joinRestarts   = joinWork("agent_restarts", "restarts ICE for its agents", 2*time.Second, 4)
	joinFragments  = joinWork("agent_fragments", "sends ICE fragments for its agents", time.Second/5, 50)
	joinConnecting = joinWork("agent_connections", "connects agents", 2*time.Second, 8)
)

// joinWork returns the rates for one ring, one tenant and all, as those of phones.
func joinWork(name, does string, every time.Duration, burst int) mediaWork {
	return mediaWork{
		ring: tenants.Rate{Every: every, Burst: burst}, tenant: tenants.Rate{Every: every / 40, Burst: 25 * burst},
		all: tenants.Rate{Every: every / 200, Burst: 50 * burst},
	}.refusing(name, does)
}

// Joining lets agents that connect to us join the calls of rings.
type Joining struct{ b *Board }

// NewJoining returns the Joining of a board.
func NewJoining(b *Board) Joining { return Joining{b} }

func (j Joining) admit(w mediaWork, t tenants.TenantID, id tenants.RingID) error {
	w.ring.Says = "This happens too often on this ring. Wait a moment and try again."
	return j.b.limits.Admit(j.b.Now(), w.code, w.ring.For(string(id)), w.tenant.For(string(t)), w.all)
}

// Joined is the permission of one agent to join a ring.
type Joined struct {
	Token    tenants.Secret
	Expires  time.Time
	Password string // ends the call through the REST subset
}

// Join makes a token for the agent of a ring that has not ended. It is for agents that connect to
// us.
func (j Joining) Join(ctx context.Context, c Caller, id tenants.RingID) (Joined, error) {
	if j.b.Joins == nil {
		return Joined{}, errNoVoice
	}
	r, err := j.b.scope(c).Rings().Get(ctx, id)
	if err != nil {
		return Joined{}, err
	}
	if r.State.Terminal() {
		return Joined{}, errRingEnded
	}
	if err := j.admit(joins, c.Tenant.ID, id); err != nil {
		return Joined{}, err
	}
	if err := j.joinable(ctx, r); err != nil {
		return Joined{}, err
	}
	to, err := Held{j.b}.elsewhere(ctx, c.Tenant.ID, id, true)
	if err != nil {
		return Joined{}, err
	}
	if to != "" {
		var t joined
		if err := (Held{j.b}).ask(ctx, to, askJoin, request{Tenant: c.Tenant.ID, Ring: id}, &t); err != nil {
			return Joined{}, err
		}
		return Joined{tenants.Secret(t.Token), t.Expires, t.Password}, nil
	}
	t, err := j.issue(c.Tenant.ID, id)
	return Joined{tenants.Secret(t.Token), t.Expires, t.Password}, err
}

// joined is Joined as it travels between nodes.
type joined struct {
	Token    string    `json:"token"`
	Expires  time.Time `json:"expires"`
	Password string    `json:"password"`
}

// issue makes a token on this node.
func (j Joining) issue(t tenants.TenantID, id tenants.RingID) (joined, error) {
	token, expires, err := j.b.Joins.Issue(t, id)
	if err != nil {
		return joined{}, err
	}
	return joined{string(token), expires, j.b.Joins.Password(t, id)}, nil
}

// holder is the other node that issued a token which this one does not know; empty = none.
func (j Joining) holder(ctx context.Context, token tenants.Secret, id tenants.RingID) (tenants.NodeID, error) {
	if j.b.Peers == nil || j.b.Joins == nil {
		return "", nil
	}
	if _, err := j.b.Joins.TenantOf(token, id); tenants.KindOf(err) != tenants.Unauthorized {
		return "", nil
	}
	return Held{j.b}.living(ctx, id)
}

// joinable refuses a ring whose agents all need no token: one that joins would wait in vain.
func (j Joining) joinable(ctx context.Context, r *tenants.Ring) error {
	for _, first := range []tenants.AgentID{r.Agent, j.b.chains.heir(r.ID)} {
		if ok, err := j.joins(ctx, r.Tenant, first); ok || err != nil {
			return err
		}
	}
	return tenants.Refuse(tenants.Conflict, "agent_does_not_join", "Carillon itself connects to the agent of this ring, so nobody "+
		"can join it. Give the ring an agent of the kind webrtc, or a stream agent with the direction attach.")
}

// joins reports whether the agent, or one that it names next, joins its calls.
func (j Joining) joins(ctx context.Context, t tenants.TenantID, first tenants.AgentID) (bool, error) {
	if first == "" {
		return false, nil
	}
	all := j.b.Store.For(t).Agents()
	a, err := all.Get(ctx, first)
	if tenants.KindOf(err) == tenants.Unknown {
		return false, nil
	}
	if err != nil || a.Joins() {
		return err == nil, err
	}
	next, err := all.ByID(ctx, a.Next)
	for _, a := range next {
		if a.Joins() {
			return true, err
		}
	}
	return false, err
}

var (
	errNoVoice   = tenants.Refuse(tenants.Unavailable, "no_voice", "This server cannot carry calls right now.")
	errRingEnded = tenants.Refuse(tenants.Gone, "ring_ended", "This ring has ended.")
)

// joining returns the ring of the token. It refuses one that has ended, and a suspended tenant.
func (j Joining) joining(ctx context.Context, token tenants.Secret, id tenants.RingID) (*tenants.Ring, error) {
	if j.b.Joins == nil {
		return nil, errNoVoice
	}
	t, err := j.b.Joins.TenantOf(token, id)
	if err != nil {
		return nil, err
	}
	if j.b.Media == nil {
		return nil, errNoVoice
	}
	if err := j.admit(joinConnecting, t, id); err != nil {
		return nil, err
	}
	of, err := j.b.Store.For(t).Tenant(ctx)
	if err != nil {
		return nil, err
	}
	if of.State != tenants.TenantActive {
		return nil, tenants.ErrSuspended
	}
	r, err := j.b.Store.For(t).Rings().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State.Terminal() {
		return nil, errRingEnded
	}
	return r, nil
}

// Offer answers the WebRTC offer of an agent that joins the ring. It may come before the phone
// answers.
func (j Joining) Offer(ctx context.Context, token tenants.Secret, id tenants.RingID, sdp string) (gateway.Answer, error) {
	to, err := j.holder(ctx, token, id)
	if err != nil {
		return gateway.Answer{}, err
	}
	if to != "" {
		var a gateway.Answer
		err := (Held{j.b}).ask(ctx, to, askJoinOffer, request{Ring: id, Token: string(token), SDP: sdp}, &a)
		return a, err
	}
	return j.offer(ctx, token, id, sdp)
}

// offer is Offer for a token of this node.
func (j Joining) offer(ctx context.Context, token tenants.Secret, id tenants.RingID, sdp string) (gateway.Answer, error) {
	r, err := j.joining(ctx, token, id)
	if err != nil {
		return gateway.Answer{}, err
	}
	chain, err := agentLinks{j.b}.chain(ctx, r)
	if err != nil {
		return gateway.Answer{}, err
	}
	answer, err := j.b.Joins.Offer(ctx, token, id, sdp, chain.Codecs())
	return answer, refusal(err)
}

// Trickle passes on an agent's candidates or ICE restart.
func (j Joining) Trickle(
	ctx context.Context, token tenants.Secret, id tenants.RingID, ifMatch, fragment string,
) (gateway.Trickled, error) {
	if j.b.Joins == nil {
		return gateway.Trickled{}, errNoVoice
	}
	to, err := j.holder(ctx, token, id)
	if err != nil {
		return gateway.Trickled{}, err
	}
	if to != "" {
		var t gateway.Trickled
		q := request{Ring: id, Token: string(token), IfMatch: ifMatch, SDP: fragment}
		err := (Held{j.b}).ask(ctx, to, askJoinTrickle, q, &t)
		return t, err
	}
	return j.trickle(ctx, token, id, ifMatch, fragment)
}

// trickle is Trickle for a token of this node.
func (j Joining) trickle(
	ctx context.Context, token tenants.Secret, id tenants.RingID, ifMatch, fragment string,
) (gateway.Trickled, error) {
	t, err := j.b.Joins.TenantOf(token, id)
	if err != nil {
		return gateway.Trickled{}, err
	}
	if err := j.admit(joinFragments, t, id); err != nil {
		return gateway.Trickled{}, err
	}
	got, err := j.b.Joins.Trickle(ctx, token, id, gateway.Fragment{
		IfMatch: ifMatch, SDP: fragment, Restart: func() error { return j.admit(joinRestarts, t, id) },
	})
	return got, refusal(err)
}

// Leave closes an agent's WebRTC connection: the agent hangs up.
func (j Joining) Leave(ctx context.Context, token tenants.Secret, id tenants.RingID) error {
	if j.b.Joins == nil {
		return errNoVoice
	}
	to, err := j.holder(ctx, token, id)
	if err != nil {
		return err
	}
	if to != "" {
		var none any
		return Held{j.b}.ask(ctx, to, askLeave, request{Ring: id, Token: string(token)}, &none)
	}
	return j.b.Joins.Leave(token, id)
}

// HangUp ends the ring's call for a program that has the call's password. It returns false if
// there is no such call any more. A wrong password is Unauthorized.
func (j Joining) HangUp(ctx context.Context, t tenants.TenantID, id tenants.RingID, password string) (was bool, err error) {
	to, err := Held{j.b}.elsewhere(ctx, t, id, false)
	if err != nil {
		return false, err
	}
	if to != "" {
		err := (Held{j.b}).ask(ctx, to, askComplete, request{Tenant: t, Ring: id, Password: password}, &was)
		return was, err
	}
	return j.complete(t, id, password)
}

// complete is HangUp for a call of this node.
func (j Joining) complete(t tenants.TenantID, id tenants.RingID, password string) (was bool, err error) {
	if j.b.Joins == nil || !j.b.Joins.IsPassword(t, id, password) {
		return false, tenants.Refuse(tenants.Unauthorized, "unauthorized", "The password is not that of this call.")
	}
	return j.b.hangUpCallOf(t, id, gateway.AgentHungUp), nil
}
