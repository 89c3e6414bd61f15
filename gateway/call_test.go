package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"carillon/gateway/phonetest"
)

// TestCallClock steps calls through time and checks when they greet and end.
func TestCallClock(t *testing.T) {
	t.Parallel()
	cfg := Config{WarnBefore: time.Second, OneWayAfter: 2 * time.Hour, SampleEvery: 2 * time.Hour}
	cfg.setDefaults()
	const s = time.Second
	type step struct {
		at      time.Duration
		state   legState
		heard   time.Duration // last sound; 0 = never
		fresh   bool          // on a new leg
		agent   error         // the agent left
		left    bool
		settled bool // the media may start without a packet
		greet   bool
		end     EndReason
		next    time.Duration // when to look again, if not ended
	}
	for _, row := range []struct {
		name  string
		steps []step
	}{
		{"never connects", []step{
			{at: 0, next: 20 * s}, {at: 19 * s, next: 20 * s}, {at: 20 * s, end: ConnectTimeout},
		}},
		{"another leg gets its own time to connect", []step{
			{at: 0, next: 20 * s}, {at: 15 * s, fresh: true, next: 35 * s}, {at: 35 * s, end: ConnectTimeout},
		}},
		{"greets at the first sound", []step{
			{at: 1 * s, state: legConnected, next: 2 * s},
			{at: 3 * s / 2, state: legConnected, heard: 3 * s / 2, greet: true, next: 123 * s / 2},
		}},
		{"greets after its grace", []step{
			{at: 1 * s, state: legConnected, next: 2 * s}, {at: 2 * s, state: legConnected, settled: true, next: 4 * s},
			{at: 4 * s, state: legConnected, greet: true, next: 61 * s},
			{at: 61 * s, state: legConnected, greet: true, end: NoMedia},
		}},
		{"silence", []step{
			{at: 1 * s, state: legConnected, heard: 1 * s, greet: true, next: 61 * s},
			{at: 61 * s, state: legConnected, heard: 31 * s, greet: true, next: 91 * s},
			{at: 91 * s, state: legConnected, heard: 31 * s, greet: true, end: Silence},
		}},
		{"lost and found", []step{
			{at: 1 * s, state: legConnected, heard: 1 * s, greet: true, next: 61 * s},
			{at: 30 * s, state: legLost, heard: 25 * s, next: 50 * s},
			{at: 40 * s, state: legConnected, heard: 25 * s, greet: true, next: 85 * s},
			{at: 60 * s, state: legLost, heard: 55 * s, next: 80 * s},
			{at: 80 * s, state: legLost, heard: 55 * s, end: MediaFailed},
		}},
		{"lost and replaced", []step{
			{at: 1 * s, state: legConnected, heard: 1 * s, greet: true, next: 61 * s},
			{at: 30 * s, state: legLost, heard: 25 * s, next: 50 * s},
			{at: 49 * s, fresh: true, heard: 25 * s, next: 69 * s},
			{at: 50 * s, state: legConnected, heard: 25 * s, greet: true, next: 110 * s},
		}},
		{"the phone leaves", []step{
			{at: 1 * s, state: legConnected, heard: 1 * s, greet: true, next: 61 * s},
			{at: 30 * s, state: legLeft, heard: 30 * s, next: 31 * s}, {at: 31 * s, state: legLeft, heard: 30 * s, end: PhoneHungUp},
		}},
		{"the agent leaves", []step{
			{at: 1 * s, state: legConnected, heard: 1 * s, greet: true, next: 61 * s},
			{at: 2 * s, state: legConnected, heard: 2 * s, left: true, greet: true, next: 2*s + agentTail},
			{at: 3 * s, state: legConnected, heard: 2 * s, greet: true, end: AgentHungUp},
		}},
		{"the agent fails", []step{
			{at: 2 * s, state: legConnected, heard: 2 * s, left: true, agent: io.ErrUnexpectedEOF, greet: true, end: AgentFailed},
		}},
		{"the longest call", []step{
			{at: 3599 * s, state: legConnected, heard: 3599 * s, greet: true, next: 3600 * s},
			{at: 3600 * s, state: legConnected, heard: 3600 * s, greet: true, end: MaxDuration},
		}},
	} {
		zero := time.Unix(1_700_000_000, 0)
		w, l := callClock{cfg: &cfg, since: zero}, &leg{since: zero, track: &outTrack{}}
		for i, st := range row.steps {
			now := zero.Add(st.at)
			if st.fresh {
				l = &leg{since: now, track: &outTrack{}}
			}
			l.connState.Store(int32(st.state))
			var heard time.Time
			if st.heard != 0 {
				heard = zero.Add(st.heard)
				l.hasSound.Store(true)
				l.track.enabled.Store(true)
			}
			if st.left {
				w.agentLeft(now, st.agent)
			}
			v := w.check(l, soundTimes{heard: heard}, now)
			if v.end != st.end || v.end == "" && v.greet != st.greet {
				t.Errorf("%s, step %d: %+v", row.name, i, v)
			}
			if v.end == "" && st.settled && !v.settled {
				t.Errorf("%s, step %d: the leg has not settled", row.name, i)
			}
			if v.end == "" && !v.next.Equal(zero.Add(st.next)) {
				t.Errorf("%s, step %d: looks again at %v, want %v", row.name, i, v.next.Sub(zero), st.next)
			}
		}
	}
}

// TestOneWaySound: which side is reported as silent, and when.
func TestOneWaySound(t *testing.T) {
	t.Parallel()
	cfg := Config{}
	cfg.setDefaults()
	const s = time.Second
	type step struct{ at, heard, said time.Duration } // -1 = never
	for name, row := range map[string]struct {
		steps []step
		want  string // the reports of the steps
	}{
		"both talk":                       {[]step{{0, 0, 0}, {3 * s, 3 * s, 3 * s}, {9 * s, 9 * s, 9 * s}}, "  "},
		"the phone falls silent":          {[]step{{0, 0, 0}, {5 * s, 2 * s, 5 * s}, {6 * s, 2 * s, 6 * s}}, " phone "},
		"the phone was never heard":       {[]step{{2 * s, -1, 2 * s}, {3 * s, -1, 3 * s}}, " phone"},
		"not yet":                         {[]step{{4 * s, 2 * s, 4 * s}}, ""},
		"both are silent":                 {[]step{{9 * s, 2 * s, 2 * s}}, ""},
		"the agent talks after a pause":   {[]step{{9 * s, 2 * s, 2 * s}, {10 * s, 2 * s, 10 * s}}, " phone"},
		"the agent never spoke":           {[]step{{2 * s, 2 * s, -1}, {3 * s, 3 * s, -1}, {4 * s, 4 * s, -1}}, " agent "},
		"the agent listens":               {[]step{{20 * s, 20 * s, 1 * s}, {40 * s, 40 * s, 1 * s}}, " "},
		"both sides, one after the other": {[]step{{3 * s, 3 * s, -1}, {9 * s, 6 * s, 9 * s}, {12 * s, 6 * s, 12 * s}}, "agent phone "},
	} {
		zero := time.Unix(1_700_000_000, 0)
		l := &leg{since: zero, track: &outTrack{}}
		w := callClock{cfg: &cfg, since: zero, leg: l, connected: zero, everConnected: zero, agentAt: zero}
		l.connState.Store(int32(legConnected))
		l.hasSound.Store(true)
		var got []string
		for _, st := range row.steps {
			var last soundTimes
			if st.heard >= 0 {
				last.heard = zero.Add(st.heard)
				last.spoke = last.heard
			}
			if st.said >= 0 {
				last.said = zero.Add(st.said)
			}
			v := w.check(l, last, zero.Add(st.at))
			if !v.next.After(zero.Add(st.at)) {
				t.Errorf("%s: looks again at %v", name, v.next.Sub(zero))
			}
			got = append(got, string(v.silent))
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, " "), row.want)
		}
	}
}

// TestAgentIsWarnedOnce: before the longest duration, and only if it has started.
func TestAgentIsWarnedOnce(t *testing.T) {
	t.Parallel()
	cfg := Config{}
	cfg.setDefaults()
	zero := time.Unix(1_700_000_000, 0)
	l := &leg{since: zero, track: &outTrack{}}
	l.connState.Store(int32(legConnected))
	for started, want := range map[bool]string{true: "false true false ", false: "false false false "} {
		w, got := callClock{cfg: &cfg, since: zero}, ""
		if started {
			w.agentAt = zero
		}
		for _, at := range []time.Duration{58 * time.Minute, 59 * time.Minute, 59*time.Minute + time.Second} {
			now := zero.Add(at)
			v := w.check(l, soundTimes{heard: now, said: now}, now)
			got += fmt.Sprint(v.warn, " ")
		}
		if got != want {
			t.Errorf("started %v: warned %s, want %s", started, got, want)
		}
	}
}

func TestEveryEndReasonHasASentence(t *testing.T) {
	t.Parallel()
	for _, r := range EndReasons() {
		if r.Sentence() == "" {
			t.Errorf("%s has no sentence", r)
		}
	}
	if n := len(EndReasons()); n != 11 {
		t.Errorf("%d reasons", n)
	}
}

// TestLegThatComesTooLateIsRefused: an answer can be ready just when its call closes its legs.
func TestLegThatComesTooLateIsRefused(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	c := newCall(g, Offer{Call: "ring", Leg: "phone", Agent: silentAgent{}, On: func(Event) {}}, Opus)
	o, err := readOpus(browser, reach{})
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := g.answerLeg(t.Context(), c.id, c.line, c.wakeRun, o)
	if err != nil {
		t.Fatal(err)
	}
	if !c.join(first) {
		t.Fatal("the first leg was refused")
	}
	c.closeLegs()
	if first.pc.ConnectionState() != webrtc.PeerConnectionStateClosed {
		t.Error("the last leg is open")
	}
	if first.stateChanged(webrtc.PeerConnectionStateConnected); first.state() != legLeft { // an old report
		t.Error("a closed leg looks connected")
	}
	second, _, err := g.answerLeg(t.Context(), c.id, c.line, c.wakeRun, o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if c.join(second) {
		t.Error("a leg joined a call that had closed its legs")
	}
}

// TestReplacedLegIsClosed looks at the leg itself: a phone that waits for its end would wait for as
// long as the test may run.
func TestReplacedLegIsClosed(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	c := newCall(g, Offer{Call: "ring", Leg: "phone", Agent: silentAgent{}, On: func(Event) {}}, Opus)
	o, err := readOpus(browser, reach{})
	if err != nil {
		t.Fatal(err)
	}
	var legs []*leg
	for range 3 {
		l, _, err := g.answerLeg(t.Context(), c.id, c.line, c.wakeRun, o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		if !c.join(l) {
			t.Fatal("a leg was refused")
		}
		legs = append(legs, l)
	}
	c.closing.Wait()
	for i, l := range legs {
		closed := l.pc.ConnectionState() == webrtc.PeerConnectionStateClosed
		if last := i == len(legs)-1; closed == last {
			t.Errorf("leg %d of %d is closed: %v", i+1, len(legs), closed)
		}
	}
}

// TestLegsAreClosedWhenTheCallHasEnded: at the Ended event no leg of the call is open.
func TestLegsAreClosedWhenTheCallHasEnded(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	open, ended := make(chan int, 1), make(chan struct{})
	var legs []*leg
	answer := func() {
		_, err := g.Answer(t.Context(), Offer{Call: "ring", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(e Event) {
			n := 0
			for _, l := range legs {
				if l.pc.ConnectionState() != webrtc.PeerConnectionStateClosed {
					n++
				}
			}
			open <- n
			close(ended)
		}})
		if err != nil {
			t.Fatal(err)
		}
		legs = append(legs, g.findCall("ring").legNow())
	}
	answer()
	answer()
	g.HangUp("ring", Cancelled)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("a hang-up does not end the call")
	}
	if n := <-open; n != 0 {
		t.Errorf("%d legs are open at the end", n)
	}
}

func TestCancelledAnswerLeavesNothing(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Answer(ctx, Offer{Call: "ring", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(Event) {
		t.Error("an event was sent")
	}})
	if !errors.Is(err, context.Canceled) || len(g.Calls()) != 0 {
		t.Errorf("%v; calls: %+v", err, g.Calls())
	}
	g.HangUp("ring", Cancelled)
}

// blockingAgent is an agent that ignores its context and returns when the channel is closed.
type blockingAgent chan struct{}

func (s blockingAgent) Codecs() []Codec { return []Codec{Opus} }

func (s blockingAgent) Converse(context.Context, Line) error { <-s; return nil }

func TestAgentThatDoesNotReturnDelaysNothing(t *testing.T) {
	t.Parallel()
	g, agent, events := testGateway(t), make(blockingAgent), make(chan Event, 2)
	defer close(agent)
	p, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: agent, On: keep(events)})
		return got.SDP, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.HangUp()
	if e := <-events; e.Kind != Connected {
		t.Fatalf("%+v", e)
	}
	g.HangUp("ring", Cancelled)
	if e := <-events; e.Reason != Cancelled {
		t.Errorf("%+v", e)
	}
	if err := g.Close(); err != nil { // waits at most agentGrace
		t.Errorf("close: %v", err)
	}
}

func TestListensOnEveryAddress(t *testing.T) {
	t.Parallel()
	g, err := New(Config{UDPAddr: "0.0.0.0:0", AllowLoopback: true, AllowPrivate: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ports := map[string]bool{}
	for _, s := range g.port.sockets {
		if s.LocalAddr().String()[:2] == "0." {
			t.Errorf("a socket on %s", s.LocalAddr())
		}
		ports[s.LocalAddr().String()] = true
	}
	if len(ports) != len(g.port.sockets) || len(ports) == 0 {
		t.Errorf("sockets: %v", ports)
	}
	got, err := g.Answer(t.Context(), Offer{Call: "ring", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(Event) {}})
	if err != nil || got.SDP == "" {
		t.Errorf("answer: %v", err)
	}
}

// TestAPortIsFreeOnEveryAddress: if another program has the port on the second address, another
// port is picked, unless the port was configured.
func TestAPortIsFreeOnEveryAddress(t *testing.T) {
	t.Parallel()
	asked := 0
	taken := func(network string, a *net.UDPAddr) (*net.UDPConn, error) {
		if asked++; asked == 2 {
			return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
		}
		return net.ListenUDP(network, a)
	}
	here, there := net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2)
	conns, err := listenAll([]*net.UDPAddr{{IP: here}, {IP: there}}, taken)
	if err != nil || len(conns) != 2 || asked < 4 {
		t.Fatalf("%d sockets after asking %d times: %v", len(conns), asked, err)
	}
	ports := map[int]bool{}
	for _, c := range conns {
		ports[c.LocalAddr().(*net.UDPAddr).Port] = true
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(ports) != 1 || ports[0] {
		t.Errorf("ports %v", ports)
	}
	asked = 0
	given := func(network string, a *net.UDPAddr) (*net.UDPConn, error) {
		return taken(network, &net.UDPAddr{IP: a.IP})
	}
	_, err = listenAll([]*net.UDPAddr{{IP: here, Port: 3478}, {IP: there, Port: 3478}}, given)
	if !errors.Is(err, syscall.EADDRINUSE) || asked != 2 {
		t.Errorf("a port that was asked for: %v after %d", err, asked)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, cfg := range map[string]Config{
		"nothing":     {},
		"no clock":    {UDPAddr: "127.0.0.1:0", Log: log},
		"bad address": {UDPAddr: "nowhere", Now: time.Now, Log: log},
		"bad TCP":     {UDPAddr: "127.0.0.1:0", TCPAddr: "nowhere", Now: time.Now, Log: log},
		"bad public":  {UDPAddr: "127.0.0.1:0", PublicIPs: []string{"me"}, Now: time.Now, Log: log},
		"not ours":    {UDPAddr: "192.0.2.1:0", Now: time.Now, Log: log},
	} {
		if g, err := New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
			_ = g.Close()
		}
	}
}
