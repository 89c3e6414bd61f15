package agents

import (
	"context"
	"errors"
	"sync/atomic"

	"carillon/gateway"
	"carillon/tenants"
)

// webrtcAgent is an agent that connects to us with WebRTC, in one call.
type webrtcAgent struct {
	joins *Joins
	ring  tenants.RingID
	peer  atomic.Pointer[gateway.Peer] // set by Attach; Codecs may be called meanwhile
}

var errNoRing = &Failure{Cause: "an agent that connects to us needs a ring, and this call has none"}

func (j *Joins) open(c Call) (Agent, error) {
	if c.Ring == "" {
		return nil, errNoRing
	}
	return &webrtcAgent{joins: j, ring: c.Ring}, nil
}

// Codecs returns those of the connection, if the agent is there already.
func (a *webrtcAgent) Codecs() []gateway.Codec {
	if p := a.peer.Load(); p != nil {
		return p.Codecs()
	}
	return a.joins.parked(a.ring)
}

// Attach waits for the agent's offer, and until it is connected.
func (a *webrtcAgent) Attach(ctx context.Context) error {
	p, err := a.joins.takePeer(ctx, a.ring)
	if err != nil {
		return err
	}
	a.peer.Store(p)
	if err = p.Wait(ctx); err != nil {
		p.Close()
		a.peer.Store(nil)
	}
	return PeerFailure(err)
}

// Converse carries sound until one side hangs up.
func (a *webrtcAgent) Converse(ctx context.Context, l gateway.Line) error {
	p := a.peer.Load()
	if p == nil {
		return errNotAttached
	}
	return PeerFailure(p.Converse(ctx, l))
}

// Measure measures the connection.
func (a *webrtcAgent) Measure() gateway.LegSample {
	if p := a.peer.Load(); p != nil {
		return p.Measure()
	}
	return gateway.LegSample{}
}

// Close closes the connection.
func (a *webrtcAgent) Close() {
	if p := a.peer.Load(); p != nil {
		p.Close()
	}
}

// PeerFailure makes the end of a gateway.Peer a *Failure, with the cause for the tenant.
func PeerFailure(err error) error {
	switch {
	case errors.Is(err, gateway.ErrPeerUnreached):
		return &Failure{Cause: "the agent's sound did not connect; a firewall between it and this server is the usual cause", Err: err}
	case errors.Is(err, gateway.ErrPeerLost):
		return &Failure{Cause: "the connection to the agent's sound was lost and did not come back", Err: err}
	case gateway.Reason(err) == gateway.CallEnded:
		return &Failure{Cause: "the agent closed its connection before the call began", Err: err}
	}
	return err
}
