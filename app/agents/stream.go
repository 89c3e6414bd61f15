package agents

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"carillon/app/agents/dialect"
	"carillon/app/outbound"
	"carillon/gateway"
	"carillon/tenants"
)

// keysMost is how many keys that an agent presses may wait.
const keysMost = 32

// streamMemory is what the queues of all stream agents may hold together, in bytes. Each may have
// queueShare in any case.
const streamMemory = 64 << 20

// Streams opens agents that talk over a WebSocket. Close it when no call uses it any more.
type Streams struct {
	dialer *outbound.Dialer
	client *http.Client
	joins  *Joins
	now    func() time.Time
	log    *slog.Logger
	budget budget
}

// NewStreams returns Streams that connect with d, or whose agents connect to us and meet their
// calls at j.
func NewStreams(d *outbound.Dialer, j *Joins, now func() time.Time, log *slog.Logger) *Streams {
	return &Streams{dialer: d, client: d.Client(0), joins: j, now: now, log: log, budget: budget{most: streamMemory}}
}

// Close closes idle connections.
func (s *Streams) Close() { s.client.CloseIdleConnections() }

// open returns the agent of one call. token is the agent's secret, or nothing.
func (s *Streams) open(a tenants.Agent, token string, c Call) (Agent, error) {
	if a.Stream == nil {
		return nil, &Failure{Cause: "the agent has no address"}
	}
	if a.Stream.Direction == tenants.DirectionAttach && c.Ring == "" {
		return nil, errNoRing
	}
	speaks, ok := dialect.New(string(a.Stream.Dialect))
	if !ok {
		return nil, &Failure{Cause: fmt.Sprintf("the agent's dialect %q is not known", a.Stream.Dialect)}
	}
	return &streamAgent{streams: s, settings: *a.Stream, dialect: speaks, token: token, call: c}, nil
}

// streamAgent is a stream agent in one call.
type streamAgent struct {
	streams  *Streams
	settings tenants.StreamAgent
	dialect  dialect.Stream
	token    string
	call     Call
	conn     *socket // set by Attach
	talking  atomic.Pointer[stream]
}

// Codecs returns the codecs that the dialect's sound is, or can be converted to.
func (a *streamAgent) Codecs() []gateway.Codec { return encodingCodecs[a.dialect.Encoding()] }

// Attach connects to the agent's server, or waits for the agent.
func (a *streamAgent) Attach(ctx context.Context) (err error) {
	if a.settings.Direction == tenants.DirectionAttach {
		a.conn, err = a.streams.joins.takeConn(ctx, a.call.Ring)
		return err
	}
	a.conn, err = dial(ctx, a.streams.client, a.settings.URL, a.header())
	return err
}

// Converse carries sound until one side hangs up. Its error is a *Failure when the agent was lost.
func (a *streamAgent) Converse(ctx context.Context, l gateway.Line) error {
	if a.conn == nil {
		return errNotAttached
	}
	conn := a.conn
	a.conn = nil // run closes it
	s := newStream(a.streams, a.dialect, conn, l)
	a.talking.Store(s)
	defer a.talking.Store(nil)
	return s.run(ctx, a.description())
}

// Warn tells the agent that the call is about to end, where its dialect can say so.
func (a *streamAgent) Warn(_ gateway.Line, left time.Duration) {
	if s := a.talking.Load(); s != nil {
		s.out.put(dialect.Event{Kind: dialect.Warning, Left: left})
	}
}

// Gap tells the agent that the phone is away or back, where its dialect can say so. It hears
// silence meanwhile.
func (a *streamAgent) Gap(_ gateway.Line, away bool) {
	if s := a.talking.Load(); s != nil {
		s.out.put(dialect.Event{Kind: dialect.Gap, Away: away})
	}
}

// Measure returns how the agent's sound reached us. What it sent too late is rated as lost, because
// the person hears silence instead.
func (a *streamAgent) Measure() (l gateway.LegSample) {
	s := a.talking.Load()
	if s == nil {
		return l
	}
	queued, played, g := s.pacer.measure()
	l.Queued, l.Underruns, l.RoundTrip = queued, g.underruns, time.Duration(s.roundTrip.Load())
	if played > 0 {
		l.LossIn = float64(g.silence) / float64(g.silence+played)
		l.MOS = gateway.MOS(l.LossIn, l.RoundTrip, 0)
	}
	return l
}

var errNotAttached = errors.New("agents: the agent is not attached")

// Close closes the connection of an agent that has never talked.
func (a *streamAgent) Close() {
	if a.conn != nil {
		a.conn.close()
		a.conn = nil
	}
}

// header proves to the agent's server that we are who dials: X-Twilio-Signature as Twilio computes
// it (base64 of HMAC-SHA1 of the address), and our own, which also covers the time.
// https://www.twilio.com/docs/usage/security
func (a *streamAgent) header() http.Header {
	h := http.Header{}
	h.Set("User-Agent", "Carillon")
	if a.token == "" {
		return h
	}
	if a.settings.Dialect == tenants.Twilio {
		mac := hmac.New(sha1.New, []byte(a.token))
		mac.Write([]byte(a.settings.URL))
		h.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	at := strconv.FormatInt(a.streams.now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(a.token))
	mac.Write([]byte(at + "." + a.settings.URL))
	h.Set("Carillon-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

// description is what the agent learns about the call. The tenant's own parameters cannot replace
// ours.
func (a *streamAgent) description() *dialect.Call {
	parameters := maps.Clone(a.settings.Parameters)
	if parameters == nil {
		parameters = map[string]string{}
	}
	ring := a.call.Ring
	if ring == "" { // a visitor's call in the demo
		ring = tenants.NewID[tenants.RingID](a.streams.now())
	}
	for name, value := range map[string]string{
		"ring_id": string(ring), "reference": a.call.Reference, "person": a.call.Person,
		"agent": a.call.Agent, "caller": a.call.Caller, "call_token": a.streams.joins.Password(a.call.Tenant, ring),
	} {
		delete(parameters, name)
		if value != "" {
			parameters[name] = value
		}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return &dialect.Call{
		Tenant: string(a.call.Tenant), Ring: string(ring), Stream: hex.EncodeToString(id[:]), Parameters: parameters,
		Began: a.streams.now(),
	}
}

// stream is one connection to an agent's server during a call.
type stream struct {
	streams *Streams
	conn    *socket
	line    gateway.Line
	dialect dialect.Stream
	voice   *voice
	pacer   *pacer
	out     *outbox

	timeline timeline // only send uses the next four
	frames   dialect.Frames
	events   []dialect.Event
	packet   gateway.Packet

	digits  chan byte    // keys to press
	writing atomic.Int64 // when the present write began, in Unix nanoseconds; 0 = none
	ignored atomic.Int64 // frames that could not be read

	roundTrip atomic.Int64 // of the last ping, as a Duration
}

func newStream(s *Streams, d dialect.Stream, conn *socket, l gateway.Line) *stream {
	out, v := newOutbox(), newVoice(d.Encoding(), l.Codec())
	return &stream{
		streams: s, conn: conn, line: l, dialect: d, out: out, voice: v,
		pacer: newPacer(l, v, s.now, &s.budget, out.put), timeline: newTimeline(l.Codec(), s.now()),
		digits: make(chan byte, keysMost),
	}
}

// errAgentLeft says that the agent closed its connection as one hangs up.
var errAgentLeft = errors.New("the agent hung up")

// run carries the call until ctx is done (the call is over), the agent hangs up, or it is lost.
// run's own goroutine sends; the others read, play, press keys and watch.
func (s *stream) run(ctx context.Context, c *dialect.Call) error {
	open, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	play, stopPlaying := context.WithCancel(ctx)
	defer stopPlaying()
	var running sync.WaitGroup
	run := func(f func()) {
		running.Go(func() {
			if err := safely(s.streams.log, func() error { f(); return nil }); err != nil {
				cut(err)
			}
		})
	}
	// The connection is cut here, not by the context of each read and write, which would register
	// with the context for each frame.
	defer context.AfterFunc(open, func() { _ = s.conn.conn.CloseNow() })()
	run(func() { s.receive(cut) })
	run(func() { s.watch(open, cut) })
	run(func() {
		// The last words are played to the end although the agent has left.
		if err := s.pacer.run(play, s.line.Audible()); err != nil && play.Err() == nil {
			cut(err)
		}
	})
	run(func() { s.press(open) })
	run(func() { cutLate(ctx, open, cut) })
	err := s.send(ctx, open, c)
	if errors.Is(err, errAgentLeft) {
		s.pacer.finish()
	} else {
		stopPlaying()
	}
	s.conn.close() // before cut, which would cut off the goodbye
	cut(err)
	running.Wait()
	if n := s.ignored.Load(); n > 0 {
		s.streams.log.Warn("agent sent frames that could not be read", "ring", c.Ring, "frames", n)
	}
	switch {
	case errors.Is(err, errAgentLeft):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// cutLate cuts the connection closeWithin after the call is over: a server that does not read must
// not keep the agent on its line.
func cutLate(ctx, open context.Context, cut context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
	case <-open.Done():
		return
	}
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-timer.C:
		cut(ctx.Err())
	case <-open.Done():
	}
}

// press presses the keys that the agent asks for, which takes a moment each.
func (s *stream) press(open context.Context) {
	for {
		select {
		case digit := <-s.digits:
			_ = s.line.Press(digit) // a phone that takes no keys is no reason to end the call
		case <-open.Done():
			return
		}
	}
}

// ended is why the connection ended when a write or a ping failed: reading may find the reason a
// moment later, such as that the agent hung up.
func ended(open context.Context, otherwise error) error {
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-open.Done():
		return context.Cause(open)
	case <-timer.C:
		return otherwise
	}
}

// send sends what the phone says until the call or the connection is over.
func (s *stream) send(ctx, open context.Context, c *dialect.Call) error {
	if err := s.emit(open, dialect.Event{Kind: dialect.Start, Call: c}); err != nil {
		return err
	}
	defer s.line.Attend(s.hear)()
	// A select costs by the number of its channels, and this loop runs for each packet.
	defer context.AfterFunc(ctx, s.out.look)()
	defer context.AfterFunc(open, s.out.look)()
	timer := time.NewTimer(quietAfter)
	defer timer.Stop()
	for {
		if err := s.sendWaiting(open); err != nil {
			return err
		}
		frames, wait := s.timeline.due(s.streams.now())
		if err := s.sendSilence(open, frames); err != nil {
			return err
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.out.wake:
		}
		switch {
		case s.out.full.Load():
			return &Failure{Cause: errNotReading.Error()}
		case open.Err() != nil:
			return context.Cause(open)
		case ctx.Err() != nil:
			soon, cancel := context.WithTimeout(open, closeWithin)
			defer cancel()
			return s.emitWithin(soon, soon, dialect.Event{Kind: dialect.Stop})
		}
	}
}

// hear gets each packet of the phone.
func (s *stream) hear(p gateway.Packet) {
	if p.Digit != 0 {
		s.out.put(dialect.Event{Kind: dialect.Digit, Digit: p.Digit})
		return
	}
	s.out.hear(p)
}

// sendWaiting sends everything in the outbox.
func (s *stream) sendWaiting(open context.Context) error {
	for {
		heard, events := s.out.take(&s.packet, s.events)
		s.events = events
		for _, e := range events {
			if err := s.emit(open, e); err != nil {
				return err
			}
		}
		if !heard {
			return nil
		}
		missing, ok := s.timeline.place(s.packet)
		if !ok {
			continue
		}
		if err := s.sendSilence(open, int(missing/gateway.Frame)); err != nil {
			return err
		}
		if err := s.sendSound(open, s.packet.Payload); err != nil {
			return err
		}
	}
}

func (s *stream) sendSilence(open context.Context, frames int) error {
	for range frames {
		at := s.timeline.advance(int(s.line.Codec().FrameTicks())) // one byte a tick
		if err := s.emit(open, dialect.Event{Kind: dialect.Sound, Sound: s.voice.silence, At: at}); err != nil {
			return err
		}
	}
	return nil
}

// sendSound sends a packet of the phone.
func (s *stream) sendSound(open context.Context, payload []byte) error {
	at := s.timeline.advance(len(payload))
	return s.emit(open, dialect.Event{Kind: dialect.Sound, Sound: s.voice.toAgent(payload), At: at})
}

// emit writes the frames of one event. watch limits how long that takes.
func (s *stream) emit(open context.Context, e dialect.Event) error {
	return s.emitWithin(context.Background(), open, e)
}

// emitWithin is emit until ctx is done.
func (s *stream) emitWithin(ctx, open context.Context, e dialect.Event) error {
	s.frames = s.dialect.Encode(s.frames.Reset(), e)
	for i := range s.frames.Len() {
		data, binary := s.frames.At(i)
		s.writing.Store(s.streams.now().UnixNano())
		err := s.conn.write(ctx, data, binary)
		s.writing.Store(0)
		if err != nil {
			return ended(open, &Failure{Cause: broken, Err: err})
		}
	}
	return nil
}
