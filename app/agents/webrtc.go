package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// replaceWithin is how long a connection that takes the place of a lost one may take to come about.
const replaceWithin = 10 * time.Second

// webrtcAgent is an agent that connects to us with WebRTC, in one call.
type webrtcAgent struct {
	joins *Joins
	ring  tenants.RingID
	away  func(*gateway.Peer) bool // whether a connection is lost at present

	mu       sync.Mutex // guards the rest
	peer     *gateway.Peer
	attached bool           // Attach has returned nil
	codec    *gateway.Codec // of the line; nil until it is known
}

var errNoRing = &Failure{Cause: "an agent that connects to us needs a ring, and this call has none"}

func (j *Joins) open(c Call) (Agent, error) {
	if c.Ring == "" {
		return nil, errNoRing
	}
	return &webrtcAgent{joins: j, ring: c.Ring, away: (*gateway.Peer).Away}, nil
}

// Codecs returns those of the connection, if the agent is there already. When the line has another
// one, another connection may have it.
func (a *webrtcAgent) Codecs() []gateway.Codec {
	a.mu.Lock()
	p, tuned := a.peer, a.codec != nil
	a.mu.Unlock()
	switch {
	case tuned:
		return gateway.Codecs()
	case p != nil:
		return p.Codecs()
	}
	return a.joins.parked(a.ring)
}

// Tune says which codec the line has. The phone may have been answered with another one while the
// agent joined.
func (a *webrtcAgent) Tune(c gateway.Codec) (attached bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codec = &c
	if !a.attached || a.fits(a.peer) {
		return true
	}
	a.peer.Close()
	a.peer, a.attached = nil, false
	return false
}

// fits reports whether the peer has the codec of the line, as far as it is known. Called with mu
// held.
func (a *webrtcAgent) fits(p *gateway.Peer) bool {
	return a.codec == nil || slices.Contains(p.Codecs(), *a.codec)
}

// Attach waits for the agent's offer, and until it is connected. It closes a connection with
// another codec than the line's: the next one gets that of the line.
func (a *webrtcAgent) Attach(ctx context.Context) error {
	var unfit *Failure
	for {
		p, err := a.joins.takePeer(ctx, a.ring)
		if err != nil && unfit != nil {
			return unfit
		}
		if err != nil {
			return err
		}
		if a.hold(p) {
			err = p.Wait(ctx)
		}
		if unfit = a.settle(p, err); unfit == nil {
			return PeerFailure(err)
		}
	}
}

// hold makes p the connection. It returns false if p does not fit.
func (a *webrtcAgent) hold(p *gateway.Peer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peer = p
	return a.fits(p)
}

// settle keeps a connection that came about and fits, and closes another. A failure says that it
// does not fit.
func (a *webrtcAgent) settle(p *gateway.Peer, err error) *Failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	fits := a.fits(p)
	if a.attached = fits && err == nil; a.attached {
		return nil
	}
	p.Close()
	a.peer = nil
	if fits {
		return nil
	}
	return &Failure{Cause: fmt.Sprintf("the agent's connection has %v, and the phone of this call has %v; "+
		"let the agent offer %v too, and connect again", p.Codecs()[0], *a.codec, *a.codec)}
}

// present is the connection; nil = none.
func (a *webrtcAgent) present() *gateway.Peer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peer
}

// Converse carries sound until one side hangs up. An agent whose connection is lost may connect
// again, with another join token, before the connection is given up.
func (a *webrtcAgent) Converse(ctx context.Context, l gateway.Line) error {
	p := a.present()
	if p == nil {
		return errNotAttached
	}
	for {
		next, err := a.talk(ctx, p, l)
		if next == nil {
			return PeerFailure(err)
		}
		p = next
	}
}

// talk carries sound over p until it ends. next is the connection that took its place; nil = none.
// When p is given up as lost, one that connects already may complete.
func (a *webrtcAgent) talk(ctx context.Context, p *gateway.Peer, l gateway.Line) (next *gateway.Peer, err error) {
	own, stop := context.WithCancel(ctx)
	defer stop()
	looking, settle := context.WithCancel(own)
	var watching sync.WaitGroup
	watching.Go(func() {
		if next = a.replacement(own, looking, p); next != nil {
			p.Close()
		}
	})
	err = p.Converse(ctx, l)
	settle()
	if !errors.Is(err, gateway.ErrPeerLost) {
		stop()
	}
	watching.Wait()
	return next, err
}

// replacement waits until looking is done for a connection that comes while p is lost, and until
// ctx is done for it to be connected. Otherwise it returns nil.
func (a *webrtcAgent) replacement(ctx, looking context.Context, p *gateway.Peer) *gateway.Peer {
	for {
		q := a.joins.takeInstead(looking, a.ring, func() bool { return a.away(p) })
		if q == nil {
			return nil
		}
		soon, cancel := context.WithTimeout(ctx, replaceWithin)
		err := q.Wait(soon)
		cancel()
		a.mu.Lock()
		fits := err == nil && a.fits(q)
		if fits {
			a.peer = q
		}
		a.mu.Unlock()
		if fits {
			return q
		}
		q.Close()
	}
}

// Measure measures the connection.
func (a *webrtcAgent) Measure() gateway.LegSample {
	if p := a.present(); p != nil {
		return p.Measure()
	}
	return gateway.LegSample{}
}

// Close closes the connection.
func (a *webrtcAgent) Close() {
	if p := a.present(); p != nil {
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
