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

// conn is one client's connection. A reader goroutine owns the fields above mu. A writer goroutine
// sends what others put into out, so that many answers leave in one write.
type conn struct {
	apple  *Apple
	host   *host
	nc     *tls.Conn
	number int64

	read            *http2.Framer
	dec             *hpack.Decoder
	current         *stream // whose header block is being read
	reading         map[uint32]*stream
	highest         uint32 // highest stream seen
	unreturned      uint32 // bytes read and not yet given back by WINDOW_UPDATE
	token           *providerToken
	tokenGeneration int64
	admitted        string // text of the token that passed every check
	team, kid       string // of the first accepted token
	refuseUntil     time.Time
	client          *client
	clientEnds      time.Time
	badTokens       map[string]bool // device tokens answered with BadDeviceToken on this connection

	silence atomic.Pointer[chan struct{}] // set while the connection is silent
	abrupt  atomic.Bool
	done    chan struct{} // closed by cut
	once    sync.Once
	wake    chan struct{}

	mu           sync.Mutex // guards all below
	out          *bytes.Buffer
	spare        *bytes.Buffer
	write        *http2.Framer // into out
	enc          *hpack.Encoder
	block        bytes.Buffer // enc writes here
	open         map[uint32]*time.Timer
	limit        uint32   // streams we enforce
	sent         []uint32 // limits not acknowledged yet
	announced    uint32   // the newest limit sent
	newest       uint32   // the newest stream admitted
	goingAway    bool
	lastPromised uint32 // the last stream we promised to answer
}

func newConn(a *Apple, h *host, nc *tls.Conn) *conn {
	c := &conn{
		apple: a, host: h, nc: nc, number: a.serial.Add(1),
		reading: map[uint32]*stream{}, badTokens: map[string]bool{}, open: map[uint32]*time.Timer{},
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		out: &bytes.Buffer{}, spare: &bytes.Buffer{},
	}
	c.enc = hpack.NewEncoder(&c.block)
	c.write = http2.NewFramer(writerFunc(func(p []byte) (int, error) { return c.out.Write(p) }), nil)
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.current.setHeader(f) })
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
		c.dropOpenStreams()
		c.mu.Unlock()
	})
}

func (c *conn) serve() {
	defer c.apple.group.Done()
	defer c.host.removeConn(c)
	defer c.cut()
	if c.apple.faults.silencesNew() {
		c.setSilent(true)
	}
	c.waitWhileSilent()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	err := c.nc.HandshakeContext(ctx)
	cancel()
	if err != nil || c.nc.ConnectionState().NegotiatedProtocol != "h2" {
		return
	}
	if peers := c.nc.ConnectionState().PeerCertificates; len(peers) > 0 {
		c.client, c.clientEnds = c.apple.ca.readClient(peers[0]), peers[0].NotAfter
	}
	c.apple.group.Add(1)
	go c.writeLoop()
	c.sendSettings()
	c.readLoop()
}

// sendSettings announces one stream until a valid provider token was accepted. A client certificate
// was checked already, so it gets all streams at once.
func (c *conn) sendSettings() {
	c.mu.Lock()
	c.limit, c.announced = 1, 1
	if c.client != nil {
		c.limit, c.announced = c.apple.cfg.MaxStreams, c.apple.cfg.MaxStreams
	}
	c.sent = append(c.sent, c.announced)
	c.write.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.announced})
	if more := c.apple.cfg.Window - 65535; more > 0 {
		c.write.WriteWindowUpdate(0, more)
	}
	c.mu.Unlock()
	c.wakeWriter()
}

// wakeWriter makes writeLoop send what is in out.
func (c *conn) wakeWriter() {
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
		c.waitWhileSilent()
		c.mu.Lock()
		full := c.out
		c.out, c.spare = c.spare, full
		over := c.goingAway && len(c.open) == 0
		c.mu.Unlock()
		if full.Len() > 0 {
			if _, err := c.nc.Write(full.Bytes()); err != nil {
				c.cut()
				return
			}
			full.Reset()
		}
		if over {
			c.closeAfterRead()
			return
		}
	}
}

// closeAfterRead closes our half and gives the client a second to read GOAWAY and the last answers.
// Closing at once could reset the connection before they are read. An abrupt end does not wait.
func (c *conn) closeAfterRead() {
	if c.abrupt.Load() || c.nc.CloseWrite() != nil {
		c.cut()
		return
	}
	c.nc.NetConn().SetReadDeadline(time.Now().Add(time.Second)) // then the reader closes the connection
}

// setSilent makes the connection neither read nor write, or ends that.
func (c *conn) setSilent(on bool) {
	if on {
		gate := make(chan struct{})
		c.silence.CompareAndSwap(nil, &gate)
		return
	}
	if gate := c.silence.Swap(nil); gate != nil {
		close(*gate)
	}
}

// waitWhileSilent blocks while the connection is silent.
func (c *conn) waitWhileSilent() {
	if gate := c.silence.Load(); gate != nil {
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
		c.waitWhileSilent()
		if err == nil {
			err = c.handleFrame(f)
		}
		var stream http2.StreamError
		switch {
		case err == nil:
		case errors.As(err, &stream):
			c.resetStream(stream.StreamID, stream.Code)
		default:
			var broken http2.ConnectionError
			if errors.As(err, &broken) {
				c.apple.recordViolation(c, "broken HTTP/2", err.Error())
			}
			return
		}
	}
}

func (c *conn) handleFrame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.handleHeaders(f)
	case *http2.ContinuationFrame:
		return c.decodeHeaders(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.DataFrame:
		return c.handleData(f)
	case *http2.SettingsFrame:
		c.handleSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.mu.Lock()
			c.write.WritePing(true, f.Data)
			c.mu.Unlock()
			c.wakeWriter()
		}
	case *http2.RSTStreamFrame:
		c.dropStream(f.StreamID)
	case *http2.GoAwayFrame:
		c.goAway(false)
	}
	return nil
}

func (c *conn) handleHeaders(f *http2.HeadersFrame) error {
	if f.StreamID%2 == 0 || f.StreamID <= c.highest {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.highest = f.StreamID
	c.current = newStream(f.StreamID, f.StreamEnded())
	return c.decodeHeaders(f.HeaderBlockFragment(), f.HeadersEnded())
}

// decodeHeaders decodes a part of a header block. A refused stream is decoded too, because the
// HPACK table belongs to the connection.
func (c *conn) decodeHeaders(block []byte, ended bool) error {
	if _, err := c.dec.Write(block); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !ended {
		return nil
	}
	if err := c.dec.Close(); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	s := c.current
	if !c.admitStream(s.id) {
		return nil
	}
	if s.ended {
		c.handleRequest(s)
		return nil
	}
	c.reading[s.id] = s
	return nil
}

// admitStream counts a new stream against the limit.
func (c *conn) admitStream(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goingAway && id > c.lastPromised {
		return false // after GOAWAY: ignored, the client sends it elsewhere (RFC 9113, 6.8)
	}
	if uint32(len(c.open)) >= c.limit || c.apple.faults.refusesStream() {
		c.write.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		c.wakeWriter()
		return false
	}
	c.open[id], c.newest = nil, id
	return true
}

func (c *conn) handleData(f *http2.DataFrame) error {
	if c.unreturned += f.Length; c.unreturned > c.apple.cfg.Window {
		c.apple.recordViolation(c, "more bytes than the flow control window", "")
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if c.unreturned > c.apple.cfg.Window/2 {
		c.mu.Lock()
		c.write.WriteWindowUpdate(0, c.unreturned)
		c.mu.Unlock()
		c.wakeWriter()
		c.unreturned = 0
	}
	s := c.reading[f.StreamID]
	if s == nil {
		return nil
	}
	s.body = append(s.body, f.Data()...)
	if f.StreamEnded() || len(s.body) > 4*voipLimit {
		delete(c.reading, s.id)
		c.handleRequest(s)
	}
	return nil
}

func (c *conn) handleSettings(f *http2.SettingsFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.IsAck() {
		if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
			c.enc.SetMaxDynamicTableSize(min(size, 4096))
		}
		c.write.WriteSettingsAck()
		c.wakeWriter()
		return
	}
	if len(c.sent) > 0 { // a lower limit holds from its acknowledgement on
		c.limit, c.sent = c.sent[0], c.sent[1:]
		if c.announced > c.limit {
			c.limit = c.announced
		}
	}
}

func (c *conn) resetStream(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	c.write.WriteRSTStream(id, code)
	c.mu.Unlock()
	c.dropStream(id)
	c.wakeWriter()
}

// dropStream removes a stream and does not answer it.
func (c *conn) dropStream(id uint32) {
	delete(c.reading, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.open[id]; t != nil && t.Stop() {
		c.apple.group.Done()
	}
	delete(c.open, id)
}

// goAway sends GOAWAY: earlier streams are answered, later ones are ignored, then the connection
// closes. If abrupt, it closes without the answers that are not sent yet.
func (c *conn) goAway(abrupt bool) {
	c.mu.Lock()
	if !c.goingAway {
		c.goingAway, c.lastPromised = true, c.newest
		c.write.WriteGoAway(c.lastPromised, http2.ErrCodeNo, []byte(`{"reason":"Shutdown"}`))
	}
	if abrupt {
		c.abrupt.Store(true)
		c.dropOpenStreams()
	}
	c.mu.Unlock()
	c.wakeWriter()
}

// dropOpenStreams drops every stream that has no answer yet; called with mu held.
func (c *conn) dropOpenStreams() {
	for _, t := range c.open {
		if t != nil && t.Stop() {
			c.apple.group.Done()
		}
	}
	clear(c.open)
}
