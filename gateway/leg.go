package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// gatherTimeout is how long the listing of our own addresses may take.
	gatherTimeout = 5 * time.Second
	// settleTime is how long after connecting the media of a silent phone's leg starts.
	settleTime = time.Second
	// closeTimeout is how long a connection may take to close.
	closeTimeout = 10 * time.Second
)

// errPhoneAway is the error of outTrack.WriteRTP until the leg is open.
var errPhoneAway = errors.New("the phone is away")

// legState is the state of a leg's connection.
type legState int32

const (
	legConnecting legState = iota
	legConnected
	legLost // may return by itself, by an ICE restart, or as another leg
	legLeft // the other side closed it
)

// leg is one connection of a phone, or of an agent (peer.go). Its packets go to a line. Pion's
// callbacks only store the new state and wake the owner, which is the call or the Peer.
type leg struct {
	g     *Gateway
	id    string // of the ring, for the log
	line  *line  // set before packets can come
	wake  func() // the state has changed; it never blocks
	pc    *webrtc.PeerConnection
	track *outTrack
	since time.Time

	// The signalling lock of the owner guards these five.
	offer       *offer // what the other side offered, or answered
	remoteUfrag string
	etag        string
	probes      probes // of the present ICE session
	restarting  bool   // our newest offer began another ICE session

	gathered  chan struct{} // holds one token when gathering completed
	stateMu   sync.Mutex    // one state change at a time
	connState atomic.Int32  // a legState
	dialled   bool          // we offered to an agent
	proven    atomic.Bool   // the other side has connected: it is where it says
	hasSound  atomic.Bool   // the phone has sent RTP
	broken    atomic.Bool   // one of its readers panicked

	reportMu sync.Mutex // guards reported
	reported reported

	done chan struct{} // closed by close

	mu      sync.Mutex // guards closed and sources, and running.Add against Wait
	closed  bool
	sources map[uint32]*inbound // that Pion has not reported yet, by their SSRC
	running sync.WaitGroup      // the leg's own goroutines
}

// newLeg returns a leg of api that is not connected yet.
func (g *Gateway) newLeg(api *factory, l *leg) (*leg, error) {
	cert, err := g.cert.get()
	if err != nil {
		return nil, err
	}
	l.g, l.since, l.gathered = g, g.cfg.Now(), make(chan struct{}, 1)
	l.done, l.sources = make(chan struct{}), map[uint32]*inbound{}
	l.pc, err = api.connect(webrtc.Configuration{
		Certificates: []webrtc.Certificate{cert},
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}, l.newBuffer)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	return l, nil
}

// answerLeg answers o and returns the connection, and the answer with all candidates.
func (g *Gateway) answerLeg(ctx context.Context, id string, to *line, wake func(), o *offer) (*leg, string, error) {
	l, err := g.newLeg(g.apis[to.codec], &leg{
		id: id, line: to, wake: wake, offer: o, remoteUfrag: o.ufrag,
		track: &outTrack{codec: to.codec, format: o.format, events: o.events, level: o.level},
	})
	if err != nil {
		return nil, "", err
	}
	text, err := l.answer(ctx)
	if err != nil {
		l.close()
		return nil, "", err
	}
	return l, text, nil
}

// answer negotiates the leg's offer.
func (l *leg) answer(ctx context.Context) (string, error) {
	if _, err := l.pc.AddTrack(l.track); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	l.setCallbacks()
	text, err := l.offer.marshal()
	if err != nil {
		return "", fmt.Errorf("reduced offer: %w", err)
	}
	local, err := l.negotiate(ctx, text)
	if err != nil {
		return "", err
	}
	l.addCandidates(l.offer.candidates)
	return l.offer.answer(local)
}

// setCallbacks makes Pion report states and tracks to the leg.
func (l *leg) setCallbacks() {
	l.pc.OnICEGatheringStateChange(func(s webrtc.ICEGatheringState) {
		if s == webrtc.ICEGatheringStateComplete {
			select {
			case l.gathered <- struct{}{}:
			default:
			}
		}
	})
	l.pc.OnConnectionStateChange(l.stateChanged)
	l.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		l.startMedia()
		l.runOwned(func() { l.takeOver(t) })
	})
}

// stateChanged stores the present state of the connection, not its argument: Pion reports each
// change on a separate goroutine, so the last report to run may be an old one. A phone that has
// left must not look connected.
func (l *leg) stateChanged(webrtc.PeerConnectionState) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	switch l.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		l.proven.Store(true)
		l.connState.Store(int32(legConnected))
	case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed:
		l.connState.Store(int32(legLost))
	case webrtc.PeerConnectionStateClosed:
		l.connState.Store(int32(legLeft))
	default:
		return
	}
	l.wake()
}

// startMedia starts sending sound and reports. It must not run before Pion's own readers run:
// writing early starts the encryption early, a packet that arrives meanwhile blocks
// it, and closing then waits for ever (seen in v4.2.26; similar to pion/webrtc#1430). The phone's
// first packet shows that the readers run. For a phone that sends none, settleTime after connecting
// is enough.
func (l *leg) startMedia() {
	if !l.track.enabled.Swap(true) {
		l.runOwned(l.sendReports)
	}
}

// negotiate gives Pion a reduced offer and returns our description once it holds all our candidates
// (RFC 9725 4.2: the server does not trickle).
func (l *leg) negotiate(ctx context.Context, text string) (string, error) {
	before := l.beforeGathering()
	err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text})
	if err != nil {
		return "", fmt.Errorf("reduced offer: %w", err) // ours: readOffer accepted the phone's
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("create an answer: %w", err)
	}
	if err := l.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("use our answer: %w", err)
	}
	return l.gather(ctx, before)
}

// beforeGathering returns the user fragment of our ICE session, and forgets that it was gathered.
func (l *leg) beforeGathering() (ufrag string) {
	select {
	case <-l.gathered:
	default:
	}
	if d := l.pc.LocalDescription(); d != nil {
		ufrag, _ = localICE(d.SDP)
	}
	return ufrag
}

// gather returns our description once it has all candidates of an ICE session after the one before.
func (l *leg) gather(ctx context.Context, before string) (string, error) {
	late := time.NewTimer(gatherTimeout)
	defer late.Stop()
	for ctx.Err() == nil {
		// Read the state before the description, which may only gain candidates between the two,
		// and which Pion writes each time.
		if l.pc.ICEGatheringState() == webrtc.ICEGatheringStateComplete {
			local := l.pc.LocalDescription().SDP
			if ufrag, hasCandidates := localICE(local); hasCandidates && ufrag != before {
				l.etag = `"` + rand.Text() + `"`
				return local, nil
			}
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

// offerNow returns an offer with all our candidates.
func (l *leg) offerNow(ctx context.Context, o *webrtc.OfferOptions) (string, error) {
	before := l.beforeGathering()
	if o == nil || !o.ICERestart {
		before = ""
	}
	offer, err := l.pc.CreateOffer(o)
	if err != nil {
		return "", fmt.Errorf("create an offer: %w", err)
	}
	if err := l.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("use our offer: %w", err)
	}
	l.restarting = l.restarting || o != nil && o.ICERestart
	return l.gather(ctx, before)
}

// accept takes the answer o to our offer. Called with the owner's signalling lock held.
func (l *leg) accept(o *offer, channel bool) error {
	text, err := o.accepted(channel)
	if err != nil {
		return err
	}
	err = l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text})
	if err != nil {
		return &Refused{Reason: BadOffer, Msg: "The answer does not fit our offer.", Err: err}
	}
	// Another user fragment alone gives no new probes: each answer could name other strangers.
	if l.offer, l.remoteUfrag = o, o.ufrag; l.restarting {
		l.restarting, l.probes = false, probes{}
	}
	l.addCandidates(o.candidates)
	return nil
}

// addCandidates gives Pion the addresses of the other side that we check first. Called with the
// owner's signalling lock held, or before the leg is known to others.
func (l *leg) addCandidates(list []candidate) {
	ips := maxProbed
	if l.proven.Load() { // any IP address counts as its own
		ips = MaxCandidates
	} else if l.dialled {
		ips = maxProbedDialled
	}
	for _, c := range l.probes.add(list, ips) {
		// A candidate that Pion cannot use is ignored (RFC 9725 4.3.2).
		_ = l.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c.text, SDPMid: &l.offer.mid})
	}
}

// trickle accepts the fragment f, the body of p. Called with the owner's signalling lock
// held. over says whether the owner has ended.
func (l *leg) trickle(ctx context.Context, p Fragment, f fragment, over func() bool) (Trickled, error) {
	if p.IfMatch != "*" && p.IfMatch != l.etag {
		return Trickled{}, refuse(IfMatchStale, "If-Match names an earlier ICE session; send the newest ETag.")
	}
	if f.ufrag == l.remoteUfrag {
		l.addCandidates(f.candidates)
		return Trickled{}, nil
	}
	if p.Restart != nil {
		if err := p.Restart(); err != nil {
			return Trickled{}, err
		}
	}
	got, err := l.restart(ctx, f)
	switch {
	case err != nil && over():
		return Trickled{}, refuse(CallEnded, "The call has ended.")
	case err != nil && l.state() == legLeft:
		return Trickled{}, refuse(CallEnded, "This connection was closed by your side; it can only come back with a new offer.")
	}
	return got, err
}

// restart starts the new ICE session of f with the same encryption. The old session carries the
// sound until the new one connects. Called with the owner's signalling lock held.
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
	l.remoteUfrag, l.probes = f.ufrag, probes{}
	l.addCandidates(f.candidates)
	body, err := writeFragment(local)
	if err != nil {
		return Trickled{}, err
	}
	return Trickled{ETag: l.etag, Fragment: body}, nil
}

func (l *leg) state() legState {
	s := legState(l.connState.Load())
	if s == legConnected && l.broken.Load() {
		return legLost
	}
	return s
}

// runOwned runs f on a goroutine that close waits for. If it panics the connection counts as lost:
// a part of it does not run any more.
func (l *leg) runOwned(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.running.Add(1)
	go func() {
		defer l.running.Done()
		if guarded(l.g.cfg.Log, l.id, "a goroutine of a connection", f) != nil {
			l.breakOff()
		}
	}()
}

func (l *leg) breakOff() {
	l.broken.Store(true)
	l.wake()
}

// close closes the connection and waits for its goroutines, at most closeTimeout: a call must end
// even if its connection hangs in Pion (see startMedia).
func (l *leg) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.pc.GracefulClose() // an error here cannot be handled
		l.running.Wait()
	}()
	stuck := time.NewTimer(closeTimeout)
	defer stuck.Stop()
	select {
	case <-done:
	case <-stuck.C:
		l.g.cfg.Log.Error("connection does not close", "ring", l.id)
	}
}
