package phonetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const frame = 20 * time.Millisecond

// Stats is what a phone measured so far. Times count from when it began its offer.
type Stats struct {
	Answered  time.Duration // the answer was in
	Connected time.Duration // encryption stood; 0 when not yet
	Heard     time.Duration // first sound; 0 when not yet

	PacketsIn, BytesIn uint64
	Sounding           uint64 // packets with sound in them: longer than Opus spends on silence
	PacketsOut         uint64
	Gaps               uint64          // jumps in the sequence of what is heard
	Back               uint64          // own packets that came back
	Echoes             []time.Duration // how long each took to come back, at most the first 65536
}

// Call is one call of the phone.
type Call struct {
	cfg   Config
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	began time.Time

	connected chan struct{}
	heard     chan struct{}
	closed    chan struct{} // the far end closed, or the connection failed
	stop      chan struct{}
	gone      chan struct{} // HangUp is done
	hangUp    sync.Once
	running   sync.WaitGroup

	mu      sync.Mutex // guards the rest
	stats   Stats
	lastIn  uint16
	sent    map[uint64]time.Time // packets not yet back
	stopped bool
	arrived chan struct{} // closed and replaced at each packet
}

func newCall(cfg Config, pc *webrtc.PeerConnection, began time.Time) *Call {
	return &Call{
		cfg: cfg, pc: pc, began: began,
		connected: make(chan struct{}), heard: make(chan struct{}), closed: make(chan struct{}), stop: make(chan struct{}), gone: make(chan struct{}),
		sent: map[uint64]time.Time{}, arrived: make(chan struct{}),
	}
}

// dial makes the offer and follows the answer.
func (c *Call) dial(ctx context.Context, answer Answerer) error {
	var err error
	if c.track, err = webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "microphone", "phone"); err != nil {
		return fmt.Errorf("phonetest: %w", err)
	}
	sender, err := c.pc.AddTrack(c.track)
	if err != nil {
		return fmt.Errorf("phonetest: %w", err)
	}
	c.listen(sender)
	offer, err := c.offer(ctx, nil)
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
	if err := c.follow(text); err != nil {
		return err
	}
	c.own(c.speak)
	return nil
}

// follow takes the answer, with the sections that only an edited offer had cut away.
func (c *Call) follow(answer string) error {
	err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		return fmt.Errorf("phonetest: the answer: %w", err)
	}
	return nil
}

func (c *Call) listen(sender *webrtc.RTPSender) {
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
		c.own(func() { c.hear(t) })
		c.own(func() { drain(r) })
		// Not before: a sender that is read from too early can make closing hang.
		reports.Do(func() { c.own(func() { drain(sender) }) })
	})
}

// drain reads RTCP so that Pion's reports see it.
func drain(r interface {
	Read([]byte) (int, interceptor.Attributes, error)
}) {
	buf := make([]byte, 1500)
	for {
		if _, _, err := r.Read(buf); err != nil {
			return
		}
	}
}

// offer makes an offer with all candidates in it.
func (c *Call) offer(ctx context.Context, o *webrtc.OfferOptions) (string, error) {
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

// own runs f on a goroutine that HangUp waits for.
func (c *Call) own(f func()) {
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

// Connected is closed when encryption stands, Heard at the first sound, Closed when
// the far end is gone.
func (c *Call) Connected() <-chan struct{} { return c.connected }
func (c *Call) Heard() <-chan struct{}     { return c.heard }
func (c *Call) Closed() <-chan struct{}    { return c.closed }

// HangUp closes the connection and waits for all that it ran, ten seconds at most.
func (c *Call) HangUp() {
	c.hangUp.Do(func() {
		close(c.stop)
		c.mu.Lock()
		c.stopped = true
		c.mu.Unlock()
		go func() {
			defer close(c.gone)
			_ = c.pc.GracefulClose() // nothing is left to do about a close that fails
			c.running.Wait()
		}()
	})
	select {
	case <-c.gone:
	case <-time.After(10 * time.Second):
	}
}

// Stats returns what was measured so far.
func (c *Call) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Echoes = slices.Clone(s.Echoes)
	return s
}

// Until waits until what was measured satisfies enough.
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

// speak sends a marked packet every 20 ms, by deadlines on the clock.
func (c *Call) speak() {
	select {
	case <-c.connected:
	case <-c.stop:
		return
	}
	if c.cfg.Mute {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	packet := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: make([]byte, markLength)}
	for n := uint64(1); c.cfg.Packets == 0 || n <= c.cfg.Packets; n++ {
		select {
		case <-timer.C:
		case <-c.stop:
			return
		}
		mark(packet.Payload, n)
		packet.SequenceNumber, packet.Timestamp = uint16(n), uint32(n)*960
		c.mu.Lock()
		c.stats.PacketsOut++
		c.sent[n] = time.Now()
		delete(c.sent, n-3000) // a minute old: lost
		c.mu.Unlock()
		_ = c.track.WriteRTP(&packet) // a lost packet is counted where it does not arrive
		next = next.Add(frame)
		timer.Reset(time.Until(next))
	}
}

// A mark is an Opus packet by its first byte (20 ms, one frame) and a number in its
// rest. No decoder would like its sound; none stands between us.
const (
	markLength = 120
	markText   = "carillon"
)

func mark(payload []byte, n uint64) {
	payload[0] = 31 << 3
	copy(payload[1:], markText)
	binary.BigEndian.PutUint64(payload[1+len(markText):], n)
}

func marked(payload []byte) (uint64, bool) {
	if len(payload) != markLength || string(payload[1:1+len(markText)]) != markText {
		return 0, false
	}
	return binary.BigEndian.Uint64(payload[1+len(markText):]), true
}

// hear measures what comes in.
func (c *Call) hear(t *webrtc.TrackRemote) {
	buf := make([]byte, 1500)
	var packet rtp.Packet
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		if packet.Unmarshal(buf[:n]) == nil {
			c.count(&packet, time.Now())
		}
	}
}

func (c *Call) count(p *rtp.Packet, now time.Time) {
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
	if len(p.Payload) > 10 {
		s.Sounding++
	}
	if n, ok := marked(p.Payload); ok {
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

// Restart begins a new ICE session on the same encryption, as a phone does that has
// changed networks.
func (c *Call) Restart(ctx context.Context, restart Restarter) error {
	before := c.pc.RemoteDescription().SDP
	offer, err := c.offer(ctx, &webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return err
	}
	answer, err := restart(ctx, iceLines(offer))
	if err != nil {
		return err
	}
	return c.follow(swapICE(before, answer))
}

// Fragment returns the present ICE session as a trickle fragment.
func (c *Call) Fragment() string { return iceLines(c.pc.LocalDescription().SDP) }

// iceLines cuts a description down to a trickle fragment (RFC 8840 9).
func iceLines(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		for _, keep := range []string{"a=group:", "m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"} {
			if strings.HasPrefix(line, keep) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// swapICE puts the ICE session of a fragment into a description, in its first live
// media section.
func swapICE(sdp, fragment string) string {
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
