package switchboard

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/app/trace"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Place rings someone: policy, then committed rows, then a push for each device on its way. It
// returns after commit and before Apple answers. A repeat of an idempotency key returns the ring it
// made and repeated = true. Refusals are *tenants.Error and nothing is written or pushed.
func (b *Board) Place(ctx context.Context, c Caller, q tenants.Request, i store.Idempotency) (r *tenants.Ring, repeated bool, err error) {
	if err := q.Check(); err != nil {
		return nil, false, err
	}
	if !b.placed.enter(c.Tenant.ID, i.Key) {
		return nil, false, tenants.Refuse(tenants.Conflict, "idempotency_in_flight",
			"A request with this Idempotency-Key is still being answered. Ask again in a moment.")
	}
	defer b.placed.leave(c.Tenant.ID, i.Key)

	scope := b.scope(c)
	if b.draining.begun.Load() {
		return b.earlier(ctx, scope, i, stopping())
	}
	if err := b.admit(c); err != nil {
		return b.earlier(ctx, scope, i, err)
	}
	defer func() {
		if repeated {
			b.readmit(c)
		}
	}()
	asks := b.asks(ctx, c.Tenant.ID, q)
	if !asks { // else it is long on its way, and events of all tenants would wait for it
		defer b.Store.Expect()()
	}
	r, earlier, err := b.draftAsked(ctx, scope, &c, q, i, asks)
	if err != nil {
		return b.earlier(ctx, scope, i, err)
	}
	if earlier != nil {
		return earlier, true, nil
	}
	if asks {
		defer b.Store.Expect()()
	}
	return b.launch(ctx, c, r, i)
}

// Decide gives the ring that Place would place now, or its refusal. It writes and pushes nothing,
// but counts against the rates like a ring. It looks at no idempotency key, and asks no Lookup: the
// tenant's system would take it for a ring.
func (b *Board) Decide(ctx context.Context, c Caller, q tenants.Request) (*tenants.Ring, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if b.draining.begun.Load() {
		return nil, stopping()
	}
	if err := b.admit(c); err != nil {
		return nil, err
	}
	return b.draft(ctx, b.scope(c), &c, q)
}

// launch commits a drafted ring and sends its pushes on their way, or finds the one that the
// idempotency key made before.
func (b *Board) launch(ctx context.Context, c Caller, r *tenants.Ring, i store.Idempotency) (placed *tenants.Ring, repeated bool,
	err error) {
	span := trace.From(ctx)
	if !span.Decided() { // placed by a person, in the console
		span = b.Trace.Start("place ring")
		defer span.End()
	}
	if c.quiet {
		c.Reason = strings.TrimSuffix(emergency+": "+c.Reason, ": ")
	}
	b.pushing.start(r, b.Now())
	earlier, err := b.commit(ctx, span, b.scope(c), r, i)
	if err != nil || earlier != nil {
		b.pushing.cancel(r)
	}
	if err != nil {
		return nil, false, err
	}
	if earlier != nil {
		span.Ring(string(earlier.ID))
		return earlier, true, nil
	}
	if r.To.Group != "" {
		return groups{b}.launch(ctx, c.Tenant, r, span), false, nil
	}
	facts := r.Attempts[0].Facts
	if len(r.Attempts) > 1 {
		facts = r.Facts()
	}
	b.tell(r, facts)
	now := b.without(ctx, r)
	b.send(c.Tenant, r, span)
	return now, false, nil
}

// without ends the part of devices that were removed between the draft and the commit, and gives
// the ring as it is then. An ending that fails is left to the ring's time.
func (b *Board) without(ctx context.Context, r *tenants.Ring) *tenants.Ring {
	for _, a := range r.Attempts {
		if !b.removed.has(a.Device) {
			continue
		}
		now, err := b.leave(ctx, b.Store.For(r.Tenant).By(store.Who{Actor: tenants.System}), r.ID, a.Device)
		if err != nil {
			b.Log.Error("end the ring of a removed device", "ring", r.ID, "device", a.Device, "err", err)
			continue
		}
		r = now
	}
	return r
}

// commit writes the ring, or finds the one that the idempotency key made before.
func (b *Board) commit(ctx context.Context, span trace.Span, scope *store.Scope, r *tenants.Ring,
	i store.Idempotency) (earlier *tenants.Ring, err error) {
	span.Ring(string(r.ID))
	step := span.Step("commit")
	defer step.End()
	step.Ring(string(r.ID))
	if b.Spacing > 0 && b.Store.NodesNow() > 1 { // the others push to its devices too
		scope = scope.Paced(b.paced.turns(b.Now(), b.Spacing))
	}
	if earlier, err = scope.Rings().Add(ctx, r, i, b.Now().Add(lease)); err != nil {
		step.Failed()
	}
	return earlier, err
}

// earlier answers a refused repeat: what was placed once is returned even if policy would say no
// today.
func (b *Board) earlier(ctx context.Context, scope *store.Scope, i store.Idempotency, refusal error) (*tenants.Ring, bool, error) {
	if i.Key == "" {
		return nil, false, refusal
	}
	r, err := scope.Rings().Earlier(ctx, i)
	if err != nil {
		return nil, false, err
	}
	if r == nil {
		return nil, false, refusal
	}
	return r, true, nil
}

// emergency is the reason in the audit row of a ring to a phone whose person has quiet hours now.
const emergency = "emergency in quiet hours"

// draft decides: whom to ring, on which devices, with which credential, until when. It writes
// nothing. It says in c whether a phone rings only because it is an emergency.
func (b *Board) draft(ctx context.Context, scope *store.Scope, c *Caller, q tenants.Request) (*tenants.Ring, error) {
	if err := b.entitled(ctx, scope, *c); err != nil {
		return nil, err
	}
	agent, err := b.agent(ctx, scope, c.Tenant, q.Agent)
	if err != nil {
		return nil, err
	}
	now := b.Now()
	r := &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](now), Tenant: c.Tenant.ID, State: tenants.Placed, To: q.To, Agent: agent.ID,
		Caller: q.Caller, Reference: q.Reference, Test: c.Test || c.Trial, By: c.Actor,
		CreatedAt: now, ExpiresAt: now.Add(ttl(q, c.Tenant)),
	}
	if r.Caller == "" {
		r.Caller = agent.Caller
	}
	if q.To.Group != "" {
		return r, groups{b}.draft(ctx, scope, c, q, r)
	}
	targets, err := scope.Rings().Targets(ctx, q.To)
	if err != nil {
		return nil, err
	}
	var persons []string
	for _, t := range targets {
		persons = append(persons, t.Device.Person)
	}
	rules, err := rulesFor(ctx, scope, *c, persons)
	if err != nil {
		return nil, err
	}
	r.Attempts, err = drafts{b}.attempts(r, *c, rules, targets, now)
	c.quiet = inQuiet(rules, targets, r.Attempts, now)
	return r, err
}

// inQuiet reports whether a phone rings although its person has quiet hours, by the clock of its
// own time zone.
func inQuiet(rules tenants.Question, targets []store.Target, rung []tenants.Attempt, now time.Time) bool {
	for _, t := range targets {
		rules.Device, rules.Now = t.Device, now
		if slices.ContainsFunc(rung, func(a tenants.Attempt) bool { return a.Device == t.Device.ID }) && rules.Quiet() != nil {
			return true
		}
	}
	return false
}

// rulesFor is what the tenant's rules ask of rings to these persons. A test key rings phones of
// developers only, which have no quiet hours.
func rulesFor(ctx context.Context, scope *store.Scope, c Caller, persons []string) (q tenants.Question, err error) {
	if c.Test {
		return q, nil
	}
	q.Rules, q.Emergency = c.Tenant.Rules(), c.Emergency
	if !q.Rules.Quiet.None() {
		q.Zone = c.Tenant.Zone()
	}
	if q.Rules.Consent == tenants.ConsentRecorded {
		q.Agreed, err = scope.Consents().Agreed(ctx, persons)
	}
	return q, err
}

// entitled refuses what the tenant's plan does not cover. Calls at once are those of this server,
// to the call, and those of every server of the database, as they were within the last second.
func (b *Board) entitled(ctx context.Context, scope *store.Scope, c Caller) error {
	e, err := scope.Subscription().Entitlement(ctx)
	if err != nil {
		return err
	}
	if e.Plan.Calls > 0 {
		e.Usage.Calls = max(e.Usage.Calls, int64(b.calls.count(c.Tenant.ID)))
	}
	return e.Ring(c.Test || c.Trial)
}

// drafts make the attempts of a ring, on paper only.
type drafts struct{ *Board }

// attempts makes one for each device that policy lets ring; when it lets none, its first refusal is
// the answer. rules has the rules of the persons.
func (b drafts) attempts(r *tenants.Ring, c Caller, rules tenants.Question, targets []store.Target, now time.Time) (
	[]tenants.Attempt, error) {
	if len(targets) == 0 {
		return nil, tenants.Refuse(tenants.Unprocessable, "no_devices",
			"This person has no registered device. Pair their phone first, under Devices.")
	}
	pushes, err := b.Store.PushIDs()
	if err != nil {
		return nil, err
	}
	var refusal error
	var list []tenants.Attempt
	for _, t := range targets {
		q := rules
		q.Tenant, q.TestKey, q.Only, q.Device, q.Credential, q.Now = c.Tenant, c.Test, c.Only, t.Device, t.Credential, now
		err := tenants.Decide(q)
		if err != nil {
			if refusal == nil {
				refusal = err
			}
			continue
		}
		id := tenants.NewID[tenants.AttemptID](now)
		list = append(list, tenants.Attempt{
			ID: id, Ring: r.ID, Device: t.Device.ID, Credential: t.Credential.ID, State: tenants.Placed,
			AppVersion: t.Device.AppVersion, OSVersion: t.Device.OSVersion,
			Push: tenants.Push{APNsID: pushes.New(r.CreatedAt), Topic: t.Device.Topic(), Token: t.Device.Token,
				Environment: t.Credential.Host(t.Device), NoHedge: t.Credential.NoHedge, Profile: t.Credential.Profile},
			Facts: []tenants.Fact{{Attempt: id, Kind: tenants.FactPlaced, At: now, Received: now}},
		})
	}
	if len(list) == 0 {
		return nil, refusal
	}
	return list, nil
}

func (b *Board) agent(ctx context.Context, scope *store.Scope, t tenants.Tenant, asked tenants.AgentID) (tenants.Agent, error) {
	if asked == "" {
		asked = t.DefaultAgent
	}
	if asked == "" {
		return tenants.Agent{Kind: tenants.Builtin}, nil
	}
	return scope.Agents().Get(ctx, asked)
}

func ttl(q tenants.Request, t tenants.Tenant) time.Duration {
	switch {
	case q.TTL != 0:
		return q.TTL
	case t.RingTTL != 0:
		return t.RingTTL
	}
	return tenants.DefaultTTL
}

// placing holds the idempotency keys whose first request is still being answered. The database's
// unique key is the truth between processes; this one gives the 409 that tells a client to wait.
type placing struct {
	mu   sync.Mutex // guards keys
	keys map[string]struct{}
}

func (p *placing) enter(t tenants.TenantID, key string) bool {
	if key == "" {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys = map[string]struct{}{}
	}
	k := string(t) + " " + key
	if _, busy := p.keys[k]; busy {
		return false
	}
	p.keys[k] = struct{}{}
	return true
}

func (p *placing) leave(t tenants.TenantID, key string) {
	if key == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, string(t)+" "+key)
}
