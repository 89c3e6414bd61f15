package push

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What we give the other side to send: answers are a line of JSON.
const (
	readBuffer = 16 << 10
	maxAnswer  = 16 << 10 // bytes of an answer's body that are kept
	maxStreams = 1000     // at most this many pushes on a connection, whatever Apple allows
)

var (
	errCut     = errors.New("push: the connection was lost")
	errAway    = errors.New("push: the server said GOAWAY")
	errRefused = errors.New("push: the server refused the stream")
	errReset   = errors.New("push: the server reset the stream")
	errSilent  = errors.New("push: the connection went silent")
	errLate    = errors.New("push: no answer in time")
	errClosed  = errors.New("push: the sender is closed")
	errWindow  = errors.New("push: the server's flow control window is smaller than a push")
)

// leg is one request on one connection; a request that was sent again has more than one.
type leg struct {
	r       *request
	written time.Time
	pinged  bool // a PING went out after it
	status  int
	apnsID  string
	body    []byte
}

// connection is one HTTP/2 connection to Apple. Its pool's mu guards every field but those of the
// reader. A reader and a writer goroutine belong to it; what callers want to send collects in out,
// so that pushes that are made at the same time leave in one write.
//
// It is written over the framer of x/net rather than on its client, because priming, hedging and
// Apple's moving stream limit need to know what is on each connection, and because a goroutine and
// a timer for each push cost more than the push.
type connection struct {
	pool *pool
	nc   *tls.Conn

	// the reader's
	frames *http2.Framer
	dec    *hpack.Decoder
	cur    *leg // whose header block is being read; nil = nobody's
	last   bool // nothing follows that block

	wake chan struct{}
	gone chan struct{}

	out, spare *bytes.Buffer
	write      *http2.Framer // into out
	enc        *hpack.Encoder
	block      bytes.Buffer // of enc

	legs     map[uint32]*leg
	nextID   uint32
	allowed  uint32 // Apple's stream limit
	greeted  bool   // its settings came
	primed   bool   // an answer showed that our provider token was accepted
	full     bool   // it refused a stream below its limit; cleared by the next answer
	leaving  bool   // no new pushes
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
			c.cur.take(f)
		}
	})
	c.dec.SetMaxStringLength(maxAnswer)
	io.WriteString(c.out, http2.ClientPreface)
	c.write.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	c.flush()
	return c
}

type outWriter struct{ c *connection }

func (w outWriter) Write(p []byte) (int, error) { return w.c.out.Write(p) }

func (l *leg) take(f hpack.HeaderField) {
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

// limit is how many pushes may be on the connection now. Apple takes one until a valid provider
// token was accepted, so a new connection is primed by one real push while the others wait
// ("Establishing a token-based connection to APNs").
func (c *connection) limit() uint32 {
	if c.pool.certificate && c.greeted || c.primed {
		return min(c.allowed, maxStreams)
	}
	return min(c.allowed, 1)
}

// usable: new pushes may go here.
func (c *connection) usable() bool {
	return !c.closed && !c.leaving && !c.suspect && (c.pingAt.IsZero() || !c.doubtful())
}

// doubtful: half of the time that a PING is given is over. Pushes on their way still wait for it;
// new ones go elsewhere.
func (c *connection) doubtful() bool {
	return c.pool.now().Sub(c.pingAt) >= (c.pool.limits.hedge-c.pool.limits.ping)/2
}

func (c *connection) room(size int) bool {
	n := uint32(len(c.legs))
	return c.usable() && (!c.full || n == 0) && n < c.limit() && c.window >= int64(size)
}

// start sends a push. Called with mu held and with room.
func (c *connection) start(r *request) {
	id := c.nextID
	c.nextID += 2
	now := c.pool.now()
	c.lastPush = now
	c.legs[id] = &leg{r: r, written: now}
	r.begin(c, id, now)
	c.window -= int64(len(r.body))
	c.encode(r)
	c.write.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: len(r.body) == 0,
	})
	if len(r.body) > 0 {
		c.write.WriteData(id, true, r.body)
	}
	if id > 1<<30 { // stream ids run out
		c.leaving = true
	}
	c.flush()
}

// encode writes the request's header block. Path and apns-id differ each time and stay out of the
// table that saves the provider token from being sent again.
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

func (c *connection) flush() {
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
		c.pool.mu.Lock()
		full := c.out
		c.out, c.spare = c.spare, full
		c.pool.mu.Unlock()
		if full.Len() == 0 {
			continue
		}
		if _, err := c.nc.Write(full.Bytes()); err != nil {
			c.pool.lose(c, errCut)
			return
		}
		full.Reset()
	}
}

// ping asks the other side for a sign of life, unless it was asked already. Called with mu held.
func (c *connection) ping(now time.Time) {
	if c.pingAt.IsZero() {
		c.pingAt = now
		c.write.WritePing(false, [8]byte{'r', 'i', 'n', 'g'})
		c.flush()
	}
}

// drop ends a stream that nobody waits for. Called with mu held.
func (c *connection) drop(id uint32) {
	if _, ok := c.legs[id]; ok {
		delete(c.legs, id)
		if !c.closed {
			c.write.WriteRSTStream(id, http2.ErrCodeCancel)
			c.flush()
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
			c.pool.lose(c, errCut)
			return
		}
		c.pool.mu.Lock()
		if c.closed {
			c.pool.mu.Unlock()
			return
		}
		c.lastRead, c.suspect = c.pool.now(), false
		if err != nil {
			c.pool.failed(c, stream.StreamID, errReset)
		} else {
			err = c.frame(f)
		}
		c.pool.pump()
		over := c.leaving && len(c.legs) == 0
		c.pool.mu.Unlock()
		if err != nil && !errors.As(err, &stream) || over {
			c.pool.lose(c, errCut)
			return
		}
	}
}

// frame takes one frame; an error ends the connection. Called with mu held.
func (c *connection) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		c.cur, c.last = c.legs[f.StreamID], f.StreamEnded()
		return c.fragment(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return c.fragment(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.DataFrame:
		c.data(f)
	case *http2.RSTStreamFrame:
		c.resetBy(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		}
	case *http2.PingFrame:
		if f.IsAck() {
			c.pingAt = time.Time{}
		} else {
			c.write.WritePing(true, f.Data)
			c.flush()
		}
	case *http2.GoAwayFrame:
		c.pool.goneAway(c, f.LastStreamID)
	}
	return nil
}

// fragment decodes a part of a header block; the table is the connection's, so those of given-up
// streams too.
func (c *connection) fragment(id uint32, block []byte, ended bool) error {
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
		c.full = false
		if c.last {
			c.pool.answered(c, id, l)
		}
	}
	return nil
}

func (c *connection) data(f *http2.DataFrame) {
	if c.unread += f.Length; c.unread > 16<<10 {
		c.write.WriteWindowUpdate(0, c.unread)
		c.flush()
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
		c.flush()
	}
}

func (c *connection) resetBy(f *http2.RSTStreamFrame) {
	err := errReset
	if f.ErrCode == http2.ErrCodeRefusedStream {
		c.full, err = len(c.legs) > 1, errRefused
	}
	if l := c.legs[f.StreamID]; l != nil && l.status >= 200 { // answered, then reset: the answer counts (RFC 9113, 8.1)
		c.pool.answered(c, f.StreamID, l)
		return
	}
	c.pool.failed(c, f.StreamID, err)
}

func (c *connection) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if !c.greeted {
		c.allowed = maxStreams // none named = no limit (RFC 9113, 6.5.2)
	}
	c.greeted, c.full = true, false
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
	c.flush()
	return nil
}
