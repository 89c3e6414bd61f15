// Package switchboard takes a ring from request to record, in order. It owns the use cases: place,
// push, report, answer, cancel, expire. It knows no HTTP and no SQL: the store's Scope, the push
// sender and the gateway do what it decides, and what it decides by is in package tenants.
//
// Start reading at place.go; push.go follows the ring to Apple, report.go back from the phone,
// sweep.go finishes what time or a crash cut off.
package switchboard

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"carillon/app/agents"
	"carillon/app/bus"
	"carillon/app/push"
	"carillon/app/trace"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Pusher sends one push to Apple and says what Apple said. *push.Sender is one.
type Pusher interface {
	Push(context.Context, *push.Key, push.Push) push.Answer
}

// Keys opens the credential that signs an attempt's push. *health.Credentials does.
type Keys interface {
	Key(context.Context, tenants.TenantID, tenants.CredentialID) (*push.Key, error)
}

// Reactor decides what answers and silence mean for devices, credentials and alerts.
// *health.Monitor does.
type Reactor interface {
	// Answered is called after Apple's answer to an attempt's push was recorded.
	Answered(context.Context, *store.Scope, tenants.Attempt, push.Answer) error
	// Expired is called after rings of one tenant expired.
	Expired(context.Context, *store.Scope, []*tenants.Ring) error
	// Attached is called after an agent was attached to a call, or could not be: cause says why.
	Attached(ctx context.Context, scope *store.Scope, a tenants.Agent, cause string) error
}

// Config is what a Board is made of. Media, Agents, Lookup, Audiences, Meter and Trace may be left
// out, Media and Agents only together.
type Config struct {
	Store  *store.Store
	Push   Pusher
	Keys   Keys
	Health Reactor
	Bus    bus.Bus // wakes Watch and WatchAll; gets each hint before the Audiences
	Now    func() time.Time
	Log    *slog.Logger

	Media  Media // carries the sound of calls; nil = calls are refused
	Agents OpenAgent
	Joins  *agents.Joins // where agents that connect to us meet their calls; nil = they cannot

	Peers  Peers  // the other nodes; nil = this is the only one
	Lookup Lookup // asked before rings; nil = nobody is

	Audiences []Audience    // get committed facts, in this order
	Meter     Meter         // nil = nothing is counted
	Trace     *trace.Tracer // nil = nothing is traced

	RingsPerSecond float64       // of one tenant, and twice as many at once; 0 = no limit
	Spacing        time.Duration // between two pushes to one device; 0 = none
}

// OpenAgent opens an agent for a call. It is called for each answer before one of them wins, so it
// starts nothing: the agent connects when it is attached. After an error the next agent is asked.
type OpenAgent = agents.Open

// Audience gets the facts of a ring after they were committed. The ring includes these facts. No
// facts at all means that only the figures of the call changed. Recorded runs in the request: it
// must not block, and must not change what it gets.
type Audience interface {
	Recorded(*tenants.Ring, []tenants.Fact)
}

// hints is the bus as an audience.
type hints struct{ bus.Bus }

func (h hints) Recorded(r *tenants.Ring, facts []tenants.Fact) {
	if slices.ContainsFunc(facts, actedOn) {
		h.Tell(r.Tenant, r.ID)
	} else {
		h.TellSoon(r.Tenant, r.ID)
	}
}

// actedOn reports whether a phone or an agent may do something because of the fact. All others are
// for people who look at the ring, and are most facts.
func actedOn(f tenants.Fact) bool {
	switch f.Kind {
	case tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown:
		return false
	}
	return true
}

// Meter counts. Its methods must not block.
type Meter interface {
	Pushed(tenants.AttemptID, push.Answer) // Apple answered the attempt's push, or did not
	Limited()                              // a ring was refused because its tenant or key rings too fast
	Sampled(gateway.Sample)                // a call sounded so for some seconds
}

// Board is the switchboard of this process.
type Board struct {
	Config

	life    context.Context // ends when the Board closes
	stop    context.CancelFunc
	pushers runners            // one for each attempt on its way to Apple, and idle ones
	open    context.Context    // ends when Close begins: then no idle pusher is needed
	shut    context.CancelFunc // ends open
	placed  placing
	pushing pushing
	calls   calls
	chains  chains
	limits  tenants.RateLimiter
	paced   spacing
	removed recent[tenants.DeviceID]
	hungUp  recent[hangUp]
	late    lateWrites
	soon    soonWrites
	ringing ringing
	passed  passed[tenants.TenantID] // WebSockets from other nodes
	passing passed[tenants.RingID]   // WebSockets to other nodes
	sounded qualities
	swept   atomic.Pointer[time.Time] // when Sweep last looked for due rings

	draining draining
	sounds   *agents.Sounds
}

// New checks the parts and gives a Board. Close it to wait for the pushes that are on their way.
func New(c Config) (*Board, error) {
	if c.Store == nil || c.Push == nil || c.Keys == nil || c.Health == nil || c.Bus == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("switchboard: Store, Push, Keys, Health, Bus, Now and Log are required")
	}
	if (c.Media == nil) != (c.Agents == nil) {
		return nil, errors.New("switchboard: Media and Agents come together")
	}
	c.Audiences = append([]Audience{hints{c.Bus}}, c.Audiences...)
	b := &Board{Config: c, pushers: runners{work: make(chan func())}}
	var err error
	if b.sounds, err = agents.NewSounds(); err != nil {
		return nil, err
	}
	b.pushing.shared, b.limits.Nodes = c.Store.Shared(), c.Store.NodesNow
	b.life, b.stop = context.WithCancel(context.Background())
	b.open, b.shut = context.WithCancel(b.life)
	return b, nil
}

// Close lets pushes that are on their way finish until ctx is done, then cuts them off. What was
// cut off is found by the sweep of the next process: the ring's row says what is missing.
func (b *Board) Close(ctx context.Context) error {
	for _, id := range b.chains.all() {
		b.dropChain(id)
	}
	b.shut()
	done := make(chan struct{})
	go func() { b.pushers.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		b.stop()
		<-done
	}
	b.stop()
	return errors.Join(b.storeLate(ctx), b.SaveQuality(ctx))
}

// Caller is who asks: an API key or a person, already known to belong to the tenant.
type Caller struct {
	Tenant tenants.Tenant
	Test   bool // a test key: sandbox devices only, unmetered
	Trial  bool // the test button: any device, the ring is marked as a test

	Emergency bool // quiet hours do not hold: the key has the scope, or the person ticked it
	quiet     bool // and a phone of the drafted ring has them now

	PerSecond int                // rings a second that the caller's key may place; 0 = as many as the tenant
	Only      tenants.DeviceList // devices that the caller's key may ring; empty = every device
	store.Who
}

func (b *Board) scope(c Caller) *store.Scope { return b.Store.For(c.Tenant.ID).By(c.Who) }
