package gateway

import (
	"context"
	"errors"
	"fmt"
)

// Answer connects the phone that made o to its call, and the call to its agent, in the best codec
// of the agent that the phone offers. The same leg may answer again in that codec: its old
// connection is replaced and the agent's conversation continues; the agent, o.Tap and o.On are then
// ignored. Another leg is refused. An error is a *Refused, that of o.Decide or of ctx, or a fault
// of the gateway. After an error o.On is never called, unless the call was running before.
func (g *Gateway) Answer(ctx context.Context, o Offer) (Answer, error) {
	if o.Call == "" || o.Leg == "" || o.Agent == nil || o.On == nil {
		return Answer{}, errors.New("gateway: an offer needs Call, Leg, Agent and On")
	}
	read, err := g.readOffer(o, g.findCall(o.Call))
	if err != nil {
		return Answer{}, err
	}
	c, fresh, err := g.findOrMakeCall(o, read.codec)
	if err != nil {
		return Answer{}, err
	}
	defer g.running.Done()
	c.signalling.Lock()
	defer c.signalling.Unlock()
	n := g.negotiate(ctx, c, read)
	if err := g.decide(c, fresh, &o); err != nil {
		n.drop()
		return Answer{}, err
	}
	if fresh {
		switch taken, err := g.addCall(c); {
		case err != nil:
			n.drop()
			return Answer{}, err
		case taken: // another offer of the same moment began the call
			n.drop()
			return g.Answer(ctx, o)
		}
	}
	l, sdp, err := n.wait()
	if err != nil {
		return Answer{}, g.dropUnstarted(c, err)
	}
	if err := g.startLeg(c, l); err != nil {
		l.close()
		return Answer{}, err
	}
	return Answer{SDP: sdp, ETag: l.etag, ICEServers: g.cfg.ICEServers()}, nil
}

// readOffer reads an offer to join c, or to begin a call if c is nil.
func (g *Gateway) readOffer(o Offer, c *call) (*offer, error) {
	read, err := readOffer(o.SDP, g.reach)
	switch {
	case err != nil:
		return nil, err
	case c != nil && c.leg == o.Leg: // findOrAddCall refuses another leg
		return read, read.choose([]Codec{c.codec}, "this call began with")
	}
	return read, read.choose(o.Agent.Codecs(), agentSpeaks)
}

// findOrMakeCall returns the call of o, or makes one in codec when MaxCalls allows it: it is fresh
// then, nobody else knows it, and decide and addCall follow. It adds one to g.running for the
// caller.
func (g *Gateway) findOrMakeCall(o Offer, codec Codec) (c *call, fresh bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[o.Call]; c != nil {
		switch {
		case c.leg != o.Leg:
			return nil, false, refuse(AnsweredElsewhere, "Another device has answered this call.")
		case c.over():
			return nil, false, refuse(CallEnded, "The call has ended.")
		case c.codec != codec: // two offers at the same moment began the call
			return nil, false, refuse(UnsupportedMedia, fmt.Sprintf(
				"This call began with %s; answer with the same codecs each time.", c.codec.rtpmap()))
		}
		g.running.Add(1)
		return c, false, nil
	}
	switch {
	case g.closed || g.draining:
		return nil, false, errRestarting()
	case len(g.calls)+g.deciding >= g.cfg.MaxCalls:
		return nil, false, refuse(Full, "All lines are busy; answer again in a moment.")
	}
	g.deciding++
	g.running.Add(1)
	return newCall(g, o, codec), true, nil
}

func errRestarting() error {
	return refuse(ShuttingDown, "The gateway is being restarted; answer again in a moment.")
}

// decide asks o.Decide, and puts what it said into o and into a fresh call. After an error a fresh
// call is no more.
func (g *Gateway) decide(c *call, fresh bool, o *Offer) (err error) {
	if o.Decide == nil {
		return nil
	}
	decide := o.Decide
	o.Decide = nil
	if e := c.guard("the decision about an offer", func() { o.Agent, o.Tap, err = decide() }); e != nil {
		err = e
	}
	if err == nil && o.Agent == nil {
		err = errors.New("gateway: a decision needs an agent")
	}
	switch {
	case !fresh:
	case err == nil:
		c.agent, c.line.tap = o.Agent, o.Tap
	default:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.deciding--
	}
	return err
}

// addCall makes a fresh call known; taken means that there is one of this name now.
func (g *Gateway) addCall(c *call) (taken bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deciding--
	switch {
	case g.calls[c.id] != nil:
		return true, nil
	case g.closed || g.draining:
		return false, errRestarting()
	}
	g.calls[c.id] = c
	return false, nil
}

// dropUnstarted removes a call that never got a leg, and returns why: what failed, unless somebody
// ended the call meanwhile. Called with c.signalling held.
func (g *Gateway) dropUnstarted(c *call, failed error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.running {
		return failed
	}
	c.end("") // so that an Answer that waits for signalling sees that the call is over
	if c.reason != "" {
		return g.refuseEnded(c)
	}
	g.removeCall(c)
	return failed
}

// refuseEnded is the refusal of a leg of a call that is over. A call that never began is removed.
// Called with mu held.
func (g *Gateway) refuseEnded(c *call) error {
	r := &Refused{Reason: CallEnded, Msg: "The call has ended."}
	if !c.running {
		r.Ended = c.reason
		g.removeCall(c)
	}
	return r
}

// startLeg makes l the leg of c, and starts the goroutine of c with its first leg.
func (g *Gateway) startLeg(c *call, l *leg) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.end(ShutDown) // Close is about to say the same
	}
	if c.over() || !c.join(l) {
		return g.refuseEnded(c)
	}
	if !c.running {
		c.running = true
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			c.run()
			g.mu.Lock()
			defer g.mu.Unlock()
			g.removeCall(c)
		}()
	}
	return nil
}

// negotiation is the answer to an offer that is being made on a goroutine of its own, while
// something else decides whether it is wanted. Either drop or wait follows.
type negotiation struct {
	g      *Gateway
	cancel context.CancelFunc
	done   chan struct{} // closed when the rest is set
	leg    *leg
	sdp    string
	err    error
}

// negotiate begins to answer o for c. Called while g.running counts the caller.
func (g *Gateway) negotiate(ctx context.Context, c *call, o *offer) *negotiation {
	n := &negotiation{g: g, done: make(chan struct{})}
	ctx, n.cancel = context.WithCancel(ctx)
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		defer close(n.done)
		err := c.guard("an answer", func() { n.leg, n.sdp, n.err = g.answerLeg(ctx, c.id, c.line, c.wakeRun, o) })
		if err != nil {
			n.err = err
		}
	}()
	return n
}

// drop throws away what was made, and does not wait for it. Called while g.running counts the
// caller.
func (n *negotiation) drop() {
	n.cancel()
	n.g.running.Add(1)
	go func() {
		defer n.g.running.Done()
		if <-n.done; n.leg != nil {
			n.leg.close()
		}
	}()
}

// wait returns the leg and the answer.
func (n *negotiation) wait() (*leg, string, error) {
	<-n.done
	n.cancel()
	return n.leg, n.sdp, n.err
}
