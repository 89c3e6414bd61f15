// Package switchboard takes a ring from request to record, in order. It owns the use cases: place, push, report, answer, cancel,
// expire. It knows no HTTP and no SQL: the store's Scope, the push sender and the gateway do what it decides, and what it decides
// by is in package tenants.
//
// Start reading at place.go; push.go follows the ring to Apple, report.go back from the phone, sweep.go finishes what time or a
// crash cut off.
package switchboard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

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

// Reactor decides what answers and silence mean for devices, credentials and alerts. *health.Monitor
// does.
type Reactor interface {
	// Answered is called after Apple's answer to an attempt's push was recorded.
	Answered(context.Context, *store.Scope, tenants.Attempt, push.Answer) error
	// Expired is called after a ring expired.
	Expired(context.Context, *store.Scope, *tenants.Ring) error
}

// Config is what a Board is made of. Media, Agents, Audiences, Meter and Trace may be left out, Media
// and Agents only together.
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

	Audiences []Audience    // get committed facts, in this order
	Meter     Meter         // nil = nothing is counted
	Trace     *trace.Tracer // nil = nothing is traced

	RingsPerSecond float64       // of one tenant, and twice as many at once; 0 = no limit
	Spacing        time.Duration // between two pushes to one device; 0 = none
}

// OpenAgent opens the agent that speaks on a line. An error fails the answer and ends the ring as
// broken.
type OpenAgent func(context.Context, tenants.Agent) (gateway.Agent, error)

// Audience gets the facts of a ring after they were committed. The ring includes these facts. No
// facts at all means that only the figures of the call changed. Recorded runs in the request: it
// must not block, and must not change what it gets.
type Audience interface {
	Recorded(*tenants.Ring, []tenants.Fact)
}

// hints is the bus as an audience.
type hints struct{ bus.Bus }

func (h hints) Recorded(r *tenants.Ring, _ []tenants.Fact) { h.Tell(r.Tenant, r.ID) }

// Meter counts. Its methods must not block.
type Meter interface {
	Pushed(push.Answer) // Apple answered, or did not
	Limited()           // a ring was refused because its tenant or key rings too fast
}

// Board is the switchboard of this process.
type Board struct {
	Config

	life   context.Context // ends when the Board closes
	stop   context.CancelFunc
	wg     sync.WaitGroup // one for each attempt on its way to Apple
	placed placing
	flying flight
	calls  calls
	limits tenants.RateLimiter
	paced  spacing
	gone   departed
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
	b := &Board{Config: c}
	b.life, b.stop = context.WithCancel(context.Background())
	return b, nil
}

// Close lets pushes that are on their way finish until ctx is done, then cuts them off. What was cut off is found by the sweep of
// the next process: the ring's row says what is missing.
func (b *Board) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { b.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		b.stop()
		<-done
	}
	b.stop()
	return nil
}

// Caller is who asks: an API key or a person, already known to belong to the tenant.
type Caller struct {
	Tenant tenants.Tenant
	Test   bool // a test key: sandbox devices only, unmetered
	Trial  bool // the test button: any device, the ring is marked as a test

	PerSecond int // rings a second that the caller's key may place; 0 = as many as the tenant
	store.Who
}

func (b *Board) scope(c Caller) *store.Scope { return b.Store.For(c.Tenant.ID).By(c.Who) }

// flight holds the attempts that this process is pushing right now, or is about to: the sweep leaves their rings alone, and of one whose
// phone has spoken, or which is over, nothing more is sent.
type flight struct {
	mu       sync.Mutex // guards both
	rings    map[tenants.RingID]int
	attempts map[tenants.AttemptID]bool // true = enough was sent
}

// start takes in every attempt of a ring; it comes before the ring can be told to end, or that would be missed.
func (f *flight) start(r *tenants.Ring) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rings == nil {
		f.rings, f.attempts = map[tenants.RingID]int{}, map[tenants.AttemptID]bool{}
	}
	for i := range r.Attempts {
		f.rings[r.ID]++
		f.attempts[r.Attempts[i].ID] = false
	}
}

// cancel is start undone.
func (f *flight) cancel(r *tenants.Ring) {
	for i := range r.Attempts {
		f.land(r.ID, r.Attempts[i].ID)
	}
}

func (f *flight) land(r tenants.RingID, a tenants.AttemptID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rings[r]--; f.rings[r] <= 0 {
		delete(f.rings, r)
	}
	delete(f.attempts, a)
}

func (f *flight) has(r tenants.RingID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rings[r] > 0
}

// enough notes that nothing more is to be sent of the attempt.
func (f *flight) enough(a tenants.AttemptID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, flying := f.attempts[a]; flying {
		f.attempts[a] = true
	}
}

func (f *flight) sated(a tenants.AttemptID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts[a]
}
