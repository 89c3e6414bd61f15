package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// bridged is an agent that is a peer.
type bridged struct{ *gateway.Peer }

// answerPeer makes c the agent's side of a call: it offers, as by WHIP.
func answerPeer(t *testing.T, g *gateway.Gateway, cfg phonetest.Config, codecs ...gateway.Codec) (*gateway.Peer, *phonetest.Call) {
	t.Helper()
	var p *gateway.Peer
	c := call(t, phone(t, cfg), func(ctx context.Context, offer string) (string, error) {
		made, answer, err := g.AnswerPeer(ctx, gateway.PeerConfig{ID: "ring", Codecs: codecs}, offer)
		p = made
		return answer.SDP, err
	})
	return p, c
}

// offerPeer makes a peer and has its offer answered.
func offerPeer(t *testing.T, g *gateway.Gateway, cfg gateway.PeerConfig, answer phonetest.Answerer) *gateway.Peer {
	t.Helper()
	p, offer, err := g.OfferPeer(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	text, err := answer(t.Context(), offer)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Accept(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	return p
}

// connect waits until the peer is connected.
func connect(t *testing.T, p *gateway.Peer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestPeerTalksWithThePhone: both hear each other, keys pass both ways, and an agent that closes
// its connection has hung up.
func TestPeerTalksWithThePhone(t *testing.T) {
	t.Parallel()
	for _, codec := range []gateway.Codec{gateway.Opus, gateway.PCMU} {
		t.Run(codec.Name(), func(t *testing.T) {
			t.Parallel()
			g, e := openGateway(t, nil), newEventLog()
			far := phonetest.Config{Codecs: []string{"opus", "PCMU"}}
			p, agent := answerPeer(t, g, far, codec)
			connect(t, p)
			c := call(t, phone(t, far), answerer(g, "ring", bridged{p}, e))
			until(t, c, func(s phonetest.Stats) bool { return s.Sounding >= 50 })
			until(t, agent, func(s phonetest.Stats) bool { return s.Sounding >= 50 })
			for _, row := range []struct {
				from, to *phonetest.Call
				key      byte
			}{{c, agent, '5'}, {agent, c, '#'}} {
				if err := row.from.Press(row.key); err != nil {
					t.Fatal(err)
				}
				until(t, row.to, func(s phonetest.Stats) bool { return s.Keys == string(row.key) })
			}
			if q := p.Quality(); q.PacketsIn < 50 || q.PacketsOut < 50 {
				t.Errorf("quality of the agent's side: %+v", q)
			}
			if first, again := p.Measure(), p.Measure(); first.MOS < 1 || again.LossIn > first.LossIn+0.5 {
				t.Errorf("measured %+v, then %+v", first, again)
			}
			agent.HangUp()
			e.next(t, gateway.Connected)
			e.ended(t, gateway.AgentHungUp)
		})
	}
}

// TestBothSidesOfABridgeComeBack: an ICE restart of either side, and another connection of the
// phone, leave the call and the sound both ways.
func TestBothSidesOfABridgeComeBack(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	far := phonetest.Config{Codecs: []string{"opus", "PCMU"}}
	p, agent := answerPeer(t, g, far, gateway.Opus)
	connect(t, p)
	talk := func(what string, c *phonetest.Call) {
		t.Helper()
		for _, side := range []*phonetest.Call{c, agent} {
			before := side.Stats().Sounding
			until(t, side, func(s phonetest.Stats) bool { return s.Sounding >= before+25 })
		}
		if calls := g.Calls(); len(calls) != 1 || p.Err() != nil {
			t.Fatalf("%s: %d calls, %v", what, len(calls), p.Err())
		}
	}
	first := call(t, phone(t, far), answerer(g, "ring", bridged{p}, e))
	talk("at first", first)
	restart := func(c *phonetest.Call, ask func(context.Context, gateway.Fragment) (gateway.Trickled, error)) {
		t.Helper()
		err := c.Restart(t.Context(), func(ctx context.Context, fragment string) (string, error) {
			got, err := ask(ctx, gateway.Fragment{Call: "ring", Leg: "phone", IfMatch: "*", SDP: fragment})
			return got.Fragment, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	restart(first, g.Trickle)
	talk("after a restart of the phone", first)
	restart(agent, p.Trickle)
	talk("after a restart of the agent", first)
	second := call(t, phone(t, far), answerer(g, "ring", bridged{p}, e))
	wait(t, first.Closed(), "the first connection to be closed")
	talk("after another connection of the phone", second)
	if q := g.Calls()[0].Quality; q.Legs != 2 {
		t.Errorf("%+v", q)
	}
}

// TestPeerThatOffers: the far end answers, and sends back what the phone says.
func TestPeerThatOffers(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	far, err := phonetest.NewBareEcho("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	p := offerPeer(t, g, gateway.PeerConfig{ID: "ring", Codecs: []gateway.Codec{gateway.Opus, gateway.PCMU}}, far.Answer)
	if got := p.Codecs(); len(got) != 1 || got[0] != gateway.Opus {
		t.Errorf("codecs %v", got)
	}
	connect(t, p)
	c := call(t, phone(t, phonetest.Config{}), answerer(g, "ring", bridged{p}, e))
	until(t, c, back(50))
	g.HangUp("ring", gateway.Cancelled)
	e.next(t, gateway.Connected)
	e.ended(t, gateway.Cancelled)
	wait(t, p.Ended(), "the peer to end with its call")
	if p.Err() != nil {
		t.Error(p.Err())
	}
}

// bot is a far end that answers offers of one connection, and sends text back.
type bot struct {
	pc   *webrtc.PeerConnection
	edit func(string) string
}

func newBot(t *testing.T) *bot {
	t.Helper()
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(&m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	pc.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { _ = d.SendText("heard " + string(m.Data)) })
	})
	return &bot{pc: pc, edit: func(s string) string { return s }}
}

func (b *bot) answer(_ context.Context, offer string) (string, error) {
	if err := b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := b.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return b.edit(b.pc.LocalDescription().SDP), nil
}

// TestPeerWithDataChannel: text goes both ways, also after an ICE restart.
func TestPeerWithDataChannel(t *testing.T) {
	t.Parallel()
	g, b := openGateway(t, nil), newBot(t)
	heard := make(chan string, 8)
	p := offerPeer(t, g, gateway.PeerConfig{
		ID: "ring", Codecs: []gateway.Codec{gateway.Opus}, Channel: "chat", Text: func(s string) { heard <- s },
	}, b.answer)
	if err := p.Text("early"); !errors.Is(err, gateway.ErrNoText) {
		t.Errorf("before the channel is open: %v", err)
	}
	connect(t, p)
	say := func(what string) {
		for errors.Is(p.Text(what), gateway.ErrNoText) { // the channel opens after the connection
			select {
			case <-t.Context().Done():
				t.Fatal("the channel does not open")
			case <-time.After(time.Millisecond):
			}
		}
		if got := <-heard; got != "heard "+what {
			t.Errorf("got %q", got)
		}
	}
	say("ping")
	again, err := p.Restart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.answer(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Accept(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	say("pong")
}

// TestPeerWhoseFarEndOpensChannels ends, and only the first of the channels is accepted: Pion keeps
// memory and a goroutine for each.
func TestPeerWhoseFarEndOpensChannels(t *testing.T) {
	t.Parallel()
	for _, counting := range []bool{false, true} {
		g, b := openGateway(t, nil), newBot(t)
		b.pc.OnDataChannel(func(*webrtc.DataChannel) { // ours: now there is something to open channels on
			for range 200 {
				if _, err := b.pc.CreateDataChannel("more", nil); err != nil {
					return // the peer has gone
				}
			}
		})
		p, offer, err := g.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.Opus}, Channel: "chat"})
		if err != nil {
			t.Fatal(err)
		}
		accepted := new(atomic.Int64)
		if counting {
			accepted = p.CountChannels()
		}
		text, err := b.answer(t.Context(), offer)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Accept(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		wait(t, p.Ended(), "the peer to end")
		if err := p.Err(); !errors.Is(err, gateway.ErrPeerChannel) {
			t.Error(err)
		}
		if err := g.Close(); err != nil { // waits for the connection
			t.Error(err)
		}
		if n := accepted.Load(); n > 1 {
			t.Errorf("%d channels were accepted", n)
		}
	}
}

// TestBadAnswersAreRefused: each with a sentence about the answer, and a good one may follow.
func TestBadAnswersAreRefused(t *testing.T) {
	t.Parallel()
	g, b := openGateway(t, nil), newBot(t)
	p, offer, err := g.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.Opus}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	good, err := b.answer(t.Context(), offer)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ from, to, says string }{
		"empty":    {good, "", "The answer is empty."},
		"the role": {"a=setup:active", "a=setup:actpass", "The answer's a=setup must be active or passive."},
		"no sound": {"m=audio 9", "m=audio 0", "The answer's audio has port 0"},
		"codec":    {"opus/48000/2", "opus/8000", "The answer's opus is a=rtpmap:111 opus/8000"},
	} {
		if err := p.Accept(t.Context(), strings.Replace(good, row.from, row.to, 1)); err == nil ||
			gateway.Reason(err) == "" || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.Accept(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	connect(t, p)
}

// TestPeersOfOneFarAddress: several calls at once to a server that has one port for all of them
// each get their own sound.
func TestPeersOfOneFarAddress(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	far, err := phonetest.NewBareEcho("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var peers []*gateway.Peer
	for range 4 {
		p := offerPeer(t, g, gateway.PeerConfig{ID: "ring", Codecs: []gateway.Codec{gateway.Opus}}, far.Answer)
		connect(t, p)
		peers = append(peers, p)
	}
	for i, p := range peers {
		until(t, call(t, phone(t, phonetest.Config{}), answerer(g, fmt.Sprint("ring", i), bridged{p}, e)), back(50))
	}
}

// TestPeersAreBounded: no connection is made above the bound, and a closed peer makes room.
func TestPeersAreBounded(t *testing.T) {
	t.Parallel()
	g := openGateway(t, func(c *gateway.Config) { c.MaxPeers = 1 })
	cfg := gateway.PeerConfig{Codecs: []gateway.Codec{gateway.Opus}}
	first, _, err := g.OfferPeer(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.OfferPeer(t.Context(), cfg); gateway.Reason(err) != gateway.Full {
		t.Errorf("above the bound: %v", err)
	}
	first.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		p, _, err := g.OfferPeer(t.Context(), cfg)
		if err == nil {
			p.Close()
			return
		}
		if gateway.Reason(err) != gateway.Full {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// TestPeerNeedsTheCodecOfTheCall: nothing is transcoded.
func TestPeerNeedsTheCodecOfTheCall(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	_, _, err := g.AnswerPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.PCMU}}, offerOf(t, phonetest.Config{}))
	if gateway.Reason(err) != gateway.UnsupportedMedia || !strings.Contains(err.Error(), "the phone of this call speaks PCMU/8000") {
		t.Errorf("an offer without the codec: %v", err)
	}
	p, _ := answerPeer(t, g, phonetest.Config{}, gateway.Opus)
	both := phonetest.Config{Codecs: []string{"PCMU"}}
	call(t, phone(t, both), answerer(g, "ring", pcmu{bridged{p}}, e))
	if got := e.next(t, gateway.Ended); got.Reason != gateway.AgentFailed || !strings.Contains(got.Err.Error(), "the call has PCMU") {
		t.Errorf("%+v", got)
	}
}

// pcmu is an agent that says it speaks another codec than it does.
type pcmu struct{ bridged }

func (pcmu) Codecs() []gateway.Codec { return []gateway.Codec{gateway.PCMU} }

func offerOf(t *testing.T, cfg phonetest.Config) string {
	t.Helper()
	offer, err := phone(t, cfg).Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return offer
}

// TestPeerThatIsNotReached ends by itself.
func TestPeerThatIsNotReached(t *testing.T) {
	t.Parallel()
	g := openGateway(t, func(c *gateway.Config) { c.ConnectWithin = 50 * time.Millisecond })
	p, _, err := g.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.Opus}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(t.Context()); !errors.Is(err, gateway.ErrPeerUnreached) {
		t.Error(err)
	}
}

// TestPanicOfAReaderOfAPeerEndsThatPeer: what the far end says, and what it writes, is read on
// goroutines of the connection.
func TestPanicOfAReaderOfAPeerEndsThatPeer(t *testing.T) {
	t.Parallel()
	g := openGateway(t, nil)
	p, _ := answerPeer(t, g, phonetest.Config{}, gateway.Opus)
	connect(t, p)
	var attended atomic.Bool // what was queued comes on this test's own goroutine
	p.Attend(func(gateway.Packet) {
		if attended.Load() {
			panic("no ear")
		}
	})
	attended.Store(true)
	wait(t, p.Ended(), "the peer to end")
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "no ear") {
		t.Errorf("the peer ended with %v", err)
	}
}

// TestPeersAreClosedWithTheGateway: none is left behind.
func TestPeersAreClosedWithTheGateway(t *testing.T) {
	t.Parallel()
	g := openGateway(t, func(c *gateway.Config) { c.AgentTargets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	var all []*gateway.Peer
	var mu sync.Mutex
	var making sync.WaitGroup
	for range 4 {
		making.Go(func() {
			p, _, err := g.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.G722}})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, p)
		})
	}
	making.Wait()
	_ = g.Close()
	for _, p := range all {
		wait(t, p.Ended(), "a peer to end")
	}
	_, _, err := g.OfferPeer(t.Context(), gateway.PeerConfig{Codecs: []gateway.Codec{gateway.Opus}})
	if gateway.Reason(err) != gateway.ShuttingDown {
		t.Error(err)
	}
}
