// Package agents is the agent's side of a call: it opens an agent by its kind, and the agent talks
// on a gateway.Line until it is done or the line ends. It knows nothing of SQL or HTTP servers.
//
// Start reading at Kinds. chain.go is what a call gets: its agent, and those that follow if it
// fails; hold.go is what the person hears meanwhile. builtin.go is the kind that every server
// has, and menu.go, probe.go and announcement.go are its other programs.
// stream.go is the kind that talks over a WebSocket: pacer.go plays what it says, timeline.go and
// outbox.go hold what it hears. dialled.go is what openai.go and pipecat.go share: agents that we
// call over WebRTC.
package agents

import (
	"context"
	"fmt"
	"time"

	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/tenants"
)

// Call is what an agent may know about the ring that was answered.
type Call struct {
	Tenant    tenants.TenantID
	Ring      tenants.RingID
	Reference string // the tenant's own id of the ring
	Person    string // whom the ring is for, as the tenant names them; empty for a ring to a device
	Agent     string // the agent's name
	Caller    string // the label that the person sees
	Note      Note   // nil = the call has no timeline
}

// Note puts a fact about an agent on the timeline of the ring. detail is for people. It may wait
// for the database, so never call it from where sound passes.
type Note func(kind tenants.FactKind, detail string)

// Agent is an agent of one call. The order is Attach, Converse, Close; Close alone is allowed. Only
// a Chain calls it: a kind measures no deadline of its own.
type Agent interface {
	// Agent's Codecs may be called at any time, and its Converse only after Attach returned nil.
	gateway.Agent
	// Attach connects to the agent. It may run before the phone has answered. Its error is a
	// *Failure. ctx ends at the deadline, or after Attach has returned.
	Attach(ctx context.Context) error
	// Close releases what Attach made if Converse was never called. It may be called again, and
	// after Converse, but not during either of them.
	Close()
}

// Ready is an agent that need not be attached.
type Ready struct{ gateway.Agent }

// Attach does nothing.
func (Ready) Attach(context.Context) error { return nil }

// Close does nothing.
func (Ready) Close() {}

// Warn passes the warning on to an agent that wants it.
func (r Ready) Warn(l gateway.Line, left time.Duration) { warn(r.Agent, l, left) }

// Measure passes on what an agent measures of its own leg.
func (r Ready) Measure() gateway.LegSample { return measure(r.Agent) }

func measure(a gateway.Agent) gateway.LegSample {
	if m, ok := a.(gateway.Measured); ok {
		return m.Measure()
	}
	return gateway.LegSample{}
}

// Gap passes on that the phone is away or back.
func (r Ready) Gap(l gateway.Line, away bool) { gap(r.Agent, l, away) }

func gap(a gateway.Agent, l gateway.Line, away bool) {
	if g, ok := a.(gateway.Gapped); ok {
		g.Gap(l, away)
	}
}

func warn(a gateway.Agent, l gateway.Line, left time.Duration) {
	if w, ok := a.(gateway.Warned); ok {
		w.Warn(l, left)
	}
}

// Open makes a tenant's agent ready to be attached to a call. It starts nothing. An error says that
// it cannot: Open never returns another agent instead.
type Open func(context.Context, tenants.Agent, Call) (Agent, error)

// Tuned is an agent that wants to know the codec of the line. A chain calls Tune as soon as it
// knows it: before Attach, during an Attach that began while the phone rang, or after it. Then
// false means that what was attached has another codec and was given up: call Attach again.
type Tuned interface {
	Tune(gateway.Codec) (attached bool)
}

// Secrets opens the stored token of an agent; "" = it has none.
type Secrets func(context.Context, tenants.Agent) (string, error)

// Kinds holds how each kind of agent is opened. A new kind is one entry.
type Kinds map[tenants.AgentKind]Open

// NewKinds returns the kinds of this server.
func NewKinds(b *Builtin, s *Streams, d *Dialled, secrets Secrets, sounds Announcements) Kinds {
	// secretly opens a kind that has a secret.
	secretly := func(open func(tenants.Agent, string, Call) (Agent, error)) Open {
		return func(ctx context.Context, a tenants.Agent, c Call) (Agent, error) {
			secret, err := secrets(ctx, a)
			if err != nil {
				return nil, err
			}
			return open(a, secret, c)
		}
	}
	return Kinds{
		tenants.Builtin: func(_ context.Context, a tenants.Agent, c Call) (Agent, error) { return b.open(a, c, sounds) },
		tenants.Stream:  secretly(s.open),
		tenants.OpenAI:  secretly(d.openAI),
		tenants.Pipecat: secretly(d.pipecat),
		tenants.WebRTC:  func(_ context.Context, _ tenants.Agent, c Call) (Agent, error) { return s.joins.open(c) },
	}
}

// Open opens the agent by its kind. A kind that is not in the table is an error.
func (k Kinds) Open(ctx context.Context, a tenants.Agent, c Call) (Agent, error) {
	open, ok := k[a.Kind]
	if !ok {
		return nil, fmt.Errorf("agents: no agent of the kind %q can be opened", a.Kind)
	}
	return open(ctx, a, c)
}

// CheckAddress refuses an agent whose address d does not connect to, before it is stored.
func CheckAddress(d *outbound.Dialer, a tenants.Agent) (err error) {
	switch {
	case a.Stream != nil && a.Stream.Direction == tenants.DirectionAttach:
	case a.Stream != nil:
		err = d.CheckURL(a.Stream.URL, "wss")
	case a.Pipecat != nil:
		err = d.CheckURL(a.Pipecat.URL, "https")
	}
	if err == nil {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "The agent's address cannot be used.", Err: err,
		Fields: []tenants.Field{{Name: "url", Message: err.Error()}}}
}
