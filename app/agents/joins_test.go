package agents

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) at() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openJoins returns Joins at a gateway on this machine.
func openJoins(t *testing.T) (*Joins, *clock) {
	t.Helper()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Now()}
	j := NewJoins(g, c.at)
	t.Cleanup(func() { j.Close(); _ = g.Close() })
	return j, c
}

const (
	joinTenant = tenants.TenantID("01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e90")
	joinRing   = tenants.RingID("01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e91")
)

func (j *Joins) mustIssue(t *testing.T) tenants.Secret {
	t.Helper()
	token, _, err := j.Issue(joinTenant, joinRing)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// code is the code of a refusal.
func code(err error) string {
	var e *tenants.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// offerAs joins with a real WebRTC connection, which offers Opus if no codecs are named.
func (j *Joins) offerAs(t *testing.T, token tenants.Secret, ring tenants.RingID, codecs ...string) error {
	t.Helper()
	return j.offerHeld(t, token, ring, func(error) {}, codecs...)
}

// offerHeld is offerAs, and calls answered before the agent gets the answer.
func (j *Joins) offerHeld(t *testing.T, token tenants.Secret, ring tenants.RingID, answered func(error), codecs ...string) error {
	p, err := phonetest.New(phonetest.Config{Codecs: codecs})
	if err != nil {
		return err
	}
	c, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
		a, err := j.Offer(ctx, token, ring, offer, nil)
		answered(err)
		return a.SDP, err
	})
	if err == nil {
		t.Cleanup(c.HangUp)
	}
	return err
}

// TestJoinTokens: each is for one ring, one connection and a minute, and is unknown to the next
// process. Their number is bounded.
func TestJoinTokens(t *testing.T) {
	t.Parallel()
	j, now := openJoins(t)
	token := j.mustIssue(t)
	if got := code(j.offerAs(t, token, "another")); got != "not_found" {
		t.Errorf("another ring: %s", got)
	}
	if _, err := j.Offer(t.Context(), token, joinRing, "nonsense", nil); gateway.Reason(err) != gateway.BadOffer {
		t.Errorf("a bad offer: %v", err)
	}
	if err := j.offerAs(t, token, joinRing); err != nil {
		t.Errorf("after a bad offer: %v", err)
	}
	if got := code(j.offerAs(t, token, joinRing)); got != "join_used" {
		t.Errorf("again: %s", got)
	}
	if err := j.Leave(token, joinRing); err != nil {
		t.Errorf("leaving: %v", err)
	}
	late := j.mustIssue(t)
	if got := code(j.Leave(late, joinRing)); got != "not_found" {
		t.Errorf("leaving without a connection: %s", got)
	}
	now.add(JoinWithin)
	if got := code(j.offerAs(t, late, joinRing)); got != "join_expired" {
		t.Errorf("late: %s", got)
	}
	next, _ := openJoins(t)
	if got := code(next.offerAs(t, j.mustIssue(t), joinRing)); got != "join_unknown" {
		t.Errorf("after a restart: %s", got)
	}
	for range joinsPerRing - 1 {
		j.mustIssue(t)
	}
	if _, _, err := j.Issue(joinTenant, joinRing); code(err) != "too_many_joins" {
		t.Errorf("above the bound: %v", err)
	}
	if _, _, err := j.Issue(joinTenant, "another"); err != nil {
		t.Errorf("another ring at the bound: %v", err)
	}
	now.add(JoinWithin + forgetAfter + time.Second)
	j.mustIssue(t)
	if n := len(j.tokens); n != 1 {
		t.Errorf("%d tokens are known after they were forgotten", n)
	}
}

// TestOneTenantCannotUseUpTheTokens of all.
func TestOneTenantCannotUseUpTheTokens(t *testing.T) {
	t.Parallel()
	j := NewJoins(nil, time.Now)
	for i := range joinsPerTenant {
		ring := tenants.RingID(strings.Repeat("x", i/joinsPerRing))
		if _, _, err := j.Issue(joinTenant, ring); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := j.Issue(joinTenant, "another"); code(err) != "too_many_joins" {
		t.Errorf("above the bound: %v", err)
	}
	if _, _, err := j.Issue("another", "another"); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}

// TestOneTenantCannotUseUpTheRoom for agents that wait: a refused one is refused before anything is
// made, and may use its token later.
func TestOneTenantCannotUseUpTheRoom(t *testing.T) {
	t.Parallel()
	j := NewJoins(nil, time.Now) // to make a connection would panic
	issue := func(tenant, ring int) (tenants.Secret, tenants.RingID) {
		id := tenants.RingID(fmt.Sprint(tenant, " ", ring))
		token, _, err := j.Issue(tenants.TenantID(fmt.Sprint(tenant)), id)
		if err != nil {
			t.Fatal(err)
		}
		return token, id
	}
	var one *ticket // of the first tenant
	for i := range guestsMost {
		token, ring := issue(i/guestsPerTenant, i)
		k, err := j.use(token, ring)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			one = k
		}
	}
	token, ring := issue(0, guestsMost)
	refused := func(err error, kind tenants.Kind) {
		t.Helper()
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != kind || e.Code != "too_many_agents" || e.RetryAfter == 0 {
			t.Errorf("above the bound: %v", err)
		}
	}
	_, err := j.Offer(t.Context(), token, ring, "", nil)
	refused(err, tenants.TooMany)
	handshake := Upgrade{Host: "a", Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}}
	_, err = j.Stream(token, ring, handshake)
	refused(err, tenants.TooMany)
	other, elsewhere := issue(9, 0)
	_, err = j.Stream(other, elsewhere, handshake)
	refused(err, tenants.Unavailable)
	j.giveBack(one)
	if _, err := j.use(token, ring); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
	if n := len(j.rings); n != guestsMost {
		t.Errorf("%d meetings", n)
	}
}

// TestAgentsMeetTheirCalls: the call or the agent waits for the other. The newest of two agents
// gets the call, and one that has left gets none.
func TestAgentsMeetTheirCalls(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	open := func() Agent {
		a, err := j.open(Call{Tenant: joinTenant, Ring: joinRing})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		return a
	}
	gone := j.mustIssue(t)
	if err := j.offerAs(t, gone, joinRing); err != nil {
		t.Fatal(err)
	}
	if got := open().Codecs(); len(got) != 1 || got[0] != gateway.Opus {
		t.Errorf("with an agent there: %v", got)
	}
	if err := j.Leave(gone, joinRing); err != nil {
		t.Fatal(err)
	}
	if got := open().Codecs(); len(got) != len(gateway.Codecs()) {
		t.Errorf("without one: %v", got)
	}
	early := open()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var f *Failure
	if err := early.Attach(soon); !errors.As(err, &f) || !strings.Contains(f.Cause, "no agent connected") {
		t.Errorf("nobody came: %v", err)
	}
	attached := make(chan error, 1)
	go func() { attached <- early.Attach(t.Context()) }()
	first := j.mustIssue(t)
	if err := j.offerAs(t, first, joinRing); err != nil {
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Fatal(err)
	}
	second, third := j.mustIssue(t), j.mustIssue(t)
	for _, token := range []tenants.Secret{second, third} {
		if err := j.offerAs(t, token, joinRing); err != nil {
			t.Fatal(err)
		}
	}
	replaced, _ := j.peer(second, joinRing)
	newest, _ := j.peer(third, joinRing)
	<-replaced.Ended()
	if err := open().Attach(t.Context()); err != nil || isOver(newest) {
		t.Errorf("the newest: %v", err)
	}
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left", n)
	}
	if err := j.offerAs(t, j.mustIssue(t), joinRing); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left after Close", n)
	}
}

// TestAnAgentWaitsDuringTheCall, which may need it as the next one, and a minute without a call.
func TestAnAgentWaitsDuringTheCall(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	v := &callingVoice{Voice: j.voice}
	j.voice = v
	token := j.mustIssue(t)
	if err := j.offerAs(t, token, joinRing); err != nil {
		t.Fatal(err)
	}
	p, _ := j.peer(token, joinRing)
	m := j.rings[joinRing]
	v.calling.Store(true)
	j.expire(joinRing, m)
	if isOver(p) || m.leave == nil {
		t.Error("the agent was sent away during the call")
	}
	v.calling.Store(false)
	j.expire(joinRing, m)
	if !isOver(p) || len(j.rings) != 0 {
		t.Error("the agent stays after the call")
	}
}

// slowVoice makes connections for ever.
type slowVoice struct {
	Voice
	begun chan struct{}
}

func (v slowVoice) AnswerPeer(ctx context.Context, _ gateway.PeerConfig, _ string) (*gateway.Peer, gateway.Answer, error) {
	close(v.begun)
	<-ctx.Done()
	return nil, gateway.Answer{}, ctx.Err()
}

// TestTheEndOfARingCancelsAConnection: the agent that connects is not kept for a minute.
func TestTheEndOfARingCancelsAConnection(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	v := slowVoice{j.voice, make(chan struct{})}
	j.voice = v
	token, refused := j.mustIssue(t), make(chan error, 1)
	go func() {
		_, err := j.Offer(t.Context(), token, joinRing, "", nil)
		refused <- err
	}()
	<-v.begun
	j.Dismiss(joinRing)()
	if err := <-refused; tenants.KindOf(err) != tenants.Gone {
		t.Errorf("the agent gets %v", err)
	}
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings", n)
	}
}

// TestWaitingNamesRings: those that an agent waits for, each once in a while.
func TestWaitingNamesRings(t *testing.T) {
	t.Parallel()
	j, c := openJoins(t)
	if err := j.offerAs(t, j.mustIssue(t), joinRing); err != nil {
		t.Fatal(err)
	}
	count := func(want int) {
		t.Helper()
		list := j.Waiting(10)
		if len(list) != want || want > 0 && list[0] != (Guest{joinTenant, joinRing}) {
			t.Errorf("%v, want %d", list, want)
		}
	}
	count(0)
	c.add(lookEvery)
	count(1)
	count(0)
	c.add(lookEvery)
	j.Dismiss(joinRing)()
	count(0)
}

// TestAConnectionOfAnotherCodecIsReplaced: the phone was answered with PCMU while the agent joined
// with Opus. The next connection has PCMU. If none comes, the failure names both codecs.
func TestAConnectionOfAnotherCodecIsReplaced(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		when  string // the codec of the line is known: before or after Attach, or while it waits
		again bool   // the agent comes again
	}{{"before", "before", true}, {"while it waits", "waiting", true}, {"after", "after", true}, {"nobody comes again", "before", false}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j, _ := openJoins(t)
			v := &callingVoice{Voice: j.voice}
			j.voice = v
			a := &webrtcAgent{joins: j, ring: joinRing, away: (*gateway.Peer).Away}
			t.Cleanup(a.Close)
			attach := func() chan error {
				done := make(chan error, 1)
				ctx := t.Context()
				if !row.again {
					soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
					t.Cleanup(cancel)
					ctx = soon
				}
				go func() { done <- a.Attach(ctx) }()
				return done
			}
			tune := func() bool { v.calling.Store(true); return a.Tune(gateway.PCMU) }
			token := j.mustIssue(t)
			var done chan error
			if row.when == "waiting" {
				done = attach()
			}
			if err := j.offerAs(t, token, joinRing, "opus", "PCMU"); err != nil {
				t.Fatal(err)
			}
			first, _ := j.peer(token, joinRing)
			switch row.when {
			case "before":
				if !tune() {
					t.Error("what is not attached was given up")
				}
				done = attach()
			case "waiting":
				if !tune() { // it was attached already
					<-done
					done = attach()
				}
			case "after":
				if err := <-attach(); err != nil {
					t.Fatal(err)
				}
				if tune() {
					t.Error("a connection with Opus was kept")
				}
				done = attach()
			}
			if !slices.Contains(a.Codecs(), gateway.PCMU) {
				t.Error("the chain would pass the agent over")
			}
			<-first.Ended()
			if row.again {
				if err := j.offerAs(t, j.mustIssue(t), joinRing, "opus", "PCMU"); err != nil {
					t.Fatal(err)
				}
			}
			err := <-done
			if row.again && (err != nil || a.present().Codecs()[0] != gateway.PCMU) {
				t.Errorf("the second connection: %v", err)
			}
			if cause := CauseOf(err); !row.again && (!strings.Contains(cause, "PCMU") || !strings.Contains(cause, "opus")) {
				t.Errorf("nobody came again: %s", cause)
			}
		})
	}
}

// TestALostAgentConnectsAgain: the new connection takes the place of the lost one in the same call,
// and one that comes while nothing is lost waits.
func TestALostAgentConnectsAgain(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	lost, looks := make(chan struct{}), make(chan struct{}, 2)
	a := &webrtcAgent{joins: j, ring: joinRing, away: func(p *gateway.Peer) bool {
		select {
		case looks <- struct{}{}:
		default:
		}
		select {
		case <-lost:
			return true
		default:
			return false
		}
	}}
	t.Cleanup(a.Close)
	var tokens [2]tenants.Secret
	for i := range tokens {
		tokens[i] = j.mustIssue(t)
		if err := j.offerAs(t, tokens[i], joinRing, "PCMU"); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := a.Attach(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, _ := j.peer(tokens[0], joinRing)
	second, _ := j.peer(tokens[1], joinRing)
	ctx, cancel := context.WithCancel(t.Context())
	talked := make(chan error, 1)
	go func() { talked <- a.Converse(ctx, newDeskLine()) }()
	for range 2 { // what follows from the first look is done at the second
		select {
		case <-looks:
		case <-first.Ended():
		}
	}
	if isOver(first) || a.present() != first {
		t.Fatal("a connection that was not lost was replaced")
	}
	close(lost)
	<-first.Ended()
	eventually(t, "the second connection does not talk", func() bool { return a.present() == second })
	cancel()
	if err := <-talked; !errors.Is(err, context.Canceled) {
		t.Errorf("the conversation ended with %v", err)
	}
	<-second.Ended()
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left", n)
	}
}

// TestAConnectionUnderWayCompletes although the one that it replaces is given up meanwhile.
func TestAConnectionUnderWayCompletes(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	a := &webrtcAgent{joins: j, ring: joinRing, away: func(*gateway.Peer) bool { return true }}
	t.Cleanup(a.Close)
	token := j.mustIssue(t)
	offered, answer, connected := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		connected <- j.offerHeld(t, token, joinRing, func(err error) { offered <- err; <-answer }, "PCMU")
	}()
	if err := <-offered; err != nil {
		t.Fatal(err)
	}
	looking, stop := context.WithCancel(t.Context())
	defer stop()
	next := make(chan *gateway.Peer, 1)
	go func() { next <- a.replacement(t.Context(), looking, nil) }()
	eventually(t, "the connection is not taken", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.rings) == 0
	})
	stop()
	close(answer)
	if err := <-connected; err != nil {
		t.Error(err)
	}
	if q := <-next; q == nil || a.present() != q || isOver(q) {
		t.Error("the connection was given up with the one that it replaces")
	}
}

// callingVoice has a call when a test says so. Its codec is PCMU.
type callingVoice struct {
	Voice
	calling atomic.Bool
}

func (v *callingVoice) CodecOf(string) (gateway.Codec, bool) { return gateway.PCMU, v.calling.Load() }

// TestAWebSocketWaits: its pings are answered, what it said first is not lost, and one that has
// left is no agent.
func TestAWebSocketWaits(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	join := func() *websocket.Conn {
		token := j.mustIssue(t)
		j.mu.Lock()
		arrived := j.meeting(joinRing).arrived
		j.mu.Unlock()
		serving.Go(func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				t.Error(err)
				return
			}
			u := Upgrade{Host: r.Host, Header: r.Header}
			serve, err := j.Stream(tenants.Secret(u.Token()), joinRing, u)
			if err != nil {
				t.Error(err)
				return
			}
			serve(conn)
		})
		conn, _, err := websocket.Dial(t.Context(), "ws://"+listener.Addr().String(), &websocket.DialOptions{
			Subprotocols: []string{BearerProtocol, string(token)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if conn.Subprotocol() != BearerProtocol {
			t.Errorf("the subprotocol %q", conn.Subprotocol())
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		<-arrived
		return conn
	}
	left := join()
	_ = left.Close(websocket.StatusNormalClosure, "")
	stayed := join()
	ctx := stayed.CloseRead(t.Context())
	if err := stayed.Ping(ctx); err != nil {
		t.Fatalf("a ping: %v", err)
	}
	if err := stayed.Write(t.Context(), websocket.MessageText, []byte("first")); err != nil {
		t.Fatal(err)
	}
	conn, err := j.takeConn(t.Context(), joinRing)
	if err != nil {
		t.Fatal(err)
	}
	if data, binary, err := conn.read(t.Context(), nil); string(data) != "first" || binary || err != nil {
		t.Errorf("%q %v", data, err)
	}
	conn.close()
}

// TestOnlyThePasswordOfACallEndsIt: each ring and each process has another one.
func TestOnlyThePasswordOfACallEndsIt(t *testing.T) {
	t.Parallel()
	j, next := NewJoins(nil, time.Now), NewJoins(nil, time.Now)
	own := j.Password(joinTenant, joinRing)
	if !j.IsPassword(joinTenant, joinRing, own) {
		t.Error("its own password is refused")
	}
	for what, ok := range map[string]bool{
		"another ring": j.IsPassword(joinTenant, "another", own), "another tenant": j.IsPassword("another", joinRing, own),
		"after a restart": next.IsPassword(joinTenant, joinRing, own), "empty": j.IsPassword(joinTenant, joinRing, ""),
	} {
		if ok {
			t.Errorf("%s: it is accepted", what)
		}
	}
}

// FuzzUpgrade: any headers are refused or accepted, without a panic, and a token has no blanks
// around it.
func FuzzUpgrade(f *testing.F) {
	f.Add("Bearer x", "bearer, y", "k", "https://a")
	f.Add("basic", "a,b,c", "dGhlIHNhbXBsZSBub25jZQ==", "")
	f.Fuzz(func(t *testing.T, authorization, protocols, key, origin string) {
		u := Upgrade{Host: "a", Header: http.Header{
			"Authorization": {authorization}, "Sec-Websocket-Protocol": {protocols}, "Sec-Websocket-Key": {key}, "Origin": {origin},
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		}}
		if err := u.check(); err != nil && code(err) == "" {
			t.Errorf("no refusal: %v", err)
		}
		if token := u.Token(); token != strings.TrimSpace(token) {
			t.Errorf("token %q", token)
		}
	})
}
