package gateway_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// roaming is the socket of a phone that changes its network: its packets come from another address
// then, and what is sent to the old one is lost.
type roaming struct {
	mu   sync.Mutex // guards conn
	conn net.PacketConn
}

func newRoaming(t *testing.T) *roaming {
	t.Helper()
	r := &roaming{conn: listenAt(t, "127.0.0.1:0")}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func listenAt(t *testing.T, addr string) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (r *roaming) now() net.PacketConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn
}

// move changes to a new socket.
func (r *roaming) move(to net.PacketConn) {
	r.mu.Lock()
	old := r.conn
	r.conn = to
	r.mu.Unlock()
	_ = old.Close()
}

func (r *roaming) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		conn := r.now()
		n, from, err := conn.ReadFrom(p)
		if err != nil && conn != r.now() {
			continue // it has moved
		}
		return n, from, err
	}
}

func (r *roaming) WriteTo(p []byte, to net.Addr) (int, error) {
	n, err := r.now().WriteTo(p, to)
	if errors.Is(err, net.ErrClosed) {
		return r.now().WriteTo(p, to)
	}
	return n, err
}

func (r *roaming) Close() error                      { return r.now().Close() }
func (r *roaming) LocalAddr() net.Addr               { return r.now().LocalAddr() }
func (r *roaming) SetDeadline(d time.Time) error     { return r.now().SetDeadline(d) }
func (r *roaming) SetReadDeadline(d time.Time) error { return r.now().SetReadDeadline(d) }
func (r *roaming) SetWriteDeadline(d time.Time) error {
	return r.now().SetWriteDeadline(d)
}

// session is one side of an ICE session, as a description has it.
type session struct{ ufrag, pwd, addr string }

func sessionOf(t *testing.T, sdp string) (s session) {
	t.Helper()
	for line := range strings.Lines(sdp) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok {
			s.ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok {
			s.pwd = v
		}
		if words := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") && words[2] == "udp" && s.addr == "" {
			s.addr = net.JoinHostPort(words[4], words[5])
		}
	}
	if s.ufrag == "" || s.pwd == "" {
		t.Fatalf("no ICE session in %q", sdp)
	}
	return s
}

// nominate sends a check that nominates the path from conn, as phones do. The priority is that of
// an address which was in no offer.
func nominate(conn net.PacketConn, from, to session, use ...stun.Setter) error {
	const peerReflexive = 110<<24 | 65535<<8 | 255
	m, err := stun.Build(append(append([]stun.Setter{stun.BindingRequest, stun.TransactionID,
		stun.NewUsername(to.ufrag + ":" + from.ufrag), ice.AttrControlling(1), ice.PriorityAttr(peerReflexive)}, use...),
		stun.NewShortTermIntegrity(to.pwd), stun.Fingerprint)...)
	if err != nil {
		return err
	}
	addr, err := net.ResolveUDPAddr("udp4", to.addr)
	if err != nil {
		return err
	}
	_, err = conn.WriteTo(m.Raw, addr)
	return err
}

// network is a socket of another network of the phone. Its sound is counted and never comes back.
type network struct {
	net.PacketConn
	password string       // of the phone's ICE session; empty = no check is answered
	taken    atomic.Int64 // checks of the phone's that the gateway has answered
	checked  atomic.Int64 // checks of the gateway's that were answered
	sound    atomic.Int64
	news     chan struct{}
}

func newNetwork(t *testing.T, addr, password string) *network {
	t.Helper()
	n := &network{PacketConn: listenAt(t, addr), password: password, news: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = n.Close() })
	go n.serve()
	return n
}

// serve does the network's part until its socket is closed.
func (n *network) serve() {
	p := make([]byte, 1500)
	for {
		size, from, err := n.ReadFrom(p)
		if err != nil {
			return
		}
		if !stun.IsMessage(p[:size]) {
			n.sound.Add(1)
			continue
		}
		m := &stun.Message{Raw: append([]byte{}, p[:size]...)}
		if m.Decode() != nil {
			continue
		}
		switch {
		case m.Type == stun.BindingSuccess:
			n.taken.Add(1)
		case m.Type == stun.BindingRequest && n.password != "":
			addr := from.(*net.UDPAddr)
			a, err := stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: addr.IP, Port: addr.Port},
				stun.NewShortTermIntegrity(n.password), stun.Fingerprint)
			if err == nil {
				if _, err = n.WriteTo(a.Raw, from); err == nil {
					n.checked.Add(1)
				}
			}
		}
		select {
		case n.news <- struct{}{}:
		default:
		}
	}
}

// try sends a check from this network and waits until the gateway has answered it.
func (n *network) try(t *testing.T, own, far session, use ...stun.Setter) {
	t.Helper()
	before := n.taken.Load()
	if err := nominate(n, own, far, use...); err != nil {
		t.Fatal(err)
	}
	late := time.After(time.Minute)
	for n.taken.Load() == before {
		select {
		case <-n.news:
		case <-late:
			t.Fatal("the gateway answers no check")
		}
	}
}

// TestPhoneChangesItsNetwork: the phone's packets come from another address, which was in no offer.
// The sound goes on both ways once the phone has nominated the new path, without a restart of ICE
// and without another leg. A path that is checked and not nominated changes nothing, and neither
// does one that is nominated and answers no check.
func TestPhoneChangesItsNetwork(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	g, e := openGateway(t, func(c *gateway.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}), newEventLog()
	socket := newRoaming(t)
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: socket})
	t.Cleanup(func() { _ = mux.Close() })
	var own, far session
	c := call(t, phone(t, phonetest.Config{Mux: mux}), func(ctx context.Context, offer string) (string, error) {
		answer, err := answerer(g, "ring", newEchoer(), e)(ctx, offer)
		own = sessionOf(t, offer)
		if err == nil {
			far = sessionOf(t, answer)
		}
		return answer, err
	})
	until(t, c, back(25))
	if err := nominate(socket.now(), own, far, ice.UseCandidate()); err != nil { // the first path, surely
		t.Fatal(err)
	}
	until(t, c, back(c.Stats().Back+25))
	ahead.Store(int64(5 * time.Second)) // several paths may be nominated at once no more

	checked, deaf := newNetwork(t, "127.0.0.2:0", own.pwd), newNetwork(t, "127.0.0.3:0", "")
	for range 20 { // one is tried and not chosen; the other is chosen and answers nothing
		checked.try(t, own, far)
		deaf.try(t, own, far, ice.UseCandidate())
	}
	if checked.checked.Load() == 0 {
		t.Error("the gateway has not checked the path that only the phone had checked")
	}
	until(t, c, back(c.Stats().Back+25))
	if a, b := checked.sound.Load(), deaf.sound.Load(); a+b != 0 {
		t.Errorf("sound over a path that was not chosen: %d packets, over one that answers nothing: %d", a, b)
	}
	changes(t, c, socket, own, far)
	if q := g.Calls()[0].Quality; q.Legs != 1 {
		t.Errorf("the new path made a new leg: %+v", q)
	}
	e.next(t, gateway.Connected)
	select {
	case ev := <-e:
		t.Errorf("event %s (%s)", ev.Kind, ev.Reason)
	default:
	}
}

// changes moves the phone to another network, and nominates until sound comes back over it.
func changes(t *testing.T, c *phonetest.Call, socket *roaming, own, far session) {
	t.Helper()
	socket.move(listenAt(t, "127.0.0.2:0"))
	moved, before := c.Stats().PacketsOut, c.Stats().Back
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	soon, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	for c.Stats().Back < before+50 {
		if err := nominate(socket.now(), own, far, ice.UseCandidate()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-soon.Done():
			t.Fatalf("no sound over the new path: %d packets sent, %d came back", c.Stats().PacketsOut-moved, c.Stats().Back-before)
		}
	}
}
