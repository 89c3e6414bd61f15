package bus

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"carillon/tenants"
)

// The subjects. They name no tenant: hints carry ids, a node has another id at each start, and the
// name of a pipe is made up.
const (
	hintsSubject = "carillon.hints"
	askSubject   = "carillon.ask."
	pipeSubject  = "carillon.pipe."
)

const (
	// tellMost bounds the hints about rings that wait to be sent. What does not fit is found in the
	// database. Revocations are not: there is one for each tenant at most, and all of them fit.
	tellMost = 20_000
	// batchMost is how many hints one message carries.
	batchMost = 1000
	// mergeFor is how long hints about rings wait for others: each message costs every node, and a
	// ring has several facts in a row. Revocations do not wait.
	mergeFor = 10 * time.Millisecond
	// soonFor is how long those wait that nobody acts on. Most hints are of this kind, and a node
	// that is woken for each of them works more for the others' rings than for its own.
	soonFor = 100 * time.Millisecond
	// hintSize is the size of a hint in a message: the ids of tenant and ring; zeroes = no ring.
	hintSize = 32
)

// SharedConfig is what a Shared needs.
type SharedConfig struct {
	Servers []string    // nats:// or tls://
	TLS     *tls.Config // for servers that want TLS
	Secure  bool        // refuse servers without TLS
	Creds   string      // file with a user's credentials; empty = none, or in the address
	// Within is how long one try to connect may take; 0 = 2 seconds.
	Within time.Duration
	Node   tenants.NodeID
	Name   string // in NATS' list of connections
	// Revoked is called for a tenant of which another node said that somebody may no longer act,
	// before the listeners get the hint. It must not block; nil = nobody.
	Revoked func(tenants.TenantID)
	Log     *slog.Logger
}

// Shared is the Bus of several nodes: a Local, and NATS between the nodes. While NATS is away hints
// reach the listeners of this node only; the caller finds in the database what others have done,
// and gives it to Hear.
type Shared struct {
	*Local
	conn    *nats.Conn
	node    tenants.NodeID
	revoked func(tenants.TenantID)
	log     *slog.Logger

	mu      sync.Mutex // guards pending and waits
	pending map[topic]struct{}
	waits   bool          // a token is in soon, or was, since pending was last taken
	soon    chan struct{} // holds one token once pending is to be sent within soonFor
	wake    chan struct{} // holds one token once it is to be sent within mergeFor
	urgent  chan struct{} // holds one token once it is to be sent at once
	stop    chan struct{}
	ended   sync.WaitGroup

	answer  atomic.Pointer[Answerer]
	asked   chan struct{} // one token for each request that is being answered
	counts  Counts
	lostAt  atomic.Int64 // when the connection was lost, in Unix nanoseconds; 0 = it is there
	passing atomic.Int64 // first ends of pipes that are open
	holding atomic.Int64 // second ends
	closing atomic.Bool  // set with mu held
}

// Counts are what a Shared has done. Each field may be read while it grows.
type Counts struct {
	Sent, Heard, Dropped atomic.Int64 // hints to other nodes, from them, and those that found no room
	Asked, Answered      atomic.Int64 // requests to other nodes, and from them

	PipeSent, PipeHeard atomic.Int64 // bytes of connections to other nodes, and from them
	PipesCut            atomic.Int64 // pipes that ended because a message was lost

	PassingFull, HoldingFull atomic.Int64 // first and second ends of pipes that found no room
}

// Share connects to NATS. A server that is away is no error: the connection is tried again until
// Close.
func Share(c SharedConfig) (*Shared, error) {
	if c.Node == "" || c.Log == nil || len(c.Servers) == 0 {
		return nil, errors.New("bus: Node, Log and Servers are required")
	}
	b := &Shared{Local: New(), node: c.Node, revoked: c.Revoked, log: c.Log, pending: map[topic]struct{}{},
		soon: make(chan struct{}, 1), wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), stop: make(chan struct{}),
		asked: make(chan struct{}, askedMost)}
	b.lostAt.Store(time.Now().UnixNano())
	options := append(c.options(),
		nats.NoEcho(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.IgnoreAuthErrorAbort(), // a password that was changed may be changed back
		nats.ReconnectBufSize(-1),   // a hint that is late is worth nothing
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(b.connected), nats.ReconnectHandler(b.connected), nats.DisconnectErrHandler(b.disconnected),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Warn("NATS", "err", err) }),
	)
	var err error
	if b.conn, err = nats.Connect(strings.Join(c.Servers, ","), options...); err != nil {
		return nil, err
	}
	if _, err = b.conn.Subscribe(hintsSubject, b.hear); err == nil {
		_, err = b.conn.Subscribe(askSubject+string(c.Node), b.ask)
	}
	if err != nil {
		b.conn.Close()
		return nil, err
	}
	b.ended.Go(b.send)
	b.ended.Go(func() { b.explain(c) })
	return b, nil
}

func (b *Shared) connected(c *nats.Conn) {
	if b.lostAt.Swap(0) != 0 {
		b.log.Info("connected to NATS", "server", c.ConnectedUrlRedacted())
	}
	b.Local.WakeAll() // what was told meanwhile
	token(b.urgent)   // and the revocations that could not be sent
}

func (b *Shared) disconnected(_ *nats.Conn, err error) {
	if b.closing.Load() {
		return
	}
	b.lostAt.CompareAndSwap(0, time.Now().UnixNano())
	b.log.Error("NATS is away: pages follow the database until it is back, and requests about calls of other nodes are refused", "err", err)
}

// Away is since when NATS is away; zero = it is there.
func (b *Shared) Away() time.Time {
	if at := b.lostAt.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Counts are what was done until now.
func (b *Shared) Counts() *Counts { return &b.counts }

// Tell gives the hint to the listeners of this node, and sends it to the other nodes. Hints that
// wait to be sent are merged.
func (b *Shared) Tell(t tenants.TenantID, r tenants.RingID) {
	b.Local.Tell(t, r)
	b.mu.Lock()
	b.add(topic{t, r})
	b.mu.Unlock()
	if r == "" {
		token(b.urgent)
	} else {
		token(b.wake)
	}
}

// TellSoon is Tell for what may wait for soonFor.
func (b *Shared) TellSoon(t tenants.TenantID, r tenants.RingID) {
	b.Local.Tell(t, r)
	b.mu.Lock()
	b.add(topic{t, r})
	first := !b.waits
	b.waits = true
	b.mu.Unlock()
	if first {
		token(b.soon)
	}
}

// add has a hint wait to be sent. Called with mu held.
func (b *Shared) add(p topic) {
	if p.ring == "" || len(b.pending) < tellMost {
		b.pending[p] = struct{}{}
	} else {
		b.counts.Dropped.Add(1)
	}
}

// token puts a token into a channel that holds one.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Hear gives a hint to the listeners of this node only.
func (b *Shared) Hear(t tenants.TenantID, r tenants.RingID) { b.Local.Tell(t, r) }

// send sends what waits until Close, and then what still does.
func (b *Shared) send() {
	timer := time.NewTimer(soonFor)
	defer timer.Stop()
	var due time.Time // when pending is sent; zero = nothing waits for it
	within := func(d time.Duration) {
		if at := time.Now().Add(d); due.IsZero() || at.Before(due) {
			due = at
			timer.Reset(d)
		}
	}
	for more := true; more; {
		select {
		case <-b.soon:
			within(soonFor)
			continue
		case <-b.wake:
			within(mergeFor)
			continue
		case <-timer.C:
		case <-b.urgent:
		case <-b.stop:
			more = false
		}
		due = time.Time{}
		b.publish()
	}
}

// publish sends what waits now.
func (b *Shared) publish() {
	for _, message := range b.take() {
		if err := b.conn.Publish(hintsSubject, message); err != nil {
			b.counts.Dropped.Add(int64(len(message)/hintSize - b.keep(message)))
			continue
		}
		b.counts.Sent.Add(int64(len(message) / hintSize))
	}
}

// keep has the revocations of a message that could not be sent wait for the next one, and gives
// their number.
func (b *Shared) keep(message []byte) (kept int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; len(message) >= hintSize; message = message[hintSize:] {
		if readID[tenants.RingID](message[16:hintSize]) == "" {
			b.pending[topic{readID[tenants.TenantID](message[:16]), ""}] = struct{}{}
			kept++
		}
	}
	return kept
}

// take takes the hints that wait, as messages.
func (b *Shared) take() (messages [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var message []byte
	for p := range b.pending {
		message = appendHint(message, p)
		if len(message) >= batchMost*hintSize {
			messages, message = append(messages, message), nil
		}
	}
	clear(b.pending)
	b.waits = false
	if len(message) > 0 {
		messages = append(messages, message)
	}
	return messages
}

func appendHint(b []byte, p topic) []byte {
	return appendID(appendID(b, string(p.tenant)), string(p.ring))
}

// appendID appends the 16 bytes of a UUID; zeroes for none.
func appendID(b []byte, id string) []byte {
	var raw [16]byte
	_, _ = hex.Decode(raw[:], []byte(strings.ReplaceAll(id, "-", "")))
	return append(b, raw[:]...)
}

func readID[T ~string](b []byte) T {
	if [16]byte(b) == ([16]byte{}) {
		return ""
	}
	s := hex.EncodeToString(b)
	return T(s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:])
}

// hear takes hints of another node. It reads only whole hints: a later version may send more.
func (b *Shared) hear(m *nats.Msg) {
	for rest := m.Data; len(rest) >= hintSize; rest = rest[hintSize:] {
		t, r := readID[tenants.TenantID](rest[:16]), readID[tenants.RingID](rest[16:hintSize])
		b.counts.Heard.Add(1)
		if r == "" && b.revoked != nil {
			b.revoked(t)
		}
		b.Local.Tell(t, r)
	}
}

// EndListeners ends every Listener of this node, now and later. Hints still go to the other nodes.
func (b *Shared) EndListeners() { _ = b.Local.Close() } // it has no errors

// Close ends every Listener and the connection. Requests of other nodes that are being answered
// have a second to end.
func (b *Shared) Close() error {
	b.mu.Lock()
	was := b.closing.Swap(true)
	b.mu.Unlock()
	if was {
		return nil
	}
	close(b.stop)
	b.ended.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for range cap(b.asked) {
		select {
		case b.asked <- struct{}{}:
			continue
		case <-ctx.Done():
		}
		break
	}
	if b.conn.IsConnected() {
		_ = b.conn.FlushWithContext(ctx) // the last hints; if they are lost they are found in the database
	}
	b.conn.Close()
	return b.Local.Close()
}
