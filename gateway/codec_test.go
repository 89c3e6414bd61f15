package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// TestEveryCodecPassesUnchanged: real calls whose every byte comes back as it was sent. A phone
// that offers more is answered with what the agent speaks.
func TestEveryCodecPassesUnchanged(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		offers []string
		speaks gateway.Codec
	}{
		"PCMU alone": {[]string{"PCMU"}, gateway.PCMU}, "PCMA alone": {[]string{"PCMA"}, gateway.PCMA},
		"G722 alone":        {[]string{"G722"}, gateway.G722},
		"PCMU among others": {[]string{"opus", "G722", "PCMU", "PCMA"}, gateway.PCMU},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, e, a := openGateway(t, nil), newEventLog(), newEchoer()
			a.speaks = []gateway.Codec{row.speaks}
			c := call(t, phone(t, phonetest.Config{Codecs: row.offers}), answerer(g, "ring", a, e))
			until(t, c, back(50))
			if calls := g.Calls(); len(calls) != 1 || calls[0].Codec != row.speaks {
				t.Errorf("calls: %+v", calls)
			}
			e.next(t, gateway.Connected)
			g.HangUp("ring", gateway.Cancelled)
			q := e.ended(t, gateway.Cancelled).Quality
			if each := q.BytesIn / q.PacketsIn; each != 160 || q.JitterIn > time.Second || c.Stats().Gaps > 0 {
				t.Errorf("quality %+v, %d bytes a packet, measured %+v", q, each, c.Stats())
			}
		})
	}
}

// TestTheCallKeepsItsCodec: an answer without it is refused and the old leg stays; one with more
// codecs gets the same again.
func TestTheCallKeepsItsCodec(t *testing.T) {
	t.Parallel()
	g, e, a := openGateway(t, nil), newEventLog(), newEchoer()
	a.speaks = []gateway.Codec{gateway.Opus, gateway.PCMU}
	first := call(t, phone(t, phonetest.Config{Codecs: []string{"PCMU"}}), answerer(g, "ring", a, e))
	until(t, first, back(5))

	_, err := phone(t, phonetest.Config{}).Call(t.Context(), answerer(g, "ring", a, e))
	if gateway.Reason(err) != gateway.UnsupportedMedia || !strings.Contains(err.Error(), "this call began with PCMU/8000") {
		t.Errorf("without the codec: %v", err)
	}
	until(t, first, back(first.Stats().Back+5))

	both := phone(t, phonetest.Config{Codecs: []string{"opus", "PCMU"}})
	second := call(t, both, answerer(g, "ring", a, e))
	until(t, second, back(5))
	wait(t, first.Closed(), "the first leg to be closed")
	if calls := g.Calls(); len(calls) != 1 || calls[0].Codec != gateway.PCMU || calls[0].Quality.Legs != 2 {
		t.Errorf("calls: %+v", calls)
	}
	_, err = phone(t, phonetest.Config{}).Call(t.Context(), func(ctx context.Context, sdp string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "other", SDP: sdp, Agent: a, On: e.on})
		return got.SDP, err
	})
	if gateway.Reason(err) != gateway.AnsweredElsewhere {
		t.Errorf("another leg with another codec: %v", err)
	}
}

// TestNoticeOnTelephoneCalls: before a restart a phone with G.711 only hears the notice too.
func TestNoticeOnTelephoneCalls(t *testing.T) {
	t.Parallel()
	for _, codec := range []gateway.Codec{gateway.PCMU, gateway.PCMA} {
		t.Run(codec.Name(), func(t *testing.T) {
			t.Parallel()
			g, e, a := openGateway(t, nil), newEventLog(), silentIn(codec)
			c := call(t, phone(t, phonetest.Config{Codecs: []string{codec.Name()}}), answerer(g, "ring", a, e))
			e.next(t, gateway.Connected)
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // the notice takes 6.06 s, so it begins at once
			defer cancel()
			drained := make(chan error, 1)
			go func() { drained <- g.Drain(ctx) }()
			until(t, c, func(s phonetest.Stats) bool { return s.Sounding >= 10 })
			cancel()
			if err := <-drained; !errors.Is(err, context.Canceled) {
				t.Errorf("drain: %v", err)
			}
			e.ended(t, gateway.Draining)
		})
	}
}

// silentIn is an agent that says nothing, in one codec.
type silentIn gateway.Codec

func (s silentIn) Codecs() []gateway.Codec { return []gateway.Codec{gateway.Codec(s)} }

func (silentIn) Converse(ctx context.Context, _ gateway.Line) error { <-ctx.Done(); return ctx.Err() }

// TestKeysBothWays: the agent hears each key of the phone once, and the phone those of the agent,
// in both clocks. An echo does not send keys back.
func TestKeysBothWays(t *testing.T) {
	t.Parallel()
	for name, codec := range map[string]gateway.Codec{"opus": gateway.Opus, "PCMU": gateway.PCMU} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, e, a := openGateway(t, nil), newEventLog(), keypad{codec, make(chan byte, 16), make(chan byte)}
			c := call(t, phone(t, phonetest.Config{Codecs: []string{name}}), answerer(g, "ring", a, e))
			until(t, c, back(5))
			for _, key := range []byte("5#5") {
				if err := c.Press(key); err != nil {
					t.Fatal(err)
				}
				if got := <-a.heard; got != key {
					t.Errorf("the agent heard %q, not %q", got, key)
				}
			}
			for _, key := range []byte("0*") {
				a.press <- key
			}
			until(t, c, func(s phonetest.Stats) bool { return len(s.Events) == 14 })
			until(t, c, back(c.Stats().Back+10))
			if s := c.Stats(); s.Keys != "0*" || s.Gaps > 3 { // the keys of the phone are not in its echo
				t.Errorf("%+v", s)
			}
			if len(a.heard) > 0 {
				t.Error("a key was heard twice")
			}
		})
	}
}

// TestAgentIsWarnedOfTheEnd: once, with the time that is left. An agent that panics at it goes on.
func TestAgentIsWarnedOfTheEnd(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.WarnBefore = c.MaxDuration + time.Hour - time.Millisecond }), newEventLog()
	a := warned{newEchoer(), make(chan time.Duration, 2)}
	c := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", a, e))
	if left := <-a.left; left < time.Hour-30*time.Second || left > time.Hour {
		t.Errorf("%v are left", left)
	}
	until(t, c, back(10))
	if len(a.left) > 0 {
		t.Error("the agent was warned twice")
	}
}

// warned is an echo that panics when it is warned.
type warned struct {
	echoer
	left chan time.Duration
}

func (w warned) Warn(_ gateway.Line, left time.Duration) {
	w.left <- left
	panic("no")
}

// TestAgentLearnsOfGaps: once when the phone's connection is lost, and once when it is back.
func TestAgentLearnsOfGaps(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, func(c *gateway.Config) { c.LeaveGrace = time.Minute }), newEventLog()
	a := gapped{newEchoer(), make(chan bool, 4)}
	first := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", a, e))
	until(t, first, back(5))
	first.HangUp()
	if away := <-a.told; !away {
		t.Error("the first the agent learns is that the phone is back")
	}
	until(t, call(t, phone(t, phonetest.Config{}), answerer(g, "ring", a, e)), back(5))
	if away := <-a.told; away || len(a.told) > 0 {
		t.Error("the agent did not learn that the phone is back, or more than that")
	}
}

// gapped is an echo that notes when the phone is away.
type gapped struct {
	echoer
	told chan bool
}

func (a gapped) Gap(_ gateway.Line, away bool) { a.told <- away }

// TestPhoneWithoutKeys: an offer without telephone-event is answered, and the agent hears why it
// cannot press.
func TestPhoneWithoutKeys(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	failed := make(chan error, 1)
	a := agentFunc(func(_ context.Context, l gateway.Line) error {
		failed <- l.Press('1')
		return nil
	})
	without := func(sdp string) string {
		sdp = strings.NewReplacer(" 111 110\r\n", " 111\r\n", "a=rtpmap:110 telephone-event/48000\r\n", "").Replace(sdp)
		return strings.Replace(sdp, "a=fmtp:110 0-15\r\n", "", 1)
	}
	call(t, phone(t, phonetest.Config{Edit: without}), answerer(g, "ring", a, e))
	e.next(t, gateway.Connected)
	if err := <-failed; !errors.Is(err, gateway.ErrNoKeys) {
		t.Errorf("%v", err)
	}
}

// keypad is an echo that tells which keys it hears and presses those it is given.
type keypad struct {
	speaks gateway.Codec
	heard  chan byte
	press  chan byte
}

func (k keypad) Codecs() []gateway.Codec { return []gateway.Codec{k.speaks} }

func (k keypad) Converse(ctx context.Context, l gateway.Line) error {
	defer l.Attend(func(p gateway.Packet) {
		if p.Digit != 0 {
			k.heard <- p.Digit
		}
		_ = l.Say(p)
	})()
	for {
		select {
		case key := <-k.press:
			if err := l.Press(key); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
