package phonetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const frame = 20 * time.Millisecond

// Stats is what a phone has measured so far. Durations count from the start of its offer.
type Stats struct {
	Answered  time.Duration // until the answer came
	Connected time.Duration // until encryption was established; 0 before that
	Heard     time.Duration // until the first sound; 0 before that

	PacketsIn, BytesIn uint64
	Sounding           uint64 // packets with sound: longer than Opus needs for silence, and not one byte only
	PacketsOut         uint64
	Gaps               uint64          // jumps in the sequence of received packets
	Back               uint64          // own packets that were received again, unchanged
	Keys               string          // keys that the other side pressed
	Events             []Event         // their packets, at most the first 256
	Echoes             []time.Duration // how long each took to come back, at most the first 65536
}

// Event is a received packet of a key press (RFC 4733).
type Event struct {
	Sequence  uint16
	Timestamp uint32
	Marker    bool
	Payload   string
}

// Call is one call of the phone.
type Call struct {
	cfg   Config
	pc    *webrtc.PeerConnection
	track *microphone
	began time.Time

	reading   <-chan struct{} // closed when Pion reads sound
	connected chan struct{}
	heard     chan struct{}
	closed    chan struct{} // closed when the other side closed or the connection failed
	stop      chan struct{}
	hungUp    chan struct{} // closed when HangUp is done
	hangUp    sync.Once
	running   sync.WaitGroup
	speaking  atomic.Bool // Speak was called

	mu      sync.Mutex // guards the rest
	stats   Stats
	lastIn  uint16
	next    rtp.Header           // sequence and timestamp of the newest packet
	pressed uint32               // timestamp of the newest key press
	sent    map[uint64]time.Time // packets not yet back
	stopped bool
	arrived chan struct{} // closed and replaced at each packet
}

func newCall(cfg Config, pc *webrtc.PeerConnection, began time.Time) *Call {
	return &Call{
		cfg: cfg, pc: pc, began: began,
		connected: make(chan struct{}), heard: make(chan struct{}), closed: make(chan struct{}),
		stop: make(chan struct{}), hungUp: make(chan struct{}),
		sent: map[uint64]time.Time{}, arrived: make(chan struct{}),
	}
}

// dial makes the offer, has it answered and starts to send sound.
func (c *Call) dial(ctx context.Context, answer Answerer) error {
	c.track = &microphone{}
	sender, err := c.pc.AddTrack(c.track)
	if err != nil {
		return fmt.Errorf("phonetest: %w", err)
	}
	c.setCallbacks(sender)
	offer, err := c.makeOffer(ctx, nil)
	if err != nil {
		return err
	}
	if c.cfg.Edit != nil {
		offer = c.cfg.Edit(offer)
	}
	text, err := answer(ctx, offer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.stats.Answered = time.Since(c.began)
	c.mu.Unlock()
	if err := c.applyAnswer(text); err != nil {
		return err
	}
	c.runOwned(c.sendSound)
	return nil
}

// applyAnswer gives the answer to Pion.
func (c *Call) applyAnswer(answer string) error {
	err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		return fmt.Errorf("phonetest: the answer: %w", err)
	}
	return nil
}

func (c *Call) setCallbacks(sender *webrtc.RTPSender) {
	var once, gone, reports sync.Once
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() {
				c.mu.Lock()
				c.stats.Connected = time.Since(c.began)
				c.mu.Unlock()
				close(c.connected)
			})
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			gone.Do(func() { close(c.closed) })
		}
	})
	c.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		c.runOwned(func() { c.readSound(t) })
		c.runOwned(func() { discardRTCP(r) })
		// Not earlier: reading from a sender too early can make closing hang.
		reports.Do(func() { c.runOwned(func() { discardRTCP(sender) }) })
	})
}

// discardRTCP reads RTCP and drops it. Pion's report interceptor only sees what is read.
func discardRTCP(r interface {
	Read([]byte) (int, interceptor.Attributes, error)
}) {
	buf := make([]byte, 1500)
	for {
		if _, _, err := r.Read(buf); err != nil {
			return
		}
	}
}

// makeOffer makes an offer with all candidates in it.
func (c *Call) makeOffer(ctx context.Context, o *webrtc.OfferOptions) (string, error) {
	offer, err := c.pc.CreateOffer(o)
	if err != nil {
		return "", fmt.Errorf("phonetest: offer: %w", err)
	}
	gathered := make(chan struct{})
	var once sync.Once
	c.pc.OnICECandidate(func(i *webrtc.ICECandidate) {
		if i == nil {
			once.Do(func() { close(gathered) })
		}
	})
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("phonetest: offer: %w", err)
	}
	select {
	case <-gathered:
		return c.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// runOwned runs f on a goroutine that HangUp waits for.
func (c *Call) runOwned(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		f()
	}()
}

// Speak ends the silence of a phone that begins with it.
func (c *Call) Speak() { c.speaking.Store(true) }

// Connected returns a channel that is closed when encryption is established.
func (c *Call) Connected() <-chan struct{} { return c.connected }

// Heard returns a channel that is closed at the first sound.
func (c *Call) Heard() <-chan struct{} { return c.heard }

// Closed returns a channel that is closed when the other side closed or the connection failed.
func (c *Call) Closed() <-chan struct{} { return c.closed }

// HangUp closes the connection and waits for its goroutines, ten seconds at most.
func (c *Call) HangUp() {
	c.hangUp.Do(func() {
		close(c.stop)
		c.mu.Lock()
		c.stopped = true
		c.mu.Unlock()
		go func() {
			defer close(c.hungUp)
			_ = c.pc.GracefulClose() // an error here cannot be handled
			c.running.Wait()
		}()
	})
	select {
	case <-c.hungUp:
	case <-time.After(10 * time.Second):
	}
}

// Stats returns a copy of the measurements so far.
func (c *Call) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Echoes, s.Events = slices.Clone(s.Echoes), slices.Clone(s.Events)
	return s
}

// Until waits until enough returns true for the measurements, or ctx ends.
func (c *Call) Until(ctx context.Context, enough func(Stats) bool) error {
	for {
		c.mu.Lock()
		ok, arrived := enough(c.stats), c.arrived
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendSound sends a marked packet every 20 ms, by deadlines, so that delays do not add up.
func (c *Call) sendSound() {
	select {
	case <-c.connected:
	case <-c.stop:
		return
	}
	if c.cfg.Mute {
		return
	}
	// Writing before Pion reads can make closing hang (see startMedia in the gateway).
	select {
	case <-c.reading:
	case <-time.After(time.Second): // the answer declares no source
	case <-c.stop:
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	codec, clock, _ := c.track.negotiated()
	marked := make([]byte, markLength(codec))
	var packet rtp.Packet
	for n := uint64(1); c.cfg.Packets == 0 || n <= c.cfg.Packets; n++ {
		select {
		case <-timer.C:
		case <-c.stop:
			return
		}
		writeMark(marked, n)
		packet.Payload = marked
		c.mu.Lock()
		c.stats.PacketsOut++
		if c.cfg.Silence != nil && !c.speaking.Load() {
			packet.Payload = c.cfg.Silence
		} else {
			c.sent[n] = time.Now()
			delete(c.sent, n-3000) // sent a minute ago: lost
		}
		c.next.Timestamp += clock / uint32(time.Second/frame)
		packet.Header = c.nextHeader()
		c.mu.Unlock()
		if c.cfg.Level != nil {
			_ = c.track.setLevel(&packet.Header, c.cfg.Level(n)) // one byte always fits
		}
		c.track.write(&packet, false)
		next = next.Add(frame)
		timer.Reset(time.Until(next))
	}
}

// nextHeader returns the header of the next packet. Called with mu held.
func (c *Call) nextHeader() rtp.Header {
	c.next.Version = 2
	c.next.SequenceNumber++
	return c.next
}

const keys = "0123456789*#ABCD"

// Press sends one key: three packets while it is down, and three that say that it is up (RFC 4733
// 2.5.1), all at once.
func (c *Call) Press(key byte) error {
	_, clock, payloadType := c.track.negotiated()
	code := strings.IndexByte(keys, key)
	if code < 0 || payloadType == 0 {
		return fmt.Errorf("phonetest: the key %q cannot be sent", key)
	}
	c.mu.Lock()
	if step := int32(c.next.Timestamp - c.pressed); c.pressed == 0 || step > 0 {
		c.pressed = c.next.Timestamp
	}
	c.pressed += clock / 10 // each press has a timestamp of its own
	timestamp := c.pressed
	c.mu.Unlock()
	for i := range uint32(6) {
		end, duration := byte(0), (i+1)*clock/50
		if i >= 3 {
			end, duration = 0x80, 3*clock/50
		}
		c.mu.Lock()
		p := rtp.Packet{Header: c.nextHeader(), Payload: []byte{byte(code), end | 10, byte(duration >> 8), byte(duration)}}
		c.mu.Unlock()
		p.Timestamp, p.Marker = timestamp, i == 0
		c.track.write(&p, true)
	}
	return nil
}

// readSound measures the packets of one track.
func (c *Call) readSound(t *webrtc.TrackRemote) {
	buf := make([]byte, 1500)
	var packet rtp.Packet
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		if packet.Unmarshal(buf[:n]) != nil {
			continue
		}
		if _, _, keys := c.track.negotiated(); c.cfg.Hear != nil && (keys == 0 || packet.PayloadType != keys) {
			c.cfg.Hear(packet.Payload)
		}
		c.countPacket(&packet, time.Now())
	}
}

func (c *Call) countPacket(p *rtp.Packet, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.stats
	if s.PacketsIn == 0 {
		s.Heard = now.Sub(c.began)
		close(c.heard)
	} else if p.SequenceNumber != c.lastIn+1 {
		s.Gaps++
	}
	c.lastIn = p.SequenceNumber
	s.PacketsIn++
	s.BytesIn += uint64(len(p.Payload))
	if _, _, keys := c.track.negotiated(); p.PayloadType == keys && keys != 0 {
		s.addEvent(p)
	} else if sounds(p.Payload) {
		s.Sounding++
	}
	if n, ok := readMark(p.Payload); ok {
		if at, waiting := c.sent[n]; waiting {
			delete(c.sent, n)
			s.Back++
			if len(s.Echoes) < 1<<16 {
				s.Echoes = append(s.Echoes, now.Sub(at))
			}
		}
	}
	close(c.arrived)
	c.arrived = make(chan struct{})
}

// sounds reports whether a packet is more than silence: longer than Opus needs for that, and not
// one byte only.
func sounds(payload []byte) bool {
	return len(payload) > 10 && bytes.Count(payload, payload[:1]) < len(payload)
}

// addEvent records a packet of a key press. Each press has a timestamp of its own.
func (s *Stats) addEvent(p *rtp.Packet) {
	e := Event{p.SequenceNumber, p.Timestamp, p.Marker, string(p.Payload)}
	if len(e.Payload) != 4 || int(e.Payload[0]) >= len(keys) || len(s.Events) == 256 {
		return
	}
	if n := len(s.Events); n == 0 || s.Events[n-1].Timestamp != e.Timestamp {
		s.Keys += keys[e.Payload[0] : e.Payload[0]+1]
	}
	s.Events = append(s.Events, e)
}

// Restart starts a new ICE session with the same encryption, as a phone does that has changed
// networks.
func (c *Call) Restart(ctx context.Context, restart Restarter) error {
	before := c.pc.RemoteDescription().SDP
	offer, err := c.makeOffer(ctx, &webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	answer, err := restart(ctx, fragmentOf(offer))
	if err != nil {
		return err
	}
	return c.applyAnswer(replaceICE(before, answer))
}

// Fragment returns the present ICE session as a trickle fragment.
func (c *Call) Fragment() string { return fragmentOf(c.pc.LocalDescription().SDP) }

// fragmentOf returns the ICE session of a description as a trickle fragment (RFC 8840 9).
func fragmentOf(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		for _, keep := range []string{
			"a=group:", "m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates",
		} {
			if strings.HasPrefix(line, keep) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// replaceICE returns a description with the ICE session of a fragment in place of its own. The
// description must have one media section.
func replaceICE(sdp, fragment string) string {
	var ice, b strings.Builder
	for line := range strings.Lines(fragment) {
		if strings.HasPrefix(line, "a=ice-ufrag:") || strings.HasPrefix(line, "a=ice-pwd:") || strings.HasPrefix(line, "a=candidate:") {
			ice.WriteString(line)
		}
	}
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=ice-ufrag:") || strings.HasPrefix(line, "a=ice-pwd:") || strings.HasPrefix(line, "a=candidate:") {
			continue
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "a=mid:") {
			b.WriteString(ice.String())
		}
	}
	return b.String()
}
