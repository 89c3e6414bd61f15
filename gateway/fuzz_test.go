package gateway

import (
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// FuzzOffer: an offer is either refused, or reduced to one audio section that has only addresses we
// may send to.
func FuzzOffer(f *testing.F) {
	for _, s := range []string{
		"", "v=0", browser, without(browser, "a=group"), without(browser, "a=mid"),
		strings.ReplaceAll(browser, "\r\n", "\n"),
	} {
		f.Add(s)
	}
	for _, s := range []string{chromium, iphone, bundledOnly()} {
		f.Add(s)
	}
	for _, name := range []string{"ios", "firefox", "gstreamer", "aiortc", "static"} {
		f.Add(readCase(f, "phones/"+name+".sdp"))
	}
	for _, row := range unusableOffers() {
		f.Add(row.sdp)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := readAny(s)
		if err != nil {
			if Reason(err) == "" {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		text, err := o.marshal()
		if err != nil {
			t.Fatalf("the reduced offer cannot be written: %v", err)
		}
		again, err := readAny(text)
		if err != nil {
			t.Fatalf("the reduced offer is refused: %v\n%s", err, text)
		}
		if tr := again.transport(); tr.check() != nil || len(tr.fingerprints) != 1 {
			t.Fatalf("the reduced offer cannot connect: %+v", tr)
		}
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
			t.Fatalf("Pion refuses the reduced offer: %v\n%s", err, text)
		}
		if len(again.sections) != 1 {
			t.Fatalf("%d sections", len(again.sections))
		}
		if again.codec != o.codec || again.format != o.format || again.events != o.events {
			t.Fatalf("%+v became %+v", o, again)
		}
		if again.ufrag != o.ufrag || strings.Contains(text, "a=candidate") {
			t.Fatalf("the reduced offer has ufrag %q and reads %s", again.ufrag, text)
		}
		checkCandidates(t, o.candidates)
		if _, err := o.restarted(fragment{ufrag: "abcd", pwd: strings.Repeat("p", 22)}); err != nil {
			t.Fatalf("restarted: %v", err)
		}
	})
}

// readAny reads an offer and chooses any codec.
func readAny(s string) (*offer, error) {
	o, err := readOffer(s, reach{})
	if err != nil {
		return nil, err
	}
	return o, o.choose([]Codec{Opus, PCMU, PCMA, G722}, agentSpeaks)
}

// FuzzFragment: a trickle fragment is either refused, or read with only addresses we may send to.
func FuzzFragment(f *testing.F) {
	for _, s := range []string{
		"", "{}", "a=ice-ufrag:abcd\r\n", without(browser, "v=", "o=", "s=", "t="),
		"a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n" +
			"a=candidate:1 1 udp 1 10.0.0.1 9 typ host\na=end-of-candidates",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := readFragment(s, reach{})
		if err != nil {
			if Reason(err) == "" {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		if got.ufrag == "" {
			t.Fatalf("%+v", got)
		}
		checkCandidates(t, got.candidates)
	})
}

// checkCandidates fails the test if we may not send to one of the candidates.
func checkCandidates(t *testing.T, list []candidate) {
	t.Helper()
	for _, c := range list {
		if !(reach{}).allows(c.addr.Addr()) || c.addr.Port() < minPort || strings.ContainsAny(c.text, "\r\n") {
			t.Fatalf("candidate %q came through", c.text)
		}
	}
}

// FuzzRTP: no packet makes readRTP read outside of it.
func FuzzRTP(f *testing.F) {
	f.Add(wirePacket(f))
	f.Add([]byte{0xb0, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbe, 0xde, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, _, ok := readRTP(b); ok && len(p.Payload) > len(b)-12 {
			t.Fatalf("%d bytes of payload in %d", len(p.Payload), len(b))
		}
	})
}

// FuzzAnswer: an answer to an offer of ours is refused, or reduced to sections that Pion accepts.
func FuzzAnswer(f *testing.F) {
	answer := strings.NewReplacer("a=setup:actpass", "a=setup:active").Replace(browser)
	channel := "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n"
	for _, s := range []string{"", "v=0", browser, answer, answer + channel, answer + strings.Replace(channel, " 9 ", " 0 ", 1)} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, withChannel bool) {
		o, err := readAnswer(s, reach{}, Codecs())
		if err != nil {
			if Reason(err) == "" {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		text, err := o.accepted(withChannel)
		if err != nil {
			t.Fatalf("the reduced answer cannot be written: %v", err)
		}
		var desc sdp.SessionDescription
		if err := desc.UnmarshalString(text); err != nil {
			t.Fatalf("the reduced answer cannot be read: %v\n%s", err, text)
		}
		want := 1
		if withChannel {
			want = 2
		}
		if len(desc.MediaDescriptions) != want || desc.MediaDescriptions[0].MediaName.Media != "audio" {
			t.Fatalf("%d sections:\n%s", len(desc.MediaDescriptions), text)
		}
	})
}
