package apnstest

import (
	"container/heap"
	"time"
)

// A report without an answer, or with a temporary error, is sent again, as an app would do.
const (
	maxTries   = 4
	retryAfter = 250 * time.Millisecond
	maxSeen    = 10_000 // calls remembered per set of phones
)

// receivePush starts the script of the phone that d is for. The Apple calls it; it does not block.
func (p *Phones) receivePush(d Delivered) {
	payload, err := readPayload(d.Payload)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	phone, ok := p.phones[d.Token]
	if !ok {
		return
	}
	if now := p.cfg.Now(); now.Unix() >= payload.Exp {
		p.late++
		return
	}
	if name := d.Token + payload.CallID; p.seen[name] {
		p.again++
		return
	} else if p.seen[name] = true; len(p.seen) > maxSeen {
		clear(p.seen)
		p.seen[name] = true
	}
	if len(phone.Script.Steps) > 0 {
		p.addTask(task{phone: phone, call: payload.CallID, at: p.cfg.Now().Add(phone.Script.Steps[0].After)})
	}
}

// addTask puts a task into the heap. Called with mu held.
func (p *Phones) addTask(t task) {
	if p.pending++; p.pending == 1 {
		p.idle = make(chan struct{})
	}
	heap.Push((*byTime)(&p.due), t)
	select {
	case p.taskAdded <- struct{}{}:
	default:
	}
}

// finishTask ends a task. It adds the next one first, so that the phones do not look idle between.
func (p *Phones) finishTask(next *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next != nil {
		p.addTask(*next)
	}
	if p.pending--; p.pending == 0 {
		close(p.idle)
	}
}

// schedule hands tasks to the workers when their time comes.
func (p *Phones) schedule() {
	defer p.running.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		t, wait, ok := p.nextTask()
		if ok {
			select {
			case p.tasks <- t:
				continue
			case <-p.ctx.Done():
				return
			}
		}
		timer.Reset(wait)
		select {
		case <-p.taskAdded:
		case <-timer.C:
		case <-p.ctx.Done():
			return
		}
	}
}

// nextTask takes the first task that is due, or says how long to wait for one.
func (p *Phones) nextTask() (t task, wait time.Duration, ok bool) {
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
	defer p.running.Done()
	for {
		select {
		case <-p.ctx.Done():
			return
		case t := <-p.tasks:
			p.finishTask(p.runStep(t))
		}
	}
}

// runStep reports one step and returns the next one, or nil.
func (p *Phones) runStep(t task) *task {
	r := p.postFact(t)
	p.mu.Lock()
	if len(p.reports) >= p.cfg.Keep {
		p.reports = p.reports[1:]
	}
	p.reports = append(p.reports, r)
	p.mu.Unlock()
	if t.tries++; (r.Err != nil || r.Status >= 500 || r.Status == 429) && t.tries < maxTries && p.ctx.Err() == nil {
		t.at = p.cfg.Now().Add(retryAfter)
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
