package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// scripted is a listener whose connections and errors the test gives.
type scripted struct {
	net.Listener // only for Addr
	next         chan any
	done         chan struct{}
	stop         func() // closes done, once
}

func (s scripted) Accept() (net.Conn, error) {
	select {
	case n := <-s.next:
		if c, ok := n.(net.Conn); ok {
			return c, nil
		}
		return nil, n.(error)
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s scripted) Close() error {
	s.stop()
	return s.Listener.Close()
}

// far is one end of a connection that comes from another address.
type far struct {
	net.Conn
	from netip.AddrPort
}

func (f far) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.from) }

// crowd is a Listener whose clients come from where the test says.
type crowd struct {
	*testing.T
	l    *Listener
	next chan any
}

func newCrowd(t *testing.T, c ListenerConfig) crowd {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	next, done := make(chan any, 16), make(chan struct{})
	l := NewListener(scripted{ln, next, done, sync.OnceFunc(func() { close(done) })}, c)
	t.Cleanup(func() { _ = l.Close() })
	return crowd{t, l, next}
}

// client connects from an address. ours is nil when it was refused.
func (w crowd) client(from string) (theirs, ours net.Conn) {
	w.Helper()
	theirs, end := pipe(w.T)
	return theirs, w.l.admit(far{end, netip.MustParseAddrPort(from + ":1")})
}

// pipe is a TCP connection of this machine.
func pipe(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	if err := errors.Join(client.SetDeadline(time.Now().Add(time.Minute)), server.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// say sends a byte, so that the connection is not idle.
func (w crowd) say(theirs, ours net.Conn) {
	w.Helper()
	if _, err := theirs.Write([]byte("x")); err != nil {
		w.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		w.Fatal(err)
	}
}

func (w crowd) isClosed(theirs net.Conn) bool {
	_, err := theirs.Read(make([]byte, 1))
	return err != nil
}

// answered reads the refusal of a connection.
func (w crowd) answered(theirs net.Conn) (int, string) {
	w.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(theirs), nil)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	_ = theirs.Close()
	return resp.StatusCode, string(b)
}

// TestNetworkBound: one network has a quarter of the connections, and its own idle ones make room;
// an IPv6 /64 is one network; a trusted proxy has no such bound.
func TestNetworkBound(t *testing.T) {
	t.Parallel()
	var counts Counts
	w := newCrowd(t, ListenerConfig{Total: 16, Counts: &counts, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	for i, from := range []string{"[2001:db8::1]", "[2001:db8::2]", "[2001:db8::3]", "[2001:db8::4]"} {
		theirs, ours := w.client(from)
		if ours == nil {
			t.Fatalf("connection %d is refused", i)
		}
		if i > 0 {
			w.say(theirs, ours)
			continue
		}
		defer func() {
			if !w.isClosed(theirs) {
				t.Error("the idle connection did not make room")
			}
		}()
	}
	fifth, ours := w.client("[2001:db8::5]")
	if ours == nil {
		t.Fatal("the fifth is refused beside an idle one")
	}
	w.say(fifth, ours)
	sixth, ours := w.client("[2001:db8::6]")
	if ours != nil {
		t.Fatal("a sixth is accepted")
	}
	if status, body := w.answered(sixth); status != 429 || !strings.Contains(body, "4 connections") {
		t.Errorf("%d %s", status, body)
	}
	if _, ours := w.client("[2001:db8:0:1::1]"); ours == nil {
		t.Error("another network is refused")
	}
	for range 6 {
		if _, ours := w.client("10.0.0.1"); ours == nil {
			t.Error("a trusted proxy is refused")
		}
	}
	if counts.RefusedNetwork.Load() != 1 || counts.IdleClosed.Load() != 1 || w.l.Ready() != nil {
		t.Errorf("counted %d, %d; ready %v", counts.RefusedNetwork.Load(), counts.IdleClosed.Load(), w.l.Ready())
	}
}

// TestTotalBound: at the bound the longest idle connection makes room. Without one, a connection is
// answered 503 and the listener is not ready for a while.
// TestRoomIsMadeByTheSameNetwork: its only connection is closed for its next one, which is counted
// like any other.
func TestRoomIsMadeByTheSameNetwork(t *testing.T) {
	t.Parallel()
	w := newCrowd(t, ListenerConfig{Total: 1})
	old, _ := w.client("192.0.2.1")
	_, ours := w.client("192.0.2.1")
	if !w.isClosed(old) {
		t.Error("the idle connection stays open")
	}
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
	if n := w.l.Len(); n != 0 {
		t.Errorf("%d connections are counted after all have left", n)
	}
}

func TestTotalBound(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	w := newCrowd(t, ListenerConfig{Total: 4, Now: func() time.Time { return now }})
	from := func(i int) string { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String() }
	var clients, servers []net.Conn
	for i := range 8 {
		theirs, ours := w.client(from(i))
		if ours == nil {
			t.Fatalf("connection %d is refused", i)
		}
		clients, servers = append(clients, theirs), append(servers, ours)
	}
	if n := w.l.Len(); n > 4 {
		t.Errorf("%d connections, most 4", n)
	}
	for i, theirs := range clients[:6] { // half of the connections may be idle
		if !w.isClosed(theirs) {
			t.Errorf("connection %d is idle beside newer ones", i)
		}
	}
	for i := 6; i < 8; i++ {
		w.say(clients[i], servers[i])
	}
	for i := 8; i < 10; i++ {
		theirs, ours := w.client(from(i))
		w.say(theirs, ours)
	}
	if err := w.l.Ready(); err != nil {
		t.Error(err)
	}
	theirs, ours := w.client(from(10))
	if ours != nil {
		t.Fatal("accepted beside four that are busy")
	}
	if status, _ := w.answered(theirs); status != 503 {
		t.Errorf("%d", status)
	}
	if w.l.Ready() == nil {
		t.Error("ready although it refuses connections")
	}
	now = now.Add(strainFor)
	if err := w.l.Ready(); err != nil {
		t.Error(err)
	}
	_ = servers[7].Close()
	if _, ours := w.client(from(11)); ours == nil {
		t.Error("refused although one has ended")
	}
}

// TestAcceptNeverGivesUp: running out of descriptors closes idle connections and ends nothing.
func TestAcceptNeverGivesUp(t *testing.T) {
	t.Parallel()
	var counts Counts
	w := newCrowd(t, ListenerConfig{Total: 8, Counts: &counts})
	idle, _ := w.client("10.0.0.1")
	faults := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ECONNABORTED, errors.New("another fault")}
	for _, err := range faults {
		w.next <- err
	}
	_, end := pipe(t)
	w.next <- net.Conn(far{end, netip.MustParseAddrPort("10.0.0.2:1")})
	if c, err := w.l.Accept(); err != nil || c == nil {
		t.Fatal(err)
	}
	if !w.isClosed(idle) || counts.AcceptsFailed.Load() != int64(len(faults)) || w.l.Ready() == nil {
		t.Errorf("%d failures counted, ready %v", counts.AcceptsFailed.Load(), w.l.Ready())
	}
	w.next <- syscall.EMFILE
	ended := make(chan error, 1)
	go func() { _, err := w.l.Accept(); ended <- err }()
	_ = w.l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestStrangersBesideRequests: idle strangers, more than there are connections, keep nobody out.
func TestStrangersBesideRequests(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := New(Config{})
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("ok") })
	l := NewListener(ln, ListenerConfig{Total: 32})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, app, l) }()
	client := &http.Client{Transport: &http.Transport{}}
	ask := func() {
		resp, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
	}
	for range 100 {
		stranger, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
	}
	for range 3 {
		ask()
		client.CloseIdleConnections()
	}
	if n := l.Len(); n > 8 {
		t.Errorf("one address has %d connections, most 8", n)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
