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

// How often a push is put on another connection at once before its caller waits with jitter.
const (
	maxLost    = 3
	maxRefused = 10
)

// redialAfter is the pause after a dial that failed.
const redialAfter = 100 * time.Millisecond

// pool is the connections of one credential to one host.
type pool struct {
	host        *host
	certificate bool // the connection itself says who we are
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
	queue   []*request // waiting for room, oldest first
	busy    int        // requests not settled
	dialing int
	redial  time.Time // after a failed dial: not before
	pushed  time.Time // the last push
	closed  bool

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

// counters counts what the transport did, for metrics.
type counters struct {
	dials, failedDials, resent, hedged, refused, goAways, lost, evicted atomic.Int64
	open                                                                atomic.Int64
}

// do sends a request and waits until it is answered, its time or ctx is over, or it failed too
// often.
func (p *pool) do(ctx context.Context, r *request) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		r.err = errClosed
		return
	}
	p.busy++
	p.pushed = p.now()
	p.place(r, nil)
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

// place puts a request on a connection other than not, or in the queue. Called with mu held.
func (p *pool) place(r *request, not *connection) {
	if c := p.pick(len(r.body), not, r); c != nil && r.legs < len(r.on) {
		c.start(r)
		return
	}
	if !r.waiting {
		r.waiting = true
		p.queue = append(p.queue, r)
	}
	p.grow()
}

// pick finds a connection with room: first one that is still to be primed, by a push that others do
// not wait behind, then the oldest. Called with mu held.
func (p *pool) pick(size int, not *connection, r *request) *connection {
	var best *connection
	for _, c := range p.conns {
		if c == not || !c.room(size) || r.legs > 0 && r.isOn(c) {
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

// pump starts what waits and has room now. Called with mu held.
func (p *pool) pump() {
	kept := 0
	for i, r := range p.queue {
		if r.settled {
			continue
		}
		if r.legs == 0 && r.moot() {
			r.err = ErrEnough
			p.settle(r)
			continue
		}
		c := p.pick(len(r.body), nil, r)
		if c == nil {
			kept += copy(p.queue[kept:], p.queue[i:])
			break
		}
		c.start(r)
	}
	clear(p.queue[kept:])
	p.queue = p.queue[:kept]
	if kept > 0 {
		p.grow()
	}
}

// grow dials when pushes wait and no connection will have room soon. Called with mu held.
func (p *pool) grow() {
	if p.dialing > 0 || p.now().Before(p.redial) {
		return
	}
	usable, priming := 0, false
	for _, c := range p.conns {
		if c.usable() {
			usable++
			priming = priming || c.limit() == 1 && !c.primed && p.now().Sub(c.lastPush) < p.limits.hedge
		}
	}
	if usable == 0 || !priming && usable < p.limits.conns {
		p.dialLater()
	}
}

// spare keeps a second connection at hand once the pool is in use. Called with mu held.
func (p *pool) spare() {
	usable := 0
	for _, c := range p.conns {
		if c.usable() {
			usable++
		}
	}
	if usable+p.dialing < min(2, p.limits.conns) && !p.now().Before(p.redial) {
		p.dialLater()
	}
}

// dialLater opens a connection in the background. Called with mu held.
func (p *pool) dialLater() {
	if p.closed || p.life.Err() != nil {
		return
	}
	p.dialing++
	p.group.Add(1)
	go p.dial()
}

func (p *pool) dial() {
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
		p.undialled(err)
		return
	}
	c := newConnection(p, nc)
	p.conns = append(p.conns, c)
	p.count.open.Add(1)
	p.group.Add(2)
	go c.writeLoop()
	go c.readLoop()
	p.pump()
}

// undialled fails what waits when there is nothing left to wait for. Called with mu held.
func (p *pool) undialled(err error) {
	for _, c := range p.conns {
		if c.usable() {
			return
		}
	}
	for _, r := range p.queue {
		if r.settled {
			continue
		}
		r.waiting = false
		if r.legs > 0 { // still outstanding on a silent connection, which may wake up
			continue
		}
		r.err = err
		p.settle(r)
	}
	clear(p.queue)
	p.queue = p.queue[:0]
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
	if !c.primed && primes(l.status) {
		c.primed = true
		p.spare()
	}
	r := l.r
	r.leave(c, id)
	if r.settled {
		return
	}
	r.answered, r.via, r.status, r.id, r.answer = p.now(), c, l.status, l.apnsID, l.body
	p.settle(r)
}

// primes: these answers are given only to an accepted provider token. Apple checks it before the
// rest of the request.
func primes(status int) bool {
	return status == 200 || status == 400 || status == 410 || status == 413
}

// failed takes one stream's failure: the push goes to another connection at once, and keeps its
// apns-id. Called with mu held.
func (p *pool) failed(c *connection, id uint32, err error) {
	l := c.legs[id]
	if l == nil {
		return
	}
	delete(c.legs, id)
	r := l.r
	r.leave(c, id)
	over := false
	switch err {
	case errRefused, errAway: // not processed (RFC 9113, 8.7 and 6.8)
		p.count.refused.Add(1)
		r.refused++
		over = r.refused > maxRefused
	default:
		r.lost++
		over = r.lost > maxLost
	}
	if r.settled || r.legs > 0 || r.waiting { // another leg may still answer
		return
	}
	switch {
	case over, !r.until.After(p.now()):
		r.err = err
		p.settle(r)
		return
	case r.moot():
		r.err = ErrEnough
		p.settle(r)
		return
	}
	p.count.resent.Add(1)
	p.place(r, c)
}

// goneAway: streams after last were not processed; those up to it are still answered. Called with
// mu held.
func (p *pool) goneAway(c *connection, last uint32) {
	p.count.goAways.Add(1)
	c.leaving = true
	for id := range c.legs {
		if id > last {
			p.failed(c, id, errAway)
		}
	}
	p.spare()
}

// retire lets a connection take no more pushes; it closes when it is empty.
func (p *pool) retire(c *connection) {
	p.mu.Lock()
	c.leaving = true
	empty := len(c.legs) == 0
	p.mu.Unlock()
	if empty {
		p.lose(c, errCut)
	}
}

// retireAll retires every connection, and keeps none at hand until the next push.
func (p *pool) retireAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pushed = time.Time{}
	for _, c := range append([]*connection{}, p.conns...) {
		c.leaving = true
		if len(c.legs) == 0 {
			p.loseLocked(c, errCut)
		}
	}
}

// lose closes a connection and sends its pushes elsewhere.
func (p *pool) lose(c *connection, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseLocked(c, err)
}

func (p *pool) loseLocked(c *connection, err error) {
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
	for id := range c.legs {
		p.failed(c, id, err)
	}
	if len(p.queue) > 0 {
		p.pump()
		p.grow()
	}
}

// shut closes every connection; requests that are left fail.
func (p *pool) shut(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.queue {
		if !r.settled {
			r.err = err
			p.settle(r)
		}
	}
	p.queue = nil
	for len(p.conns) > 0 {
		c := p.conns[0]
		for _, l := range c.legs {
			if !l.r.settled {
				l.r.err = err
				p.settle(l.r)
			}
		}
		p.loseLocked(c, err)
	}
}
