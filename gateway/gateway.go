// Package gateway carries voice between a phone and an agent over WebRTC. It
// knows one UDP port, offers and answers, Opus packets and time; it refuses to
// know HTTP, SQL, rings and tenants. Nothing is decoded: what the phone says
// reaches the agent untouched, and the other way round.
//
// Start at Gateway.Answer. A call (call.go) is one goroutine that owns the
// timers and the end; a leg (leg.go) is one connection of the phone, replaced
// when the phone comes back on another network; a line (line.go) is the sound
// that the agent hears and says, and outlives the legs. Only this package and
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

	"github.com/pion/webrtc/v4"
)

// Config is all that a gateway needs to be told. Durations of 0 take the default.
type Config struct {
	UDPAddr       string             // host:port for all media; port 0 picks one
	TCPAddr       string             // ICE over TCP for networks that bar UDP; "" = none
	PublicIPs     []string           // our addresses as phones see them, when behind a NAT
	AllowLoopback bool               // phones on this machine: tests and dev mode; a loopback UDPAddr implies it
	AllowPrivate  bool               // phones on private networks may be knocked at
	ICEServers    func() []ICEServer // what phones are told of, asked for each answer; nil = none

	MaxCalls      int           // at once; default 1000
	ConnectWithin time.Duration // from answer to encrypted sound; default 20 s
	GreetWithin   time.Duration // the agent waits so long for the phone's first sound; default 3 s
	RejoinWithin  time.Duration // a lost phone may come back; default 20 s
	LeaveGrace    time.Duration // a phone that closed its leg may answer anew; default 1 s
	SilenceAfter  time.Duration // no RTP from the phone; default 60 s
	MaxDuration   time.Duration // of a call; default 60 min

	Now func() time.Time
	Log *slog.Logger
}

// ICEServer is a STUN or TURN server that phones should use.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// Offer is a phone's wish to carry a call.
type Offer struct {
	Call  string // whose sound this is
	Leg   string // who offers; only the same leg may answer a call again
	SDP   string
	Agent Agent       // converses from the first leg to the end of the call
	On    func(Event) // called in order on the call's own goroutine; it must not wait for this call
}

// Answer is what the phone gets back.
type Answer struct {
	SDP        string // with all our candidates: we never trickle
	ETag       string // of the ICE session, quoted as HTTP wants it (RFC 9725 4.3.1)
	ICEServers []ICEServer
}

// Trickled is what a trickle or an ICE restart gets back. Fragment is empty after
// a trickle (204); after a restart it holds our new ICE session, of ETag (200).
type Trickled struct {
	ETag, Fragment string
}

// CallInfo is one call that is up.
type CallInfo struct {
	Call, Leg string
	Connected bool // the agent is on the line
	Quality   Quality
}

// Gateway carries calls. New makes one; Close ends it.
type Gateway struct {
	cfg  Config
	port *port
	api  *webrtc.API
	cert certificates

	running sync.WaitGroup // one for each call and each Answer in flight

	mu       sync.Mutex // guards the rest
	calls    map[string]*call
	draining bool
	closed   bool
	empty    chan struct{} // closed and replaced when the last call ends
}

// New opens the port. It refuses a Config that lacks a part or cannot work.
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
		cfg.AllowLoopback = true // or no address would be left to answer with
	}
	logs := pionLogs{cfg.Log}
	p, err := openPort(cfg, logs)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	api, err := newAPI(cfg, p, logs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gateway: %w", err), p.close())
	}
	return &Gateway{
		cfg: cfg, port: p, api: api, cert: certificates{now: cfg.Now},
		calls: map[string]*call{}, empty: make(chan struct{}),
	}, nil
}

func (c *Config) setDefaults() {
	if c.ICEServers == nil {
		c.ICEServers = func() []ICEServer { return nil }
	}
	if c.MaxCalls <= 0 {
		c.MaxCalls = 1000
	}
	for _, d := range []struct {
		to *time.Duration
		is time.Duration
	}{
		{&c.ConnectWithin, 20 * time.Second}, {&c.GreetWithin, 3 * time.Second}, {&c.RejoinWithin, 20 * time.Second},
		{&c.LeaveGrace, time.Second}, {&c.SilenceAfter, time.Minute}, {&c.MaxDuration, time.Hour},
	} {
		if *d.to <= 0 {
			*d.to = d.is
		}
	}
}

// Addr is the UDP address the gateway listens on (the first, of several).
func (g *Gateway) Addr() net.Addr { return g.port.addr() }

// Check refuses an offer that Answer would refuse for what it says, and starts nothing.
func (g *Gateway) Check(sdp string) error {
	_, err := readOffer(sdp, g.reach())
	return err
}

// Answer joins the phone that made o to its call, and the call to o.Agent. The same
// leg may answer again: its old connection is replaced and the agent's
// conversation goes on; o.Agent and o.On are then ignored. Another leg is
// refused. Errors are *Refused, ctx's, or ours; after one, o.On is never called for a
// call that was not up before.
func (g *Gateway) Answer(ctx context.Context, o Offer) (Answer, error) {
	if o.Call == "" || o.Leg == "" || o.Agent == nil || o.On == nil {
		return Answer{}, errors.New("gateway: an offer needs Call, Leg, Agent and On")
	}
	read, err := readOffer(o.SDP, g.reach())
	if err != nil {
		return Answer{}, err
	}
	c, err := g.seat(o)
	if err != nil {
		return Answer{}, err
	}
	defer g.running.Done()
	c.signalling.Lock()
	defer c.signalling.Unlock()
	l, sdp, err := g.newLeg(ctx, c, read)
	if err != nil {
		g.unseat(c)
		return Answer{}, err
	}
	if err := g.start(c, l); err != nil {
		l.close()
		return Answer{}, err
	}
	return Answer{SDP: sdp, ETag: l.etag, ICEServers: g.cfg.ICEServers()}, nil
}

func (g *Gateway) reach() reach {
	return reach{loopback: g.cfg.AllowLoopback, private: g.cfg.AllowPrivate}
}

// seat returns the call of o, a new one when there is room, and counts the
// caller as running.
func (g *Gateway) seat(o Offer) (*call, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[o.Call]; c != nil {
		switch {
		case c.leg != o.Leg:
			return nil, refuse(AnsweredElsewhere, "Another device has answered this call.")
		case c.over():
			return nil, refuse(CallEnded, "The call has ended.")
		}
		g.running.Add(1)
		return c, nil
	}
	switch {
	case g.closed || g.draining:
		return nil, refuse(ShuttingDown, "The gateway is being restarted; answer again in a moment.")
	case len(g.calls) >= g.cfg.MaxCalls:
		return nil, refuse(Full, "All lines are busy; answer again in a moment.")
	}
	c := newCall(g, o)
	g.calls[o.Call] = c
	g.running.Add(1)
	return c, nil
}

// unseat gives up a call that never got a leg. Called with c.signalling held.
func (g *Gateway) unseat(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.running {
		c.end(ConnectTimeout) // whoever waits for signalling finds it over
		g.forget(c)
	}
}

// start gives c its newest leg, and its goroutine with the first one.
func (g *Gateway) start(c *call, l *leg) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.over() || g.closed || !c.join(l) {
		if !c.running {
			g.forget(c)
		}
		return refuse(CallEnded, "The call has ended.")
	}
	if !c.running {
		c.running = true
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			c.run()
			g.mu.Lock()
			defer g.mu.Unlock()
			g.forget(c)
		}()
	}
	return nil
}

// forget takes c off the list. Called with mu held.
func (g *Gateway) forget(c *call) {
	if g.calls[c.id] != c {
		return
	}
	delete(g.calls, c.id)
	if len(g.calls) == 0 {
		close(g.empty)
		g.empty = make(chan struct{})
	}
}

func (g *Gateway) find(id string) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[id]
}

// Trickle takes a fragment (application/trickle-ice-sdpfrag) for leg's connection:
// more candidates of its ICE session, or a whole new one (an ICE restart, which
// shows in a new user fragment). ifMatch is the request's If-Match. A refusal
// leaves the call as it was.
func (g *Gateway) Trickle(ctx context.Context, id, leg, ifMatch, text string) (Trickled, error) {
	c := g.find(id)
	switch {
	case c == nil:
		return Trickled{}, refuse(NoCall, "There is no such call here.")
	case c.leg != leg:
		return Trickled{}, refuse(AnsweredElsewhere, "Another device has answered this call.")
	case ifMatch == "":
		return Trickled{}, refuse(IfMatchMissing, "If-Match is missing; send the ETag of the answer, or * to restart ICE.")
	}
	f, err := readFragment(text, g.reach())
	if err != nil {
		return Trickled{}, err
	}
	c.signalling.Lock()
	defer c.signalling.Unlock()
	l := c.legNow()
	if l == nil || c.over() {
		return Trickled{}, refuse(CallEnded, "The call has ended.")
	}
	if ifMatch != "*" && ifMatch != l.etag {
		return Trickled{}, refuse(IfMatchStale, "If-Match names an earlier ICE session; send the newest ETag.")
	}
	if f.ufrag == l.remoteUfrag {
		return Trickled{}, l.trickle(f)
	}
	got, err := l.restart(ctx, f)
	if err != nil && c.over() {
		return Trickled{}, refuse(CallEnded, "The call has ended.")
	}
	return got, err
}

// HangUp ends a call. It does not wait; Ended is told to the call's Offer.On.
// A call that is not here is none of our business.
func (g *Gateway) HangUp(id string, reason EndReason) {
	if c := g.find(id); c != nil {
		c.end(reason)
	}
}

// Calls returns the calls that are up, in no order.
func (g *Gateway) Calls() []CallInfo {
	g.mu.Lock()
	calls := make([]*call, 0, len(g.calls))
	for _, c := range g.calls {
		calls = append(calls, c)
	}
	g.mu.Unlock()
	infos := make([]CallInfo, len(calls))
	for i, c := range calls {
		infos[i] = CallInfo{Call: c.id, Leg: c.leg, Connected: c.open.Load(), Quality: c.quality()}
	}
	return infos
}

// Drain takes no new calls and waits for those that are up. When ctx ends first
// they are hung up with Draining, and ctx's error is returned.
func (g *Gateway) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
	err := g.waitEmpty(ctx)
	if err != nil {
		g.endAll(Draining)
	}
	return err
}

func (g *Gateway) waitEmpty(ctx context.Context) error {
	for {
		g.mu.Lock()
		n, empty := len(g.calls), g.empty
		g.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Gateway) endAll(reason EndReason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.calls {
		c.end(reason)
	}
}

// Close ends every call, waits until nothing runs any more and closes the port.
// Closing again is fine.
func (g *Gateway) Close() error {
	g.mu.Lock()
	again := g.closed
	g.closed = true
	g.mu.Unlock()
	g.endAll(ShutDown)
	g.running.Wait()
	if again {
		return nil
	}
	return g.port.close()
}

// Healthy returns why the gateway cannot carry calls, or nil.
func (g *Gateway) Healthy() error {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return errClosed
	}
	return g.port.healthy()
}
