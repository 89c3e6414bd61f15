package push

import (
	"time"
)

// tick is the time between two checks of outstanding pushes. One check covers all of them, so that
// a push needs no timer.
const tick = 20 * time.Millisecond

// warmFor is how long after a push a lost connection of its credential is replaced.
const warmFor = 10 * time.Minute

// supervise finds silent connections, ends pushes whose time is over, and keeps idle connections
// alive, until the sender closes. While no push is outstanding it wakes only every KeepAlive.
func (s *Sender) supervise() {
	defer s.group.Done()
	timer := time.NewTimer(s.limits.keepAlive)
	defer timer.Stop()
	lastCare := s.cfg.Now()
	for {
		select {
		case <-s.life.Done():
			return
		case <-s.wakeSupervisor:
			timer.Reset(tick)
			continue
		case <-timer.C:
		}
		now := s.cfg.Now()
		care := now.Sub(lastCare) >= s.limits.keepAlive
		if care {
			lastCare = now
		}
		for _, p := range s.openPools() {
			p.check(now, care)
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

// check does one round over a pool; care asks for the work of idle connections too.
func (p *pool) check(now time.Time, care bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, queue := range [][]*request{p.queue, p.apart} {
		endWaiting(p, queue, now)
	}
	for _, c := range append([]*connection{}, p.conns...) {
		p.checkConnection(c, now)
		if care && !c.closed {
			p.keepIdleAlive(c, now)
		}
	}
	if len(p.queue)+len(p.apart) > 0 {
		p.startQueued()
	}
	if care && now.Sub(p.pushed) < warmFor {
		p.keepSpare()
	}
}

// endWaiting ends the queued requests whose time is over. Called with mu held.
func endWaiting(p *pool, queue []*request, now time.Time) {
	for _, r := range queue {
		if r.settled || r.legs > 0 {
			continue
		}
		if !now.Before(r.until) {
			r.err = errLate
			p.settle(r)
		} else if r.enoughSent() {
			r.err = ErrEnough
			p.settle(r)
		}
	}
}

// checkConnection decides about the outstanding pushes of a connection by two times: how long each
// waits, and how long nothing at all was read. Called with mu held.
func (p *pool) checkConnection(c *connection, now time.Time) {
	if c.closed {
		return
	}
	quiet := now.Sub(c.lastRead)
	if !c.greeted && quiet >= p.limits.silence { // it must send SETTINGS first (RFC 9113, 3.4)
		p.closeConnectionLocked(c, errSilent)
		return
	}
	if !c.pingAt.IsZero() && quiet >= p.limits.silence && now.Sub(c.pingAt) >= p.limits.silence {
		p.closeConnectionLocked(c, errSilent)
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
		case age >= p.limits.answer && p.stuck(l, now):
			c.cancelStream(id)
			c.legs[id] = l // streamFailed removes it and finds another connection
			p.streamFailed(c, id, errLate)
		case age >= p.limits.hedge && quiet >= p.limits.hedge && !c.pingAt.IsZero():
			p.hedge(c, l)
		case age >= p.limits.ping && quiet >= p.limits.ping && !l.pinged:
			l.pinged = true
			p.pingQuiet(now)
		}
	}
}

// pingQuiet sends a PING on each connection that was quiet for PingAfter, also on those without a
// push: it must be known which ones work before a push moves to another. Called with mu held.
func (p *pool) pingQuiet(now time.Time) {
	for _, c := range p.conns {
		if now.Sub(c.lastRead) >= p.limits.ping {
			c.ping(now)
		}
	}
}

// hedge sends a push again on another connection, with the same apns-id, because its own connection
// does not even answer a PING. The first answer counts. Called with mu held.
func (p *pool) hedge(c *connection, l *leg) {
	c.suspect = true
	r := l.r
	if !r.hedge || r.settled || r.waiting || r.spent() || r.legs == len(r.streams) || r.enoughSent() {
		return
	}
	for i := range r.legs {
		if !r.streams[i].c.suspect {
			return // sent again already
		}
	}
	p.count.hedged.Add(1)
	p.assign(r, c)
}

// keepIdleAlive sends a PING on an idle connection, so that no firewall on the way forgets it, and
// closes one that is used only by pushes that cut connections.
// Called with mu held.
func (p *pool) keepIdleAlive(c *connection, now time.Time) {
	if c.apart && len(c.legs) == 0 {
		p.closeConnectionLocked(c, errLost)
		return
	}
	if len(c.legs) == 0 && now.Sub(c.lastRead) >= p.limits.keepAlive/2 {
		c.ping(now)
	}
}
