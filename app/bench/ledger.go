package bench

import (
	"sync"
	"time"

	"carillon/app/push/apnstest"
)

// ledger is what was asked for, and what Apple was given, by ring.
type ledger struct {
	// By answers, a ring counts as pushed when the caller gets the answer; otherwise when Apple has
	// it.
	byAnswers bool

	mu      sync.Mutex // guards the rest
	rings   map[string]*entry
	refused map[int]map[string]int // by who asked, and why
}

// entry is one ring.
type entry struct {
	asked           bool
	who             int
	due, given, yes time.Time
	times           int    // that Apple was given it
	apnsID          string // the first it came under
	repeated        bool   // it came under another too
}

func newLedger() *ledger {
	return &ledger{rings: map[string]*entry{}, refused: map[int]map[string]int{}}
}

// of finds or makes the ring's entry: Apple may have it before its asker knows its id. Called with
// mu held.
func (l *ledger) of(ring string) *entry {
	e := l.rings[ring]
	if e == nil {
		e = &entry{}
		l.rings[ring] = e
	}
	return e
}

// hear notes what Apple was given: {"v":1,"call_id":"<36 characters>" …
func (l *ledger) hear(d apnstest.Delivered) {
	ring := field(d.Payload, `"call_id":"`)
	if ring == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(ring)
	if e.times++; e.times == 1 {
		e.given, e.apnsID = d.At, d.APNsID
	}
	e.repeated = e.repeated || e.apnsID != d.APNsID
}

// ask notes a ring that was promised.
func (l *ledger) ask(ring string, who int, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(ring)
	e.asked, e.who, e.due = true, who, due
}

// answered notes that the caller got Apple's yes.
func (l *ledger) answered(ring string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(ring).yes = at
}

func (l *ledger) refuse(who int, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused[who] == nil {
		l.refused[who] = map[string]int{}
	}
	l.refused[who][why]++
}

// refusals counts what one was refused.
func (l *ledger) refusals(who int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.refused[who] {
		n += times
	}
	return n
}

// tally is what became of the rings of one asker.
type tally struct {
	count, lost, repeated, twice int
	most                         int    // that Apple was given one ring
	took                         sample // from when each was due
	last                         time.Time
}

// tally adds up the rings of one asker that were due from then on.
func (l *ledger) tally(who int, from time.Time) (t tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.rings {
		if !e.asked || e.who != who || e.due.Before(from) {
			continue
		}
		t.count++
		if e.repeated {
			t.repeated++
		}
		if e.times > 1 {
			t.twice++
		}
		t.most = max(t.most, e.times)
		at := e.given
		if l.byAnswers {
			at = e.yes
		}
		if at.IsZero() {
			t.lost++
			continue
		}
		t.took = append(t.took, at.Sub(e.due))
		if at.After(t.last) {
			t.last = at
		}
	}
	return t
}
