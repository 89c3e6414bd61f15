package switchboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carillon/app/agents"
	"carillon/app/bus"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Peers are the other nodes. The sound of a ring is on one node, its holder: the first that needed
// it, to attach an agent or to answer the phone. What reaches another node is passed on to the
// holder. *bus.Shared is one.
type Peers interface {
	Self() tenants.NodeID
	// Ask returns the answer of another node. The refusal of a node that does not answer is
	// caused by bus.ErrUnreachable.
	Ask(ctx context.Context, to tenants.NodeID, kind string, body []byte) ([]byte, error)
	// Post passes on what needs no answer, and may be lost.
	Post(to tenants.NodeID, kind string, body []byte)
	// Pipe opens an end of a connection between two nodes; see bus.Shared.
	Pipe(name string) (*bus.Pipe, error)
}

// nodeLost ended a call whose node is gone.
const nodeLost = "node_lost"

const (
	// lostAfter is how long after its node counts as gone a call is ended. Until then the phone may
	// answer again on another node, which goes on with the call.
	lostAfter = 2 * time.Second
	// silentAfter is how long a node that does not answer may have missed its heartbeats before
	// another one goes on with a call whose phone asks for it.
	silentAfter = 4 * time.Second
	// silentLook is how often a node that waits for another one's answer looks whether that one is
	// silent: a process that was stopped keeps its connections and answers nothing.
	silentLook = time.Second
	// lostMost bounds the calls of nodes that are gone which are ended in one turn.
	lostMost = 256
)

// Held is the switchboard of rings whose sound may be on another node.
type Held struct{ *Board }

// NewHeld returns the Held of a board.
func NewHeld(b *Board) Held { return Held{b} }

// elsewhere returns the other node that holds the ring's sound; empty = this one, or none that
// lives. With take this node becomes the holder if there is none.
func (b Held) elsewhere(ctx context.Context, t tenants.TenantID, id tenants.RingID, take bool) (tenants.NodeID, error) {
	if b.Peers == nil || b.calls.has(id, t) {
		return "", nil
	}
	if take && !b.draining.begun.Load() {
		holder, err := b.Store.For(t).Rings().Hold(ctx, id, b.Peers.Self())
		if err != nil || holder == b.Peers.Self() {
			return "", err
		}
		return holder, nil
	}
	return b.living(ctx, id)
}

// living is the other node that holds the ring's sound and lives.
func (b Held) living(ctx context.Context, id tenants.RingID) (tenants.NodeID, error) {
	holder, err := b.Store.Nodes().Holder(ctx, id)
	if err != nil || holder == "" || holder == b.Peers.Self() {
		return "", err
	}
	if lives, err := b.Store.Nodes().Lives(ctx, holder); err != nil || !lives {
		return "", err
	}
	return holder, nil
}

// request is what nodes ask each other about a ring. Each kind uses some of the fields.
type request struct {
	Tenant   tenants.TenantID `json:"tenant,omitempty"`
	Ring     tenants.RingID   `json:"ring"`
	Device   tenants.DeviceID `json:"device,omitempty"`
	SDP      string           `json:"sdp,omitempty"` // an offer, or a fragment
	IfMatch  string           `json:"if_match,omitempty"`
	Token    string           `json:"token,omitempty"` // of an agent that joins
	Password string           `json:"password,omitempty"`
	Caller   *Caller          `json:"caller,omitempty"`
	Transfer *Transfer        `json:"transfer,omitempty"`
	Upgrade  *agents.Upgrade  `json:"upgrade,omitempty"` // of an agent's WebSocket
	Pipe     string           `json:"pipe,omitempty"`    // through which it is passed on
}

// The kinds of requests.
const (
	askAnswer      = "answer"
	askTrickle     = "trickle"
	askHangUp      = "hang_up"
	askEnd         = "end"    // posted: the ring's end was stored
	askAttach      = "attach" // posted: a phone shows the ring
	askTransfer    = "transfer"
	askJoin        = "join"
	askJoinOffer   = "join_offer"
	askJoinTrickle = "join_trickle"
	askJoinStream  = "join_stream"
	askLeave       = "leave"
	askComplete    = "complete"
)

// ask asks another node and reads its answer into out.
func (b Held) ask(ctx context.Context, to tenants.NodeID, kind string, q request, out any) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	answer, err := b.Peers.Ask(ctx, to, kind, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (b Held) post(to tenants.NodeID, kind string, q request) {
	if body, err := json.Marshal(q); err == nil {
		b.Peers.Post(to, kind, body)
	}
}

// errMoved is the refusal of a request that was passed on to a node which does not hold the ring
// any more.
func errMoved() error {
	return &tenants.Error{Kind: tenants.Unavailable, Code: "node_unreachable", RetryAfter: time.Second,
		Msg: "The call is being moved to another server. Try again in a moment."}
}

// Asked answers a request of another node about a ring that this node holds.
func (b Held) Asked(ctx context.Context, kind string, body []byte) ([]byte, error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	out, err := b.answerTo(ctx, kind, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func (b Held) answerTo(ctx context.Context, kind string, q request) (any, error) {
	token, j := tenants.Secret(q.Token), Joining{b.Board}
	switch kind {
	case askAnswer, askTrickle, askHangUp:
		return b.phoneAsks(ctx, kind, q)
	case askEnd:
		b.letGo(q.Tenant, q.Ring)
		return nil, nil
	case askAttach:
		r, err := b.Store.For(q.Tenant).Rings().Get(ctx, q.Ring)
		if err == nil {
			b.attachEarly(r)
		}
		return nil, err
	case askTransfer:
		return b.transferHere(ctx, q)
	case askJoin:
		return j.issue(q.Tenant, q.Ring)
	case askJoinOffer:
		return j.offer(ctx, token, q.Ring, q.SDP)
	case askJoinTrickle:
		return j.trickle(ctx, token, q.Ring, q.IfMatch, q.SDP)
	case askJoinStream:
		return nil, j.streamHere(ctx, q)
	case askLeave:
		return nil, b.Joins.Leave(token, q.Ring)
	case askComplete:
		return j.complete(q.Tenant, q.Ring, q.Password)
	}
	return nil, &tenants.Error{Kind: tenants.Conflict, Code: "other_node",
		Msg: "The server that holds this ring has another version, and does not know this request. Try again in a moment.",
		Err: fmt.Errorf("another node asks for %q, which this version does not know", kind)}
}

func (b Held) phoneAsks(ctx context.Context, kind string, q request) (any, error) {
	d, err := b.Store.For(q.Tenant).Devices().Get(ctx, q.Device)
	if err != nil {
		return nil, err
	}
	switch kind {
	case askAnswer:
		return b.answer(ctx, d, q.Ring, q.SDP, true)
	case askTrickle:
		return b.trickle(ctx, d, q.Ring, q.IfMatch, q.SDP)
	}
	if b.hangUpSoon(d, q.Ring) {
		return nil, nil
	}
	return nil, errMoved()
}

// transferHere transfers a call of this node for another one.
func (b Held) transferHere(ctx context.Context, q request) (any, error) {
	if q.Caller == nil || q.Transfer == nil || !b.calls.has(q.Ring, q.Tenant) {
		return nil, errMoved()
	}
	// The rules of its industry do not travel with a tenant.
	t, err := b.Store.For(q.Tenant).Tenant(ctx)
	if err != nil {
		return nil, err
	}
	q.Caller.Tenant = t
	_, err = b.Transfer(ctx, *q.Caller, q.Ring, *q.Transfer)
	return nil, err
}

// letGo ends what this node has of a ring whose end was stored.
func (b Held) letGo(t tenants.TenantID, id tenants.RingID) {
	b.hungUp.note(hangUp{ring: id, by: gateway.Cancelled}, b.Now())
	b.hangUpCallOf(t, id, gateway.Cancelled)
	b.dropChain(id)
}

// passAnswer passes an offer on to the node that holds the ring. If that does not answer, and has
// not been seen for a while, this node goes on with the call: here is true then.
func (b Held) passAnswer(
	ctx context.Context, to tenants.NodeID, r *tenants.Ring, d tenants.DeviceID, sdp string,
) (a gateway.Answer, here bool, err error) {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		answered <- b.ask(asking, to, askAnswer, request{Tenant: r.Tenant, Ring: r.ID, Device: d, SDP: sdp}, &a)
	}()
	look := time.NewTicker(silentLook)
	defer look.Stop()
	for {
		select {
		case err = <-answered:
			if !errors.Is(err, bus.ErrUnreachable) || b.draining.begun.Load() {
				return a, false, err
			}
			here, e := b.goOn(ctx, to, r)
			if here {
				return a, true, nil
			}
			return a, false, errors.Join(err, e)
		case <-look.C:
			if b.draining.begun.Load() {
				continue
			}
			if here, _ := b.goOn(ctx, to, r); here {
				cancel()
				<-answered
				return gateway.Answer{}, true, nil
			}
		}
	}
}

// goOn makes this node the holder of a call in place of one that has been silent for a while.
func (b Held) goOn(ctx context.Context, from tenants.NodeID, r *tenants.Ring) (here bool, err error) {
	if here, err = b.Store.For(r.Tenant).Rings().TakeOver(ctx, r.ID, from, b.Peers.Self(), silentAfter); err != nil {
		return false, err
	}
	if here {
		b.Log.Warn("a call goes on here: its node does not answer", "ring", r.ID, "node", from)
	}
	return here, nil
}

// lost reports whether another node has gone on with a call that was on this one.
func (b Held) lost(ctx context.Context, id tenants.RingID) bool {
	if b.Peers == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	holder, err := b.Store.Nodes().Holder(ctx, id)
	return err == nil && holder != "" && holder != b.Peers.Self()
}

// release says that this node holds the sound of a ring no more. If that cannot be written, it is
// forgotten later, because the ring has ended.
func (b Held) release(t tenants.TenantID, id tenants.RingID) {
	if b.Peers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.life), 5*time.Second)
	defer cancel()
	_ = b.Store.For(t).Rings().Release(ctx, id, b.Peers.Self())
}

// Followed looks at a ring of which another node may have written facts: if it has ended, or was
// erased, its call and its agents here end too.
func (b Held) Followed(ctx context.Context, t tenants.TenantID, id tenants.RingID) error {
	if !b.calls.has(id, t) && b.chains.find(id) == nil {
		return nil
	}
	r, err := b.Store.For(t).Rings().Get(ctx, id)
	if tenants.KindOf(err) == tenants.Unknown {
		b.letGo(t, id)
		return nil
	}
	if err == nil && r.State.Terminal() && !b.late.has(id) {
		b.letGo(t, id)
	}
	return err
}

// Busy reports that this process has calls, or agents that wait for them: Followed looks at these.
func (b Held) Busy() bool { return len(b.calls.all())+len(b.chains.all()) > 0 }

// Keep ends the calls of this process that another node has gone on with, which happens while
// this one does not reach the database.
func (b Held) Keep(ctx context.Context) error {
	mine := b.calls.all()
	if len(mine) == 0 {
		return nil
	}
	list, err := b.Store.Nodes().HeldBy(ctx, b.Peers.Self())
	if err != nil {
		return err
	}
	for _, h := range list {
		delete(mine, h.Ring)
	}
	for id, t := range mine {
		if b.lost(ctx, id) {
			b.letGo(t, id)
		} else if e := b.Followed(ctx, t, id); err == nil {
			err = e // the first of them says enough
		}
	}
	return err
}

// EndLost ends the calls of nodes that have been gone for a while, with node_lost.
func (b Held) EndLost(ctx context.Context) error {
	list, err := b.Store.Nodes().HeldByGone(ctx, lostAfter, lostMost)
	if err != nil {
		return err
	}
	for _, h := range list {
		if h.Node == b.Peers.Self() {
			continue
		}
		if e := b.endLost(ctx, h); err == nil {
			err = e // the first of them says enough
		}
	}
	return err
}

// endLost ends a call of a node that is gone, unless a phone has answered it again meanwhile, here
// or on another node: the node that is gone is not its holder then.
func (b Held) endLost(ctx context.Context, h store.Held) error {
	rings := b.Store.For(h.Tenant).Rings()
	r, err := rings.Get(ctx, h.Ring)
	if tenants.KindOf(err) == tenants.Unknown || err == nil && r.State != tenants.Answered {
		return nil
	}
	if err != nil {
		return err
	}
	took, err := rings.TakeOver(ctx, h.Ring, h.Node, b.Peers.Self(), store.NodeGone+lostAfter)
	if err == nil && took {
		b.endAnswered(r, nodeLost)
	}
	return err
}

// ReleaseIdle gives back the rings that this node holds and that are no call yet, so that their
// phones are answered by another node. Agents that wait for them here are sent away: those that
// join can join again, where the phone will be. It is for a node that drains.
func (b Held) ReleaseIdle(ctx context.Context) error {
	if b.Peers == nil {
		return nil
	}
	list, err := b.Store.Nodes().HeldBy(ctx, b.Peers.Self())
	for _, h := range list {
		if b.calls.has(h.Ring, h.Tenant) || b.chains.isBetween(h.Ring) {
			continue
		}
		e := b.Store.For(h.Tenant).Rings().Release(ctx, h.Ring, b.Peers.Self())
		if e == nil {
			b.dropChain(h.Ring)
		}
		err = errors.Join(err, e)
	}
	return err
}
