package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/sdp/v3"

	"carillon/gateway/phonetest"
)

const fingerprint = "a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E"

// browser is an offer as a browser makes it: the audio is not the first section of its bundle.
var browser = lines(
	"v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2", "a=msid-semantic: WMS",
	"m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:96 VP8/90000",
	"a=ice-ufrag:1hhf", "a=ice-pwd:ESYRTO5W4M2kpc6JXDvHEcJs", fingerprint, "a=setup:actpass",
	"a=candidate:1 1 udp 2113937151 93.184.216.34 51000 typ host",
	"a=candidate:2 1 udp 2113937150 192.168.1.7 51001 typ host",
	"a=candidate:3 1 udp 2113937149 5c4b1a3e-0000-4444-8888-abcdefabcdef.local 51002 typ host",
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "c=IN IP4 0.0.0.0", "a=mid:1", "a=sendrecv", "a=rtcp-mux",
	"a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:63 red/48000/2",
	"a=ice-ufrag:1hhf", "a=ice-pwd:ESYRTO5W4M2kpc6JXDvHEcJs", fingerprint, "a=setup:actpass",
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:2", "a=sctp-port:5000",
)

// readOpus reads an offer and chooses Opus.
func readOpus(sdp string, r reach) (*offer, error) {
	o, err := readOffer(sdp, r)
	if err != nil {
		return nil, err
	}
	return o, o.choose([]Codec{Opus}, agentSpeaks)
}

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n" }

// without drops the lines of s that begin with any of starts.
func without(s string, starts ...string) string {
	var kept strings.Builder
next:
	for l := range strings.Lines(s) {
		for _, start := range starts {
			if strings.HasPrefix(l, start) {
				continue next
			}
		}
		kept.WriteString(l)
	}
	return kept.String()
}

func candidates(n int, ip string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a=candidate:%d 1 udp 2113937151 %s %d typ host\r\n", i, ip, 20000+i)
	}
	return b.String()
}

func testGateway(t testing.TB) *Gateway {
	t.Helper()
	g, err := New(Config{
		UDPAddr: "127.0.0.1:0", AllowLoopback: true, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

type silentAgent struct{}

func (silentAgent) Codecs() []Codec { return []Codec{Opus} }

func (silentAgent) Converse(ctx context.Context, _ Line) error { <-ctx.Done(); return ctx.Err() }

// TestBadOffers sends bad offers to a gateway: each is refused with its reason and leaves nothing
// running.
func TestBadOffers(t *testing.T) {
	bare := without(browser, "a=candidate")
	for _, row := range []struct {
		name, sdp string
		want      Refusal
	}{
		{"empty", "", BadOffer},
		{"garbage", "hello", BadOffer},
		{"half a line", "v=0\r\no=", BadOffer},
		{"no sections", lines("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"), NoAudio},
		{"too long", browser + strings.Repeat("a=x\r\n", MaxSDP/5), TooLarge},
		{"video only", browser[:strings.Index(browser, "m=audio")], NoAudio},
		{"audio rejected", strings.Replace(browser, "m=audio 9", "m=audio 0", 1), NoAudio},
		{"audio inactive", strings.Replace(browser, "a=mid:1\r\na=sendrecv", "a=mid:1\r\na=inactive", 1), NoAudio},
		{"two audio sections", bare + bare[strings.Index(bare, "m=audio"):strings.Index(bare, "m=application")], NoAudio},
		{"no Opus", strings.Replace(browser, "opus/48000/2", "PCMU/8000", 1), UnsupportedMedia},
		{"Opus not among the formats", strings.Replace(browser, "SAVPF 111 63", "SAVPF 63", 1), UnsupportedMedia},
		{"no encryption", strings.Replace(without(browser, "a=fingerprint"), "m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", 1),
			UnsupportedMedia},
		{"no mid", without(browser, "a=mid:1"), BadOffer},
		{"no fingerprint", without(browser, "a=fingerprint"), BadOffer},
		{"no ICE password", without(browser, "a=ice-pwd"), BadOffer},
		{"a hundred sections", bare + strings.Repeat("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n", 100), TooLarge},
		{"multicast only", strings.Replace(bare, "a=mid:1", candidates(2, "224.0.0.1")+"a=mid:1", 1), Unreachable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			g := testGateway(t)
			_, err := g.Answer(t.Context(), Offer{Call: "ring", Leg: "phone", SDP: row.sdp, Agent: silentAgent{}, On: func(Event) {
				t.Error("a refused offer sent an event")
			}})
			if got := Reason(err); got != row.want {
				t.Errorf("%v, want %s", err, row.want)
			}
			if n := len(g.Calls()); n != 0 {
				t.Errorf("%d calls are up", n)
			}
		})
	}
}

func TestOfferIsReducedToItsAudio(t *testing.T) {
	t.Parallel()
	o, err := readOpus(browser, reach{})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := o.marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a=group:BUNDLE 1\r\n", "m=audio 9 ", "a=ice-ufrag:1hhf\r\n", "a=ice-pwd:ESYRTO5W4M2kpc6JXDvHEcJs\r\n"} {
		if !strings.Contains(cut, want) {
			t.Errorf("the reduced offer lacks %q:\n%s", want, cut)
		}
	}
	for _, bad := range []string{"m=video", "m=application", "192.168.1.7", ".local"} {
		if strings.Contains(cut, bad) {
			t.Errorf("the reduced offer has %q:\n%s", bad, cut)
		}
	}
	if len(o.candidates) != 1 || o.candidates[0].addr.String() != "93.184.216.34:51000" || o.ufrag != "1hhf" {
		t.Errorf("candidates %v of the session %q", o.candidates, o.ufrag)
	}
}

func TestAnswerRejectsWhatIsNotAudio(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	got, err := g.Answer(t.Context(), Offer{Call: "ring", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(got.SDP); err != nil {
		t.Fatal(err)
	}
	if n := len(desc.MediaDescriptions); n != 3 {
		t.Fatalf("%d sections answered, 3 offered", n)
	}
	for i, want := range []string{"video", "audio", "application"} {
		m := desc.MediaDescriptions[i]
		if m.MediaName.Media != want || (m.MediaName.Port.Value != 0) != (want == "audio") {
			t.Errorf("section %d: %s port %d", i, m.MediaName.Media, m.MediaName.Port.Value)
		}
		if mid, _ := m.Attribute("mid"); mid != fmt.Sprint(i) {
			t.Errorf("section %d has mid %q", i, mid)
		}
	}
	if group, _ := desc.Attribute("group"); group != "BUNDLE 1" {
		t.Errorf("group %q", group)
	}
	for _, want := range []string{"a=setup:active", "opus/48000/2", "typ host", "a=end-of-candidates", "a=sendrecv"} {
		if !strings.Contains(got.SDP, want) {
			t.Errorf("the answer lacks %s:\n%s", want, got.SDP)
		}
	}
	if len(got.ETag) < 10 || got.ETag[0] != '"' || got.ETag[len(got.ETag)-1] != '"' {
		t.Errorf("ETag %s", got.ETag)
	}
}

func TestPublicAddressIsInTheAnswer(t *testing.T) {
	t.Parallel()
	g, err := New(Config{
		UDPAddr: "127.0.0.1:0", PublicIPs: []string{"93.184.216.34"}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	got, err := g.Answer(t.Context(), Offer{Call: "ring", Leg: "phone", SDP: browser, Agent: silentAgent{}, On: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	port := g.Addr().(*net.UDPAddr).Port
	if !strings.Contains(got.SDP, fmt.Sprintf(" 93.184.216.34 %d typ host", port)) || strings.Contains(got.SDP, " 127.0.0.1 ") {
		t.Errorf("candidates of the answer:\n%s", got.SDP)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	public, private, loopback := reach{}, reach{private: true}, reach{loopback: true}
	for _, row := range []struct {
		ip                        string
		public, private, loopback bool
	}{
		{"93.184.216.34", true, true, true},
		{"2606:2800:220:1::1", true, true, true},
		{"10.1.2.3", false, true, false},
		{"172.16.0.1", false, true, false},
		{"192.168.0.1", false, true, false},
		{"100.64.0.1", false, true, false},
		{"fd00::1", false, true, false},
		{"127.0.0.1", false, false, true},
		{"127.9.9.9", false, false, true},
		{"::1", false, false, true},
		{"::ffff:127.0.0.1", false, false, true},
		{"::ffff:10.0.0.1", false, true, false},
		{"64:ff9b::7f00:1", false, false, true},
		{"64:ff9b::a00:1", false, true, false},
		{"64:ff9b::5db8:d822", true, true, true},
		{"169.254.169.254", false, false, false},
		{"fe80::1", false, false, false},
		{"224.0.0.1", false, false, false},
		{"ff02::1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"2002:7f00:1::", false, false, false},
		{"2001:0:7f00:1::1", false, false, false},
		{"64:ff9b:1::7f00:1", false, false, false},
		{"::127.0.0.1", false, false, false},
		{"::ffff:0:127.0.0.1", false, false, false},
	} {
		ip := netip.MustParseAddr(row.ip)
		got := [3]bool{public.allows(ip), private.allows(ip), loopback.allows(ip)}
		if got != [3]bool{row.public, row.private, row.loopback} {
			t.Errorf("%s: %v", row.ip, got)
		}
	}
	if (reach{}).allows(netip.Addr{}) {
		t.Error("no address is allowed")
	}
}

func TestCandidateAddr(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"1 1 udp 2113937151 93.184.216.34 51000 typ host":                           "93.184.216.34",
		"1 1 tcp 2113937151 2001:db9::1 9 typ host tcptype active":                  "2001:db9::1",
		"1 1 udp 1 93.184.216.34 51000 typ srflx raddr 10.0.0.1 rport 9 ufrag abcd": "93.184.216.34",
		"1 1 udp 2113937151 name.local 51000 typ host":                              "",
		"1 1 udp 2113937151 fe80::1%eth0 51000 typ host":                            "",
		"1 1 udp 2113937151 93.184.216.34 0 typ host":                               "",
		"1 1 udp 2113937151 93.184.216.34 70000 typ host":                           "",
		"1 1 udp 2113937151 93.184.216.34 51000 kind host":                          "",
		"1 1 udp": "",
		"1 1 udp 2113937151 93.184.216.34 51000 typ host " + strings.Repeat("x", 600): "",
	} {
		ip, ok := candidateAddr(value)
		if ok != (want != "") || ok && ip.Addr().String() != want {
			t.Errorf("%q: %s %v", value, ip, ok)
		}
	}
}

// TestNothingIsLeftRunning is not parallel: it counts the goroutines and descriptors of the whole
// process.
func TestNothingIsLeftRunning(t *testing.T) {
	g, err := New(Config{
		UDPAddr: "127.0.0.1:0", AllowLoopback: true, LeaveGrace: time.Millisecond, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	once := func(i int) {
		over := make(chan EndReason, 2)
		id := fmt.Sprint(i)
		c, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
			got, err := g.Answer(ctx, Offer{Call: id, Leg: "phone", SDP: offer, Agent: silentAgent{}, On: func(e Event) {
				if e.Kind == Ended {
					over <- e.Reason
				}
			}})
			return got.SDP, err
		})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Connected()
		switch i % 3 {
		case 0:
			g.HangUp(id, Cancelled)
		case 1:
			again, err := p.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
				got, err := g.Answer(ctx, Offer{Call: id, Leg: "phone", SDP: offer, Agent: silentAgent{}, On: func(Event) {}})
				return got.SDP, err
			})
			if err != nil {
				t.Fatal(err)
			}
			<-again.Connected()
			again.HangUp()
		}
		c.HangUp()
		if reason := <-over; reason.Sentence() == "" {
			t.Errorf("ended by %q", reason)
		}
	}
	once(0)
	before, descriptors := settled(t, 0, 0)
	for i := range 20 {
		once(i)
	}
	if after, open := settled(t, before, descriptors); after > before || open > descriptors {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines and %d descriptors before, %d and %d after\n%s",
			before, descriptors, after, open, buf[:runtime.Stack(buf, true)])
	}
}

// settled waits until the goroutines and descriptors are down to the given numbers, or no longer
// change, and returns them.
func settled(t *testing.T, goroutines, descriptors int) (int, int) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n, fds, same := runtime.NumGoroutine(), openFiles(t), 0
	for n > goroutines || fds > descriptors {
		select {
		case <-tick.C:
		case <-deadline:
			return n, fds
		}
		m, f := runtime.NumGoroutine(), openFiles(t)
		if same++; m != n || f != fds {
			same = 0
		}
		if n, fds = m, f; goroutines == 0 && same > 15 {
			return n, fds
		}
	}
	return n, fds
}

// TestNothingIsSentToOurselves: neither to an address of this machine nor to our address as phones
// see it, however it is written, unless phones are on this machine.
func TestNothingIsSentToOurselves(t *testing.T) {
	t.Parallel()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	own := []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("::ffff:93.184.216.34"),
		netip.MustParseAddr("64:ff9b::5db8:d822"), netip.MustParseAddr("2606:2800::1")}
	for _, a := range all {
		own = append(own, netip.MustParsePrefix(a.String()).Addr())
	}
	r, err := newReach(Config{PublicIPs: []string{"93.184.216.34", "2606:2800::1"}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range own {
		if r.allows(ip) {
			t.Errorf("we would send to %s", ip)
		}
	}
	if !r.allows(netip.MustParseAddr("93.184.216.35")) {
		t.Error("we would not send to our neighbour")
	}
	here, err := newReach(Config{AllowLoopback: true, AllowPrivate: true})
	if err != nil || !here.allows(netip.MustParseAddr("127.0.0.1")) || len(here.own) != 0 {
		t.Errorf("phones on this machine: %v %+v", err, here)
	}
}
