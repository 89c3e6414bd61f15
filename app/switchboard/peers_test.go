package switchboard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/bus"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// peer is a node whose other nodes cannot be reached.
type peer tenants.NodeID

func (p peer) Self() tenants.NodeID { return tenants.NodeID(p) }

func (peer) Ask(context.Context, tenants.NodeID, string, []byte) ([]byte, error) {
	return nil, errors.New("nobody answers")
}

func (peer) Post(tenants.NodeID, string, []byte) {}

func (peer) Pipe(string) (*bus.Pipe, error) { return nil, errors.New("nobody answers") }

// stoppedPeer is a node whose other nodes are stopped: they take requests and answer none.
type stoppedPeer struct{ peer }

func (stoppedPeer) Ask(ctx context.Context, _ tenants.NodeID, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, bus.ErrUnreachable
}

// asNode gives the first server a name among the nodes, calls without sound, and an agent for each.
func (p *pair) asNode(a agents.Agent) (self tenants.NodeID, media *refusingMedia) {
	p.one.t.Helper()
	self, media = tenants.NewID[tenants.NodeID](p.one.clock.Now()), &refusingMedia{}
	media.during = func() {}
	p.one.config.Peers, p.one.config.Media = peer(self), media
	p.one.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) { return a, nil }
	p.one.open()
	return self, media
}

// talk places a ring through the first server and answers it there.
func (p *pair) talk() *tenants.Ring {
	w := p.one
	w.t.Helper()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	p.a.next(w.t)
	p.a.say <- 200
	w.state(r.ID, tenants.Pushed)
	_, err := w.board.Answer(w.t.Context(), d, r.ID, "v=0")
	must(w.t, err)
	return w.state(r.ID, tenants.Answered)
}

// movedCall: what a node learns of a call with which another node has gone on is not recorded.
func movedCall(t *testing.T, p *pair) {
	self, media := p.asNode(&attendant{})
	other := tenants.NewID[tenants.NodeID](p.one.clock.Now())
	r, rings := p.talk(), p.one.scope.Rings()
	took, err := rings.TakeOver(t.Context(), r.ID, self, other, 0)
	must(t, err)
	if !took {
		t.Fatal("the other node cannot go on with it")
	}
	late := fmt.Sprintf(`{"tenant":"%s","ring":"%s","device":"%s","sdp":"v=0"}`, r.Tenant, r.ID, r.Attempts[0].Device)
	if _, err := switchboard.NewHeld(p.one.board).Asked(t.Context(), "answer", []byte(late)); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("a node that was stopped answered a late request: %v", err)
	}
	media.on(gateway.Event{Kind: gateway.Connected, At: p.one.clock.Now()})
	p.one.board.StoreSoon(r.ID)
	if got, err := rings.Get(t.Context(), r.ID); err != nil || got.Attempts[0].Has(tenants.FactConnected) || p.one.board.Late() > 0 {
		t.Errorf("recorded by the node that has lost it: %+v %v", got, err)
	}
	took, err = rings.TakeOver(t.Context(), r.ID, other, self, 0)
	must(t, err)
	media.on(gateway.Event{Kind: gateway.Connected, At: p.one.clock.Now()})
	p.one.board.StoreSoon(r.ID)
	if got, err := rings.Get(t.Context(), r.ID); err != nil || !took || !got.Attempts[0].Has(tenants.FactConnected) {
		t.Errorf("not recorded by its holder: %+v %v", got, err)
	}
}

// stoppedHolder: a phone that answers again does not wait for a node that has fallen silent.
func stoppedHolder(t *testing.T, p *pair) {
	self, _ := p.asNode(&attendant{})
	p.one.config.Peers = stoppedPeer{peer(self)}
	w, other := p.one, tenants.NewID[tenants.NodeID](p.one.clock.Now())
	w.open()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	p.a.next(t)
	p.a.say <- 200
	w.state(r.ID, tenants.Pushed)
	_, err := w.store.Nodes().Start(t.Context(), store.Node{ID: other, Name: "stopped", Shared: true})
	must(t, err)
	_, err = w.scope.Rings().Hold(t.Context(), r.ID, other)
	must(t, err)
	if _, err := w.board.Answer(t.Context(), d, r.ID, "v=0"); err != nil {
		t.Fatal(err)
	}
	if holder, err := w.store.Nodes().Holder(t.Context(), r.ID); err != nil || holder != self {
		t.Errorf("held by %s: %v", holder, err)
	}
}

// lostCalls: a node ends the calls of a node that is gone, and none of its own.
func lostCalls(t *testing.T, p *pair) {
	self, _ := p.asNode(&attendant{})
	gone := tenants.NewID[tenants.NodeID](p.one.clock.Now())
	own, lost := p.talk(), p.talk()
	must(t, p.one.scope.Rings().Release(t.Context(), lost.ID, self))
	_, err := p.one.scope.Rings().Hold(t.Context(), lost.ID, gone)
	must(t, err)
	for _, id := range []tenants.NodeID{self, gone} { // its own heartbeat may be late too
		_, err := p.one.store.Nodes().Start(t.Context(), store.Node{ID: id, Name: "node", Shared: true})
		must(t, err)
	}
	for _, id := range []tenants.NodeID{self, gone} {
		must(t, p.one.store.Nodes().Stop(t.Context(), id))
	}
	p.one.reopen() // as if the phone's answer were not finished: the call is not listed here yet
	must(t, switchboard.NewHeld(p.one.board).EndLost(t.Context()))
	for _, c := range []struct {
		id  tenants.RingID
		why string
	}{{own.ID, ""}, {lost.ID, "node_lost"}} {
		if got, err := p.one.scope.Rings().Get(t.Context(), c.id); err != nil || got.Call.EndedBy != c.why {
			t.Errorf("ended by %q, want %q: %v", got.Call.EndedBy, c.why, err)
		}
	}
}

// idleAgents: an agent that waits for a ring leaves when the node drains, and when the ring is
// erased.
func idleAgents(t *testing.T, p *pair) {
	a := &attendant{}
	p.asNode(a)
	early := p.one.agent(tenants.Agent{Name: "Reception", Attach: tenants.AttachShown})
	shown := func(attached int64) *tenants.Ring {
		d := p.one.device("")
		r := p.one.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: early})
		p.a.next(t)
		p.a.say <- 200
		p.one.report(d, r, tenants.FactShown)
		p.one.eventually("the agent is attached", func() bool { return a.attached.Load() == attached })
		return r
	}
	held := switchboard.NewHeld(p.one.board)
	erased := shown(1)
	nobody := tenants.NewID[tenants.TenantID](p.one.clock.Now()) // has no such ring
	must(t, held.Followed(t.Context(), nobody, erased.ID))
	p.one.eventually("the agent of a ring that is not there leaves", func() bool { return a.closed.Load() == 1 })
	r := shown(2)
	p.one.board.Drain()
	must(t, held.ReleaseIdle(t.Context()))
	p.one.eventually("the agent leaves a node that drains", func() bool { return a.closed.Load() == 2 })
	if holder, err := p.one.store.Nodes().Holder(t.Context(), r.ID); err != nil || holder != "" {
		t.Errorf("held by %q: %v", holder, err)
	}
}

// nextStepElsewhere: the step that a decline begins is pushed once, and recorded, although another
// server has looked at the ring before.
func nextStepElsewhere(t *testing.T, p *pair) {
	ana := p.one.device("ana")
	p.one.device("ben")
	r := p.one.place(p.one.group(tenants.Sequential, "ana", "ben"))
	p.a.next(t)
	p.a.say <- 200
	p.one.rung(r.ID, 1)
	p.one.clock.Pass(3500 * time.Millisecond)
	must(t, p.two.board.Sweep(t.Context()))
	p.one.report(ana, r, tenants.FactDeclined)
	p.a.next(t)
	p.a.say <- 200
	p.one.eventually("the answer is handled", p.one.board.Idle)
	if got, err := p.one.scope.Rings().Get(t.Context(), r.ID); err != nil || got.Attempts[1].Push.Status != 200 {
		t.Fatalf("Apple's answer is lost: %+v %v", got.Attempts, err)
	}
	p.one.clock.Pass(4 * time.Second)
	must(t, p.two.board.Sweep(t.Context()))
	must(t, p.one.board.Sweep(t.Context()))
	if n := p.a.pushes() + p.b.pushes(); n != 2 {
		t.Errorf("%d pushes for two steps", n)
	}
}

// stepOfASlowApple: the next step begins in time although the push of the one before is under way.
func stepOfASlowApple(t *testing.T, p *pair) {
	p.one.device("ana")
	p.one.device("ben")
	r := p.one.place(p.one.group(tenants.Sequential, "ana", "ben"))
	p.a.next(t)
	for range 19 {
		p.one.clock.Pass(time.Second)
		must(t, p.one.board.HoldPushes(t.Context()))
		must(t, p.two.board.Sweep(t.Context()))
	}
	p.one.clock.Pass(1100 * time.Millisecond)
	must(t, p.one.board.Sweep(t.Context()))
	p.a.say <- 200
	p.a.say <- 200
	if got, err := p.one.scope.Rings().Get(t.Context(), r.ID); err != nil || len(got.Attempts) != 2 || p.b.pushes() > 0 {
		t.Errorf("after the time of the first step: %+v %v", got.Attempts, err)
	}
}
