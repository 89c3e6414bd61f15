package phonetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// BotConfig configures a Bot.
type BotConfig struct {
	Codecs   []string                    // those that it takes, by their names in SDP; nil = opus, PCMU and PCMA
	Greeting func(codec string) [][]byte // 20 ms packets; nil = it greets nobody
	Delay    time.Duration               // how long after it heard a packet it says it
	Takes    func(label string) bool     // whether it takes a data channel of this name; nil = every one
	Opened   func(*Bot)                  // called when the data channel is open; nil = nobody
	Text     func(*Bot, string)          // gets the messages of the data channel; nil = nobody
	Polite   bool                        // it greets when it first hears the other side, without Greet

	// Interrupted is called when it has ended its greeting because the caller spoke; nil = it says
	// the greeting to the end.
	Interrupted func(*Bot)
}

// Bot is a voice agent on WebRTC: it answers an offer, or calls, greets when Greet is called, and
// then says what it hears. It does not know HTTP. Close frees everything.
type Bot struct {
	cfg        BotConfig
	pc         *webrtc.PeerConnection
	mux        ice.UDPMux
	conn       net.PacketConn // of mux
	track      *microphone
	heard      atomic.Uint64
	offered    atomic.Int64
	greeted    atomic.Int64 // packets of greetings said
	interrupts atomic.Int64 // greetings that the caller ended

	greeting, spokenOver atomic.Bool // it says a greeting; the caller has spoken meanwhile

	connected chan struct{}
	closed    chan struct{} // closed when the caller has gone or the connection failed
	greet     chan struct{} // holds one token
	queue     chan botFrame
	stop      chan struct{}
	hangUp    sync.Once
	gone      sync.Once
	running   sync.WaitGroup

	mu      sync.Mutex // guards the rest
	channel *webrtc.DataChannel
	stopped bool
	next    rtp.Header // of the newest packet; only speak uses it
}

// botFrame is what the bot says at a time.
type botFrame struct {
	payload []byte
	at      time.Time
}

// NewBot returns a bot for one call.
func NewBot(cfg BotConfig) (*Bot, error) {
	if cfg.Codecs == nil {
		cfg.Codecs = []string{"opus", "PCMU", "PCMA"}
	}
	reading := &readerWatch{begun: make(chan struct{})}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("phonetest: %w", err)
	}
	mux := webrtc.NewICEUDPMux(nil, conn)
	api, err := newAPI(cfg.Codecs, false, func(e *webrtc.SettingEngine) {
		e.SetICEUDPMux(mux)
		e.SetIncludeLoopbackCandidate(true)
	}, reading)
	if err != nil {
		return nil, errors.Join(err, mux.Close())
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("phonetest: %w", err), mux.Close())
	}
	b := &Bot{
		cfg: cfg, pc: pc, mux: mux, conn: conn, track: &microphone{}, connected: make(chan struct{}), closed: make(chan struct{}),
		greet: make(chan struct{}, 1), queue: make(chan botFrame, 512), stop: make(chan struct{}),
	}
	sender, err := pc.AddTrack(b.track)
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("phonetest: %w", err)
	}
	b.setCallbacks(sender)
	b.runOwned(func() { b.speak(reading.begun) })
	return b, nil
}

func (b *Bot) setCallbacks(sender *webrtc.RTPSender) {
	var once, reports sync.Once
	b.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(b.connected) })
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			b.setGone()
		}
	})
	b.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		b.runOwned(func() { b.hear(t) })
		b.runOwned(func() { discardRTCP(r) })
		reports.Do(func() { b.runOwned(func() { discardRTCP(sender) }) }) // not earlier: see Call.setCallbacks
	})
	b.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		if b.cfg.Takes != nil && !b.cfg.Takes(d.Label()) {
			return
		}
		b.mu.Lock()
		b.channel = d
		b.mu.Unlock()
		d.OnMessage(func(m webrtc.DataChannelMessage) {
			if m.IsString && b.cfg.Text != nil {
				b.cfg.Text(b, string(m.Data))
			}
		})
		if b.cfg.Opened != nil {
			d.OnOpen(func() { b.cfg.Opened(b) })
		}
	})
}

// Answer answers an offer, and again one that changes the connection. The answer has all
// candidates.
func (b *Bot) Answer(ctx context.Context, offer string) (string, error) {
	b.offered.Add(1)
	return answerOffer(ctx, b.pc, offer)
}

// Call makes an offer with all candidates, and has it answered: the bot is the one who calls.
func (b *Bot) Call(ctx context.Context, answer Answerer) error {
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("phonetest: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("phonetest: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	text, err := answer(ctx, b.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	if err := b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		return fmt.Errorf("phonetest: the answer: %w", err)
	}
	return nil
}

// Trickle adds a candidate of the caller, such as "candidate:1 1 udp …".
func (b *Bot) Trickle(candidate, mid string) error {
	return b.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: candidate, SDPMid: &mid})
}

// Offers returns how many offers it has got.
func (b *Bot) Offers() int { return int(b.offered.Load()) }

// Heard returns how many packets of sound it has got.
func (b *Bot) Heard() int { return int(b.heard.Load()) }

// Greeted returns how many packets of its greetings it has said.
func (b *Bot) Greeted() int { return int(b.greeted.Load()) }

// Interrupts returns how many greetings the caller has ended by speaking.
func (b *Bot) Interrupts() int { return int(b.interrupts.Load()) }

// Greet makes it say its greeting once it is connected.
func (b *Bot) Greet() {
	select {
	case b.greet <- struct{}{}:
	default:
	}
}

// Say sends a message on the data channel that the caller opened.
func (b *Bot) Say(message string) error {
	b.mu.Lock()
	d := b.channel
	b.mu.Unlock()
	if d == nil {
		return fmt.Errorf("phonetest: the caller opened no data channel")
	}
	return d.SendText(message)
}

// Vanish cuts the bot off the network: the caller gets nothing more, not even that it has left.
func (b *Bot) Vanish() { _ = b.conn.Close() }

// Connected returns a channel that is closed when encryption is established.
func (b *Bot) Connected() <-chan struct{} { return b.connected }

// Closed returns a channel that is closed when the caller has gone or the connection failed.
func (b *Bot) Closed() <-chan struct{} { return b.closed }

// hear queues what the caller says.
func (b *Bot) hear(t *webrtc.TrackRemote) {
	for {
		buf := make([]byte, 1500)
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(buf[:n]) != nil || len(p.Payload) == 0 {
			continue
		}
		if _, _, keys := b.track.negotiated(); keys != 0 && p.PayloadType == keys {
			continue
		}
		if b.heard.Add(1) == 1 && b.cfg.Polite {
			b.Greet()
		}
		if b.greeting.Load() && sounds(p.Payload) {
			b.spokenOver.Store(true)
		}
		select {
		case b.queue <- botFrame{p.Payload, time.Now().Add(b.cfg.Delay)}:
		default: // it says something else
		}
	}
}

// speak greets and echoes until the end.
func (b *Bot) speak(reading <-chan struct{}) {
	select {
	case <-b.connected:
	case <-b.stop:
		return
	}
	// Writing before Pion reads can make closing hang (see startMedia in the gateway).
	select {
	case <-reading:
	case <-time.After(time.Second): // the caller is silent
	case <-b.stop:
		return
	}
	for {
		select {
		case <-b.greet:
			b.sayGreeting()
		case f := <-b.queue:
			b.say(f)
		case <-b.stop:
			return
		}
	}
}

// sayGreeting says the greeting, and forgets what the caller said meanwhile.
func (b *Bot) sayGreeting() {
	if b.cfg.Greeting == nil {
		return
	}
	codec, _, _ := b.track.negotiated()
	began := time.Now()
	b.spokenOver.Store(false)
	b.greeting.Store(true)
	defer b.greeting.Store(false)
	for i, payload := range b.cfg.Greeting(codec) {
		if b.cfg.Interrupted != nil && b.spokenOver.Load() {
			b.interrupts.Add(1)
			b.cfg.Interrupted(b)
			break
		}
		if !b.say(botFrame{payload, began.Add(time.Duration(i) * frame)}) {
			return
		}
		b.greeted.Add(1)
	}
	for len(b.queue) > 0 {
		<-b.queue
	}
}

// say sends a packet when its time has come. It returns false at the end.
func (b *Bot) say(f botFrame) bool {
	if wait := time.Until(f.at); wait > 0 {
		select {
		case <-time.After(wait):
		case <-b.stop:
			return false
		}
	}
	_, clock, _ := b.track.negotiated()
	b.next.Version = 2
	b.next.SequenceNumber++
	b.next.Timestamp += clock / uint32(time.Second/frame)
	b.track.write(&rtp.Packet{Header: b.next, Payload: f.payload}, false)
	return true
}

// runOwned runs f on a goroutine that Close waits for.
func (b *Bot) runOwned(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.running.Add(1)
	go func() {
		defer b.running.Done()
		f()
	}()
}

// Close ends the call and waits for its goroutines.
func (b *Bot) Close() {
	b.hangUp.Do(func() {
		close(b.stop)
		b.mu.Lock()
		b.stopped = true
		b.mu.Unlock()
		_ = b.pc.GracefulClose() // an error here cannot be handled
		b.running.Wait()
		_ = b.mux.Close() // Vanish may have closed its connection
		b.setGone()
	})
}

func (b *Bot) setGone() { b.gone.Do(func() { close(b.closed) }) }
