package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"carillon/gateway/phonetest"
)

// sentPackets is a leg that keeps what it is given.
type sentPackets struct{ sent []string }

func (p *sentPackets) WriteRTP(_ *rtp.Header, payload []byte) (int, error) {
	p.sent = append(p.sent, string(payload))
	return len(payload), nil
}

func (p *sentPackets) WriteEvent(h *rtp.Header, payload []byte) (int, error) {
	return p.WriteRTP(h, payload)
}

// keep keeps events, except OneWay, which depends on how busy the machine is.
func keep(events chan<- Event) func(Event) {
	return func(e Event) {
		if e.Kind != OneWay && e.Kind != Sampled {
			events <- e
		}
	}
}

// TestNoticeHasTheLineForItself: its frames come every 20 ms, nothing of the agent's comes between,
// and it stops with the call.
func TestNoticeHasTheLineForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, out := newLine(Opus, time.Now), &sentPackets{}
		l.setOutput(out)
		began, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			l.announce([][]byte{{1}, {2}, {3}})
		}()
		synctest.Wait()
		if err := l.Say(Packet{Source: 7, Payload: []byte("agent")}); err != nil {
			t.Errorf("the agent's line failed: %v", err)
		}
		<-done
		if took := time.Since(began); took != 2*Frame || len(out.sent) != 3 || out.sent[2] != "\x03" {
			t.Errorf("%q were sent within %v", out.sent, took)
		}
		close(l.over)
		l.announce([][]byte{{4}, {5}, {6}, {7}})
		if n := len(out.sent); n > 4 {
			t.Errorf("%d frames were sent after the end", n-3)
		}
		if err := l.Say(Packet{}); !errors.Is(err, ErrLineEnded) {
			t.Errorf("an ended line: %v", err)
		}
	})
}

// TestDrainTellsThePersonBeforeTheEnd: with an agent that says nothing, what the phone hears is the
// notice. New calls are refused meanwhile, and the end comes with its reason and with the error of
// the context.
func TestDrainTellsThePersonBeforeTheEnd(t *testing.T) {
	t.Parallel()
	g, events := testGateway(t), make(chan Event, 2)
	p, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Call(t.Context(), func(ctx context.Context, sdp string) (string, error) {
		got, err := g.Answer(ctx, Offer{Call: "ring", Leg: "phone", SDP: sdp, Agent: silentAgent{}, On: keep(events)})
		return got.SDP, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.HangUp()
	if e := <-events; e.Kind != Connected {
		t.Fatalf("%+v", e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// What the notice takes is left: it begins at once, and a slow machine has time.
	drain, stop := context.WithTimeout(t.Context(), time.Duration(len(g.notices[Opus]))*Frame)
	defer stop()
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(drain) }()
	if err := c.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding >= 10 }); err != nil {
		t.Fatalf("%v: %+v", err, c.Stats())
	}
	_, err = g.Answer(ctx, Offer{Call: "new", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(Event) {}})
	if Reason(err) != ShuttingDown {
		t.Errorf("a new call: %v", err)
	}
	stop()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Errorf("drain: %v", err)
	}
	if e := <-events; e.Kind != Ended || e.Reason != Draining {
		t.Errorf("%+v", e)
	}
}

// TestDrainWaitsInSilence: while there is time, nothing is announced, and the last call's end is
// the end of the drain.
func TestDrainWaitsInSilence(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	_, l := answered(t, g, chromium)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- g.Drain(ctx) }()
	g.HangUp(t.Name(), PhoneHungUp)
	if err := <-drained; err != nil || l.line.announcing.Load() {
		t.Errorf("drain: %v; announced: %v", err, l.line.announcing.Load())
	}
}
