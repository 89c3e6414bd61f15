package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"carillon/app/outbound"
	"carillon/gateway"
)

const (
	// answerMost is the longest answer that we read of an agent's service, in bytes.
	answerMost = 256 << 10
	// requestMost is how long a request to an agent's service may take in any case. Attaching has a
	// deadline that is shorter.
	requestMost = 30 * time.Second
	// goodbyeWithin is how long telling a service that the call is over may take.
	goodbyeWithin = 3 * time.Second
)

// dialledCodecs are those that OpenAI and pipecat have, the best first.
var dialledCodecs = []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.PCMA}

// Peers makes the connections for sound: a *gateway.Gateway.
type Peers interface {
	OfferPeer(context.Context, gateway.PeerConfig) (p *gateway.Peer, offer string, err error)
}

// DialledConfig is what Dialled needs. All are required.
type DialledConfig struct {
	Peers     Peers
	Dialer    *outbound.Dialer // for addresses of tenants
	OpenAI    *outbound.Dialer // for OpenAIURL, which the operator chose
	OpenAIURL string           // such as https://api.openai.com/v1
	Log       *slog.Logger
}

// Dialled opens agents that we call over WebRTC: those of the kinds openai and pipecat. Close it
// when no call uses it any more.
type Dialled struct {
	cfg    DialledConfig
	bots   *http.Client
	openai *http.Client

	mu      sync.Mutex // guards closed, and running.Add against Wait
	closed  bool
	running sync.WaitGroup // goodbyes
}

// NewDialled returns a Dialled.
func NewDialled(c DialledConfig) *Dialled {
	return &Dialled{cfg: c, bots: c.Dialer.Client(requestMost), openai: c.OpenAI.Client(requestMost)}
}

// Close waits for goodbyes under way, and closes idle connections.
func (d *Dialled) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.running.Wait()
	d.bots.CloseIdleConnections()
	d.openai.CloseIdleConnections()
}

// later runs f, which tells a service that a call is over, without making the call wait.
func (d *Dialled) later(f func(context.Context)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.running.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeWithin)
		defer cancel()
		_ = safely(d.cfg.Log, func() error { f(ctx); return nil }) // the log has it
	})
}

// service is what one kind of far end does in its own way.
type service interface {
	// offer sends our offer and returns the answer. Its error is a *Failure.
	offer(ctx context.Context, sdp string) (answer string, err error)
	// tend does what the service needs during a call, until ctx is done.
	tend(ctx context.Context, p *gateway.Peer, l gateway.Line)
	// text gets the messages of the data channel. It must not wait.
	text(message string)
	// again returns how long the service may take to come back when the connection was lost, or
	// false: the call then goes to the next agent.
	again() (time.Duration, bool)
	// bye tells the service that the call is over. It must not wait.
	bye()
}

// dialled is an agent that we call, in one call. service is its kind.
type dialled struct {
	owner   *Dialled
	service service
	channel string        // label of the data channel
	within  time.Duration // to attach again during the call
	rejoin  time.Duration // how long a lost connection may take to come back; 0 = as the gateway says
	call    Call

	mu    sync.Mutex // guards the rest
	peer  *gateway.Peer
	codec *gateway.Codec // of the line; nil until it is known
	why   error          // set by fail
}

// Codecs returns what the service has. The codec of the connection comes first, once there is one.
func (a *dialled) Codecs() []gateway.Codec {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peer == nil {
		return dialledCodecs
	}
	all := slices.Clone(a.peer.Codecs())
	for _, c := range dialledCodecs {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// Tune says which codec the line has, so that only that is offered. Converse replaces a connection
// with another one.
func (a *dialled) Tune(c gateway.Codec) (attached bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codec = &c
	return true
}

// Attach makes the connection: it ends when sound can flow.
func (a *dialled) Attach(ctx context.Context) error {
	a.mu.Lock()
	codecs := dialledCodecs
	if a.codec != nil {
		codecs = []gateway.Codec{*a.codec}
	}
	a.mu.Unlock()
	p, offer, err := a.owner.cfg.Peers.OfferPeer(ctx, gateway.PeerConfig{
		ID: string(a.call.Ring), Codecs: codecs, Channel: a.channel, Text: a.hear, RejoinWithin: a.rejoin,
	})
	if err != nil {
		return failedHere(err)
	}
	if err := a.connect(ctx, p, offer); err != nil {
		p.Close()
		a.service.bye()
		return err
	}
	a.mu.Lock()
	a.peer = p
	a.mu.Unlock()
	return nil
}

// connect has the offer answered and waits until sound can flow.
func (a *dialled) connect(ctx context.Context, p *gateway.Peer, offer string) error {
	answer, err := a.service.offer(ctx, offer)
	if err != nil {
		return err
	}
	if err := p.Accept(ctx, answer); err != nil {
		return badAnswer(err)
	}
	if err := p.Wait(ctx); errors.Is(err, gateway.ErrPeerChannel) {
		return &Failure{Cause: err.Error(), Err: err}
	} else if err != nil {
		return &Failure{Err: err,
			Cause: "it answered, but no connection for sound came about: it left before, or UDP does not pass " +
				"between its server and this one"}
	}
	return nil
}

// failedHere is the failure of this server to make a connection.
func failedHere(err error) error {
	var r *gateway.Refused
	if errors.As(err, &r) {
		return &Failure{Cause: r.Msg, Err: err}
	}
	return &Failure{Cause: "this server could not make a connection; its log says more", Err: err}
}

func badAnswer(err error) error {
	var r *gateway.Refused
	if errors.As(err, &r) {
		return &Failure{Cause: "its answer to our offer cannot be used: " + r.Msg, Err: err}
	}
	return &Failure{Cause: "its answer to our offer cannot be used", Err: err}
}

// Converse joins the agent and the line. A connection that is lost may come back.
func (a *dialled) Converse(ctx context.Context, l gateway.Line) error {
	defer a.service.bye()
	p := a.present()
	if p == nil {
		return errNotAttached
	}
	if !slices.Contains(p.Codecs(), l.Codec()) { // attached while the phone rang, and it has another one
		p.Close()
		a.service.bye()
		if err := a.attachAgain(ctx, l, a.within); err != nil {
			return err
		}
		p = a.present()
	}
	for {
		err := a.talk(ctx, p, l)
		within, again := a.service.again()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case a.failure() != nil:
			return a.failure()
		case err == nil:
			return nil
		case errors.Is(err, gateway.ErrPeerChannel):
			return &Failure{Cause: err.Error(), Err: err}
		case !again || !errors.Is(err, gateway.ErrPeerLost):
			return &Failure{Err: err,
				Cause: "the connection for sound to the agent was lost and did not come back; check its server and network"}
		}
		if err := a.attachAgain(ctx, l, within); err != nil {
			return err
		}
		p = a.present()
	}
}

// attachAgain attaches during the call, in the codec of the line. The person hears nothing
// meanwhile, so it has a time of its own. Its error is a *Failure.
func (a *dialled) attachAgain(ctx context.Context, l gateway.Line, within time.Duration) error {
	a.Tune(l.Codec())
	soon, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return a.Attach(soon)
}

// talk carries sound over one connection until it ends.
func (a *dialled) talk(ctx context.Context, p *gateway.Peer, l gateway.Line) error {
	own, stop := context.WithCancel(ctx)
	var tending sync.WaitGroup
	tending.Go(func() { a.guard(func() { a.service.tend(own, p, l) }) })
	err := p.Converse(ctx, l)
	stop()
	tending.Wait()
	return err
}

func (a *dialled) present() *gateway.Peer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peer
}

// Measure measures the present connection.
func (a *dialled) Measure() gateway.LegSample {
	if p := a.present(); p != nil {
		return p.Measure()
	}
	return gateway.LegSample{}
}

// hangUp ends the connection as the agent does that hangs up.
func (a *dialled) hangUp() {
	if p := a.present(); p != nil {
		p.Close()
	}
}

// fail ends the connection: the agent cannot talk, although it is connected.
func (a *dialled) fail(why error) {
	a.mu.Lock()
	if a.why == nil {
		a.why = why
	}
	a.mu.Unlock()
	a.hangUp()
}

// guard runs f, and fails the agent when it panics.
func (a *dialled) guard(f func()) {
	if err := safely(a.owner.cfg.Log, func() error { f(); return nil }); err != nil {
		a.fail(err)
	}
}

// hear gets the messages of the data channel, on a goroutine of Pion.
func (a *dialled) hear(message string) { a.guard(func() { a.service.text(message) }) }

func (a *dialled) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.why
}

// Close ends the connection of an agent that has never talked.
func (a *dialled) Close() {
	a.hangUp()
	a.service.bye()
}

// post asks a service over HTTP, and returns the status and the body, which is cut at answerMost.
// If only the body could not be read, there is a res beside the error.
func post(client *http.Client, r *http.Request) (res *http.Response, body []byte, err error) {
	r.Header.Set("User-Agent", "Carillon")
	res, err = client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, answerMost))
	return res, body, err
}

// sendWhenOpen sends a message once the data channel is open. It gives up when ctx is done.
func sendWhenOpen(ctx context.Context, p *gateway.Peer, message string) {
	select {
	case <-p.Opened():
		_ = p.Text(message) // a far end that lets so much wait does not read this either
	case <-ctx.Done():
	}
}

// answered begins the cause of a refusal.
func answered(who string, status int) string { return fmt.Sprintf("%s answered %d: ", who, status) }
