package connections

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// What is sent at once: to one connection, to all of a tenant, and by this process.
const (
	atOnceConnection = 4
	atOnceTenant     = 8
	atOnce           = 64
	// atOnceFailing is what connections that fail or are slow may take of atOnce, one attempt of
	// each: else receivers that hang would hold every slot, and delay those of other tenants.
	atOnceFailing = atOnce / 2
	// slowFrom is how long an answer takes that makes a connection slow: until its next answer, or
	// for slowFor.
	slowFrom, slowFor = 2 * time.Second, time.Hour
)

const (
	// claimedMost bounds the deliveries of one connection that this process holds: those under way
	// and those that wait for a slot.
	claimedMost = 16
	// lease is how long a claimed delivery belongs to this process. With claimedMost of them, and
	// answerWithin for each, the last one is sent well before.
	lease = time.Minute
	// lookEvery is how often all connections are looked at: for retries, and for what other
	// processes wrote.
	lookEvery = time.Second
	// turnEvery is the shortest time between two turns of the dispatcher, so that many events share
	// a claim and a commit.
	turnEvery = 5 * time.Millisecond
	// settleMost bounds the attempts that are written down together.
	settleMost = 32
	// endWithin is how long Close waits for attempts under way.
	endWithin = 3 * time.Second
)

// Meter counts attempts. Its methods must not block.
type Meter interface {
	Delivered(role tenants.ConnectionRole, outcome string, took time.Duration)
}

// Config is what an Engine is made of. All but Meter is required.
type Config struct {
	Store *store.Store
	Roles Roles
	Meter Meter // nil = nobody counts
	Now   func() time.Time
	Log   *slog.Logger
}

// Engine sends what happens to tenants' systems. Several may work on one database.
type Engine struct {
	Config
	feeds feed

	claims   context.Context // done once nothing new may begin
	stop     context.CancelFunc
	attempts context.Context // of attempts under way
	cut      context.CancelFunc
	once     sync.Once      // of Close
	loops    sync.WaitGroup // feed and dispatch
	workers  sync.WaitGroup // attempts
	writer   sync.WaitGroup // settle
	wakes    chan struct{}  // of the dispatcher
	outcomes chan outcome

	// writes is held for each write: one of ours at a time shares a commit with rings, which wait
	// for all that is in it.
	writes sync.Mutex

	mu      sync.Mutex // guards the rest
	lines   map[tenants.ConnectionID]*line
	tenants map[tenants.TenantID]int           // attempts under way
	busy    int                                // of all tenants
	failing int                                // of those, attempts of connections that fail or are slow
	slow    map[tenants.ConnectionID]time.Time // when they answered late
	trims   map[store.DueConnection]bool
}

// line is the work of one connection in this process.
type line struct {
	store.DueConnection
	look    bool // there may be deliveries to claim
	gone    bool // its receiver answered 410, which is not written down yet
	failing bool
	queue   []tenants.Delivery
	busy    int
}

type outcome struct {
	line store.DueConnection
	role tenants.ConnectionRole
	store.Outcome
	gone bool
}

// New checks the parts and starts to send. Close ends it.
func New(c Config) (*Engine, error) {
	if c.Store == nil || c.Roles == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("connections: the engine needs Store, Roles, Now and Log")
	}
	e := &Engine{Config: c, wakes: make(chan struct{}, 1), outcomes: make(chan outcome, 4*settleMost),
		lines: map[tenants.ConnectionID]*line{}, tenants: map[tenants.TenantID]int{}, slow: map[tenants.ConnectionID]time.Time{},
		trims: map[store.DueConnection]bool{}}
	e.feeds = feed{store: c.Store, cursor: c.Store.Cursor("connections"), writes: &e.writes, wakes: make(chan struct{}, 1)}
	e.attempts, e.cut = context.WithCancel(context.Background())
	e.claims, e.stop = context.WithCancel(e.attempts)
	e.loops.Go(func() { e.feeds.run(e.claims, e.Log, e.hint) })
	e.loops.Go(e.dispatch)
	e.writer.Go(e.settle)
	return e, nil
}

// Recorded wakes the feed: facts were committed. It makes the Engine an audience of the
// switchboard.
func (e *Engine) Recorded(*tenants.Ring, []tenants.Fact) { e.feeds.wake() }

// Close lets attempts under way end, and gives back what was claimed and not sent. It may be called
// again.
func (e *Engine) Close() (err error) {
	e.once.Do(func() { err = e.end() })
	return err
}

func (e *Engine) end() error {
	e.stop()
	e.loops.Wait() // no attempt begins any more
	late := time.AfterFunc(endWithin, e.cut)
	e.workers.Wait()
	late.Stop()
	close(e.outcomes)
	e.writer.Wait()
	e.cut()
	for _, role := range e.Roles {
		if r, ok := role.(interface{ Close() }); ok {
			r.Close()
		}
	}
	return e.release()
}

// release makes what was claimed and not sent due at once.
func (e *Engine) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, l := range e.lines {
		if len(l.queue) > 0 {
			errs = append(errs, e.Store.For(l.Tenant).Deliveries().Release(ctx, l.Connection, l.queue))
		}
	}
	return errors.Join(errs...)
}

// hint says that a connection may have deliveries to claim.
func (e *Engine) hint(all ...store.DueConnection) {
	if len(all) == 0 {
		return
	}
	e.mu.Lock()
	for _, d := range all {
		e.line(d).look = true
	}
	e.mu.Unlock()
	e.wake()
}

// line is called with mu held.
func (e *Engine) line(d store.DueConnection) *line {
	l := e.lines[d.Connection]
	if l == nil {
		l = &line{DueConnection: d}
		e.lines[d.Connection] = l
	}
	return l
}

func (e *Engine) wake() {
	select {
	case e.wakes <- struct{}{}:
	default:
	}
}

// dispatch claims what is due and begins attempts, until nothing new may begin.
func (e *Engine) dispatch() {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	pace := time.NewTicker(turnEvery)
	defer pace.Stop()
	e.look()
	for e.claims.Err() == nil {
		e.turn()
		select {
		case <-e.claims.Done():
			return
		case <-look.C:
			e.look()
		case <-e.wakes:
		}
		select {
		case <-e.claims.Done():
			return
		case <-pace.C:
		}
	}
}

// look finds the connections with deliveries that are due.
func (e *Engine) look() {
	due, err := e.Store.Jobs().DueConnections(e.claims, e.Now())
	if err != nil && e.claims.Err() == nil {
		e.Log.Error("find due deliveries", "err", err)
	}
	e.hint(due...)
}

// turn claims for the connections that have room, then begins what there are slots for.
func (e *Engine) turn() {
	var rooms []store.Room
	for _, l := range e.hungry() {
		room, err := e.open(l)
		if err != nil && e.claims.Err() == nil {
			e.Log.Error("open a connection", "tenant", l.Tenant, "connection", l.Connection, "err", err)
		}
		if room > 0 {
			rooms = append(rooms, store.Room{DueConnection: l.DueConnection, N: room})
		}
	}
	if err := e.claim(rooms); err != nil && e.claims.Err() == nil {
		e.Log.Error("claim deliveries", "connections", len(rooms), "err", err)
	}
	e.begin()
}

// hungry are the connections to claim for. Lines without work are forgotten.
func (e *Engine) hungry() (lines []*line) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, l := range e.lines {
		switch held := len(l.queue) + l.busy; {
		case l.gone:
		case l.look && held < claimedMost/2:
			lines = append(lines, l)
		case !l.look && held == 0:
			delete(e.lines, id)
		}
	}
	return lines
}

// open reads a connection as it is now, and says how many deliveries to claim for it.
func (e *Engine) open(l *line) (room int, err error) {
	c, _, err := e.Store.For(l.Tenant).Connections().ToSend(e.claims, l.Connection)
	e.mu.Lock()
	defer e.mu.Unlock()
	l.look = false // what adds work from now on says so
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return 0, nil // nothing must be sent to it any more
	}
	if err != nil {
		return 0, err
	}
	l.failing = !c.FailingSince.IsZero()
	return claimedMost - len(l.queue) - l.busy, nil
}

// claim claims deliveries of several connections in one commit.
func (e *Engine) claim(rooms []store.Room) error {
	if len(rooms) == 0 {
		return nil
	}
	e.writes.Lock()
	found, err := e.Store.Jobs().ClaimDeliveries(e.claims, rooms, e.Now(), lease)
	e.writes.Unlock()
	got := map[tenants.ConnectionID]int{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range found {
		got[d.Connection]++
		if l := e.lines[d.Connection]; !l.gone {
			l.queue = append(l.queue, d)
		}
	}
	for _, r := range rooms {
		l := e.lines[r.Connection]
		l.look = l.look || got[r.Connection] == r.N || err != nil
	}
	return err
}

// begin starts attempts, one of each connection in turn, while there are slots.
func (e *Engine) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := slices.Collect(maps.Keys(e.lines)) // in no order: no connection is always first
	for began := true; began; {
		began = false
		for _, id := range ids {
			l := e.lines[id]
			if len(l.queue) == 0 || !e.room(l) {
				continue
			}
			d := l.queue[0]
			l.queue = l.queue[1:]
			if d.DueAt.Sub(e.Now()) < answerWithin {
				l.look = true // too late for this claim: it comes back
				continue
			}
			began = true
			l.busy++
			e.tenants[l.Tenant]++
			e.busy++
			fails := e.fails(l)
			if fails {
				e.failing++
			}
			e.workers.Go(func() {
				defer e.free(l, fails)
				e.attempt(l, d)
			})
		}
	}
}

// fails is called with mu held.
func (e *Engine) fails(l *line) bool { return l.failing || !e.slow[l.Connection].IsZero() }

// room reports whether an attempt of the line may begin. Called with mu held.
func (e *Engine) room(l *line) bool {
	if e.fails(l) && (l.busy > 0 || e.failing >= atOnceFailing) {
		return false
	}
	return l.busy < atOnceConnection && e.tenants[l.Tenant] < atOnceTenant && e.busy < atOnce
}

// attempt makes one attempt and hands on how it went. The connection is read again first: between
// the claim and the attempt it may have been paused, removed or given another address or secret.
func (e *Engine) attempt(l *line, d tenants.Delivery) {
	c, s, err := e.Store.For(l.Tenant).Connections().ToSend(e.attempts, l.Connection)
	if err != nil {
		if e.attempts.Err() == nil {
			e.giveBack(l, d, err)
		}
		return
	}
	a, after := e.deliver(e.attempts, c, s, d)
	if e.attempts.Err() != nil {
		return // an attempt that we cut off says nothing: it comes back
	}
	o := outcome{line: l.DueConnection, role: c.Role, Outcome: store.Outcome{Delivery: d, Attempt: a}}
	o.gone = a.Status == http.StatusGone && !a.Good
	if !a.Good && !o.gone {
		o.Retry = e.retry(d, after)
	}
	e.mu.Lock()
	if o.gone {
		l.gone, l.queue = true, nil // what was claimed is given up with all that waits
	}
	if a.Took > slowFrom {
		e.slow[l.Connection] = e.Now()
	} else {
		delete(e.slow, l.Connection)
	}
	e.mu.Unlock()
	e.outcomes <- o
}

// giveBack makes a delivery and what else was claimed for its connection due again, because the
// connection could not be read or must not be sent to.
func (e *Engine) giveBack(l *line, d tenants.Delivery, why error) {
	e.mu.Lock()
	all := append([]tenants.Delivery{d}, l.queue...)
	l.queue = nil
	e.mu.Unlock()
	if tenants.KindOf(why) != tenants.Unknown {
		e.Log.Error("open a connection", "tenant", l.Tenant, "connection", l.Connection, "err", why)
	}
	e.writes.Lock()
	err := e.Store.For(l.Tenant).Deliveries().Release(e.attempts, l.Connection, all)
	e.writes.Unlock()
	if err != nil && e.attempts.Err() == nil { // they come back when their claim ends
		e.Log.Error("give deliveries back", "tenant", l.Tenant, "connection", l.Connection, "err", err)
	}
}

func (e *Engine) free(l *line, failed bool) {
	e.mu.Lock()
	l.busy--
	e.busy--
	if failed {
		e.failing--
	}
	if e.tenants[l.Tenant]--; e.tenants[l.Tenant] == 0 {
		delete(e.tenants, l.Tenant)
	}
	e.mu.Unlock()
	e.wake()
}

// settle writes down how attempts went, many at a time, until there are no more.
func (e *Engine) settle() {
	for first := range e.outcomes {
		batch := []outcome{first}
		for more := true; more && len(batch) < settleMost; {
			select {
			case o, open := <-e.outcomes:
				if more = open; open {
					batch = append(batch, o)
				}
			default:
				more = false
			}
		}
		e.record(batch)
	}
}

// record settles a batch in one commit. What cannot be written comes back when its claim ends.
func (e *Engine) record(batch []outcome) {
	by := map[store.DueConnection]*store.Attempted{}
	var all []store.Attempted
	for _, o := range batch {
		e.count(o)
		x := by[o.line]
		if x == nil {
			x = &store.Attempted{DueConnection: o.line}
			by[o.line] = x
		}
		x.Outcomes, x.Gone = append(x.Outcomes, o.Outcome), x.Gone || o.gone
	}
	for _, x := range by {
		all = append(all, *x)
	}
	e.writes.Lock()
	err := e.Store.Jobs().Settle(context.WithoutCancel(e.attempts), all)
	e.writes.Unlock()
	if err != nil {
		e.Log.Error("record deliveries", "connections", len(all), "err", err)
	}
	e.mu.Lock()
	for d := range by {
		e.trims[d] = true
		if l := e.lines[d.Connection]; l != nil {
			l.gone = false // it has ended, or its end could not be written
		}
	}
	e.mu.Unlock()
	e.hint(slices.Collect(maps.Keys(by))...) // the next of their rings may go
}

func (e *Engine) count(o outcome) {
	if e.Meter == nil {
		return
	}
	word := "delivered"
	switch {
	case o.Attempt.Good:
	case o.Attempt.Status == 0:
		word = "no_answer"
	default:
		word = "refused"
	}
	e.Meter.Delivered(o.role, word, o.Attempt.Took)
}

// Review warns of connections that fail, and disables those that have failed for too long.
func (e *Engine) Review(ctx context.Context) error {
	return e.Store.Jobs().ReviewConnections(ctx, e.Now())
}

// Trim removes old deliveries of the connections that this process has sent to since the last Trim.
// Those of others are the work of store.Jobs.Retire.
func (e *Engine) Trim(ctx context.Context) error {
	e.mu.Lock()
	due := e.trims
	e.trims = map[store.DueConnection]bool{}
	now := e.Now()
	maps.DeleteFunc(e.slow, func(_ tenants.ConnectionID, at time.Time) bool { return now.Sub(at) > slowFor })
	e.mu.Unlock()
	var errs []error
	for d := range due {
		if err := e.trim(ctx, d); err != nil {
			errs = append(errs, err)
			e.mu.Lock()
			e.trims[d] = true // the next Trim tries again
			e.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) trim(ctx context.Context, d store.DueConnection) error {
	for ctx.Err() == nil {
		if n, err := e.Store.For(d.Tenant).Deliveries().Trim(ctx, d.Connection, e.Now()); err != nil || n == 0 {
			return err
		}
	}
	return nil
}
