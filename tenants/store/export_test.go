package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"carillon/migrations"
	"carillon/tenants"
)

// The ways to PostgreSQL of the store's own code, for tests that leave out what that code never
// should.

// ReadAs runs a statement as a method of Scope reads.
func ReadAs(ctx context.Context, s *Scope, query string, args ...any) (*sql.Rows, error) {
	return s.reads().query(ctx, query, args...)
}

// WriteAs runs a statement as a method of Scope writes, and says how many rows it touched.
func WriteAs(ctx context.Context, s *Scope, query string, args ...any) (n int64, err error) {
	err = s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
		n, err = t.change(query, args...)
		return err
	})
	return n, err
}

// Read runs a statement as a method of Store reads, with access to no tenant's rows or to all.
func (s *Store) Read(ctx context.Context, all bool, query string, args ...any) (*sql.Rows, error) {
	if all {
		return s.db.through(allTenants).query(ctx, query, args...)
	}
	return s.db.through(noTenant).query(ctx, query, args...)
}

// Together runs statements of several tenants, and of nobody, in one transaction of the writer, and
// gives what each counts.
func (s *Store) Together(ctx context.Context, query string, scopes ...*Scope) (counts []int64, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		counts = nil
		for _, scope := range scopes {
			t.access = noTenant
			if scope != nil {
				t.access = scope.access()
			}
			n, err := one(t.query(ctx, query))
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
		return nil
	})
	return counts, err
}

// MayBeCommitted is what a pipeline that failed asks.
var MayBeCommitted = mayBeCommitted

// Busy keeps the writer busy until release is called. What is queued meanwhile is one group.
func (s *Store) Busy() (release func()) {
	began, end := make(chan struct{}), make(chan struct{})
	say := sync.OnceFunc(func() { close(began) })
	go func() {
		_ = s.w.do(context.Background(), noTenant, func(*tx) error {
			say()
			<-end
			return nil
		})
	}()
	<-began
	return sync.OnceFunc(func() { close(end) })
}

// MayContract is what Migrate asks before it applies steps.
func (s *Store) MayContract(ctx context.Context, steps []migrations.Step) error {
	return s.db.beside(ctx, steps)
}

// Direct runs a statement on the readers' pool without an access, as code outside of the store
// would.
func (s *Store) Direct(ctx context.Context, query string, args ...any) *sql.Row {
	return s.db.reads.QueryRowContext(ctx, query, args...)
}

// LookAtMost makes pages of rings look at n rings at most, in each of the ways that have a bound.
// It comes before the store is used.
func (s *Store) LookAtMost(n int) { s.bounds = bounds{look: n, hits: n, ofHits: n} }

// Narrow leaves the readers one connection, so that every statement meets the one before it.
func (s *Store) Narrow() { s.db.reads.SetMaxOpenConns(1) }

// Explain is the plan of a statement where whole tables are read only if no index can be.
func Explain(ctx context.Context, s *Scope, query string, args ...any) (plan []string, err error) {
	err = s.s.w.do(ctx, s.access(), func(t *tx) error {
		if _, err := t.exec("SET LOCAL enable_seqscan = off"); err != nil {
			return err
		}
		rows, err := t.query(ctx, "EXPLAIN "+query, args...)
		plan, err = collect(rows, err, func(s *string) []any { return []any{s} })
		return err
	})
	return plan, err
}

// Grouped says what the writer commits together when these tenants' writes wait, given by their
// tenants in the order they came.
func Grouped(waiting []string) (groups [][]string) {
	q := newQueue()
	for _, id := range waiting {
		q.add(&job{access: access(id)})
	}
	q.close()
	for group := q.take(nil); len(group) > 0; group = q.take(nil) {
		var ids []string
		for _, j := range group {
			ids = append(ids, string(j.access))
		}
		groups = append(groups, ids)
	}
	return groups
}

// Lazy says in how many commits a patient write, one that is lazy and an urgent one behind them
// are, and with what durability (SQLite's number of it) each runs.
func (s *Store) Lazy(ctx context.Context) (commits int64, levels [3]int64, err error) {
	s.w.queue.mu.Lock()
	s.w.queue.patience = time.Hour
	s.w.queue.mu.Unlock()
	release := s.Busy()
	level := func(i int) func(*tx) error {
		return func(t *tx) error { return t.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&levels[i]) }
	}
	before, patient, lazy := s.w.commits.Load(), make(chan error, 1), make(chan error, 1)
	go func() {
		patient <- s.w.wait(ctx, &job{access: noTenant, run: level(0), patient: true, done: make(chan struct{})})
	}()
	go func() { lazy <- s.w.lazily(ctx, noTenant, level(1)) }()
	for waiting := 0; waiting < 2; waiting, _ = s.w.queue.stats() {
		runtime.Gosched()
	}
	release()
	err = errors.Join(<-lazy, s.w.do(ctx, noTenant, level(2)), <-patient)
	return s.w.commits.Load() - before - 1, levels, err // without Busy's own
}

// Patience is how long a patient write waits for another.
const Patience = patience

// Commit says how many of the waiting writes the next commit holds, and how long it waited.
func Commit(patient, urgent int) (jobs int, waited time.Duration) {
	q := newQueue()
	for i := range patient + urgent {
		q.add(&job{patient: i < patient})
	}
	start := time.Now()
	jobs = len(q.take(nil))
	return jobs, time.Since(start)
}

// GivesWay says how many of two writes that give way are in the next commit and in the one behind
// it, beside as many urgent writes, after they have waited for so long.
func GivesWay(urgent int, waited time.Duration) (next, behind int) {
	q := newQueue()
	for i := range 2 + urgent {
		q.add(&job{yields: i < 2})
	}
	for j := q.late.first; j != nil; j = j.next {
		j.began = j.began.Add(-waited)
	}
	count := func() (n int) {
		for _, j := range q.take(nil) {
			if j.yields {
				n++
			}
		}
		return n
	}
	return count(), count()
}

// Continues says whether the next part of work that began so long ago is in the next commit, beside
// urgent writes and before another write that gives way, and how much longer it would wait for a
// ring that is on its way.
func Continues(ago time.Duration) (next bool, held time.Duration) {
	q := newQueue()
	part := &job{yields: true, began: time.Now().Add(-ago)}
	for _, j := range []*job{{yields: true}, part, {}, {}} {
		q.add(j)
	}
	defer q.expect()()
	held = q.held()
	return q.take(nil)[0] == part, held
}

// Hurry has an urgent write wait at all times until over is called.
func (s *Store) Hurry() (over func()) {
	var ended atomic.Bool
	last := make(chan struct{})
	end := sync.OnceFunc(func() { close(last) })
	var run func(*tx) error
	again := func() { s.w.queue.add(&job{access: allTenants, run: run}) }
	run = func(*tx) error {
		if !ended.Load() {
			again()
		} else {
			end()
		}
		return nil
	}
	again()
	return func() {
		ended.Store(true)
		<-last
	}
}

// ComingFor is how long a write that gives way waits for a ring that is on its way.
const ComingFor = comingFor

// HeldBack is how much longer a write that gives way waits, after it has waited for so long, while
// as many rings are on their way; and whether it goes once they have come.
func HeldBack(rings int, waited time.Duration) (held time.Duration, goes bool) {
	q := newQueue()
	q.add(&job{yields: true})
	q.late.first.since = time.Now().Add(-waited)
	var came []func()
	for range rings {
		came = append(came, q.expect())
	}
	held = q.held()
	q.late.first.since = time.Now().Add(time.Hour) // time alone does not let it go
	took := make(chan int, 1)
	go func() { took <- len(q.take(nil)) }()
	for _, over := range came {
		over()
	}
	return held, <-took == 1
}

// Commits is how many the writer has made.
func (s *Store) Commits() int64 { return s.w.commits.Load() }

// SentStep is how many deliveries FeedSent writes between two looks whether a ring waits.
const SentStep = sentStep

// SentShared is how many it writes in a commit that it shares with urgent writes.
const SentShared = sentShared

// PatientMost is how many patient writes wait at most.
const PatientMost = patientMost

// CommitOfPatient says how many of the waiting patient writes the next commit holds, if patience
// never ends.
func CommitOfPatient(waiting int) (jobs int) {
	q := newQueue()
	q.patience = math.MaxInt64
	for range waiting {
		q.add(&job{patient: true})
	}
	return len(q.take(nil))
}

// Bytes is an id as SQLite's rows have it, for statements that tests write by hand.
func Bytes[T ~string](id T) []byte {
	b, ok := uuid(id).bytes()
	if !ok {
		return nil
	}
	return b[:]
}

// OldestWait returns the number and the greatest wait of queued jobs: two that have waited an hour
// and a minute, and what is left after a commit takes both.
func OldestWait() (waiting int, oldest time.Duration, left int, after time.Duration) {
	q := newQueue()
	for tenant, wait := range map[string]time.Duration{"a": time.Minute, "b": time.Hour} {
		j := &job{access: access(tenant)}
		q.add(j)
		j.since = j.since.Add(-wait)
	}
	waiting, oldest = q.stats()
	q.take(nil)
	left, after = q.stats()
	return waiting, oldest, left, after
}

// Review reviews a connection that has failed since a moment, as it was read before.
func Review(ctx context.Context, s *Scope, id tenants.ConnectionID, failing, now time.Time) (stopped bool, err error) {
	return s.Deliveries().review(ctx, connectionRow{ID: uuid(id), FailingSince: micros(failing), State: "active"}, now)
}

// ChainOld does what a migration does for the audit rows of earlier versions.
func (s *Store) ChainOld(ctx context.Context) error {
	return s.Jobs().chainAll(ctx, slog.New(slog.DiscardHandler))
}
