package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// gathersWithin is how long our own addresses may take to list.
	gathersWithin = 5 * time.Second
	// settles is how long after connecting a silent phone's leg is opened.
	settles = time.Second
	// closesWithin is how long a connection may take to close.
	closesWithin = 10 * time.Second
)

// errAway is what a leg's voice answers until it is open.
var errAway = errors.New("the phone is away")

// legState is what a call needs to know of a connection.
type legState int32

const (
	legConnecting legState = iota
	legConnected
	legLost // may come back by itself, by an ICE restart, or as another leg
	legLeft // the phone closed it
)

// leg is one connection of the phone. Its packets go to the call's line; Pion's
// callbacks only leave notes.
type leg struct {
	call  *call
	pc    *webrtc.PeerConnection
	voice *mouth
	ears  *webrtc.RTPSender // hears the phone's reports
	since time.Time

	// c.signalling guards these four.
	offer       *offer
	remoteUfrag string
	etag        string
	named       int // candidates of the present ICE session

	gathered chan struct{} // holds one token when gathering completed
	noting   sync.Mutex    // one change at a time
	now      atomic.Int32  // legState
	speaking atomic.Bool   // RTP has come

	mu      sync.Mutex // guards closed, and running.Add against Wait
	closed  bool
	running sync.WaitGroup // pumps and RTCP readers
}

// newLeg answers o and returns the connection, and the answer with all candidates.
func (g *Gateway) newLeg(ctx context.Context, c *call, o *offer) (*leg, string, error) {
	cert, err := g.cert.get()
	if err != nil {
		return nil, "", err
	}
	pc, err := g.api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{cert},
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
	if err != nil {
		return nil, "", fmt.Errorf("connection: %w", err)
	}
	l := &leg{
		call: c, pc: pc, voice: &mouth{}, since: g.cfg.Now(), offer: o, named: o.known,
		gathered: make(chan struct{}, 1),
	}
	l.remoteUfrag, _ = o.credentials()
	text, err := l.answer(ctx)
	if err != nil {
		l.close()
		return nil, "", err
	}
	return l, text, nil
}

// answer negotiates the leg's offer.
func (l *leg) answer(ctx context.Context) (string, error) {
	var err error
	if l.ears, err = l.pc.AddTrack(l.voice); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	l.listen()
	text, err := l.offer.text()
	if err != nil {
		return "", &Refused{Reason: BadOffer, Msg: "The offer cannot be read.", Err: err}
	}
	local, err := l.negotiate(ctx, text)
	if err != nil {
		return "", err
	}
	for _, r := range l.pc.GetReceivers() {
		l.own(func() { l.drain(r.Read) })
	}
	return l.offer.answer(local)
}

// listen turns Pion's callbacks into notes.
func (l *leg) listen() {
	l.pc.OnICEGatheringStateChange(func(s webrtc.ICEGatheringState) {
		if s == webrtc.ICEGatheringStateComplete {
			select {
			case l.gathered <- struct{}{}:
			default:
			}
		}
	})
	l.pc.OnConnectionStateChange(l.changed)
	l.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		l.open()
		l.own(func() { l.pump(t) })
	})
}

// changed notes what the connection is now, not what it was told of: Pion tells
// each change on a goroutine of its own, and the last to run may be of an earlier
// one. A phone that left must not be taken for one that is there.
func (l *leg) changed(webrtc.PeerConnectionState) {
	l.noting.Lock()
	defer l.noting.Unlock()
	switch l.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		l.now.Store(int32(legConnected))
	case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed:
		l.now.Store(int32(legLost))
	case webrtc.PeerConnectionStateClosed:
		l.now.Store(int32(legLeft))
	default:
		return
	}
	l.call.wakeRun()
}

// open lets sound out and reports in. It must not come before Pion has its own
// readers up: writing or reading early starts the encryption early, a packet that
// arrives meanwhile blocks it, and closing then waits for ever (seen in v4.2.26; in
// kind, pion/webrtc#1430). The phone's first packet shows that they are up; for a
// phone that sends none, settles after the connection will do.
func (l *leg) open() {
	if !l.voice.open.Swap(true) {
		l.own(func() { l.readReports(l.ears.Read) })
	}
}

// negotiate gives Pion a cut offer and returns our description once it holds all
// our candidates (RFC 9725 4.2: the server does not trickle).
func (l *leg) negotiate(ctx context.Context, text string) (string, error) {
	select {
	case <-l.gathered: // of the ICE session before
	default:
	}
	before := ""
	if d := l.pc.LocalDescription(); d != nil {
		before, _ = localICE(d.SDP)
	}
	err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text})
	if err != nil {
		return "", &Refused{Reason: BadOffer, Msg: "The offer's audio cannot be used; make it with a WebRTC library.", Err: err}
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", &Refused{Reason: UnsupportedMedia, Msg: "The offer's audio cannot be answered.", Err: err}
	}
	if err := l.pc.SetLocalDescription(answer); err != nil {
		return "", &Refused{Reason: UnsupportedMedia, Msg: "The offer's audio cannot be answered.", Err: err}
	}
	late := time.NewTimer(gathersWithin)
	defer late.Stop()
	for ctx.Err() == nil {
		complete := l.pc.ICEGatheringState() == webrtc.ICEGatheringStateComplete // before the text: it only grows
		local := l.pc.LocalDescription().SDP
		ufrag, named := localICE(local)
		if complete && named && ufrag != before {
			l.etag = `"` + rand.Text() + `"`
			return local, nil
		}
		select {
		case <-l.gathered:
		case <-late.C:
			return "", errors.New("no address to answer with")
		case <-ctx.Done():
		}
	}
	return "", ctx.Err()
}

// trickle adds candidates of the present ICE session. Called with c.signalling held.
func (l *leg) trickle(f fragment) error {
	if l.named += f.known; l.named > MaxCandidates {
		return refuse(TooLarge, fmt.Sprintf("More than %d candidates were named; a phone has a handful.", MaxCandidates))
	}
	for _, c := range f.candidates {
		// A candidate that cannot be used is passed over (RFC 9725 4.3.2).
		_ = l.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c, SDPMid: &l.offer.mid})
	}
	return nil
}

// restart begins the new ICE session of f on the same encryption. Until the new one
// connects, the old one carries on. Called with c.signalling held.
func (l *leg) restart(ctx context.Context, f fragment) (Trickled, error) {
	if f.pwd == "" {
		return Trickled{}, refuse(BadFragment, "The fragment has a new a=ice-ufrag but no a=ice-pwd.")
	}
	text, err := l.offer.restarted(f)
	if err != nil {
		return Trickled{}, err
	}
	local, err := l.negotiate(ctx, text)
	if err != nil {
		return Trickled{}, err
	}
	l.remoteUfrag, l.named = f.ufrag, f.known
	body, err := writeFragment(local)
	if err != nil {
		return Trickled{}, err
	}
	return Trickled{ETag: l.etag, Fragment: body}, nil
}

func (l *leg) state() legState { return legState(l.now.Load()) }

// own runs f on a goroutine that close waits for.
func (l *leg) own(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.running.Add(1)
	go func() {
		defer l.running.Done()
		f()
	}()
}

// close closes the connection and waits for all that it ran, but not for ever: a
// call ends though its connection should hang in Pion (see open).
func (l *leg) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.pc.GracefulClose() // nothing is left to do about a close that fails
		l.running.Wait()
	}()
	stuck := time.NewTimer(closesWithin)
	defer stuck.Stop()
	select {
	case <-done:
	case <-stuck.C:
		l.call.g.cfg.Log.Error("connection does not close", "ring", l.call.id)
	}
}

// pump brings one source's sound to the line, from the phone's first packet on.
func (l *leg) pump(t *webrtc.TrackRemote) {
	buf := make([]byte, 1500)
	payloadType := uint8(t.PayloadType())
	for {
		n, _, err := t.Read(buf)
		if errors.Is(err, io.EOF) || n == 0 && err != nil {
			return
		}
		p, pt, ok := readRTP(buf[:n])
		if err != nil || !ok || pt != payloadType || len(p.Payload) == 0 {
			continue // comfort noise, padding, or a payload type never agreed on
		}
		p.At = l.call.g.cfg.Now()
		l.call.line.take(p)
		if !l.speaking.Load() {
			l.speaking.Store(true)
			l.call.wakeRun()
		}
	}
}

// rtcpReader is how Pion hands out RTCP.
type rtcpReader func([]byte) (int, interceptor.Attributes, error)

// readReports notes what the phone says about the sound it gets.
func (l *leg) readReports(read rtcpReader) {
	buf := make([]byte, 1500)
	for {
		n, _, err := read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				l.reported(p.Reports)
			case *rtcp.ReceiverReport:
				l.reported(p.Reports)
			}
		}
	}
}

func (l *leg) reported(reports []rtcp.ReceptionReport) {
	for _, r := range reports {
		if r.SSRC == l.voice.ssrc() {
			l.call.line.mu.Lock()
			l.call.line.meter.report(r, time.Now()) // Pion stamps its reports by this clock
			l.call.line.mu.Unlock()
		}
	}
}

// drain reads RTCP so that Pion's reports see it.
func (l *leg) drain(read rtcpReader) {
	buf := make([]byte, 1500)
	for {
		if _, _, err := read(buf); err != nil {
			return
		}
	}
}

// mouth is our side of a leg's sound: a webrtc.TrackLocal that writes with nothing
// copied or pooled on the way.
type mouth struct {
	open atomic.Bool // sound may go out

	mu  sync.Mutex // guards the rest
	out webrtc.TrackLocalWriter
	id  webrtc.SSRC
	pt  webrtc.PayloadType
}

func (m *mouth) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, c := range t.CodecParameters() {
		if strings.EqualFold(c.MimeType, webrtc.MimeTypeOpus) {
			m.mu.Lock()
			m.out, m.id, m.pt = t.WriteStream(), t.SSRC(), c.PayloadType
			m.mu.Unlock()
			return c, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

func (m *mouth) Unbind(webrtc.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out = nil
	return nil
}

func (m *mouth) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if !m.open.Load() {
		return 0, errAway
	}
	m.mu.Lock()
	out := m.out
	h.SSRC, h.PayloadType = uint32(m.id), uint8(m.pt)
	m.mu.Unlock()
	if out == nil {
		return 0, errAway
	}
	return out.WriteRTP(h, payload)
}

func (m *mouth) ssrc() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint32(m.id)
}

func (m *mouth) ID() string                { return "voice" }
func (m *mouth) RID() string               { return "" }
func (m *mouth) StreamID() string          { return "carillon" }
func (m *mouth) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
