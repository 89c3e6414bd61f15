package store

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// queue holds the jobs that wait for the writer: a line for each tenant, served in turn. A tenant
// with a thousand waiting writes delays another tenant's write by one group at most. Jobs of one
// tenant keep their order.
//
// It has no limit for jobs that somebody waits for: each of them is a caller who would wait outside
// otherwise, and callers are limited at the edge.
type queue struct {
	came     chan struct{} // holds a value when take has to look again
	patience time.Duration // see patience; tests change it
	nodes    atomic.Int64  // that share the rings, up to patientNodes
	coming   atomic.Int64  // rings on their way to their answer; see Store.Expect

	mu      sync.Mutex // guards all below
	lines   map[access]*line
	turns   []*line // lines with jobs; the first is next
	spare   []*line // empty ones, to use again
	late    line    // jobs that give way, of all tenants; see job.yields
	waiting int     // without those in late
	urgent  int     // of waiting, those that are not patient
	closed  bool
}

// line is the jobs of one tenant, linked by job.next.
type line struct {
	access      access
	first, last *job
	given       int // jobs in the group that is being put together
}

const (
	groupLimit = 256 // jobs in one commit
	// shareLimit is how many of them may be one tenant's. A larger group saves little, and
	// everybody in it and behind it waits for all.
	shareLimit = 128
	postLimit  = 1024 // jobs that wait, at which a job that nobody waits for is dropped
	// patience is how long patient jobs wait for an urgent one whose commit they can share. At 50
	// rings a second and more, Apple's answer to one ring goes with the rows of the next.
	patience = 20 * time.Millisecond
	// patientNodes bounds by how much longer they wait where nodes share the rings, so that fewer
	// come to each.
	patientNodes = 3
	// patientMost is how many patient jobs wait at most: a group of that size is worth a commit of
	// its own, and under load waiting longer would only leave the writer idle.
	patientMost = 8
	// comingFor is how long jobs that give way wait for a ring that is on its way.
	comingFor = 2 * time.Millisecond
	// yieldFor is how long a job that gives way does so while others come without a break.
	yieldFor = 50 * time.Millisecond
)

func newQueue() *queue {
	return &queue{lines: map[access]*line{}, came: make(chan struct{}, 1), patience: patience}
}

// add puts a job at the end of its tenant's line; false means that the queue is closed.
func (q *queue) add(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.append(j)
	return true
}

// offer is add for a job that may be dropped.
func (q *queue) offer(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed && q.waiting < postLimit {
		q.append(j)
	}
}

// append is called with mu held.
func (q *queue) append(j *job) {
	j.since = time.Now()
	if j.began.IsZero() {
		j.began = j.since
	}
	if j.yields {
		if first := q.late.first; first != nil && j.began.Before(first.began) {
			q.late.first, j.next = j, first
		} else {
			q.late.push(j)
		}
		q.wake()
		return
	}
	l := q.lines[j.access]
	if l == nil {
		l = q.newLine(j.access)
		q.turns = append(q.turns, l)
	}
	l.push(j)
	if !j.patient {
		q.urgent++
	}
	if q.waiting++; q.waiting == 1 || q.urgent == 1 && !j.patient || q.waiting == patientMost {
		q.wake()
	}
}

func (l *line) push(j *job) {
	if l.last == nil {
		l.first = j
	} else {
		l.last.next = j
	}
	l.last = j
}

func (l *line) pop() *job {
	j := l.first
	if l.first, j.next = j.next, nil; l.first == nil {
		l.last = nil
	}
	return j
}

// wake has take look again.
func (q *queue) wake() {
	select {
	case q.came <- struct{}{}:
	default:
	}
}

// newLine is called with mu held.
func (q *queue) newLine(d access) *line {
	l := &line{}
	if n := len(q.spare); n > 0 {
		l, q.spare = q.spare[n-1], q.spare[:n-1]
	}
	l.access, l.given = d, 0
	q.lines[d] = l
	return l
}

// take waits until there is an urgent job, patientMost jobs, one that gives way, or patience is
// over, and appends what the next commit holds: one job of each line, then another of each, up to
// the limits. One job that gives way is added while nobody urgent waits; a lazy one is alone then.
// Nothing appended means that the queue is closed and empty. Only the writer calls it.
//
// It lets other goroutines run first: a caller who is about to queue a job then shares the commit.
// With 100 callers on a busy machine a group has a third more jobs, and a machine at rest loses no
// time.
func (q *queue) take(group []*job) []*job {
	runtime.Gosched()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wait()
	if j := q.late.first; j != nil && (q.urgent == 0 || time.Since(j.began) > yieldFor) {
		group = append(group, q.late.pop())
		if j.lazy && q.urgent == 0 && !q.overdue() {
			return group
		}
	}
	for _, l := range q.turns {
		l.given = 0
	}
	for len(group) < groupLimit && len(q.turns) > 0 && q.turns[0].given < shareLimit {
		l := q.turns[0]
		q.turns = q.turns[1:]
		group = append(group, q.pop(l))
		if l.first != nil {
			q.turns = append(q.turns, l)
			continue
		}
		delete(q.lines, l.access)
		q.spare = append(q.spare, l)
	}
	return group
}

// more adds to a group what came since it was taken and fits, up to the same limits: while its
// first statement waited for another node's commit, others came who can share this one.
func (q *queue) more(group []*job, fits func(*job) bool) []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.turns[:0]
	for _, l := range q.turns {
		for l.first != nil && len(group) < groupLimit && l.given < shareLimit && fits(l.first) {
			group = append(group, q.pop(l))
		}
		if l.first != nil {
			left = append(left, l)
			continue
		}
		delete(q.lines, l.access)
		q.spare = append(q.spare, l)
	}
	q.turns = left
	return group
}

// wait is called with mu held, and gives it up while it waits.
func (q *queue) wait() {
	var over, held <-chan time.Time // nil until a patient job, or one that gives way, waits
	for late := false; q.urgent == 0 && q.waiting < patientMost && !q.closed && !late; {
		if q.late.first != nil {
			left := q.held()
			if left <= 0 {
				return
			}
			if held == nil {
				held = time.After(left)
			}
		}
		if q.waiting > 0 && over == nil {
			over = time.After(q.patienceNow())
		}
		q.mu.Unlock()
		select {
		case <-q.came:
		case <-held:
			held = nil
		case <-over:
			late = true
		}
		q.mu.Lock()
	}
}

// held is how much longer the first job that gives way waits for a ring that is on its way. Called
// with mu held.
func (q *queue) held() time.Duration {
	if q.coming.Load() == 0 {
		return 0
	}
	return comingFor - time.Since(q.late.first.since)
}

// patienceNow is how long patient jobs wait.
func (q *queue) patienceNow() time.Duration {
	return q.patience * time.Duration(max(1, q.nodes.Load()))
}

// overdue reports whether patient jobs have waited for long enough. Called with mu held.
func (q *queue) overdue() bool {
	return q.waiting >= patientMost ||
		slices.ContainsFunc(q.turns, func(l *line) bool { return time.Since(l.first.since) > q.patienceNow() })
}

// pop is called with mu held.
func (q *queue) pop(l *line) *job {
	j := l.pop()
	l.given++
	q.waiting--
	if !j.patient {
		q.urgent--
	}
	return j
}

// hurries reports whether somebody waits who does not give way, or is about to.
func (q *queue) hurries() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.urgent > 0 || q.coming.Load() > 0
}

// expect says that a ring is on its way, until over is called.
func (q *queue) expect() (over func()) {
	q.coming.Add(1)
	return func() {
		if q.coming.Add(-1) > 0 {
			return
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.late.first != nil {
			q.wake()
		}
	}
}

// close refuses later jobs; take still gives out those that wait.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// stats returns how many jobs wait, and how long the oldest of them has waited.
func (q *queue) stats() (waiting int, oldest time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.turns {
		oldest = max(oldest, time.Since(l.first.since))
	}
	for j := q.late.first; j != nil; j = j.next {
		waiting++
		oldest = max(oldest, time.Since(j.since))
	}
	return q.waiting + waiting, oldest
}
