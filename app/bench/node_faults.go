package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

// What goes on while something goes wrong.
const (
	faultNodes = 3
	faultRate  = 100 // rings a second
	faultCalls = 30
	// callsEnd is how long calls of a node that is away may go on, and how soon their phones must
	// be heard again.
	callsEnd = 10 * time.Second
)

// faultWorld is three nodes with rings and calls, in which one thing after the other goes wrong.
type faultWorld struct {
	config  NodesConfig
	cluster *cluster
	calls   *callers // of the fault under way
	phone   *phonetest.Phone
	next    atomic.Int64 // the next device to answer: one may answer only a few times a minute
}

// nodeFault is one thing that goes wrong with several nodes.
type nodeFault struct {
	name, target string
	run          func(*faultWorld, context.Context) (FaultRow, error)
}

func nodeFaultList() []nodeFault {
	const kept = "0 lost, 0 late, 0 under another apns-id"
	return []nodeFault{
		{"kill -9 of a node", kept + "; its calls ended or resumed ≤ 10 s, the others untouched", (*faultWorld).killed},
		{"PostgreSQL gone for 10 s", "503 with Retry-After, 0 lost, calls untouched, back ≤ 2 s after it", (*faultWorld).withoutPostgres},
		{"NATS gone for 30 s", "0 lost, answers work, pages lag ≤ 2 s", (*faultWorld).withoutNATS},
		{"a node stopped for 20 s, then continued", kept, (*faultWorld).stopped},
		{"rolling restart of all nodes", "0 lost, 0 refused but by Retry-After, calls drained", (*faultWorld).rolling},
		{"backup and copy beside SQLite", "0 failed rings", (*faultWorld).copied},
		{"a clock 5 s off on one node", "no ring ends early or late by more than 1 s", (*faultWorld).wrongClock},
		{"keys rotate on three nodes", "0 failed rings", (*faultWorld).rotated},
	}
}

// NodeFaultNames lists what can go wrong with several nodes.
func NodeFaultNames() (names []string) {
	for _, f := range nodeFaultList() {
		names = append(names, f.name)
	}
	return names
}

// nodeFaults makes everything go wrong, one after the other.
func nodeFaults(ctx context.Context, c NodesConfig) (rows []FaultRow, err error) {
	var calls atomic.Pointer[callers]
	w := &faultWorld{config: c}
	own := max(3, faultCalls/c.Shrink)*8 + 40
	ring := max(20, 400/c.Shrink)
	if w.cluster, err = newCluster(ctx, c.Database, ring+own, func(d apnstest.Delivered) {
		if to := calls.Load(); to != nil {
			to.hear(d)
		}
	}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.cluster.close()) }()
	if w.phone, err = phonetest.New(phonetest.Config{}); err != nil {
		return nil, err
	}
	w.cluster.env = []string{"CARILLON_DRAIN=" + w.span(20*time.Second).String()}
	for _, f := range nodeFaultList() {
		if !strings.Contains(f.name, c.Only) {
			continue
		}
		if err := w.cluster.scale(ctx, faultNodes); err != nil {
			return rows, err
		}
		w.calls = newCallers(ring, c.patience())
		w.calls.stage, w.calls.nodes = w.cluster.stage, w.cluster.addresses
		calls.Store(w.calls)
		row, err := f.run(w, ctx)
		row.Fault, row.Target = f.name, f.target
		if err != nil { // what was found so far is worth more than the rest
			row.OK, row.Figure = false, fmt.Sprintf("stopped here: %v", err)
			return append(rows, row), nil
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// span shrinks a stretch of time.
func (w *faultWorld) span(d time.Duration) time.Duration {
	return d / time.Duration(w.config.Shrink)
}

// patience is how long a request may take. A short run is a test, perhaps on a busy machine: its
// figures are not measured, but every request must have its answer.
func (c NodesConfig) patience() time.Duration {
	if c.Shrink > 1 {
		return 30 * time.Second
	}
	return 5 * time.Second
}

// during runs do while rings are placed, with calls standing, and ends the calls.
func (w *faultWorld) during(ctx context.Context, load time.Duration, row *FaultRow, do func(*standing) error) error {
	s, err := w.stand(ctx, max(faultNodes, faultCalls/w.config.Shrink))
	if err != nil {
		return err
	}
	defer s.hangUp()
	done := w.calls.load(ctx, load)
	rest(ctx, w.span(3*time.Second))
	err = do(s)
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	figure, ok := row.Figure, row.OK
	w.calls.end(ctx, row)
	row.OK = row.OK && ok
	if figure != "" {
		row.Figure += "; " + figure
	}
	return nil
}

// away is a node that its calls lose.
func (w *faultWorld) away(ctx context.Context, s *standing, node int, since time.Time, row *FaultRow) {
	resumed, ended, err := s.takenOver(ctx, node, since)
	broken := s.broken(ctx, node)
	row.OK = err == nil && broken == 0 && resumed <= callsEnd && ended <= callsEnd
	row.Figure = fmt.Sprintf("its calls resumed in %.1f s or ended in %.1f s, of the others %d broke", resumed.Seconds(),
		ended.Seconds(), broken)
	if err != nil {
		row.Figure += fmt.Sprintf(", %.120v", err)
	}
}

func (w *faultWorld) killed(ctx context.Context) (row FaultRow, err error) {
	const victim = 1
	err = w.during(ctx, w.span(20*time.Second), &row, func(s *standing) error {
		if err := w.cluster.node(victim).kill(); err != nil {
			return err
		}
		w.away(ctx, s, victim, time.Now(), &row)
		return nil
	})
	if err != nil {
		return row, err
	}
	return row, w.cluster.replace(ctx, victim)
}

func (w *faultWorld) withoutPostgres(ctx context.Context) (row FaultRow, err error) {
	if w.cluster.postgres == nil {
		row.OK, row.Figure = true, "not tried: the PostgreSQL is another's"
		return row, nil
	}
	var gone, back time.Time
	err = w.during(ctx, w.span(15*time.Second)+8*time.Second, &row, func(s *standing) error {
		gone = time.Now()
		w.cluster.postgres.Stop()
		rest(ctx, w.span(10*time.Second))
		if err := w.cluster.postgres.Start(); err != nil {
			return err
		}
		back = time.Now()
		rest(ctx, 3*time.Second)
		broken := s.broken(ctx, -1)
		row.OK, row.Figure = broken == 0, fmt.Sprintf("%d calls broke", broken)
		return nil
	})
	w.calls.extra.Lock()
	defer w.calls.extra.Unlock()
	again := max(0, w.calls.extra.until.Sub(back))
	row.OK = row.OK && w.calls.extra.until.After(gone) && again <= 2*time.Second
	row.Figure += fmt.Sprintf(", the first ring %.1f s after it was back", again.Seconds())
	return row, err
}

func (w *faultWorld) stopped(ctx context.Context) (row FaultRow, err error) {
	const victim = 1
	lasts := w.span(20 * time.Second)
	err = w.during(ctx, lasts+w.span(10*time.Second), &row, func(s *standing) error {
		began := time.Now()
		if err := pause(w.cluster.node(victim)); err != nil {
			return err
		}
		if w.config.Shrink == 1 { // a shorter stop is noticed by nobody
			w.away(ctx, s, victim, began, &row)
		} else {
			row.OK = true
		}
		rest(ctx, time.Until(began.Add(lasts)))
		return unpause(w.cluster.node(victim))
	})
	return row, err
}

func (w *faultWorld) rolling(ctx context.Context) (row FaultRow, err error) {
	broken := 0
	err = w.during(ctx, w.span(30*time.Second), &row, func(s *standing) error {
		for i, old := range w.cluster.running() {
			if err := terminate(old); err != nil {
				return err
			}
			rest(ctx, w.span(3*time.Second))
			for _, c := range s.all { // the people hang up while it drains
				if c.node != i {
					continue
				}
				select {
				case <-c.Closed():
					broken++
				default:
					c.HangUp()
				}
			}
			if err := <-old.done; err != nil {
				return err
			}
			if err := w.cluster.replace(ctx, i); err != nil {
				return err
			}
			rest(ctx, w.span(2*time.Second))
		}
		row.OK, row.Figure = broken == 0, fmt.Sprintf("%d calls broke", broken)
		return nil
	})
	return row, err
}
