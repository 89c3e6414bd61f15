package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// MaxText is the longest text message of a Peer in each direction, in bytes.
const MaxText = 64 << 10

// textBacklog is how many bytes of text may wait for a peer that does not read.
const textBacklog = 256 << 10

var (
	// ErrPeerUnreached is the end of a Peer that was never connected.
	ErrPeerUnreached = errors.New("no connection for sound came about; a firewall between the two is the usual cause")
	// ErrPeerLost is the end of a Peer whose connection broke off and did not come back.
	ErrPeerLost = errors.New("the connection for sound was lost and did not come back")
	// ErrPeerChannel is the end of a Peer whose far end opened a data channel. Only the one in our
	// offer is allowed: Pion keeps 64 KiB and a goroutine for each of up to 65,534.
	ErrPeerChannel = errors.New("the other side opened a data channel of its own; it may only use the one in our offer")
	// ErrNoText is the error of Peer.Text without an open data channel, or with a slow reader.
	ErrNoText = errors.New("the data channel is not open, or the other side does not read it")
)

// PeerConfig is what a Peer is made of.
type PeerConfig struct {
	ID     string  // of the ring, for the log
	Codecs []Codec // that the peer may get, the best first: all that the phone may have, or the one it has

	RejoinWithin time.Duration // how long a lost connection may take to come back; 0 = Config.RejoinWithin

	// The other two are for a peer that offers.
	Channel string       // label of a data channel in the offer; "" = none
	Text    func(string) // gets each text message of that channel, in order; it must not wait
}

// Peer is a WebRTC connection that is an agent's side of a call: the phone's side is a Line. It is
// made of the same leg as the phone's.
//
// AnswerPeer makes one for an agent that offers (WHIP); its later requests go to Trickle. OfferPeer
// makes one for an agent that answers (OpenAI, pipecat): the caller sends the offer, and gives the
// answer to Accept. Then Connected is closed when sound can flow, and Converse joins the peer to
// the line of a phone. Close ends the peer, and is always needed; it may be called more than once.
//
// A peer has one codec: the first of PeerConfig.Codecs that the other side has. Nothing is
// transcoded, so a phone must be answered with it.
type Peer struct {
	g   *Gateway
	cfg PeerConfig

	leg     *leg
	channel *webrtc.DataChannel  // nil = none
	line    atomic.Pointer[line] // of the agent's sound; nil until the codec is known

	signalling sync.Mutex // one offer, answer or fragment at a time
	accepted   bool       // signalling guards it

	sampling sync.Mutex // guards sampler
	sampler  sampler

	wake      chan struct{} // holds one token: look again
	connected chan struct{} // closed when encryption is established
	opened    chan struct{} // closed when the data channel is open
	ending    chan struct{} // closed by end
	gone      chan struct{} // closed after ending, when the connection is closed
	once      sync.Once
	err       error // set before ending is closed
}

// AnswerPeer answers an agent's offer. An error is a *Refused, the error of ctx, or a fault of the
// gateway; then there is no peer. All of it is checked before a connection is made.
func (g *Gateway) AnswerPeer(ctx context.Context, cfg PeerConfig, offer string) (*Peer, Answer, error) {
	read, err := readOffer(offer, g.reach)
	if err != nil {
		return nil, Answer{}, err
	}
	if err := read.choose(cfg.Codecs, phoneSpeaks); err != nil {
		return nil, Answer{}, err
	}
	p, err := g.addPeer(cfg)
	if err != nil {
		return nil, Answer{}, err
	}
	l := newLine(read.codec, g.cfg.Now)
	l.failed = p.end
	p.line.Store(l)
	p.accepted = true
	made, text, err := g.answerLeg(ctx, cfg.ID, l, p.wakeRun, read)
	if err != nil {
		g.removePeer(p)
		return nil, Answer{}, err
	}
	l.setOutput(made.track)
	p.start(made)
	return p, Answer{SDP: text, ETag: made.etag, ICEServers: g.cfg.ICEServers()}, nil
}

// phoneSpeaks begins the part of a refusal that names the codecs that an agent may have.
const phoneSpeaks = "the phone of this call speaks"

// OfferPeer makes a peer and its offer, which has all our candidates, first the sound and then the
// data channel. The error is a *Refused, the error of ctx, or a fault of the gateway.
func (g *Gateway) OfferPeer(ctx context.Context, cfg PeerConfig) (p *Peer, offer string, err error) {
	if len(cfg.Codecs) == 0 {
		return nil, "", errors.New("gateway: a peer needs codecs")
	}
	if p, err = g.addPeer(cfg); err != nil {
		return nil, "", err
	}
	l, err := g.newLeg(g.offering, &leg{id: cfg.ID, wake: p.wakeRun, track: &outTrack{codec: cfg.Codecs[0]}, dialled: true})
	if err != nil {
		g.removePeer(p)
		return nil, "", err
	}
	if offer, err = p.offer(ctx, l); err != nil {
		l.close()
		g.removePeer(p)
		return nil, "", err
	}
	p.start(l)
	return p, offer, nil
}

// offer puts the track and the data channel into the offer of l.
func (p *Peer) offer(ctx context.Context, l *leg) (string, error) {
	t, err := l.pc.AddTransceiverFromTrack(l.track)
	if err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	if err := t.SetCodecPreferences(offered(p.cfg.Codecs...)); err != nil {
		return "", fmt.Errorf("codecs: %w", err)
	}
	if p.cfg.Channel != "" {
		if p.channel, err = l.pc.CreateDataChannel(p.cfg.Channel, nil); err != nil {
			return "", fmt.Errorf("data channel: %w", err)
		}
		l.pc.OnDataChannel(p.refuseChannel)
		p.channel.OnOpen(func() { close(p.opened) })
		p.channel.OnMessage(func(m webrtc.DataChannelMessage) {
			if m.IsString && p.cfg.Text != nil {
				p.guard("the reader of messages", func() { p.cfg.Text(string(m.Data)) })
			}
		})
	}
	l.setCallbacks()
	return l.offerNow(ctx, nil)
}

// refuseChannel ends the peer because the far end opened a channel. Pion accepts no other channel
// until it returns, so it waits until there is no connection to accept from.
func (p *Peer) refuseChannel(d *webrtc.DataChannel) {
	_ = d.Close() // before Pion opens it: then it is not read
	p.end(ErrPeerChannel)
	<-p.gone
}

// Accept takes the answer to the newest offer, which OfferPeer or Restart returned. A *Refused says
// what is wrong with it, and then the peer is as before.
func (p *Peer) Accept(ctx context.Context, answer string) error {
	p.signalling.Lock()
	defer p.signalling.Unlock()
	if p.over() {
		return p.ended()
	}
	wanted := p.Codecs()
	read, err := readAnswer(answer, p.g.agents, wanted)
	if err != nil {
		return err
	}
	if !p.accepted {
		l := newLine(read.codec, p.g.cfg.Now)
		l.failed = p.end
		l.setOutput(p.leg.track)
		p.leg.line = l
		p.leg.track.negotiated(read)
		p.line.Store(l)
	}
	if err := p.leg.accept(read, p.channel != nil); err != nil {
		return err
	}
	p.accepted = true
	return ctx.Err()
}

// Restart returns a new offer with another ICE session, for a connection that was lost. The old
// session carries the sound until Accept.
func (p *Peer) Restart(ctx context.Context) (offer string, err error) {
	return p.offerAgain(ctx, &webrtc.OfferOptions{ICERestart: true})
}

// Renegotiate returns a new offer with the same ICE session, for an agent that asked for one. Some
// agents, such as those of aiortc, cannot restart ICE.
func (p *Peer) Renegotiate(ctx context.Context) (offer string, err error) {
	return p.offerAgain(ctx, nil)
}

func (p *Peer) offerAgain(ctx context.Context, o *webrtc.OfferOptions) (offer string, err error) {
	p.signalling.Lock()
	defer p.signalling.Unlock()
	if p.over() {
		return "", p.ended()
	}
	return p.leg.offerNow(ctx, o)
}

// Trickle is Gateway.Trickle for a peer that was answered. Fragment.Call and Leg are not used.
func (p *Peer) Trickle(ctx context.Context, q Fragment) (Trickled, error) {
	f, err := p.g.readFragment(q)
	if err != nil {
		return Trickled{}, err
	}
	p.signalling.Lock()
	defer p.signalling.Unlock()
	if p.over() {
		return Trickled{}, refuse(CallEnded, "The connection has ended.")
	}
	return p.leg.trickle(ctx, q, f, p.over)
}

// start begins the peer's own goroutine.
func (p *Peer) start(l *leg) {
	p.leg = l
	go func() {
		defer p.g.removePeer(p)
		p.run()
	}()
}

// addPeer adds a peer when MaxPeers allows it. removePeer undoes it.
func (g *Gateway) addPeer(cfg PeerConfig) (*Peer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, refuse(ShuttingDown, "The gateway is being restarted; try again in a moment.")
	case len(g.peers) >= g.cfg.MaxPeers:
		return nil, refuse(Full, "This server carries as many agents as it can; try again in a moment.")
	}
	p := &Peer{
		g: g, cfg: cfg, wake: make(chan struct{}, 1), connected: make(chan struct{}), opened: make(chan struct{}),
		ending: make(chan struct{}), gone: make(chan struct{}),
	}
	g.peers[p] = true
	g.running.Add(1)
	return p, nil
}

func (g *Gateway) removePeer(p *Peer) {
	g.mu.Lock()
	delete(g.peers, p)
	g.mu.Unlock()
	g.running.Done()
}

// wakeRun makes run look again. It never blocks, so Pion's callbacks may call it.
func (p *Peer) wakeRun() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// end ends the peer; the first caller says why.
func (p *Peer) end(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.ending)
	})
}

// guard runs f, and ends the peer if it panics.
func (p *Peer) guard(what string, f func()) {
	if err := guarded(p.g.cfg.Log, p.cfg.ID, what, f); err != nil {
		p.end(err)
	}
}

func (p *Peer) over() bool {
	select {
	case <-p.ending:
		return true
	default:
		return false
	}
}

// ended returns why the peer ended, as the error of a request that comes too late.
func (p *Peer) ended() error {
	if p.err != nil {
		return p.err
	}
	return refuse(CallEnded, "The connection has ended.")
}

// run owns the timers of the peer until it ends.
func (p *Peer) run() {
	w := peerClock{cfg: &p.g.cfg, since: p.leg.since, rejoin: cmp.Or(p.cfg.RejoinWithin, p.g.cfg.RejoinWithin)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !p.over() {
		now := p.g.cfg.Now()
		v := w.check(p.leg.state(), p.leg.track.enabled.Load(), now)
		if v.connected {
			close(p.connected)
		}
		if v.settled {
			p.leg.startMedia()
		}
		if v.over {
			p.end(v.err)
			break
		}
		timer.Reset(v.next.Sub(now))
		select {
		case <-p.ending:
		case <-p.wake:
		case <-timer.C:
		}
	}
	if l := p.line.Load(); l != nil {
		close(l.over)
	}
	p.leg.close()
	close(p.gone)
}

// peerClock decides when a peer is connected and when it ends. It reads no clock.
type peerClock struct {
	cfg    *Config
	since  time.Time
	rejoin time.Duration // how long a lost connection may take to come back

	connected time.Time // when encryption was first established
	lost      time.Time // since when the agent is away; zero while it is connected
}

// peerVerdict is the result of check.
type peerVerdict struct {
	connected bool // for the first time
	settled   bool // the media may start although the agent is silent
	over      bool
	err       error     // why it is over
	next      time.Time // when to check again
}

func (w *peerClock) check(s legState, started bool, now time.Time) (v peerVerdict) {
	const idle = time.Hour // only a change of the state matters
	v.next = now.Add(idle)
	due := func(at time.Time, err error) {
		if v.next = at; !now.Before(at) {
			v.over, v.err = true, err
		}
	}
	switch s {
	case legConnected:
		w.lost = time.Time{}
		if v.connected = w.connected.IsZero(); v.connected {
			w.connected = now
		}
		if at := w.connected.Add(settleTime); started {
			break
		} else if v.settled = !now.Before(at); !v.settled {
			v.next = at
		}
	case legLost:
		if w.lost.IsZero() {
			w.lost = now
		}
		due(w.lost.Add(w.rejoin), ErrPeerLost)
	case legLeft:
		v.over = true
	default:
		due(w.since.Add(w.cfg.ConnectWithin), ErrPeerUnreached)
	}
	if v.over && w.connected.IsZero() {
		v.err = ErrPeerUnreached
	}
	return v
}

// Connected is closed when encryption is established for the first time.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Away reports whether the connection is lost at present. It may come back.
func (p *Peer) Away() bool { return p.leg.state() == legLost }

// Ended is closed when the peer has ended: then Err says why.
func (p *Peer) Ended() <-chan struct{} { return p.ending }

// Err returns nil before the end and when the agent closed the connection or Close was called, else
// ErrPeerUnreached, ErrPeerLost or ErrPeerChannel.
func (p *Peer) Err() error {
	if !p.over() {
		return nil
	}
	return p.err
}

// Wait waits until the peer is connected. Its error is that of ctx, or says why the peer has ended.
func (p *Peer) Wait(ctx context.Context) error {
	select {
	case <-p.connected:
		return nil
	case <-p.ending:
		return p.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Codecs returns the codec of the peer, or before it is known those that it may get.
func (p *Peer) Codecs() []Codec {
	if l := p.line.Load(); l != nil {
		return []Codec{l.codec}
	}
	return p.cfg.Codecs
}

// Send sends a packet of sound to the agent at once, like Line.Say. It allocates nothing. Before
// the codec is known the packet is lost.
func (p *Peer) Send(packet Packet) error {
	if l := p.line.Load(); l != nil {
		return l.Say(packet)
	}
	return nil
}

// Press sends a key press to the agent, like Line.Press.
func (p *Peer) Press(digit byte) error {
	if l := p.line.Load(); l != nil {
		return l.Press(digit)
	}
	return ErrNoKeys
}

// Attend calls f with each packet and key press of the agent, like Line.Attend. It may be called
// when the codec is known.
func (p *Peer) Attend(f func(Packet)) (leave func()) { return p.line.Load().Attend(f) }

// Opened is closed when the data channel is open, so that Text can send.
func (p *Peer) Opened() <-chan struct{} { return p.opened }

// Text sends a message on the data channel. It never waits: the error is ErrNoText when the channel
// is not open, or a slow reader lets too much wait.
func (p *Peer) Text(message string) error {
	if p.channel == nil || p.channel.ReadyState() != webrtc.DataChannelStateOpen ||
		p.channel.BufferedAmount()+uint64(len(message)) > textBacklog {
		return ErrNoText
	}
	if len(message) > MaxText {
		return fmt.Errorf("a text message has at most %d bytes", MaxText)
	}
	return p.channel.SendText(message)
}

// Quality is what was measured of the agent's side: In is from the agent, Out to it.
func (p *Peer) Quality() Quality {
	if l := p.line.Load(); l != nil {
		return l.quality()
	}
	return Quality{}
}

// Measure returns how the peer's leg sounded since the previous call of Measure; In is from the
// agent.
func (p *Peer) Measure() LegSample {
	p.sampling.Lock()
	defer p.sampling.Unlock()
	return p.sampler.next(p.Quality())
}

// Close ends the peer. It does not wait for the connection to be closed; Gateway.Close does.
func (p *Peer) Close() { p.end(nil) }
