package apnstest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn is one client's connection. A reader goroutine owns what stands above mu; a writer goroutine
// sends what others put in out, so that many answers leave in one write.
type conn struct {
	apple  *Apple
	host   *host
	nc     *tls.Conn
	number int64

	read       *http2.Framer
	dec        *hpack.Decoder
	cur        *stream // whose header block is being read
	reading    map[uint32]*stream
	last       uint32 // highest stream seen
	taken      uint32 // bytes read since the last WINDOW_UPDATE
	token      *providerToken
	tokenAge   int64
	admitted   string // text of the token that passed every check
	team, kid  string // of the first accepted token
	wedged     time.Time
	client     *client
	clientEnds time.Time
	bad        map[string]bool // device tokens answered BadDeviceToken here

	quiet  atomic.Pointer[chan struct{}] // set while the connection is a black hole
	abrupt atomic.Bool
	done   chan struct{} // closed by cut
	once   sync.Once
	wake   chan struct{}

	mu      sync.Mutex // guards all below
	out     *bytes.Buffer
	spare   *bytes.Buffer
	write   *http2.Framer // into out
	enc     *hpack.Encoder
	block   bytes.Buffer // of enc
	open    map[uint32]*time.Timer
	limit   uint32   // streams we enforce
	sent    []uint32 // limits not acknowledged yet
	told    uint32   // the newest limit sent
	top     uint32   // the newest stream admitted
	leaving bool
	leftAt  uint32 // the last stream we promised to answer
}

func newConn(a *Apple, h *host, nc *tls.Conn) *conn {
	c := &conn{
		apple: a, host: h, nc: nc, number: a.serial.Add(1),
		reading: map[uint32]*stream{}, bad: map[string]bool{}, open: map[uint32]*time.Timer{},
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		out: &bytes.Buffer{}, spare: &bytes.Buffer{},
	}
	c.enc = hpack.NewEncoder(&c.block)
	c.write = http2.NewFramer(writerFunc(func(p []byte) (int, error) { return c.out.Write(p) }), nil)
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.cur.take(f) })
	return c
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// cut closes the connection at once, losing what was not written.
func (c *conn) cut() {
	c.once.Do(func() {
		close(c.done)
		c.nc.NetConn().Close()
		c.mu.Lock()
		c.forgetOpen()
		c.mu.Unlock()
	})
}

func (c *conn) serve() {
	defer c.apple.group.Done()
	defer c.host.forget(c)
	defer c.cut()
	if c.apple.faults.swallows() {
		c.hush(true)
	}
	c.wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	err := c.nc.HandshakeContext(ctx)
	cancel()
	if err != nil || c.nc.ConnectionState().NegotiatedProtocol != "h2" {
		return
	}
	if peers := c.nc.ConnectionState().PeerCertificates; len(peers) > 0 {
		c.client, c.clientEnds = c.apple.ca.client(peers[0]), peers[0].NotAfter
	}
	c.apple.group.Add(1)
	go c.writeLoop()
	c.greet()
	c.readLoop()
}

// greet sends our settings: one stream until a valid provider token was accepted; a certificate was
// checked already.
func (c *conn) greet() {
	c.mu.Lock()
	c.limit, c.told = 1, 1
	if c.client != nil {
		c.limit, c.told = c.apple.cfg.MaxStreams, c.apple.cfg.MaxStreams
	}
	c.sent = append(c.sent, c.told)
	c.write.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.told})
	if more := c.apple.cfg.Window - 65535; more > 0 {
		c.write.WriteWindowUpdate(0, more)
	}
	c.mu.Unlock()
	c.flush()
}

func (c *conn) flush() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) writeLoop() {
	defer c.apple.group.Done()
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.wait()
		c.mu.Lock()
		full := c.out
		c.out, c.spare = c.spare, full
		over := c.leaving && len(c.open) == 0
		c.mu.Unlock()
		if full.Len() > 0 {
			if _, err := c.nc.Write(full.Bytes()); err != nil {
				c.cut()
				return
			}
			full.Reset()
		}
		if over {
			c.linger()
			return
		}
	}
}

// linger ends our half and gives the client a second to read GOAWAY and the last answers and to
// close: closing at once could reset what it has not read. An abrupt end has no such manners.
func (c *conn) linger() {
	if c.abrupt.Load() || c.nc.CloseWrite() != nil {
		c.cut()
		return
	}
	c.nc.NetConn().SetReadDeadline(time.Now().Add(time.Second)) // the reader cuts then
}

// hush makes the connection a black hole, or ends that.
func (c *conn) hush(on bool) {
	if on {
		gate := make(chan struct{})
		c.quiet.CompareAndSwap(nil, &gate)
		return
	}
	if gate := c.quiet.Swap(nil); gate != nil {
		close(*gate)
	}
}

// wait blocks while the connection is a black hole.
func (c *conn) wait() {
	if gate := c.quiet.Load(); gate != nil {
		select {
		case <-*gate:
		case <-c.done:
		}
	}
}

func (c *conn) readLoop() {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.nc, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	c.read = http2.NewFramer(nil, bufio.NewReaderSize(c.nc, 32<<10))
	c.read.SetReuseFrames()
	for {
		f, err := c.read.ReadFrame()
		c.wait()
		if err == nil {
			err = c.frame(f)
		}
		var stream http2.StreamError
		switch {
		case err == nil:
		case errors.As(err, &stream):
			c.reset(stream.StreamID, stream.Code)
		default:
			var broken http2.ConnectionError
			if errors.As(err, &broken) {
				c.apple.violate(c, "broken HTTP/2", err.Error())
			}
			return
		}
	}
}

func (c *conn) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.headers(f)
	case *http2.ContinuationFrame:
		return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.DataFrame:
		return c.data(f)
	case *http2.SettingsFrame:
		c.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.mu.Lock()
			c.write.WritePing(true, f.Data)
			c.mu.Unlock()
			c.flush()
		}
	case *http2.RSTStreamFrame:
		c.drop(f.StreamID)
	case *http2.GoAwayFrame:
		c.leave(false)
	}
	return nil
}

func (c *conn) headers(f *http2.HeadersFrame) error {
	if f.StreamID%2 == 0 || f.StreamID <= c.last {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.last = f.StreamID
	c.cur = newStream(f.StreamID, f.StreamEnded())
	return c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// fragment decodes a part of a header block. Even a refused stream is decoded: the table is the
// connection's.
func (c *conn) fragment(block []byte, ended bool) error {
	if _, err := c.dec.Write(block); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !ended {
		return nil
	}
	if err := c.dec.Close(); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	s := c.cur
	if !c.admitStream(s.id) {
		return nil
	}
	if s.ended {
		c.handle(s)
		return nil
	}
	c.reading[s.id] = s
	return nil
}

// admitStream counts a new stream against the limit.
func (c *conn) admitStream(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving && id > c.leftAt {
		return false // after GOAWAY: ignored, the client sends it elsewhere (RFC 9113, 6.8)
	}
	if uint32(len(c.open)) >= c.limit || c.apple.faults.refuses() {
		c.write.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		c.flush()
		return false
	}
	c.open[id], c.top = nil, id
	return true
}

func (c *conn) data(f *http2.DataFrame) error {
	if c.taken += f.Length; c.taken > c.apple.cfg.Window {
		c.apple.violate(c, "more bytes than the flow control window", "")
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if c.taken > c.apple.cfg.Window/2 {
		c.mu.Lock()
		c.write.WriteWindowUpdate(0, c.taken)
		c.mu.Unlock()
		c.flush()
		c.taken = 0
	}
	s := c.reading[f.StreamID]
	if s == nil {
		return nil
	}
	s.body = append(s.body, f.Data()...)
	if f.StreamEnded() || len(s.body) > 4*voipLimit {
		delete(c.reading, s.id)
		c.handle(s)
	}
	return nil
}

func (c *conn) settings(f *http2.SettingsFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.IsAck() {
		if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
			c.enc.SetMaxDynamicTableSize(min(size, 4096))
		}
		c.write.WriteSettingsAck()
		c.flush()
		return
	}
	if len(c.sent) > 0 { // a lower limit binds the client from its acknowledgement on
		c.limit, c.sent = c.sent[0], c.sent[1:]
		if c.told > c.limit {
			c.limit = c.told
		}
	}
}

func (c *conn) reset(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	c.write.WriteRSTStream(id, code)
	c.mu.Unlock()
	c.drop(id)
	c.flush()
}

// drop forgets a stream without an answer.
func (c *conn) drop(id uint32) {
	delete(c.reading, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.open[id]; t != nil && t.Stop() {
		c.apple.group.Done()
	}
	delete(c.open, id)
}

// leave says GOAWAY: streams so far are answered, later ones ignored; then the connection closes.
// Abruptly, it closes without the answers that are still owed.
func (c *conn) leave(abrupt bool) {
	c.mu.Lock()
	if !c.leaving {
		c.leaving, c.leftAt = true, c.top
		c.write.WriteGoAway(c.leftAt, http2.ErrCodeNo, []byte(`{"reason":"Shutdown"}`))
	}
	if abrupt {
		c.abrupt.Store(true)
		c.forgetOpen()
	}
	c.mu.Unlock()
	c.flush()
}

// forgetOpen drops every stream that is owed an answer; called with mu held.
func (c *conn) forgetOpen() {
	for _, t := range c.open {
		if t != nil && t.Stop() {
			c.apple.group.Done()
		}
	}
	clear(c.open)
}
