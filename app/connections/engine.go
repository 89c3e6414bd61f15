package connections

import (
	"context"
	"errors"
	"log/slog"
	"maps"
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
	// atOnceTenantFailing is the same of atOnceTenant, for the other connections of the tenant.
	atOnceTenantFailing = atOnceTenant / 2
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
	// settleMost bounds the attempts that are written down together, and settlePause is how long
	// the first of them waits for others: rings may have to wait for each commit.
	settleMost  = 32
	settlePause = 20 * time.Millisecond
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
	starts   starts

	// alone says that nobody else turns facts into deliveries: see sendFirst. careful has the next
	// batch written first, because the last one could not be written after it was sent. doubt ends
	// at the newest fact when this engine began, or last could not write a batch: events of the
	// facts up to there may be written, because a batch is written in several commits and the
	// cursor moves in the last one. It is nil until the next batch. All are the feed's.
	alone, careful bool
	doubt          *store.Batch

	// writes is held for each write: one of ours at a time shares a commit with rings, which wait
	// for all that is in it.
	writes sync.Mutex

	mu      sync.Mutex // guards the rest
	lines   map[tenants.ConnectionID]*line
	tenants map[tenants.TenantID]int           // attempts under way
	busy    int                                // of all tenants
	failing int                                // of those, attempts of connections that fail or are slow
	fail    map[tenants.TenantID]int           // the same of each tenant
	slow    map[tenants.ConnectionID]time.Time // when they answered late
	trims   map[store.DueConnection]bool
	first   *first
}

// line is the work of one connection in this process.
type line struct {
	store.DueConnection
	look    bool // there may be deliveries to claim
	gone    bool // its receiver answered 410, which is not written down yet
	failing bool
	queue   []tenants.Delivery
	busy    int
	rings   map[tenants.RingID]bool // with an attempt under way: the next one waits in queue
}

// next takes the first delivery from the queue of which no other of the same ring is under way.
func (l *line) next() (d tenants.Delivery, ok bool) {
	i := slices.IndexFunc(l.queue, func(d tenants.Delivery) bool { return !l.rings[d.Ring] })
	if i < 0 {
		return d, false
	}
	d = l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	if d.Ring != "" {
		l.rings[d.Ring] = true
	}
	return d, true
}

// settled makes way for the next of a delivery's ring, and reports whether it is in the queue. When
// the delivery will be tried again, what is behind it waits as well, and leaves the queue.
func (l *line) settled(f *first, d tenants.Delivery, again bool) (held bool) {
	delete(l.rings, d.Ring)
	same := func(o tenants.Delivery) bool { return d.Ring != "" && o.Ring == d.Ring }
	if again {
		l.drop(f, same)
	}
	return slices.ContainsFunc(l.queue, same)
}

// drop takes deliveries out of the queue that are not sent by this claim.
func (l *line) drop(f *first, which func(tenants.Delivery) bool) {
	for _, d := range l.queue {
		if which(d) {
			f.drop(d)
		}
	}
	l.queue = slices.DeleteFunc(l.queue, which)
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
		fail:  map[tenants.TenantID]int{},
		trims: map[store.DueConnection]bool{}, starts: newStarts(), first: newFirst()}
	e.feeds = feed{store: c.Store, cursor: c.Store.Cursor("connections"), write: e.feed, wakes: make(chan struct{}, 1),
		most: factsMost}
	e.attempts, e.cut = context.WithCancel(context.Background())
	e.claims, e.stop = context.WithCancel(e.attempts)
	e.loops.Go(func() {
		alone, leave := c.Store.Feeds().Alone(e.claims)
		defer leave()
		e.alone = alone
		e.feeds.run(e.claims, e.Log)
	})
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
		l = &line{DueConnection: d, rings: map[tenants.RingID]bool{}}
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
