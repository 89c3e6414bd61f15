package web

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// ListenerConfig bounds the connections of one listener. The zero value works.
type ListenerConfig struct {
	Total          int            // connections at once; 0 = 16,384
	TrustedProxies []netip.Prefix // their connections carry many clients: only Total bounds them
	Silent         bool           // refused connections are closed without an HTTP answer: it speaks something else
	Counts         *Counts        // nil = nobody reads it
	Log            *slog.Logger   // nil = none
	Now            func() time.Time
}

// Listener accepts connections within bounds. It never gives up while it is open: when the process
// has no more descriptors it closes idle connections and tries again. One network (an address, or
// an IPv6 /64) can have a quarter of the connections; half of all may be idle. At a bound, idle
// connections are closed to make room, the longest idle first; without one, the new connection is
// answered 429 or 503 and closed.
type Listener struct {
	net.Listener
	ListenerConfig
	closed   chan struct{}
	closing  sync.Once
	goodbyes sync.WaitGroup // refused connections whose clients may still send
	answers  chan struct{}  // a slot for each of those
	strained atomic.Int64   // when it last refused or failed for want of room, in Unix nanoseconds
	said     atomic.Int64   // when that was last logged

	mu       sync.Mutex // guards all below, and the place of each conn
	open     map[*conn]struct{}
	idle     *list.List // of *conn; the longest idle first
	networks map[string]*network
}

// network is one network's share of a listener.
type network struct {
	open int
	idle *list.List // of *conn; the longest idle first
}

// place is where a conn is in the lists of its listener.
type place struct {
	network string
	idle    *list.Element // nil = a request is under way
	here    *list.Element // likewise, in the list of its network
}

const (
	refusedAtOnce = 64               // refused connections whose clients may still send
	acceptPause   = time.Second / 50 // after an accept that failed, doubled up to acceptMost
	acceptMost    = time.Second
	evictions     = 8                // idle connections closed when descriptors run out
	strainFor     = 10 * time.Second // how long Ready remembers
	logEvery      = time.Minute
	// silentMost is how long a client may confirm nothing that was sent to it. With a heartbeat of
	// a stream before it, that is within a minute.
	silentMost = 45 * time.Second
)

// NewListener bounds the connections of ln.
func NewListener(ln net.Listener, c ListenerConfig) *Listener {
	if c.Total <= 0 {
		c.Total = connections
	}
	if c.Counts == nil {
		c.Counts = new(Counts)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Listener{
		Listener: ln, ListenerConfig: c, closed: make(chan struct{}), answers: make(chan struct{}, min(refusedAtOnce, max(1, c.Total/8))),
		open: map[*conn]struct{}{}, idle: list.New(), networks: map[string]*network{},
	}
}

// perNetwork is how many connections one network may have.
func (l *Listener) perNetwork() int { return max(1, l.Total/4) }

// Accept implements net.Listener. It returns an error only when the listener is closed or is no
// listener any more.
func (l *Listener) Accept() (net.Conn, error) {
	pause := acceptPause
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			pause = acceptPause
			if k := l.admit(c); k != nil {
				return k, nil
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) {
			return nil, err
		}
		l.Counts.AcceptsFailed.Add(1)
		l.strain("connections cannot be accepted; idle ones are closed: raise the limit of open files", err)
		l.evict(evictions)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return nil, net.ErrClosed
		}
		pause = min(2*pause, acceptMost)
	}
}

// admit takes a connection, or refuses and closes it.
func (l *Listener) admit(c net.Conn) net.Conn {
	k := &conn{Conn: c, listener: l}
	who, at := l.networkOf(c)
	l.mu.Lock()
	n := l.networks[who]
	if n == nil {
		n = &network{idle: list.New()}
		l.networks[who] = n
	}
	k.place.network = who
	old, refused := l.makeRoom(n, l.exempt(at))
	if refused == 0 {
		l.networks[who] = n // making room may have closed its only connection, and forgotten it
		l.open[k] = struct{}{}
		n.open++
		l.rest(k, n)
		if l.idle.Len() > max(1, l.Total/2) {
			old = append(old, l.drop(l.idle.Front()))
		}
	} else if n.open == 0 {
		delete(l.networks, who)
	}
	l.mu.Unlock()
	l.closeIdle(old)
	switch refused {
	case 429:
		l.Counts.RefusedNetwork.Add(1)
		l.refuse(k, 429, fmt.Sprintf("Your network address has %d connections open, which is the most at once. "+
			"Close some of them and try again.", l.perNetwork()))
		return nil
	case 503:
		l.Counts.RefusedFull.Add(1)
		l.strain("connections are refused: all are in use", nil)
		l.refuse(k, 503, "This server has as many connections as it serves at once. Try again in a moment.")
		return nil
	}
	boundSilence(c)
	return k
}

// makeRoom takes idle connections out of the lists until one more fits, or gives the status to
// refuse it with. Called with mu held.
func (l *Listener) makeRoom(n *network, exempt bool) (old []*conn, refused int) {
	if !exempt && n.open >= l.perNetwork() {
		first := n.idle.Front()
		if first == nil {
			return nil, 429
		}
		return append(old, l.drop(first)), 0
	}
	if len(l.open) >= l.Total {
		first := l.idle.Front()
		if first == nil {
			return nil, 503
		}
		old = append(old, l.drop(first))
	}
	return old, 0
}

// rest notes that a connection is idle. Called with mu held.
func (l *Listener) rest(k *conn, n *network) {
	if k.place.idle == nil {
		k.place.idle, k.place.here = l.idle.PushBack(k), n.idle.PushBack(k)
		k.idle.Store(true)
	}
}

// wake notes that a connection is no longer idle. Called with mu held.
func (l *Listener) wake(k *conn) {
	if n := l.networks[k.place.network]; n != nil && k.place.idle != nil {
		l.idle.Remove(k.place.idle)
		n.idle.Remove(k.place.here)
		k.place.idle, k.place.here = nil, nil
		k.idle.Store(false)
	}
}

// forget takes a connection out of all lists. Called with mu held.
func (l *Listener) forget(k *conn) {
	if _, ok := l.open[k]; !ok {
		return
	}
	l.wake(k)
	delete(l.open, k)
	n := l.networks[k.place.network]
	if n.open--; n.open == 0 {
		delete(l.networks, k.place.network)
	}
}

// drop is the connection of an element of a list of idle ones; it is in no list after that. Called
// with mu held.
func (l *Listener) drop(e *list.Element) *conn {
	k := e.Value.(*conn)
	l.forget(k)
	return k
}

// evict closes up to most idle connections.
func (l *Listener) evict(most int) {
	var old []*conn
	l.mu.Lock()
	for range most {
		if first := l.idle.Front(); first != nil {
			old = append(old, l.drop(first))
		}
	}
	l.mu.Unlock()
	l.closeIdle(old)
}

func (l *Listener) closeIdle(old []*conn) {
	for _, k := range old {
		l.Counts.IdleClosed.Add(1)
		_ = k.Conn.Close() // its reader gets the error and ends
	}
}

// state notes which connections of an HTTP server are idle; those of another protocol are idle
// only until their first byte.
func (l *Listener) state(c net.Conn, s fasthttp.ConnState) {
	k, ok := c.(*conn)
	if !ok || s != fasthttp.StateIdle {
		return
	}
	var old []*conn
	l.mu.Lock()
	if _, open := l.open[k]; open {
		l.rest(k, l.networks[k.place.network])
		if l.idle.Len() > max(1, l.Total/2) {
			old = append(old, l.drop(l.idle.Front()))
		}
	}
	l.mu.Unlock()
	l.closeIdle(old)
}

// refuse answers and closes a connection that was not admitted. The answer fits into the buffer of
// a new connection, so writing it does not wait. When many are being refused, the connection is
// closed without waiting for what the client still sends.
func (l *Listener) refuse(k *conn, status int, detail string) {
	if l.Silent || !writeRefusal(k, status, detail) || !l.answering() {
		_ = k.Conn.Close()
		return
	}
	go func() {
		defer l.goodbyes.Done()
		defer func() { <-l.answers }()
		k.linger()
		_ = k.Conn.Close()
	}()
}

// answering takes a slot for a connection that was answered. It is false when none is free or the
// listener is closed.
func (l *Listener) answering() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return false
	default:
	}
	select {
	case l.answers <- struct{}{}:
		l.goodbyes.Add(1)
		return true
	default:
		return false
	}
}

func writeRefusal(k *conn, status int, detail string) bool {
	title := fasthttp.StatusMessage(status)
	body := fmt.Sprintf(`{"type":"%stoo_many_connections","title":%q,"status":%d,"detail":%q}`, problemType, title, status, detail)
	_, err := fmt.Fprintf(k, "HTTP/1.1 %d %s\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: application/problem+json\r\n"+
		"Content-Length: %d\r\n\r\n%s", status, title, len(body), body)
	return err == nil
}

// strain notes that there was no room, and logs it once a minute.
func (l *Listener) strain(text string, err error) {
	now := l.Now().UnixNano()
	l.strained.Store(now)
	last := l.said.Load()
	if (last == 0 || now-last > int64(logEvery)) && l.said.CompareAndSwap(last, now) {
		l.Log.Error(text, "listener", l.Addr().String(), "most", l.Total, "err", err)
	}
}

// Ready returns an error if the listener had no room for a connection in the last ten seconds.
func (l *Listener) Ready() error {
	if last := l.strained.Load(); last != 0 && l.Now().Sub(time.Unix(0, last)) < strainFor {
		return errors.New("connections were refused or could not be accepted in the last seconds")
	}
	return nil
}

// Len is how many connections are open.
func (l *Listener) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func (l *Listener) networkOf(c net.Conn) (string, netip.Addr) {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return strings.Clone(c.RemoteAddr().String()), netip.Addr{}
	}
	return Network(at.Addr().String()), at.Addr().Unmap()
}

func (l *Listener) exempt(a netip.Addr) bool {
	for _, p := range l.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Close implements net.Listener. Open connections stay open.
func (l *Listener) Close() error {
	l.closing.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(l.closed)
	})
	err := l.Listener.Close()
	l.goodbyes.Wait()
	return err
}

func (l *Listener) closeAll() {
	l.mu.Lock()
	left := make([]*conn, 0, len(l.open))
	for c := range l.open {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Conn.Close() // a pending read or write gets the error
	}
}

// conn is a connection whose every write has a deadline.
type conn struct {
	net.Conn
	listener *Listener
	place    place
	idle     atomic.Bool // it is in the lists of idle ones
	unread   atomic.Bool // the client was refused while it was still sending
}

// How long and how much a refused client may still send before its connection is closed.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

// linger lets a client that was refused while sending finish. Closing at once would reset the
// connection, and the reset could arrive before the answer (RFC 9112, 9.6).
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // the connection is closed next in any case
}

// Read implements net.Conn. The first byte ends idleness.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.idle.Load() {
		c.listener.mu.Lock()
		c.listener.wake(c)
		c.listener.mu.Unlock()
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.unread.CompareAndSwap(true, false) {
		c.linger()
	}
	c.listener.mu.Lock()
	c.listener.forget(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
