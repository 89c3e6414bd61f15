package connections

import (
	"context"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// On SQLite one process turns all facts into deliveries. It sends those of receivers that work
// before it writes anything, and writes down what was delivered together with the cursor's move:
// one row, where a row, a claim and a result would be three writes that rings may wait for. What a
// crash cuts off is read from the facts again, and goes out again under the same id.

// firstWait is how long the feed waits for answers before it writes. What is answered later is
// written as if it had been claimed.
const firstWait = 40 * time.Millisecond

// first is what of one batch is sent before it is written. The engine's mu guards it.
type first struct {
	sent  map[string]*sentFirst // by event; nil between two batches
	left  int                   // of those without an answer
	ended chan struct{}         // closed once none is left
	seqs  map[string]int64      // of those that were written while their attempts were under way
}

// sentFirst is one delivery of a first.
type sentFirst struct {
	tenants.Delivery
	begun  bool     // there was an attempt
	back   bool     // it is not sent now
	leased bool     // it is written as one that is
	out    *outcome // of the attempt; nil = there is none yet
	kept   bool     // out is written with the delivery
}

func newFirst() *first { return &first{seqs: map[string]int64{}} }

// of is a delivery that is not written yet, or nil.
func (f *first) of(d tenants.Delivery) *sentFirst {
	if d.Seq != 0 {
		return nil
	}
	return f.sent[d.Event]
}

func (f *first) begin(d tenants.Delivery) {
	if x := f.of(d); x != nil {
		x.begun = true
	}
}

// leave takes back that a delivery is sent now.
func (f *first) leave(d tenants.Delivery) {
	if x := f.of(d); x != nil && !x.back && x.out == nil {
		x.back = true
		f.less()
	}
}

// drop is leave for what leaves the queue for good. What is written as under way already stays so:
// how the attempt before it went says what becomes of it.
func (f *first) drop(d tenants.Delivery) {
	if x := f.of(d); x != nil && !x.leased {
		f.leave(d)
	}
}

func (f *first) less() {
	if f.left--; f.left == 0 {
		close(f.ended)
	}
}

// over takes how an attempt of the line went. It is false where the delivery is not written yet:
// then the feed has it written, or what was sent is forgotten because it was not to be written.
func (f *first) over(l *line, o *outcome) (written bool) {
	if x := f.of(o.Delivery); x != nil {
		x.out = o
		if !x.back {
			f.less()
		}
		return false
	}
	if f.name(&o.Delivery); o.Delivery.Seq == 0 {
		l.forget(o)
		return false
	}
	return true
}

// name gives a delivery that was written while it was under way its seq.
func (f *first) name(d *tenants.Delivery) {
	if d.Seq == 0 {
		d.Seq = f.seqs[d.Event]
		delete(f.seqs, d.Event)
	}
}

// written are those of the deliveries that are written. The others are not sent now.
func (f *first) written(all []tenants.Delivery) (out []tenants.Delivery) {
	for _, d := range all {
		f.leave(d)
		if f.of(d) == nil {
			f.name(&d)
		}
		if d.Seq != 0 {
			out = append(out, d)
		}
	}
	return out
}

// sendFirst is feed where this process alone feeds. It is false, and what was sent may be sent
// again, when the batch could not be written.
func (e *Engine) sendFirst(c store.Cursor, b store.Batch, all []store.NewDelivery) (moved bool, err error) {
	all = distinct(all)
	unwritten, err := e.unwritten(c, b)
	if err != nil {
		return false, err
	}
	fresh, err := e.Store.Feeds().Fresh(e.claims, all, unwritten)
	if err != nil {
		return false, err
	}
	lines, rooms := e.roomsFor(all)
	until := e.Now().Add(lease)
	e.queueFirst(all, fresh, rooms, lines, until)
	e.wake()
	e.awaitFirst()
	sent := e.toWrite(all, until)
	e.writes.Lock()
	moved, seqs, err := e.Store.Feeds().FeedSent(context.WithoutCancel(e.claims), c, b, sent)
	e.writes.Unlock()
	moved = moved && err == nil
	if !moved {
		e.doubt = nil
	}
	for _, o := range e.wrote(all, lines, seqs) {
		e.outcomes <- o
	}
	e.wake()
	return moved, err
}

// unwritten reports whether no event of the batch can be written yet: it begins behind all facts of
// which a batch may have been written in part.
func (e *Engine) unwritten(c store.Cursor, b store.Batch) (bool, error) {
	if e.doubt == nil {
		newest, err := c.Skip(e.claims)
		if err != nil {
			return false, err
		}
		e.doubt = &newest
	}
	return b.Behind(*e.doubt), nil
}

// queueFirst queues what may be sent before it is written: as far as there is room, and of one ring
// nothing before what is older.
func (e *Engine) queueFirst(all []store.NewDelivery, fresh map[string]bool, rooms map[tenants.ConnectionID]int,
	lines map[tenants.ConnectionID]store.DueConnection, until time.Time) {
	type queue struct {
		connection tenants.ConnectionID
		ring       tenants.RingID
	}
	later := map[queue]bool{}
	now := e.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.first
	f.sent, f.left, f.ended = map[string]*sentFirst{}, 0, make(chan struct{})
	for _, d := range all {
		q := queue{d.Connection, d.Ring}
		l := e.line(lines[d.Connection])
		switch {
		case rooms[d.Connection] <= 0 || !fresh[d.Event] || later[q] || l.gone:
			later[q] = true
		default:
			rooms[d.Connection]--
			x := &sentFirst{Delivery: tenants.Delivery{Event: d.Event, Connection: d.Connection, Kind: d.Kind, Ring: d.Ring,
				Body: d.Body, At: d.At, BegunAt: now, DueAt: until, State: tenants.DeliveryWaiting}}
			f.sent[d.Event] = x
			f.left++
			l.queue = append(l.queue, x.Delivery)
		}
	}
}

func (e *Engine) awaitFirst() {
	e.mu.Lock()
	left, ended := e.first.left, e.first.ended
	e.mu.Unlock()
	if left == 0 {
		return
	}
	over := time.NewTimer(firstWait)
	defer over.Stop()
	select {
	case <-ended:
	case <-over.C:
	case <-e.claims.Done():
	}
}

// toWrite is the batch with what is known of it now.
func (e *Engine) toWrite(all []store.NewDelivery, until time.Time) (sent []store.Sent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range all {
		s := store.Sent{NewDelivery: d}
		if x := e.first.sent[d.Event]; x != nil && !x.back {
			s.Until, x.leased = until, true
			if x.kept = x.out != nil && x.out.Attempt.Good; x.kept {
				s.Good = &x.out.Attempt
			}
		}
		sent = append(sent, s)
	}
	return sent
}

// wrote ends a batch, which is written where there are seqs, and gives what is to settle of it.
func (e *Engine) wrote(all []store.NewDelivery, lines map[tenants.ConnectionID]store.DueConnection,
	seqs map[string]int64) (settle []outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.first
	for _, d := range all {
		l, x, seq := e.line(lines[d.Connection]), f.sent[d.Event], seqs[d.Event]
		switch {
		case x == nil || x.back && !x.leased:
			l.look = true // the next claim takes it
		case x.back && seq != 0 && l.gone: // it is given up with all that waits
		case x.back && seq != 0: // too late for that: the next attempt gives it back
			x.Delivery.Seq = seq
			l.queue = append(l.queue, x.Delivery)
		case x.kept && seq != 0:
			e.count(*x.out)
			e.trims[l.DueConnection] = true
		case x.out != nil && seq != 0:
			x.out.Delivery.Seq = seq
			settle = append(settle, *x.out)
		case x.out != nil:
			l.forget(x.out)
		case x.begun && x.out == nil && seq != 0:
			f.seqs[d.Event] = seq
		case !x.begun:
			l.named(d.Event, seq)
		}
	}
	f.sent = nil
	return settle
}

// forget is for an outcome that is not written: the receiver will be asked again, also one that
// wants no more.
func (l *line) forget(o *outcome) {
	if o.gone {
		l.gone, l.look = false, true
	}
}

// named gives a delivery in the queue its seq. One without leaves the queue.
func (l *line) named(event string, seq int64) {
	i := slices.IndexFunc(l.queue, func(d tenants.Delivery) bool { return d.Seq == 0 && d.Event == event })
	if i < 0 {
		return
	}
	if l.queue[i].Seq = seq; seq == 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
}

// distinct leaves out what a batch has twice.
func distinct(all []store.NewDelivery) []store.NewDelivery {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(d store.NewDelivery) bool {
		again := seen[d.Event]
		seen[d.Event] = true
		return again
	})
}
