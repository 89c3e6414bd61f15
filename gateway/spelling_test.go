package gateway

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

func readCase(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// answered answers an offer and returns the answer, and the first leg of the call.
func answered(t *testing.T, g *Gateway, sdp string) (Answer, *leg) {
	t.Helper()
	got, err := g.Answer(t.Context(), Offer{Call: t.Name(), Leg: "phone", SDP: sdp, Agent: silentAgent{}, On: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	return got, g.findCall(t.Name()).legNow()
}

// TestOffersFromReports: the offers of public reports that we once refused, or answered with
// silence.
func TestOffersFromReports(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Refusal{
		"base.sdp": "", "offer-40-candidates.sdp": "", "offer-no-final-newline.sdp": "", "offer-trailing-spaces.sdp": "",
		"offer-rtp-savpf.sdp": "", "offer-link-local-only-trickle.sdp": "", "offer-session-inactive.sdp": NoAudio,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, sdp := testGateway(t), readCase(t, name)
			if err := g.Check(sdp, []Codec{Opus}); Reason(err) != want || want == "" && err != nil {
				t.Fatalf("%v, want %q", err, want)
			}
			if want == "" {
				answered(t, g, sdp)
			}
		})
	}
}

// spellings writes one text as programs on the way may leave it.
var spellings = map[string]func(string) string{
	"LF":                 func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") },
	"CR":                 func(s string) string { return strings.ReplaceAll(s, "\r\n", "\r") },
	"CR CR LF":           func(s string) string { return strings.ReplaceAll(s, "\r\n", "\r\r\n") },
	"no final newline":   func(s string) string { return strings.TrimSuffix(s, "\r\n") },
	"LF at the end only": func(s string) string { return strings.TrimSuffix(s, "\r\n") + "\n" },
	"empty lines":        func(s string) string { return "\r\n" + strings.ReplaceAll(s, "\r\n", "\r\n\r\n") },
	"trailing spaces":    func(s string) string { return strings.ReplaceAll(s, "\r\n", "  \r\n") },
	"trailing tabs":      func(s string) string { return strings.ReplaceAll(s, "\r\n", "\t\r\n") },
	"indented":           func(s string) string { return "\t  " + strings.ReplaceAll(s, "\r\n", "\r\n\t  ") },
	"tabs for blanks":    func(s string) string { return strings.ReplaceAll(s, " ", "\t") },
	"two blanks":         func(s string) string { return strings.ReplaceAll(s, " ", "  ") },
	"blanks round signs": func(s string) string {
		return strings.NewReplacer("a=", "a = ", "mid:", "mid : ", "pwd:", "pwd: ", "a=candidate:", "a=candidate: ").Replace(s)
	},
	"no-break spaces":     func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	"byte order mark":     func(s string) string { return "\ufeff" + s },
	"escapes of a string": func(s string) string { return strings.ReplaceAll(s, "\r\n", `\r\n`) },
	"no session name":     func(s string) string { return strings.Replace(s, "s=-", "s= ", 1) },
}

func addresses(list []candidate) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(c.addr.String() + " is " + c.text + "\n")
	}
	return b.String()
}

// TestSpellings: an offer and a fragment mean the same in every spelling.
func TestSpellings(t *testing.T) {
	t.Parallel()
	read := func(s string) string {
		o, err := readOpus(s, reach{loopback: true})
		if err != nil {
			return err.Error()
		}
		text, err := o.marshal()
		if err != nil {
			return err.Error()
		}
		return text + addresses(o.candidates)
	}
	sdp := readCase(t, "base.sdp")
	want := read(sdp)
	if !strings.Contains(want, "opus/48000/2") || !strings.Contains(want, "127.0.0.1:51000") {
		t.Fatal(want)
	}
	fragment := "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:1hhf\r\na=ice-pwd:ESYRTO5W4M2kpc6JXDvHEcJs\r\n" +
		"a=candidate:1 1 udp 2113937151 93.184.216.34 51000 typ host\r\na=end-of-candidates\r\n"
	whole, err := readFragment(fragment, reach{})
	if err != nil || len(whole.candidates) != 1 || whole.pwd != "ESYRTO5W4M2kpc6JXDvHEcJs" {
		t.Fatalf("%v %+v", err, whole)
	}
	for name, spell := range spellings {
		if got := read(spell(sdp)); got != want {
			t.Errorf("%s: an offer reads %s", name, got)
		}
		got, err := readFragment(spell(fragment), reach{})
		if err != nil || got.ufrag != whole.ufrag || got.pwd != whole.pwd || addresses(got.candidates) != addresses(whole.candidates) {
			t.Errorf("%s: a fragment reads %v %+v", name, err, got)
		}
	}
}

// TestProfiles: the profiles of RFC 8829 5.1.2 are accepted and repeated in the answer; what is not
// encrypted is refused.
func TestProfiles(t *testing.T) {
	t.Parallel()
	g, sdp := testGateway(t), readCase(t, "base.sdp")
	for profile := range profiles {
		for _, p := range []string{profile, strings.ToLower(profile)} {
			got, err := g.Answer(t.Context(), Offer{
				Call: p, Leg: "phone", SDP: strings.Replace(sdp, "UDP/TLS/RTP/SAVPF", p, 1), Agent: silentAgent{}, On: func(Event) {},
			})
			if err != nil || !strings.Contains(got.SDP, "m=audio 9 "+p+" 111 110\r\n") {
				t.Errorf("%s: %v\n%s", p, err, got.SDP)
			}
		}
		if err := g.Check(strings.Replace(without(sdp, "a=fingerprint"), "UDP/TLS/RTP/SAVPF", profile, 1), []Codec{Opus}); err == nil {
			t.Errorf("%s without a fingerprint was taken", profile)
		}
	}
	if err := g.Check(strings.Replace(sdp, "UDP/TLS/RTP/SAVPF", "UDP", 1), []Codec{Opus}); Reason(err) != UnsupportedMedia {
		t.Errorf("not RTP: %v", err)
	}
}

// TestDirections: a direction at session level is that of a section without its own.
func TestDirections(t *testing.T) {
	t.Parallel()
	sdp := readCase(t, "base.sdp")
	at := func(session, media string) string {
		if session != "" {
			session = "a=" + session + "\r\n"
		}
		if media != "" {
			media = "a=" + media + "\r\n"
		}
		return strings.NewReplacer("a=sendrecv\r\n", media, "t=0 0\r\n", "t=0 0\r\n"+session).Replace(sdp)
	}
	for _, row := range []struct{ session, media, want string }{
		{"", "", "sendrecv"}, {"inactive", "", ""}, {"", "inactive", ""}, {"sendrecv", "inactive", ""},
		{"inactive", "sendrecv", "sendrecv"}, {"recvonly", "", "recvonly"}, {"sendonly", "sendrecv", "sendrecv"},
	} {
		o, err := readOpus(at(row.session, row.media), reach{loopback: true})
		if row.want == "" {
			if Reason(err) != NoAudio || !strings.Contains(err.Error(), "inactive") {
				t.Errorf("%v: %v", row, err)
			}
			continue
		}
		if err != nil || o.direction != row.want {
			t.Errorf("%v: %v %+v", row, err, o)
			continue
		}
		if text, _ := o.marshal(); strings.Count(text, "a="+row.want) != 1 {
			t.Errorf("%v: Pion gets\n%s", row, text)
		}
	}
}

// TestUnusableCandidatesAreNoFault: a phone that we cannot send to sends to us.
func TestUnusableCandidatesAreNoFault(t *testing.T) {
	t.Parallel()
	trickle := readCase(t, "base.sdp")
	complete := strings.Replace(trickle, "a=ice-options:trickle renomination\r\n", "a=end-of-candidates\r\n", 1)
	const tcp, mdns = "1 1 tcp 1518280447 93.184.216.34 9 typ host tcptype active", "1 1 udp 1 5c4b1a3e.local 51002 typ host"
	for name, row := range map[string]struct {
		candidates []string
		complete   bool
		want       Refusal
	}{
		"none":                   {nil, true, ""},
		"link-local":             {[]string{"1 1 udp 1 169.254.186.35 54248 typ host", "2 1 udp 1 fe80::1 54248 typ host"}, true, ""},
		"with a zone":            {[]string{"1 1 udp 1 fe80::1%en0 54248 typ host"}, true, ""},
		"a name":                 {[]string{mdns}, true, ""},
		"TCP only":               {[]string{tcp}, true, ""},
		"a private address":      {[]string{"1 1 udp 1 10.0.0.1 54248 typ host"}, true, ""},
		"another component":      {[]string{"1 2 udp 1 93.184.216.34 54248 typ host"}, true, ""},
		"a server's port":        {[]string{"1 1 udp 1 93.184.216.34 53 typ host"}, true, ""},
		"cut off":                {[]string{"1 1 udp"}, true, ""},
		"loopback, more follow":  {[]string{"1 1 udp 1 127.0.0.1 54248 typ host"}, false, ""},
		"loopback":               {[]string{"1 1 udp 1 127.0.0.1 54248 typ host"}, true, Unreachable},
		"multicast":              {[]string{"1 1 udp 1 224.0.0.1 54248 typ host", "1 1 udp 1 ff02::1 54248 typ host"}, true, Unreachable},
		"loopback and a name":    {[]string{"1 1 udp 1 127.0.0.1 54248 typ host", mdns}, true, ""},
		"multicast and TCP":      {[]string{"1 1 udp 1 224.0.0.1 54248 typ host", tcp}, true, ""},
		"documentation's ranges": {[]string{"1 1 udp 1 203.0.113.7 54248 typ host"}, true, Unreachable},
	} {
		sdp := trickle
		if row.complete {
			sdp = complete
		}
		lines := ""
		for _, c := range row.candidates {
			lines += "a=candidate:" + c + "\r\n"
		}
		sdp = strings.Replace(without(sdp, "a=candidate"), "a=mid:0", lines+"a=mid:0", 1)
		o, err := readOpus(sdp, reach{})
		if Reason(err) != row.want || row.want == "" && err != nil {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
		if err == nil && len(o.candidates) != 0 {
			t.Errorf("%s: we would send to %v", name, o.candidates)
		}
	}
}

// remotes returns the addresses that Pion may send to on a leg.
func remotes(l *leg) (addrs, ips map[string]bool) {
	addrs, ips = map[string]bool{}, map[string]bool{}
	for _, s := range l.pc.GetStats() {
		if c, ok := s.(webrtc.ICECandidateStats); ok && c.Type == webrtc.StatsTypeRemoteCandidate {
			ips[c.IP] = true
			addrs[fmt.Sprint(c.IP, c.Port)] = true
		}
	}
	return addrs, ips
}

// TestCandidatesAreLimited: of any number of candidates, in any number of sections and fragments,
// eight addresses of two hosts are used; of a phone that has proven itself, eight of any hosts.
func TestCandidatesAreLimited(t *testing.T) {
	t.Parallel()
	bare := without(browser, "a=candidate")
	with := func(audio, video string) string {
		return strings.NewReplacer("a=mid:1\r\n", audio+"a=mid:1\r\n", "a=mid:0\r\n", video+"a=mid:0\r\n").Replace(bare)
	}
	hosts := candidates(5, "93.184.216.34") + candidates(5, "93.184.216.35") + candidates(5, "93.184.216.36")
	for name, sdp := range map[string]string{
		"in one section":       with(hosts, ""),
		"in two sections":      with(candidates(5, "93.184.216.36"), hosts),
		"each twice":           with(hosts+hosts, hosts),
		"as reported":          readCase(t, "offer-40-candidates.sdp"),
		"behind ones we skip":  with(candidates(40, "169.254.1.1")+candidates(40, "10.0.0.1")+hosts, ""),
		"as many as can be":    with(candidates(900, "93.184.216.34"), ""),
		"by trickle, not here": bare,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := testGateway(t)
			got, l := answered(t, g, sdp)
			trickle := func(lines string) {
				t.Helper()
				_, err := g.Trickle(t.Context(), Fragment{
					Call: t.Name(), Leg: "phone", IfMatch: got.ETag, SDP: "a=ice-ufrag:" + l.remoteUfrag + "\r\n" + lines,
				})
				if err != nil {
					t.Error(err)
				}
			}
			trickle(hosts)
			trickle(candidates(9, "93.184.216.37"))
			if len(l.probes.addrs) > MaxCandidates || len(l.probes.ips) > maxProbed {
				t.Errorf("%d addresses of %d hosts", len(l.probes.addrs), len(l.probes.ips))
			}
			if addrs, ips := remotes(l); len(addrs) > MaxCandidates || len(ips) > maxProbed {
				t.Errorf("Pion has %v", addrs)
			}
		})
	}
	t.Run("of a phone that has proven itself", func(t *testing.T) {
		t.Parallel()
		g := testGateway(t)
		got, l := answered(t, g, with(candidates(1, "93.184.216.33"), ""))
		l.proven.Store(true)
		for i := range 20 {
			fragment := "a=ice-ufrag:" + l.remoteUfrag + "\r\n" + candidates(1, fmt.Sprintf("93.184.216.%d", 40+i))
			_, err := g.Trickle(t.Context(), Fragment{Call: t.Name(), Leg: "phone", IfMatch: got.ETag, SDP: fragment})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(l.probes.addrs) != MaxCandidates || len(l.probes.ips) != MaxCandidates {
			t.Errorf("%d addresses of %d hosts", len(l.probes.addrs), len(l.probes.ips))
		}
	})
}

// TestCandidatesOfADialledAgentAreLimited: until it has connected, an agent gets our checks on four
// hosts, however many it names in however many answers. Only a restart of ours gives it others.
func TestCandidatesOfADialledAgentAreLimited(t *testing.T) {
	t.Parallel()
	p, _, err := testGateway(t).OfferPeer(t.Context(), PeerConfig{Codecs: []Codec{Opus}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	known := map[netip.Addr]bool{}
	answer := func(n int) {
		t.Helper()
		hosts := ""
		for i := range MaxCandidates {
			hosts += candidates(1, fmt.Sprintf("93.184.%d.%d", n, i))
		}
		err := p.Accept(t.Context(), lines(
			"v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
			"c=IN IP4 0.0.0.0", "a=mid:0", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", fmt.Sprintf("a=ice-ufrag:ufrag%d", n),
			"a=ice-pwd:ESYRTO5W4M2kpc6JXDvHEcJs", fingerprint, "a=setup:active")+hosts)
		if err != nil {
			t.Fatal(err)
		}
		for ip := range p.leg.probes.ips {
			known[ip] = true
		}
	}
	answer(0)
	for n := 1; n < 6; n++ {
		if _, err := p.Renegotiate(t.Context()); err != nil {
			t.Fatal(err)
		}
		answer(n)
	}
	if len(known) != maxProbedDialled {
		t.Errorf("we would send to %v", known)
	}
	if _, err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer(6); len(known) != 2*maxProbedDialled {
		t.Errorf("after a restart we would send to %v", known)
	}
}
