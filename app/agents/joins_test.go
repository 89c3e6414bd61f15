package agents

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
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
