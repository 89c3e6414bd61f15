package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// leaveWithin is how long an agent may take to obey the end of its context before the call goes to
// the next one without waiting for it.
const leaveWithin = time.Second

// Link is one agent of a chain.
type Link struct {
	Agent  Agent         // nil = it could not be opened, and Err says why
	Err    error         //
	Name   string        // for people
	Within time.Duration // to attach, from the answer or from the loss of the agent before it
	Tried  func(error)   // gets how attaching went, after Note; nil = nobody asks
}

// ChainConfig is what a chain is made of. Links, Sounds and Log are needed.
type ChainConfig struct {
	Links  []Link
	Lost   tenants.Lost // what happens when none is left
	Note   Note         // gets each step; nil = none
	Sounds *Sounds
	Log    *slog.Logger
}

// Chain is the agent of a call, made of one or more agents: when one cannot be attached or is lost,
// the next one gets the line. Meanwhile the person hears a tone, and what they say first is kept
// for the next. Close it when the call is over or will not happen.
type Chain struct {
	cfg     ChainConfig
	running sync.WaitGroup // the agents, the hold and the early attachment

	mu       sync.Mutex // guards the rest
	links    []Link     // those that were not tried yet
	early    *early     // attachment of the first one before the answer; nil = none
	present  *seat      // nil = nobody talks
	speaker  Agent      // whose seat it is
	number   int        // how many have talked
	transfer chan transfer
	begun    bool          // Converse was called
	codec    gateway.Codec // of the call, once it has begun
	closed   bool
}

// transfer is the request to give the call to other agents.
type transfer struct {
	links []Link
	lost  tenants.Lost
}

// NewChain returns the chain of one call. It starts nothing.
func NewChain(c ChainConfig) *Chain {
	return &Chain{cfg: c, links: c.Links, transfer: make(chan transfer, 1)}
}

// Codecs returns the codecs of the agents. The first agent decides: its codecs come first, and
// among them those that most of the others speak too. The codec of a call never changes, so an
// agent that does not speak it cannot follow.
func (c *Chain) Codecs() []gateway.Codec {
	var all []gateway.Codec
	speak := map[gateway.Codec]int{}
	first := 0 // codecs of the first agent that can be opened
	for _, l := range c.cfg.Links {
		if l.Agent == nil {
			continue
		}
		for _, codec := range l.Agent.Codecs() {
			if speak[codec]++; !slices.Contains(all, codec) {
				all = append(all, codec)
			}
		}
		if first == 0 {
			first = len(all)
		}
	}
	if len(all) == 0 { // nobody can speak, but we can say so
		return []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.PCMA, gateway.G722}
	}
	most := func(a, b gateway.Codec) int { return speak[b] - speak[a] }
	slices.SortStableFunc(all[:first], most)
	slices.SortStableFunc(all[first:], most)
	return all
}

// early is an attachment that began before the answer.
type early struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

// Begin attaches the first agent before the phone has answered. Its deadline begins at the answer.
func (c *Chain) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun || c.closed || c.early != nil || len(c.links) == 0 || c.links[0].Agent == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	e, a := &early{cancel: cancel, done: make(chan struct{})}, c.links[0].Agent
	c.early = e
	c.running.Go(func() {
		defer close(e.done)
		e.err = safely(c.cfg.Log, func() error { return a.Attach(ctx) })
	})
}

// Close ends an early attachment and closes the agents that never talked. It may be called during
// Converse, at the end of the call, and more than once. It waits for goroutines.
func (c *Chain) Close() {
	c.mu.Lock()
	e, left := c.early, c.links
	c.closed, c.early, c.links = true, nil, nil
	select {
	case t := <-c.transfer:
		left = append(left, t.links...)
	default:
	}
	c.mu.Unlock()
	if e != nil {
		e.cancel()
		<-e.done
	}
	closeAll(left)
}

func closeAll(links []Link) {
	for _, l := range links {
		if l.Agent != nil {
			l.Agent.Close()
		}
	}
}

// next takes the next agent, and its early attachment.
func (c *Chain) next() (l Link, e *early, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) == 0 {
		return l, nil, false
	}
	l, e = c.links[0], c.early
	c.links, c.early = c.links[1:], nil
	return l, e, true
}

// errTransferred says that the call is to be given to other agents.
var errTransferred = errors.New("agents: the call was transferred")

// Converse gives the line to one agent after the other, until one hangs up or the line ends. Its
// error is a *Failure when none is left: that of the last one.
func (c *Chain) Converse(ctx context.Context, l gateway.Line) error {
	c.mu.Lock()
	c.begun, c.codec = true, l.Codec()
	c.mu.Unlock()
	defer c.running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var h *hold
	defer func() { h.end() }()
	var last error = &Failure{Cause: "the call has no agent"}
	for {
		link, e, ok := c.next()
		if !ok {
			h.end()
			h = nil
			return c.giveUp(ctx, l, last)
		}
		err := c.attach(ctx, l, link, e, &h)
		if err == nil {
			kept := h.end()
			h = nil
			err = c.seat(ctx, l, link, kept)
		} else if ctx.Err() == nil {
			c.note(tenants.FactAgentFailed, link, err)
		}
		if link.Agent != nil {
			link.Agent.Close()
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errTransferred):
			last = err
		}
	}
}

// attach attaches an agent within its time. It begins to hold the line if that takes long.
func (c *Chain) attach(ctx context.Context, l gateway.Line, link Link, e *early, h **hold) error {
	if link.Agent == nil {
		return link.Err
	}
	again := false
	if t, ok := link.Agent.(Tuned); ok {
		again = !t.Tune(l.Codec())
	}
	if !slices.Contains(link.Agent.Codecs(), l.Codec()) {
		return &Failure{Cause: fmt.Sprintf("it does not speak %v, the codec of this call", l.Codec())}
	}
	limit, cancel := context.WithTimeout(ctx, link.Within)
	defer cancel()
	if e != nil {
		select {
		case <-e.done:
			again = again || e.err != nil
		default:
		}
		defer e.cancel()
		if err := c.await(ctx, limit, l, e.done, h); err != nil {
			e.cancel()
			<-e.done
		}
		if !again {
			return c.attached(limit, link, e.err)
		}
		// It failed before anybody answered, and its server may be there by now, or it has another
		// codec.
	}
	done := make(chan struct{})
	var err error
	c.running.Go(func() {
		defer close(done)
		err = safely(c.cfg.Log, func() error { return link.Agent.Attach(limit) })
	})
	if c.await(ctx, limit, l, done, h) != nil {
		<-done // an agent obeys its context
	}
	return c.attached(limit, link, err)
}

// attached is the result of Attach as a *Failure.
func (c *Chain) attached(limit context.Context, link Link, err error) error {
	var f *Failure
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case limit.Err() != nil:
		return &Failure{Cause: fmt.Sprintf("it was not there within %v", link.Within), Err: err}
	}
	return &Failure{Cause: "it could not be attached", Err: err}
}

// await waits for done until limit ends, and begins to hold the line after holdAfter. The hold
// lasts beyond limit: the next agent may take long too.
func (c *Chain) await(ctx, limit context.Context, l gateway.Line, done <-chan struct{}, h **hold) error {
	soon := time.NewTimer(holdAfter)
	defer soon.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-limit.Done():
			return limit.Err()
		case <-soon.C:
			if *h == nil {
				*h = c.holdLine(ctx, l)
			}
		}
	}
}

// seat gives the line to an attached agent until it hangs up (nil), is lost, or the call is
// transferred.
func (c *Chain) seat(ctx context.Context, l gateway.Line, link Link, kept []gateway.Packet) error {
	own, leave := context.WithCancel(ctx)
	defer leave()
	s := c.sit(l, link.Agent, kept)
	defer c.stand(s)
	done := make(chan error, 1)
	c.running.Go(func() { done <- safely(c.cfg.Log, func() error { return link.Agent.Converse(own, s) }) })
	c.note(tenants.FactAgentAttached, link, nil)
	var err error
	select {
	case err = <-done:
		c.stand(s)
		select {
		case t := <-c.transfer: // an agent may hang up as soon as it has asked for the transfer
			c.follow(t)
			return errTransferred
		default:
		}
	case t := <-c.transfer:
		c.stand(s)
		leave()
		c.follow(t)
		select {
		case <-done:
		case <-time.After(leaveWithin):
			c.cfg.Log.Error("agent does not leave the line that was transferred", "agent", link.Name)
		}
		return errTransferred
	}
	if err != nil && ctx.Err() == nil {
		c.note(tenants.FactAgentLost, link, err)
	}
	return err
}

func (c *Chain) sit(l gateway.Line, a Agent, kept []gateway.Packet) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := newSeat(l, c.number, kept)
	c.present, c.speaker = s, a
	c.number++
	return s
}

func (c *Chain) stand(s *seat) {
	c.mu.Lock()
	if c.present == s {
		c.present, c.speaker = nil, nil
	}
	c.mu.Unlock()
	s.end()
}

// follow makes the agents of a transfer the next ones.
func (c *Chain) follow(t transfer) {
	c.mu.Lock()
	old := c.links
	c.links, c.cfg.Lost = t.links, t.lost
	closed := c.closed
	c.mu.Unlock()
	closeAll(old)
	if closed {
		closeAll(t.links)
	}
}

// Codec returns the codec of the call; ok is false while no agent talks, as Transfer says.
func (c *Chain) Codec() (codec gateway.Codec, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.codec, c.present != nil && !c.closed
}

// Transfer gives the call to other agents, the first of links first. It returns false if no agent
// talks, or it has been transferred already; then the links are the caller's to close.
func (c *Chain) Transfer(links []Link, lost tenants.Lost) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.present == nil || c.closed {
		return false
	}
	c.present, c.speaker = nil, nil
	c.transfer <- transfer{links, lost} // it has room: there is one for each seat
	return true
}

// Warn warns the agent that talks.
func (c *Chain) Warn(_ gateway.Line, left time.Duration) {
	c.mu.Lock()
	s, a := c.present, c.speaker
	c.mu.Unlock()
	if s != nil {
		warn(a, s, left)
	}
}

// Measure measures the leg of the agent that talks.
func (c *Chain) Measure() gateway.LegSample {
	c.mu.Lock()
	a := c.speaker
	c.mu.Unlock()
	return measure(a)
}

// Gap tells the agent that talks that the phone is away or back.
func (c *Chain) Gap(_ gateway.Line, away bool) {
	c.mu.Lock()
	s, a := c.present, c.speaker
	c.mu.Unlock()
	if s != nil {
		gap(a, s, away)
	}
}

// giveUp ends a call that has no agent left.
func (c *Chain) giveUp(ctx context.Context, l gateway.Line, last error) error {
	if c.cfg.Lost == tenants.LostHangUp {
		return last
	}
	select {
	case <-l.Audible():
	case <-ctx.Done():
		return ctx.Err()
	}
	if play(ctx, l, sorrySource, 0, c.cfg.Sounds.sorry[l.Codec()]) == nil {
		select {
		case <-time.After(lastTail):
		case <-ctx.Done():
		}
	}
	return last
}

// note tells the timeline of a step.
func (c *Chain) note(kind tenants.FactKind, link Link, err error) {
	if err != nil {
		c.cfg.Log.Warn("an agent is not there", "step", kind, "agent", link.Name, "error", err)
	}
	if c.cfg.Note != nil {
		detail := link.Name
		if err != nil {
			detail += ": " + CauseOf(err)
		}
		c.cfg.Note(kind, detail)
	}
	if link.Tried != nil && kind != tenants.FactAgentLost {
		link.Tried(err)
	}
}

// CauseOf is why an agent failed, for the tenant.
func CauseOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Cause
	}
	return "an error of this server; its log says more"
}

// safely makes a panic of one agent an error of its own call. Every goroutine that runs an agent's
// work needs it: a panic that is not caught ends the process, and all calls.
func safely(log *slog.Logger, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("agent panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("agents: agent panicked: %v", p)
		}
	}()
	return f()
}
