package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

func TestEchoIsHeardAndPhoneHangsUp(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.LeaveGrace = 50 * time.Millisecond }), newEventLog()
	c := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", newEchoer(), e))
	until(t, c, back(50))
	if q := e.next(t, gateway.Connected).Quality; q.PacketsIn == 0 || q.FirstIn.IsZero() {
		t.Errorf("connected before the phone was heard: %+v", q)
	}
	if calls := g.Calls(); len(calls) != 1 || calls[0].Call != "ring" || calls[0].Leg != "phone" || !calls[0].Connected {
		t.Errorf("calls: %+v", calls)
	}
	s := c.Stats()
	if s.Gaps != 0 {
		t.Errorf("%d gaps in the sound", s.Gaps)
	}
	c.HangUp()
	q := e.ended(t, gateway.PhoneHungUp).Quality
	if q.PacketsIn < 50 || q.PacketsOut < 50 || q.FirstOut.IsZero() || q.BytesIn == 0 || q.BytesOut == 0 || q.LostIn > 2 || q.Legs != 1 {
		t.Errorf("quality: %+v", q)
	}
}

func TestAgentHangsUpAfterItsLastWords(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	a := agentFunc(func(_ context.Context, l gateway.Line) error {
		for i := range uint16(10) {
			if err := l.Say(gateway.Packet{Source: 7, Sequence: i, Timestamp: uint32(i) * 960, Payload: make([]byte, 40)}); err != nil {
				return err
			}
		}
		return nil
	})
	c := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", a, e))
	until(t, c, func(s phonetest.Stats) bool { return s.PacketsIn == 10 })
	e.next(t, gateway.Connected)
	if q := e.ended(t, gateway.AgentHungUp).Quality; q.PacketsOut != 10 {
		t.Errorf("%d of 10 packets were sent", q.PacketsOut)
	}
	wait(t, c.Closed(), "the phone's leg to be closed")
}

func TestAgentThatFailsOrPanicsEndsItsCallOnly(t *testing.T) {
	t.Parallel()
	g := openGateway(t, nil)
	for name, a := range map[string]agentFunc{
		"fails":  func(context.Context, gateway.Line) error { return errors.New("no voice") },
		"panics": func(context.Context, gateway.Line) error { panic("no voice") },
	} {
		e := newEventLog()
		call(t, phone(t, phonetest.Config{}), answerer(g, name, a, e))
		e.next(t, gateway.Connected)
		e.ended(t, gateway.AgentFailed)
	}
}

// TestAgentThatPanicsWhenItGetsSound: the callback of Attend runs on a goroutine of the connection.
// Its panic ends that call, and the process and the other calls live.
func TestAgentThatPanicsWhenItGetsSound(t *testing.T) {
	t.Parallel()
	g := openGateway(t, nil)
	other := call(t, phone(t, phonetest.Config{}), answerer(g, "other", newEchoer(), newEventLog()))
	until(t, other, back(1))
	e := newEventLog()
	call(t, phone(t, phonetest.Config{}), answerer(g, "panics", agentFunc(func(ctx context.Context, l gateway.Line) error {
		defer l.Attend(func(gateway.Packet) { panic("no ear") })()
		<-ctx.Done()
		return ctx.Err()
	}), e))
	e.next(t, gateway.Connected)
	if err := e.ended(t, gateway.AgentFailed).Err; err == nil || !strings.Contains(err.Error(), "no ear") {
		t.Errorf("the call ended with %v", err)
	}
	until(t, other, back(10+other.Stats().Back))
}

// TestEventReceiverThatPanics: the call ends as it would, and so may the next one.
func TestEventReceiverThatPanics(t *testing.T) {
	t.Parallel()
	g := openGateway(t, nil)
	left := make(chan struct{})
	a := agentFunc(func(context.Context, gateway.Line) error { close(left); return nil })
	call(t, phone(t, phonetest.Config{}), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{
			Call: "ring", Leg: "phone", SDP: offer, Agent: a, On: func(gateway.Event) { panic("no ear") },
		})
		return got.SDP, err
	})
	wait(t, left, "the agent to talk although each event panics")
	if err := g.Drain(t.Context()); err != nil {
		t.Errorf("the call did not end: %v", err)
	}
}

// early is an agent that begins before the person can hear.
type early struct{ began, audible chan struct{} }

func (early) Codecs() []gateway.Codec { return []gateway.Codec{gateway.Opus} }

func (e early) Converse(ctx context.Context, l gateway.Line) error {
	close(e.began)
	<-l.Audible()
	close(e.audible)
	<-ctx.Done()
	return ctx.Err()
}

// TestAgentBeginsWhileThePhoneConnects: it need not wait for a phone that has answered and is still
// connecting, and it learns when the person can hear.
func TestAgentBeginsWhileThePhoneConnects(t *testing.T) {
	t.Parallel()
	g := openGateway(t, nil)
	a := early{make(chan struct{}), make(chan struct{})}
	p := phone(t, phonetest.Config{})
	answer := answerer(g, "ring", a, newEventLog())
	call(t, p, func(ctx context.Context, offer string) (string, error) {
		text, err := answer(ctx, offer)
		wait(t, a.began, "the agent, before the phone has our answer")
		select {
		case <-a.audible:
			t.Error("the person could hear before the phone had our answer")
		default:
		}
		return text, err
	})
	wait(t, a.audible, "the moment from which the person can hear")
}

func TestHangUpGivesItsReason(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	a := newEchoer()
	c := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", a, e))
	wait(t, a.began, "the agent")
	e.next(t, gateway.Connected)
	g.HangUp("ring", gateway.Cancelled)
	g.HangUp("ring", gateway.AgentHungUp)
	e.ended(t, gateway.Cancelled)
	wait(t, c.Closed(), "the phone's leg to be closed")
	g.HangUp("no such call", gateway.Cancelled)
}

func TestSameLegAnswersAgainAndTheConversationContinues(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	p, a := phone(t, phonetest.Config{}), newEchoer()
	first := call(t, p, answerer(g, "ring", a, e))
	until(t, first, back(10))
	second := call(t, p, answerer(g, "ring", newEchoer(), newEventLog()))
	until(t, second, back(10))
	wait(t, first.Closed(), "the phone's leg to be closed")
	e.next(t, gateway.Connected)
	g.HangUp("ring", gateway.Cancelled)
	if q := e.ended(t, gateway.Cancelled).Quality; q.Legs != 2 || q.LostIn > 5 {
		t.Errorf("quality over two legs: %+v", q)
	}
	if *a.times != 1 {
		t.Errorf("the agent was started %d times", *a.times)
	}
}

func TestAnotherLegIsRefused(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	p := phone(t, phonetest.Config{})
	c := call(t, p, answerer(g, "ring", newEchoer(), e))
	_, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "other", SDP: offer, Agent: newEchoer(), On: e.on})
		return got.SDP, err
	})
	if gateway.Reason(err) != gateway.AnsweredElsewhere {
		t.Errorf("another leg: %v", err)
	}
	until(t, c, back(5))
}

func TestTimers(t *testing.T) {
	t.Parallel()
	const short = 300 * time.Millisecond
	const long = 10 * time.Second // a busy machine connects and is heard within it
	for _, row := range []struct {
		name     string
		phone    phonetest.Config
		change   func(*gateway.Config)
		reason   gateway.EndReason
		connects bool // Connected comes first
	}{
		{"never connects", phonetest.Config{Edit: wrongPassword},
			func(c *gateway.Config) { c.ConnectWithin = short }, gateway.ConnectTimeout, false},
		{"no sound ever", phonetest.Config{Mute: true}, func(c *gateway.Config) { c.SilenceAfter = 2 * short }, gateway.NoMedia, false},
		{"silence", phonetest.Config{Packets: 10}, func(c *gateway.Config) { c.SilenceAfter = long }, gateway.Silence, true},
		{"longest call", phonetest.Config{}, func(c *gateway.Config) { c.MaxDuration = long }, gateway.MaxDuration, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			g, e := openGateway(t, row.change), newEventLog()
			call(t, phone(t, row.phone), answerer(g, "ring", newEchoer(), e))
			if row.connects {
				e.next(t, gateway.Connected)
			}
			e.ended(t, row.reason)
		})
	}
}

// wrongPassword replaces the ICE password of an offer, so that the phone can never connect.
func wrongPassword(sdp string) string {
	lines := strings.SplitAfter(sdp, "\r\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "a=ice-pwd:") {
			lines[i] = "a=ice-pwd:" + strings.Repeat("x", 32) + "\r\n"
		}
	}
	return strings.Join(lines, "")
}

func TestLostPhoneEndsTheCallUnlessItComesBack(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.LeaveGrace = 10 * time.Second }), newEventLog()
	p := phone(t, phonetest.Config{})
	first := call(t, p, answerer(g, "ring", newEchoer(), e))
	until(t, first, back(5))
	first.HangUp() // closes the leg, as an app does that answers again
	second := call(t, p, answerer(g, "ring", newEchoer(), e))
	until(t, second, back(5))
	e.next(t, gateway.Connected)
	second.HangUp()
	e.ended(t, gateway.PhoneHungUp)
}

func TestLimitsOfCalls(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.MaxCalls = 1 }), newEventLog()
	p := phone(t, phonetest.Config{})
	first := call(t, p, answerer(g, "one", newEchoer(), e))
	if _, err := p.Call(t.Context(), answerer(g, "two", newEchoer(), e)); gateway.Reason(err) != gateway.Full {
		t.Errorf("second call: %v", err)
	}
	until(t, first, back(1))
	e.next(t, gateway.Connected)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := g.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain: %v", err)
	}
	e.ended(t, gateway.Draining)
	if err := g.Drain(t.Context()); err != nil {
		t.Errorf("drain of nothing: %v", err)
	}
	if _, err := p.Call(t.Context(), answerer(g, "two", newEchoer(), e)); gateway.Reason(err) != gateway.ShuttingDown {
		t.Errorf("call while draining: %v", err)
	}
	if err := g.Healthy(); err != nil {
		t.Errorf("healthy: %v", err)
	}
}

func TestCloseEndsEveryCall(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	p := phone(t, phonetest.Config{})
	for _, name := range []string{"a", "b", "c"} {
		until(t, call(t, p, answerer(g, name, newEchoer(), e)), back(1))
		e.next(t, gateway.Connected)
	}
	if err := g.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for range 3 {
		e.ended(t, gateway.ShutDown)
	}
	if g.Healthy() == nil {
		t.Error("a closed gateway is healthy")
	}
	if err := g.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestPhoneOverTCP(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.TCPAddr = "127.0.0.1:0" }), newEventLog()
	c := call(t, phone(t, phonetest.Config{TCP: true}), answerer(g, "ring", newEchoer(), e))
	until(t, c, back(10))
}

func TestOfferWithoutDeclaredSource(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	c := call(t, phone(t, phonetest.Config{Edit: func(sdp string) string {
		var kept []string
		for _, l := range strings.SplitAfter(sdp, "\r\n") {
			if !strings.HasPrefix(l, "a=ssrc") {
				kept = append(kept, l)
			}
		}
		return strings.Join(kept, "")
	}}), answerer(g, "ring", newEchoer(), e))
	until(t, c, back(10))
}

// tapped counts what passes a line.
type tapped struct {
	mu          sync.Mutex
	heard, said []gateway.Packet
}

func (t *tapped) Heard(p gateway.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Payload = append([]byte{}, p.Payload...)
	t.heard = append(t.heard, p)
}

func (t *tapped) Said(p gateway.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Payload = append([]byte{}, p.Payload...)
	t.said = append(t.said, p)
}

// TestTap: a tap gets the sound of both directions, and what is said in one row of numbers.
func TestTap(t *testing.T) {
	t.Parallel()
	g, e, tap := openGateway(t, nil), newEventLog(), new(tapped)
	c := call(t, phone(t, phonetest.Config{}), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: newEchoer(), Tap: tap, On: e.on})
		return got.SDP, err
	})
	until(t, c, back(20))
	tap.mu.Lock()
	defer tap.mu.Unlock()
	if len(tap.heard) < 20 || len(tap.said) < 20 {
		t.Fatalf("%d heard, %d said", len(tap.heard), len(tap.said))
	}
	for i, p := range tap.said[:20] {
		if string(p.Payload) != string(tap.heard[i].Payload) || p.At.IsZero() || p.Sequence != tap.said[0].Sequence+uint16(i) {
			t.Errorf("packet %d: %+v, heard %+v", i, p, tap.heard[i])
		}
	}
}
