package gateway

import (
	"errors"
	"strings"
	"testing"
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
	for _, row := range unusableOffers() {
		f.Add(row.sdp)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := readOffer(s, reach{})
		if err != nil {
			if Reason(err) == "" {
				t.Fatalf("an error that is no refusal: %v", err)
			}
			return
		}
		text, err := o.marshal()
		if err != nil {
			return
		}
		again, err := readOffer(text, reach{})
		if err != nil {
			var r *Refused
			if errors.As(err, &r) && r.Reason == BadOffer {
				return // a value that does not survive writing; Pion refuses it too
			}
			t.Fatalf("the reduced offer is refused: %v\n%s", err, text)
		}
		if tr := again.transport(); tr.check() != nil || len(tr.fingerprints) != 1 {
			t.Fatalf("the reduced offer cannot connect: %+v", tr)
		}
		if len(again.sections) != 1 {
			t.Fatalf("%d sections", len(again.sections))
		}
		for _, a := range again.sections[0].Attributes {
			if ip, ok := candidateIP(a.Value); a.Key == "candidate" && (!ok || !(reach{}).allows(ip)) {
				t.Fatalf("candidate %q came through", a.Value)
			}
		}
		if _, err := o.restarted(fragment{ufrag: "abcd", pwd: strings.Repeat("p", 22)}); err != nil {
			t.Fatalf("restarted: %v", err)
		}
	})
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
		if got.ufrag == "" || len(got.candidates) > got.candidateCount || got.candidateCount > MaxCandidates {
			t.Fatalf("%+v", got)
		}
		for _, c := range got.candidates {
			if ip, ok := candidateIP(c); !ok || !(reach{}).allows(ip) || strings.ContainsAny(c, "\r\n") {
				t.Fatalf("candidate %q came through", c)
			}
		}
	})
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
