package push

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"runtime"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Sizes for what Apple sends; an answer is a line of JSON.
const (
	readBuffer = 16 << 10
	maxAnswer  = 16 << 10 // bytes of an answer's body that are kept
	maxStreams = 1000     // at most this many pushes on a connection, whatever Apple allows
)

var (
	errLost    = errors.New("push: the connection was lost")
	errGoAway  = errors.New("push: the server said GOAWAY")
	errRefused = errors.New("push: the server refused the stream")
	errReset   = errors.New("push: the server reset the stream")
	errSilent  = errors.New("push: the connection was silent for too long")
	errLate    = errors.New("push: no answer in time")
	errClosed  = errors.New("push: the sender is closed")
	errWindow  = errors.New("push: the server's flow control window is smaller than a push")
)

// leg is one request on one stream of a connection. A request that was sent again has more than
// one.
type leg struct {
	r       *request
	written time.Time
	pinged  bool // a PING was sent after it
	status  int
	apnsID  string
	body    []byte
}

// connection is one HTTP/2 connection to Apple. The pool's mu guards every field except those of
// the reader. It has a reader and a writer goroutine. Frames collect in out, so that pushes made at
// the same time leave in one write.
//
// It uses the framer of x/net and not its client, for two
// reasons: priming, hedging and Apple's changing stream limit need to know what is on each
// connection; and a goroutine and a timer for each push cost more than the push.
type connection struct {
	pool *pool
	nc   *tls.Conn

	// used by the reader only
	frames *http2.Framer
	dec    *hpack.Decoder
	cur    *leg // whose header block is being read; nil = of a cancelled stream
	last   bool // the stream ends with that block

	wake chan struct{}
	gone chan struct{}

	out, spare *bytes.Buffer
	write      *http2.Framer // writes into out
	enc        *hpack.Encoder
	block      bytes.Buffer // enc's output

	legs     map[uint32]*leg
	nextID   uint32
	allowed  uint32 // Apple's stream limit
	greeted  bool   // its SETTINGS arrived
	primed   bool   // an answer proved that Apple accepted the provider token
	atLimit  bool   // it refused a stream below its limit; cleared by the next answer
	leaving  bool   // no new pushes
	apart    bool   // for pushes that perhaps cut connections, one at a time
	suspect  bool   // silent: no new pushes until something is read
	closed   bool
	window   int64 // bytes we may send
	stream   int64 // bytes we may send on a new stream
	unread   uint32
	lastRead time.Time
	lastPush time.Time
	pingAt   time.Time // when the unanswered PING was sent; zero = none is out
}

func newConnection(p *pool, nc *tls.Conn) *connection {
	c := &connection{
		pool: p, nc: nc, wake: make(chan struct{}, 1), gone: make(chan struct{}),
		out: &bytes.Buffer{}, spare: &bytes.Buffer{}, legs: map[uint32]*leg{}, nextID: 1,
		allowed: 100, window: 65535, stream: 65535, lastRead: p.now(), lastPush: p.now(),
	}
	c.write = http2.NewFramer(outWriter{c}, nil)
	c.enc = hpack.NewEncoder(&c.block)
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if c.cur != nil {
			c.cur.readHeader(f)
		}
	})
	c.dec.SetMaxStringLength(maxAnswer)
	io.WriteString(c.out, http2.ClientPreface)
	c.write.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	c.wakeWriter()
	return c
}

type outWriter struct{ c *connection }

func (w outWriter) Write(p []byte) (int, error) { return w.c.out.Write(p) }

func (l *leg) readHeader(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		l.status = 0
		for _, d := range []byte(f.Value) {
			l.status = l.status*10 + int(d-'0')
		}
	case "apns-id":
		l.apnsID = f.Value
	}
}

// streamLimit is how many pushes may be on the connection now. Apple allows one until it has
// accepted a provider token on it, so one real push goes first on a new connection while the others
// wait ("Establishing a token-based connection to APNs").
func (c *connection) streamLimit() uint32 {
	if c.pool.certificate && c.greeted || c.primed {
		return min(c.allowed, maxStreams)
	}
	return min(c.allowed, 1)
}

// blocked says that the push that primes the connection is not answered for long. Others must not
// wait for it: perhaps that one is never answered.
func (c *connection) blocked() bool {
	return !c.primed && c.streamLimit() == 1 && len(c.legs) > 0 && c.pool.now().Sub(c.lastPush) >= c.pool.limits.answer/4
}

// usable says that new pushes may use this connection.
func (c *connection) usable() bool {
	return !c.closed && !c.leaving && !c.suspect && (c.pingAt.IsZero() || !c.pingOverdue())
}

// pingOverdue says that half of a PING's time is over. Pushes already sent still wait for it; new
// ones use another connection.
func (c *connection) pingOverdue() bool {
	return c.pool.now().Sub(c.pingAt) >= (c.pool.limits.hedge-c.pool.limits.ping)/2
}

func (c *connection) hasRoom(size int) bool {
	n := uint32(len(c.legs))
	return c.usable() && (!c.atLimit || n == 0) && n < c.streamLimit() && c.window >= int64(size)
}

// start sends a push. Called with mu held, after hasRoom.
func (c *connection) start(r *request) {
	id := c.nextID
	c.nextID += 2
	now := c.pool.now()
	c.lastPush = now
	c.legs[id] = &leg{r: r, written: now}
	r.addStream(c, id, now)
	c.window -= int64(len(r.body))
	c.encode(r)
	c.write.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: len(r.body) == 0,
	})
	if len(r.body) > 0 {
		c.write.WriteData(id, true, r.body)
	}
	if id > 1<<30 { // stream ids end at 1<<31 - 1
		c.leaving = true
	}
	c.wakeWriter()
}

// encode writes the request's header block. Path and apns-id differ each time, so they are kept out
// of HPACK's table, which saves sending the provider token again.
func (c *connection) encode(r *request) {
	c.block.Reset()
	for _, f := range [...]hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: c.pool.authority},
		{Name: ":path", Value: r.path, Sensitive: true},
		{Name: "authorization", Value: r.bearer},
		{Name: "apns-topic", Value: r.topic},
		{Name: "apns-push-type", Value: r.pushType},
		{Name: "apns-priority", Value: r.priority},
		{Name: "apns-expiration", Value: r.expiration},
		{Name: "apns-id", Value: r.apnsID, Sensitive: true},
	} {
		if f.Value != "" {
			c.enc.WriteField(f)
		}
	}
}

func (c *connection) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *connection) writeLoop() {
	defer c.pool.group.Done()
	for {
		select {
		case <-c.wake:
		case <-c.gone:
			return
		}
		runtime.Gosched() // a commit wakes many pushes: those that can run now share this write
		c.pool.mu.Lock()
		full := c.out
		c.out, c.spare = c.spare, full
		c.pool.mu.Unlock()
		if full.Len() == 0 {
			continue
		}
		if _, err := c.nc.Write(full.Bytes()); err != nil {
			c.pool.closeConnection(c, errLost)
			return
		}
		full.Reset()
	}
}

// ping sends a PING unless one is unanswered. Called with mu held.
func (c *connection) ping(now time.Time) {
	if c.pingAt.IsZero() {
		c.pingAt = now
		c.write.WritePing(false, [8]byte{'r', 'i', 'n', 'g'})
		c.wakeWriter()
	}
}

// cancelStream resets a stream whose answer is not needed. Called with mu held.
func (c *connection) cancelStream(id uint32) {
	if _, ok := c.legs[id]; ok {
		delete(c.legs, id)
		if !c.closed {
			c.write.WriteRSTStream(id, http2.ErrCodeCancel)
			c.wakeWriter()
		}
	}
}

func (c *connection) readLoop() {
	defer c.pool.group.Done()
	c.frames = http2.NewFramer(nil, bufio.NewReaderSize(c.nc, readBuffer))
	c.frames.SetReuseFrames()
	for {
		f, err := c.frames.ReadFrame()
		var stream http2.StreamError
		if err != nil && !errors.As(err, &stream) {
			c.pool.closeConnection(c, errLost)
			return
		}
		c.pool.mu.Lock()
		if c.closed {
			c.pool.mu.Unlock()
			return
		}
		c.lastRead, c.suspect = c.pool.now(), false
		if err != nil {
			c.pool.streamFailed(c, stream.StreamID, errReset)
		} else {
			err = c.handleFrame(f)
		}
		c.pool.startQueued()
		over := c.leaving && len(c.legs) == 0
		c.pool.mu.Unlock()
		if err != nil && !errors.As(err, &stream) || over {
			c.pool.closeConnection(c, errLost)
			return
		}
	}
}

// handleFrame handles one frame; an error ends the connection. Called with mu held.
func (c *connection) handleFrame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		c.cur, c.last = c.legs[f.StreamID], f.StreamEnded()
		return c.handleHeaderBlock(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return c.handleHeaderBlock(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.DataFrame:
		c.handleData(f)
	case *http2.RSTStreamFrame:
		c.handleReset(f)
	case *http2.SettingsFrame:
		return c.handleSettings(f)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		}
	case *http2.PingFrame:
		if f.IsAck() {
			c.pingAt = time.Time{}
		} else {
			c.write.WritePing(true, f.Data)
			c.wakeWriter()
		}
	case *http2.GoAwayFrame:
		c.pool.goAwayReceived(c, f.LastStreamID)
	}
	return nil
}

// handleHeaderBlock decodes a part of a header block. It also decodes those of cancelled streams,
// because the HPACK table belongs to the whole connection.
func (c *connection) handleHeaderBlock(id uint32, block []byte, ended bool) error {
	if _, err := c.dec.Write(block); err != nil {
		return err
	}
	if !ended {
		return nil
	}
	if err := c.dec.Close(); err != nil {
		return err
	}
	if l := c.cur; l != nil && l.status >= 200 {
		c.atLimit = false
		if c.last {
			c.pool.answered(c, id, l)
		}
	}
	return nil
}

func (c *connection) handleData(f *http2.DataFrame) {
	if c.unread += f.Length; c.unread > 16<<10 {
		c.write.WriteWindowUpdate(0, c.unread)
		c.wakeWriter()
		c.unread = 0
	}
	l := c.legs[f.StreamID]
	if l == nil || l.status == 0 {
		return
	}
	if l.body = append(l.body, f.Data()...); f.StreamEnded() {
		c.pool.answered(c, f.StreamID, l)
	} else if len(l.body) > maxAnswer {
		c.pool.answered(c, f.StreamID, l)
		c.write.WriteRSTStream(f.StreamID, http2.ErrCodeCancel)
		c.wakeWriter()
	}
}

func (c *connection) handleReset(f *http2.RSTStreamFrame) {
	err := errReset
	if f.ErrCode == http2.ErrCodeRefusedStream {
		c.atLimit, err = len(c.legs) > 1, errRefused
	}
	if l := c.legs[f.StreamID]; l != nil && l.status >= 200 { // answered, then reset: the answer counts (RFC 9113, 8.1)
		c.pool.answered(c, f.StreamID, l)
		return
	}
	c.pool.streamFailed(c, f.StreamID, err)
}

func (c *connection) handleSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if !c.greeted {
		c.allowed = maxStreams // not sent = no limit (RFC 9113, 6.5.2)
	}
	c.greeted, c.atLimit = true, false
	if v, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
		c.allowed = v
	}
	if v, ok := f.Value(http2.SettingHeaderTableSize); ok {
		c.enc.SetMaxDynamicTableSize(min(v, 4096))
	}
	if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
		if c.stream = int64(v); c.stream < maxPayload {
			return errWindow
		}
	}
	c.write.WriteSettingsAck()
	c.wakeWriter()
	return nil
}
