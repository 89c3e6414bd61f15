// Package gateway carries voice between a phone and an agent over WebRTC. It knows one UDP port,
// offers and answers, packets of sound and time. It does not know HTTP, SQL, rings or tenants.
// Sound is never decoded: a call has one codec that phone and agent both speak (plan.go), the
// packets of the phone reach the agent unchanged, and the agent's reach the phone.
//
// Start at Gateway.Answer. A call (call.go) is one goroutine that owns the timers and the end. A
// leg (leg.go) is one connection of the phone; another one replaces it when the phone returns on
// another network. A line (line.go) carries the sound between agent and phone, and outlives the
// legs. A Peer (peer.go) is a connection of an agent that speaks WebRTC. Only this package and
// phonetest import Pion.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Config configures a gateway. UDPAddr, Now and Log are needed; numbers and durations of 0 mean the
// default.
type Config struct {
	UDPAddr string // host:port for all media; port 0 picks one
	TCPAddr string // ICE over TCP for networks that block UDP; "" = none
	// ListenTCP wraps the TCP listener, to bound its connections and to go on when accepting one
	// fails; nil = as it is.
	ListenTCP     func(net.Listener) net.Listener
	PublicIPs     []string           // our addresses as phones see them, when behind a NAT
	AllowLoopback bool               // phones on this machine: tests and dev mode; a loopback UDPAddr implies it
	AllowPrivate  bool               // we may send first to phones on private networks
	ICEServers    func() []ICEServer // sent to phones, called for each answer; nil = none

	// AgentTargets are private addresses at which agents may be, besides all public ones.
	AgentTargets []netip.Prefix

	MaxCalls      int           // calls at the same time; default 1000
	MaxPeers      int           // connections of agents at the same time; default twice MaxCalls
	ConnectWithin time.Duration // from answer to encrypted sound; default 20 s
	GreetWithin   time.Duration // how long the agent waits for the phone's first sound; default 3 s
	RejoinWithin  time.Duration // how long a lost phone may take to return; default 20 s
	LeaveGrace    time.Duration // how long a phone that closed its leg may take to answer again; default 1 s
	SilenceAfter  time.Duration // a call without RTP from the phone ends; default 60 s
	MaxDuration   time.Duration // of a call; default 60 min
	WarnBefore    time.Duration // how long before MaxDuration the agent is warned; default 1 min
	OneWayAfter   time.Duration // one side silent for this long while the other talks is OneWay; default 3 s
	SampleEvery   time.Duration // between two Sampled events of a call; default 5 s

	Now func() time.Time
	Log *slog.Logger
}

// ICEServer is a STUN or TURN server that phones should use.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// Offer is a phone's request to join a call.
type Offer struct {
	Call  string // id of the call
	Leg   string // id of the device; only the same leg may answer a call again
	SDP   string
	Agent Agent // converses from the first leg to the end of the call
	Tap   Tap   // gets the sound of both directions; nil = nobody
	// Decide says whether the call begins, or goes on with another leg, and who converses and
	// listens if it begins; Agent then only says the codecs. It is called once, after the offer and
	// our limits were checked, while the connection is made. Its error is returned, and the
	// connection thrown away. It must not wait for this call. nil = it does, with Agent and Tap.
	Decide func() (Agent, Tap, error)
	On     func(Event) // called in order on the call's own goroutine; it must not wait for this call
}

// Answer is the gateway's answer to an Offer.
type Answer struct {
	SDP        string // with all our candidates: we never trickle
	ETag       string // of the ICE session, quoted as in HTTP (RFC 9725 4.3.1)
	ICEServers []ICEServer
}

// Fragment is a phone's request about the ICE session of its leg.
type Fragment struct {
	Call, Leg string
	IfMatch   string       // the request's If-Match header
	SDP       string       // of type application/trickle-ice-sdpfrag (RFC 8840 9)
	Restart   func() error // asked before ICE is restarted, and its error is returned; nil = always yes
}

// Trickled is the answer to a trickle or an ICE restart. After a trickle Fragment is empty (204).
// After a restart it holds our new ICE session, whose ETag is ETag (200).
type Trickled struct {
	ETag, Fragment string
}

// CallInfo is one running call.
type CallInfo struct {
	Call, Leg string
	Codec     Codec
	Connected bool // the person can hear
	Quality   Quality
}

// Gateway carries calls. New makes one; Close ends it.
type Gateway struct {
	cfg  Config
	port *port
	apis [numCodecs]*factory
	cert certificates

	offering *factory // of peers that offer

	reach   reach               // to phones
	agents  reach               // to agents that we offer to
	notices [numCodecs][][]byte // played before Drain ends a call; nil = none in this codec

	running sync.WaitGroup // one for each call, each Peer and each Answer in flight

	mu       sync.Mutex // guards the rest
	calls    map[string]*call
	deciding int // calls that are not in calls yet: Offer.Decide is asked
	peers    map[*Peer]bool
	draining bool
	closed   bool
	empty    chan struct{} // closed and replaced when the last call ends
}

// New opens the ports. It refuses a Config without UDPAddr, Now or Log, a public address that is no
// IP address, and an address that it cannot listen on.
func New(cfg Config) (*Gateway, error) {
	if cfg.Now == nil || cfg.Log == nil || cfg.UDPAddr == "" {
		return nil, errors.New("gateway: UDPAddr, Now and Log are needed")
	}
	for _, ip := range cfg.PublicIPs {
		if _, err := netip.ParseAddr(ip); err != nil {
			return nil, fmt.Errorf("gateway: public address %q is no IP address", ip)
		}
	}
	cfg.setDefaults()
	if a, err := netip.ParseAddrPort(cfg.UDPAddr); err == nil && a.Addr().IsLoopback() {
		cfg.AllowLoopback = true // otherwise the answer would have no address
	}
	logs := pionLogs{cfg.Log}
	p, err := openPort(cfg, logs)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	notices, err := readNotices()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), p.close())
	}
	r, err := newReach(cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), p.close())
	}
	apis, err := newAPIs(cfg, p, r, logs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), p.close())
	}
	agents := r.toAgents(cfg.AgentTargets)
	offering, err := newOfferingAPI(cfg, agents, logs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), p.close())
	}
	return &Gateway{
		cfg: cfg, port: p, apis: apis, offering: offering, cert: certificates{now: cfg.Now}, reach: r, agents: agents,
		notices: notices, calls: map[string]*call{}, peers: map[*Peer]bool{}, empty: make(chan struct{}),
	}, nil
}

func (c *Config) setDefaults() {
	if c.ICEServers == nil {
		c.ICEServers = func() []ICEServer { return nil }
	}
	if c.MaxCalls <= 0 {
		c.MaxCalls = 1000
	}
	if c.MaxPeers <= 0 {
		c.MaxPeers = 2 * c.MaxCalls
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.ConnectWithin, 20 * time.Second}, {&c.GreetWithin, 3 * time.Second}, {&c.RejoinWithin, 20 * time.Second},
		{&c.LeaveGrace, time.Second}, {&c.SilenceAfter, time.Minute}, {&c.MaxDuration, time.Hour},
		{&c.WarnBefore, time.Minute}, {&c.OneWayAfter, 3 * time.Second}, {&c.SampleEvery, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
}

// Addr returns the UDP address the gateway listens on, the first if there are several.
func (g *Gateway) Addr() net.Addr { return g.port.addr() }

// Check returns the error that Answer would return for the text of an offer that begins a call of
// an agent with these codecs; nil = any. It starts nothing.
func (g *Gateway) Check(sdp string, wanted []Codec) error {
	o, err := readOffer(sdp, g.reach)
	if err != nil || wanted == nil {
		return err
	}
	return o.choose(wanted, agentSpeaks)
}

// agentSpeaks begins the part of a refusal that names the codecs of an agent.
const agentSpeaks = "the agent of this call speaks"

// removeCall removes c from g.calls. Called with mu held.
func (g *Gateway) removeCall(c *call) {
	if g.calls[c.id] != c {
		return
	}
	delete(g.calls, c.id)
	if len(g.calls) == 0 {
		close(g.empty)
		g.empty = make(chan struct{})
	}
}

func (g *Gateway) findCall(id string) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[id]
}

// Trickle accepts a fragment for the connection of a leg. It holds more candidates of the present
// ICE session, or a new ICE session (an ICE restart), which has a new user fragment. A refusal does
// not change the call.
func (g *Gateway) Trickle(ctx context.Context, p Fragment) (Trickled, error) {
	c := g.findCall(p.Call)
	switch {
	case c == nil:
		return Trickled{}, refuse(NoCall, "There is no such call here.")
	case c.leg != p.Leg:
		return Trickled{}, refuse(AnsweredElsewhere, "Another device has answered this call.")
	}
	f, err := g.readFragment(p)
	if err != nil {
		return Trickled{}, err
	}
	c.signalling.Lock()
	defer c.signalling.Unlock()
	l := c.legNow()
	if l == nil || c.over() {
		return Trickled{}, refuse(CallEnded, "The call has ended.")
	}
	return l.trickle(ctx, p, f, c.over)
}

func (g *Gateway) readFragment(p Fragment) (fragment, error) {
	if p.IfMatch == "" {
		return fragment{}, refuse(IfMatchMissing, "If-Match is missing; send the ETag of the answer, or * to restart ICE.")
	}
	return readFragment(p.SDP, g.reach)
}

// HangUp ends a call. It does not wait: Offer.On gets the Ended event later. If the call has not
// begun, its Answer is refused instead; see EndOf. It ignores an unknown call, which is also one
// whose Offer.Decide has not returned.
func (g *Gateway) HangUp(id string, reason EndReason) {
	if c := g.findCall(id); c != nil {
		c.end(reason)
	}
}

// CodecOf returns the codec of a running call; false = there is none.
func (g *Gateway) CodecOf(call string) (Codec, bool) {
	if c := g.findCall(call); c != nil {
		return c.codec, true
	}
	return 0, false
}

// Calls returns the running calls, in no order.
func (g *Gateway) Calls() []CallInfo {
	g.mu.Lock()
	calls := make([]*call, 0, len(g.calls))
	for _, c := range g.calls {
		calls = append(calls, c)
	}
	g.mu.Unlock()
	infos := make([]CallInfo, len(calls))
	for i, c := range calls {
		infos[i] = CallInfo{Call: c.id, Leg: c.leg, Codec: c.codec, Connected: c.audible.Load(), Quality: c.quality()}
	}
	return infos
}

func (g *Gateway) endAll(reason EndReason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		c.end(reason)
	}
}

func (g *Gateway) endPeers() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.peers {
		p.end(errClosed)
	}
}

// Close ends every call, waits for all goroutines and closes the ports. Later calls do nothing.
func (g *Gateway) Close() error {
	g.mu.Lock()
	again := g.closed
	g.closed = true
	g.mu.Unlock()
	g.endAll(ShutDown)
	g.endPeers()
	g.running.Wait()
	if again {
		return nil
	}
	return g.port.close()
}

// Healthy returns nil, or why the gateway cannot carry calls.
func (g *Gateway) Healthy() error {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return errClosed
	}
	return g.port.healthy()
}
