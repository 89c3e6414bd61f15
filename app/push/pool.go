package push

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// How often a push moves to another connection at once before its caller waits with jitter.
const (
	maxLost    = 2
	maxRefused = 10
)

// redialAfter is the pause after a dial that failed.
const redialAfter = 100 * time.Millisecond

// pool holds the connections of one credential to one host.
type pool struct {
	host        *host
	certificate bool // the TLS client certificate identifies us
	authority   string
	config      *tls.Config
	limits      limits
	now         func() time.Time
	log         *slog.Logger
	group       *sync.WaitGroup // the sender's goroutines
	life        context.Context // ends when the sender closes
	count       *counters
	mint        *mint
	breaker     *breaker
	client      client

	mu      sync.Mutex // guards all below, and the pool's connections and requests
	conns   []*connection
	queue   []*request // waiting for a connection with room, oldest first
	apart   []*request // waiting for a connection of their own, oldest first
	tokens  suspects
	busy    int // requests not settled
	dialing int
	redial  time.Time // no dial before this, after a failed one
	pushed  time.Time // the last push
	closed  bool
	slowest time.Duration // of the recent answers
	proven  time.Time     // when the newest push that was answered was written

	refs     int // the sender's mu guards it, lastUsed and retired
	lastUsed time.Time
	retired  bool
}

// host is one of Apple's two hosts.
type host struct {
	env       Environment
	url       string // without a path
	authority string
	tcp       string // host:port
	tls       string // server name
}

// limits are the sizes and times of Config.
type limits struct {
	conns     int
	dial      time.Duration
	ping      time.Duration
	hedge     time.Duration
	silence   time.Duration
	answer    time.Duration
	keepAlive time.Duration
	idle      time.Duration
}

// counters are the numbers behind Stats.
type counters struct {
	dials, failedDials, resent, hedged, refused, goAways, lost, evicted atomic.Int64
	open                                                                atomic.Int64
}

// roundTrip sends a request and waits until it is answered, its time or ctx is over, or it failed
// too often.
func (p *pool) roundTrip(ctx context.Context, r *request) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		r.err = errClosed
		return
	}
	p.busy++
	p.pushed = p.now()
	p.assign(r, nil)
	p.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		p.mu.Lock()
		if !r.settled {
			r.err = ctx.Err()
			p.settle(r)
		}
		p.mu.Unlock()
		<-r.done
	}
}

func (p *pool) settle(r *request) {
	if !r.settled {
		p.busy--
		r.settle()
	}
}

// assign puts a request on a connection other than not, or in the queue. Called with mu held.
func (p *pool) assign(r *request, not *connection) {
	if c := p.pickConnection(len(r.body), not, r); c != nil && r.legs < len(r.streams) {
		c.start(r)
		return
	}
	if !r.waiting {
		r.waiting = true
		if p.needsOwn(r) {
			p.apart = append(p.apart, r)
		} else {
			p.queue = append(p.queue, r)
		}
	}
	p.dialIfNeeded()
}

// pickConnection finds a connection with room. It prefers one that is not primed and idle, so that
// no other push has to wait for the priming, then the oldest. A push that was lost is written only
// where the server has spoken. Called with mu held.
func (p *pool) pickConnection(size int, not *connection, r *request) *connection {
	var best *connection
	own := p.needsOwn(r)
	for _, c := range p.conns {
		if c == not || !c.hasRoom(size) || r.legs > 0 && r.isOn(c) || c.apart != own || own && len(c.legs) > 0 {
			continue
		}
		if !c.greeted && r.unanswered() > 0 {
			continue
		}
		if !c.primed && len(c.legs) == 0 {
			return c
		}
		if best == nil {
			best = c
		}
	}
	return best
}

// startQueued starts queued requests while connections have room. Called with mu held.
func (p *pool) startQueued() {
	p.queue = p.startFrom(p.queue, false)
	p.apart = p.startFrom(p.apart, true)
	if len(p.queue)+len(p.apart) > 0 {
		p.dialIfNeeded()
	}
}

// startFrom starts requests of a queue, in order, and returns those that still wait there. It moves
// those that belong into the other queue by now. Called with mu held.
func (p *pool) startFrom(queue []*request, own bool) []*request {
	kept := 0
	for i, r := range queue {
		if r.settled {
			continue
		}
		if r.legs == 0 && r.enoughSent() {
			r.err = ErrEnough
			p.settle(r)
			continue
		}
		if p.needsOwn(r) != own {
			if own {
				p.queue = append(p.queue, r)
			} else {
				p.apart = append(p.apart, r)
			}
			continue
		}
		c := p.pickConnection(len(r.body), nil, r)
		if c == nil {
			kept += copy(queue[kept:], queue[i:])
			break
		}
		c.start(r)
	}
	clear(queue[kept:])
	return queue[:kept]
}

// dialIfNeeded dials when pushes wait and no connection will have room soon. Called with mu held.
func (p *pool) dialIfNeeded() {
	if p.dialing > 0 || p.now().Before(p.redial) {
		return
	}
	usable, apart, blocked, priming := 0, 0, 0, false
	for _, c := range p.conns {
		switch {
		case !c.usable():
		case c.apart:
			apart++
		case c.blocked():
			blocked++
		default:
			usable++
			priming = priming || c.streamLimit() == 1 && !c.primed && p.now().Sub(c.lastPush) < p.limits.hedge
		}
	}
	switch {
	case len(p.queue) > 0 && blocked < p.limits.conns && (usable == 0 || !priming && usable < p.limits.conns):
		p.startDial(false)
	case len(p.apart) > 0 && apart < p.limits.conns:
		p.startDial(true)
	}
}

// keepSpare opens a second connection once the pool is in use, so that a lost one is replaced at
// once. Called with mu held.
func (p *pool) keepSpare() {
	usable := 0
	for _, c := range p.conns {
		if c.usable() && !c.apart {
			usable++
		}
	}
	if usable+p.dialing < min(2, p.limits.conns) && !p.now().Before(p.redial) {
		p.startDial(false)
	}
}

// startDial opens a connection in the background; apart is for one push at a time. Called with mu
// held.
func (p *pool) startDial(apart bool) {
	if p.closed || p.life.Err() != nil {
		return
	}
	p.dialing++
	p.group.Add(1)
	go p.dial(apart)
}

func (p *pool) dial(apart bool) {
	defer p.group.Done()
	p.count.dials.Add(1)
	nc, err := p.connect()
	if err != nil && p.life.Err() == nil {
		p.count.failedDials.Add(1)
		p.log.Warn("no connection to Apple", "environment", p.host.env, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing--
	if err == nil && p.closed {
		nc.NetConn().Close()
		return
	}
	if err != nil {
		p.redial = p.now().Add(redialAfter)
		p.failQueue(err)
		return
	}
	c := newConnection(p, nc)
	c.apart = apart
	p.conns = append(p.conns, c)
	p.count.open.Add(1)
	p.group.Add(2)
	go c.writeLoop()
	go c.readLoop()
	p.startQueued()
}

// failQueue fails the queued requests after a failed dial, unless a connection is left. Called with
// mu held.
func (p *pool) failQueue(err error) {
	for _, c := range p.conns {
		if c.usable() {
			return
		}
	}
	for _, queue := range []*[]*request{&p.queue, &p.apart} {
		for _, r := range *queue {
			if r.settled {
				continue
			}
			r.waiting = false
			if r.legs > 0 { // still waiting on a silent connection, which may answer
				continue
			}
			r.err = err
			p.settle(r)
		}
		clear(*queue)
		*queue = (*queue)[:0]
	}
}

func (p *pool) connect() (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(p.life, p.limits.dial)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.host.tcp)
	if err != nil {
		return nil, err
	}
	nc := tls.Client(raw, p.config)
	if err := nc.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	if nc.ConnectionState().NegotiatedProtocol != "h2" {
		raw.Close()
		return nil, errors.New("push: the host does not speak HTTP/2")
	}
	return nc, nil
}

// answered settles a request. Called with mu held.
func (p *pool) answered(c *connection, id uint32, l *leg) {
	delete(c.legs, id)
	if !c.primed && provesToken(l.status) {
		c.primed = true
		p.keepSpare()
	}
	r := l.r
	p.noteAnswer(l)
	r.removeStream(c, id)
	if r.settled {
		return
	}
	r.answered, r.via, r.status, r.id, r.answer = p.now(), c, l.status, l.apnsID, l.body
	p.settle(r)
}

// provesToken says that Apple accepted the provider token: it checks the token before the rest of
// the request, so these answers come only after that.
func provesToken(status int) bool {
	return status == 200 || status == 400 || status == 410 || status == 413
}

// streamFailed moves the push of a failed stream to another connection at once, with the same
// apns-id. Called with mu held.
func (p *pool) streamFailed(c *connection, id uint32, err error) {
	l := c.legs[id]
	if l == nil {
		return
	}
	delete(c.legs, id)
	r := l.r
	r.removeStream(c, id)
	over := false
	switch err {
	case errRefused, errGoAway: // not processed (RFC 9113, 8.7 and 6.8)
		p.count.refused.Add(1)
		r.refused++
		over = r.refused > maxRefused
	default:
		r.lost++
		if err == errLost {
			r.cuts++
		}
		over = r.lost > maxLost || r.spent()
	}
	if r.settled || r.legs > 0 || r.waiting { // it may still be answered on another stream
		return
	}
	switch {
	case over, !r.until.After(p.now()):
		r.err = err
		p.settle(r)
		return
	case r.enoughSent():
		r.err = ErrEnough
		p.settle(r)
		return
	}
	p.count.resent.Add(1)
	p.assign(r, c)
}

// goAwayReceived handles GOAWAY: streams after last were not processed and are sent again; the
// others are still answered. Called with mu held.
func (p *pool) goAwayReceived(c *connection, last uint32) {
	p.count.goAways.Add(1)
	c.leaving = true
	for id := range c.legs {
		if id > last {
			p.streamFailed(c, id, errGoAway)
		}
	}
	p.keepSpare()
}

// retire stops new pushes on a connection and closes it when it is empty.
func (p *pool) retire(c *connection) {
	p.mu.Lock()
	c.leaving = true
	empty := len(c.legs) == 0
	p.mu.Unlock()
	if empty {
		p.closeConnection(c, errLost)
	}
}

// retireAll retires every connection and opens no spare one until the next push.
func (p *pool) retireAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pushed = time.Time{}
	for _, c := range append([]*connection{}, p.conns...) {
		c.leaving = true
		if len(c.legs) == 0 {
			p.closeConnectionLocked(c, errLost)
		}
	}
}

// closeConnection closes a connection and moves its pushes to others.
func (p *pool) closeConnection(c *connection, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeConnectionLocked(c, err)
}

func (p *pool) closeConnectionLocked(c *connection, err error) {
	if c.closed {
		return
	}
	c.closed = true
	close(c.gone)
	c.nc.NetConn().Close()
	p.count.open.Add(-1)
	for i, other := range p.conns {
		if other == c {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			break
		}
	}
	if len(c.legs) > 0 {
		p.count.lost.Add(1)
	}
	if err == errLost && len(c.legs) == 1 && c.greeted {
		for _, l := range c.legs {
			l.r.cutAlone = l.r.cuts > 0 // a push that is first lost alone may have bad luck
		}
	}
	for id := range c.legs {
		p.streamFailed(c, id, err)
	}
	if len(p.queue)+len(p.apart) > 0 {
		p.startQueued()
	}
}

// closeAll closes every connection and fails the requests that are left with err.
func (p *pool) closeAll(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range append(p.queue, p.apart...) {
		if !r.settled {
			r.err = err
			p.settle(r)
		}
	}
	p.queue, p.apart = nil, nil
	for len(p.conns) > 0 {
		c := p.conns[0]
		for _, l := range c.legs {
			if !l.r.settled {
				l.r.err = err
				p.settle(l.r)
			}
		}
		p.closeConnectionLocked(c, err)
	}
}
