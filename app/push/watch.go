package push

import (
	"time"
)

// tick is how often outstanding pushes are looked at. One look serves all, so that a push needs no
// timer of its own.
const tick = 20 * time.Millisecond

// warmFor is how long after a push its credential's connections are replaced when they are lost.
const warmFor = 10 * time.Minute

// watch finds silent connections, ends pushes whose time is over, and keeps idle connections alive,
// until the sender closes. While nothing is outstanding it sleeps.
func (s *Sender) watch() {
	defer s.group.Done()
	timer := time.NewTimer(s.limits.keepAlive)
	defer timer.Stop()
	cared := s.cfg.Now()
	for {
		select {
		case <-s.life.Done():
			return
		case <-s.stir:
			timer.Reset(tick)
			continue
		case <-timer.C:
		}
		now := s.cfg.Now()
		care := now.Sub(cared) >= s.limits.keepAlive
		if care {
			cared = now
		}
		for _, p := range s.list() {
			p.look(now, care)
		}
		if care {
			s.closeIdle(now)
		}
		wait := s.limits.keepAlive
		if s.busy.Load() > 0 {
			wait = tick
		}
		timer.Reset(wait)
	}
}

// look is one round over a pool.
func (p *pool) look(now time.Time, care bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.queue {
		if r.settled || r.legs > 0 {
			continue
		}
		if !now.Before(r.until) {
			r.err = errLate
			p.settle(r)
		} else if r.moot() {
			r.err = ErrEnough
			p.settle(r)
		}
	}
	for _, c := range append([]*connection{}, p.conns...) {
		p.lookAt(c, now)
		if care && !c.closed {
			p.careFor(c, now)
		}
	}
	if len(p.queue) > 0 {
		p.pump()
	}
	if care && now.Sub(p.pushed) < warmFor {
		p.spare()
	}
}

// lookAt decides about the outstanding pushes of a connection by two clocks: how long each waits,
// and how long nothing at all was read. Called with mu held.
func (p *pool) lookAt(c *connection, now time.Time) {
	if c.closed {
		return
	}
	quiet := now.Sub(c.lastRead)
	if !c.pingAt.IsZero() && quiet >= p.limits.silence && now.Sub(c.pingAt) >= p.limits.silence {
		p.loseLocked(c, errSilent)
		return
	}
	if len(c.legs) == 0 {
		return
	}
	for id, l := range c.legs {
		age := now.Sub(l.written)
		switch {
		case !now.Before(l.r.until):
			l.r.err = errLate
			p.settle(l.r)
		case age >= p.limits.answer:
			c.drop(id)
			c.legs[id] = l // failed takes it off again, and finds another connection
			p.failed(c, id, errLate)
		case age >= p.limits.hedge && quiet >= p.limits.hedge && !c.pingAt.IsZero():
			p.hedge(c, l)
		case age >= p.limits.ping && quiet >= p.limits.ping && !l.pinged:
			l.pinged = true
			p.ask(now)
		}
	}
}

// ask sends a PING on each connection that was not heard for a while, not only on the one in doubt:
// where a push is to go next must be known by the time it goes. Called with mu held.
func (p *pool) ask(now time.Time) {
	for _, c := range p.conns {
		if now.Sub(c.lastRead) >= p.limits.ping {
			c.ping(now)
		}
	}
}

// hedge sends a push again on another connection, with the same apns-id, because its own answers
// nothing any more, not even a PING. The first answer counts. Called with mu held.
func (p *pool) hedge(c *connection, l *leg) {
	c.suspect = true
	r := l.r
	if !r.hedge || r.settled || r.waiting || r.legs == len(r.on) || r.moot() {
		return
	}
	for i := range r.legs {
		if !r.on[i].c.suspect {
			return // sent again already
		}
	}
	p.count.hedged.Add(1)
	p.place(r, c)
}

// careFor keeps an idle connection alive and in hand. Called with mu held.
func (p *pool) careFor(c *connection, now time.Time) {
	if len(c.legs) == 0 && now.Sub(c.lastRead) >= p.limits.keepAlive/2 {
		c.ping(now)
	}
}
