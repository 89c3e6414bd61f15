package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"carillon/app/outbound"
)

// forbidden are addresses of our own machine and network, in every form that wraps one.
var forbidden = []string{
	"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
	"169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7",
	"203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
	"64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254",
	"fe80::1", "fec0::1", "ff02::1", "100::1",
}

func TestOwnNetworksAreNotDialled(t *testing.T) {
	t.Parallel()
	for _, ip := range forbidden {
		_, err := outbound.New(nil).DialContext(t.Context(), "tcp", net.JoinHostPort(ip, "9"))
		if !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("%s: %v", ip, err)
		}
		if err := outbound.New(nil).CheckURL("wss://"+net.JoinHostPort(ip, "443")+"/", "wss"); !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("the address of %s: %v", ip, err)
		} else if host, ok := outbound.Forbidden(err); !ok || host != strings.Trim(ip, "[]") {
			t.Errorf("the refusal of %s names %q", ip, host)
		}
	}
}

func TestPublicAddressesAreAllowed(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "[2606:4700::1111]", "[64:ff9b::808:808]"} {
		if err := outbound.New(nil).CheckURL("https://"+ip+"/bot", "https"); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestAnAllowedNetworkIsReached(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer host.Close()
	d := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	client := d.Client(time.Minute)
	defer client.CloseIdleConnections()
	res, err := client.Get(host.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Error(res.Status)
	}
	if err := d.CheckURL("ws://127.0.0.1:9/stream", "wss"); err != nil {
		t.Errorf("plain to an allowed network: %v", err)
	}
	if err := d.CheckURL("ws://8.8.8.8/stream", "wss"); err == nil {
		t.Error("the plain address of a public host was taken")
	}
	if _, err := client.Get("http://8.8.8.8/"); !errors.Is(err, outbound.ErrPlain) {
		t.Errorf("plain to a public address: %v", err)
	}
}

// TestTheSecondLookUpIsChecked connects to a name that is public when it is first looked up and
// ours after that.
func TestTheSecondLookUpIsChecked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	names := resolver(t, func() [4]byte {
		if asked.Add(1) == 1 {
			return [4]byte{8, 8, 8, 8}
		}
		return [4]byte{127, 0, 0, 1}
	})
	first, err := names.LookupNetIP(t.Context(), "ip4", "bot.example")
	if err != nil || len(first) != 1 || first[0].String() != "8.8.8.8" {
		t.Fatalf("the first look-up: %v, %v", first, err)
	}
	_, err = outbound.New(nil, outbound.WithResolver(names)).DialContext(t.Context(), "tcp4", "bot.example:9")
	if !errors.Is(err, outbound.ErrForbidden) {
		t.Errorf("the connection: %v", err)
	}
}

// resolver answers every question for an IPv4 address with what ip returns.
func resolver(t *testing.T, ip func() [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: ip()},
				}}
			}
			m.Additionals = nil
			out, err := m.Pack()
			if err == nil {
				_, _ = server.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// TestConnectionsAreUsedAgain: what eight requests at once leave behind serves the next eight.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	const atOnce = 8
	var dialled atomic.Int32
	came, leave := make(chan bool, atOnce), make(chan bool)
	host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came <- true
		<-leave
		w.WriteHeader(http.StatusNoContent)
	}))
	host.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dialled.Add(1)
		}
	}
	host.Start()
	defer host.Close()
	client := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Client(time.Minute)
	defer client.CloseIdleConnections()
	for range 3 {
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				res, err := client.Get(host.URL)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
			})
		}
		for range atOnce {
			<-came
		}
		for range atOnce {
			leave <- true
		}
		all.Wait()
	}
	if n := dialled.Load(); n != atOnce {
		t.Errorf("%d connections for %d requests at once", n, atOnce)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	aim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer aim.Close()
	host := httptest.NewServer(http.RedirectHandler(aim.URL, http.StatusTemporaryRedirect))
	defer host.Close()
	client := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Client(time.Minute)
	defer client.CloseIdleConnections()
	res, err := client.Post(host.URL, "application/json", strings.NewReader("{}"))
	if err == nil {
		_ = res.Body.Close()
	}
	if !errors.Is(err, outbound.ErrRedirect) || reached.Load() {
		t.Errorf("error %v, reached %v", err, reached.Load())
	}
	if got := outbound.Cause(err); !strings.Contains(got, "redirect") {
		t.Error(got)
	}
}

func TestAddressesAreRefusedWithTheirCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, want string }{
		{"", "complete address"},
		{"bot.example.com/stream", "complete address"},
		{"wss:///stream", "complete address"},
		{"wss:bot.example.com", "complete address"},
		{"https://bot.example.com/stream", "not https://"},
		{"ws://bot.example.com/stream", "encrypted"},
		{"wss://me:secret@bot.example.com/", "no user name"},
		{"wss://bot.example.com/#x", "no #"},
		{"wss://localhost/stream", "private"},
		{"wss://printer.local/stream", "private"},
		{"wss://bot.example.com/" + strings.Repeat("x", outbound.MaxURL), "at most"},
	} {
		err := outbound.New(nil).CheckURL(c.url, "wss")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want %q", c.url, err, c.want)
		}
	}
	for _, ok := range []string{"wss://bot.example.com/stream", "wss://bot.example.com:8443/a?b=c"} {
		if err := outbound.New(nil).CheckURL(ok, "wss"); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	if err := outbound.New(nil, outbound.AllowPlain()).CheckURL("ws://bot.example.com/stream", "wss"); err != nil {
		t.Errorf("plain in dev mode: %v", err)
	}
}

// TestTheCauseIsTrue gives each failure and looks at the sentence about it.
func TestTheCauseIsTrue(t *testing.T) {
	t.Parallel()
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for _, c := range []struct {
		url, want string
		within    time.Duration
	}{
		{"https://" + plain.Listener.Addr().String(), "does not speak TLS", time.Minute},
		{secure.URL, "certificate", time.Minute},
		{"http://" + closed.Addr().String(), "nothing listens", time.Minute},
		{"http://" + silent.Addr().String(), "in time", 100 * time.Millisecond},
		{"http://10.0.0.1/", "private", time.Minute},
	} {
		client := outbound.New(local).Client(c.within)
		res, err := client.Get(c.url)
		if err == nil {
			_ = res.Body.Close()
		}
		client.CloseIdleConnections()
		if got := outbound.Cause(err); !strings.Contains(got, c.want) || strings.Contains(got, "127.0.0.1") {
			t.Errorf("%s: %q (%v), want %q", c.url, got, err, c.want)
		}
	}
}
