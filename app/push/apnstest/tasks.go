package apnstest

import (
	"container/heap"
	"time"
)

// A report that gets no answer, or an answer that may pass, is sent again, as an app would.
const (
	maxTries  = 4
	tryAgain  = 250 * time.Millisecond
	maxPassed = 10_000 // calls remembered per set of phones
)

// hear takes a push. It is called by the Apple and does not block.
func (p *Phones) hear(d Delivered) {
	said, err := readPayload(d.Payload)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	phone, ok := p.phones[d.Token]
	if !ok {
		return
	}
	if now := p.cfg.Now(); now.Unix() >= said.Exp {
		p.late++
		return
	}
	if name := d.Token + said.CallID; p.seen[name] {
		p.again++
		return
	} else if p.seen[name] = true; len(p.seen) > maxPassed {
		clear(p.seen)
		p.seen[name] = true
	}
	if len(phone.Script.Steps) > 0 {
		p.add(task{phone: phone, call: said.CallID, at: p.cfg.Now().Add(phone.Script.Steps[0].After)})
	}
}

// add puts a task into the heap. Called with mu held.
func (p *Phones) add(t task) {
	if p.pending++; p.pending == 1 {
		p.quiet = make(chan struct{})
	}
	heap.Push((*byTime)(&p.due), t)
	select {
	case p.stir <- struct{}{}:
	default:
	}
}

// finish ends a task, after adding what follows from it.
func (p *Phones) finish(next *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next != nil {
		p.add(*next)
	}
	if p.pending--; p.pending == 0 {
		close(p.quiet)
	}
}

// schedule hands tasks to the workers when their time comes.
func (p *Phones) schedule() {
	defer p.group.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		t, wait, ok := p.next()
		if ok {
			select {
			case p.tasks <- t:
				continue
			case <-p.life.Done():
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-p.stir:
		case <-timer.C:
		case <-p.life.Done():
			return
		}
	}
}

// next takes the first task that is due, or says how long to wait for one.
func (p *Phones) next() (t task, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.due) == 0 {
		return t, time.Hour, false
	}
	if wait = p.due[0].at.Sub(p.cfg.Now()); wait > 0 {
		return t, wait, false
	}
	return heap.Pop((*byTime)(&p.due)).(task), 0, true
}

func (p *Phones) work() {
	defer p.group.Done()
	for {
		select {
		case <-p.life.Done():
			return
		case t := <-p.tasks:
			p.finish(p.act(t))
		}
	}
}

// act reports one step and gives the next one, if any.
func (p *Phones) act(t task) *task {
	r := p.post(t)
	p.mu.Lock()
	if len(p.reports) >= p.cfg.Keep {
		p.reports = p.reports[1:]
	}
	p.reports = append(p.reports, r)
	p.mu.Unlock()
	if t.tries++; (r.Err != nil || r.Status >= 500 || r.Status == 429) && t.tries < maxTries && p.life.Err() == nil {
		t.at = p.cfg.Now().Add(tryAgain)
		return &t
	}
	if t.step++; t.step == len(t.phone.Script.Steps) {
		return nil
	}
	t.tries, t.at = 0, p.cfg.Now().Add(t.phone.Script.Steps[t.step].After)
	return &t
}

// byTime is a heap of tasks.
type byTime []task

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)        { *h = append(*h, x.(task)) }
func (h *byTime) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = (*h)[:last]
	return t
}
