package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"carillon/tenants"
)

// writer is the one goroutine that writes. What waits when it comes round forms a group: one
// transaction, one durable commit (an fsync costs more than a hundred rings), and each caller still
// gets its own answer.
//
// A group first runs without savepoints. Most refusals are decided before anything was written and
// cost nothing. When a job fails after it wrote, the group is rolled back and runs again with a
// savepoint around each job, so that only the guilty one fails. Jobs therefore may run more than
// once, and must not leave anything behind outside of the transaction when they do.
type writer struct {
	log   *slog.Logger
	queue *queue
	ended chan struct{}

	commits, writes atomic.Int64 // groups, and the jobs in them

	tx     *tx // the goroutine's own
	recent recent

	seen    *cache
	version int64 // of SQLite's file, as this connection last saw it; see compare

	now    func() time.Time
	fullAt atomic.Int64 // when there last was no room to write, in Unix nanoseconds
}

// tries of a group that PostgreSQL gave up on.
const tries = 3

// The states of a job. What moves it out of queued owns it.
const (
	queued int32 = iota
	running
	left
)

type job struct {
	state  atomic.Int32
	access access           // of its statements, on PostgreSQL
	tenant tenants.TenantID // whose audit counter the job will need; empty = none, or not known
	run    func(*tx) error
	change *change // by which run can be done with others before it; nil = only by itself
	// patient jobs wait a moment for an urgent one whose commit they can share
	patient bool
	// yields has a job wait while others do that somebody's ring waits for; see queue.late
	yields bool
	lazy   bool // alone in a group it is committed without an fsync; see lazily
	err    error
	done   chan struct{} // closed once err is final; nil when nobody waits
	next   *job          // behind it in its line
	since  time.Time     // when it was queued
	began  time.Time     // when the work was queued of which it is a part; see lazilySince
}

func newWriter(ctx context.Context, db *database, seen *cache, now func() time.Time, log *slog.Logger) (*writer, error) {
	t, err := newTx(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &writer{log: log, now: now, queue: newQueue(), ended: make(chan struct{}), tx: t, seen: seen,
		recent: recent{hops: newHistory().hops}}
	go w.loop()
	return w, nil
}

// do runs the job in a group and returns once it is committed or refused. A ctx that ends while the
// job still waits takes it out. Its statements have the access.
func (w *writer) do(ctx context.Context, at access, run func(*tx) error) error {
	return w.wait(ctx, &job{access: at, run: run, done: make(chan struct{})})
}

// yield is do for what no ring waits for: rings go first.
func (w *writer) yield(ctx context.Context, at access, run func(*tx) error) error {
	return w.wait(ctx, &job{access: at, run: run, yields: true, done: make(chan struct{})})
}

// lazily is yield for what is done again where it is lost. On SQLite its commit becomes durable
// with the next one of others, and no ring waits for an fsync of it. The end of this process does
// not undo it; a power cut may, in the order of the commits.
func (w *writer) lazily(ctx context.Context, at access, run func(*tx) error) error {
	return w.lazilySince(ctx, at, time.Time{}, run)
}

// lazilySince is lazily for the next part of work that began earlier: it has given way since then,
// and goes before what gives way and began later. Otherwise each part would wait for as long as the
// first one while urgent writes never stop.
func (w *writer) lazilySince(ctx context.Context, at access, began time.Time, run func(*tx) error) error {
	return w.wait(ctx, &job{access: at, run: run, yields: true, lazy: w.tx.d.dialect.isFile(), began: began, done: make(chan struct{})})
}

func (w *writer) wait(ctx context.Context, j *job) error {
	for {
		err := w.once(ctx, j)
		var rest unchained
		if !errors.As(err, &rest) {
			return err
		}
		if err := w.chain(ctx, rest.tenant, nil); err != nil {
			return err
		}
		j = &job{access: j.access, tenant: j.tenant, run: j.run, change: j.change, patient: j.patient, yields: j.yields,
			lazy: j.lazy, began: j.began, done: make(chan struct{})}
	}
}

// once runs a job whose end its caller waits for.
func (w *writer) once(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return translate(err)
	}
	if !w.queue.add(j) {
		return tenants.Refuse(tenants.Unavailable, "unavailable", "The server is stopping. Try again in a moment.")
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(queued, left) {
			return translate(ctx.Err())
		}
		<-j.done
	}
	return translate(j.err)
}

// post queues a job that nobody waits for, unless many jobs wait: for what may be lost, such as
// when a key was last used.
func (w *writer) post(at access, run func(*tx) error) {
	w.queue.offer(&job{access: at, run: run, patient: true})
}

func (w *writer) close() error {
	w.queue.close()
	<-w.ended
	return w.tx.close()
}

func (w *writer) loop() {
	defer close(w.ended)
	for group := w.queue.take(nil); len(group) > 0; group = w.queue.take(group[:0]) {
		w.write(group)
		clear(group)
	}
}

// write commits a group and answers everybody in it.
func (w *writer) write(group []*job) {
	mine := started(group)
	if len(mine) > 0 {
		mine = w.settle(mine)
		w.commits.Add(1)
		w.writes.Add(int64(len(mine)))
	}
	for _, j := range mine {
		if j.done != nil {
			close(j.done)
		} else if j.err != nil {
			w.log.Warn("a write that nobody waits for failed", "error", j.err)
		}
	}
}

// started are the jobs whose callers still wait, in the same array.
func started(group []*job) []*job {
	mine := group[:0]
	for _, j := range group {
		if j.state.CompareAndSwap(queued, running) {
			mine = append(mine, j)
		}
	}
	return mine
}

// settle tries until each job has its final err. It gives the jobs, with those that joined.
func (w *writer) settle(group []*job) []*job {
	careful, lazy := false, len(group) == 1 && group[0].lazy
	var err error
	w.tx.held.group()
	for n := 0; n < tries+w.tx.held.n; n++ { // a row that is not waited for again costs no try
		if err = w.tx.begin(lazy); err != nil {
			continue // with a new connection, if there is one to be had
		}
		held := w.tx.held.n
		group, err = w.run(group, careful)
		if err == nil {
			return group
		}
		w.tx.rollback()
		if errors.Is(err, errCommit) {
			break // whether it was written is not known: running it again could write it twice
		}
		if full(err) {
			w.fullAt.Store(w.now().UnixNano())
			break // there is no room for anybody's, and a transaction without room may be over by itself
		}
		careful = careful || !clash(err) && w.tx.held.n == held
	}
	for _, j := range group {
		j.err = err
	}
	return group
}

// errCommit marks a commit that failed.
var errCommit = errors.New("commit")

// compare empties the cache when another process has written since the last look: SQLite changes
// the file's data_version at each commit of another connection, and no other one of ours writes.
// PostgreSQL has nothing like it.
func (w *writer) compare() error {
	if !w.tx.d.dialect.isFile() || !w.seen.stale() {
		return nil
	}
	at, version := w.now(), int64(0)
	if err := w.tx.row("PRAGMA data_version", nil, &version); err != nil {
		return err
	}
	if version != w.version {
		w.seen.forget()
		w.version = version
	}
	w.seen.upTo(at)
	return nil
}

// run runs the jobs and commits. It returns an error when the group as a whole must run again, and
// the group, which others may have joined.
func (w *writer) run(group []*job, careful bool) ([]*job, error) {
	if err := w.compare(); err != nil {
		return group, err
	}
	group, err := w.open(group, careful)
	if err != nil {
		return group, err
	}
	for _, j := range group {
		if careful {
			err = w.carefully(j)
		} else {
			err = w.plainly(j)
		}
		if err != nil {
			return group, err
		}
	}
	if err := (trips{w.tx}).finish(); err != nil {
		return group, err
	}
	w.recent.add(w.tx.notes)
	return group, nil
}

// open does what the jobs have in common on PostgreSQL, and then lets others join: on SQLite there
// is no other node to wait for, and no round trip.
func (w *writer) open(group []*job, careful bool) ([]*job, error) {
	if !w.tx.d.dialect.pipelines() {
		return group, nil
	}
	t := trips{w.tx}
	if err := t.open(group, careful); err != nil || careful {
		return group, err
	}
	n := len(group)
	group = w.queue.more(group, func(j *job) bool {
		_, held := w.tx.audits[j.tenant]
		return held || j.tenant == ""
	})
	joined := started(group[n:])
	return group[:n+len(joined)], t.run(t.rings().together(joined))
}

// plainly runs one job without a savepoint. Its refusal is an error of the group if it has written.
func (w *writer) plainly(j *job) error {
	w.tx.wrote, w.tx.failed = false, nil
	j.err = w.call(j)
	if w.tx.failed = (trips{w.tx}).undone(j.err); w.tx.failed != nil {
		return w.tx.failed
	}
	if j.err != nil && w.tx.wrote {
		return j.err
	}
	return nil
}

// carefully runs one job behind a savepoint, so that its failure is its own.
func (w *writer) carefully(j *job) error {
	w.tx.wrote, w.tx.failed = false, nil
	if err := w.tx.control("SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = w.call(j); j.err == nil {
		j.err = w.tx.flush()
	}
	if j.err == nil {
		j.err = (trips{w.tx}).undone(nil) // a job that continues after a failed statement has not done its work
	}
	if j.err == nil {
		return w.tx.control("RELEASE SAVEPOINT job")
	}
	if clash(j.err) {
		return j.err
	}
	w.tx.forget()
	if err := w.tx.control("ROLLBACK TO SAVEPOINT job"); err != nil {
		return err
	}
	return w.tx.control("RELEASE SAVEPOINT job")
}

// call keeps a panic of one job away from the others and from the process.
func (w *writer) call(j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	w.tx.access = j.access
	return j.run(w.tx)
}
